"""What every Backend has to keep, shown on each of them. A new runtime adds one entry to BACKENDS."""

import sys
import threading

import pytest
from langchain_core.messages import HumanMessage

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.backend import Backend, Control, GenerationParams, TextChunk
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.server import ServerBackend
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend
from chinese_llm_rag.testing import ScriptedBackend

small_models = sys.modules["small_models"]
local_llama_server = sys.modules["local_llama_server"]

ANSWER = "图书馆九点开门。🙂"  # every character once; the last is not in the vocabulary, so it is four byte tokens
GREEDY = GenerationParams(temperature=0.0, max_tokens=64)
LOOPBACK = pytest.mark.allow_hosts(["127.0.0.1"])
BACKENDS = ("scripted", "llama.cpp", "transformers", "xllamacpp", pytest.param("server", marks=LOOPBACK))


def answer_tokens(vocabulary) -> list[int]:
    """The tokens of ANSWER: the characters that the vocabulary knows as one token each, the others in bytes."""
    tokens: list[int] = []
    for character in ANSWER:
        known = character in vocabulary.pieces
        tokens += [vocabulary.pieces.index(character)] if known else vocabulary.byte_tokens(character)
    return tokens


@pytest.fixture(scope="module")
def llama_that_answers(vocabulary, tmp_path_factory: pytest.TempPathFactory):
    """A llama.cpp model that says ANSWER."""
    tokens = answer_tokens(vocabulary)
    weights = small_models.scripted_weights([*tokens, small_models.EOS])
    path = tmp_path_factory.mktemp("contract") / "answers.gguf"
    backend = LlamaCppBackend(small_models.write_gguf(path, vocabulary, weights))
    yield backend, len(tokens)
    backend.close()


@pytest.fixture(scope="module")
def transformers_that_answers(vocabulary, tmp_path_factory: pytest.TempPathFactory):
    """The same weights in transformers."""
    tokens = answer_tokens(vocabulary)
    weights = small_models.scripted_weights([*tokens, small_models.EOS])
    folder = tmp_path_factory.mktemp("contract") / "answers"
    backend = TransformersBackend(small_models.write_folder(folder, vocabulary, weights))
    yield backend, len(tokens)
    backend.close()


@pytest.fixture(scope="module")
def xllamacpp_that_answers(vocabulary, tmp_path_factory: pytest.TempPathFactory):
    """The same weights in the server inside xllamacpp."""
    tokens = answer_tokens(vocabulary)
    weights = small_models.scripted_weights([*tokens, small_models.EOS])
    path = tmp_path_factory.mktemp("contract") / "answers.gguf"
    backend = XllamacppBackend(small_models.write_gguf(path, vocabulary, weights))
    yield backend, len(tokens)
    backend.close()


@pytest.fixture(scope="module")
def server_that_answers(vocabulary, tmp_path_factory: pytest.TempPathFactory):
    """The same weights behind llama.cpp's HTTP server, in another process."""
    tokens = answer_tokens(vocabulary)
    weights = small_models.scripted_weights([*tokens, small_models.EOS])
    path = small_models.write_gguf(tmp_path_factory.mktemp("contract") / "answers.gguf", vocabulary, weights)
    with local_llama_server.running(path, n_slots=2) as address:
        backend = ServerBackend(address, api_key=local_llama_server.SECRET)
        yield backend, len(tokens)
        backend.close()


@pytest.fixture(params=BACKENDS)
def answering(request: pytest.FixtureRequest) -> tuple[Backend, int]:
    """A backend that says ANSWER and ends its turn, and how many tokens that is."""
    if request.param == "scripted":
        return ScriptedBackend([ANSWER] * 50), len(ANSWER)
    fixtures = {
        "llama.cpp": "llama_that_answers",
        "transformers": "transformers_that_answers",
        "xllamacpp": "xllamacpp_that_answers",
        "server": "server_that_answers",
    }
    return request.getfixturevalue(fixtures[request.param])


def read(backend: Backend, prompt, params: GenerationParams = GREEDY) -> list[TextChunk]:
    return list(backend.generate(prompt, params))


def test_pieces_join_to_the_answer_and_only_the_last_has_a_finish_reason(answering) -> None:
    backend, _ = answering
    pieces = read(backend, "几点开门？")
    assert "".join(p.text for p in pieces) == ANSWER
    assert [p.finish_reason for p in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].finish_reason == "stop"


def test_every_generated_token_is_counted_once_and_the_end_token_is_not(answering) -> None:
    backend, n_tokens = answering
    assert sum(p.n_tokens for p in read(backend, "几点开门？")) == n_tokens


def test_the_first_piece_tells_the_tokens_of_the_prompt_with_bos(answering) -> None:
    backend, _ = answering
    first, *others = read(backend, "几点开门？")
    assert first.prompt_tokens == backend.count_tokens("几点开门？") + 1
    assert not any(p.prompt_tokens for p in others)


def test_max_tokens_ends_the_text_with_length(answering) -> None:
    backend, _ = answering
    pieces = read(backend, "几点开门？", GenerationParams(temperature=0.0, max_tokens=3))
    assert "".join(p.text for p in pieces) == "图书馆"
    assert sum(p.n_tokens for p in pieces) == 3
    assert pieces[-1].finish_reason == "length"


def test_a_character_over_several_tokens_is_never_shown_in_parts(answering) -> None:
    backend, n_tokens = answering
    for max_tokens in range(len(ANSWER) - 1, n_tokens + 1):
        params = GenerationParams(temperature=0.0, max_tokens=max_tokens)
        text = "".join(p.text for p in read(backend, "几点开门？", params))
        assert "\ufffd" not in text
        assert ANSWER.startswith(text)


def test_closing_stops_within_one_token_and_leaves_the_model_usable(answering) -> None:
    backend, _ = answering
    stream = backend.generate("几点开门？", GREEDY)
    seen = ""
    for piece in stream:
        seen += piece.text
        if len(seen) == 2:
            break
    stream.close()
    assert seen == ANSWER[:2]
    assert "".join(p.text for p in read(backend, "几点开门？")) == ANSWER


def test_a_prompt_that_does_not_fit_fails_with_the_three_numbers(answering) -> None:
    backend, _ = answering
    prompt = "问" * 40
    read_tokens = backend.count_tokens(prompt) + 1
    fits = backend.context_window - read_tokens
    with pytest.raises(ContextWindowExceededError) as caught:
        next(iter(backend.generate(prompt, GenerationParams(max_tokens=fits + 1))))
    error = caught.value
    assert (error.prompt_tokens, error.max_tokens, error.context_window) == (
        read_tokens,
        fits + 1,
        backend.context_window,
    )
    assert str(read_tokens) in str(error)
    stream = backend.generate(prompt, GenerationParams(temperature=0.0, max_tokens=fits))
    assert next(iter(stream)).prompt_tokens == read_tokens
    stream.close()


def test_text_that_spells_a_control_token_stays_text(answering) -> None:
    backend, _ = answering
    as_text, as_control = backend.count_tokens("</s>"), backend.count_tokens([Control("</s>")])
    assert as_control == 1
    assert as_text > 1
    assert backend.count_tokens(["前", Control("</s>"), "后"]) < backend.count_tokens("前</s>后")


def test_calls_from_several_threads_wait_for_each_other(answering) -> None:
    backend, _ = answering
    texts: list[str] = []

    def ask() -> None:
        texts.append("".join(p.text for p in read(backend, "几点开门？")))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == [ANSWER] * 4


@pytest.mark.parametrize("stop", ["九点", "开", "门。🙂"])
def test_stream_equals_invoke_and_stop_strings_are_not_shown(answering, stop: str) -> None:
    backend, _ = answering
    expected = ANSWER[: ANSWER.index(stop)]
    llm = ChineseAlpacaLLM(backend=backend, temperature=0, max_tokens=64)
    assert llm.invoke("几点？", stop=[stop]) == expected
    assert "".join(llm.stream("几点？", stop=[stop])) == expected
    chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=64, stop=[stop])
    whole = chat.invoke("几点？")
    streamed = list(chat.stream("几点？"))
    total = streamed[0]
    for chunk in streamed[1:]:
        total += chunk
    assert whole.content == total.content == expected
    assert whole.usage_metadata == total.usage_metadata
    assert total.response_metadata["finish_reason"] == "stop"


async def test_async_equals_sync_with_the_same_usage(answering) -> None:
    backend, n_tokens = answering
    chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", temperature=0, max_tokens=64)
    whole = await chat.ainvoke("几点？")
    pieces = [chunk async for chunk in chat.astream("几点？")]
    assert whole.content == "".join(str(p.content) for p in pieces) == ANSWER
    n_prompt = 1 + chat.get_num_tokens_from_messages([HumanMessage("几点？")])
    assert whole.usage_metadata == {
        "input_tokens": n_prompt,
        "output_tokens": n_tokens,
        "total_tokens": n_prompt + n_tokens,
    }
    assert pieces[-1].usage_metadata == whole.usage_metadata


async def test_the_error_of_a_worker_reaches_the_awaiting_caller(answering) -> None:
    backend, _ = answering
    chat = ChatChineseAlpaca(backend=backend, chat_template="alpaca2")
    with pytest.raises(ContextWindowExceededError):
        await chat.ainvoke("问" * backend.context_window)
    with pytest.raises(ConfigError, match="nonsense"):
        async for _ in chat.astream("问", nonsense=1):
            pass


def test_batches_keep_their_order(answering) -> None:
    backend, _ = answering
    llm = ChineseAlpacaLLM(backend=backend, temperature=0, max_tokens=64)
    assert llm.batch(["一", "二", "三"]) == [ANSWER] * 3
