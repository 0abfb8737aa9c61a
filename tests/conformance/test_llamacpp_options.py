"""What llama.cpp can be told beside the file: LoRA adapters, and the type of its KV cache."""

import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend

small_models = sys.modules["small_models"]

PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"


def rows_of(backend: LlamaCppBackend, prompt: str) -> np.ndarray:
    """The logits after the prompt."""
    model = backend._model.branch()
    row = model.read([*backend._tokenizer.begin, *backend.token_ids(prompt)])[0].copy()
    model.close()
    return row


class TestLora:
    """An adapter beside the weights against the same sum written into a file of its own."""

    RANK, ALPHA = 4, 8.0

    @pytest.fixture
    def factors(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        names = [f"blk.{layer}.{part}.weight" for layer in (0, 1) for part in ("attn_q", "attn_v", "ffn_down")]
        chance = np.random.default_rng(4)
        return {
            name: (
                chance.standard_normal((self.RANK, 128 if "ffn" in name else 64)).astype(np.float32) * 0.2,
                chance.standard_normal((64, self.RANK)).astype(np.float32) * 0.2,
            )
            for name in names
        }

    @pytest.fixture
    def adapter(self, factors, tmp_path: Path) -> Path:
        path = tmp_path / "adapter.gguf"
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", self.ALPHA)
        for name, (a, b) in factors.items():
            writer.add_tensor(f"{name}.lora_a", a)
            writer.add_tensor(f"{name}.lora_b", b)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_it_equals_the_merged_weights(
        self, vocabulary, random_model: Path, factors, adapter: Path, tmp_path: Path, scale: float
    ) -> None:
        plain = small_models.random_weights(11)

        def merged(name: str, shape: tuple[int, ...]) -> np.ndarray:
            weights = plain(name, shape)
            if name in factors:
                a, b = factors[name]
                weights = weights + np.float32(scale * self.ALPHA / self.RANK) * (b @ a)
            return weights.astype(np.float32)

        path = small_models.write_gguf(tmp_path / "merged.gguf", vocabulary, merged)
        lora = {str(adapter): scale} if scale != 1.0 else [str(adapter)]
        with_adapter, whole, without = (
            LlamaCppBackend(random_model, lora=lora),
            LlamaCppBackend(path),
            LlamaCppBackend(random_model),
        )
        # The KV cache is f16, and rounds what differs in the last bit of f32 a little apart.
        assert rows_of(with_adapter, PARAGRAPH) == pytest.approx(rows_of(whole, PARAGRAPH), abs=2e-2)
        assert np.abs(rows_of(without, PARAGRAPH) - rows_of(whole, PARAGRAPH)).max() > 1
        for backend in (with_adapter, whole, without):
            backend.close()

    def test_a_missing_or_foreign_adapter_is_named(self, random_model: Path, tmp_path: Path) -> None:
        foreign = tmp_path / "adapter.gguf"
        foreign.write_bytes(random_model.read_bytes())
        for path, reason in (
            (foreign, "expect general.type to be 'adapter'"),
            (tmp_path / "nothing.gguf", "no such file"),
        ):
            with pytest.raises(ModelLoadError, match=reason) as caught:
                LlamaCppBackend(random_model, lora=[str(path)])
            assert f"LoRA adapter {str(path)!r}" in str(caught.value)


@pytest.fixture(scope="module")
def wide_heads(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 a head, the least that a quantized cache can hold."""
    path = tmp_path_factory.mktemp("wide") / "wide.gguf"
    return small_models.write_gguf(path, vocabulary, small_models.random_weights(11), heads=2)


class TestKvTypes:
    @pytest.mark.parametrize(("kv_type", "likeness"), [("q8_0", 0.9999), ("q4_0", 0.98)])
    def test_a_quantized_cache_gives_nearly_the_same_logits(
        self, wide_heads: Path, kv_type: str, likeness: float
    ) -> None:
        backend = LlamaCppBackend(wide_heads, kv_type=kv_type)
        plain = LlamaCppBackend(wide_heads)
        assert likeness < np.corrcoef(rows_of(plain, PARAGRAPH), rows_of(backend, PARAGRAPH))[0, 1] < 1
        plain.close()
        backend.close()

    def test_it_takes_less_memory(self, wide_heads: Path) -> None:
        sizes = {}
        for kv_type in ("f16", "q8_0", "q4_0"):
            backend = LlamaCppBackend(wide_heads, kv_type=kv_type)
            list(backend.generate(PARAGRAPH, GenerationParams(max_tokens=1)))
            sizes[kv_type] = backend._model.snapshot_bytes / len(backend._model.memory)
            backend.close()
        # 2 layers of 64 keys and 64 values: 512 bytes in f16, 34 and 18 bytes for 32 items; some 20 of bookkeeping.
        assert sizes["f16"] == pytest.approx(512 + 20, abs=12)
        assert sizes["q8_0"] == pytest.approx(272 + 20, abs=12)
        assert sizes["q4_0"] == pytest.approx(144 + 20, abs=12)

    def test_it_needs_flash_attention(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="kv_type='q8_0' needs flash_attention"):
            LlamaCppBackend(tmp_path / "nothing.gguf", kv_type="q8_0", flash_attention=False)
