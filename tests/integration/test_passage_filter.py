"""A search held to files, folders, pages, dates and tags: in both indexes, in Python and on the command line."""

import json
import os
from datetime import date, datetime
from pathlib import Path

import pytest
import typst

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.knowledge_base import FileRecord, KnowledgeBase, PassageFilter, searching
from chinese_llm_rag.retrievers import word_index
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

MODES = ("bm25", "dense", "hybrid")
# By file: what it says, and the day it was last changed.
FILES = {
    "合同/2022/租赁合同.txt": ("租赁合同：房屋租金每月支付。", "2022-03-01"),
    "合同/2023/租赁合同.txt": ("租赁合同：房屋租金每季度支付。", "2023-05-01"),
    "合同/2023/采购合同.txt": ("采购合同：货物租金按年支付。", "2023-08-15"),
    "报告/租金报告.md": ("关于租金的报告：租金每年上涨。", "2024-01-31"),
}


def write_files(documents: Path) -> Path:
    for name, (text, day) in FILES.items():
        file = documents / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        changed = datetime.fromisoformat(f"{day}T12:00").timestamp()
        os.utime(file, (changed, changed))
    return documents


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory):
    """A base that no test changes, with the folder of its documents."""
    folder = tmp_path_factory.mktemp("filter")
    with KnowledgeBase.open(folder / "kb", HashEmbeddings(), ChineseTextSplitter(40)) as opened:
        opened.ingest(write_files(folder / "文档"))
        yield opened, folder / "文档"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "文档")


@pytest.fixture
def base(home: Path, folder: Path):
    with KnowledgeBase.open(home / "kb", HashEmbeddings(), ChineseTextSplitter(40)) as opened:
        opened.ingest(folder)
        yield opened


def found(base: KnowledgeBase, mode: str = "hybrid", query: str = "租金怎样支付", **conditions) -> set[str]:
    """The files, below the folder of documents, of all passages that a search gives."""
    passages = base.retriever(20, mode=mode, filter=PassageFilter.parse(**conditions)).invoke(query)
    return {passage.metadata["source"].split("文档/")[1] for passage in passages}


LEASES = {"合同/2022/租赁合同.txt", "合同/2023/租赁合同.txt"}
OF_2023 = {"合同/2023/租赁合同.txt", "合同/2023/采购合同.txt"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, set(FILES)),
        ({"files": ["租赁合同.txt"]}, LEASES),
        ({"files": ["2023/租赁合同.txt"]}, {"合同/2023/租赁合同.txt"}),
        ({"files": ["*.MD", "采购*"]}, {"报告/租金报告.md", "合同/2023/采购合同.txt"}),
        ({"files": ["合同.txt"]}, set()),
        ({"folders": ["合同"]}, LEASES | OF_2023),
        ({"folders": ["2023"]}, OF_2023),
        ({"folders": ["202?"], "files": ["租金报告.md"]}, set(FILES)),
        ({"folders": ["租赁合同.txt"]}, set()),
        ({"since": "2023"}, OF_2023 | {"报告/租金报告.md"}),
        ({"until": "2023"}, LEASES | OF_2023),
        ({"since": "2023-05-01", "until": "2023年8月"}, OF_2023),
        ({"since": "2023-05-02", "until": "2023-08-14"}, set()),
        ({"folders": ["合同"], "until": "2022-03-01"}, {"合同/2022/租赁合同.txt"}),
        ({"page": "1"}, set(FILES)),
        ({"page": "2-"}, set()),
        ({"tags": ["不存在"]}, set()),
    ],
)
def test_only_passages_that_meet_all_conditions_are_found(common, mode, conditions, expected):
    assert found(common[0], mode, **conditions) == expected


@pytest.mark.parametrize("mode", MODES)
def test_tags_of_files_hold_a_search_to_them(base, folder, mode):
    base.ingest(folder / "报告", tags=["草稿", "财务"])
    base.tag(folder / "合同" / "2023", ["财务"])
    assert found(base, mode, tags=["财务"]) == OF_2023 | {"报告/租金报告.md"}
    assert found(base, mode, tags=["财务", "草稿"]) == {"报告/租金报告.md"}


def test_tags_of_another_ingest_come_to_those_a_file_has(base, folder):
    base.ingest(folder / "报告", tags=["乙"])
    base.ingest(folder / "报告", tags=["甲", "乙"])
    base.ingest(folder)
    tags = {Path(record.path).name: record.tags for record in base.files()}
    assert tags["租金报告.md"] == ("乙", "甲")
    assert tags["采购合同.txt"] == ()


def test_a_path_of_the_file_system_means_that_file_or_folder_alone(common, monkeypatch):
    base, folder = common
    assert found(base, files=[folder / "合同" / "2022" / "租赁合同.txt"]) == {"合同/2022/租赁合同.txt"}
    assert found(base, folders=[folder / "报告"]) == {"报告/租金报告.md"}
    monkeypatch.chdir(folder / "合同" / "2023")
    assert found(base, folders=["."]) == OF_2023
    assert found(base, folders=["../2022"]) == {"合同/2022/租赁合同.txt"}
    assert found(base, files=["./采购合同.txt"]) == {"合同/2023/采购合同.txt"}


@pytest.mark.parametrize("mode", MODES)
def test_of_a_document_under_two_names_the_one_that_is_asked_for_is_shown(base, folder, mode):
    copy = folder / "备份" / "租赁合同.txt"
    copy.parent.mkdir()
    copy.write_bytes((folder / "合同" / "2022" / "租赁合同.txt").read_bytes())
    base.ingest(folder)
    assert found(base, mode, folders=["备份"]) == {"备份/租赁合同.txt"}
    assert found(base, mode, folders=["2022"]) == {"合同/2022/租赁合同.txt"}


@pytest.mark.parametrize("mode", MODES)
def test_pages_hold_a_search_to_passages_that_lie_on_them(home, tmp_path, mode):
    source = tmp_path / "book.typ"
    source.write_text("\n#pagebreak()\n".join(f"= Part {n}\nThe rent of part {n} is due." for n in range(1, 9)))
    typst.compile(str(source), output=str(tmp_path / "book.pdf"))
    with KnowledgeBase.open(home / "kb", HashEmbeddings(), ChineseTextSplitter(40)) as opened:
        opened.ingest(tmp_path / "book.pdf")
        on = {
            c.id: (c.metadata["page_start"], c.metadata["page_end"]) for c in opened.chunks(opened.chunk_ids()).values()
        }
        assert len(on) > 2
        for written, first, last in (("2", 2, 2), ("2-3", 2, 3), ("7-", 7, 8), ("9", 9, 9)):
            passages = opened.retriever(9, mode=mode, filter=PassageFilter.parse(page=written)).invoke("rent of a part")
            assert {p.id for p in passages} == {i for i, (start, end) in on.items() if start <= last and end >= first}


@pytest.mark.parametrize("mode", ["bm25", "dense"])  # the scores of a fusion are relative to the candidates
def test_a_filter_leaves_scores_and_order_of_what_it_lets_through(common, mode):
    base, _ = common
    everything = base.retriever(20, mode=mode).invoke("租金怎样支付")
    held = base.retriever(20, mode=mode, filter=PassageFilter(folders=("合同",))).invoke("租金怎样支付")
    expected = [passage for passage in everything if "合同/" in passage.metadata["source"]]
    assert [(p.id, p.metadata["score"]) for p in held] == [
        (p.id, pytest.approx(p.metadata["score"], abs=1e-5)) for p in expected
    ]


def test_many_files_are_held_to_as_few_are(common, monkeypatch):
    base, _ = common
    few = {mode: found(base, mode, folders=["合同"]) for mode in MODES}
    monkeypatch.setattr(word_index, "_FEW_SOURCES", 1)
    for most in (3, 1, 0):  # three files are asked for, one is not
        monkeypatch.setattr(searching, "_MOST_IN_CONDITION", most)
        assert {mode: found(base, mode, folders=["合同"]) for mode in MODES} == few


def test_matching_names_the_files_and_no_failed_one(base, folder):
    (folder / "报告" / "空.txt").write_bytes(b"")
    base.ingest(folder)
    matching = base.matching(PassageFilter(folders=("报告",)))
    assert [Path(record.path).name for record in matching] == ["租金报告.md"]


def test_an_empty_filter_is_false_and_lets_everything_through():
    record = FileRecord("/文档/甲.txt", "a" * 64, 1, 0, "indexed")
    assert not PassageFilter()
    assert PassageFilter().takes(record)
    assert PassageFilter(files=("甲.txt",))


# --- conditions as they are written --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "pages"),
    [("3", (3, 3)), ("3-10", (3, 10)), (" 3 － 10 ".replace("－", "-"), (3, 10)), ("3—5", (3, 5)), ("3至5", (3, 5))],
)
def test_pages_are_one_or_a_range(written, pages):
    assert PassageFilter.parse(page=written).pages == pages


def test_a_range_of_pages_may_have_no_end_or_no_beginning():
    assert PassageFilter.parse(page="-10").pages == (1, 10)
    first, last = PassageFilter.parse(page="3-").pages
    assert first == 3
    assert last > 10**9


@pytest.mark.parametrize("written", ["", "0", "-", "10-3", "a", "1,2", "3 10", "0-2", "９" * 40])
def test_what_are_no_pages_is_refused_with_an_example(written):
    with pytest.raises(ConfigError, match="page=") as raised:
        PassageFilter.parse(page=written)
    assert raised.value.setting == "page"
    assert "3-10" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2023", date(2023, 1, 1), date(2023, 12, 31)),
        ("2023年", date(2023, 1, 1), date(2023, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2023/5/1", date(2023, 5, 1), date(2023, 5, 1)),
        ("二〇二三年五月一日", date(2023, 5, 1), date(2023, 5, 1)),
        ("民國112年5月", date(2023, 5, 1), date(2023, 5, 31)),
    ],
)
def test_a_day_month_or_year_begins_on_its_first_day_and_ends_on_its_last(written, first, last):
    held = PassageFilter.parse(since=written, until=written)
    assert (held.since, held.until) == (first, last)


@pytest.mark.parametrize("written", ["", "yesterday", "2023-13-01", "12月25日", "2023年与2024年", "99999"])
def test_what_is_no_date_is_refused(written):
    with pytest.raises(ConfigError, match="since="):
        PassageFilter.parse(since=written)


# --- the command line ----------------------------------------------------------------------------------


def names(out: str) -> set[str]:
    return {Path(passage["file"]).name for passage in json.loads(out)}


def test_search_takes_each_condition(clrag, folder):
    clrag("ingest", str(folder / "合同"))
    clrag("ingest", "--tag", "财务", "--tag", "草稿", str(folder / "报告"))
    search = ("search", "--json", "-k", "9", "租金")
    assert len(names(clrag(*search)[1])) == 3
    assert names(clrag(*search, "--file", "采购*")[1]) == {"采购合同.txt"}
    assert names(clrag(*search, "--folder", "2022")[1]) == {"租赁合同.txt"}
    assert names(clrag(*search, "--tag", "财务", "--tag", "草稿")[1]) == {"租金报告.md"}
    assert names(clrag(*search, "--since", "2023-08", "--until", "2023")[1]) == {"采购合同.txt"}
    assert len(json.loads(clrag(*search, "--page", "1")[1])) == 4


def test_a_filter_that_matches_nothing_is_said_and_is_no_error(clrag, folder):
    clrag("ingest", str(folder))
    status, out, err = clrag("search", "--json", "--tag", "合同", "--since", "2023", "租金")
    assert (status, json.loads(out)) == (0, [])
    assert err == "no document meets this: since 2023-01-01, tag '合同'\n"


def test_ask_answers_from_the_documents_that_are_let_through(clrag, folder):
    clrag("ingest", str(folder))
    question = ("ask", "--json", "房屋租金怎样支付？")
    answer = json.loads(clrag(*question, "--folder", "2022", says=("房屋租金每月支付。",))[1])
    assert {Path(passage["file"]).parent.name for passage in answer["passages"]} == {"2022"}
    status, out, err = clrag(*question, "--file", "没有.pdf", says=("不应出现",))
    assert status == 0
    assert json.loads(out)["refused"] is True
    assert "no document meets this: file '没有.pdf'" in err


def test_list_shows_tags(clrag, folder):
    clrag("ingest", "--tag", "财务", str(folder / "报告"))
    assert "[财务]" in clrag("list")[1]


def test_a_condition_that_cannot_be_read_is_an_error_with_a_hint(clrag, folder):
    clrag("ingest", str(folder))
    status, out, err = clrag("search", "--page", "三", "租金")
    assert (status, out) == (1, "")
    assert "page='三'" in err
    assert "hint:" in err
