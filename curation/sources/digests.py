"""Digests of records, in the algorithms and spellings of the wild."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

DIGEST_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


def block_digest_matches(headers: dict[str, str], block: bytes) -> bool | None:
    """Whether the block is what WARC-Block-Digest says; None without one, or for spellings and algorithms unknown to us."""
    return _matches(headers.get("warc-block-digest", ""), [block])


def payload_digest_matches(headers: dict[str, str], payloads: Iterable[bytes]) -> bool | None:
    """Whether one of the payloads is what WARC-Payload-Digest says; None as above.

    Writers disagree whether the payload is the body as stored, without chunks, or with all its codings undone.
    """
    return _matches(headers.get("warc-payload-digest", ""), payloads)


def _matches(labelled: str, contents: Iterable[bytes]) -> bool | None:
    algorithm, _, spelled = labelled.partition(":")
    algorithm = algorithm.strip().lower().replace("-", "")
    expected = _decode(spelled.strip().rstrip("="), DIGEST_BYTES[algorithm]) if algorithm in DIGEST_BYTES else None
    if expected is None:
        return None
    return any(hashlib.new(algorithm, content, usedforsecurity=False).digest() == expected for content in contents)


def _decode(spelled: str, size: int) -> bytes | None:
    """A digest of ``size`` bytes from hexadecimal, base32 or base64 without padding, told apart by their lengths; None if it is none."""
    try:
        if len(spelled) == 2 * size:
            return bytes.fromhex(spelled)
        if len(spelled) == -(-8 * size // 5):
            return base64.b32decode(spelled + "=" * (-len(spelled) % 8), casefold=True)
        if len(spelled) == -(-4 * size // 3):
            return base64.b64decode(spelled.replace("-", "+").replace("_", "/") + "=" * (-len(spelled) % 4), validate=True)
    except ValueError:
        return None
    return None
