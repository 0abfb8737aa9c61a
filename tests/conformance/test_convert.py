"""HF folder -> GGUF -> smaller GGUF: the same logits in llama.cpp, the same words for positions, the same pieces."""

import json
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import sentencepiece
import torch
import transformers
from gguf import GGUFReader

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.gguf.header import read_gguf_header
from chinese_llm_rag.llms.llama.log import capture_log
from chinese_llm_rag.llms.rope_in_file import rope_of_gguf
from chinese_llm_rag.model_tools.convert import convert_to_gguf, paired_rows
from chinese_llm_rag.model_tools.quantize import quantize_gguf
from chinese_llm_rag.model_tools.sentencepiece_model import read_pieces

TEXT = "图书馆九点开门，门口总有人等着。The library opens at nine.\n数字 42 😀"
ROPES = {
    "none": None,
    "PI": {"rope_type": "linear", "factor": 4.0},
    "YaRN": {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 64},
    "YaRN with the usual factor written out": {
        "rope_type": "yarn",
        "factor": 16.0,
        "original_max_position_embeddings": 64,
        "attention_factor": 1.2772588722239782,
    },
    "YaRN with a factor of its own": {
        "rope_type": "yarn",
        "factor": 16.0,
        "original_max_position_embeddings": 64,
        "attention_factor": 1.1,
    },
}


def write_model(folder: Path, vocabulary, rope=None, *, pieces: int | None = None, **options) -> Path:
    """A small random llama with wide attention projections and a sentencepiece tokenizer."""
    settings = {
        "vocab_size": pieces or len(vocabulary.pieces),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": {"linear": 4096, "yarn": 1024}.get((rope or {}).get("rope_type"), 1024),
        "rms_norm_eps": 1e-5,
        **options,
    }
    config = transformers.LlamaConfig(**settings, rope_parameters={"rope_theta": 10_000.0, **(rope or {})})
    model = transformers.LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                scale = 0.18 if "attn" in name else 0.12 if "lm_head" in name or "embed" in name else 0.05
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    model.save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(vocabulary.processor.serialized_model_proto())
    return folder


@pytest.fixture(scope="module")
def plain(vocabulary, tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("convert") / "chinese-alpaca-2-7b", vocabulary)


def llama(path: Path, **options) -> llama_cpp.Llama:
    capture_log(llama_cpp)
    return llama_cpp.Llama(
        str(path),
        n_ctx=512,
        logits_all=True,
        verbose=False,
        rope_freq_base=0,  # as the file says
        rope_freq_scale=0,
        n_threads=2,
        type_k=llama_cpp.GGML_TYPE_F32,
        type_v=llama_cpp.GGML_TYPE_F32,
        **options,
    )


def logits_of(path: Path, ids: list[int], **options) -> np.ndarray:
    model = llama(path, **options)
    try:
        model.eval(ids)
        return np.array(model.scores[: len(ids)])
    finally:
        model.close()


def expected_logits(folder: Path, ids: list[int]) -> np.ndarray:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


@pytest.mark.parametrize("rope", ROPES.values(), ids=ROPES.keys())
def test_logits_in_llama_cpp_equal_those_of_transformers(vocabulary, tmp_path, rope):
    folder = write_model(tmp_path / "model", vocabulary, rope)
    convert_to_gguf(folder, tmp_path / "model.gguf", dtype="f32")
    generator = np.random.default_rng(0)
    ids = [1, *map(int, generator.integers(300, len(vocabulary.pieces), 300))]
    expected, found = expected_logits(folder, ids), logits_of(tmp_path / "model.gguf", ids)
    assert float(np.abs(expected - found).max()) < 1e-4
    assert float(expected.std()) > 0.5


def test_bounds_of_yarn_are_kept_in_the_file_for_runtimes_to_set(vocabulary, tmp_path):
    # llama.cpp itself reads them for no llama model: what loads the file must pass them on.
    rope = {**ROPES["YaRN"], "beta_fast": 20.0, "beta_slow": 2.0}
    folder = write_model(tmp_path / "model", vocabulary, rope)
    convert_to_gguf(folder, tmp_path / "model.gguf", dtype="f32")
    spec = rope_of_gguf(read_gguf_header(tmp_path / "model.gguf").metadata)
    assert (spec.beta_fast, spec.beta_slow) == (20.0, 2.0)
    ids = [1, *range(300, 500)]
    bounds = {"yarn_beta_fast": spec.beta_fast, "yarn_beta_slow": spec.beta_slow}
    difference = np.abs(expected_logits(folder, ids) - logits_of(tmp_path / "model.gguf", ids, **bounds))
    assert float(difference.max()) < 1e-4


def test_grouped_heads_and_tied_embeddings_come_out_right(vocabulary, tmp_path):
    folder = write_model(tmp_path / "model", vocabulary, num_key_value_heads=2, tie_word_embeddings=True)
    convert_to_gguf(folder, tmp_path / "model.gguf", dtype="f32")
    ids = [1, *range(300, 360)]
    difference = np.abs(expected_logits(folder, ids) - logits_of(tmp_path / "model.gguf", ids))
    assert float(difference.max()) < 1e-4


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        (None, {"llama.context_length": 1024}),
        (
            ROPES["PI"],
            {
                "llama.rope.scaling.type": "linear",
                "llama.rope.scaling.factor": 4.0,
                "llama.rope.scaling.original_context_length": 4096,
                "llama.context_length": 16_384,
            },
        ),
        (
            ROPES["YaRN"],
            {
                "llama.rope.scaling.type": "yarn",
                "llama.rope.scaling.factor": 16.0,
                "llama.rope.scaling.original_context_length": 64,
                "llama.context_length": 1024,
            },
        ),
    ],
    ids=["none", "PI", "YaRN"],
)
def test_the_file_states_positions_and_the_extended_window(vocabulary, tmp_path, rope, expected):
    # The family's vocabulary, by which a linear factor over its trained window is known.
    folder = write_model(tmp_path / "model", vocabulary, rope, pieces=55_296, num_hidden_layers=1, hidden_size=16)
    done = convert_to_gguf(folder, tmp_path / "model.gguf")
    metadata = read_gguf_header(tmp_path / "model.gguf").metadata
    assert {key: metadata[key] for key in expected} == expected
    assert ("llama.rope.scaling.type" in metadata) is (rope is not None)
    assert done.context_length == expected["llama.context_length"]


def test_a_folder_named_after_a_model_of_the_family_gives_its_name(plain, tmp_path):
    convert_to_gguf(plain, tmp_path / "a.gguf")
    metadata = read_gguf_header(tmp_path / "a.gguf").metadata
    assert metadata["general.name"] == "chinese-alpaca-2-7b"
    assert metadata["general.file_type"] == 1


def test_tokens_are_those_of_sentencepiece(vocabulary, plain, tmp_path):
    convert_to_gguf(plain, tmp_path / "a.gguf")
    model = llama(tmp_path / "a.gguf")
    try:
        for text in (TEXT, " 两个  空格", "你好", "hello how are you", "鑫龘"):
            assert model.tokenize(text.encode(), add_bos=True, special=False) == [1, *vocabulary.processor.encode(text)]
        assert (model.token_bos(), model.token_eos()) == (1, 2)
    finally:
        model.close()


def test_pieces_are_read_as_sentencepiece_reads_them(vocabulary, plain):
    processor = sentencepiece.SentencePieceProcessor(model_file=str(plain / "tokenizer.model"))
    pieces = read_pieces(plain / "tokenizer.model")
    assert [p.text for p in pieces] == [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    assert [p.score for p in pieces] == [processor.get_score(i) for i in range(processor.get_piece_size())]
    assert [p.type for p in pieces] == vocabulary.types


def test_added_tokens_and_rows_without_a_piece_are_kept_apart_from_text(vocabulary, tmp_path):
    n = len(vocabulary.pieces)
    folder = write_model(tmp_path / "model", vocabulary, pieces=n + 4)
    settings = {
        "pad_token": "<pad>",
        "added_tokens_decoder": {str(n + 1): {"content": "<pad>", "special": True}},
        "chat_template": "{{ messages }}",
        "add_bos_token": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    convert_to_gguf(folder, tmp_path / "a.gguf")
    reader = GGUFReader(tmp_path / "a.gguf")
    tokens = [bytes(reader.fields["tokenizer.ggml.tokens"].parts[i]).decode() for i in (-1,)]
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    assert tokens == [f"[PAD{n + 3}]"]
    assert types[n:] == [5, 3, 5, 5]
    metadata = read_gguf_header(tmp_path / "a.gguf").metadata
    assert metadata["tokenizer.ggml.padding_token_id"] == n + 1
    assert metadata["tokenizer.chat_template"] == "{{ messages }}"
    assert metadata["tokenizer.ggml.add_bos_token"] is False


@pytest.mark.parametrize(("dtype", "tolerance"), [("f16", 0.01), ("bf16", 0.06)])
def test_halves_are_stored_as_such_and_vectors_in_f32(plain, tmp_path, dtype, tolerance):
    convert_to_gguf(plain, tmp_path / "a.gguf", dtype=dtype)
    types = {tensor.name: tensor.type_name for tensor in read_gguf_header(tmp_path / "a.gguf").tensors}
    assert types["blk.0.attn_q.weight"] == dtype.upper()
    assert types["blk.0.attn_norm.weight"] == "F32"
    ids = [1, *range(300, 340)]
    difference = np.abs(expected_logits(plain, ids) - logits_of(tmp_path / "a.gguf", ids))
    assert float(difference.max()) < tolerance


def test_paired_rows_put_the_halves_of_a_head_side_by_side():
    rows = np.arange(8)[:, None]  # two heads of four rows
    assert paired_rows(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def with_config(folder: Path, **changes) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def test_what_cannot_be_converted_is_named_and_leaves_nothing(vocabulary, plain, tmp_path):
    def copy(name: str, **changes) -> Path:
        return with_config(write_model(tmp_path / name, vocabulary, num_hidden_layers=1), **changes)

    short = copy("short", vocab_size=len(vocabulary.pieces) - 1)
    unnamed = write_model(tmp_path / "no tokenizer", vocabulary)
    (unnamed / "tokenizer.model").unlink()
    damaged = write_model(tmp_path / "damaged tokenizer", vocabulary)
    (damaged / "tokenizer.model").write_bytes(b"\x0a\xff\xff\xff\xff\x0fx")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    cases = [
        (copy("qwen", model_type="qwen2"), "'qwen2'"),
        (copy("awq", quantization_config={"quant_method": "awq"}), "quantized (awq)"),
        (copy("ntk", rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}), "adaptive_ntk"),
        (short, "pieces, the model"),
        (unnamed, "tokenizer.model' is missing"),
        (damaged, "no sentencepiece model"),
        (adapter, "is a LoRA package"),
        (tmp_path / "没有", "no model folder"),
    ]
    for folder, message in cases:
        with pytest.raises(ModelLoadError) as raised:
            convert_to_gguf(folder, tmp_path / "out.gguf")
        assert message in str(raised.value)
        assert raised.value.hint
    assert not list(tmp_path.glob("out.gguf*"))
    (tmp_path / "there.gguf").touch()
    with pytest.raises(ConfigError, match="exists"):
        convert_to_gguf(plain, tmp_path / "there.gguf")


def test_a_model_with_weights_of_its_own_is_refused(vocabulary, tmp_path):
    folder = write_model(tmp_path / "model", vocabulary, num_hidden_layers=1)
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "model.layers.0.self_attn.q_norm.weight": torch.ones(16)}, folder / "model.safetensors")
    with pytest.raises(ModelLoadError, match="q_norm"):
        convert_to_gguf(folder, tmp_path / "out.gguf")


@pytest.fixture(scope="module")
def whole(vocabulary, tmp_path_factory) -> Path:
    """A file in f16 that is wide enough for the K types, whose blocks are 256 values."""
    folder = tmp_path_factory.mktemp("wide")
    write_model(folder / "model", vocabulary, hidden_size=256, intermediate_size=512, num_hidden_layers=1)
    convert_to_gguf(folder / "model", folder / "model.gguf")
    return folder / "model.gguf"


@pytest.mark.parametrize(("kind", "stored", "likeness"), [("Q8_0", "Q8_0", 0.999), ("q4_k", "Q4_K", 0.9)])
def test_a_quantized_file_loads_and_says_nearly_the_same(whole, tmp_path, kind, stored, likeness):
    done = quantize_gguf(whole, tmp_path / "small.gguf", kind, n_threads=1)
    types = {tensor.type_name for tensor in read_gguf_header(tmp_path / "small.gguf").tensors}
    assert stored in types
    assert done.size_bytes < done.source_bytes * 0.75
    ids = [1, *range(300, 340)]
    expected, found = logits_of(whole, ids), logits_of(tmp_path / "small.gguf", ids)
    assert likeness < float(np.corrcoef(expected.ravel(), found.ravel())[0, 1]) < 1


def test_what_cannot_be_quantized_is_named_and_leaves_nothing(whole, tmp_path):
    quantize_gguf(whole, tmp_path / "small.gguf", "Q8_0", n_threads=1)
    (tmp_path / "cut.gguf").write_bytes(whole.read_bytes()[:5000])
    for source, kind, error, message in (
        (whole, "Q9_K", ConfigError, "'Q9_K'"),
        (whole, "IQ1_S", ConfigError, "'IQ1_S'"),
        (tmp_path / "small.gguf", "Q4_K_M", ModelLoadError, "quantized already"),
        (tmp_path / "cut.gguf", "Q4_K_M", ModelLoadError, "cut.gguf"),
        (tmp_path / "没有.gguf", "Q4_K_M", ModelLoadError, "没有.gguf"),
    ):
        with pytest.raises(error) as raised:
            quantize_gguf(source, tmp_path / "out.gguf", kind, n_threads=1)
        assert message in str(raised.value)
        assert raised.value.hint
    assert not list(tmp_path.glob("out.gguf*"))
    with pytest.raises(ConfigError, match="exists"):
        quantize_gguf(whole, tmp_path / "small.gguf", "Q8_0")


def test_llama_cpps_own_refusal_is_passed_on(whole, tmp_path):
    data = bytearray(whole.read_bytes())
    place = data.index(b"general.architecture") + len(b"general.architecture") + 4 + 8
    data[place : place + 5] = b"xyzzy"
    (tmp_path / "foreign.gguf").write_bytes(data)
    with pytest.raises(ModelLoadError, match=r"llama\.cpp could not quantize"):
        quantize_gguf(tmp_path / "foreign.gguf", tmp_path / "out.gguf", "Q8_0", n_threads=1)
