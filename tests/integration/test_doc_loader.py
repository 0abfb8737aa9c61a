"""Word 97-2003 files, made here byte by byte: a compound file with a text, its pieces, styles and paragraphs."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders import load_file
from chinese_llm_rag.document_loaders.doc import read_doc
from chinese_llm_rag.errors import DocumentError

FILE = Path("旧.doc")
SECTOR = 512
END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
IN_TABLE, ROW_END = (0x2416, 1), (0x2417, 1)


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file (version 3). Streams are filled up to 4,096 bytes, so that none lies in the small-sector part."""
    padded = {name: data.ljust(4096, b"\0") for name, data in streams.items()}
    chains: list[tuple[int, int]] = []
    body = b""
    for data in padded.values():
        n = -(-len(data) // SECTOR)
        chains.append((2 + len(body) // SECTOR, n))
        body += data.ljust(n * SECTOR, b"\0")
    fat = [FAT, END]
    for start, n in chains:
        fat += [*range(start + 1, start + n), END]
    assert len(fat) <= SECTOR // 4
    fat += [FREE] * (SECTOR // 4 - len(fat))
    directory = entry("Root Entry", 5, END, 0, child=1)
    for i, (name, data) in enumerate(padded.items(), 1):
        directory += entry(name, 2, chains[i - 1][0], len(data), right=i + 1 if i < len(padded) else FREE)
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, END, 0, END, 0)
    header += struct.pack("<109I", 0, *[FREE] * 108)
    return header + struct.pack("<128I", *fat) + directory.ljust(SECTOR, b"\0") + body


def entry(name: str, kind: int, start: int, size: int, *, right: int = FREE, child: int = FREE) -> bytes:
    raw = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII36xII4x", raw, len(raw), kind, 1, FREE, right, child, start, size)


Paragraph = tuple[str, int, tuple[tuple[int, int], ...]]  # text with its end mark, style, properties


def paragraph(text: str, style: int = 0, *properties: tuple[int, int], mark: str = "\r") -> Paragraph:
    return text + mark, style, properties


def doc(
    *paragraphs: Paragraph, flags: int = 0, version: int = 0xC1, counts: tuple[int, ...] = (), compressed: int = 0
) -> bytes:
    """A document; `counts` are the characters of footnotes, headers, macros and so on after the body.

    The first `compressed` characters are stored as one byte each.
    """
    text = "".join(one for one, _, _ in paragraphs)
    units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H", text.encode("utf-16-le"))
    n_text = len(units)
    first = bytes(units[:compressed])
    begin = 1024  # of the text in the main stream
    wide_begin = begin + len(first) + len(first) % 2
    wide = struct.pack(f"<{n_text - compressed}H", *units[compressed:])
    fkp_page = -(-(wide_begin + len(wide)) // SECTOR)

    def file_offset(position: int) -> int:
        return begin + position if position < compressed else wide_begin + 2 * (position - compressed)

    starts, at = [], 0
    for one, _, _ in paragraphs:
        starts.append(file_offset(at))
        at += len(one.encode("utf-16-le")) // 2
    fkp = bytearray(SECTOR)
    struct.pack_into(f"<{len(starts) + 1}I", fkp, 0, *starts, file_offset(n_text))
    tail = SECTOR - 2
    for i, (_, style, properties) in enumerate(paragraphs):
        raw = struct.pack("<H", style) + b"".join(struct.pack("<HB", code, value) for code, value in properties)
        raw += b"\0" * (1 - len(raw) % 2)  # size is 2 * cb - 1
        tail -= len(raw) + 1 + (len(raw) + 1) % 2
        fkp[tail : tail + len(raw) + 1] = bytes([(len(raw) + 1) // 2]) + raw
        fkp[4 * (len(starts) + 1) + 13 * i] = tail // 2
    fkp[SECTOR - 1] = len(starts)
    assert tail > 17 * len(starts) + 4

    pieces = [(0, (begin * 2) | 0x40000000), (compressed, wide_begin)] if compressed else [(0, wide_begin)]
    plc = struct.pack(f"<{len(pieces) + 1}I", *(start for start, _ in pieces), n_text)
    plc += b"".join(struct.pack("<HIH", 0, offset, 0) for _, offset in pieces)
    table_parts = {
        1: stylesheet(),
        13: struct.pack("<III", starts[0], file_offset(n_text), fkp_page),
        33: b"\x01" + struct.pack("<H", 2) + b"\0\0" + b"\x02" + struct.pack("<I", len(plc)) + plc,
    }
    fib = bytearray(begin)
    struct.pack_into("<HH6xH", fib, 0, 0xA5EC, version, flags)
    struct.pack_into("<8i", fib, 76, n_text - sum(counts), *counts, *[0] * (7 - len(counts)))
    table = b""
    for index, part in table_parts.items():
        struct.pack_into("<II", fib, 154 + 8 * index, len(table), len(part))
        table += part
    main = bytes(fib) + first.ljust(wide_begin - begin, b"\0") + wide
    main = main.ljust(fkp_page * SECTOR, b"\0") + bytes(fkp)
    return compound({"WordDocument": main, "1Table" if flags & 0x200 else "0Table": table})


def stylesheet() -> bytes:
    """Styles 0: body, 1 and 2: headings, 3: rests on heading 2, 4: none, 5: the title."""

    def style(number: int, base: int) -> bytes:
        data = struct.pack("<HHHHH", number, 1 | base << 4, 0, 0, 0)
        return struct.pack("<H", len(data)) + data

    none = struct.pack("<H", 0)
    styles = [style(0, 0xFFF), style(1, 0), style(2, 0), style(0xFFE, 2), none, style(62, 0)]
    return struct.pack("<HHH", 4, len(styles), 10) + b"".join(styles)


def loaded(*paragraphs: Paragraph, **options):
    (page,) = load_file(FILE, doc(*paragraphs, **options)).pages
    return page


def test_paragraphs_headings_and_their_styles():
    page = loaded(
        paragraph("书名", 5),
        paragraph("第一章", 1),
        paragraph("正文　有全角。"),
        paragraph("小节", 2),
        paragraph("我的", 3),
        paragraph("大纲", 0, (0x2640, 2)),
        paragraph("完", 1, (0x2640, 9)),
    )
    assert page.page_content == "书名\n第一章\n正文　有全角。\n小节\n我的\n大纲\n完"
    text = page.page_content
    headings = [(m["level"], text[m["start"] : m["end"]]) for m in page.metadata["marks"]]
    assert headings == [(1, "书名"), (1, "第一章"), (2, "小节"), (2, "我的"), (3, "大纲")]


def cells(*texts: str) -> list[Paragraph]:
    return [paragraph(text, 0, IN_TABLE, mark="\x07") for text in texts] + [
        paragraph("", 0, IN_TABLE, ROW_END, mark="\x07")
    ]


def test_a_table_is_markdown_with_its_header():
    page = loaded(paragraph("前"), *cells("名", "值"), paragraph("茶", 0, IN_TABLE), *cells("叶", "3"), paragraph("后"))
    assert page.page_content == "前\n| 名 | 值 |\n| --- | --- |\n| 茶叶 | 3 |\n后"
    (mark,) = page.metadata["marks"]
    assert page.page_content[mark["start"] : mark["header_end"]] == "| 名 | 值 |\n| --- | --- |"


def test_pieces_of_one_byte_and_characters_beyond_the_first_plane():
    assert loaded(paragraph("Caf\xe9 ABC"), paragraph("𠮷野家"), compressed=9).page_content == "Café ABC\n𠮷野家"


def test_field_codes_are_left_out_and_their_results_kept():
    text = "见\x13 REF \x13 PAGE \x14 1 \x15 \\h \x14第三章\x15，\x13 TOC \x15完\x01\x08。\x1e\x1f\x0b尾"
    assert loaded(paragraph(text)).page_content == "见第三章，完。-\n尾"


def test_footnotes_follow_the_body_and_headers_are_furniture():
    note, header = paragraph("\x02 注文"), paragraph("页眉")
    page = loaded(paragraph("正文\x02。"), note, header, counts=(len(note[0]), len(header[0])))
    assert page.page_content == "正文。\n[脚注] 注文"
    assert page.metadata["furniture"] == ["页眉"]


def test_the_other_table_stream_is_used_where_the_file_says_so():
    assert loaded(paragraph("正文"), flags=0x200).page_content == "正文"


def refused(data: bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        load_file(FILE, data)
    assert caught.value.hint
    return str(caught.value)


def test_encrypted_and_older_files_are_refused_by_name():
    assert "needs a password" in refused(doc(paragraph("密"), flags=0x100))
    assert "Word 95 or older" in refused(doc(paragraph("旧"), version=0x68))


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_anything_else(data):
    whole = bytearray(doc(paragraph("第一章", 1), *cells("名", "值"), paragraph("正文。" * 20)))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(whole), len(whole) // 2, 700]))
    with contextlib.suppress(DocumentError):
        assert len(read_doc(bytes(whole[:cut]), FILE).texts) == 1
