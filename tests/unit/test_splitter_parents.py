"""Small pieces are searched, their surroundings are read: parents and children, and presets for windows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import PRESETS, ChineseTextSplitter, read_parents, text_with_context

LAW = "第一章 总则\n" + "".join(f"第{n}条 {'内容很长' * 4}。{'还有一句' * 4}。\n" for n in "一二三四五六")


def pages_of(texts: list[str], source: str = "法.txt") -> list[Document]:
    documents, start = [], 0
    for number, text in enumerate(texts, 1):
        metadata = {"source": source, "content_hash": "a1", "page": number, "n_pages": len(texts), "start": start}
        documents.append(Document(text, metadata=metadata))
        start += len(text) + len(PAGE_SEPARATOR)
    return documents


lines = st.sampled_from(
    [
        "第一章 总则",
        "第一条 内容。",
        "（一）甲；",
        "一句话。又一句话！",
        "字" * 50,
        "",
        "# 题",
        "| 甲 | 乙 |\n|---|---|\n| 1 | 2 |",
    ]
)
page_texts = st.lists(st.lists(lines, max_size=8).map("\n".join), min_size=1, max_size=4)


@given(page_texts, st.integers(1, 60), st.integers(0, 120))
def test_every_chunk_lies_in_the_parent_that_it_names_and_parents_hold_the_whole_text(texts, size, more):
    pages = pages_of(texts)
    whole = PAGE_SEPARATOR.join(texts)
    splitter = ChineseTextSplitter(size, parent_size=size + more)
    parents = splitter.split_parents(pages)
    chunks = splitter.split_documents(pages)
    spans = [(parent.metadata["start"], parent.metadata["end"]) for parent in parents]
    assert all(whole[start:end] == parent.page_content for (start, end), parent in zip(spans, parents, strict=True))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(end - start <= size + more for start, end in spans)
    named = [(chunk.metadata["parent_start"], chunk.metadata["parent_end"]) for chunk in chunks]
    assert list(dict.fromkeys(named)) == spans
    for chunk, (start, end) in zip(chunks, named, strict=True):
        assert start <= chunk.metadata["start"] < chunk.metadata["end"] <= end
    assert "".join("".join(parent.page_content.split()) for parent in parents) == "".join(whole.split())


@given(page_texts, st.integers(1, 60))
def test_chunks_of_parents_no_larger_than_chunks_are_the_parents(texts, size):
    pages = pages_of(texts)
    splitter = ChineseTextSplitter(size, parent_size=size)
    chunks = splitter.split_documents(pages)
    assert [c.page_content for c in chunks] == [p.page_content for p in splitter.split_parents(pages)]
    assert [c.page_content for c in chunks] == [
        c.page_content for c in ChineseTextSplitter(size).split_documents(pages)
    ]


def test_a_sentence_longer_than_a_chunk_is_in_one_parent_where_it_fits():
    text = "开头一句。" + "很长的一句，" * 6 + "完了。结尾一句。"
    splitter = ChineseTextSplitter(12, parent_size=45)
    parents = [parent.page_content for parent in splitter.split_parents(pages_of([text]))]
    assert parents == ["开头一句。" + "很长的一句，" * 6 + "完了。", "结尾一句。"]


def test_parents_of_found_chunks_come_once_in_the_order_of_their_best_chunk():
    pages = pages_of([LAW[:100], LAW[100:]])
    splitter = ChineseTextSplitter(40, parent_size=80)
    chunks = splitter.split_documents(pages)
    found = [chunks[-1], chunks[0], chunks[1], chunks[-2]]
    found[0].metadata["score"] = 0.9
    parents = read_parents(found, lambda chunk: pages)
    whole = PAGE_SEPARATOR.join(page.page_content for page in pages)
    spans = list(dict.fromkeys((c.metadata["parent_start"], c.metadata["parent_end"]) for c in found))
    assert [parent.page_content for parent in parents] == [whole[start:end] for start, end in spans]
    assert len(parents) < len(found)
    assert parents[0].metadata["score"] == 0.9


def test_a_parent_that_is_read_is_the_piece_that_the_splitter_makes():
    pages = pages_of([LAW[:100], LAW[100:]])
    splitter = ChineseTextSplitter(40, parent_size=80)
    read = read_parents(splitter.split_documents(pages), lambda chunk: pages)
    made = splitter.split_parents(pages)
    assert [parent.page_content for parent in read] == [parent.page_content for parent in made]
    keys = ("source", "page_start", "page_end", "start", "end", "page_offsets")
    assert [[r.metadata[key] for key in keys] for r in read] == [[m.metadata[key] for key in keys] for m in made]


def test_a_chunk_without_a_parent_stands_for_itself():
    chunks = ChineseTextSplitter(40).split_documents(pages_of([LAW]))
    assert read_parents([*chunks, chunks[0]], lambda chunk: []) == chunks


def test_parents_without_a_size_are_refused():
    with pytest.raises(ConfigError, match="parent_size"):
        ChineseTextSplitter(40).split_parents([])


def test_a_parent_smaller_than_its_chunks_is_refused():
    with pytest.raises(ConfigError, match="parent_size=39, expected at least chunk_size=40") as caught:
        ChineseTextSplitter(40, parent_size=39)
    assert caught.value.setting == "parent_size"


def test_text_with_context_adds_headings_that_are_not_in_it_and_the_header_of_a_cut_table():
    chunk = Document("第二条 内容。", metadata={"headings": ["第一章 总则", "第二条"]})
    assert text_with_context(chunk) == "第一章 总则\n第二条 内容。"
    chunk = Document("| 乙 | 2 |", metadata={"headings": ["附表"], "table_header": "| 甲 | 1 |\n|---|---|"})
    assert text_with_context(chunk) == "附表\n| 甲 | 1 |\n|---|---|\n| 乙 | 2 |"
    assert text_with_context(Document("正文")) == "正文"


def test_presets_leave_a_fourth_of_the_window_free():
    for preset in PRESETS:
        n_tokens = preset.n_parents * preset.parent_size / 1.34
        assert 0.7 * preset.context_window < n_tokens <= 0.75 * preset.context_window
        assert preset.chunk_overlap == 0 < preset.chunk_size < preset.parent_size


@pytest.mark.parametrize(("window", "parent"), [(4096, 800), (16_383, 800), (16_384, 1600), (100_000, 3200)])
def test_the_preset_of_a_window_is_the_largest_that_it_holds(window, parent):
    identity = ChineseTextSplitter.from_preset(window).identity
    assert (identity["chunk_size"], identity["parent_size"]) == (400, parent)


def test_a_window_smaller_than_every_preset_is_refused():
    with pytest.raises(ConfigError, match="window=2048, expected at least 4096"):
        ChineseTextSplitter.from_preset(2048)
