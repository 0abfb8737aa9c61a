"""ChineseTextSplitter over documents: pages of a file, chunks of ours, anybody else's, as LangChain gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_text_splitters import TextSplitter

from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import ChineseTextSplitter


def third_of_bytes(text: str) -> int:
    """Grows with the text in uneven steps, as token counts do; never 0."""
    return len(text.encode()) // 3 + 1


fragments = st.sampled_from(
    [*["检索", "問答系統", "句子。", "好！", "，", "word ", "3.14", "。́", "👩\u200d👧", " ", "\n", "\r\n"], "字" * 40]
)


@st.composite
def splitters(draw):
    size = draw(st.integers(1, 60))
    return ChineseTextSplitter(size, draw(st.integers(0, size - 1)), draw(st.sampled_from([len, third_of_bytes])))


def pages_of(texts: list[str], *, source: str = "书.pdf", **extra: object) -> list[Document]:
    documents, start = [], 0
    for number, text in enumerate(texts, 1):
        own = {"source": source, "content_hash": "a1", "page": number, "n_pages": len(texts), "start": start}
        documents.append(Document(text, metadata={**own, **extra}))
        start += len(text) + len(PAGE_SEPARATOR)
    return documents


page_texts = st.lists(st.lists(fragments, max_size=8).map("".join), min_size=1, max_size=6)


@given(page_texts, splitters())
def test_spans_of_chunks_of_pages_are_in_the_text_of_the_file(texts, splitter):
    whole = PAGE_SEPARATOR.join(texts)
    chunks = splitter.split_documents(pages_of(texts))
    assert [(c.metadata["start"], c.metadata["end"]) for c in chunks] == [
        (span.start, span.end) for span in splitter.split_spans(whole)
    ]
    assert [whole[c.metadata["start"] : c.metadata["end"]] for c in chunks] == [c.page_content for c in chunks]


@given(page_texts, splitters())
def test_a_chunk_names_exactly_the_pages_its_first_and_last_characters_are_on(texts, splitter):
    page_of_character: list[int] = []  # a separator belongs to the page before it
    starts = []
    for number, text in enumerate(texts, 1):
        starts.append(len(page_of_character))
        page_of_character += [number] * (len(text) + len(PAGE_SEPARATOR))
    for chunk in splitter.split_documents(pages_of(texts)):
        metadata = chunk.metadata
        assert metadata["page_start"] == page_of_character[metadata["start"]]
        assert metadata["page_end"] == page_of_character[metadata["end"] - 1]
        assert metadata["page_offsets"] == starts[metadata["page_start"] - 1 : metadata["page_end"]]


def test_a_sentence_over_a_page_break_is_in_one_chunk():
    first, second = "本页最后一个段落的最后一行写满了整整一行而且没有句号所以它的后半句", "在下一页才结束。下一段。"
    (chunk, *rest) = ChineseTextSplitter(50).split_documents(pages_of([first, second]))
    assert chunk.page_content == f"{first}\n在下一页才结束。下一段。"[: len(first) + 1 + 12]
    assert (chunk.metadata["page_start"], chunk.metadata["page_end"]) == (1, 2)
    assert chunk.metadata["page_offsets"] == [0, len(first) + 1]
    assert not rest


def test_empty_pages_are_counted_over():
    (first, second) = ChineseTextSplitter(4).split_documents(pages_of(["第一页。", "", "", "第四页。"]))
    assert (first.metadata["page_start"], first.metadata["page_end"]) == (1, 1)
    assert (second.metadata["page_start"], second.metadata["page_end"]) == (4, 4)
    assert second.metadata["page_offsets"] == [7]


def test_pages_of_another_file_begin_anew():
    documents = pages_of(["甲。"], source="甲.pdf") + pages_of(["乙。"], source="乙.pdf")
    chunks = ChineseTextSplitter(100).split_documents(documents)
    assert [(c.page_content, c.metadata["source"], c.metadata["start"]) for c in chunks] == [
        ("甲。", "甲.pdf", 0),
        ("乙。", "乙.pdf", 0),
    ]


def test_pages_with_one_left_out_between_keep_their_places_in_the_file():
    first, _, third = pages_of(["第一页。", "第二页。", "第三页。"])
    chunks = ChineseTextSplitter(100).split_documents([first, third])
    assert [(c.page_content, c.metadata["page_start"], c.metadata["start"]) for c in chunks] == [
        ("第一页。", 1, 0),
        ("第三页。", 3, 10),
    ]


def test_the_same_file_given_twice_is_cut_twice():
    pages = pages_of(["甲。", "乙。"])
    chunks = ChineseTextSplitter(100).split_documents([*pages, *pages])
    assert [(c.metadata["start"], c.page_content) for c in chunks] == [(0, "甲。\n乙。")] * 2


def test_pages_from_the_middle_of_a_file_have_spans_in_the_whole_file():
    chunks = ChineseTextSplitter(100).split_documents(pages_of(["甲甲。", "乙。", "丙。"])[1:])
    assert [(c.metadata["start"], c.metadata["end"], c.metadata["page_offsets"]) for c in chunks] == [(4, 9, [4, 7])]


@given(page_texts, splitters(), splitters())
def test_chunks_cut_further_still_point_into_the_file(texts, coarse, fine):
    whole = PAGE_SEPARATOR.join(texts)
    documents = pages_of(texts)
    page_of = {d.metadata["start"]: d.metadata["page"] for d in documents}
    for chunk in fine.split_documents(coarse.split_documents(documents)):
        metadata = chunk.metadata
        assert whole[metadata["start"] : metadata["end"]] == chunk.page_content
        assert metadata["page_start"] == max(page for start, page in page_of.items() if start <= metadata["start"])
        assert metadata["page_end"] == max(page for start, page in page_of.items() if start < metadata["end"])
        assert [page_of[offset] for offset in metadata["page_offsets"]] == list(
            range(metadata["page_start"], metadata["page_end"] + 1)
        )


def test_metadata_of_foreign_documents_is_kept():
    document = Document("第一句。第二句。", metadata={"source": "网页", "title": "标题", "page": 3})
    chunks = ChineseTextSplitter(4).split_documents([document])
    assert [c.metadata for c in chunks] == [
        {"source": "网页", "title": "标题", "page": 3, "start": 0, "end": 4},
        {"source": "网页", "title": "标题", "page": 3, "start": 4, "end": 8},
    ]
    assert document.metadata == {"source": "网页", "title": "标题", "page": 3}


def test_metadata_that_a_user_added_to_pages_is_kept():
    (chunk,) = ChineseTextSplitter(100).split_documents(pages_of(["甲。"], category="法律"))
    assert chunk.metadata == {
        "source": "书.pdf",
        "content_hash": "a1",
        "page_start": 1,
        "page_end": 1,
        "start": 0,
        "end": 2,
        "page_offsets": [0],
        "category": "法律",
    }


def test_it_is_a_langchain_text_splitter():
    splitter = ChineseTextSplitter(6)
    assert isinstance(splitter, TextSplitter)
    documents = [Document("第一句话。第二句话。", metadata={"source": "甲"})]
    assert splitter.transform_documents(documents) == splitter.split_documents(documents)
    assert [d.page_content for d in splitter.split_documents(iter(documents))] == ["第一句话。", "第二句话。"]


def test_create_documents_pairs_texts_with_their_metadata():
    chunks = ChineseTextSplitter(4).create_documents(["甲甲甲。乙乙乙。", "丙。"], [{"n": 1}, {"n": 2}])
    assert [(c.page_content, c.metadata["n"], c.metadata["start"]) for c in chunks] == [
        ("甲甲甲。", 1, 0),
        ("乙乙乙。", 1, 4),
        ("丙。", 2, 0),
    ]


def test_create_documents_refuses_a_list_of_metadata_of_another_length():
    with pytest.raises(ValueError, match="shorter"):
        ChineseTextSplitter().create_documents(["甲", "乙"], [{"n": 1}])


def test_start_index_is_added_on_request():
    splitter = ChineseTextSplitter(4, add_start_index=True)
    assert [c.metadata["start_index"] for c in splitter.create_documents(["甲甲甲。 乙乙乙。"])] == [0, 5]
    assert [c.metadata["start_index"] for c in splitter.split_documents(pages_of(["甲甲甲。", "乙乙乙。"]))] == [0, 5]
    assert "start_index" not in ChineseTextSplitter(4).create_documents(["甲"])[0].metadata


def test_no_documents_come_of_none_and_of_empty_ones():
    splitter = ChineseTextSplitter()
    assert splitter.split_documents([]) == splitter.create_documents([]) == []
    assert splitter.split_documents(pages_of(["", " "])) == []
    assert splitter.split_documents([Document("")]) == []
