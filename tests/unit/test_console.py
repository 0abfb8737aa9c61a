"""What the user sees: results on stdout, the rest on stderr, and nothing that steers the terminal."""

import json
from pathlib import Path

import pytest

from chinese_llm_rag import console
from chinese_llm_rag.errors import RagError
from chinese_llm_rag.knowledge_base import FileRecord, IngestProgress, IngestReport
from chinese_llm_rag.knowledge_base.records import FileOutcome
from chinese_llm_rag.schema import Answer, AnswerSentence, Citation, Passage

CITATION = Citation(2, "书.pdf", 3, 3, 190, 194, "引文\n一句", 1.0)


def shown(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    captured = capsys.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


def test_results_go_to_stdout_and_notes_to_stderr(capsys):
    console.out("结果")
    console.note("旁注")
    assert shown(capsys) == (["结果"], ["旁注"])


@pytest.mark.parametrize("hostile", ["\x1b", "\x9b", "\r", "\x07", "\x00", "\x7f", "\udcff"])
def test_no_control_character_or_undecodable_byte_reaches_the_terminal(capsys, hostile):
    console.out(f"甲{hostile}[2J乙")
    console.note(f"甲{hostile}[2J乙")
    captured = capsys.readouterr()
    assert captured.out == captured.err == "甲\N{REPLACEMENT CHARACTER}[2J乙\n"


def test_json_is_chinese_as_it_is_and_holds_every_character_after_reading(capsys):
    value = {"text": "检索\x1b[2J\x9b\udcff", "file": Path("书.pdf")}
    console.out_json(value)
    printed = capsys.readouterr().out
    assert "检索" in printed
    assert printed.isascii() is False
    assert not {"\x1b", "\x9b", "\udcff"} & set(printed)
    assert json.loads(printed) == {"text": "检索\x1b[2J\x9b\udcff", "file": "书.pdf"}


def test_an_error_is_one_line_and_its_hint_another(capsys):
    console.print_error(RagError("cannot\n  read", hint="try again"))
    console.print_error(RagError("failed"))
    assert shown(capsys) == ([], ["error: cannot read", "hint: try again", "error: failed"])


def test_a_report_counts_what_went_in_and_names_what_did_not(capsys):
    outcomes = (
        FileOutcome("a.pdf", "added", n_chunks=7, problems=("pages without a text layer: 2",)),
        FileOutcome("b.md", "updated", n_chunks=3),
        FileOutcome("c.md", "unchanged"),
        FileOutcome("d.md", "duplicate", detail="c.md"),
        FileOutcome("e.pdf", "failed", detail="encrypted", hint="save a copy"),
    )
    console.print_report(IngestReport(outcomes, ("x.zip", "y.zip", "LICENSE")))
    out, err = shown(capsys)
    assert out == ["1 added, 1 updated (10 chunks), 2 skipped, 1 failed"]
    assert err == [
        "note: a.pdf: pages without a text layer: 2",
        "same content: d.md = c.md",
        "failed: e.pdf: encrypted",
        "  hint: save a copy",
        "ignored, unknown type: .zip 2, - 1",
    ]


def test_a_report_speaks_chinese_under_a_chinese_locale(capsys, monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    console.print_report(IngestReport((FileOutcome("a.pdf", "added", n_chunks=7),)))
    assert shown(capsys) == (["新增 1 个文件（7 个片段），跳过 0 个，失败 0 个"], [])


def test_files_are_listed_with_counts_and_problems(capsys):
    files = [
        FileRecord("a.pdf", "h", 10, 0, "indexed", ("page 2 is blank",), n_pages=3, n_chunks=9),
        FileRecord("b.pdf", None, 10, 0, "failed", ("encrypted",)),
    ]
    console.print_files(files)
    assert shown(capsys)[0] == ["a.pdf  3 pages, 9 chunks", "  page 2 is blank", "b.pdf  failed", "  encrypted"]


def test_passages_are_listed_best_first_each_in_one_line_with_its_place(capsys):
    passages = [Passage("两行\n文字", "甲.pdf", 1, 2, 10, 15, score=0.5), Passage("乙", "乙.md", 1, 1, 0, 1)]
    console.print_passages(passages)
    assert shown(capsys)[0] == [
        "1. 甲.pdf, page 1-2, characters 10-15  0.5000",
        "   两行 文字",
        "2. 乙.md, page 1, characters 0-1  0.0000",
        "   乙",
    ]


def test_an_answer_streams_and_then_shows_what_it_rests_on(capsys):
    sentence = AnswerSentence(0, 5, "引文一句。", (CITATION,))
    pieces = [Answer("引文"), Answer("一句。"), Answer(sentences=(sentence,))]
    whole = console.print_answer(iter(pieces))
    assert whole == Answer("引文一句。", (sentence,))
    assert shown(capsys) == (
        ["引文一句。", "  [2] 书.pdf, page 3, characters 190-194", "      “引文 一句”"],
        [],
    )


def test_pieces_are_shown_as_they_come(capsys):
    seen = []

    def pieces():
        yield Answer("引文")
        seen.append(capsys.readouterr().out)
        yield Answer("一句。")

    console.print_answer(pieces())
    assert seen == ["引文"]


def test_of_several_sentences_each_is_named_and_an_unsupported_one_marked(capsys):
    sentences = (AnswerSentence(0, 2, "甲。", (CITATION,)), AnswerSentence(2, 4, "乙。"))
    console.print_answer(iter([Answer("甲。乙。", sentences)]))
    out, _ = shown(capsys)
    assert out[1] == "- 甲。"
    assert out[-2:] == ["- 乙。", "  no support found in the passages"]


def test_what_a_sentence_lacks_and_what_speaks_against_it_is_shown(capsys):
    wrong = AnswerSentence(0, 5, "共五元。", unfound=("五",), contradicted_by=(CITATION,))
    console.print_answer(iter([Answer("共五元。", (wrong,))]))
    out, _ = shown(capsys)
    assert out[1:] == [
        "  not in the passages: 五",
        "  the documents say otherwise:",
        "  [2] 书.pdf, page 3, characters 190-194",
        "      “引文 一句”",
    ]


def test_a_refusal_shows_its_reason_and_no_citations(capsys):
    refusal = Answer("文档中没有说明。", refused=True, reason="2023 is in no passage")
    assert console.print_answer(iter([refusal])).refused
    assert shown(capsys) == (["文档中没有说明。"], ["refused: 2023 is in no passage"])


def test_what_did_not_fit_the_window_is_told(capsys):
    passage = Passage("乙", "乙.md", 1, 1, 0, 1)
    sentences = (AnswerSentence(0, 2, "甲。", (CITATION,)),)
    console.print_answer(iter([Answer("甲。", sentences, dropped=(passage, passage))]))
    assert shown(capsys)[1] == ["2 passages did not fit the context window"]


def test_a_long_quote_is_shortened_to_eighty_characters(capsys):
    citation = Citation(1, "书.pdf", 1, 1, 0, 200, "字" * 200, 1.0)
    console.print_answer(iter([Answer("字", (AnswerSentence(0, 1, "字", (citation,)),))]))
    assert shown(capsys)[0][-1] == f"      “{'字' * 79}…”"


def test_pairs_are_one_line_each_in_words(capsys):
    console.print_pairs([("chunks", 3), ("embedding", {"model": "e5", "dimension": 384}), ("splitter", None)])
    assert shown(capsys)[0] == ["chunks: 3", "embedding: model e5, dimension 384", "splitter: -"]


def test_progress_is_silent_where_no_terminal_looks_on(capsys):
    with console.ingest_progress() as move:
        move(IngestProgress("a.pdf", 0, 2, 3, 4, 50, 100))
    assert shown(capsys) == ([], [])


def test_progress_on_a_terminal_goes_to_stderr_with_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes stderr for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    with console.ingest_progress() as move:
        move(IngestProgress("a.pdf", 1, 2, 3, 4, 50, 100))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "50%" in captured.err
    assert "1/2 files, 3 pages, 4 chunks" in captured.err
    assert "chunks/s" in captured.err
    assert "left" in captured.err
