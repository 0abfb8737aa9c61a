"""vLLM, text-generation-webui and others, each played by a server that answers as its documentation says."""

import sys
from typing import ClassVar

import pytest

from chinese_llm_rag.errors import ConfigError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.backend import Control, GenerationParams, Vocabulary
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.server import ServerBackend

played_server = sys.modules["played_server"]
DONE = played_server.DONE
cut = played_server.cut
delta = played_server.delta
piece = played_server.piece
streaming = played_server.streaming
usage = played_server.usage
vllm = played_server.vllm
webui = played_server.webui

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PARAMS = GenerationParams(temperature=0.0, top_k=0, max_tokens=4, seed=7)


def text_of(backend: ServerBackend, prompt="你好", params: GenerationParams = PARAMS) -> str:
    return "".join(p.text for p in backend.generate(prompt, params))


class TestVllm:
    def test_its_window_and_model_are_read_and_prompts_go_as_token_ids(self, play, opened) -> None:
        played = play(vllm())
        backend = opened(played, api_key="k")
        assert (backend.model_name, backend.context_window) == ("hfl/chinese-alpaca-2-7b", 4096)
        assert backend.vocabulary == Vocabulary("", 0)
        assert backend.abilities == {"logprobs", "json_schema"}
        pieces = list(backend.generate("你好", PARAMS))
        assert "".join(p.text for p in pieces) == "图"
        assert (pieces[0].prompt_tokens, sum(p.n_tokens for p in pieces)) == (3, 1)
        [body] = played.bodies("/v1/completions")
        assert body["prompt"] == [1, *cut("你好")]
        sampling = {"temperature": 0.0, "top_k": -1, "top_p": 0.9, "min_p": 0.0, "repetition_penalty": 1.1, "seed": 7}
        assert sampling.items() <= body.items()
        assert body["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
        assert all(headers["Authorization"] == "Bearer k" for headers in played.headers)

    def test_a_window_above_its_own_is_refused_with_both_numbers(self, play) -> None:
        with pytest.raises(ConfigError, match=r"context_window=8192: the server at .* has 4096"):
            ServerBackend(play(vllm()).url, context_window=8192)

    def test_spelled_control_tokens_are_sent_in_full_width_brackets(self, play, opened) -> None:
        played = play(vllm())
        backend = opened(played)
        assert backend.token_ids(["前</s>", Control("</s>"), "后"]) == [*cut("前＜/s＞"), 2, *cut("后")]

    def test_an_adapter_has_the_window_of_its_base_model(self, play, opened) -> None:
        answers = vllm()
        base = answers["/v1/models"](None, {})["data"][0]
        adapter = {"id": "law", "owned_by": "vllm", "parent": base["id"], "max_model_len": None}
        answers["/v1/models"] = lambda _h, _b: {"data": [base, adapter]}
        played = play(answers)
        with pytest.raises(ConfigError, match=r"no model was given: .* has 'hfl/chinese-alpaca-2-7b', 'law'"):
            ServerBackend(played.url)
        assert opened(played, "law").context_window == 4096

    def test_log_probabilities_and_a_schema_are_asked_for_by_its_names(self, play, opened) -> None:
        told = {"tokens": ["3"], "token_logprobs": [-0.5], "top_logprobs": [{"3": -0.5, "4": -1.5}], "text_offset": [0]}
        event = piece("3", **usage(3, 1))
        event["choices"][0]["logprobs"] = told
        played = play(vllm(completions=streaming(event, piece("", "stop", **usage(3, 2)), DONE)))
        params = GenerationParams(max_tokens=4, logprobs=2, json_schema='{"type": "integer"}')
        pieces = list(opened(played).generate("你好", params))
        [entry] = [entry for p in pieces for entry in p.logprobs]
        assert (entry.token, entry.logprob, entry.top) == ("3", -0.5, (("3", -0.5), ("4", -1.5)))
        [body] = played.bodies("/v1/completions")
        assert body["logprobs"] == 2
        assert body["response_format"]["json_schema"]["schema"] == {"type": "integer"}

    def test_a_schema_that_is_not_kept_to_is_noticed(self, play, opened) -> None:
        backend = opened(play(vllm()))
        with pytest.raises(GenerationError, match="did not keep to the JSON schema: '图'"):
            text_of(backend, params=GenerationParams(max_tokens=4, json_schema='{"type": "integer"}'))

    def test_chat_is_counted_by_its_own_template(self, play, opened) -> None:
        played = play(vllm(**{"chat/completions": streaming(delta("好"), delta("", "stop"), DONE)}))
        backend = opened(played, mode="chat")
        pieces = list(backend.generate_turns([Turn("user", "你</s>好")], PARAMS))
        assert "".join(p.text for p in pieces) == "好"
        assert pieces[0].prompt_tokens == 1 + len("你＜/s＞好")
        [body] = played.bodies("/v1/chat/completions")
        assert body["messages"] == [{"role": "user", "content": "你＜/s＞好"}]


class TestWebui:
    def test_the_loaded_model_is_taken_and_prompts_go_as_text_without_bos(self, play, opened) -> None:
        played = play(webui())
        backend = opened(played, context_window=2048)
        assert (backend.model_name, backend.context_window) == ("b", 2048)
        assert backend.abilities == frozenset()
        pieces = list(backend.generate(["问</s>", Control("</s><s>"), "答"], PARAMS))
        assert "".join(p.text for p in pieces) == "图书"
        [body] = played.bodies("/v1/completions")
        assert body["prompt"] == "问＜/s＞</s><s>答"
        assert pieces[0].prompt_tokens == 1 + len("问＜/s＞") + 2 + 1
        assert sum(p.n_tokens for p in pieces) == 2
        asked = {"top_k": 0, "repetition_penalty": 1.1, "repetition_penalty_range": 2048, "truncation_length": 2048}
        assert asked.items() <= body.items()

    def test_it_does_not_tell_its_window_so_one_has_to_be_given(self, play) -> None:
        with pytest.raises(ConfigError, match="does not tell its context window") as caught:
            ServerBackend(play(webui()).url)
        assert caught.value.setting == "context_window"

    def test_a_model_that_is_not_loaded_is_refused(self, play) -> None:
        with pytest.raises(ConfigError, match=r"model='c': .* has 'b'"):
            ServerBackend(play(webui()).url, "c", context_window=2048)

    def test_no_loaded_model_is_an_error(self, play) -> None:
        played = play({**webui(), "/v1/internal/model/info": lambda _h, _b: {"model_name": "None", "lora_names": []}})
        with pytest.raises(ModelLoadError, match="no model is loaded"):
            ServerBackend(played.url, context_window=2048)

    def test_turns_are_rendered_by_its_instruction_template(self, play, opened) -> None:
        played = play(webui(**{"chat/completions": streaming(delta("好"), delta("", "stop"), DONE)}))
        backend = opened(played, context_window=2048, mode="chat")
        assert backend.count_turn_tokens([Turn("user", "你")]) == 1 + len("[INST] 你 [/INST]")
        assert "".join(p.text for p in backend.generate_turns([Turn("user", "你")], PARAMS)) == "好"
        assert played.bodies("/v1/chat/completions")[0]["mode"] == "instruct"


class OneTokenACharacter:
    """The tokenizer of the played model, on this side."""

    begin = (1,)

    def token_ids(self, prompt) -> list[int]:
        return cut("".join([prompt] if isinstance(prompt, str) else prompt))


class TestOthers:
    ANSWERS: ClassVar = {
        "/v1/models": lambda _h, _b: {"data": [{"id": "m", "object": "model", "owned_by": "someone"}]},
        "/v1/completions": streaming(
            piece("图"), lambda body: piece("", "length", **usage(1 + len(cut(body["prompt"])), 1)), DONE
        ),
        "/v1/chat/completions": streaming(delta("图"), {**delta("", "stop"), **usage(30, 1)}, DONE),
    }

    def test_they_need_a_tokenizer_and_a_window(self, play) -> None:
        played = play(self.ANSWERS)
        with pytest.raises(ConfigError, match="does not tell its context window"):
            ServerBackend(played.url, tokenizer=OneTokenACharacter())
        with pytest.raises(ConfigError, match="no tokenizer that is known here"):
            ServerBackend(played.url, context_window=2048)

    def test_with_both_they_get_text_without_spelled_control_tokens(self, play, opened) -> None:
        played = play(self.ANSWERS)
        backend = opened(played, context_window=2048, tokenizer=OneTokenACharacter())
        assert text_of(backend, "</s>") == "图"
        [body] = played.bodies("/v1/completions")
        assert body["prompt"] == "＜/s＞"
        assert body["repetition_penalty"] == 1.1  # no word of OpenAI's, but never dropped in silence
        assert body.keys() == {
            "model",
            "prompt",
            "stream",
            "stream_options",
            "temperature",
            "top_p",
            "max_tokens",
            "seed",
            "repetition_penalty",
        }

    def test_in_chat_the_prompts_tokens_come_from_usage_in_the_last_piece(self, play, opened) -> None:
        backend = opened(play(self.ANSWERS), context_window=2048, tokenizer=OneTokenACharacter(), mode="chat")
        pieces = list(backend.generate_turns([Turn("user", "你好")], PARAMS))
        assert [p.prompt_tokens for p in pieces] == [0, 0, 30]
        assert sum(p.n_tokens for p in pieces) == 1

    def test_an_interface_without_a_list_needs_the_models_name(self, play, opened) -> None:
        answers = {path: answer for path, answer in self.ANSWERS.items() if path != "/v1/models"}
        options = {"context_window": 2048, "tokenizer": OneTokenACharacter()}
        with pytest.raises(ConfigError, match="no model was given"):
            ServerBackend(play(answers).url, **options)
        assert text_of(opened(play(answers), "m", **options)) == "图"

    def test_a_known_kind_behind_another_name_can_be_named(self, play, opened) -> None:
        answers = vllm()
        card = {**answers["/v1/models"](None, {})["data"][0], "owned_by": "the-gateway"}
        answers["/v1/models"] = lambda _h, _b: {"data": [card]}
        assert opened(play(answers), kind="vllm").context_window == 4096

    def test_only_the_key_that_was_given_is_sent_and_nothing_about_this_machine(
        self, play, opened, monkeypatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
        played = play(vllm())
        text_of(opened(played))
        for headers in played.headers:
            assert {name.lower() for name in headers} <= {
                *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length")
            }
