"""Whether a block ends where the length in its header says, judged by what stands behind it.

A length that is a few bytes wrong can hide in the line ends between two records. So a block counts as
whole only if what follows it cannot be explained by a wrong length, or if the block itself proves its end.
"""

from __future__ import annotations

import re
from enum import Enum

from curation.sources.digests import block_digest_matches
from curation.sources.grammars import Grammar, record_headers, separator

LONG_RECORD = "the record is longer than its Content-Length"
LATE_END = "the record may end before its Content-Length: the line ends that must follow it are within"
JUNK_FOLLOWS = "bytes that are no record follow, and nothing proves that the record ends before them"
REPAIRABLE = (LONG_RECORD, LATE_END, JUNK_FOLLOWS)  # the block is usable, but its end is a guess

_HTTP_HEAD = re.compile(rb"HTTP/[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n", re.IGNORECASE)
_HTTP_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_PAGE_END = re.compile(rb"</html>\s*\Z", re.IGNORECASE)
_TAIL_BYTES = 256  # more than the end tag of a page and the white space behind it


class Follows(Enum):
    """What stands behind a block and the white space after it."""

    RECORD = 1
    END = 2  # of the file, or of the member
    OTHER = 3


def judge_end(grammar: Grammar, header: bytes, block: bytes, blanks: bytes, follows: Follows) -> tuple[bytes, str | None]:
    """The block as it should be, and what is wrong with its length.

    ``blanks``: the white space behind the block. It should begin with the separator of the format, and does where anything
    else than a record or the end follows. Before those, less is fine, unless the block holds what is missing.
    """
    between = separator(grammar, header)
    if blanks.startswith(between):
        is_whole = follows is not Follows.OTHER or _is_proven(grammar, header, block) or _looks_whole(block, between)
        return block, None if is_whole else JUNK_FOLLOWS
    if blanks.endswith(between):
        return block + blanks[: -len(between)], LONG_RECORD
    for held in range(1, len(between) + 1):
        if between[held:] == blanks and block.endswith(between[:held]) and not _is_proven(grammar, header, block):
            return block[:-held], LATE_END
    return block, None


def _is_proven(grammar: Grammar, header: bytes, block: bytes) -> bool:
    """Whether a digest, or the Content-Length of HTTP, says that the block has just these bytes."""
    if block_digest_matches(record_headers(grammar, header), block):
        return True
    head = _HTTP_HEAD.match(block)
    if head is None:
        return False
    return head.end() == len(block) or len(block) - head.end() in map(int, _HTTP_LENGTH.findall(head.group()))


def ends_page(body: bytes) -> bool:
    """Whether a page ends with its end tag."""
    return _PAGE_END.search(body[-_TAIL_BYTES:]) is not None


def _looks_whole(block: bytes, between: bytes) -> bool:
    """Whether a page ends with its end tag, or a text has no empty line that a wrong length could have hit."""
    return ends_page(block) or (not block.startswith(b"HTTP/") and between not in block)
