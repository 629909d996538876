"""The links of a dump by a plain loop, for benchmarks/links.py: ``links_loop.py DUMP``; prints one line of JSON.

As the public importers do it: the whole row is decoded, three fields are tested, the address as it stands is the key.
"""

from __future__ import annotations

import json
import sys

karma: dict[str, int] = {}
with open(sys.argv[1], "rb") as stream:
    for line in stream:
        row = json.loads(line)
        if row.get("is_self") or row.get("over_18") or row["score"] < 3:
            continue
        karma[row["url"]] = max(row["score"], karma.get(row["url"], 0))
print(json.dumps({"links": len(karma)}))
