"""The command line as a user meets it: real processes' worth of behaviour, run in this process."""

import io
import json
import sys
from pathlib import Path

import pytest

import chinese_llm_rag
from chinese_llm_rag import cli, wiring
from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings

TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"
RIVER = "长江发源于唐古拉山脉，全长约6300公里。"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "茶.md").write_text(TEA, encoding="utf-8")
    (folder / "长江.txt").write_text(RIVER, encoding="utf-8")
    return folder


def test_ingest_reports_counts_on_stdout_and_trouble_on_stderr(clrag, documents):
    (documents / "空.txt").write_bytes(b"")
    status, out, err = clrag("ingest", str(documents))
    assert status == 1
    assert out == "2 added (2 chunks), 0 skipped, 1 failed\n"
    assert "空.txt" in err
    assert "empty" in err


def test_a_second_ingest_skips_everything_with_status_0(clrag, documents):
    clrag("ingest", str(documents))
    assert clrag("ingest", str(documents))[:2] == (0, "0 added (0 chunks), 2 skipped, 0 failed\n")


def test_ingest_json_lists_every_file_with_its_outcome(clrag, documents):
    _, out, _ = clrag("ingest", "--json", str(documents))
    report = json.loads(out)
    assert report["added"] == 2
    assert {Path(file["file"]).name: file["outcome"] for file in report["files"]} == {
        "茶.md": "added",
        "长江.txt": "added",
    }


def test_list_and_remove(clrag, documents):
    clrag("ingest", str(documents))
    _, out, _ = clrag("list", "--json")
    assert [Path(file["file"]).name for file in json.loads(out)] == ["茶.md", "长江.txt"]
    status, out, _ = clrag("remove", str(documents / "茶.md"))
    assert (status, out) == (0, f"removed {documents / '茶.md'}\n")
    assert "茶.md" not in clrag("list")[1]


def test_search_json_gives_passages_best_first_with_exactly_the_promised_fields(clrag, documents):
    clrag("ingest", str(documents))
    _, out, _ = clrag("search", "--json", "-k", "1", "冲泡龙井茶的水温")
    [passage] = json.loads(out)
    assert set(passage) == {"file", "page_start", "page_end", "start", "end", "place", "headings", "score", "text"}
    assert passage["file"] == str(documents / "茶.md")
    assert TEA[passage["start"] : passage["end"]] == passage["text"]


def test_search_reads_the_query_from_stdin(clrag, documents):
    clrag("ingest", str(documents))
    assert "长江.txt" in clrag("search", "-k", "1", "-", stdin="长江发源于哪里\n")[1]


def test_ask_prints_the_answer_then_what_it_rests_on(clrag, documents):
    clrag("ingest", str(documents))
    status, out, _ = clrag("ask", "冲泡龙井茶的水温是多少？", says=("冲泡龙井茶的水温以八十度左右为宜。",))
    assert status == 0
    answer, place, quote = out.splitlines()
    assert answer == "冲泡龙井茶的水温以八十度左右为宜。"
    assert place == f"  [1] {documents / '茶.md'}, page 1, characters 17-34"
    assert "八十度" in quote


def test_ask_json_cites_in_the_form_of_search(clrag, documents):
    clrag("ingest", str(documents))
    _, out, _ = clrag("ask", "--json", "长江全长约多少公里？", says=("长江全长约6300公里。",))
    answer = json.loads(out)
    [citation] = answer["citations"]
    assert {"file", "page_start", "page_end", "start", "end", "place", "headings", "score", "text"} <= set(citation)
    assert RIVER[citation["start"] : citation["end"]] == citation["text"]
    assert answer["refused"] is False


def test_a_sentence_that_nothing_supports_is_marked(clrag, documents):
    clrag("ingest", str(documents))
    _, out, _ = clrag("ask", "长江全长约多少公里？", says=("长江全长约6300公里。它是世界第一高峰。",))
    assert out.count("not in the passages: 第一") == 1


def test_a_question_the_documents_do_not_answer_is_refused_without_asking_the_model(clrag, documents):
    clrag("ingest", str(documents))
    status, out, err = clrag("ask", "火星探测器何时发射？")
    assert (status, out) == (0, "文档中没有说明。\n")
    assert "火星" in err


def test_chat_answers_one_question_after_another_and_ends_with_its_input(clrag, documents):
    clrag("ingest", str(documents))
    status, out, _ = clrag(
        "chat", stdin="长江全长约多少公里？\n龙井茶属于什么茶？\n", says=("长江全长约6300公里。", "龙井茶属于绿茶。")
    )
    assert status == 0
    assert "6300公里" in out
    assert "绿茶" in out


def test_the_prompt_is_shown_with_its_tokens_and_nothing_is_asked(clrag, documents):
    clrag("ingest", str(documents))
    status, out, err = clrag("ask", "--show-prompt", "--detailed", "长江全长约多少公里？")
    assert status == 0
    assert out.startswith("[INST] <<SYS>>")
    assert "详细、有条理" in out
    assert err == f"{len(out.removesuffix(chr(10))) + 1} tokens\n"
    (prompt,) = json.loads(clrag("ask", "--show-prompt", "--json", "长江全长约多少公里？")[1])
    assert RIVER in prompt["text"]
    assert clrag("ask", "--show-prompt", "火星探测器何时发射？")[1:] == ("", "no model is asked this question\n")


def test_without_a_model_the_documents_own_sentences_answer_and_that_is_said(clrag, documents, monkeypatch):
    clrag("ingest", str(documents))
    monkeypatch.setattr("chinese_llm_rag.model_choice.has_model", lambda _: False)
    status, out, err = clrag("ask", "长江全长约多少公里？")
    assert status == 0
    assert out.startswith(RIVER)
    assert "no model was asked" in err
    assert json.loads(clrag("ask", "--json", "--strategy", "extractive", "长江全长约多少公里？")[1])["citations"]
    _, out, err = clrag("chat", stdin="长江全长约多少公里？\n它发源于哪里？\n")
    assert out.count("唐古拉山脉") >= 2
    assert err.count("no model was asked") == 2
    status, out, err = clrag("summarize", str(next(documents.iterdir())))
    assert status == 0
    assert "chosen without a model" in err


def test_strict_leaves_out_what_nothing_supports_and_says_so(clrag, documents):
    clrag("ingest", str(documents))
    says = ("长江全长约6300公里。它是世界上最美的河流。",)
    _, out, err = clrag("ask", "--strict", "长江全长约多少公里？", says=says)
    assert out.splitlines()[0] == "长江全长约6300公里。"
    assert "left out: 它是世界上最美的河流。" in err


@pytest.mark.parametrize("command", ["search", "ask"])
@pytest.mark.parametrize("question", ["", "  ", "-"])
def test_an_empty_question_is_a_usage_error(clrag, documents, command, question):
    status, _, err = clrag(command, question, stdin="\n")
    assert status == 2
    assert "is empty" in err


def test_a_question_longer_than_the_window_names_the_three_numbers(clrag, documents):
    clrag("ingest", str(documents))
    status, out, err = clrag("ask", "长江全长约多少公里？" * 600)
    assert (status, out) == (1, "")
    assert "prompt_tokens=" in err
    assert "max_tokens=400" in err
    assert "context_window=4096" in err
    assert err.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ingest", "{tmp}/没有"), "does not exist"),
        (("ingest", "{tmp}/空"), "no documents"),
        (("ingest", "{tmp}/a.exe"), "unknown type '.exe'"),
        (("remove", "{tmp}/a.exe"), "no knowledge base"),
        (("search", "长江"), "no knowledge base"),
        (("ask", "长江？"), "no knowledge base"),
        (("list",), "no knowledge base"),
    ],
)
def test_what_cannot_work_is_one_line_of_error_and_one_of_hint(clrag, tmp_path, home, arguments, message):
    (tmp_path / "空").mkdir()
    (tmp_path / "a.exe").write_bytes(b"x")
    status, out, err = clrag(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert (status, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert not list(home.rglob("*.txt"))


def test_a_missing_model_file_is_named(clrag, documents, monkeypatch, tmp_path):
    clrag("ingest", str(documents))
    monkeypatch.undo()
    monkeypatch.setenv("CHINESE_LLM_RAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "en")
    monkeypatch.setattr(wiring, "build_embeddings", lambda _settings, _setup=None: HashEmbeddings())
    monkeypatch.setattr(sys, "argv", ["clrag", "ask", "--model-path", str(tmp_path / "无.gguf"), "长江？"])
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "无.gguf" in errors.getvalue()
    assert "hint: " in errors.getvalue()


def test_traceback_shows_where_an_error_arose(clrag, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["clrag", "--traceback", "list"])
    with pytest.raises(Exception, match="no knowledge base"):
        cli.main()


def test_home_may_stand_before_or_after_the_command(clrag, documents, tmp_path):
    clrag("--home", str(tmp_path / "a"), "ingest", str(documents))
    clrag("ingest", "--home", str(tmp_path / "b"), str(documents))
    for home in ("a", "b"):
        assert (tmp_path / home / "kb" / "default" / "manifest.sqlite3").exists()


def test_bases_with_different_names_are_apart(clrag, documents):
    clrag("ingest", "--kb", "茶", str(documents / "茶.md"))
    clrag("ingest", "--kb", "江", str(documents / "长江.txt"))
    assert "长江" not in clrag("list", "--kb", "茶")[1]


def test_config_show_prints_value_and_origin(clrag, home, monkeypatch):
    home.mkdir()
    (home / "config.toml").write_text("max_tokens = 99\nseed = 5\n", encoding="utf-8")
    monkeypatch.setenv("CHINESE_LLM_RAG_SEED", "6")
    _, out, _ = clrag("--kb", "茶", "config", "show", "--json")
    shown = json.loads(out)
    assert shown["max_tokens"] == {"value": 99, "origin": f"file {home / 'config.toml'}"}
    assert shown["seed"] == {"value": 6, "origin": "environment CHINESE_LLM_RAG_SEED"}
    assert shown["kb"] == {"value": "茶", "origin": "flag --kb"}
    assert shown["k"]["origin"] == "default"
    assert clrag("config", "path")[1] == f"{home / 'config.toml'}\n"


def test_status_counts(clrag, documents):
    clrag("ingest", str(documents))
    _, out, _ = clrag("status", "--json")
    shown = json.loads(out)
    assert (shown["n_files"], shown["n_chunks"], shown["clean"]) == (2, 2, True)


def test_models_list_names_the_family_and_the_packaged_model(clrag):
    _, out, _ = clrag("models", "list", "--json")
    names = {row["name"] for row in json.loads(out)}
    assert {"chinese-alpaca-2-7b-64k", "chinese-llama-2-13b-16k", "gemma-3-270m-base"} <= names


def test_messages_are_chinese_under_a_chinese_locale(clrag, monkeypatch):
    monkeypatch.delenv("CHINESE_LLM_RAG_LANGUAGE")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "还没有知识库" in clrag("list")[2]


def test_an_unknown_command_is_a_usage_error(clrag):
    assert clrag("frobnicate")[0] == 2


def test_control_characters_of_a_document_do_not_reach_the_terminal(clrag, documents):
    (documents / "毒.txt").write_text("\x1b[31m红色警报\x1b[0m的处理办法如下。", encoding="utf-8")
    clrag("ingest", str(documents))
    assert "\x1b" not in clrag("search", "红色警报的处理办法")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "-k", "0", "长江"), "k=0 (flag -k)"),
        (("search", "--mode", "fuzzy", "长江"), "search_mode='fuzzy' (flag --mode)"),
        (("--kb", "../x", "list"), "kb='../x' (flag --kb)"),
    ],
)
def test_a_flag_with_a_wrong_value_is_a_usage_error_that_names_the_flag(clrag, arguments, message):
    status, _, err = clrag(*arguments)
    assert status == 2
    assert message in err


def test_traceback_may_stand_after_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["clrag", "list", "--traceback"])
    with pytest.raises(KnowledgeBaseError):
        cli.main()


def test_version(clrag):
    assert clrag("--version")[:2] == (0, f"{chinese_llm_rag.__version__}\n")


def test_an_empty_line_does_not_end_a_chat(clrag, documents):
    clrag("ingest", str(documents))
    assert "6300" in clrag("chat", stdin="\n长江全长约多少公里？\n/exit\n", says=("长江全长约6300公里。",))[1]


def test_an_answer_that_nothing_supports_is_not_given_as_one(clrag, documents):
    clrag("ingest", str(documents))
    _, out, err = clrag("ask", "长江全长约多少公里？", says=("大约八千里路云和月。",))
    assert out == "文档中没有说明。\n"
    assert "left out: 大约八千里路云和月。" in err
    assert "do not hold what the model said: 八千" in err


def test_an_interrupted_ingest_says_how_to_go_on(clrag, documents, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(KnowledgeBase, "ingest", interrupted)
    status, _, err = clrag("ingest", str(documents))
    assert status == 130
    assert "run the same command again" in err
