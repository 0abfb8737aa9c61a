"""ChineseTextSplitter: what holds for every cut of every text."""

from itertools import pairwise

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.text_splitters import ChineseTextSplitter


def third_of_bytes(text: str) -> int:
    """Grows with the text in uneven steps, as token counts do; never 0."""
    return len(text.encode()) // 3 + 1


def longest_words(text: str) -> int:
    """Tokens of a greedy tokenizer: a longer text may have fewer."""
    return len(regex.findall("文档问答|问答系统|系统|tion|st|.", text, flags=regex.DOTALL))


han = [
    "检索增强生成",
    "文档问答系统",
    "問答與檢索",
    "我们",
    "句子。",
    "好！",
    "吗？",
    "，",
    "、",
    "：",
    "；",
    "……",
    "“引文。”",
    "（注）",
]
latin = [
    "LangChain ",
    "question",
    "don't",
    "naïve",
    "Москва",
    "3.14",
    "1,234,567",
    "2023-05-06",
    "２０２３",
    "50%",
    "http://a.org/b?c=1 ",
]
clusters = ["é", "。́", " ́", "👩\u200d👩\u200d👧\u200d👦", "🇨🇳", "👍🏽", "한국", "กำ"]
spaces = [" ", "\u3000", "\t", "\n", "\r\n", "\r\n\r\n", "\n# 标题\n", "\n第一条 "]
fragments = st.sampled_from([*han, *latin, *clusters, *spaces, "字" * 40])
texts = st.one_of(st.text(max_size=200), st.lists(fragments, max_size=40).map("".join))
lengths = st.sampled_from([len, third_of_bytes])


@st.composite
def splitters(draw, length=lengths):
    size = draw(st.integers(1, 60))
    return ChineseTextSplitter(size, draw(st.integers(0, size - 1)), draw(length))


def size_of(splitter: ChineseTextSplitter) -> int:
    return splitter._chunk_size


def length_in(splitter: ChineseTextSplitter, text: str) -> int:
    return splitter._length_function(text)


def grapheme_edges(text: str) -> set[int]:
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the white-space graphemes at both ends."""
    parts = [m.span() for m in regex.finditer(r"\X", text, pos=start, endpos=end) if not m.group().isspace()]
    return (parts[0][0], parts[-1][1]) if parts else (start, start)


@given(texts, splitters())
def test_spans_are_the_chunks(text, splitter):
    spans = splitter.split_spans(text)
    assert splitter.split_text(text) == [text[span.start : span.end] for span in spans]
    documents = splitter.create_documents([text])
    assert [text[d.metadata["start"] : d.metadata["end"]] for d in documents] == [d.page_content for d in documents]


@given(texts, splitters())
def test_every_character_that_is_not_white_space_is_in_a_chunk(text, splitter):
    covered = {i for span in splitter.split_spans(text) for i in range(span.start, span.end)}
    assert {i for i, character in enumerate(text) if not character.isspace()} <= covered


@given(texts, splitters())
def test_chunks_come_in_order_and_none_lies_within_another(text, splitter):
    spans = splitter.split_spans(text)
    assert all(span.start < span.end for span in spans)
    assert all(a.start < b.start and a.end < b.end for a, b in pairwise(spans))


@given(texts, splitters())
def test_chunks_have_no_white_space_at_their_ends(text, splitter):
    assert all(trimmed(text, span.start, span.end) == (span.start, span.end) for span in splitter.split_spans(text))


@given(texts, splitters())
def test_no_chunk_exceeds_the_size_but_a_single_grapheme(text, splitter):
    for chunk in splitter.split_text(text):
        assert length_in(splitter, chunk) <= size_of(splitter) or len(regex.findall(r"\X", chunk)) == 1


@given(texts, splitters(st.just(longest_words)))
def test_no_chunk_exceeds_the_size_where_a_longer_text_may_have_fewer_tokens(text, splitter):
    for chunk in splitter.split_text(text):
        assert length_in(splitter, chunk) <= size_of(splitter) or len(regex.findall(r"\X", chunk)) == 1


@given(texts, splitters())
def test_no_grapheme_is_cut(text, splitter):
    edges = grapheme_edges(text)
    assert all({span.start, span.end} <= edges for span in splitter.split_spans(text))


@given(texts, splitters())
def test_a_sentence_that_fits_is_in_one_chunk(text, splitter):
    spans = splitter.split_spans(text)
    for sentence in iter_sentences(text):
        start, end = trimmed(text, sentence.start, sentence.end)
        if start < end and length_in(splitter, text[start:end]) <= size_of(splitter):
            assert any(span.start <= start and end <= span.end for span in spans)


numbers = ["3.14", "1,234,567", "２０２３", "50%", "2023-05-06", "12:30"]
names = ["LangChain", "don't", "naïve", "Москва", "café", "v2.1", "data_dir", "http://example.org/a?b=1"]
atoms = st.sampled_from([*numbers, *names])
separators = st.sampled_from(["年", "和", "，", " ", "。", "\n", "（", "字" * 9, "\u3000"])


@given(st.lists(st.tuples(atoms, separators), max_size=30), splitters())
def test_a_number_word_date_or_address_that_fits_is_in_one_chunk(parts, splitter):
    text = "".join(atom + separator for atom, separator in parts)
    spans, start = splitter.split_spans(text), 0
    for atom, separator in parts:
        if length_in(splitter, atom) <= size_of(splitter):
            assert any(span.start <= start and start + len(atom) <= span.end for span in spans)
        start += len(atom) + len(separator)


@given(texts, splitters())
def test_overlap_is_whole_sentences_and_at_most_chunk_overlap(text, splitter):
    spans = splitter.split_spans(text)
    sentence_of = {}  # trimmed start -> trimmed end
    for sentence in iter_sentences(text):
        start, end = trimmed(text, sentence.start, sentence.end)
        sentence_of[start] = end
    for before, after in pairwise(spans):
        if after.start < before.end:
            assert length_in(splitter, text[after.start : before.end]) <= splitter._chunk_overlap
            assert after.start in sentence_of
            assert before.end in sentence_of.values()


def test_overlap_repeats_the_last_sentences_that_fit_into_it():
    splitter = ChineseTextSplitter(10, 5)
    assert splitter.split_text("第一句话。第二句话。第三句话。") == ["第一句话。第二句话。", "第二句话。第三句话。"]


def test_a_piece_of_an_oversized_sentence_is_not_repeated():
    splitter = ChineseTextSplitter(6, 5)
    assert splitter.split_text("一二三，四五六，七八九。好。") == ["一二三，", "四五六，", "七八九。好。"]


def test_a_chunk_rather_ends_with_a_paragraph_than_full():
    text = "甲甲甲甲甲。乙乙。\n丙丙丙。丁丁丁丁丁丁丁。"  # 14 characters would fit up to 丙
    assert ChineseTextSplitter(14).split_text(text) == ["甲甲甲甲甲。乙乙。", "丙丙丙。丁丁丁丁丁丁丁。"]


def test_a_paragraph_end_in_the_first_half_is_passed_over():
    text = "甲。\n乙乙乙乙。丙丙丙丙。丁丁丁丁丁丁丁。"
    assert ChineseTextSplitter(14).split_text(text)[0] == "甲。\n乙乙乙乙。丙丙丙丙。"


def test_a_long_sentence_is_cut_at_clause_ends():
    text = "春天来了，花都开了，鸟也飞回来了，孩子们在草地上跑"
    assert ChineseTextSplitter(12).split_text(text) == ["春天来了，花都开了，", "鸟也飞回来了，", "孩子们在草地上跑"]


def test_a_long_sentence_without_clauses_is_cut_around_numbers_and_words():
    assert ChineseTextSplitter(6).split_text("共有2023册naïveté和1,250页") == ["共有2023", "册naïve", "té和", "1,250页"]
    assert ChineseTextSplitter(7).split_text("共有2023册naïveté和1,250页") == ["共有2023册", "naïveté", "和1,250页"]


def test_an_oversized_list_of_numbers_is_cut_between_them():
    chunks = ChineseTextSplitter(8).split_text("123,45,678,90,1234")
    assert chunks == ["123,45,", "678,90,", "1234"]
    assert ChineseTextSplitter(8).split_text("3.14-1,250-2.718") == ["3.14-", "1,250-", "2.718"]


def test_a_megabyte_without_any_sentence_end_is_cut_in_reasonable_work():
    measured = 0

    def counted(text: str) -> int:
        nonlocal measured
        measured += len(text)
        return len(text)

    text = "字" * 100_000
    assert "".join(ChineseTextSplitter(400, 0, counted).split_text(text)) == text
    assert measured < 100 * len(text)  # measuring the whole rest for each chunk would take 125 times the text


def test_nothing_comes_of_nothing():
    splitter = ChineseTextSplitter()
    assert splitter.split_text("") == splitter.split_text(" \r\n　") == []


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused(size):
    with pytest.raises(ConfigError, match="at least 1") as caught:
        ChineseTextSplitter(size)
    assert caught.value.setting == "chunk_size"


@pytest.mark.parametrize("overlap", [-1, 10, 11])
def test_an_overlap_not_below_the_size_is_refused(overlap):
    with pytest.raises(ConfigError, match=f"chunk_overlap={overlap}") as caught:
        ChineseTextSplitter(10, overlap)
    assert caught.value.setting == "chunk_overlap"


@given(st.integers(1, 500), st.integers(0, 500))
def test_identity_tells_splitters_apart_that_cut_differently(size, overlap):
    assume(overlap < size)
    identity = ChineseTextSplitter(size, overlap).identity
    assert identity == ChineseTextSplitter(size, overlap).identity
    assert identity != ChineseTextSplitter(size + 1, overlap).identity
    assert identity != ChineseTextSplitter(size, overlap, third_of_bytes).identity


@pytest.mark.parametrize("size", [21, 22])
def test_a_heading_that_is_too_long_is_cut_between_its_sentences(size):
    assert ChineseTextSplitter(size).split_text("第0条 0000000000000000！0϶") == ["第0条 0000000000000000！", "0϶"]
