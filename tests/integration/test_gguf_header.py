"""GGUF headers: read right, fast, and never past what the file can hold."""

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.gguf.header import read_gguf_header
from chinese_llm_rag.llms.gguf.types import FILE_TYPES, TENSOR_TYPES


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("小模型")
    writer.add_context_length(4096)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_array("llama.attention.head_count_kv", [4, 2])
    writer.add_bool("some.flag", val=True)
    writer.add_int64("some.negative", -5)
    writer.add_token_list([f"词{n}" for n in range(2000)])
    writer.add_token_scores([0.0] * 2000)
    writer.add_tensor("token_embd.weight", np.ones((2000, 32), dtype=np.float16))
    writer.add_tensor(
        "blk.0.attn_q.weight", np.zeros((3, 34), dtype=np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_metadata_has_its_values_and_vocabularies_are_counted_only(model: Path) -> None:
    header = read_gguf_header(model)
    assert (header.version, header.architecture) == (3, "llama")
    assert header.metadata["general.name"] == "小模型"
    assert header.metadata["llama.context_length"] == header.number("context_length") == 4096
    assert header.metadata["llama.rope.freq_base"] == 10_000.0
    assert header.metadata["llama.attention.head_count_kv"] == (4, 2)
    assert header.metadata["some.flag"] is True
    assert header.metadata["some.negative"] == -5
    assert header.array_lengths["tokenizer.ggml.tokens"] == 2000
    assert header.array_lengths["tokenizer.ggml.scores"] == 2000
    assert not any(key.startswith("tokenizer.") and key.endswith(("tokens", "scores")) for key in header.metadata)
    assert header.vocabulary_size == 2000
    assert header.quantization == "Q4_K_M"


def test_tensors_have_their_shapes_types_and_bytes(model: Path) -> None:
    embedding, query = read_gguf_header(model).tensors
    assert (embedding.name, embedding.shape, embedding.type_name) == ("token_embd.weight", (32, 2000), "F16")
    assert embedding.n_bytes == 2000 * 32 * 2
    # three rows of one block: 32 items in 34 bytes
    assert (query.shape, query.type_name, query.n_bytes) == ((32, 3), "Q8_0", 102)
    assert query.offset == 128_000  # 2000 · 32 · 2, which is a multiple of 32


def test_places_agree_with_the_format_packages_own_reader(model: Path) -> None:
    header = read_gguf_header(model)
    reader = gguf.GGUFReader(model)
    assert header.data_start == reader.data_offset
    assert [(t.name, header.data_start + t.offset, t.n_bytes) for t in header.tensors] == [
        (t.name, t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert header.weight_bytes == 128_102
    assert header.missing_bytes == 0


def test_version_2_is_read(model: Path, tmp_path: Path) -> None:
    raw = bytearray(model.read_bytes())
    raw[4:8] = struct.pack("<I", 2)
    older = tmp_path / "older.gguf"
    older.write_bytes(raw)
    assert read_gguf_header(older).version == 2


def test_without_a_stated_file_type_the_weightiest_tensor_type_counts(model: Path, tmp_path: Path) -> None:
    raw = model.read_bytes().replace(b"general.file_type", b"general.file_tipe")
    other = tmp_path / "other.gguf"
    other.write_bytes(raw)
    assert read_gguf_header(other).quantization == "F16"


def test_cut_off_weights_are_an_error_that_gives_both_lengths(model: Path) -> None:
    size = model.stat().st_size
    needed = read_gguf_header(model).needed_bytes
    with model.open("r+b") as file:
        file.truncate(needed - 1000)
    assert needed <= size
    with pytest.raises(
        ModelLoadError, match=f"incomplete: {needed - 1000} bytes, but its tensors end at {needed}"
    ) as e:
        read_gguf_header(model)
    assert "fetch the file again" in str(e.value.hint)
    assert read_gguf_header(model, allow_incomplete=True).missing_bytes == 1000


def test_any_cut_within_the_header_is_one_of_our_errors(model: Path, tmp_path: Path) -> None:
    raw = model.read_bytes()
    end = read_gguf_header(model).data_start
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, 700, 7), end // 2, end - 40]:
        cut.write_bytes(raw[:length])
        with pytest.raises(ModelLoadError):
            read_gguf_header(cut)


def head(*fields: bytes, n_tensors: int = 0, n_keys: int = 1, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + b"".join(fields)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


HUGE = 1 << 62
DAMAGED = {
    "a huge count of keys": (head(n_keys=HUGE), f"metadata count is {HUGE}"),
    "a huge count of tensors": (head(n_tensors=HUGE), f"tensor count is {HUGE}"),
    "a huge key": (head(struct.pack("<Q", HUGE)), f"length of key is {HUGE}"),
    "a huge string": (head(text(b"k"), struct.pack("<IQ", 8, HUGE)), f"length of k is {HUGE}"),
    "a huge array": (head(text(b"k"), struct.pack("<IIQ", 9, 4, HUGE)), f"length of k is {HUGE}"),
    "a huge array of strings": (head(text(b"k"), struct.pack("<IIQ", 9, 8, HUGE)), f"length of k is {HUGE}"),
    "a huge string in an array": (
        head(text(b"k"), struct.pack("<IIQQ", 9, 8, 2, HUGE)),
        "k is '2 strings', expected all inside the file",
    ),
    "an unknown type": (head(text(b"k"), struct.pack("<I", 77)), "type of k is 77"),
    "an array in an array": (head(text(b"k"), struct.pack("<IIQ", 9, 9, 1)), "type of k is 9"),
    "a key that is no text": (head(text(b"\xff\xfe")), r"key is b'\\xff\\xfe', expected UTF-8"),
    "an alignment of 0": (
        head(text(b"general.alignment"), struct.pack("<II", 4, 0)),
        r"general\.alignment is 0, expected a power of two",
    ),
    "no dimensions": (head(text(b"t"), struct.pack("<I", 0), n_tensors=1, n_keys=0), "dimensions of t is 0"),
    "a huge tensor": (
        head(text(b"t"), struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0), n_tensors=1, n_keys=0),
        "shape of t is",
    ),
    "a broken block": (
        head(text(b"t"), struct.pack("<IQIQ", 1, 33, 8, 0), n_tensors=1, n_keys=0),
        r"shape of t is \(33,\), expected multiples of 32",
    ),
    "version 1": (head(version=1), "version 1, expected 2 or 3"),
    "version 9": (head(version=9), "version 9, expected 2 or 3"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_with_its_value(name: str, tmp_path: Path) -> None:
    content, shown = DAMAGED[name]
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content.ljust(4096, b"\0"))
    with pytest.raises(ModelLoadError, match=shown) as caught:
        read_gguf_header(path)
    assert caught.value.hint


def test_a_big_endian_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    path.write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0))
    with pytest.raises(ModelLoadError) as caught:
        read_gguf_header(path)
    assert "big-endian" in str(caught.value.hint)


def test_a_large_file_of_zeros_behind_a_huge_count_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    path.write_bytes(head(text(b"k"), struct.pack("<IIQ", 9, 8, 400_000_000)))
    with path.open("r+b") as file:
        file.truncate(4 << 30)  # a sparse file takes no space
    with pytest.raises(ModelLoadError, match="length of k is 400000000, expected at most 4194304"):
        read_gguf_header(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(4, 1200), value=st.integers(0, 255))
def test_one_wrong_byte_never_ends_in_anything_but_our_error(model: Path, place: int, value: int) -> None:
    raw = bytearray(model.read_bytes())
    raw[place] = value
    damaged = model.with_name("damaged.gguf")
    damaged.write_bytes(raw)
    try:
        header = read_gguf_header(damaged, allow_incomplete=True)
    except ModelLoadError as error:
        assert error.hint  # noqa: PT017
    else:
        assert header.file_bytes == len(raw)


def test_the_tables_of_numbers_are_the_formats_own() -> None:
    sizes = {int(kind): (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {number: sizes[number] for number in TENSOR_TYPES if number in sizes} == {
        number: entry for number, entry in TENSOR_TYPES.items() if number in sizes
    }
    assert len(TENSOR_TYPES) >= 34
    for kind in gguf.LlamaFileType:
        if kind.value in FILE_TYPES:
            assert kind.name.endswith(FILE_TYPES[kind.value])
