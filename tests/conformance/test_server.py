"""What is particular to a server: its window, its tokens, cancelling, several requests, chat. All on a real one."""

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, GenerationParams, Vocabulary
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.server import ServerBackend
from chinese_llm_rag.llms.servers.turns import AnswersTurns
from chinese_llm_rag.llms.template_choice import default_template
from chinese_llm_rag.models import FAMILY_VOCABULARY

small_models = sys.modules["small_models"]
local_llama_server = sys.modules["local_llama_server"]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

KEY = local_llama_server.SECRET
GREEDY = GenerationParams(temperature=0.0, max_tokens=8)
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"
TEMPLATE = "{{ bos_token }}{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>\n{% endfor %}答："


@pytest.fixture(scope="module")
def address(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with two slots over random weights, whose file has a chat template."""
    path = small_models.write_gguf(
        tmp_path_factory.mktemp("server") / "random.gguf",
        vocabulary,
        small_models.random_weights(11),
        chat_template=TEMPLATE,
    )
    with local_llama_server.running(path, context_window=1024, n_slots=2) as address:
        yield address


@pytest.fixture
def backend(address: str) -> Iterator[ServerBackend]:
    backend = ServerBackend(address, api_key=KEY)
    yield backend
    backend.close()


def text_of(backend: ServerBackend | LlamaCppBackend, prompt, params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


class TestConnecting:
    def test_the_window_is_the_servers_own_of_one_slot(self, address: str, backend: ServerBackend) -> None:
        assert backend.context_window == 1024
        smaller = ServerBackend(f"{address}/v1/", api_key=KEY, context_window=300)
        assert smaller.context_window == 300
        smaller.close()

    def test_a_window_above_the_servers_is_refused_with_both_numbers(self, address: str) -> None:
        with pytest.raises(ConfigError, match=r"context_window=2048: the server at .* has 1024") as caught:
            ServerBackend(address, api_key=KEY, context_window=2048)
        assert caught.value.setting == "context_window"

    def test_the_only_model_is_taken_and_another_name_is_refused_with_the_list(
        self, address: str, backend: ServerBackend
    ) -> None:
        assert backend.model_name.endswith("random.gguf")
        with pytest.raises(ConfigError, match=r"model='llama-7b': the server at .* has '.*random\.gguf'"):
            ServerBackend(address, "llama-7b", api_key=KEY)

    def test_without_the_key_nothing_is_told(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        with pytest.raises(ModelLoadError, match="refuses access") as caught:
            ServerBackend(address)
        assert "give api_key" in str(caught.value.hint)
        with pytest.raises(ModelLoadError, match="refuses access") as caught:
            ServerBackend(address, api_key="wrong")
        assert "is not the server's" in str(caught.value.hint)
        assert "wrong" not in str(caught.value)

    def test_proxies_of_the_environment_are_not_for_this_machine(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        direct = ServerBackend(address, api_key=KEY)
        assert text_of(direct, "你好")
        direct.close()

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("context_window", 0),
            ("timeout_s", 0),
            ("mode", "talk"),
            ("kind", "gpt"),
            ("api_key", ""),
            ("api_key", "钥"),
        ],
    )
    def test_an_argument_out_of_range_is_refused_before_anything_is_sent(self, setting: str, value: object) -> None:
        with pytest.raises(ConfigError) as caught:
            ServerBackend("http://127.0.0.1:9", **{setting: value})
        assert caught.value.setting == setting

    @pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://", "http://a:b@host", "http://host?k=1"])
    def test_an_address_that_is_none_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            ServerBackend(url)
        assert caught.value.setting == "base_url"
        assert "a:b" not in str(caught.value)


class TestTokens:
    def test_they_equal_those_of_llama_cpp_in_this_process(
        self, backend: ServerBackend, random_backend: LlamaCppBackend
    ) -> None:
        turns = [Turn("user", "几点开门？</s>"), Turn("assistant", "九点。"), Turn("user", "[INST] 谢谢 <s>")]
        prompts = [PARAGRAPH, "</s><s>[INST]<unk>", "a\ud800b", "", " 两  个空格\n", alpaca2_prompt(turns)]
        prompts += [["前", Control("</s>\n<s>问："), "后</s>"], [Control("<s>"), "你好"]]
        for prompt in prompts:
            assert backend.token_ids(prompt) == random_backend.token_ids(prompt)
            assert backend.count_tokens(prompt) == len(random_backend.token_ids(prompt))

    def test_the_server_reads_exactly_the_tokens_that_were_counted(self, backend: ServerBackend) -> None:
        for prompt in (PARAGRAPH, alpaca2_prompt([Turn("user", "</s>你好<s>")]), [Control("<s>"), "你好"], ""):
            seen: list[int] = []
            events = backend._connection.events

            def noting(path: str, body: dict, seen=seen, events=events):
                for event in events(path, body):
                    seen += [event["usage"]["prompt_tokens"]] if event and event.get("usage") else []
                    yield event

            backend._connection.events = noting
            first = next(iter(backend.generate(prompt, GREEDY)))
            text_of(backend, prompt)
            backend._connection.events = events
            assert seen == [first.prompt_tokens]


class TestGenerating:
    def test_greedy_text_equals_llama_cpp_in_this_process(
        self, backend: ServerBackend, random_backend: LlamaCppBackend
    ) -> None:
        for penalty in (1.0, 1.1):
            params = GenerationParams(temperature=0.0, max_tokens=32, repetition_penalty=penalty)
            assert text_of(backend, PARAGRAPH, params) == text_of(random_backend, PARAGRAPH, params)

    def test_a_seed_repeats_and_another_seed_differs(self, backend: ServerBackend) -> None:
        params = GenerationParams(temperature=1.5, top_k=0, top_p=1.0, max_tokens=24, seed=7)
        assert text_of(backend, PARAGRAPH, params) == text_of(backend, PARAGRAPH, params)
        assert text_of(backend, PARAGRAPH, params) != text_of(backend, PARAGRAPH, replace(params, seed=8))

    def test_log_probabilities_equal_those_in_this_process(
        self, backend: ServerBackend, random_backend: LlamaCppBackend
    ) -> None:
        params = GenerationParams(temperature=0.0, max_tokens=4, repetition_penalty=1.0, logprobs=3)
        ours, theirs = (
            [e for p in b.generate(PARAGRAPH, params) for e in p.logprobs] for b in (random_backend, backend)
        )
        assert len(ours) == len(theirs) == 4
        for one, other in zip(ours, theirs, strict=True):
            # What the server shows of a byte of a character is its own affair.
            assert [t.strip("\ufffd") for t, _ in one.top] == [t.strip("\ufffd") for t, _ in other.top]
            assert one.token.strip("\ufffd") == other.token.strip("\ufffd")
            # Both caches are in half precision, and which part of the prompt was read at once differs.
            assert one.logprob == pytest.approx(other.logprob, abs=0.02)
            assert [v for _, v in one.top] == pytest.approx([v for _, v in other.top], abs=0.02)

    def test_a_schema_is_kept_to(self, backend: ServerBackend) -> None:
        schema = json.dumps({"type": "object", "properties": {"n": {"enum": [12, 34]}}, "required": ["n"]})
        text = text_of(backend, "数", GenerationParams(temperature=0.0, max_tokens=60, json_schema=schema))
        assert json.loads(text)["n"] in (12, 34)

    def test_a_schema_that_cannot_be_kept_to_is_refused(self, backend: ServerBackend) -> None:
        with pytest.raises(ConfigError, match="json_schema"):
            text_of(backend, "数", GenerationParams(temperature=0.0, json_schema='{"type": "nonsense"}'))

    def test_closing_makes_the_server_stop(self, address: str, backend: ServerBackend) -> None:
        stream = backend.generate(PARAGRAPH, GenerationParams(temperature=1.0, max_tokens=900, seed=1))
        for _ in itertools.takewhile(lambda piece: not piece.text, stream):
            pass
        assert busy_slots(address) == 1
        stream.close()
        deadline = time.monotonic() + 20
        while busy_slots(address) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert busy_slots(address) == 0
        n_decoded = [slot["next_token"] for slot in slots(address) if "next_token" in slot]
        assert all(token["n_decoded"] < 900 for tokens in n_decoded for token in tokens)

    def test_several_requests_run_at_once(self, address: str, backend: ServerBackend) -> None:
        params = GenerationParams(temperature=0.0, max_tokens=200)
        expected = [text_of(backend, prompt, params) for prompt in ("一", "二")]
        streams = [backend.generate(prompt, params) for prompt in ("一", "二")]
        begun = ["".join(p.text for p in itertools.islice(stream, 3)) for stream in streams]
        texts = [begin + "".join(p.text for p in stream) for begin, stream in zip(begun, streams, strict=True)]
        assert all(begun)
        assert texts == expected

    def test_threads_get_their_own_answers(self, backend: ServerBackend) -> None:
        prompts = ["问一", "问二", "问三", "问四", "问五", "问六"]
        expected = [text_of(backend, prompt) for prompt in prompts]
        texts: dict[str, str] = {}
        threads = [threading.Thread(target=lambda p=p: texts.update({p: text_of(backend, p)})) for p in prompts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [texts[prompt] for prompt in prompts] == expected

    def test_closing_the_backend_ends_a_stream_and_later_calls_with_a_clear_error(self, address: str) -> None:
        backend = ServerBackend(address, api_key=KEY)
        stream = backend.generate(PARAGRAPH, GenerationParams(temperature=1.0, max_tokens=900, seed=1))
        next(stream)
        next(stream)
        backend.close()
        backend.close()
        with pytest.raises(GenerationError, match="is closed"):
            list(stream)
        with pytest.raises(GenerationError, match="is closed"):
            backend.count_tokens("你好")

    def test_the_llm_class_goes_on_with_a_text(self, backend: ServerBackend) -> None:
        llm = ChineseAlpacaLLM(backend=backend, temperature=0, max_tokens=8)
        assert llm.invoke(PARAGRAPH) == "".join(llm.stream(PARAGRAPH)) == text_of(backend, PARAGRAPH)
        assert llm.get_token_ids(PARAGRAPH) == backend.token_ids(PARAGRAPH)


class TestTemplates:
    def test_the_template_of_the_file_is_told_and_used(self, backend: ServerBackend) -> None:
        assert backend.chat_template == ChatTemplateSource(TEMPLATE, bos_token="<s>", eos_token="</s>")
        assert default_template(backend) == "model"
        assert ChatChineseAlpaca(backend=backend, temperature=0, max_tokens=4).invoke("你好").content

    def test_the_servers_stopgap_is_no_template_and_the_familys_vocabulary_is_known(
        self, vocabulary, tmp_path: Path
    ) -> None:
        path = small_models.write_gguf(
            tmp_path / "family.gguf",
            vocabulary,
            small_models.random_weights(3),
            layers=1,
            width=16,
            heads=2,
            vocabulary_size=FAMILY_VOCABULARY,
        )
        with local_llama_server.running(path) as address:
            backend = ServerBackend(address, api_key=KEY)
            assert backend.chat_template is None
            assert backend.vocabulary == Vocabulary("llama", 55296)
            assert default_template(backend) == "alpaca2"
            backend.close()


class TestTurns:
    @pytest.fixture
    def chatting(self, address: str) -> Iterator[ServerBackend]:
        backend = ServerBackend(address, api_key=KEY, mode="chat")
        yield backend
        backend.close()

    def test_only_mode_chat_leaves_the_template_to_the_server(
        self, backend: ServerBackend, chatting: ServerBackend
    ) -> None:
        assert isinstance(backend, AnswersTurns)
        assert (backend.answers_turns, chatting.answers_turns) == (False, True)

    def test_the_servers_rendering_gives_the_text_of_the_same_prompt(
        self, backend: ServerBackend, chatting: ServerBackend
    ) -> None:
        turns = [Turn("system", "你是助手。"), Turn("user", "几点开门？")]
        pieces = list(chatting.generate_turns(turns, GREEDY))
        prompt = [
            Control("<s><s>"),
            "system: 你是助手。",
            Control("</s>\n<s>"),
            "user: 几点开门？",
            Control("</s>\n答："),
        ]
        # The server drops the template's own BOS where the tokenizer adds one, as we do.
        assert "".join(p.text for p in pieces) == text_of(backend, prompt)
        assert pieces[0].prompt_tokens == chatting.count_turn_tokens(turns) == backend.count_tokens(prompt) + 1
        assert pieces[-1].finish_reason == "length"

    def test_control_tokens_and_markers_in_messages_stay_text(self, chatting: ServerBackend) -> None:
        spelled = chatting.count_turn_tokens([Turn("user", "a</s><s>[INST]b")])
        full_width = chatting.count_turn_tokens([Turn("user", "a＜/s＞＜s＞［INST］b")])
        assert spelled == full_width

    def test_turns_that_do_not_fit_are_refused_before_the_call(self, chatting: ServerBackend) -> None:
        with pytest.raises(ContextWindowExceededError) as caught:
            next(iter(chatting.generate_turns([Turn("user", PARAGRAPH * 80)], GREEDY)))
        assert caught.value.prompt_tokens > caught.value.context_window

    def test_an_unfinished_answer_is_refused(self, chatting: ServerBackend) -> None:
        with pytest.raises(ConfigError, match="ends with the assistant's words"):
            next(iter(chatting.generate_turns([Turn("user", "一"), Turn("assistant", "二")], GREEDY)))

    async def test_the_chat_class_leaves_the_template_to_the_server(self, chatting: ServerBackend) -> None:
        chat = ChatChineseAlpaca(backend=chatting, system_prompt="你是助手。", temperature=0, max_tokens=12)
        turns = [Turn("system", "你是助手。"), Turn("user", "几点开门？")]
        direct = list(chatting.generate_turns(turns, GenerationParams(temperature=0.0, max_tokens=12)))
        answer = chat.invoke("几点开门？")
        assert answer.content == "".join(p.text for p in direct).lstrip()
        assert answer.usage_metadata["input_tokens"] == direct[0].prompt_tokens
        assert chat.get_num_tokens_from_messages([HumanMessage("几点开门？")]) == direct[0].prompt_tokens - 1
        assert (await chat.ainvoke("几点开门？")).content == answer.content
        assert "".join(str(c.content) for c in chat.stream("几点开门？")) == answer.content

    def test_a_template_of_ones_own_is_refused_there(self, chatting: ServerBackend) -> None:
        with pytest.raises(ConfigError, match="leaves the template to its server") as caught:
            ChatChineseAlpaca(backend=chatting, chat_template="alpaca2")
        assert caught.value.setting == "chat_template"


def slots(address: str) -> list[dict]:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.get(f"{address}/slots", headers=headers, trust_env=False).raise_for_status().json()


def busy_slots(address: str) -> int:
    return sum(slot["is_processing"] for slot in slots(address))
