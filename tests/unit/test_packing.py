"""Packing: the best passages that fit, numbered, overlapping ones joined, nothing lost."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from chinese_llm_rag.packing import format_context, pack, passages_of
from chinese_llm_rag.schema import PackedContext, Passage

# Two files of three pages each, no piece of which looks like another.
PAGE_STARTS = (0, 17, 41)
FILES = {
    "甲.pdf": "".join(chr(0x4E00 + i) for i in range(60)),
    "乙.pdf": "".join(chr(0x6E00 + i) for i in range(60)),
}


def passage(source: str, start: int, end: int, score: float = 0.0) -> Passage:
    first = max(i for i, offset in enumerate(PAGE_STARTS) if offset <= start)
    last = max(i for i, offset in enumerate(PAGE_STARTS) if offset < end)
    text = FILES[source][start:end]
    return Passage(text, source, first + 1, last + 1, start, end, PAGE_STARTS[first : last + 1], score)


@st.composite
def passage_lists(draw):
    spans = st.tuples(st.sampled_from(sorted(FILES)), st.integers(0, 59), st.integers(1, 30), st.floats(0, 1))
    return [passage(source, start, min(60, start + n), score) for source, start, n, score in draw(st.lists(spans))]


def prompt_length(passages) -> int:
    return len("资料：\n问题：") + len(format_context(passages))


def covered(inner: Passage, outer: Passage) -> bool:
    return inner.source == outer.source and outer.start <= inner.start and inner.end <= outer.end


@given(passage_lists(), st.integers(0, 200))
def test_the_budget_is_never_exceeded(passages, budget):
    packed = pack(passages, budget, prompt_length)
    if packed.passages:
        assert packed.n_tokens == prompt_length(packed.passages) <= budget
    else:
        assert packed.n_tokens == 0


@given(passage_lists(), st.integers(0, 200))
def test_numbers_count_from_one(passages, budget):
    packed = pack(passages, budget, prompt_length)
    assert [p.number for p in packed.passages] == list(range(1, len(packed.passages) + 1))


@given(passage_lists(), st.integers(0, 200))
def test_every_passage_is_packed_or_dropped_and_what_is_dropped_ranks_below(passages, budget):
    packed = pack(passages, budget, prompt_length)
    n_kept = len(passages) - len(packed.dropped)
    assert packed.dropped == tuple(passages[n_kept:])
    assert all(any(covered(p, whole) for whole in packed.passages) for p in passages[:n_kept])


@given(passage_lists(), st.integers(0, 200))
def test_numbers_follow_the_best_rank_in_each_passage(passages, budget):
    packed = pack(passages, budget, prompt_length)
    best = [min(rank for rank, p in enumerate(passages) if covered(p, whole)) for whole in packed.passages]
    assert best == sorted(best)


@given(passage_lists(), st.integers(0, 200))
def test_joined_text_is_the_text_of_the_file(passages, budget):
    for whole in pack(passages, budget, prompt_length).passages:
        assert whole.text == FILES[whole.source][whole.start : whole.end]


@given(passage_lists(), st.integers(0, 200))
def test_pages_of_joined_passages_are_those_of_their_span(passages, budget):
    for whole in pack(passages, budget, prompt_length).passages:
        expected = passage(whole.source, whole.start, whole.end, whole.score)
        assert replace(whole, number=0) == expected


@given(passage_lists(), st.integers(0, 200))
def test_no_two_packed_passages_overlap(passages, budget):
    packed = pack(passages, budget, prompt_length).passages
    for i, a in enumerate(packed):
        for b in packed[i + 1 :]:
            assert a.source != b.source or a.end <= b.start or b.end <= a.start


@given(passage_lists())
def test_a_joined_passage_has_the_best_score_of_its_parts(passages):
    for whole in pack(passages, 10_000, prompt_length).passages:
        assert whole.score == max(p.score for p in passages if covered(p, whole))


def test_a_passage_that_bridges_two_takes_the_place_of_the_better():
    ranked = [passage("甲.pdf", 0, 10), passage("乙.pdf", 0, 5), passage("甲.pdf", 15, 25), passage("甲.pdf", 8, 18)]
    packed = pack(ranked, 1000, prompt_length)
    assert [(p.number, p.source, p.start, p.end) for p in packed.passages] == [
        (1, "甲.pdf", 0, 25),
        (2, "乙.pdf", 0, 5),
    ]


def test_passages_that_only_touch_stay_apart():
    packed = pack([passage("甲.pdf", 0, 5), passage("甲.pdf", 5, 10)], 1000, prompt_length)
    assert [(p.start, p.end) for p in packed.passages] == [(0, 5), (5, 10)]


def test_what_follows_a_passage_that_does_not_fit_is_dropped_even_if_it_would_fit():
    ranked = [passage("甲.pdf", 0, 5), passage("甲.pdf", 10, 40), passage("乙.pdf", 0, 2)]
    packed = pack(ranked, prompt_length([ranked[0]]) + 12, prompt_length)
    assert [p.start for p in packed.passages] == [0]
    assert packed.dropped == tuple(ranked[1:])


def test_nothing_is_packed_of_nothing_or_into_nothing():
    assert pack([], 100, prompt_length) == PackedContext((), (), 0)
    only = passage("甲.pdf", 0, 5)
    assert pack([only], 3, prompt_length) == PackedContext((), (only,), 0)


def test_documents_of_one_source_without_places_are_not_taken_for_overlapping():
    foreign = passages_of(Document(text, metadata={"source": "网页"}) for text in ("甲乙丙丁", "戊己", "甲乙"))
    packed = pack(foreign, 1000, prompt_length)
    assert [p.text for p in packed.passages] == ["甲乙丙丁", "戊己"]  # the third is in the first


def test_page_offsets_are_dropped_where_a_part_does_not_know_its_own():
    first = replace(passage("甲.pdf", 0, 20), page_offsets=())
    (whole,) = pack([first, passage("甲.pdf", 18, 30)], 1000, prompt_length).passages
    assert (whole.page_start, whole.page_end, whole.page_offsets) == (1, 2, ())
    assert whole.pages_of(25, 28) == (1, 2)


def test_context_is_the_numbered_passages():
    packed = pack([passage("甲.pdf", 0, 2), passage("乙.pdf", 0, 3)], 1000, prompt_length)
    assert format_context(packed.passages) == f"[1] {FILES['甲.pdf'][:2]}\n\n[2] {FILES['乙.pdf'][:3]}"


def test_retrieved_documents_become_passages_with_all_they_know():
    metadata = {"source": "甲.pdf", "content_hash": "a1", "chunk_id": "c1", "score": 0.5}
    place = {"page_start": 2, "page_end": 3, "start": 20, "end": 24, "page_offsets": [17, 22]}
    (known,) = passages_of([Document("四个字符", metadata={**metadata, **place})])
    assert known == Passage("四个字符", "甲.pdf", 2, 3, 20, 24, (17, 22), 0.5)


def test_a_foreign_document_is_one_page_from_character_zero():
    (foreign,) = passages_of([Document("四个字符", metadata={"source": "网页"})])
    assert foreign == Passage("四个字符", "网页", 1, 1, 0, 4)
