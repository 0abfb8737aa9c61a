"""Arguments of the LangChain classes: defaults of the family, refusals, names that tracing sees."""

import pytest
from langchain_core.messages import HumanMessage

from chinese_llm_rag.errors import ConfigError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.backend import ChatTemplateSource, GenerationParams, Vocabulary
from chinese_llm_rag.testing import ScriptedBackend

BOTH = pytest.mark.parametrize("kind", [ChineseAlpacaLLM, ChatChineseAlpaca])


@BOTH
def test_the_defaults_are_the_familys(kind) -> None:
    backend = ScriptedBackend(["好"])
    kind(backend=backend).invoke("问")
    assert backend.history[0][1] == GenerationParams(
        temperature=0.2, top_k=40, top_p=0.9, repetition_penalty=1.1, max_tokens=400, seed=None
    )


@BOTH
def test_a_call_may_override_what_the_constructor_said(kind) -> None:
    backend = ScriptedBackend(["好", "好"])
    model = kind(backend=backend, temperature=0, seed=3)
    model.invoke("问", temperature=1.0, max_tokens=9)
    model.bind(seed=4).invoke("问")
    assert [(p.temperature, p.max_tokens, p.seed) for _, p in backend.history] == [(1.0, 9, 3), (0.0, 400, 4)]


@BOTH
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("temperature", -0.1),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.1),
        ("repetition_penalty", 0),
        ("max_tokens", 0),
        ("max_tokens", "many"),
        ("seed", -1),
        ("timeout", 60),
    ],
)
def test_wrong_arguments_fail_at_construction_and_name_the_setting(kind, setting: str, value) -> None:
    with pytest.raises(ConfigError, match=setting) as caught:
        kind(backend=ScriptedBackend(), **{setting: value})
    assert caught.value.setting == setting


@BOTH
def test_an_empty_stop_string_fails_at_construction(kind) -> None:
    with pytest.raises(ConfigError, match="stop strings must not be empty"):
        kind(backend=ScriptedBackend(), stop=[""])


@BOTH
def test_an_unknown_argument_of_a_call_is_refused(kind) -> None:
    with pytest.raises(ConfigError, match="unknown argument max_new_tokens"):
        kind(backend=ScriptedBackend(["好"])).invoke("问", max_new_tokens=3)


@BOTH
def test_stop_strings_of_a_call_come_on_top_of_the_constructors(kind) -> None:
    model = kind(backend=ScriptedBackend(["甲。乙；丙"] * 2), stop=["。"])
    texts = [model.invoke("问", stop=["；"]), model.invoke("问", stop=["乙"])]
    assert [t if isinstance(t, str) else t.content for t in texts] == ["甲", "甲"]


@BOTH
def test_tracing_and_caching_see_what_decides_the_text(kind) -> None:
    model = kind(backend=ScriptedBackend(model_name="小模型"), seed=5, stop=["。"])
    params = model._identifying_params
    assert params["model_name"] == "小模型"
    assert (params["seed"], params["stop"], params["context_window"]) == (5, ["。"], 4096)
    traced = model._get_ls_params(stop=["；"])
    assert traced["ls_model_name"] == "小模型"
    assert traced["ls_provider"] == "chinesealpaca"
    assert (traced["ls_temperature"], traced["ls_max_tokens"], traced["ls_stop"]) == (0.2, 400, ["。", "；"])


@BOTH
def test_tokens_are_counted_by_the_backend(kind) -> None:
    model = kind(backend=ScriptedBackend())
    assert (model.get_num_tokens("五个汉字呀"), model.get_token_ids("甲")) == (5, [ord("甲")])


@BOTH
def test_a_runtime_without_token_ids_says_so_instead_of_using_another_tokenizer(kind) -> None:
    class Mute:
        model_name = "mute"
        context_window = 9
        vocabulary = Vocabulary("llama", 55_296)
        generate = count_tokens = None

    with pytest.raises(ConfigError, match="does not list token ids"):
        kind(backend=Mute()).get_token_ids("甲")


def test_the_chat_class_counts_the_whole_prompt() -> None:
    chat = ChatChineseAlpaca(backend=ScriptedBackend(), system_prompt="S")
    whole = "[INST] <<SYS>>\nS\n<</SYS>>\n\n问 [/INST]"
    assert chat.get_num_tokens_from_messages([HumanMessage("问")]) == len(whole)


def test_an_answer_loses_the_white_space_before_it_and_a_completion_keeps_it() -> None:
    backend = ScriptedBackend([" \n好 的 "] * 4)
    chat, llm = ChatChineseAlpaca(backend=backend), ChineseAlpacaLLM(backend=backend)
    assert (chat.invoke("问").content, llm.invoke("问")) == ("好 的 ", " \n好 的 ")
    assert "".join(str(c.content) for c in chat.stream("问")) == "好 的 "
    assert "".join(llm.stream("问")) == " \n好 的 "


def test_a_completion_tells_its_finish_reason_and_usage() -> None:
    result = ChineseAlpacaLLM(backend=ScriptedBackend(["好的", "不好"]), max_tokens=3).generate(["问", "再问"])
    assert [g[0].generation_info["finish_reason"] for g in result.generations] == ["stop", "stop"]
    assert result.llm_output == {
        "model_name": "scripted",
        "token_usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    }


def test_an_answer_that_reached_max_tokens_says_length() -> None:
    answer = ChatChineseAlpaca(backend=ScriptedBackend(["一二三四"]), max_tokens=3).invoke("问")
    assert (answer.content, answer.response_metadata["finish_reason"]) == ("一二三", "length")


def test_the_models_own_template_is_used_where_it_has_one_and_is_not_of_the_family() -> None:
    source = ChatTemplateSource("{% for m in messages %}({{ m.role }}){{ m.content }}{% endfor %}>")
    other = ScriptedBackend(["好"] * 2, vocabulary=Vocabulary("qwen2", 151_936), chat_template=source)
    ChatChineseAlpaca(backend=other, system_prompt="规").invoke("问")
    assert other.history[0][0] == ("(system)", "规", "(user)", "问", ">")
    family = ScriptedBackend(["好"] * 2, chat_template=source)
    ChatChineseAlpaca(backend=family, system_prompt="规").invoke("问")
    ChatChineseAlpaca(backend=family, chat_template="model").invoke("问")
    assert family.history[0][0] == ("[INST] <<SYS>>\n规\n<</SYS>>\n\n问 [/INST]",)
    assert family.history[1][0] == ("(user)", "问", ">")


@pytest.mark.parametrize("requested", [None, "model"])
def test_a_model_without_a_template_is_refused(requested) -> None:
    base = ScriptedBackend(vocabulary=Vocabulary("gemma3", 262_144))
    with pytest.raises(ModelLoadError, match="'scripted' is a base model"):
        ChatChineseAlpaca(backend=base, chat_template=requested)
    assert ChatChineseAlpaca(backend=base, chat_template="alpaca2")._template_name == "alpaca2"


async def test_errors_while_streaming_reach_the_reader() -> None:
    model = ChineseAlpacaLLM(backend=ScriptedBackend([GenerationError("broken")] * 2))
    with pytest.raises(GenerationError, match="broken"):
        await model.ainvoke("问")
    with pytest.raises(GenerationError, match="broken"):
        [piece async for piece in model.astream("问")]
