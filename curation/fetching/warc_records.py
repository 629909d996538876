"""Records of WARC/1.1 (ISO 28500:2017) for one exchange: the answer, or a revisit that points to an equal one, and its request."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass

from curation.fetching.client import Exchange

VERSION = "WARC/1.1"
IDENTICAL_PAYLOAD = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_HEADER_END = re.compile(rb"\r?\n\r?\n")

Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class Original:
    """The record that a revisit points to."""

    record_id: str
    uri: str
    date: str


@dataclass(frozen=True)
class Answer:
    """An exchange cut into what its records hold. ``payload_digest``: of the body as it came, its codings included."""

    exchange: Exchange
    record_id: str
    header: bytes
    body: bytes
    payload_digest: str


def to_answer(exchange: Exchange) -> Answer:
    """Cut the final answer of an exchange into header and body."""
    message = exchange.message()
    match = _HEADER_END.search(message)
    end = match.end() if match else len(message)
    return Answer(exchange, _new_id(), message[:end], message[end:], _digest(message[end:]))


def warcinfo_record(filename: str, date: str, fields: dict[str, str]) -> bytes:
    """The record at the beginning of a file, which says who made it and how."""
    block = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
    return _record("warcinfo", _new_id(), date, [("WARC-Filename", filename), ("Content-Type", "application/warc-fields")], block)


def answer_record(answer: Answer, original: Original | None) -> bytes:
    """The response, or a revisit with the header alone where ``original`` has the same body."""
    exchange = answer.exchange
    fields: Fields = [
        ("WARC-Target-URI", str(exchange.target)),
        ("WARC-IP-Address", exchange.address),
        ("Content-Type", "application/http;msgtype=response"),
        ("WARC-Payload-Digest", answer.payload_digest),
    ]
    if original is None:
        truncated = [("WARC-Truncated", exchange.truncated)] if exchange.truncated else []
        return _record("response", answer.record_id, exchange.date, fields + truncated, answer.header + answer.body)
    fields += [
        ("WARC-Profile", IDENTICAL_PAYLOAD),
        ("WARC-Refers-To", original.record_id),
        ("WARC-Refers-To-Target-URI", original.uri),
        ("WARC-Refers-To-Date", original.date),
    ]
    return _record("revisit", answer.record_id, exchange.date, fields, answer.header)


def request_record(answer: Answer) -> bytes:
    """The request that the answer is to."""
    fields = [
        ("WARC-Target-URI", str(answer.exchange.target)),
        ("WARC-IP-Address", answer.exchange.address),
        ("WARC-Concurrent-To", answer.record_id),
        ("Content-Type", "application/http;msgtype=request"),
    ]
    return _record("request", _new_id(), answer.exchange.date, fields, answer.exchange.request)


def _record(kind: str, record_id: str, date: str, fields: Fields, block: bytes) -> bytes:
    lines = [
        ("WARC-Type", kind),
        ("WARC-Record-ID", record_id),
        ("WARC-Date", date),
        *fields,
        ("WARC-Block-Digest", _digest(block)),
        ("Content-Length", str(len(block))),
    ]
    header = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return b"".join([f"{VERSION}\r\n{header}\r\n".encode(), block, b"\r\n\r\n"])


def _digest(content: bytes) -> str:
    """The digest that all readers of WARC files check; it is no protection against forgery."""
    return "sha1:" + base64.b32encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


def _new_id() -> str:
    return f"<urn:uuid:{uuid.uuid4()}>"
