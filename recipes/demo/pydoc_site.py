"""The web site that every Python carries: the documentation server of ``pydoc``, and the list of its pages.

Pages are the indexes, the modules of the standard library, and the topics and keywords of the
language reference. The server imports a module to show it, hence the modules left out below.
"""

from __future__ import annotations

import contextlib
import os
import pydoc
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from curation.errors import PipelineError

SITE = "http://pydoc.localhost"  # RFC 6761 keeps this name for one's own machine; the port stays out of the pages' addresses
INDEX_PAGES = ("/index.html", "/topics.html", "/keywords.html")

# Importing these does something: antigravity opens a browser, this prints a poem, others open
# windows, need a display, or are programs and tests rather than libraries.
SIDE_EFFECT_MODULES = frozenset(
    ["antigravity", "ensurepip", "idlelib", "lib2to3", "test", "this", "tkinter", "turtle", "turtledemo", "venv"]
)
# Only on Windows; elsewhere their pages say no more than that.
WINDOWS_MODULES = frozenset(
    [
        *("msilib", "msvcrt", "nt", "winreg", "winsound", "asyncio.windows_events", "asyncio.windows_utils"),
        *("encodings.mbcs", "encodings.oem", "multiprocessing.popen_spawn_win32"),
    ]
)
# Packages whose modules have pages of their own. The 120 character sets of ``encodings`` are near-duplicates of each other.
PACKAGES = (
    *("asyncio", "collections", "concurrent", "ctypes", "dbm", "email", "encodings", "html", "http", "importlib", "json", "logging"),
    *("multiprocessing", "sqlite3", "tomllib", "unittest", "urllib", "wsgiref", "xml", "xmlrpc", "zoneinfo"),
)


def module_names() -> list[str]:
    """Sorted names of the modules that have a page: public, harmless to import, with the modules of ``PACKAGES``."""
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    library = Path(os.__file__).parent
    for package in PACKAGES:
        for source in (library / package).rglob("*.py"):
            parts = source.relative_to(library).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not any(part.startswith("_") or part in ("test", "tests") for part in parts):
                names.add(".".join(parts))
    return sorted(names - SIDE_EFFECT_MODULES - WINDOWS_MODULES)


def topic_names() -> list[str]:
    """Sorted names of the language reference's topics (upper case) and keywords."""
    return sorted(pydoc.Helper.topics.keys() | pydoc.Helper.keywords.keys())


def module_address(name: str) -> str:
    """Address of a module's page."""
    return f"{SITE}/{name}.html"


def topic_address(name: str) -> str:
    """Address of the page of a topic or keyword."""
    return f"{SITE}/topic?key={name}"


@contextlib.contextmanager
def running_server() -> Iterator[tuple[str, int]]:
    """Run pydoc's server in a child process; gives its (host, port) and ends it, whatever happens.

    The child has an empty folder and an environment of its own, since pages show both, and sees no
    installed packages.

    Raises:
        PipelineError: the server did not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": os.defpath, "HOME": folder, "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "COLUMNS": "80"}
        server = str(Path(__file__).with_name("pydoc_server.py"))
        command = [sys.executable, "-u", "-B", "-P", "-S", server, "-n", "127.0.0.1", "-p", "0"]
        with (
            open(Path(folder, ".errors"), "w+") as errors,
            # The server ends when its standard input does: it cannot outlive this process.
            subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            ) as child,
        ):
            try:
                ready = re.fullmatch(r"Server ready at http://([\d.]+):(\d+)/\n", child.stdout.readline() if child.stdout else "")
                if not ready:
                    errors.seek(0)
                    reason = errors.read().strip() or "it gave no address"
                    raise PipelineError(f"pydoc's server did not start: {reason}; try python -m pydoc -p 0")
                yield ready[1], int(ready[2])
            finally:
                child.kill()
