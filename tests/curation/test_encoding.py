"""Bytes to text: order of the declarations, what contradicts them, and a matrix of encodings and labels."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.extraction.encoding import decode

RUSSIAN = (
    "Старый мост через реку построили ещё до войны, и жители посёлка каждый день ходят по нему на станцию. Весной вода поднимается "
    "почти до самых досок, поэтому сторож проверяет опоры дважды в день. Вечером на берегу собираются рыбаки, пьют чай и спорят о погоде."
)
UKRAINIAN = (
    "Старий міст через річку збудували ще до війни, і мешканці селища щодня ходять ним до станції. Навесні вода піднімається майже до "
    "самих дощок, тому сторож двічі на день перевіряє опори. Увечері на березі збираються рибалки, п’ють чай і сперечаються про погоду."
)
JAPANESE = (
    "川にかかる古い橋は戦争の前に作られたもので、村の人々は毎日この橋を渡って駅まで歩いています。春になると水が板のすぐ下まで上がるので、"
    "番人は一日に二度、橋脚を調べます。夕方になると釣り人たちが岸辺に集まり、お茶を飲みながら天気の話をします。"
)
CHINESE = (
    "河上的旧桥是战争以前修建的,村里的居民每天都从桥上走到车站。春天的时候水面几乎涨到木板下面,所以看守人每天检查两次桥墩。"
    "傍晚钓鱼的人聚集在岸边,一边喝茶一边谈论天气。学校的孩子们放学以后也喜欢到这里来看船。"
)
TAIWANESE = (
    "河上的舊橋是戰爭以前修建的,村裡的居民每天都從橋上走到車站。春天的時候水面幾乎漲到木板下面,所以看守人每天檢查兩次橋墩。"
    "傍晚釣魚的人聚集在岸邊,一邊喝茶一邊談論天氣。學校的孩子們放學以後也喜歡到這裡來看船。"
)
KOREAN = (
    "강을 건너는 오래된 다리는 전쟁 전에 지어졌고 마을 사람들은 매일 이 다리를 건너 역까지 걸어간다. 봄이 되면 물이 널빤지 바로 아래까지 "
    "차오르기 때문에 관리인은 하루에 두 번 교각을 살핀다. 저녁에는 낚시꾼들이 강가에 모여 차를 마시며 날씨 이야기를 한다."
)
# encoding of the bytes: (text, label that tells the truth, label that lies)
PAGES = {
    "cp1251": (RUSSIAN, "windows-1251", "iso-8859-1"),
    "koi8_r": (RUSSIAN, "koi8-r", "windows-1251"),
    "koi8_u": (UKRAINIAN.replace("’", "'"), "koi8-u", "utf-8"),
    "iso8859_5": (RUSSIAN, "iso-8859-5", "windows-1251"),
    "cp866": (RUSSIAN, "ibm866", "utf-8"),
    "mac_cyrillic": (RUSSIAN, "x-mac-cyrillic", "windows-1252"),
    "utf_8": (RUSSIAN, "utf-8", "windows-1251"),
    "shift_jis": (JAPANESE, "Shift_JIS", "utf-8"),
    "euc_jp": (JAPANESE, "EUC-JP", "iso-8859-1"),
    "iso2022_jp": (JAPANESE, "ISO-2022-JP", "utf-8"),
    "gb2312": (CHINESE, "gb2312", "iso-8859-1"),
    "gb18030": (CHINESE, "gb18030", "utf-8"),
    "big5": (TAIWANESE, "Big5", "gb2312"),
    "euc_kr": (KOREAN, "ks_c_5601-1987", "utf-8"),
    "utf_16_le": (RUSSIAN, "utf-16", "utf-8"),
}
FRENCH = "Le vieux pont a été construit avant la guerre. L'été, les élèves de l'école y pêchent près du château, où l'eau est très basse."
GERMAN = "Die alte Brücke über den Fluß wurde früher täglich von Schülern benutzt, später nur noch für größere Märkte und schöne Feste."


def html(text: str, meta: str | None = None) -> str:
    tag = f'<meta charset="{meta}">' if meta else ""
    return f"<!doctype html><html><head>{tag}<title>page</title></head><body><p>{text}</p></body></html>\n"


# --- the matrix: 15 encodings, each labelled rightly, not at all, and wrongly ---------------------


@pytest.mark.parametrize("encoding", PAGES)
@pytest.mark.parametrize("label", ["right", "missing", "lying"])
def test_pages_are_read_whatever_their_label_says(encoding: str, label: str) -> None:
    text, right, lie = PAGES[encoding]
    decoded = decode(html(text).encode(encoding), {"right": right, "missing": None, "lying": lie}[label])
    assert decoded.text == html(text)
    assert decoded.replaced == 0


LIES = ["utf-8", "iso-8859-1", "windows-1251", "koi8-r", "shift_jis", "gb2312", "big5", "euc-kr"]


@pytest.mark.parametrize("encoding", PAGES)
@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(encoding: str, lie: str) -> None:
    """Whether HTTP lies, the page itself, or both; where one of the two tells the truth, it helps."""
    if (encoding, lie) == ("mac_cyrillic", "windows-1251"):
        pytest.skip("they differ in capitals alone, and a page in lower case may be either")
    text, right, _ = PAGES[encoding]
    for http, meta in ((lie, None), (None, lie), (lie, right), (right, lie), (lie, "windows-1252")):
        assert decode(html(text, meta).encode(encoding), http).text == html(text, meta), (http, meta)


@pytest.mark.parametrize("encoding", ["cp1251", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"])
@pytest.mark.parametrize("label", ["right", "missing", "lying"])
def test_a_headline_is_enough(encoding: str, label: str) -> None:
    text, right, lie = PAGES[encoding]
    page = html(text[:40])
    assert decode(page.encode(encoding), {"right": right, "missing": None, "lying": lie}[label]).text == page


def test_foreign_text_is_found_behind_a_long_head() -> None:
    page = html(RUSSIAN).replace("<body>", f"<body><script>{'var x = 1; ' * 20_000}</script>")
    assert decode(page.encode("koi8_r"), None).text == page


@pytest.mark.parametrize("encoding", ["cp1251", "koi8_r", "shift_jis", "gb18030", "big5", "euc_kr"])
def test_a_meta_tag_is_a_label_too(encoding: str) -> None:
    text, right, _ = PAGES[encoding]
    decoded = decode(html(text, meta=right).encode(encoding), None)
    assert decoded.text == html(text, meta=right)


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis"])
def test_an_xml_declaration_is_a_label_where_there_is_no_other(encoding: str) -> None:
    text, right, _ = PAGES[encoding]
    page = f'<?xml version="1.0" encoding="{right}"?>\n' + html(text[:15])  # too short for detection
    assert decode(page.encode(encoding), None).text == page


# --- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "encoding"), [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
)
def test_a_byte_order_mark_beats_every_label(mark: bytes, encoding: str) -> None:
    decoded = decode(mark + html(FRENCH, meta="iso-8859-1").encode(encoding), "windows-1251")
    assert (decoded.text, decoded.encoding) == (html(FRENCH, meta="iso-8859-1"), encoding)


def test_http_beats_meta() -> None:
    body = html(RUSSIAN, meta="koi8-r").encode("cp1251")
    assert decode(body, "windows-1251").text == html(RUSSIAN, meta="koi8-r")


@pytest.mark.parametrize("header", ["utf-8", None, "iso-8859-1", "windows-1252", "gb2312"])
@pytest.mark.parametrize("meta", ["utf-8", "iso-8859-1", None])
def test_valid_utf_8_is_utf_8(header: str | None, meta: str | None) -> None:
    for text in (FRENCH, JAPANESE, CHINESE, RUSSIAN):
        assert decode(html(text, meta).encode(), header).text == html(text, meta)


@pytest.mark.parametrize("text", [FRENCH, GERMAN])
@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "latin1", "l1", "us-ascii", None, "nonsense", ""])
def test_western_pages(text: str, label: str | None) -> None:
    assert decode(html(text).encode("cp1252"), label).text == html(text)


@pytest.mark.parametrize("label", ["iso-8859-15", "iso-8859-3", "macintosh", "windows-1258", "iso-8859-16"])
def test_rare_labels_are_believed_where_they_fit(label: str) -> None:
    text = FRENCH.replace("'", " ")
    codec = {"macintosh": "mac_roman"}.get(label, label)
    assert decode(html(text).encode(codec), label).text == html(text)


def test_a_stray_byte_does_not_undo_a_shifted_encoding() -> None:
    body = html(JAPANESE).encode("iso2022_jp").replace(b"</p>", b"\xff</p>")
    for label in ("iso-2022-jp", None, "utf-8"):
        decoded = decode(body, label)
        assert (decoded.encoding, decoded.replaced, JAPANESE in decoded.text) == ("iso2022_jp", 1, True)


def test_ascii_needs_no_detection() -> None:
    assert decode(html("plain").encode(), "windows-1251").encoding == "utf-8"
    assert decode(b"", None).text == ""


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("x-sjis", "cp932"),
        (" Windows-31J ", "cp932"),
        ("x-gbk", "gb18030"),
        ("cn-big5", "big5hkscs"),
        ("ks_c_5601-1987", "cp949"),
        ("windows-949", "cp949"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("koi8-ru", "koi8-u"),
        ("windows-874", "cp874"),
        ("tis-620", "cp874"),
        ("iso-8859-9", "cp1254"),
        ("iso-8859-8-i", "iso8859-8"),
    ],
)
def test_labels_of_the_standard(label: str, encoding: str) -> None:
    sample = {"cp932": JAPANESE, "gb18030": CHINESE, "big5hkscs": TAIWANESE, "cp949": KOREAN, "koi8-u": UKRAINIAN.replace("’", "'")}
    text = sample.get(encoding) or {"cp874": "สะพานเก่าข้ามแม่น้ำ", "iso8859-8": "הגשר הישן", "cp1254": "köprü ışığı"}.get(encoding, RUSSIAN)
    decoded = decode(html(text).encode(encoding), label)
    assert (decoded.text, decoded.encoding) == (html(text), encoding)


@pytest.mark.parametrize(
    "label", ["utf-7", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "idna", "base64", "rot13", "hz", "mbcs"]
)
def test_labels_that_no_page_may_have(label: str) -> None:
    """Python has codecs of these names; one never decodes, one takes quadratic time, others make markup of plain text."""
    for body in (rb"+ADw-script+AD4- \u003cscript\u003e", html(RUSSIAN).encode("cp1251")):
        assert decode(body, label).text == decode(body, None).text


def test_subsets_are_read_as_the_supersets_that_pages_use() -> None:
    assert decode(html(JAPANESE + "①㈱").encode("cp932"), "Shift_JIS").text == html(JAPANESE + "①㈱")
    assert decode(html(CHINESE + "镕㐀\U00020000").encode("gb18030"), "gb2312").text == html(CHINESE + "镕㐀\U00020000")
    assert decode(html("“quoted” – text").encode("cp1252"), "iso-8859-1").text == html("“quoted” – text")


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["utf-8", None, "iso-8859-1"])
def test_a_few_bad_bytes_do_not_make_another_encoding_of_a_page(label: str | None) -> None:
    for text in (FRENCH, RUSSIAN, JAPANESE):
        body = html(text * 3).encode()
        decoded = decode(body.replace(b"</p>", b"\xff\xfe</p>"), label)
        assert (decoded.encoding, decoded.replaced) == ("utf-8", 2)
        assert decoded.text.replace("\N{REPLACEMENT CHARACTER}", "") == html(text * 3)


def test_a_page_cut_within_a_character_keeps_its_encoding() -> None:
    body = html(FRENCH).encode()
    cut = body[: body.index("très".encode()) + 3]  # è has two bytes
    assert decode(cut, "utf-8").text == html(FRENCH)[: html(FRENCH).index("très") + 2] + "\N{REPLACEMENT CHARACTER}"


def test_replacement_characters_of_the_page_itself_are_none_of_ours() -> None:
    text = "\N{REPLACEMENT CHARACTER}" * 50
    assert decode(html(text).encode(), None) == decode(html(text).encode(), "utf-8")
    assert decode(html(text).encode(), None).replaced == 0


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "shift_jis", "iso-2022-jp", "euc-kr", "windows-1252", "utf-16", "gb18030"]))
def test_anything_decodes(body: bytes, label: str | None) -> None:
    decoded = decode(body, label)
    assert decoded == decode(body, label)
    decoded.text.encode()
