"""Which weights a model has, told from its files."""

from pathlib import Path

import pytest

from chinese_llm_rag.embeddings.weights_identity import weights_identity


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)) * 20_000)  # 5 MB: more than is read
    return path


def test_the_same_content_has_the_same_identity_under_any_name(weights, tmp_path):
    copy = tmp_path / "elsewhere.bin"
    copy.write_bytes(weights.read_bytes())
    assert weights_identity([copy]) == weights_identity([weights])
    assert len(weights_identity([weights])) == 12


@pytest.mark.parametrize("position", [0, -1])
def test_a_change_at_either_end_changes_the_identity(weights, position):
    before = weights_identity([weights])
    content = bytearray(weights.read_bytes())
    content[position] ^= 1
    weights.write_bytes(content)
    assert weights_identity([weights]) != before


def test_a_file_cut_short_has_another_identity(weights):
    before = weights_identity([weights])
    weights.write_bytes(weights.read_bytes()[:-256])
    assert weights_identity([weights]) != before


def test_any_change_of_a_small_file_changes_the_identity(tmp_path):
    path = tmp_path / "vocab.txt"
    seen = set()
    for position in range(0, 1000, 37):
        content = bytearray(1000)
        content[position] = 1
        path.write_bytes(content)
        seen.add(weights_identity([path]))
    assert len(seen) == len(range(0, 1000, 37))


def test_files_count_together_and_in_their_order(weights, tmp_path):
    other = tmp_path / "vocab.txt"
    other.write_text("的")
    identities = {weights_identity(files) for files in ([weights], [weights, other], [other, weights], [])}
    assert len(identities) == 4
