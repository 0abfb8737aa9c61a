"""Streams of a server that does not wait for its reader: stopped, left unread, several at a time."""

import sys
import threading
import time
from pathlib import Path

import pytest

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

small_models = sys.modules["small_models"]

GREEDY = GenerationParams(temperature=0.0, max_tokens=8)
PLAIN = GenerationParams(temperature=0.0, repetition_penalty=1.0, max_tokens=24)
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"


def text_of(backend, prompt, params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


def answering_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "xllamacpp-answer"]


def wait_until_idle() -> float:
    """Seconds until no answer is under way."""
    started = time.monotonic()
    while answering_threads():
        assert time.monotonic() - started < 30
        time.sleep(0.001)
    return time.monotonic() - started


class TestStreams:
    LONG = GenerationParams(temperature=0.0, max_tokens=900)

    def test_a_closed_stream_ends_the_servers_work_soon(self, vocabulary, tmp_path: Path) -> None:
        weights = small_models.random_weights(6)
        path = small_models.write_gguf(tmp_path / "slower.gguf", vocabulary, weights, width=256, layers=8)
        backend = XllamacppBackend(path)
        started = time.monotonic()
        list(backend.generate("你好", self.LONG))
        whole = time.monotonic() - started
        stream = backend.generate("你好", self.LONG)
        next(piece for piece in stream if piece.n_tokens)
        stream.close()
        assert wait_until_idle() < whole / 4
        backend.close()

    def test_stopping_while_a_prompt_is_read_leaves_the_model_usable(self, random_model: Path) -> None:
        backend = XllamacppBackend(random_model, n_batch=32)
        expected = text_of(backend, PARAGRAPH)
        stream = backend.generate("问" + PARAGRAPH * 8, GREEDY)
        next(stream)
        next(stream)
        stream.close()
        assert text_of(backend, PARAGRAPH) == expected
        backend.close()

    def test_a_stream_left_unread_does_not_keep_its_own_thread_from_asking(self, random_xllamacpp) -> None:
        expected = text_of(random_xllamacpp, "再见")
        stream = random_xllamacpp.generate("你好", self.LONG)
        next(piece for piece in stream if piece.n_tokens)
        assert text_of(random_xllamacpp, "再见") == expected
        assert sum(piece.n_tokens for piece in stream) > 0

    @pytest.mark.parametrize("n_parallel", [1, 3])
    def test_texts_of_several_threads_never_mix(self, random_model: Path, n_parallel: int) -> None:
        backend = XllamacppBackend(random_model, n_parallel=n_parallel)
        prompts = [PARAGRAPH[i:] for i in range(6)]
        expected = [text_of(backend, prompt, PLAIN) for prompt in prompts]
        assert len(set(expected)) > 1
        texts: dict[int, str] = {}
        threads = [
            threading.Thread(target=lambda i=i: texts.update({i: text_of(backend, prompts[i], PLAIN)}))
            for i in range(len(prompts))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [texts[i] for i in range(len(prompts))] == expected
        backend.close()

    async def test_leaving_an_async_stream_frees_the_model(self, random_xllamacpp: XllamacppBackend) -> None:
        chat = ChatChineseAlpaca(backend=random_xllamacpp, chat_template="alpaca2", temperature=0, max_tokens=900)
        stream = chat.astream("你好")
        await anext(stream)
        await stream.aclose()
        assert wait_until_idle() < 5

    def test_closing_waits_for_a_running_generation(self, random_model: Path) -> None:
        backend = XllamacppBackend(random_model)
        stream = backend.generate("你好", GREEDY)
        next(stream)
        next(stream)
        closer = threading.Thread(target=backend.close)
        closer.start()
        rest = list(stream)
        closer.join(20)
        assert rest[-1].finish_reason == "length"
        assert not closer.is_alive()

    def test_a_closed_model_says_so(self, random_model: Path) -> None:
        backend = XllamacppBackend(random_model)
        stream = backend.generate("你好", GREEDY)
        next(stream)
        backend.close()
        backend.close()
        with pytest.raises(GenerationError, match="'random' is closed"):
            backend.count_tokens("你好")
        with pytest.raises(GenerationError, match="'random' is closed"):
            next(stream)


def test_a_model_that_was_never_asked_anything_can_be_closed_at_once(random_model: Path) -> None:
    for _ in range(20):
        XllamacppBackend(random_model, context_window=64).close()
