"""Parity of transformers and llama.cpp at 64,000 tokens: the same f32 weights, every way of long context.

    python benchmarks/llm_parity.py [--tokens 64000] [--width 32] [--heads 1]

The table of tests/conformance/test_rope_parity.py, at a length that takes minutes. The claim: over the last 64
positions every logit agrees within 0.02 and every argmax is the same. All is f32, the KV cache too, and the logits
are spread as a trained model's are (standard deviation about 2). Angles of 64,000 radians have an f32 rounding of
0.004, which both runtimes make in their own way: that alone is a part of the difference.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

import numpy as np

from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.in_process.token_model import TokenModel
from chinese_llm_rag.llms.llama.log import capture_log
from chinese_llm_rag.llms.llama.model import ContextOptions, LlamaCppModel, LlamaWeights
from chinese_llm_rag.llms.rope import RopeSpec

TARGET = 0.02
N_LAST = 64
BATCH = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=64_000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--heads", type=int, default=1)
    options = parser.parse_args()
    limit_pools(thread_budget())  # before torch and llama_cpp are imported
    ropes = {
        "none": RopeSpec(original_window=options.tokens),
        "PI x16": RopeSpec("linear", 16.0),
        "YaRN x16": RopeSpec("yarn", 16.0),
        "NTK alpha 31": RopeSpec("ntk", alpha=31.0),
    }
    tokens = np.random.default_rng(5).integers(300, 900, options.tokens).tolist()
    reached = True
    with tempfile.TemporaryDirectory() as folder:
        models = open_both(Path(folder), options)
        print(f"{options.tokens} tokens, width {options.width}, last {N_LAST} positions")
        for name, rope in ropes.items():
            logits, seconds = zip(*(last_logits(model, rope, tokens) for model in models), strict=True)
            difference = float(np.abs(logits[0] - logits[1]).max())
            same = float((logits[0].argmax(axis=1) == logits[1].argmax(axis=1)).mean())
            reached = reached and difference < TARGET and same == 1
            spread = float(logits[0].std())
            print(
                f"{name:14} largest difference {difference:.2e} (spread {spread:.1f})   same argmax {same:.0%}   "
                f"transformers {seconds[0]:.0f} s, llama.cpp {seconds[1]:.0f} s",
                flush=True,
            )
        for model in models:
            model.close()
    print(f"target {TARGET} and every argmax: {'reached' if reached else 'MISSED'}")


def open_both(folder: Path, options: argparse.Namespace) -> tuple[TokenModel, TokenModel]:
    import llama_cpp

    small_models = load_small_models()
    vocabulary, drawn = small_models.train_vocabulary(), small_models.random_weights(4)

    def weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return drawn(name, shape) * np.float32(0.4 if name == "output.weight" else 1.0)

    shape = {"width": options.width, "heads": options.heads, "layers": 2, "context_length": options.tokens + 1}
    gguf = small_models.write_gguf(folder / "model.gguf", vocabulary, weights, **shape)
    backend = TransformersBackend(small_models.write_folder(folder / "model", vocabulary, weights, **shape))
    capture_log(llama_cpp)
    context = ContextOptions(options.tokens + 1, n_threads=2, n_batch=BATCH, flash_attention=False, kv_type="f32")
    loaded = LlamaWeights(llama_cpp, gguf, n_gpu_layers=0, use_mmap=True, lora={})
    return backend._model, LlamaCppModel(loaded, context, None)  # noqa: SLF001  # logits are below the seam


def last_logits(model: TokenModel, rope: RopeSpec, tokens: list[int]) -> tuple[np.ndarray, float]:
    """The logits of the last positions, [N_LAST, vocabulary], and how long it took."""
    started = time.monotonic()
    model.set_rope(rope)
    model.keep(0)
    before = tokens[:-N_LAST]
    for at in range(0, len(before), BATCH):
        model.read(before[at : at + BATCH], 0)
    logits = np.array(model.read(tokens[-N_LAST:], N_LAST))
    return logits, time.monotonic() - started


def load_small_models() -> ModuleType:
    """tests/small_models.py; test folders are no packages."""
    path = Path(__file__).parents[1] / "tests" / "small_models.py"
    spec = importlib.util.spec_from_file_location("small_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_models"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
