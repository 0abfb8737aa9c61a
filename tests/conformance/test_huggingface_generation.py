"""Generating with transformers: the same text as llama.cpp, memory reused, put aside, saved and taken back."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.backend import Control, GenerationParams
from chinese_llm_rag.llms.hf.model import LoadedWeights, TransformersModel
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.in_process.speculation import PromptLookup
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.rope import RopeSpec

small_models = sys.modules["small_models"]

GREEDY = GenerationParams(temperature=0.0, max_tokens=16)
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"
PROMPTS = [line for line in small_models.CORPUS.strip().splitlines() if line] + [PARAGRAPH * n for n in range(1, 11)]


def text_of(backend, prompt, params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


@pytest.fixture
def tokens_read(random_transformers: TransformersBackend, monkeypatch) -> Callable[[str], int]:
    """How many tokens the model reads to answer a prompt with one token."""

    def count(prompt: str) -> int:
        read: list[int] = []
        forward = random_transformers._model.read

        def counting(tokens, n_logits=1):
            read.extend(tokens)
            return forward(tokens, n_logits)

        with monkeypatch.context() as patch:
            patch.setattr(random_transformers._model, "read", counting)
            text_of(random_transformers, prompt, GenerationParams(temperature=0, max_tokens=1))
        return len(read)

    return count


class TestText:
    @pytest.mark.parametrize("penalty", [1.0, 1.1])
    def test_greedy_text_is_that_of_llama_cpp_on_the_same_weights(
        self, random_transformers: TransformersBackend, random_backend: LlamaCppBackend, penalty: float
    ) -> None:
        params = GenerationParams(temperature=0.0, max_tokens=16, repetition_penalty=penalty)
        for prompt in PROMPTS[:10]:
            assert text_of(random_transformers, prompt, params) == text_of(random_backend, prompt, params)

    def test_greedy_text_is_that_of_generate_called_directly(self, random_transformers: TransformersBackend) -> None:
        network = random_transformers._model._loaded.network
        ids = torch.tensor([[1, *random_transformers.token_ids(PARAGRAPH)]])
        generated = network.generate(
            ids, do_sample=False, repetition_penalty=1.1, max_new_tokens=16, pad_token_id=0, attention_mask=ids * 0 + 1
        )
        pieces = [random_transformers._tokenizer.piece(token) for token in generated[0, ids.shape[1] :].tolist()]
        assert text_of(random_transformers, PARAGRAPH) == b"".join(pieces).decode("utf-8", "replace")

    def test_a_prompt_read_in_batches_gives_the_same_text(
        self, random_transformers: TransformersBackend, random_folder: Path
    ) -> None:
        batched = TransformersBackend(random_folder, n_batch=32)
        for prompt in (PARAGRAPH * 4, PARAGRAPH * 8):
            assert text_of(batched, prompt) == text_of(random_transformers, prompt)

    def test_a_seed_repeats_and_another_seed_differs(self, random_transformers: TransformersBackend) -> None:
        def sample(seed: int) -> str:
            params = GenerationParams(temperature=1.5, top_k=0, top_p=1.0, max_tokens=24, seed=seed)
            return text_of(random_transformers, PARAGRAPH, params)

        assert sample(7) == sample(7)
        assert sample(7) != sample(8)

    def test_every_end_in_generation_config_ends_the_text(self, vocabulary, tmp_path: Path) -> None:
        tree, end_of_turn = vocabulary.pieces.index("图"), vocabulary.pieces.index("书")
        weights = small_models.scripted_weights([tree, end_of_turn])
        folder = small_models.write_folder(tmp_path / "turns", vocabulary, weights)
        (folder / "generation_config.json").write_text(f'{{"eos_token_id": [2, {end_of_turn}]}}')
        pieces = list(TransformersBackend(folder).generate("你好", GREEDY))
        assert ("".join(p.text for p in pieces), pieces[-1].finish_reason) == ("图", "stop")

    def test_bos_is_there_once_even_if_the_template_writes_it(self, random_transformers: TransformersBackend) -> None:
        plain = next(iter(random_transformers.generate("你好", GREEDY))).prompt_tokens
        written = next(iter(random_transformers.generate([Control("<s>"), "你好"], GREEDY))).prompt_tokens
        assert plain == written


class TestGuidance:
    def test_scale_1_is_no_guidance_and_1_5_changes_the_logits_as_the_formula_says(
        self, random_transformers: TransformersBackend
    ) -> None:
        scale_1 = GenerationParams(temperature=0, max_tokens=8, guidance_scale=1.0, negative_prompt="天气")
        assert text_of(random_transformers, PARAGRAPH, scale_1) == text_of(
            random_transformers, PARAGRAPH, GenerationParams(temperature=0, max_tokens=8)
        )

        def top(prompt: str, **options) -> dict[str, float]:
            """Log probabilities of the tokens that can be told apart by their text."""
            params = GenerationParams(temperature=0, max_tokens=1, logprobs=900, **options)
            [token] = [t for piece in random_transformers.generate(prompt, params) for t in piece.logprobs]
            often = Counter(text for text, _ in token.top)
            return {text: number for text, number in token.top if often[text] == 1}

        positive, negative = top(PARAGRAPH), top("天气")
        guided = top(PARAGRAPH, guidance_scale=1.5, negative_prompt="天气")
        unnormed = {text: negative[text] + 1.5 * (positive[text] - negative[text]) for text in guided}
        shift = next(iter(guided.values())) - next(iter(unnormed.values()))
        assert len(guided) > 500
        for text, number in guided.items():
            assert number == pytest.approx(unnormed[text] + shift, abs=2e-3)


class TestSpeculation:
    def test_prompt_lookup_changes_no_greedy_text_on_twenty_prompts(
        self, random_transformers: TransformersBackend, random_folder: Path
    ) -> None:
        drafting = TransformersBackend(random_folder, prompt_lookup=True)
        assert isinstance(drafting._drafter, PromptLookup)
        assert len(PROMPTS) >= 20
        params = GenerationParams(temperature=0, max_tokens=24, repetition_penalty=1.0)
        for prompt in PROMPTS:
            assert text_of(drafting, prompt, params) == text_of(random_transformers, prompt, params)

    def test_a_draft_model_changes_no_greedy_text_either(
        self, random_transformers: TransformersBackend, random_folder: Path, vocabulary, tmp_path: Path
    ) -> None:
        draft = small_models.write_folder(tmp_path / "draft", vocabulary, small_models.random_weights(8), layers=1)
        for folder in (draft, random_folder):  # one whose guesses are wrong, and one whose guesses are all right
            drafting = TransformersBackend(random_folder, draft_model=folder)
            for prompt in PROMPTS[:5]:
                assert text_of(drafting, prompt) == text_of(random_transformers, prompt)

    def test_a_draft_model_with_another_vocabulary_is_refused(self, random_folder: Path, tmp_path: Path) -> None:
        other = small_models.write_folder(
            tmp_path / "other", small_models.train_vocabulary(700), small_models.random_weights(8), layers=1
        )
        with pytest.raises(ConfigError, match="vocabulary is not the model's own"):
            TransformersBackend(random_folder, draft_model=other)

    def test_two_who_guess_are_one_too_many(self, random_folder: Path) -> None:
        with pytest.raises(ConfigError, match="exclude each other"):
            TransformersBackend(random_folder, draft_model=random_folder, prompt_lookup=True)


class TestMemory:
    def test_a_prompt_that_begins_like_the_one_before_is_read_from_where_they_differ(
        self, random_transformers: TransformersBackend, tokens_read: Callable[[str], int]
    ) -> None:
        first, second = PARAGRAPH + "问：几点？", PARAGRAPH + "问：谁在看报？"
        ids = [random_transformers.token_ids(prompt) for prompt in (first, second)]
        common = next(i for i, (a, b) in enumerate(zip(*ids, strict=False)) if a != b)
        random_transformers._model.keep(0)
        assert tokens_read(first) == len(ids[0]) + 1
        assert tokens_read(second) == len(ids[1]) - common

    def test_a_conversation_taken_up_again_is_not_read_again(
        self, random_transformers: TransformersBackend, tokens_read: Callable[[str], int]
    ) -> None:
        one, other = PARAGRAPH * 24, "火车每天经过两次，一次向北，一次向南。" * 40
        text_of(random_transformers, one)
        text_of(random_transformers, other)
        assert tokens_read(one + "问") < 40

    def test_a_snapshot_is_exact(self, random_transformers: TransformersBackend) -> None:
        model = random_transformers._model
        ids = [1, *random_transformers.token_ids(PARAGRAPH)]
        model.keep(0)
        model.read(ids, 0)
        snapshot = model.snapshot()
        assert snapshot.nbytes == model.snapshot_bytes
        expected = np.array(model.read([300, 301], 2))
        model.keep(0)
        model.read(ids[::-1], 0)
        model.restore(snapshot, ids)
        assert list(model.memory) == ids
        assert (model.read([300, 301], 2) == expected).all()

    @pytest.mark.parametrize("kept", [0, 1, 7])
    def test_what_is_kept_is_the_beginning(self, random_transformers: TransformersBackend, kept: int) -> None:
        model = random_transformers._model
        ids = [1, *random_transformers.token_ids(PARAGRAPH)]
        model.keep(0)
        whole = np.array(model.read(ids, len(ids)))
        assert model.keep(kept) == kept
        again = np.array(model.read(ids[kept:], len(ids) - kept))
        assert np.abs(again - whole[kept:]).max() < 1e-4

    def test_a_branch_has_a_memory_of_its_own(self, random_transformers: TransformersBackend) -> None:
        model = random_transformers._model
        model.keep(0)
        model.read([1, 300], 0)
        branch = model.branch()
        assert list(branch.memory) == []
        branch.read([1, 400, 500], 0)
        assert list(model.memory) == [1, 300]

    def test_a_saved_prompt_is_not_read_again_in_another_backend(
        self, random_transformers: TransformersBackend, random_folder: Path, tmp_path: Path
    ) -> None:
        prompt = PARAGRAPH * 8
        size = random_transformers.save_prefix(prompt, tmp_path / "kv")
        n_tokens = random_transformers.count_tokens(prompt) + 1
        kv_bytes = 2 * 2 * 64 * 4 * n_tokens  # keys and values, layers, width, float32
        assert size == (tmp_path / "kv").stat().st_size
        assert size < 1.05 * kv_bytes
        other = TransformersBackend(random_folder)
        other.load_prefix(tmp_path / "kv")
        assert len(other._model.memory) == n_tokens - 1
        assert text_of(other, prompt) == text_of(random_transformers, prompt)

    @pytest.mark.parametrize(
        "options", [{"dtype": "bfloat16"}, {"rope": RopeSpec("ntk", alpha=2.0)}], ids=["dtype", "rope"]
    )
    def test_a_memory_of_another_computation_is_refused(
        self, random_transformers: TransformersBackend, random_folder: Path, tmp_path: Path, options: dict
    ) -> None:
        random_transformers.save_prefix(PARAGRAPH, tmp_path / "kv")
        other = TransformersBackend(random_folder, **options)
        with pytest.raises(ModelLoadError, match=r"another model|was computed with rope"):
            other.load_prefix(tmp_path / "kv")

    def test_a_memory_of_other_weights_is_refused(
        self, random_transformers: TransformersBackend, vocabulary, tmp_path: Path
    ) -> None:
        random_transformers.save_prefix(PARAGRAPH, tmp_path / "kv")
        folder = small_models.write_folder(tmp_path / "other", vocabulary, small_models.random_weights(12))
        with pytest.raises(ModelLoadError, match="another model"):
            TransformersBackend(folder).load_prefix(tmp_path / "kv")


SMALL = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("MistralConfig", {"sliding_window": 16}),
        ("Gemma2Config", {"sliding_window": 16}),
        ("Gemma3TextConfig", {"sliding_window": 16}),
        ("Qwen2Config", {}),
        ("Qwen3Config", {}),
    ],
)
def test_other_architectures_read_in_parts_cut_and_restored_equal_one_pass(kind: str, options: dict) -> None:
    """Sliding windows included: the cache keeps everything, so it can be cut beyond the window too."""
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(getattr(transformers, kind)(**SMALL, **options)).eval()
    ids = np.random.default_rng(0).integers(5, 290, 96).tolist()
    with torch.inference_mode():
        whole = network(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    weights = LoadedWeights(torch, transformers, network, "")
    model = TransformersModel(weights, None, n_batch=16, context_window=512)
    parts = [np.array(model.read(ids[at : at + 8], 8)) for at in range(0, 96, 8)]
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-4
    snapshot = model.snapshot()
    model.keep(40)
    assert np.abs(model.read(ids[40:50], 10) - whole[40:50]).max() < 1e-4
    model.restore(snapshot, ids)
    model.keep(90)
    assert np.abs(model.read(ids[90:], 6) - whole[90:]).max() < 1e-4
