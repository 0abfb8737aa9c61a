"""`make demo` from its script on: two answers whose cited page and span hold the right words, one refusal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import load_file
from chinese_llm_rag.schema import PAGE_SEPARATOR

ROOT = Path(__file__).parents[2]
# The right words, read off the documents' sources.
ANSWERED = {
    "编译一次大约需要多少秒？": ("manual.pdf", "400", "编译一次大约需要 400 秒"),
    "从冬至开始数九，共多少天？": ("solar_terms.pdf", "81", "数完九个“九”共81天"),
}
REFUSED = "客服电话是多少？"


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "CHINESE_LLM_RAG_LANGUAGE": "en"}
    script = [sys.executable, str(ROOT / "demo" / "run_demo.py"), str(folder)]
    done = subprocess.run(script, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=folder)
    return folder, done.stdout


@pytest.mark.models
def test_the_demo_shows_its_commands_two_answers_and_a_refusal(demo):
    shown = demo[1]
    assert "2 added" in shown
    for question, (file, words, _) in ANSWERED.items():
        answer = shown.partition(f"$ clrag ask {question}\n")[2].partition("\n$ ")[0].splitlines()
        assert words in answer[0]
        assert f"{file}, page " in answer[1]
    assert shown.rstrip().endswith(f"$ clrag ask {REFUSED}\n文档中没有说明。")


@pytest.mark.models
@pytest.mark.parametrize("question", ANSWERED)
def test_the_cited_page_and_span_hold_the_right_words(demo, question):
    file, words, evidence = ANSWERED[question]
    environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(demo[0] / "home")}
    command = [sys.executable, "-m", "chinese_llm_rag", "ask", "--json", question]
    answer = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    assert words in answer["text"]
    citation = answer["citations"][0]
    assert Path(citation["file"]).name == file

    pages = [page.page_content for page in load_file(Path(citation["file"])).pages]
    span = PAGE_SEPARATOR.join(pages)[citation["start"] : citation["end"]]
    assert span == citation["text"]
    assert squeezed(evidence) in squeezed(span)
    assert citation["page_start"] == citation["page_end"]
    assert squeezed(evidence) in squeezed(pages[citation["page_start"] - 1])
