"""What xllamacpp generates: the same as llama-cpp-python, with and without drafts, under every RoPE."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend
from chinese_llm_rag.models import FAMILY_VOCABULARY

small_models = sys.modules["small_models"]

GREEDY = GenerationParams(temperature=0.0, max_tokens=8)
PLAIN = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=24)
ROUNDING = 0.02  # of a KV cache in half precision, read by kernels of two builds
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"


def text_of(backend, prompt, params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


def logprobs_of(backend, prompt: str, n_top: int = 5) -> list[float]:
    params = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=4, logprobs=n_top)
    entries = [entry for piece in backend.generate(prompt, params) for entry in piece.logprobs]
    return [logprob for entry in entries for _, logprob in entry.top]


class TestGenerating:
    @pytest.mark.parametrize("penalty", [1.0, 1.3])
    def test_greedy_texts_equal_llama_cpp_pythons_with_the_penalty_over_the_whole_prompt(
        self, random_xllamacpp, random_backend, penalty: float
    ) -> None:
        prompt = PARAGRAPH * 12
        assert random_backend.count_tokens(prompt) > 2 * 64  # llama.cpp's own penalty looks back 64 tokens
        params = GenerationParams(temperature=0.0, repetition_penalty=penalty, max_tokens=40)
        assert text_of(random_xllamacpp, prompt, params) == text_of(random_backend, prompt, params)

    def test_log_probabilities_equal_llama_cpp_pythons(self, random_xllamacpp, random_backend) -> None:
        assert logprobs_of(random_xllamacpp, PARAGRAPH) == pytest.approx(
            logprobs_of(random_backend, PARAGRAPH), abs=ROUNDING
        )

    def test_log_probabilities_are_those_before_temperature_and_filters(self, random_xllamacpp) -> None:
        def chosen(**params) -> float:
            params = GenerationParams(max_tokens=1, logprobs=0, repetition_penalty=1.0, **params)
            (entry,) = [e for p in random_xllamacpp.generate(PARAGRAPH, params) for e in p.logprobs]
            assert entry.top == ()
            return entry.logprob

        greedy = chosen(temperature=0.0)
        assert math.exp(greedy) < 0.99
        assert chosen(temperature=5.0, top_k=1, seed=1) == pytest.approx(greedy, abs=1e-4)

    def test_a_character_of_several_tokens_has_one_entry_and_the_end_none(self, vocabulary, tmp_path: Path) -> None:
        tokens = [vocabulary.pieces.index("图"), *vocabulary.byte_tokens("🙂")]
        weights = small_models.scripted_weights([*tokens, small_models.EOS])
        backend = XllamacppBackend(small_models.write_gguf(tmp_path / "smile.gguf", vocabulary, weights))
        params = GenerationParams(temperature=0.0, max_tokens=9, logprobs=1)
        entries = [entry.token for piece in backend.generate("你好", params) for entry in piece.logprobs]
        assert entries == ["图", "🙂"]
        backend.close()

    def test_a_seed_repeats_and_another_seed_differs(self, random_xllamacpp: XllamacppBackend) -> None:
        def sample(seed: int | None) -> str:
            params = GenerationParams(temperature=1.5, top_k=0, top_p=1.0, max_tokens=24, seed=seed)
            return text_of(random_xllamacpp, PARAGRAPH, params)

        assert sample(7) == sample(7)
        assert sample(7) != sample(8)
        assert sample(None) != sample(None)

    def test_top_k_one_is_greedy_at_any_temperature(self, random_xllamacpp: XllamacppBackend) -> None:
        params = GenerationParams(temperature=3.0, top_k=1, repetition_penalty=1.0, max_tokens=24)
        assert text_of(random_xllamacpp, PARAGRAPH, params) == text_of(random_xllamacpp, PARAGRAPH, PLAIN)

    def test_an_end_of_turn_token_ends_the_text(self, vocabulary, tmp_path: Path) -> None:
        path = small_models.write_gguf(
            tmp_path / "turns.gguf",
            vocabulary,
            small_models.scripted_weights([vocabulary.pieces.index("图"), 700]),
            renamed={700: ("<end_of_turn>", small_models.CONTROL)},
        )
        backend = XllamacppBackend(path)
        pieces = list(backend.generate("你好", GREEDY))
        assert ("".join(p.text for p in pieces), pieces[-1].finish_reason) == ("图", "stop")
        assert sum(p.n_tokens for p in pieces) == 1
        backend.close()

    def test_a_long_prompt_is_read_in_batches_with_a_chance_to_stop_after_each(self, random_model: Path) -> None:
        prompt = PARAGRAPH * 8
        whole, batched = XllamacppBackend(random_model), XllamacppBackend(random_model, n_batch=32)
        pieces = list(batched.generate(prompt, GREEDY))
        n_batches = (batched.count_tokens(prompt) + 1) // 32
        assert [p.n_tokens for p in pieces[:n_batches]] == [0] * n_batches
        assert "".join(p.text for p in pieces) == text_of(whole, prompt)
        whole.close()
        batched.close()

    @pytest.mark.parametrize("way", ["prompt_lookup", "draft_model"])
    def test_drafts_leave_twenty_greedy_texts_as_they_are(self, random_model: Path, random_xllamacpp, way: str) -> None:
        option = {"prompt_lookup": True} if way == "prompt_lookup" else {"draft_model": random_model}
        drafting = XllamacppBackend(random_model, **option)
        lines = [line for line in small_models.CORPUS.strip().splitlines() if line]
        prompts = [line * n for n in (1, 2) for line in lines][:20]
        assert len(prompts) == 20
        for prompt in prompts:
            assert text_of(drafting, prompt, PLAIN) == text_of(random_xllamacpp, prompt, PLAIN)
        assert "logprobs" not in drafting.abilities
        drafting.close()

    @pytest.mark.parametrize("way", ["prompt_lookup", "draft_model"])
    def test_drafts_are_made_and_every_token_is_still_counted_once(self, vocabulary, tmp_path: Path, way: str) -> None:
        # The last token of a chain leads to its first: a text that goes round and round.
        chain = [*(vocabulary.pieces.index(c) for c in "图书馆九点"), *vocabulary.byte_tokens("🙂")]
        path = small_models.write_gguf(tmp_path / "round.gguf", vocabulary, small_models.scripted_weights(chain))
        drafting = XllamacppBackend(path, **{way: True if way == "prompt_lookup" else path})
        pieces = list(drafting.generate("你好", GenerationParams(temperature=0.0, max_tokens=94)))
        assert "".join(p.text for p in pieces) == "图书馆九点🙂" * 10 + "图书馆九"
        assert sum(p.n_tokens for p in pieces) == 94
        request = {"prompt": drafting.token_ids("你好"), "max_tokens": 94, "temperature": 0, "stream": True}
        *_, last = (reply for reply in drafting._replies(request) if reply is not None)
        assert last["timings"]["draft_n_accepted"] > 40
        drafting.close()

    def test_a_missing_prompt_is_only_bos(self, random_xllamacpp: XllamacppBackend) -> None:
        assert next(iter(random_xllamacpp.generate("", GREEDY))).prompt_tokens == 1


class TestRope:
    PROMPT = PARAGRAPH * 5

    @pytest.fixture
    def write(self, vocabulary, tmp_path: Path) -> Callable[..., Path]:
        def write(name: str, **options) -> Path:
            weights = small_models.random_weights(4)
            # Two heads of 32: enough dimensions for YaRN's ramp.
            return small_models.write_gguf(tmp_path / f"{name}.gguf", vocabulary, weights, heads=2, **options)

        return write

    @pytest.fixture
    def plain(self, write) -> Path:
        return write("plain")

    @staticmethod
    def both(path: Path, **options) -> tuple[list[float], list[float]]:
        prompt = TestRope.PROMPT
        results = []
        for runtime in (XllamacppBackend, LlamaCppBackend):
            backend = runtime(path, **options)
            results.append(logprobs_of(backend, prompt))
            backend.close()
        return results[0], results[1]

    @pytest.mark.parametrize("kind", ["linear", "yarn"])
    def test_what_the_files_metadata_says_holds(self, write, plain: Path, kind: str) -> None:
        rope = small_models.SmallRope(kind, 4.0, 256)
        ours, theirs = self.both(write(kind, rope=rope))
        assert ours == pytest.approx(theirs, abs=ROUNDING)
        assert ours != pytest.approx(self.both(plain)[0], abs=5 * ROUNDING)

    @pytest.mark.parametrize(
        "rope",
        [
            RopeSpec("linear", 4.0, original_window=256),
            RopeSpec("yarn", 4.0, original_window=256),
            RopeSpec("ntk", alpha=4.0),
        ],
        ids=str,
    )
    def test_what_is_asked_for_is_set_as_in_llama_cpp_python(self, plain: Path, rope: RopeSpec) -> None:
        ours, theirs = self.both(plain, rope=rope, context_window=1024, override_rope=True)
        assert ours == pytest.approx(theirs, abs=ROUNDING)
        assert ours != pytest.approx(self.both(plain)[0], abs=5 * ROUNDING)

    def test_a_window_beyond_what_the_file_states_is_refused_since_the_server_would_cut_it(
        self, vocabulary, tmp_path: Path
    ) -> None:
        path = small_models.write_gguf(
            tmp_path / "chinese-alpaca-2-1.3b.gguf",
            vocabulary,
            small_models.random_weights(4),
            vocabulary_size=FAMILY_VOCABULARY,
            context_length=4096,
            width=16,
            heads=2,
            layers=1,
        )
        with pytest.raises(ConfigError, match="cannot go beyond the 4096 tokens") as caught:
            XllamacppBackend(path, context_window=8192)
        assert "LlamaCppBackend" in str(caught.value.hint)

    def test_a_rope_that_changes_with_the_request_is_refused(self, plain: Path) -> None:
        rope = RopeSpec("adaptive_ntk", original_window=256)
        with pytest.raises(ConfigError, match="cannot change it from request to request"):
            XllamacppBackend(plain, context_window=1024, rope=rope, override_rope=True)
