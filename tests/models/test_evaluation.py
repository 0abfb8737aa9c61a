"""`clrag eval` with real vectors and a real model on the demo's documents, without questions and without a network."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's two PDFs."""
    spec = importlib.util.spec_from_file_location("build_documents", ROOT / "demo" / "build_documents.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path_factory.mktemp("documents")
    script.build_documents(folder)
    return folder


@pytest.mark.models
def test_a_folder_of_pdfs_without_questions_ends_with_a_report(documents, tmp_path):
    environment = {**os.environ, "CHINESE_LLM_RAG_LANGUAGE": "zh", "CHINESE_LLM_RAG_HOME": str(tmp_path / "home")}
    command = ["eval", str(documents), "-n", "12", "--against", "mode=dense", "--save", str(tmp_path / "报告")]
    done = subprocess.run(
        [sys.executable, "-m", "chinese_llm_rag", *command], env=environment, capture_output=True, text=True, check=True
    )
    assert "12 个问题，来源：由文档本身生成的填空题。" in done.stdout
    assert "差别是否真实" in done.stdout
    assert not (tmp_path / "home").exists()
    report = json.loads((tmp_path / "报告" / "report.json").read_text(encoding="utf-8"))
    hybrid, dense = (setting["measures"]["evidence"] for setting in report["settings"])
    # The questions repeat the words of two short documents: what finds by words too must find nearly all of them.
    assert hybrid["recall@shown"]["mean"] >= 0.9
    assert dense["recall@10"]["mean"] >= 0.7
    assert report["settings"][0]["latency_ms"]["p50"] > 0


@pytest.mark.models
def test_the_packaged_model_answers_and_both_errors_are_counted(documents, tmp_path):
    asked = tmp_path / "题.csv"
    asked.write_text("问题,答案,文件\n从冬至开始数九，共多少天？,81天|81,solar_terms.pdf\n", encoding="utf-8")
    environment = {**os.environ, "CHINESE_LLM_RAG_LANGUAGE": "en", "CHINESE_LLM_RAG_HOME": str(tmp_path / "home")}
    command = ["eval", str(documents / "solar_terms.pdf"), "--questions", str(asked), "--answers", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "chinese_llm_rag", *command], env=environment, capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    assert report["settings"][0]["measures"]["evidence"]["recall@shown"]["mean"] == 1
    measured = report["answers"]["settings"][0]["measures"]
    assert measured["holds_answer"]["mean"] == 1
    assert measured["wrong_refusal"]["mean"] == 0
    assert measured["wrong_answer_withheld"]["n"] == 1
