"""Personal data: what is replaced and what stays, by hand; hostile texts in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.recipe_rules import PersonalDataKind
from quality_filter.personal_data import KINDS, PLACEHOLDERS, replace_personal_data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe+news@mail.uni-bonn.de.", "Write to email@example.com."),
        ("<mailto:o'neil_1@x.co.uk>", "<mailto:email@example.com>"),
        ("почта: имя@пример.рф", "почта: email@example.com"),
        ("a@b.org,c@d.org", "email@example.com,email@example.com"),
        ("Ask 93.184.216.34:80 or http://93.184.216.34/.", "Ask 192.0.2.1:80 or http://192.0.2.1/."),
        ("resolver 2606:4700:4700::1111 up", "resolver 2001:db8::1 up"),
        ("Call (212) 736-5000 now", "Call 555-0100 now"),
        ("Call 1-800-356-9377.", "Call 555-0100."),
        ("+49 (0)30 901820, Berlin", "555-0100, Berlin"),
        ("Tel.: 030 901820", "Tel.: 555-0100"),
        ("Phone number (020 7946 1234).", "Phone number (555-0100)."),
    ],
)
def test_personal_data_is_replaced(text: str, expected: str) -> None:
    assert replace_personal_data(text, KINDS)[0] == expected


@pytest.mark.parametrize(
    "text",
    [
        "someone@example.com, x@host.example and image@2x.png",  # reserved names (RFC 2606), a file
        "@handle, user@localhost, a@b, C@.NET",
        "127.0.0.1, 10.1.2.3, 192.168.0.10, 172.16.9.9, 169.254.1.1, 224.0.0.251, 255.255.255.255, 0.0.0.0, 192.0.2.7",
        "version 104.28.6.92 and v104.28.6.92, Firefox/104.28.6.92, build 104.28.6.92",
        "1.2.3.4 Scope of the section, Flash Player 9.0.7.0, 15.0.0.58",
        "300.1.2.3, 1.2.3.4.5, 01.02.03.2004, 12.12.2012",
        "12:30:45, std::vector, Face::Dad, ::1, fe80::1, fd00::1, 2001:db8::5, 00:1B:44:11:3A:B7",
        "ISBN 978-0-306-40615-7 and 0-306-40615-2",
        "on 2020-01-05, 05.01.2020 or 1999-2005; tel 1999-2005",
        "12 345 678 people, $212 555 1234, 3.14159265358979, 1234567890",
        "2+12345678, C+1234567890",
        "Phone 12345",  # too few digits
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert replace_personal_data(text, KINDS) == (text, {})


def test_kinds_are_counted_and_chosen() -> None:
    text = "a@b.org 8.34.208.7 c@d.org"
    assert replace_personal_data(text, KINDS)[1] == {"email": 2, "ipv4": 1}
    assert replace_personal_data(text, ["ipv4"]) == ("a@b.org 192.0.2.1 c@d.org", {"ipv4": 1})
    assert replace_personal_data(text, []) == (text, {})


def test_the_recipe_names_the_same_kinds() -> None:
    assert set(PersonalDataKind.__args__) == set(KINDS)  # type: ignore[attr-defined]


def test_placeholders_are_left_alone() -> None:
    text = "Mail " + ", phone ".join(PLACEHOLDERS.values())
    assert replace_personal_data(text, KINDS) == (text, {})


@given(st.text(alphabet="a@.-b1:+2( )f\n"), st.permutations(KINDS))
def test_order_of_kinds_does_not_matter_and_lines_stay_apart(text: str, kinds: list[str]) -> None:
    replaced = replace_personal_data(text, kinds)
    assert replaced == replace_personal_data(text, KINDS)
    assert replaced[0].count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "unit", ["1.1.1.1.", "a@", "a@b.", "a@b-", "@a.", "a.", "1:", "::", "f:", "+1", "(2", "212 ", "tel ", "tel 1", "1 ", "-"]
)
def test_two_megabytes_without_end_take_linear_time(unit: str) -> None:
    # A pattern that looked at the rest of the text from every place would take an hour for each of these.
    text = unit * (2_000_000 // len(unit))
    replace_personal_data(text, KINDS)
