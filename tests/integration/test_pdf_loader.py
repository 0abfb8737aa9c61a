"""The PDF loader over files made by typst, encrypted by pypdf, built or damaged byte by byte."""

import hashlib
import io
from pathlib import Path

import pypdf
import pytest
import typst

from chinese_llm_rag.document_loaders import load_file
from chinese_llm_rag.document_loaders.pdf import MAX_PAGES, read_pdf
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.schema import PAGE_SEPARATOR

FIRST, SECOND, THIRD = "第一页的文字。", "第二页的文字。", "第三页的文字。"
FILE = Path("书.pdf")
FIRST_PAGE_OBJECT = 7


def pdf(*pages: list[str], page_count: int | None = None, without: int | None = None) -> bytes:
    """A PDF whose pages show these lines; a page without lines is blank.

    Args:
        pages: the lines of each page.
        page_count: what the page tree claims; the truth by default.
        without: number of an object that is left out, though others point at it.
    """
    code = {c: i for i, c in enumerate(sorted({c for page in pages for line in page for c in line}), 1)}
    to_unicode = "\n".join(f"<{i:04x}> <{c.encode('utf-16-be').hex()}>" for c, i in code.items())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{len(code)} beginbfchar\n{to_unicode}\nendbfchar\n"
        "endcmap end end"
    )
    cid_system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        3: "<< /Type /Font /Subtype /Type0 /BaseFont /F /Encoding /Identity-H /DescendantFonts [4 0 R]"
        " /ToUnicode 5 0 R >>",
        4: f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /F /CIDSystemInfo {cid_system} /FontDescriptor 6 0 R >>",
        5: f"<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream",
        6: "<< /Type /FontDescriptor /FontName /F /Flags 4 /FontBBox [0 0 1000 1000] /Ascent 800 /Descent -200 >>",
    }
    kids = range(FIRST_PAGE_OBJECT, FIRST_PAGE_OBJECT + 2 * len(pages), 2)
    for number, lines in zip(kids, pages, strict=True):
        shown = (
            f"1 0 0 1 50 {800 - 20 * row} Tm <{''.join(f'{code[c]:04x}' for c in line)}> Tj"
            for row, line in enumerate(lines)
        )
        content = "\n".join(["BT /F 10 Tf", *shown, "ET"])
        objects[number] = (
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {number + 1} 0 R >>"
        )
        objects[number + 1] = f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"
    count = len(pages) if page_count is None else page_count
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] /Count {count} >>"
    body, table = "%PDF-1.7\n", ["0000000000 65535 f \n"]
    for number in range(1, max(objects) + 1):
        if number == without:
            table.append("0000000000 65535 f \n")
            continue
        table.append(f"{len(body):010d} 00000 n \n")
        body += f"{number} 0 obj\n{objects[number]}\nendobj\n"
    trailer = f"trailer\n<< /Size {len(table)} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(table)}\n{''.join(table)}{trailer}".encode("ascii")


def encrypted(data: bytes, user_password: str, owner_password: str = "owner") -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user_password, owner_password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def texts(data: bytes) -> list[str]:
    return [page.page_content for page in load_file(FILE, data).pages]


def problems(data: bytes) -> tuple[str, ...]:
    return load_file(FILE, data).problems


def refused(data: bytes) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        load_file(FILE, data)
    error = caught.value
    assert error.path == FILE
    assert repr(FILE.name) in str(error)
    assert error.hint
    return error


def test_pages_know_where_they_begin_in_the_text_of_the_file():
    data = pdf([FIRST], [SECOND, "又一行。"], [THIRD])
    pages = load_file(Path("书.pdf"), data).pages
    whole = PAGE_SEPARATOR.join(page.page_content for page in pages)
    for number, page in enumerate(pages, 1):
        start = page.metadata["start"]
        assert whole[start : start + len(page.page_content)] == page.page_content
        assert (page.metadata["page"], page.metadata["n_pages"]) == (number, 3)
        assert page.metadata["content_hash"] == hashlib.sha256(data).hexdigest()
    assert [page.page_content for page in pages] == [FIRST, f"{SECOND}\n又一行。", THIRD]


def test_lines_of_a_paragraph_join_and_compatibility_ideographs_become_ordinary():
    full = "本校學位\uf941文之格式依本規範辦理各系所另有規定者"
    assert texts(pdf([full, "從其規定。"])) == ["本校學位論文之格式依本規範辦理各系所另有規定者從其規定。"]


def test_characters_beyond_the_basic_plane_are_read():
    assert texts(pdf(["地名𠮷野与人名𪚥。"])) == ["地名𠮷野与人名𪚥。"]


def test_a_pdf_of_a_real_typesetter_has_its_broken_words_joined():
    source = (
        '#set page(width: 7cm, height: 8cm)\n#set text(hyphenate: true, lang: "en")\n#set par(justify: true)\n'
        "The internationalization of representational documentation necessitates considerations.\n"
        "#pagebreak()\nSecond page."
    )
    assert texts(typst.compile(source.encode(), ignore_system_fonts=True)) == [
        "The internationalization of representational documentation necessitates considerations.",
        "Second page.",
    ]


def test_pages_without_a_text_layer_are_named_and_the_others_go_in():
    data = pdf([FIRST], [], [THIRD], [], [], [])
    assert texts(data) == [FIRST, "", THIRD, "", "", ""]
    (problem,) = problems(data)
    assert "without a text layer" in problem
    assert problem.endswith(": 2, 4-6")


def test_a_pdf_without_any_text_layer_is_refused_with_its_number_of_pages():
    with pytest.raises(DocumentError, match="no text layer on any of its 3 pages") as caught:
        read_pdf(pdf([], [], []), FILE, recognizer=None)
    assert "OCR" in (caught.value.hint or "")


@pytest.mark.parametrize("password", ["secret", "foo"])
def test_an_encrypted_pdf_is_refused_for_its_password(password):
    error = refused(encrypted(pdf([FIRST]), password))
    assert "is encrypted and needs a password" in str(error)
    assert "password" in (error.hint or "")


def test_a_pdf_that_only_restricts_printing_is_read():
    assert texts(encrypted(pdf([FIRST]), "")) == [FIRST]


def test_an_unreadable_page_is_named_and_the_others_go_in():
    data = pdf([FIRST], [SECOND], [THIRD], [FIRST], without=FIRST_PAGE_OBJECT + 2)
    assert texts(data) == [FIRST, "", THIRD, FIRST]
    assert problems(data) == ("unreadable pages: 2",)


def test_a_pdf_whose_every_page_is_unreadable_is_refused():
    assert "is not a readable PDF" in str(refused(pdf([FIRST], without=FIRST_PAGE_OBJECT)))


def test_a_pdf_cut_off_at_its_very_end_goes_in_and_says_so():
    data = pdf([FIRST], [SECOND]).removesuffix(b"%%EOF\n")
    assert texts(data) == [FIRST, SECOND]
    (problem,) = problems(data)
    assert "cut off or damaged: 2 pages could be rebuilt" in problem


def test_a_pdf_cut_off_in_the_middle_is_refused():
    data = pdf([FIRST], [SECOND])
    error = refused(data[: len(data) // 2])
    assert "is not a readable PDF" in str(error)
    assert "get it again" in (error.hint or "")


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7\n", b"not a PDF", b"\x00" * 4096, "检索".encode(), pdf([FIRST], without=2)]
)
def test_what_is_no_pdf_inside_is_refused(data):
    assert "is not a readable PDF" in str(refused(data))


@pytest.mark.parametrize("n_bytes", [*range(0, 40, 4), *range(40, 1600, 120)])
def test_a_pdf_cut_off_anywhere_either_goes_in_with_a_problem_or_is_refused(n_bytes):
    data = pdf([FIRST], [SECOND])
    cut = data[: len(data) - 10 - n_bytes]
    try:
        loaded = load_file(Path("书.pdf"), cut)
    except DocumentError:
        return
    assert any("cut off" in problem for problem in loaded.problems)


@pytest.mark.parametrize("page_count", [2_000_000_000, 0, -5])
def test_a_page_tree_that_lies_about_its_count_gives_the_pages_there_are(page_count):
    assert texts(pdf([FIRST], page_count=page_count)) == [FIRST]


def test_a_pdf_with_too_many_pages_is_refused_by_name():
    assert f"at most {MAX_PAGES} are read" in str(refused(pdf([FIRST], page_count=MAX_PAGES + 1)))


def test_many_unreadable_pages_are_told_as_ranges():
    data = pdf([FIRST], page_count=5_000)
    loaded = load_file(Path("书.pdf"), data)
    assert loaded.pages[0].page_content == FIRST
    assert all(len(problem) < 200 for problem in loaded.problems)
    assert any(problem.endswith(": 2-5000") for problem in loaded.problems)
