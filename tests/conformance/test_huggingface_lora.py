"""LoRA adapters unmerged over transformers, and weights that are quantized: while loading, or as stored."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.backend import GenerationParams, Vocabulary
from chinese_llm_rag.llms.huggingface import TransformersBackend

small_models = sys.modules["small_models"]

WIDTH, RANK, ALPHA = 32, 4, 8
SHAPE = {"width": WIDTH, "heads": 2, "layers": 1}
PROJECTIONS = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.v_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (2 * WIDTH, WIDTH),
    "mlp.down_proj": (WIDTH, 2 * WIDTH),
}
IDS = [1, 300, 301, 302, 303, 304]


@pytest.fixture(scope="module")
def small_vocabulary():
    """Of the base: the adapter brings a larger one, as the family's does over Llama 2's."""
    return small_models.train_vocabulary(700)


@pytest.fixture(scope="module")
def base(small_vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "base"
    return small_models.write_folder(folder, small_vocabulary, small_models.random_weights(5), **SHAPE)


def write_adapter(folder: Path, vocabulary=None, *, width: int = WIDTH, seed: int = 0) -> Path:
    """An adapter as the family publishes them; with a vocabulary it brings embeddings, lm-head and tokenizer."""
    folder.mkdir()
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    tensors = {}
    for name, (rows, columns) in PROJECTIONS.items():
        stem = f"base_model.model.model.layers.0.{name}"
        tensors[f"{stem}.lora_A.weight"] = draw(RANK, columns * width // WIDTH)
        tensors[f"{stem}.lora_B.weight"] = draw(rows * width // WIDTH, RANK)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "llama-2-7b",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.05,
        "bias": "none",
        "target_modules": [name.partition(".")[2] for name in PROJECTIONS],
        "modules_to_save": None,
    }
    if vocabulary is not None:
        tensors["base_model.model.model.embed_tokens.weight"] = draw(len(vocabulary.pieces), width)
        tensors["base_model.model.lm_head.weight"] = draw(len(vocabulary.pieces), width)
        config["modules_to_save"] = ["embed_tokens", "lm_head"]
        (folder / "tokenizer.model").write_bytes(vocabulary.processor.serialized_model_proto())
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def merged_by_hand(base: Path, adapters: list[Path], target: Path) -> Path:
    """base + alpha / r * B A for each adapter, and what the adapters replace."""
    shutil.copytree(base, target)
    tensors = load_file(base / "model.safetensors")
    for adapter in adapters:
        lora = load_file(adapter / "adapter_model.safetensors")
        for name in PROJECTIONS:
            stem = f"base_model.model.model.layers.0.{name}"
            product = lora[f"{stem}.lora_B.weight"] @ lora[f"{stem}.lora_A.weight"]
            tensors[f"model.layers.0.{name}.weight"] += ALPHA / RANK * product
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[name] = lora.get(f"base_model.model.{name}", tensors[name])
    save_file(tensors, target / "model.safetensors", {"format": "pt"})
    config = json.loads((target / "config.json").read_text())
    config["vocab_size"] = len(tensors["lm_head.weight"])
    (target / "config.json").write_text(json.dumps(config))
    return target


def logits(backend: TransformersBackend) -> np.ndarray:
    backend._model.keep(0)
    return np.array(backend._model.read(IDS, len(IDS)))


class TestLora:
    def test_a_package_with_a_larger_vocabulary_equals_its_merged_model(
        self, base: Path, vocabulary, tmp_path: Path
    ) -> None:
        adapter = write_adapter(tmp_path / "lora", vocabulary)
        backend = TransformersBackend(base, lora=[adapter])
        assert backend.vocabulary == Vocabulary("llama", 900)
        assert backend.token_ids("图书馆九点开门") == vocabulary.processor.encode("图书馆九点开门")
        merged = TransformersBackend(merged_by_hand(base, [adapter], tmp_path / "merged"))
        assert logits(backend).shape == (len(IDS), 900)
        assert np.abs(logits(backend) - logits(merged)).max() < 1e-4
        assert np.abs(logits(backend)[:, :700] - logits(TransformersBackend(base))).max() > 1

    def test_several_adapters_add_up(self, base: Path, tmp_path: Path) -> None:
        adapters = [write_adapter(tmp_path / f"lora{seed}", seed=seed) for seed in (1, 2)]
        both = TransformersBackend(base, lora=adapters)
        merged = TransformersBackend(merged_by_hand(base, adapters, tmp_path / "merged"))
        assert np.abs(logits(both) - logits(merged)).max() < 1e-4

    def test_a_second_adapter_goes_over_one_that_brings_a_vocabulary(
        self, base: Path, vocabulary, tmp_path: Path
    ) -> None:
        adapters = [write_adapter(tmp_path / "first", vocabulary, seed=1), write_adapter(tmp_path / "second", seed=2)]
        both = TransformersBackend(base, lora=adapters)
        merged = TransformersBackend(merged_by_hand(base, adapters, tmp_path / "merged"))
        assert np.abs(logits(both) - logits(merged)).max() < 1e-4

    def test_pickled_adapters_load_too(self, base: Path, vocabulary, tmp_path: Path) -> None:
        adapter = write_adapter(tmp_path / "lora", vocabulary)
        expected = logits(TransformersBackend(base, lora=[adapter]))
        file = adapter / "adapter_model.safetensors"
        torch.save({name: torch.from_numpy(t) for name, t in load_file(file).items()}, adapter / "adapter_model.bin")
        file.unlink()
        assert (logits(TransformersBackend(base, lora=[adapter])) == expected).all()

    def test_long_context_works_over_an_adapter(self, base: Path, tmp_path: Path) -> None:
        adapter = write_adapter(tmp_path / "lora")
        backend = TransformersBackend(base, lora=[adapter], rope=_adaptive(), context_window=1_500)
        params = GenerationParams(temperature=0, max_tokens=4)
        assert list(backend.generate("问" * 1_300, params))[-1].finish_reason == "length"

    def test_an_adapter_for_another_width_is_refused(self, base: Path, tmp_path: Path) -> None:
        adapter = write_adapter(tmp_path / "wide", width=64)
        with pytest.raises(ModelLoadError, match=r"wide' is for another base: size mismatch for .*lora_A") as caught:
            TransformersBackend(base, lora=[adapter])
        assert "names the base" in str(caught.value.hint)

    def test_an_adapter_for_other_layers_is_refused(self, base: Path, tmp_path: Path) -> None:
        adapter = write_adapter(tmp_path / "deep")
        tensors = load_file(adapter / "adapter_model.safetensors")
        deeper = {name.replace("layers.0", "layers.7"): tensor for name, tensor in tensors.items()}
        save_file(tensors | deeper, adapter / "adapter_model.safetensors", {"format": "pt"})
        with pytest.raises(ModelLoadError, match=r"deep' is for another base: .*layers\.7"):
            TransformersBackend(base, lora=[adapter])

    def test_an_adapter_with_a_smaller_vocabulary_is_for_another_base(
        self, small_vocabulary, vocabulary, tmp_path: Path
    ) -> None:
        large = small_models.write_folder(tmp_path / "large", vocabulary, small_models.random_weights(5), **SHAPE)
        adapter = write_adapter(tmp_path / "lora", small_vocabulary)
        with pytest.raises(ModelLoadError, match="another base: 700 embeddings against 900"):
            TransformersBackend(large, lora=[adapter])

    def test_what_is_no_adapter_is_said_to_be_that(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelLoadError, match="is a whole model, not a LoRA adapter"):
            TransformersBackend(base, lora=[base])
        with pytest.raises(ModelLoadError, match="is not a LoRA adapter: it lacks"):
            TransformersBackend(base, lora=[tmp_path])

    def test_an_adapter_alone_is_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelLoadError, match=r"LoRA without its base.*'llama-2-7b'") as caught:
            TransformersBackend(write_adapter(tmp_path / "lora"))
        assert "models merge" in str(caught.value.hint)

    def test_the_16k_package_of_the_family_brings_its_rope(self, base: Path, tmp_path: Path, monkeypatch) -> None:
        from chinese_llm_rag.llms.hf import plan as huggingface_plan
        from chinese_llm_rag.models import FAMILY_VOCABULARY

        adapter = write_adapter(tmp_path / "chinese-alpaca-2-lora-7b-16k")
        monkeypatch.setattr(huggingface_plan, "grown_vocabulary", lambda _folders: FAMILY_VOCABULARY)
        backend = TransformersBackend(base, lora=[adapter], context_window=512)
        assert (backend.rope.method, backend.rope.factor) == ("linear", 4.0)


def _adaptive():
    from chinese_llm_rag.llms.rope import RopeSpec

    return RopeSpec("adaptive_ntk")


class TestQuantizationWhileLoading:
    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("quantized") / "model"
        vocabulary, weights = small_models.train_vocabulary(), small_models.random_weights(6)
        return small_models.write_folder(path, vocabulary, weights, width=128, heads=2, layers=2)

    @pytest.mark.parametrize(("kind", "most"), [("int8", 0.05), ("nf4", 0.35)])
    def test_the_weights_are_smaller_and_the_logits_near(self, folder: Path, kind: str, most: float) -> None:
        plain, quantized = TransformersBackend(folder), TransformersBackend(folder, quantization=kind)
        expected, got = logits(plain), logits(quantized)
        error = np.sqrt(((got - expected) ** 2).mean()) / expected.std()
        assert 1e-4 < error < most
        layer = quantized._model._loaded.network.model.layers[0].mlp.up_proj
        assert "Linear8" in type(layer).__name__ or "4bit" in type(layer).__name__ or "Int8" in repr(layer.weight)
        text = "".join(p.text for p in quantized.generate("你好", GenerationParams(temperature=0, max_tokens=4)))
        assert isinstance(text, str)

    def test_a_memory_of_other_precision_is_refused(self, folder: Path, tmp_path: Path) -> None:
        TransformersBackend(folder).save_prefix("图书馆九点开门", tmp_path / "kv")
        with pytest.raises(ModelLoadError, match="another model"):
            TransformersBackend(folder, quantization="nf4").load_prefix(tmp_path / "kv")


_AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # which of eight columns is in which four bits


def _packed(numbers: np.ndarray) -> np.ndarray:
    """0..15, [rows, columns] -> int32 [rows, columns / 8], as AWQ's GEMM format has it."""
    packed = np.zeros((numbers.shape[0], numbers.shape[1] // 8), dtype=np.uint32)
    for place, column in enumerate(_AWQ_ORDER):
        packed |= numbers[:, column::8].astype(np.uint32) << np.uint32(4 * place)
    return packed.view(np.int32)


def write_awq(folder: Path, group: int = 64) -> tuple[Path, Path]:
    """A model whose projections are stored in four bits, and the same weights unquantized."""
    weights = small_models.random_weights(6)
    both = [
        small_models.write_folder(folder / name, small_models.train_vocabulary(), weights, width=256, heads=4, layers=1)
        for name in ("awq", "plain")
    ]
    packed, plain = {}, {}
    for name, tensor in load_file(both[0] / "model.safetensors").items():
        if "proj" not in name:
            packed[name] = tensor.astype(np.float16)
            plain[name] = packed[name].astype(np.float32)
            continue
        groups = tensor.T.reshape(-1, group, tensor.shape[0])
        low, high = groups.min(axis=1), groups.max(axis=1)
        scales = np.ascontiguousarray((high - low) / 15).astype(np.float16)
        step = scales[:, None].astype(np.float32)
        zeros = np.clip(np.round(-low / step[:, 0]), 0, 15)
        numbers = np.clip(np.round(groups / step + zeros[:, None]), 0, 15)
        plain[name] = np.ascontiguousarray(((numbers - zeros[:, None]) * step).reshape(tensor.T.shape).T)
        stem = name.removesuffix("weight")
        packed |= {f"{stem}qweight": _packed(numbers.reshape(tensor.T.shape)), f"{stem}qzeros": _packed(zeros)}
        packed[f"{stem}scales"] = scales
    for path, tensors in zip(both, (packed, plain), strict=True):
        save_file(tensors, path / "model.safetensors", {"format": "pt"})
    config = json.loads((both[0] / "config.json").read_text())
    stored = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm"}
    (both[0] / "config.json").write_text(json.dumps({**config, "quantization_config": stored}))
    return both[0], both[1]


class TestAwq:
    @pytest.mark.skipif(
        importlib.util.find_spec("gptqmodel") is None, reason="transformers loads AWQ with gptqmodel, an own build"
    )
    def test_a_stored_awq_model_equals_its_dequantized_weights(self, tmp_path: Path) -> None:
        awq, plain = (TransformersBackend(folder, dtype="float32") for folder in write_awq(tmp_path))
        expected = logits(plain)
        assert np.abs(logits(awq) - expected).max() < 0.01 * expected.std()  # the kernel computes in half precision

    @pytest.mark.skipif(importlib.util.find_spec("gptqmodel") is not None, reason="what is said without gptqmodel")
    def test_without_its_loader_it_is_refused_by_name(self, tmp_path: Path) -> None:
        awq, _ = write_awq(tmp_path)
        with pytest.raises(ModelLoadError, match="quantized by awq, which needs the package 'gptqmodel'"):
            TransformersBackend(awq)
        with pytest.raises(ConfigError, match="quantized already"):
            TransformersBackend(awq, quantization="int8")
