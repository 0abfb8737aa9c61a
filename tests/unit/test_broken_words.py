"""Words that a PDF breaks at a line's end become whole again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.broken_words import join_broken_words


def joined(page: str, *others: str) -> str:
    return join_broken_words([page, *others])[0]


@pytest.mark.parametrize("break_", ["\ufffe", "\u0002", "\ufffe\r\n", "\u0002\n"])
def test_a_broken_word_is_joined(break_):
    assert joined(f"向量 num{break_}bers 的长度") == "向量 numbers 的长度"


def test_a_word_takes_the_form_it_has_elsewhere_in_the_document():
    assert joined("Multi\ufffeArch", "see multi-arch here") == "Multi-Arch"
    assert joined("con\ufffefig", "a con and a fig", "the config file") == "config"
    assert joined("state-of-the\ufffeart", "The-art") == "state-of-the-art"


def test_two_words_of_the_document_keep_the_hyphen_between_them():
    assert joined("使用 signing\ufffekey 签名", "signing with a key") == "使用 signing-key 签名"


def test_a_part_that_stands_only_in_broken_words_is_no_word():
    assert joined("docu\ufffement 与 docu\ufffement", "the ment") == "document 与 document"


def test_a_number_or_a_capital_after_a_small_letter_keeps_its_hyphen():
    assert joined("Apache\ufffe2.0 许可") == "Apache-2.0 许可"
    assert joined("mini\ufffeHOWTO") == "mini-HOWTO"
    assert joined("IM\ufffePLIED") == "IMPLIED"


def test_a_word_broken_twice_is_joined_twice():
    assert joined("inter\ufffenational\ufffeization") == "internationalization"


@pytest.mark.parametrize("page", ["中\ufffe文", "\ufffe参数", "选项 \ufffe", "x\ufffe\r\n。"])
def test_a_mark_that_is_not_inside_a_word_is_a_hyphen(page):
    assert joined(page) == page.replace("\ufffe\r\n", "-").replace("\ufffe", "-")


parts = st.sampled_from(["num", "bers", "key", "numbers", "num-bers", "2", "图", " ", "-", "\r\n", "\ufffe", "\u0002"])


@given(st.lists(st.lists(parts).map("".join), max_size=4))
def test_no_mark_is_left_and_nothing_else_is_lost(pages):
    result = join_broken_words(pages)
    assert not {"\ufffe", "\u0002"} & set("".join(result))
    for before, after in zip(pages, result, strict=True):
        lost = dict.fromkeys(map(ord, "\ufffe\u0002-\r\n"))
        assert after.translate(lost) == before.translate(lost)


@given(st.lists(st.text(st.characters(exclude_characters="\ufffe\u0002")), max_size=4))
def test_pages_without_marks_stay_as_they_are(pages):
    assert join_broken_words(pages) == pages
