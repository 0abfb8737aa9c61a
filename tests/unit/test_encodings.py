"""Which encoding bytes are in: proven, named by the user, or refused by name."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.chinese_look import chinese_look
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.euc_tw import decode_euc_tw
from chinese_llm_rag.errors import ConfigError, DocumentError

FILE = Path("文.txt")
SIMPLIFIED = (
    "他们说这个问题很重要，所以我们应该把所有的资料都收集起来，然后再作出决定。第一条　本合同自签字之日起生效。"
)
TRADITIONAL = (
    "他們說這個問題很重要，所以我們應該把所有的資料都收集起來，然後再作出決定。第一條　本合約自簽字之日起生效。"
)
# "天下為公是為大同，故人不獨親其親，不獨子其子" as glibc's iconv writes it in EUC-TW.
EUC_TW = bytes.fromhex("c5b2c4b6d2b3c4fcd1d2d2b3c4cbc7d1a1a2d1cac4a9c4e2f1c1f2b5cca7f2b5a1a2c4e2f1c1c4cdcca7c4cd")


def encoding_of(data: bytes, **options: str) -> str:
    return decode(data, FILE, **options).encoding


def refusal(data: bytes, **options: str) -> str:
    with pytest.raises(DocumentError) as caught:
        decode(data, FILE, **options)
    assert caught.value.hint
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (SIMPLIFIED, "utf-8", "utf-8"),
        (SIMPLIFIED, "gbk", "gb18030"),
        (SIMPLIFIED + "𠮷㐀", "gb18030", "gb18030"),
        (TRADITIONAL, "gbk", "gb18030"),
        (TRADITIONAL, "big5", "cp950"),
        (TRADITIONAL + "碁銹裏墻恒粧嫺", "cp950", "cp950"),
        (TRADITIONAL + "喺嘅咗", "big5hkscs", "big5hkscs"),
        (SIMPLIFIED, "utf-16-le", "utf-16-le"),
        (TRADITIONAL, "utf-16-be", "utf-16-be"),
        (SIMPLIFIED, "hz", "hz"),
        ("plain words in ASCII", "utf-16-le", "utf-16-le"),
    ],
)
def test_the_encoding_is_found_and_every_character_is_kept(text, codec, name):
    decoded = decode(text.encode(codec), FILE)
    assert decoded.text == text
    assert decoded.encoding == name
    assert decoded.problems == ()


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides_and_is_no_part_of_the_text(mark, codec):
    decoded = decode(mark + "检索ab".encode(codec), FILE)
    assert (decoded.text, decoded.encoding) == ("检索ab", codec)


def test_a_mark_whose_bytes_do_not_bear_it_out_is_refused():
    assert "UTF-16" in refusal(codecs.BOM_UTF16_LE + b"\x00\xd8")
    assert "UTF-8" in refusal(codecs.BOM_UTF8 + "检索".encode()[:-1])


starts = st.integers(0, len(SIMPLIFIED) - 20)


@given(starts, st.integers(20, 200))
def test_twenty_characters_of_simplified_prose_are_enough_for_gb18030(start, size):
    text = (SIMPLIFIED * 5)[start : start + size]
    assert decode(text.encode("gb18030"), FILE).text == text


@given(starts, st.integers(20, 200), st.sampled_from(["big5", "utf-16-le", "utf-16-be"]))
def test_twenty_characters_of_traditional_prose_are_enough_for_big5_and_utf16(start, size, codec):
    text = (TRADITIONAL * 5)[start : start + size]
    assert decode(text.encode(codec), FILE).text == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\ufeff\x1b~"), max_size=50))
def test_utf8_is_never_taken_for_anything_else(text):
    decoded = decode(text.encode(), FILE)
    assert (decoded.text, decoded.encoding) == (text, "utf-8")


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_without_loss_or_refused(data):
    try:
        decoded = decode(data, FILE)
    except DocumentError:
        return
    marks = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    again = decoded.text.encode(decoded.encoding)
    assert data in (again, marks.get(decoded.encoding, b"") + again) or decoded.encoding in (
        "hz",
        "utf-32-le",
        "utf-32-be",
    )


def test_euc_tw_is_refused_by_its_name():
    assert decode_euc_tw(EUC_TW) == "天下為公是為大同　故人不獨親其親　不獨子其子"  # signs are not looked up
    assert "EUC-TW" in refusal(EUC_TW)
    assert "could be" in refusal(EUC_TW[:8])
    assert decode_euc_tw(b"\xa1") is None


@pytest.mark.parametrize(
    ("character", "code"),  # as glibc's iconv has them: the ends of the table, and those that are out of place
    [
        ("一", "c4a1"),
        ("人", "c4a9"),
        ("籲", "fdcb"),
        ("耄", "d7d3"),
        ("銬", "ebd0"),
        ("薦", "f5b5"),
        ("嚨", "f8ad"),
        ("羅", "f8e5"),
    ],
)
def test_the_table_of_euc_tw_holds_known_codes(character, code):
    assert decode_euc_tw(bytes.fromhex(code)) == character


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("日本語のテキストをここに書きます。ひらがなとカタカナ。".encode("shift_jis"), "SHIFT_JIS"),
        ("日本語のテキストをここに書きます。ひらがなとカタカナ。".encode("iso2022_jp"), "ISO-2022-JP"),
        ("한국어 텍스트를 여기에 씁니다. 대한민국의 수도는 서울입니다.".encode("euc_kr"), "EUC-KR"),
        (b"\x1b$)A\x0eVPND\x0f", "ISO-2022-CN"),
    ],
)
def test_other_encodings_of_the_east_are_refused_by_name(data, name):
    assert name in refusal(data)


@pytest.mark.parametrize("text", ["Ein schöner Tag für Frösche.", "déjà vu, café, naïve", "Привет, мир и люди"])
def test_western_and_russian_bytes_are_refused_with_the_first_bad_one(text):
    data = text.encode("cp1251" if text[0] == "П" else "cp1252")
    first = next(i for i, byte in enumerate(data) if byte > 0x7F)
    assert f"byte {first} is {data[first]:#04x}" in refusal(data)


def test_a_utf8_text_with_one_broken_byte_is_named_as_such():
    data = bytearray(SIMPLIFIED.encode())
    data[30] = 0x20
    assert "nearly all of it is" in refusal(bytes(data))


def test_a_gb18030_text_with_one_broken_byte_is_refused_not_patched():
    data = SIMPLIFIED.encode("gb18030")
    assert "not UTF-8" in refusal(data[:21] + b"\xff" + data[21:])


def test_too_few_characters_to_tell_are_refused_with_what_they_could_be():
    ambiguous = next(
        data
        for data in (bytes((a, b)) for a in range(0xB0, 0xC6) for b in range(0xA1, 0xFF))
        if chinese_look(data.decode("gb2312", "replace")) > 0.9 and chinese_look(data.decode("big5", "replace")) > 0.9
    )
    message = refusal(ambiguous)
    assert "gb18030" in message
    assert "cp950" in message


def test_the_user_may_name_the_encoding():
    assert decode("é".encode("cp1252"), FILE, "cp1252").text == "é"
    assert decode(SIMPLIFIED.encode("utf-16"), FILE, "utf-16").text == SIMPLIFIED
    assert decode(codecs.BOM_UTF8 + b"a", FILE, "UTF8").text == "a"
    assert "GB18030" in refusal(b"\xff\xff", encoding="gb18030")
    with pytest.raises(ConfigError, match="klingon"):
        decode(b"a", FILE, "klingon")


def test_what_a_file_says_of_itself_is_checked_against_its_bytes():
    assert decode(SIMPLIFIED.encode("gbk"), FILE, said="gb2312").problems == ()
    wrong = decode(SIMPLIFIED.encode(), FILE, said="gb2312")
    assert wrong.text == SIMPLIFIED
    assert "gb2312" in wrong.problems[0]
    wrong = decode(TRADITIONAL.encode("big5"), FILE, said="gb2312")
    assert (wrong.text, wrong.encoding) == (TRADITIONAL, "cp950")
    assert decode(SIMPLIFIED.encode("gbk"), FILE, said="no-such").text == SIMPLIFIED
    assert decode(b"plain", FILE, said="iso-8859-1").text == "plain"


def test_code_with_a_tilde_is_not_taken_for_hz():
    text = "path = ~{home}~ and ~{a}~{b}~}"
    assert decode(text.encode(), FILE).text == text
