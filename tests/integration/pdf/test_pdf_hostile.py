"""Files made to take for ever, or all memory: read in bounds or refused by name."""

from pathlib import Path

import pytest
from pdf_files import assemble, build, stream, text

from chinese_llm_rag.document_loaders.page_texts import PageTexts
from chinese_llm_rag.document_loaders.pdf import MAX_PAGES, read_pdf
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import DocumentError

PLACE = Path("文.pdf")
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
HELLO = b" BT /F 12 Tf 50 700 Td (hello world) Tj ET"


def read(data: bytes) -> PageTexts:
    return read_pdf(data, PLACE, recognizer=None)


def is_read_or_refused(data: bytes) -> bool:
    try:
        return any(read(data).texts)
    except DocumentError as error:
        return bool(error.hint)


def page(content: bytes, *, box: bytes = b"[0 0 595 842]", forms: dict[int, bytes] | None = None) -> bytes:
    form = b"/XObject << /X 6 0 R >>" if forms else b""
    return assemble(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Resources << /Font << /F 5 0 R >> %s >> /Contents 4 0 R >>"
            % (box, form),
            4: stream(content),
            5: FONT,
            **(forms or {}),
        }
    )


def test_a_page_tree_that_bites_its_tail_is_refused():
    data = assemble(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 9999 >>",
        }
    )
    with pytest.raises(DocumentError, match="is not a readable PDF"):
        read(data)


def test_a_stream_that_unpacks_to_much_more_is_read_in_bounds():
    data = page(b" " * 60_000_000 + HELLO)
    assert len(data) < 100_000
    assert read(data).texts == ("hello world",)


def test_a_page_of_a_million_characters_is_refused_by_its_number():
    content = b"BT /F 12 Tf 50 700 Td " + b"(abcdefghij) Tj " * 100_000 + b"ET"
    with pytest.raises(DocumentError, match="page 1 has 1000000 characters"):
        read(page(content))


def test_a_page_of_a_hundred_thousand_rules_is_read():
    rules = b"".join(b"%d %d m %d %d l S " % (i % 500, i // 500, i % 500 + 50, i // 500) for i in range(100_000))
    assert read(page(rules + HELLO)).texts == ("hello world",)


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"]" * 100_000 + HELLO, b"q " * 500_000 + HELLO])
def test_deep_nesting_is_read(content):
    assert read(page(content)).texts == ("hello world",)


def test_a_page_as_large_as_a_town_is_read():
    assert read(page(HELLO, box=b"[0 0 100000000 100000000]")).texts == ("hello world",)


def test_a_form_that_shows_itself_twice_ends_the_worker_and_not_the_program(tmp_path):
    loop = stream(
        b"/X Do /X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >>"
    )
    hostile, good = tmp_path / "loop.pdf", tmp_path / "good.pdf"
    hostile.write_bytes(page(b"/X Do" + HELLO, forms={6: loop}))
    good.write_bytes(build([text(50, 700, "正文。")]))
    with WorkerPool(1, timeout_s=4) as pool:
        with pytest.raises(DocumentError, match=r"loop\.pdf"):
            pool.load(hostile)
        assert pool.load(good).pages[0].page_content == "正文。"


def test_as_many_pages_as_are_read_are_read_and_one_more_is_refused():
    def pages(n: int) -> bytes:
        return assemble(
            {
                1: b"<< /Type /Catalog /Pages 2 0 R >>",
                2: b"<< /Type /Pages /Kids [" + b"3 0 R " * n + b"] /Count %d >>" % n,
                3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F 5 0 R >> >> "
                b"/Contents 4 0 R >>",
                4: stream(HELLO),
                5: FONT,
            }
        )

    assert len(read(pages(2_000)).texts) == 2_000
    with pytest.raises(DocumentError, match=f"it has {MAX_PAGES + 1} pages"):
        read(pages(MAX_PAGES + 1))


def test_scripts_and_attachments_are_neither_run_nor_read():
    secret = "alert ('机密')".encode()
    data = assemble(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS 6 0 R >> "
            b"/Names << /EmbeddedFiles << /Names [(a.txt) 7 0 R] >> >> >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F 5 0 R >> >> /Contents 4 0 R >>",
            7: b"<< /Type /Filespec /F (a.txt) /EF << /F 6 0 R >> >>",
            4: stream(HELLO),
            5: FONT,
            6: b"<< /Type /EmbeddedFile /Length %d >>\nstream\n%s\nendstream" % (len(secret), secret),
        }
    )
    assert read(data).texts == ("hello world",)


@pytest.mark.parametrize("seed", range(40))
def test_a_file_with_bytes_changed_at_random_is_read_or_refused(seed):
    import random

    chance = random.Random(seed)
    data = bytearray(build([text(50, 700, "公共图书馆"), *([text(50, 680, "读者须知")] * 3)]))
    for _ in range(chance.randint(1, 60)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    assert is_read_or_refused(bytes(data))


def test_a_file_that_lacks_a_piece_is_read_or_refused():
    whole = build([text(50, 700, "公共图书馆")])
    for cut in range(50, len(whole), 997):
        assert is_read_or_refused(whole[:cut] + whole[cut + 20 :])
