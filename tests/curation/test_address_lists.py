"""Lists of domains and addresses: what a line means, what an entry holds, folders, and tables as files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.sources.address_lists import AddressTable, build_table, entry_of, list_name, read_list
from curation.sources.urls import canonical_key, host_is_below, host_of


def holds(entry: str, url: str) -> bool:
    """Whether a table of one entry holds an address."""
    key = canonical_key(url)
    assert key is not None
    return build_table([("list", [entry])]).find(key) is not None


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("example.org", "example.org"),
        (" WWW.Example.ORG. ", "example.org"),
        ("*.example.org", "example.org"),
        (".example.org", "example.org"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("xxx", "xxx"),
        ("example.*", "example.*"),
        ("a.example.*", None),
        ("http://example.org", "example.org/"),
        ("example.org/Forum/", "example.org/Forum/"),
        ("https://www.example.org/a?id=1#top", "example.org/a?id=1"),
        ("0.0.0.0 ads.example.org # by hand", "ads.example.org"),
        ("127.0.0.1\tads.example.org", "ads.example.org"),
        ("10.0.0.7", "10.0.0.7"),
        ("# example.org", None),
        ("", None),
        ("no domain at all", None),
        ("ftp://example.org/", None),
        ("\udcff.example", None),
    ],
)
def test_what_a_line_means(line: str, entry: str | None) -> None:
    assert entry_of(line) == entry


@pytest.mark.parametrize(
    ("entry", "held", "not_held"),
    [
        ("example.org", ["http://example.org/", "https://a.b.example.org:8080/x?y"], ["http://anexample.org/", "http://example.org.uk/"]),
        ("example.*", ["http://www.example.co.uk/", "http://a.example.de/"], ["http://example.evil.com/", "http://example-x.de/"]),
        ("xxx", ["http://some.xxx/"], ["http://xxx.example/"]),
        ("example.org/a/", ["http://example.org/a", "http://www.example.org/a/b?c"], ["http://example.org/ab", "http://b.example.org/a/"]),
        ("example.org/", ["http://example.org", "https://example.org/x"], ["http://b.example.org/"]),
        ("example.org/a?id=1", ["http://example.org/a?id=1#x"], ["http://example.org/a?id=11", "http://example.org/a"]),
    ],
)
def test_what_an_entry_holds(entry: str, held: list[str], not_held: list[str]) -> None:
    assert [url for url in held if not holds(entry, url)] == []
    assert [url for url in not_held if holds(entry, url)] == []


LABEL = st.sampled_from(["a", "b", "example", "co", "uk", "com"])


@given(st.lists(LABEL, min_size=1, max_size=4), st.lists(st.lists(LABEL, min_size=1, max_size=4), max_size=6))
def test_domains_hold_what_a_walk_over_the_labels_says(labels: list[str], domains: list[list[str]]) -> None:
    table = build_table([("list", [".".join(domain) for domain in domains])])
    key = canonical_key(f"http://{'.'.join(labels)}/")
    assert key is not None
    assert (table.find(key) is not None) == host_is_below(host_of(key), frozenset(".".join(domain) for domain in domains))


def test_the_widest_entry_and_the_first_list_are_named() -> None:
    table = build_table([("own", ["a.example.org"]), ("spam", ["example.org", "a.example.org"]), ("late", ["example.org"])])
    assert table.find("a.example.org/") == ("example.org", "spam")
    assert build_table([("own", ["a.example.org"]), ("spam", ["a.example.org"])]).find("a.example.org/x") == ("a.example.org", "own")


def test_a_table_is_the_same_file_whatever_the_order_of_the_entries() -> None:
    entries = [f"site{number}.example" for number in range(1000)]
    table = build_table([("list", entries)])
    assert table.to_bytes() == build_table([("list", [*reversed(entries), *entries])]).to_bytes()
    again = AddressTable.from_bytes(table.to_bytes())
    assert again.find("www.site7.example/") == ("site7.example", "list") and again.find("site1000.example/") is None


def test_an_empty_table_holds_nothing() -> None:
    assert build_table([]).find("example.org/") is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_list_is_read_line_by_line(tmp_path: Path, packed: bool) -> None:
    content = (
        b"# spam\r\nexample.org\r\n\r\n0.0.0.0 ads.example\r\nnothing here\r\n" + b"\xff\xfe.example\n" + b"x" * 70_000 + b"\nlast.example"
    )
    path = tmp_path / ("list.txt.gz" if packed else "list.txt")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert list(read_list(str(path))) == ["example.org", "ads.example", "last.example"]


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "<html>404 Not Found</html>\n"])
def test_a_list_without_an_entry_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(InputError, match="holds no domain and no address"):
        list(read_list(str(path)))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/lists/adult/domains", "adult/domains"),
        ("lists/adult/urls.gz", "adult/urls.gz"),
        ("/x/spam.txt", "spam.txt"),
        ("domains", "domains"),
    ],
)
def test_names_of_lists(path: str, name: str) -> None:
    assert list_name(path) == name
