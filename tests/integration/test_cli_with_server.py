"""`ask`, `chat` and `summarize` with an OpenAI-compatible server, played on this machine."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import played_server
import pytest

from chinese_llm_rag import wiring

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

build_llm = wiring.build_llm  # before the fixture clrag puts a scripted model in its place
TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"


def saying(text: str) -> Callable:
    """Completes every prompt with this text, and says that it has read all of the prompt."""

    def read(body: dict) -> dict:
        return played_server.usage(len(body["prompt"]), len(text))

    return played_server.streaming(
        lambda body: played_server.piece(text, **read(body)),
        lambda body: {**played_server.piece("", "stop"), **read(body)},
        lambda body: {"choices": [], **read(body)},
        played_server.DONE,
    )


@pytest.fixture
def with_server(clrag, play, monkeypatch, tmp_path: Path):
    """Runs a command with a server that says a text; its result, and the prompts that the server was sent."""
    monkeypatch.setattr(wiring, "build_llm", build_llm)
    document = tmp_path / "茶.md"
    document.write_text(TEA, encoding="utf-8")
    clrag("ingest", str(document))

    def run(says: str, *arguments: str, stdin: str = "") -> tuple[int, str, str, list[str]]:
        played = play(played_server.vllm(completions=saying(says)))
        result = clrag(*arguments, "--server-url", played.url, stdin=stdin)
        return *result, ["".join(map(str, body["prompt"])) for body in played.bodies("/v1/completions")]

    run.document = document
    return run


def test_a_question_is_answered_by_the_server_and_cited(with_server):
    status, out, _, prompts = with_server("水温以八十度左右为宜。", "ask", "冲泡龙井茶的水温是多少？")
    assert (status, len(prompts)) == (0, 1)
    assert out.startswith("水温以八十度左右为宜。\n")
    assert "茶.md" in out


def test_a_follow_up_is_asked_of_the_server_as_it_stands_by_itself(with_server):
    status, out, err, prompts = with_server("水温以八十度左右为宜。", "chat", stdin="龙井茶属于什么茶？\n那水温呢？\n")
    assert (status, len(prompts)) == (0, 2)
    assert "龙井茶的水温？" in err
    assert out.count("水温以八十度左右为宜。") >= 1


def test_a_file_is_summarized_by_the_server(with_server):
    status, out, err, prompts = with_server("龙井茶属于绿茶。", "summarize", str(with_server.document))
    assert (status, len(prompts)) == (0, 1)
    assert "龙井茶属于绿茶。" in out
    assert "stuff: 1 calls of the model" in err


def test_what_the_documents_do_not_say_is_not_asked_of_the_server(with_server):
    status, _, err, prompts = with_server("火星。", "ask", "火星探测器何时发射？")
    assert (status, prompts) == (0, [])
    assert "refused" in err


# --- a server that shows neither its tokenizer nor its window ----------------------------------------------------


@pytest.fixture
def with_plain_server(clrag, play, monkeypatch, tmp_path: Path):
    """Runs a command with such a server, which says a text; its result, and the bodies that it was sent."""
    monkeypatch.setattr(wiring, "build_llm", build_llm)
    document = tmp_path / "茶.md"
    document.write_text(TEA, encoding="utf-8")
    clrag("ingest", str(document))

    def n_prompt(body: dict) -> int:
        texts = [body["prompt"]] if "prompt" in body else [message["content"] for message in body["messages"]]
        return 3 * sum(map(len, texts))  # bytes of characters that a small vocabulary does not have

    def run(says: str, *arguments: str, stdin: str = "") -> tuple[int, str, str, list[dict]]:
        answers = {
            "/v1/models": lambda _h, _b: {"data": [{"id": "qwen", "object": "model", "owned_by": "library"}]},
            "/v1/completions": played_server.streaming(
                played_server.piece(says),
                lambda body: {**played_server.piece("", "stop"), **played_server.usage(n_prompt(body), len(says))},
                played_server.DONE,
            ),
            "/v1/chat/completions": played_server.streaming(
                played_server.delta(says),
                lambda body: {**played_server.delta("", "stop"), **played_server.usage(n_prompt(body), len(says))},
                played_server.DONE,
            ),
        }
        played = play(answers)
        result = clrag(*arguments, "--server-url", played.url, stdin=stdin)
        bodies = [*played.bodies("/v1/completions"), *played.bodies("/v1/chat/completions")]
        return *result, bodies

    run.document = document
    return run


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("small_models", Path(__file__).parents[1] / "small_models.py")
    small_models = importlib.util.module_from_spec(spec)
    sys.modules["small_models"] = small_models
    spec.loader.exec_module(small_models)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    path.write_bytes(small_models.train_vocabulary().processor.serialized_model_proto())
    return path


ABOUT_HEAT = "冲泡龙井茶的水温是多少？"
HEAT = "水温以八十度左右为宜。"


@pytest.mark.parametrize("mode", ["completions", "chat"])
def test_with_a_tokenizer_and_a_window_it_answers_questions_chats_and_summarizes(
    with_plain_server, tokenizer_file, mode
):
    more = ("--server-tokenizer", str(tokenizer_file), "--context-window", "4096", "--server-mode", mode)
    template = ("--chat-template", "alpaca2") if mode == "completions" else ()
    status, out, _, [body] = with_plain_server(HEAT, "ask", ABOUT_HEAT, *more, *template)
    assert status == 0
    assert out.startswith(f"{HEAT}\n")
    assert "茶.md" in out
    if mode == "completions":  # what the template says is no text to be disarmed
        assert body["prompt"].startswith("[INST] <<SYS>>\n")
        assert body["prompt"].endswith(" [/INST]")
    else:
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
    status, out, err, bodies = with_plain_server(
        HEAT, "chat", *more, *template, stdin="龙井茶属于什么茶？\n那水温呢？\n"
    )
    assert (status, len(bodies)) == (0, 2)
    assert "龙井茶的水温？" in err
    status, out, err, bodies = with_plain_server(
        "龙井茶属于绿茶。", "summarize", str(with_plain_server.document), *more, *template
    )
    assert (status, len(bodies)) == (0, 1)
    assert "龙井茶属于绿茶。" in out


def test_without_a_tokenizer_or_a_window_the_setting_that_is_missing_is_named(with_plain_server, tokenizer_file):
    status, _, err, bodies = with_plain_server(HEAT, "ask", ABOUT_HEAT, "--context-window", "4096")
    assert (status, bodies) == (1, [])
    assert "--server-tokenizer" in err
    status, _, err, bodies = with_plain_server(HEAT, "ask", ABOUT_HEAT, "--server-tokenizer", str(tokenizer_file))
    assert (status, bodies) == (1, [])
    assert "context_window" in err


def test_a_tokenizer_for_a_model_on_this_machine_is_an_error(clrag, monkeypatch, tokenizer_file, tmp_path):
    monkeypatch.setattr(wiring, "build_llm", build_llm)
    (tmp_path / "茶.md").write_text(TEA, encoding="utf-8")
    clrag("ingest", str(tmp_path / "茶.md"))
    status, _, err = clrag("ask", ABOUT_HEAT, "--server-tokenizer", str(tokenizer_file))
    assert status == 1
    assert "server_tokenizer" in err
