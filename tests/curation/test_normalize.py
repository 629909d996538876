"""Unicode repair: mojibake, the fixed table, and what is the author's own."""

from __future__ import annotations

import unicodedata

import ftfy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.normalize import _TABLE, _ftfy_settings, normalize

FORBIDDEN = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029", "\ufeff"} - {"\n", "\t"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafÃ© and naÃ¯ve", "café and naïve"),  # UTF-8 read as Latin-1
        ("donâ€™t", "don’t"),  # UTF-8 read as windows-1252
        ("a\0b\x01c\x1fd\x7fe", "abcde"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("and so on\x85", "and so on…"),  # C1 controls in pages are windows-1252 (WHATWG Encoding Standard, 9.1)
        ("one\u2028two\u2029three", "one\ntwo\nthree"),
        ("\ufeffmark", "mark"),
        ("tab\tstays", "tab\tstays"),
        ("  \n outer blanks \u3000\n", "outer blanks"),
        ("e\u0301", "\u00e9"),  # NFC
        ("lone \ud800 surrogate", "lone \N{REPLACEMENT CHARACTER} surrogate"),
        ("pair \ud83d\ude00", "pair \U0001f600"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("", ""),
        (" \0\u200b".strip("\u200b"), ""),
    ],
)
def test_repairs(text: str, expected: str) -> None:
    assert normalize(text) == expected


@pytest.mark.parametrize("text", ["“curly”", "ﬁne", "ＦＵＬＬ", "&lt;p&gt; &amp;", "5 ½ … —", "ﾊﾝｶｸ", "日本語", "👍🏽", "½", "ħ"])
def test_what_authors_write_stays(text: str) -> None:
    assert normalize(text) == text


@given(st.text(st.characters() | st.sampled_from("\0\x85\x9d\ud800\udfff\u2028\ufeff\r\n\t\x1bâ€™Ã©"), max_size=200))
def test_what_no_text_may_hold_never_survives(text: str) -> None:
    normal = normalize(text)
    normal.encode()  # no lone surrogate
    assert not FORBIDDEN.intersection(normal)
    assert unicodedata.is_normalized("NFC", normal)
    assert normal == normal.strip()


# What mojibake is made of, by ftfy's own categories, and what its other fixes look for.
MOJIBAKE = st.sampled_from("aZ .,?!\n\nâ€™Ãà©Â\xa0Œœ°²±√≈‚Äвр‚ГўЂβ€ā×ØÙ«»“”–—…£¥½¶│é\u0302\u0301\r\x85\x9d\x1b[0m\ufffd\u2028\ufeff")


@given(st.text(MOJIBAKE, max_size=60) | st.text(max_size=100))
def test_lines_that_are_passed_over_are_those_that_ftfy_leaves_as_they_are(text: str) -> None:
    repaired = ftfy.fix_text(text, _ftfy_settings()).replace("\r\n", "\n").translate(_TABLE)
    assert normalize(text) == unicodedata.normalize("NFC", repaired).strip()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1257", "mac_roman", "cp437"])
def test_mojibake_is_found_in_a_line_of_its_own(encoding: str) -> None:
    for character in "àéñßœŁěЯяωΩ’“”–—…™€£日本한\xa0":
        for line in (f"a {character} b", f"{character}", f"{character} x", f"{character * 2}y", f"x{character}"):
            broken = "sound\n" + line.encode().decode(encoding, "replace") + "\nsound too"
            repaired = ftfy.fix_text(broken, _ftfy_settings()).replace("\r\n", "\n").translate(_TABLE)
            assert normalize(broken) == unicodedata.normalize("NFC", repaired).strip()
