"""The KV cache that was reckoned is the one llama.cpp allocates, to the byte of its own log."""

import logging
import re
from pathlib import Path

import pytest
import small_models

from chinese_llm_rag.llms.gguf.plan import plan_gguf
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.memory_need import KvType

MIB = 1 << 20


@pytest.fixture(scope="module")
def wide_model(vocabulary, model_folder: Path) -> Path:
    """Heads of 32, which a quantized cache needs."""
    weights = small_models.random_weights(5)
    return small_models.write_gguf(
        model_folder / "wide.gguf", vocabulary, weights, context_length=8192, width=128, heads=4
    )


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
@pytest.mark.parametrize("window", [8192, 1000])
def test_the_cache_is_as_large_as_was_reckoned(
    wide_model: Path, kv_type: KvType, window: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="chinese_llm_rag"):
        LlamaCppBackend(wide_model, context_window=window, kv_type=kv_type).close()
    allocated = [float(size) for size in re.findall(r"KV buffer size =\s*([0-9.]+) MiB", caplog.text)]
    need = plan_gguf(wide_model, window, None, kv_type).need
    assert sum(allocated) == pytest.approx(need.kv / MIB, abs=0.006)  # the log has two decimals
    assert need.kv > 0
