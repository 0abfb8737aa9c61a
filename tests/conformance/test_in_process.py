"""What every runtime in this process shares, over real runtimes: drafts, guidance, log probabilities, kept prefixes.

The weights are small and random, in f32, so that what is shown is the arithmetic and not a model's ability.
"""

import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError, ModelLoadError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.in_process.backend import InProcessBackend
from chinese_llm_rag.llms.in_process.sampler import guided
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.rope import RopeSpec

small_models = sys.modules["small_models"]

RUNTIMES = ("llama.cpp", "transformers")
GREEDY = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=32)
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"
DOCUMENT, OTHER = PARAGRAPH * 40, "火车每天经过两次，一次向北，一次向南。" * 50
# Twenty prompts: lines of the corpus, some of them twice over, so that there is something to look up.
LINES = [line for line in small_models.CORPUS.strip().splitlines() if line]
PROMPTS = [line * n for n in (1, 2) for line in LINES][:20]


class Models:
    """One set of weights for each runtime, and backends over them."""

    def __init__(self, folder: Path, vocabulary) -> None:
        self._gguf = {
            seed: small_models.write_gguf(folder / f"{seed}.gguf", vocabulary, small_models.random_weights(seed))
            for seed in (11, 12)
        }
        self._folders = {
            seed: small_models.write_folder(folder / str(seed), vocabulary, small_models.random_weights(seed))
            for seed in (11, 12)
        }
        self._opened: list[InProcessBackend] = []

    def open(self, runtime: str, *, seed: int = 11, draft_seed: int | None = None, **options) -> InProcessBackend:
        files = self._gguf if runtime == "llama.cpp" else self._folders
        if draft_seed is not None:
            options["draft_model"] = files[draft_seed]
        make = LlamaCppBackend if runtime == "llama.cpp" else TransformersBackend
        self._opened.append(make(files[seed], **options))
        return self._opened[-1]

    def close(self) -> None:
        for backend in self._opened:
            backend.close()


@pytest.fixture(scope="module")
def models(vocabulary, tmp_path_factory: pytest.TempPathFactory):
    made = Models(tmp_path_factory.mktemp("in-process"), vocabulary)
    yield made
    made.close()


@pytest.fixture(scope="module", params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def backend(models: Models, runtime: str) -> InProcessBackend:
    return models.open(runtime)


def text_of(backend, prompt, params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


def tokens_read(backend: InProcessBackend, prompt: str) -> int:
    """Tokens that the model has to read before the first of the answer."""
    count, read = [], backend._model.read

    def counting(tokens, n_logits=1):
        count.append(len(tokens))
        return read(tokens, n_logits)

    backend._model.read = counting
    try:
        stream = backend.generate(prompt, GREEDY)
        next(piece for piece in stream if piece.n_tokens)
        stream.close()
    finally:
        del backend._model.read
    return sum(count)


class TestDrafts:
    def test_prompt_lookup_leaves_greedy_texts_as_they_are(self, models, runtime, backend) -> None:
        assert len(PROMPTS) == 20
        looking = models.open(runtime, prompt_lookup=True)
        accepted = []
        learn = looking._drafter.learn
        looking._drafter.learn = lambda n, right: (accepted.append(right), learn(n, right))
        for prompt in PROMPTS:
            assert text_of(looking, prompt) == text_of(backend, prompt)
        assert accepted, "nothing was ever drafted"

    @pytest.mark.parametrize("draft_seed", [11, 12], ids=["the same weights", "other weights"])
    def test_a_draft_model_leaves_greedy_texts_as_they_are(self, models, runtime, backend, draft_seed: int) -> None:
        drafting = models.open(runtime, draft_seed=draft_seed)
        drafting._drafter._least = 0.0  # random weights are never sure of themselves
        for prompt in PROMPTS:
            assert text_of(drafting, prompt) == text_of(backend, prompt)

    def test_a_seed_gives_the_same_text_with_and_without_drafts(self, models, runtime, backend) -> None:
        params = GenerationParams(temperature=1.0, seed=5, max_tokens=32)
        looking = models.open(runtime, prompt_lookup=True)
        assert text_of(looking, PARAGRAPH * 2, params) == text_of(backend, PARAGRAPH * 2, params)

    def test_two_ways_to_draft_exclude_each_other(self, models, runtime) -> None:
        with pytest.raises(ConfigError, match="exclude each other"):
            models.open(runtime, draft_seed=12, prompt_lookup=True)


def test_both_runtimes_say_the_same_for_a_seed(models) -> None:
    params = GenerationParams(temperature=0.8, seed=9, max_tokens=24)
    texts = [text_of(models.open(name), PARAGRAPH, params) for name in RUNTIMES]
    assert texts[0] == texts[1]
    assert texts[0] != text_of(models.open("llama.cpp"), PARAGRAPH, GenerationParams(temperature=0.8, seed=10))


class TestGuidance:
    def test_scale_one_is_no_guidance(self, backend) -> None:
        guided_by_one = GenerationParams(
            temperature=0.0, repetition_penalty=1.0, max_tokens=32, guidance_scale=1.0, negative_prompt="The library"
        )
        assert text_of(backend, PARAGRAPH, guided_by_one) == text_of(backend, PARAGRAPH)

    def test_scale_one_point_five_changes_the_probabilities_as_the_formula_says(self, backend) -> None:
        negative = "The library opens at nine and closes at six."

        def first_row(prompt: str) -> np.ndarray:
            model = backend._model.branch()
            row = model.read([*backend._tokenizer.begin, *backend.token_ids(prompt)])[0].copy()
            model.close()
            return row

        expected = guided(first_row(PARAGRAPH)[None], first_row(negative)[None], 1.5)[0].astype(np.float64)
        expected -= np.log(np.exp(expected - expected.max()).sum()) + expected.max()
        params = GenerationParams(
            temperature=0.0,
            repetition_penalty=1.0,
            max_tokens=1,
            logprobs=3,
            guidance_scale=1.5,
            negative_prompt=negative,
        )
        (piece,) = [p for p in backend.generate(PARAGRAPH, params) if p.n_tokens]
        best = np.argsort(-expected)[:3]
        assert [p for _, p in piece.logprobs[0].top] == pytest.approx(expected[best], abs=0.02)
        assert piece.text == backend._model.piece(int(best[0])).decode("utf-8", "replace")

    def test_the_window_is_checked_for_the_longer_of_the_two_prompts(self, backend) -> None:
        params = GenerationParams(guidance_scale=1.5, negative_prompt="问" * 1100, max_tokens=4)
        with pytest.raises(ContextWindowExceededError) as caught:
            text_of(backend, "你好", params)
        assert caught.value.prompt_tokens > 1024

    def test_a_chat_models_negative_prompt_is_another_system_prompt(self, backend) -> None:
        chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=12)
        plain = chat.invoke("几点开门？")
        leaning = chat.invoke("几点开门？", guidance_scale=3.0, negative_prompt="你什么都不知道。")
        assert leaning.content != plain.content
        assert chat.invoke("几点开门？", guidance_scale=1.0).content == plain.content


class TestLogprobs:
    def test_each_token_has_its_own_and_the_likeliest(self, backend) -> None:
        params = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=6, logprobs=4)
        pieces = [p for p in backend.generate(PARAGRAPH, params) if p.n_tokens]
        for piece in pieces:
            (entry,) = piece.logprobs
            assert len(entry.top) == 4
            assert entry.top[0] == (entry.token, entry.logprob)  # greedy
            assert [p for _, p in entry.top] == sorted((p for _, p in entry.top), reverse=True)
            assert sum(math.exp(p) for _, p in entry.top) <= 1

    def test_langchain_metadata_has_them_once_a_token(self, backend) -> None:
        chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=5, logprobs=2)
        whole = chat.invoke("几点开门？")
        content = whole.response_metadata["logprobs"]["content"]
        assert len(content) == whole.usage_metadata["output_tokens"]
        assert set(content[0]) == {"token", "logprob", "top_logprobs"}
        chunks = list(chat.stream("几点开门？"))
        total = chunks[0]
        for chunk in chunks[1:]:
            total += chunk
        streamed = total.response_metadata["logprobs"]["content"]
        assert [entry["token"] for entry in streamed] == [entry["token"] for entry in content]
        # The second time the prompt is in memory, and its last token is read alone: other rounding.
        assert [e["logprob"] for e in streamed] == pytest.approx([e["logprob"] for e in content], abs=0.02)
        llm = ChineseAlpacaLLM(backend=backend, temperature=0, max_tokens=5, logprobs=0)
        info = llm.generate(["几点"]).generations[0][0].generation_info
        assert len(info["logprobs"]["content"]) == info["usage_metadata"]["output_tokens"]


class TestPrefixes:
    def test_two_conversations_in_turn_are_each_read_once(self, backend) -> None:
        one, two = DOCUMENT, OTHER
        n_one, n_two = backend.count_tokens(one), backend.count_tokens(two)
        assert min(n_one, n_two) > 300
        text_of(backend, one)
        text_of(backend, two)
        assert tokens_read(backend, one + "问：几点？") < 40
        assert tokens_read(backend, two + "问：几次？") < 40
        assert tokens_read(backend, one + "问：谁在看报？") < 40

    def test_what_was_put_aside_gives_the_same_text_as_reading_again(self, models, runtime, backend) -> None:
        fresh = models.open(runtime, prefix_bytes=0)
        for prompt in (DOCUMENT, OTHER, DOCUMENT):
            assert text_of(backend, prompt) == text_of(fresh, prompt)

    def test_a_saved_prefix_is_not_read_again_in_another_model_object(self, models, runtime, tmp_path: Path) -> None:
        first, document = models.open(runtime), DOCUMENT
        path = tmp_path / "document.memory"
        size = first.save_prefix(document, path)
        assert size == path.stat().st_size
        second = models.open(runtime)
        second.load_prefix(path)
        assert tokens_read(second, document + "问：几点？") < 40
        assert text_of(second, document + "问：几点？") == text_of(first, document + "问：几点？")

    def test_a_saved_prefix_takes_hardly_more_than_its_kv_cache(self, models, runtime, tmp_path: Path) -> None:
        backend, document = models.open(runtime), DOCUMENT
        size = backend.save_prefix(document, tmp_path / "document.memory")
        item_bytes = 2 if runtime == "llama.cpp" else 4  # f16 cache; torch's is of the weights' type
        kv = (backend.count_tokens(document) + 1) * 2 * 2 * 64 * item_bytes  # keys and values, 2 layers, width 64
        # These vectors are tiny: 256 to 512 bytes a token beside some 20 of bookkeeping. A real model has 0.5 MiB.
        assert kv - 512 <= size <= kv * 1.12

    def test_the_prefix_of_another_model_is_refused_and_the_model_goes_on(
        self, models, runtime, backend, tmp_path: Path
    ) -> None:
        path = tmp_path / "other.memory"
        models.open(runtime, seed=12).save_prefix(DOCUMENT, path)
        expected = text_of(backend, PARAGRAPH)
        with pytest.raises(ModelLoadError, match="another model"):
            backend.load_prefix(path)
        assert text_of(backend, PARAGRAPH) == expected

    def test_a_document_beyond_the_trained_window_is_saved_with_its_alpha(self, models, runtime, tmp_path) -> None:
        document, options = PARAGRAPH * 100, {"context_window": 4096, "rope": RopeSpec("adaptive_ntk")}
        first, second = models.open(runtime, **options), models.open(runtime, **options)
        assert first.count_tokens(document) > 1024  # what it was trained for
        path = tmp_path / "long.memory"
        first.save_prefix(document, path, max_tokens=64)
        second.load_prefix(path)
        assert tokens_read(second, document + "问：几点？") < 40
        assert text_of(second, document + "问：几点？") == text_of(first, document + "问：几点？")
        with pytest.raises(ModelLoadError, match="was computed with rope ntk"):
            models.open(runtime).load_prefix(path)

    def test_a_document_that_does_not_fit_is_refused(self, backend, tmp_path: Path) -> None:
        with pytest.raises(ContextWindowExceededError):
            backend.save_prefix("问" * 2000, tmp_path / "x.memory")
        assert list(tmp_path.glob("*.memory*")) == []


def test_two_callers_never_mix(models, runtime, backend) -> None:
    expected = {prompt: text_of(backend, prompt) for prompt in PROMPTS[:6]}
    seen: list[tuple[str, str]] = []

    def ask(prompt: str) -> None:
        seen.extend((prompt, text_of(backend, prompt)) for _ in range(3))

    threads = [threading.Thread(target=ask, args=(prompt,)) for prompt in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(seen) == 18
    assert all(text == expected[prompt] for prompt, text in seen)


class Opening(BaseModel):
    """When something opens."""

    hour: Literal[8, 9, 10]
    open_on_sunday: bool
    days: list[str] = Field(max_length=3)


SCHEMA = json.dumps(Opening.model_json_schema())


class TestStructured:
    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("prompt_lookup", [False, True])
    def test_any_sampling_keeps_to_the_schema(self, models, seed: int, prompt_lookup: bool) -> None:
        backend = models.open("llama.cpp", prompt_lookup=prompt_lookup)
        params = GenerationParams(temperature=1.2, top_k=0, top_p=1.0, seed=seed, max_tokens=400, json_schema=SCHEMA)
        pieces = list(backend.generate("几点开门？", params))
        text = "".join(piece.text for piece in pieces)
        if pieces[-1].finish_reason == "stop":
            Opening.model_validate_json(text)
        else:  # random weights may go on inside a string for ever; what is there must be the beginning of an object
            assert text.lstrip().startswith("{")
            assert '"hour"' in text

    def test_a_model_that_would_say_something_else_gives_the_object(self, quoting_backend) -> None:
        chat = ChatChineseAlpaca(backend=quoting_backend, chat_template="alpaca2", temperature=0, max_tokens=300)
        answer = chat.with_structured_output(Opening).invoke("几点开门？")
        assert isinstance(answer, Opening)

    @pytest.mark.parametrize(("bounds", "hours"), [({"minimum": 8, "maximum": 10}, {8, 9, 10}), ({"minimum": 1}, None)])
    def test_bounds_of_integers_are_kept_to(self, quoting_backend, bounds, hours) -> None:
        schema = {"title": "Hour", "description": "An hour.", "type": "object", "required": ["hour"]}
        schema |= {"properties": {"hour": {"type": "integer", **bounds}}}
        chat = ChatChineseAlpaca(backend=quoting_backend, chat_template="alpaca2", temperature=0, max_tokens=300)
        hour = chat.with_structured_output(schema).invoke("几点开门？")["hour"]
        assert hour in hours if hours else hour >= 1

    def test_what_cannot_be_kept_to_is_refused_and_not_dropped(self, quoting_backend) -> None:
        schema = {"title": "Hour", "description": "An hour.", "type": "object", "required": ["hour"]}
        schema |= {"properties": {"hour": {"type": "integer", "minimum": 100_000}}}
        chat = ChatChineseAlpaca(backend=quoting_backend, chat_template="alpaca2", temperature=0, max_tokens=300)
        with pytest.raises(ConfigError, match=r"cannot be kept to: the range 100000\.\."):
            chat.with_structured_output(schema).invoke("几点开门？")

    def test_an_answer_cut_short_is_an_error_and_not_half_an_object(self, quoting_backend) -> None:
        chat = ChatChineseAlpaca(backend=quoting_backend, chat_template="alpaca2", temperature=0, max_tokens=9)
        with pytest.raises(OutputParserException, match="cut short by max_tokens"):
            chat.with_structured_output(Opening.model_json_schema()).invoke("几点开门？")

    @pytest.mark.parametrize(
        "schema",
        ["{", "[]", '{"$ref": "https://example.com/schema.json"}', '{"type": "no such type"}', '{"$ref": "#/nowhere"}'],
    )
    def test_what_is_no_schema_is_refused_by_name(self, backend, models, schema: str) -> None:
        with pytest.raises(ConfigError, match="json_schema") as caught:
            text_of(models.open("llama.cpp"), "你好", GenerationParams(json_schema=schema))
        assert caught.value.setting == "json_schema"

    def test_a_runtime_without_grammars_says_so_before_it_computes(self, models) -> None:
        chat = ChatChineseAlpaca(backend=models.open("transformers"), chat_template="alpaca2")
        with pytest.raises(ConfigError, match="json_schema is not possible with TransformersBackend"):
            chat.with_structured_output(Opening).invoke("几点开门？")


RESTORE = """
import sys
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.backend import GenerationParams
backend = LlamaCppBackend(sys.argv[1])
backend.load_prefix(sys.argv[2])
params = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=32)
sys.stdout.buffer.write("".join(p.text for p in backend.generate(sys.argv[3], params)).encode())
backend.close()
"""


def test_a_new_process_goes_on_from_a_saved_prefix(models, tmp_path: Path) -> None:
    backend = models.open("llama.cpp")
    path = tmp_path / "document.memory"
    backend.save_prefix(DOCUMENT, path)
    question = DOCUMENT + "问：几点？"
    command = [sys.executable, "-c", RESTORE, backend._origin, str(path), question]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == text_of(backend, question)
