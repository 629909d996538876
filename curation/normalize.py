"""Unicode repair of extracted text: ftfy, then a fixed table for what no text should hold."""

from __future__ import annotations

import io
import re
import unicodedata
from functools import cache
from typing import Any

# Lone surrogates cannot be encoded; NUL and the other C0 and C1 controls mean nothing in text.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CONTROLS: dict[int, str | None] = {code: None for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\t\n\r"}
_TABLE: dict[int, str | None] = {
    **_CONTROLS,
    **dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT),
    0x2028: "\n",
    0x2029: "\n",
    0x0D: "\n",
    0xFEFF: None,  # a byte order mark inside text
}
# Whatever the table or ftfy's character fixes would change, wherever it stands.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u206a-\u206f\ud800-\udfff\ufeff\ufff9-\ufffc]")
# Without one of these a line is never bad in the eyes of ftfy.badness.is_bad, which takes ten times as long to say so.
_MOJIBAKE_CLUE = re.compile("[^\x00-\x7f]{2}|[ÂÃŒœ]")


@cache
def _ftfy_settings() -> Any:
    import ftfy

    # Only what repairs damage: quotes, ligatures, widths and entities are the author's own.
    return ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=True,
        fix_encoding=True,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=True,
        fix_surrogates=True,
        remove_control_chars=True,
        normalization="NFC",
        explain=False,
    )


def normalize(text: str) -> str:
    """Text with mojibake repaired (ftfy), NFC, line ends as ``\\n``, no control characters, no outer blanks.

    Idempotent on its own output as far as the fixed table goes; NUL, controls and lone surrogates
    never survive.
    """
    if not _is_plain(text):
        text = "".join(line if _is_sound(line) else _repair(line) for line in io.StringIO(text, newline="\n"))
        text = unicodedata.normalize("NFC", text)
    return text.strip()


def _is_plain(text: str) -> bool:
    """Whether every line is sound, as far as that is told at a glance."""
    if _UNWANTED.search(text):
        return False
    return text.isascii() or (unicodedata.is_normalized("NFC", text) and not _MOJIBAKE_CLUE.search(text))


def _is_sound(line: str) -> bool:
    """Whether ``_repair`` would return the line as it is; ftfy judges by the line, and most lines need nothing."""
    if _UNWANTED.search(line):
        return False
    if line.isascii():
        return True
    from ftfy.badness import is_bad

    return unicodedata.is_normalized("NFC", line) and not (_MOJIBAKE_CLUE.search(line) and is_bad(line))


def _repair(line: str) -> str:
    import ftfy

    return str(ftfy.fix_text(line, _ftfy_settings())).replace("\r\n", "\n").translate(_TABLE)
