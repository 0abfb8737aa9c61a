"""What a splitter is known by in a knowledge base, and how it comes back from that."""

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.text_splitters import ChineseTextSplitter


def characters_and_one(text: str) -> int:
    return len(text) + 1


def named_like(length):
    """Functions of one name that measure as given."""

    def measure(text: str) -> int:
        return length(text)

    return measure


def test_the_identity_of_the_default_is_this():
    assert ChineseTextSplitter().identity == {
        "splitter": "chinese-2",
        "chunk_size": 400,
        "chunk_overlap": 0,
        "length": "characters",
    }


def test_without_structure_the_identity_is_that_of_the_first_version():
    assert ChineseTextSplitter(300, 20, structure=False).identity == {
        "splitter": "chinese-1",
        "chunk_size": 300,
        "chunk_overlap": 20,
        "length": "characters",
    }
    assert ChineseTextSplitter(length_function=characters_and_one, structure=False).identity["length"] == (
        "characters_and_one"
    )


def test_parents_and_structure_tell_splitters_apart():
    identities = [
        ChineseTextSplitter(40, **options).identity
        for options in ({}, {"parent_size": 80}, {"parent_size": 90}, {"structure": False})
    ]
    assert all(identities.count(identity) == 1 for identity in identities)


def test_functions_of_one_name_are_told_apart_by_what_they_measure():
    one, other, same = named_like(len), named_like(characters_and_one), named_like(len)
    identity = ChineseTextSplitter(length_function=one).identity
    assert identity == ChineseTextSplitter(length_function=same).identity
    assert identity != ChineseTextSplitter(length_function=other).identity


@pytest.mark.parametrize("options", [{}, {"parent_size": 90}, {"structure": False}])
@pytest.mark.parametrize("length", [len, characters_and_one])
def test_a_splitter_comes_back_from_its_identity(options, length):
    identity = ChineseTextSplitter(40, 5, length, **options).identity
    assert ChineseTextSplitter.from_identity(identity, length).identity == identity


@pytest.mark.parametrize(
    "changes",
    [{"splitter": "chinese-99"}, {"splitter": None}, {"length": "tokens"}, {"another": 1}],
)
def test_an_identity_of_no_splitter_of_this_version_is_refused(changes):
    with pytest.raises(ConfigError, match="no splitter of this version") as caught:
        ChineseTextSplitter.from_identity({**ChineseTextSplitter().identity, **changes})
    assert caught.value.setting == "splitter"
