"""A saved memory: whole or refused."""

from pathlib import Path

import numpy as np
import pytest

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.in_process.memory_file import SavedMemory, read_memory, write_memory
from chinese_llm_rag.llms.rope import RopeSpec

ROPE = RopeSpec("ntk", alpha=1.5)
STATE = np.arange(5000, dtype=np.uint8)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "手册.memory"
    write_memory(path, "model 甲", SavedMemory([1, 2, 55_295], STATE, ROPE))
    return path


def test_it_comes_back_as_it_was(saved: Path) -> None:
    memory = read_memory(saved, "model 甲")
    assert (memory.tokens, memory.rope) == ([1, 2, 55_295], ROPE)
    assert np.array_equal(memory.state, STATE)


def test_it_takes_hardly_more_room_than_the_state(saved: Path) -> None:
    assert saved.stat().st_size < STATE.nbytes + 500
    assert [p.name for p in saved.parent.iterdir() if p.suffix] == [saved.name]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda b: b[:-1], "damaged"),
        (lambda b: b[:500], "damaged"),
        (lambda b: b[:-9] + b"\0" + b[-8:], "damaged"),
        (lambda b: b"", "something else"),
        (lambda b: b"%PDF-1.7\n" + b, "something else"),
        (lambda b: b.replace(b'"n_tokens": 3', b'"n_tokens": "x"'), "something else"),
        (lambda b: b.replace(b'"n_bytes": 5000', b'"n_bytes": 5000000000000'), "damaged"),
        (lambda b: b.replace(b'"method": "ntk"', b'"method": "magic"'), "something else"),
    ],
    ids=["a byte short", "cut", "a byte changed", "empty", "a PDF", "no number", "a huge number", "no RoPE"],
)
def test_a_damaged_or_foreign_file_is_refused_by_name(saved: Path, damage, reason: str) -> None:
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(ModelLoadError, match=reason) as caught:
        read_memory(saved, "model 甲")
    assert str(saved) in str(caught.value)
    assert "save_prefix" in str(caught.value.hint)


def test_the_memory_of_another_model_is_refused(saved: Path) -> None:
    with pytest.raises(ModelLoadError, match="another model"):
        read_memory(saved, "model 乙")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="No such file"):
        read_memory(tmp_path / "nothing", "model 甲")
