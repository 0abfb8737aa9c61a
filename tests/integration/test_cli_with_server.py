"""`ask`, `chat` and `summarize` with an OpenAI-compatible server, played on this machine."""

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
