"""Unicode repair of extracted text: ftfy, then a fixed table for what no text should hold."""

from __future__ import annotations

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
    import ftfy

    repaired = ftfy.fix_text(text, _ftfy_settings()).replace("\r\n", "\n").translate(_TABLE)
    return unicodedata.normalize("NFC", repaired).strip()
