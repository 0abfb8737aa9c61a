"""Conversations taken up again: the right memory comes back, the bound holds, the oldest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.llms.in_process.prefix_memory import WORTH_KEEPING, PrefixMemory
from chinese_llm_rag.testing import NgramTokenModel

N = WORTH_KEEPING


def conversation(start: int, length: int = 2 * N) -> list[int]:
    return [start, *([start + 1] * (length - 1))]


def read(model: NgramTokenModel, memory: PrefixMemory, prompt: list[int], key: object = None) -> int:
    """Tokens that had to be read."""
    memory.prepare(model, prompt, key)
    common = next((i for i, (a, b) in enumerate(zip(model.memory, prompt, strict=False)) if a != b), None)
    kept = model.keep(min(len(model.memory), len(prompt)) if common is None else common)
    for at in range(kept, len(prompt), 16):
        model.read(prompt[at : at + 16], 0)
    return len(prompt) - kept


def test_a_conversation_taken_up_again_is_not_read_again() -> None:
    model, memory = NgramTokenModel(), PrefixMemory(10_000_000)
    one, two = conversation(1), conversation(3)
    assert read(model, memory, one) == 2 * N
    assert read(model, memory, two) == 2 * N
    assert read(model, memory, [*one, 9, 9]) == 2
    assert read(model, memory, [*two, 9]) == 1
    assert read(model, memory, [*one, 9, 9, 8]) == 1


def test_a_snapshot_that_would_have_to_be_cut_is_no_use_where_memories_cannot_be() -> None:
    model, memory = NgramTokenModel(cuttable=False), PrefixMemory(10_000_000)
    one, two = conversation(1), conversation(3)
    read(model, memory, [*one, 9])
    read(model, memory, two)
    assert read(model, memory, [*one, 7]) == 2 * N + 1  # the last token differs: nothing of it is taken back
    assert read(model, memory, [*two, 9]) == 1  # which went on from what was put aside


def test_without_room_nothing_is_put_aside() -> None:
    model, memory = NgramTokenModel(), PrefixMemory(0)
    read(model, memory, conversation(1))
    assert read(model, memory, conversation(3)) == 2 * N
    assert read(model, memory, conversation(1)) == 2 * N
    assert len(memory) == 0


def test_the_least_recently_used_goes_when_the_bound_is_reached() -> None:
    model = NgramTokenModel()
    memory = PrefixMemory(2 * 2 * N * 1000)  # two conversations of a thousand bytes a token
    for start in (1, 3, 5):
        read(model, memory, conversation(start))
    assert read(model, memory, conversation(1)) == 0  # puts 5 aside, so 3, used longest ago, has to go
    assert read(model, memory, conversation(3)) == 2 * N


def test_what_was_computed_with_another_rope_is_not_used() -> None:
    model, memory = NgramTokenModel(), PrefixMemory(10_000_000)
    read(model, memory, conversation(1), "alpha 1")
    memory.put_aside(model, "alpha 1")
    model.keep(0)
    assert read(model, memory, conversation(1), "alpha 2") == 2 * N
    model.keep(0)
    assert read(model, memory, conversation(1), "alpha 1") == 0


def test_a_longer_snapshot_replaces_the_one_it_goes_on_from() -> None:
    model, memory = NgramTokenModel(), PrefixMemory(10_000_000)
    read(model, memory, conversation(1))
    memory.put_aside(model, None)
    read(model, memory, [*conversation(1), 7, 7])
    memory.put_aside(model, None)
    memory.put_aside(model, None)
    assert len(memory) == 1


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3 * N)), min_size=1, max_size=12), st.integers(0, 2_000_000)
)
def test_the_bound_holds_and_memory_is_never_of_other_tokens(turns, most_bytes: int) -> None:
    model, memory = NgramTokenModel(), PrefixMemory(most_bytes)
    for start, length in turns:
        prompt = conversation(2 * start, length)
        read(model, memory, prompt)
        assert model.memory == prompt
        assert memory.size_bytes <= most_bytes
