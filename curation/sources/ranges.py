"""A few bytes out of a large file, wherever it lies."""

from __future__ import annotations

from curation import storage
from curation.errors import InputError
from curation.sources.web import Client


def read_range(client: Client, location: str, offset: int, length: int) -> bytes:
    """Just the bytes from ``offset`` on, ``length`` of them; asked for with patience where they are remote.

    Raises:
        InputError: there is no such file, it is too short, or its server gives no ranges.
    """
    content = client.patiently(location, lambda: client.read_range(location, offset, length)) if storage.is_remote(location) else None
    if content is None:
        with storage.open_binary(location) as stream:
            stream.seek(offset)
            content = stream.read(length)
    if len(content) != length:
        raise InputError(f"{location} is too short: of bytes {offset:,} to {offset + length:,}, which are wanted, it has {len(content):,}")
    return content
