"""From found chunks to what stands around them, on real cuts of our splitter."""

import pytest
from langchain_core.documents import Document
from pydantic import ValidationError

from chinese_llm_rag.retrievers.expand import ContextExpander
from chinese_llm_rag.text_splitters import ChineseTextSplitter, read_parents

CHAPTERS = [
    "# 第一章 总则\n\n第一条 本办法适用于全体职工，自公布之日起施行。\n\n第二条 职工享有休假的权利，单位应当安排。",
    (
        "# 第二章 年假\n\n第三条 满一年的职工休假五天，满十年的十天。\n\n"
        "第四条 当年没有休完的假期可以在下一年补休。\n\n第五条 休假期间工资照发，不影响考勤。"
    ),
    "# 第三章 附则\n\n第六条 本办法由人事部门解释。",
]


def pages(source: str = "a.md", content_hash: str = "h") -> list[Document]:
    start, result = 0, []
    for number, text in enumerate(CHAPTERS, 1):
        metadata = {"source": source, "content_hash": content_hash, "page": number, "n_pages": 3, "start": start}
        result.append(Document(text, metadata=metadata))
        start += len(text) + 1
    return result


FILE_TEXT = "\n".join(CHAPTERS)
SPLITTER = ChineseTextSplitter(36, parent_size=90)


def chunks_of(chunk: Document) -> list[Document]:
    return SPLITTER.split_documents(pages())


def found(*articles: str) -> list[Document]:
    """The chunks with these articles, best first, with falling scores."""
    chunks = chunks_of(Document(""))
    result = []
    for rank, article in enumerate(articles):
        chunk = next(c for c in chunks if article in c.page_content)
        metadata = {**chunk.metadata, "chunk_id": article, "score": 1.0 - rank / 10}
        result.append(Document(chunk.page_content, id=article, metadata=metadata))
    return result


def expander(extent: str, **fields: object) -> ContextExpander:
    return ContextExpander(extent=extent, pages_of=lambda _: pages(), chunks_of=chunks_of, **fields)


def test_every_piece_is_a_slice_of_the_file_with_its_pages():
    for extent in ("parent", "neighbours", "section", "document"):
        for piece in expander(extent).compress_documents(found("第四条", "第六条", "第一条"), "问"):
            metadata = piece.metadata
            assert piece.page_content == FILE_TEXT[metadata["start"] : metadata["end"]]
            assert metadata["extent"] == extent
            offsets = [page.metadata["start"] for page in pages()]
            assert metadata["page_offsets"] == offsets[metadata["page_start"] - 1 : metadata["page_end"]]
            assert offsets[metadata["page_start"] - 1] <= metadata["start"]
            assert metadata["end"] <= [*offsets[1:], len(FILE_TEXT) + 1][metadata["page_end"] - 1]


def test_parents_are_those_of_the_splitter():
    chunks = found("第四条", "第六条")
    ours = expander("parent").compress_documents(chunks, "问")
    theirs = read_parents(chunks, lambda _: pages())
    assert [(d.page_content, d.metadata["start"]) for d in ours] == [
        (d.page_content, d.metadata["start"]) for d in theirs
    ]


def test_neighbours_are_of_the_same_section():
    (piece,) = expander("neighbours").compress_documents(found("第四条"), "问")
    assert piece.page_content.startswith("# 第二章") or piece.page_content.startswith("第三条")
    assert piece.page_content.endswith("不影响考勤。")
    (first,) = expander("neighbours", n_neighbours=9).compress_documents(found("第三条"), "问")
    assert "第二条" not in first.page_content
    assert "第六条" not in first.page_content


def test_a_section_has_all_its_articles_and_no_others():
    (piece,) = expander("section").compress_documents(found("第四条"), "问")
    assert [a in piece.page_content for a in ("第二条", "第三条", "第四条", "第五条", "第六条")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_the_document_is_all_of_it_without_headings_above():
    (piece,) = expander("document").compress_documents(found("第四条"), "问")
    assert piece.page_content == FILE_TEXT
    assert "headings" not in piece.metadata
    assert (piece.metadata["page_start"], piece.metadata["page_end"]) == (1, 3)


def test_two_chunks_of_one_piece_give_it_once_with_the_better_score():
    pieces = expander("section").compress_documents(found("第五条", "第六条", "第三条"), "问")
    assert [piece.id for piece in pieces] == ["第五条", "第六条"]
    assert pieces[0].metadata["score"] == 1.0
    assert len(pieces[0].metadata["found"]) == 2
    for start, end in pieces[0].metadata["found"]:
        assert pieces[0].metadata["start"] <= start < end <= pieces[0].metadata["end"]


def test_what_is_too_long_is_read_in_a_smaller_extent():
    chunk = found("第四条")
    extents = {}
    for length in (1000, 100, 50, 1):
        (piece,) = expander("document", max_length=length).compress_documents(chunk, "问")
        assert len(piece.page_content) <= length or piece.metadata["extent"] == "chunk"
        extents[length] = piece.metadata["extent"]
    assert extents[1000] == "document"
    assert extents[100] == "section"
    assert extents[1] == "chunk"


def test_the_budget_is_spent_from_the_best_on_and_no_chunk_is_lost():
    section = len(expander("section").compress_documents(found("第四条"), "问")[0].page_content)
    pieces = expander("section", budget=section).compress_documents(found("第四条", "第六条"), "问")
    assert [piece.metadata["extent"] for piece in pieces] == ["section", "chunk"]
    assert "第六条" in pieces[1].page_content


def test_a_document_of_others_stays_as_it_is():
    other = Document("别处的文字", metadata={"score": 0.5})
    assert expander("section").compress_documents([other], "问") == [other]


def test_without_chunks_an_extent_that_needs_them_is_refused():
    with pytest.raises(ValidationError, match="chunks_of"):
        ContextExpander(extent="section", pages_of=lambda _: pages())
    without = ContextExpander(extent="document", pages_of=lambda _: pages(), max_length=95)
    assert without.compress_documents(found("第四条"), "问")[0].metadata["extent"] == "parent"


def test_the_chunks_given_in_are_left_as_they_were():
    chunks = found("第四条", "第五条")
    before = [chunk.model_copy(deep=True) for chunk in chunks]
    expander("section").compress_documents(chunks, "问")
    assert chunks == before
