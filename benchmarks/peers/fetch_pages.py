"""Fetch the addresses of a list with a bare aiohttp loop, 128 at a time, and drop what comes; prints the number as JSON."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp


async def main() -> None:
    addresses = iter(Path(sys.argv[1]).read_text().split())
    fetched = 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal fetched
        for address in addresses:
            async with session.get(address) as response:
                fetched += len(await response.read()) > 0

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        await asyncio.gather(*(work(session) for _ in range(128)))
    print(json.dumps({"fetched": fetched}))


asyncio.run(main())
