"""What happens to texts before they are encoded."""

from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.embeddings.texts import encodable, iter_batches


@given(st.lists(st.text(max_size=30)), st.integers(1, 5), st.integers(1, 40))
def test_batches_hold_every_text_once_in_order_and_within_both_limits(texts, max_texts, max_chars):
    batches = list(iter_batches(texts, max_texts=max_texts, max_chars=max_chars))
    assert [position for batch in batches for position in batch] == list(range(len(texts)))
    for batch in batches:
        assert 1 <= len(batch) <= max_texts
        assert len(batch) == 1 or sum(len(texts[position]) for position in batch) <= max_chars


def test_a_batch_takes_as_many_texts_as_fit():
    assert list(iter_batches(["aa", "aa", "a", "aaaaaaa", "a"], max_texts=9, max_chars=5)) == [[0, 1, 2], [3], [4]]


@given(st.text(st.characters(codec=None)))
def test_an_encodable_text_has_no_nul_keeps_its_length_and_can_be_encoded(text):
    result = encodable(text)
    result.encode("utf-8")
    assert "\0" not in result
    assert len(result) == len(text)


def test_an_ordinary_text_is_left_as_it_is():
    text = "增值税 13%，😀\n𠮷野家"
    assert encodable(text) == text
