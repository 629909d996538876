"""Digests: truth is hashlib's and base64's, and values written out by hand."""

from __future__ import annotations

import base64
import hashlib

import pytest

from curation.sources.digests import DIGEST_BYTES, block_digest_matches, payload_digest_matches

EMPTY_SHA1 = "3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"  # of no bytes, as every crawl holds it


def test_the_digest_of_nothing() -> None:
    assert block_digest_matches({"warc-block-digest": f"sha1:{EMPTY_SHA1}"}, b"") is True
    assert block_digest_matches({"warc-block-digest": f"SHA-1:{EMPTY_SHA1.lower()}"}, b"") is True
    assert block_digest_matches({"warc-block-digest": f"sha1:{EMPTY_SHA1}"}, b"x") is False


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_every_algorithm_in_every_spelling(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"block").digest()
    assert len(digest) == DIGEST_BYTES[algorithm]
    for spelled in (base64.b32encode(digest), digest.hex().encode(), base64.b64encode(digest), base64.urlsafe_b64encode(digest)):
        for text in (spelled.decode(), spelled.decode().rstrip("=")):
            assert block_digest_matches({"warc-block-digest": f"{algorithm}:{text}"}, b"block") is True
            assert block_digest_matches({"warc-block-digest": f"{algorithm}:{text}"}, b"other") is False


@pytest.mark.parametrize("value", ["", "sha1", "sha1:", "sha1:xyz", "crc32:00000000", f"sha1:{'!' * 32}", "sha1:" + "01" * 80])
def test_what_is_no_digest_proves_nothing(value: str) -> None:
    assert block_digest_matches({"warc-block-digest": value}, b"") is None
    assert block_digest_matches({}, b"") is None


def test_a_payload_in_any_of_its_forms() -> None:
    headers = {"warc-payload-digest": f"sha1:{EMPTY_SHA1}"}
    assert payload_digest_matches(headers, (b"stored", b"")) is True
    assert payload_digest_matches(headers, (b"stored", b"decoded")) is False
