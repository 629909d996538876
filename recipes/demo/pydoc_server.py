"""pydoc's documentation server as a program, with pages that are the same each time: options as those of ``python -m pydoc``.

Pages show where objects lie in memory and in which folder the server runs, which is another with each start. A demo made
twice then trained its classifier on other words, kept other documents, and ended with another model.
"""

import os
import pydoc
import re
import sys
from typing import Any

ADDRESS = re.compile(r"(0x|\bhandle )[0-9a-f]{8,16}\b")  # "<object at 0x7f670ffa4150>", "<PyDLL 'None', handle 7f67109952e0>"
FOLDER = "/pydoc"


def main() -> None:
    """Serve until standard input ends."""
    page: Any = pydoc._url_handler  # type: ignore[attr-defined]  # what pydoc.browse hands to its server; there is no public way
    folder = os.getcwd()

    def steady_page(*arguments: Any) -> str:
        return ADDRESS.sub(r"\g<1>0", page(*arguments).replace(folder, FOLDER))

    pydoc._url_handler = steady_page  # type: ignore[attr-defined]
    sys.argv[0] = "pydoc"
    sys.orig_argv[:] = sys.argv  # the page of sys shows both
    pydoc.cli()  # type: ignore[attr-defined, no-untyped-call, unused-ignore]


if __name__ == "__main__":
    main()
