"""The parity table: the same f32 weights under the same RoPE give the same logits in transformers and llama.cpp.

Random weights with wide attention projections, so that positions matter, at 6,000 and 20,000 tokens.
`benchmarks/llm_parity.py` does 64,000.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.in_process.token_model import TokenModel
from chinese_llm_rag.llms.llama.log import capture_log
from chinese_llm_rag.llms.llama.model import ContextOptions, LlamaCppModel, LlamaWeights
from chinese_llm_rag.llms.rope import RopeSpec

small_models = sys.modules["small_models"]

MOST = 20_480
N_LAST = 64
SHAPE = {"width": 32, "heads": 1, "layers": 2}  # a head of 32: enough dimensions for YaRN's ramp
ROPES = {
    "none": RopeSpec(original_window=MOST),
    "pi x4": RopeSpec("linear", 4.0),
    "yarn x16": RopeSpec("yarn", 16.0),
    "ntk alpha 4": RopeSpec("ntk", alpha=4.0),
}


@dataclass(frozen=True)
class Pair:
    """One set of weights, loaded by both runtimes."""

    transformers: TransformersBackend
    llama: LlamaCppModel


def open_pair(folder: Path, vocabulary, **model) -> Pair:
    shape = {**SHAPE, "context_length": MOST, **model}
    gguf = small_models.write_gguf(folder / "model.gguf", vocabulary, small_models.random_weights(4), **shape)
    hf = small_models.write_folder(folder / "model", vocabulary, small_models.random_weights(4), **shape)
    options = ContextOptions(MOST, n_threads=2, n_batch=512, flash_attention=True, kv_type="f16")
    weights = LlamaWeights(llama_cpp, gguf, n_gpu_layers=0, use_mmap=True, lora={})
    capture_log(llama_cpp)
    return Pair(TransformersBackend(hf), LlamaCppModel(weights, options, None))


@pytest.fixture(scope="module")
def pair(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    both = open_pair(tmp_path_factory.mktemp("parity"), vocabulary)
    yield both
    both.transformers.close()
    both.llama.close()


@pytest.fixture(scope="module")
def tokens() -> list[int]:
    return np.random.default_rng(5).integers(300, 900, 20_000).tolist()


def last_logits(model: TokenModel, tokens: list[int]) -> np.ndarray:
    """The logits of the last positions, [N_LAST, vocabulary], after reading all tokens anew."""
    model.keep(0)
    before = tokens[:-N_LAST]
    for at in range(0, len(before), 512):
        model.read(before[at : at + 512], 0)
    return np.array(model.read(tokens[-N_LAST:], N_LAST))


def assert_parity(pair: Pair, tokens: list[int]) -> None:
    one, other = last_logits(pair.transformers._model, tokens), last_logits(pair.llama, tokens)
    assert one.shape == other.shape == (N_LAST, 900)
    assert one.std() > 1
    assert np.abs(one - other).max() < 0.02
    assert (one.argmax(axis=1) == other.argmax(axis=1)).all()


@pytest.mark.parametrize("length", [6_000, 20_000])
@pytest.mark.parametrize("name", ROPES)
def test_every_logit_and_every_argmax_agrees(pair: Pair, tokens: list[int], name: str, length: int) -> None:
    pair.transformers._model.set_rope(ROPES[name])
    pair.llama.set_rope(ROPES[name])
    assert_parity(pair, tokens[:length])


@pytest.mark.parametrize(("kind", "factor"), [("linear", 4.0), ("yarn", 16.0)])
def test_so_they_do_when_only_their_files_say_which_rope(
    vocabulary, tmp_path: Path, tokens: list[int], kind: str, factor: float
) -> None:
    both = open_pair(tmp_path, vocabulary, rope=small_models.SmallRope(kind, factor))
    assert (both.transformers.rope.method, both.transformers.rope.factor) == (kind, factor)
    assert_parity(both, tokens[:6_000])
    both.transformers.close()
    both.llama.close()


def test_a_wrong_factor_is_seen_in_the_table(pair: Pair, tokens: list[int]) -> None:
    model = pair.transformers._model
    model.set_rope(ROPES["pi x4"])
    right = last_logits(model, tokens[:6_000])
    for wrong in (RopeSpec("linear", 4.1), RopeSpec("yarn", 16.0, attention_factor=1.0), ROPES["none"]):
        model.set_rope(wrong)
        logits = last_logits(model, tokens[:6_000])
        assert np.abs(logits - right).max() > 0.5  # 25 times what parity allows
        assert (logits.argmax(axis=1) != right.argmax(axis=1)).any()


class TestAdaptiveNtk:
    """Alpha is fixed for each request from its own length: no request depends on what was asked before."""

    WINDOW = 512  # trained; 1,600 tokens are asked of it

    @pytest.fixture
    def folder(self, vocabulary, tmp_path: Path) -> Path:
        weights = small_models.random_weights(4)
        return small_models.write_folder(tmp_path / "m", vocabulary, weights, context_length=self.WINDOW, **SHAPE)

    def ask(self, backend: TransformersBackend, n_characters: int) -> tuple[str, list[float]]:
        """What the model says to a prompt of about so many tokens, and the log probabilities behind it."""
        params = GenerationParams(temperature=0, max_tokens=12, logprobs=5)
        pieces = list(backend.generate("问" * n_characters, params))
        numbers = [number for p in pieces for token in p.logprobs for _, number in token.top]
        return "".join(p.text for p in pieces), numbers

    def test_text_and_logits_equal_those_of_the_alpha_fixed_by_hand(self, folder: Path) -> None:
        adaptive = TransformersBackend(folder, rope=RopeSpec("adaptive_ntk"), context_window=1_600)
        # 1,200 tokens and 12 of answer are rounded up to 1,280, a multiple of 128: alpha = 1280 / 256 - 1 = 4.
        by_hand = TransformersBackend(folder, rope=RopeSpec("ntk", alpha=4.0), context_window=1_600)
        assert adaptive.count_tokens("问" * 1_180) + 1 + 12 in range(1_153, 1_281)
        text, numbers = self.ask(adaptive, 1_180)
        expected_text, expected_numbers = self.ask(by_hand, 1_180)
        assert text == expected_text
        assert numbers == pytest.approx(expected_numbers, abs=1e-6)
        other = TransformersBackend(folder, rope=RopeSpec("ntk", alpha=3.5), context_window=1_600)
        assert self.ask(other, 1_180)[1] != pytest.approx(expected_numbers, abs=1e-2)

    def test_a_request_does_not_depend_on_those_before_it(self, folder: Path) -> None:
        backend = TransformersBackend(folder, rope=RopeSpec("adaptive_ntk"), context_window=1_600)
        fresh = {n: self.ask(backend, n) for n in (200,)}
        for n in (1_000, 1_500):
            fresh[n] = self.ask(TransformersBackend(folder, rope=RopeSpec("adaptive_ntk"), context_window=1_600), n)
        for n in (1_500, 200, 1_000, 1_500, 200):
            text, numbers = self.ask(backend, n)
            assert text == fresh[n][0]
            assert numbers == pytest.approx(fresh[n][1], abs=1e-5)

    def test_below_the_trained_window_it_is_the_plain_model(self, folder: Path) -> None:
        adaptive = TransformersBackend(folder, rope=RopeSpec("adaptive_ntk"), context_window=1_600)
        assert self.ask(adaptive, 300) == self.ask(TransformersBackend(folder), 300)
