"""Queries that are none, too long, or written to be taken for commands: a clear result in each mode, never an error."""

import json
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.knowledge_base import KnowledgeBase, PassageFilter
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

MODES = ("bm25", "dense", "hybrid")
TEXTS = {
    "长江.txt": "长江发源于唐古拉山脉。",
    "黄河.txt": "黄河发源于巴颜喀拉山脉。",
    "语法.txt": "SELECT * FROM files WHERE 1=1 是一条查询语句。",
}
NOTHING_SAID = ["？！。", "……", "😀", "👨‍👩‍👧‍👦🇨🇳", "\u200b\u200d\ufeff", "\0", "\ud800", "()[]{}", "+-*/", "\\", "%_"]
COMMANDS = [
    "长江' OR '1'='1",
    '长江"; DROP TABLE chunks; --',
    "长江%' UNION SELECT * FROM embeddings --",
    "body:长江 AND NOT forms:2008",
    "id:* OR source:[0 TO 9]",
    "+长江 -黄河 ~1 ^9 *",
    "长江 AND (",
    '"长江 发源',
    "/长江/ {1,9}",
    "长江\n\r\t长江",
    "{{长江}} ${HOME} `id` $(id)",
    "<script>长江</script>",
    '{"$ne": null} 长江',
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bad")
    (folder / "documents").mkdir()
    for name, text in TEXTS.items():
        (folder / "documents" / name).write_text(text, encoding="utf-8")
    with KnowledgeBase.open(folder / "kb", HashEmbeddings(), ChineseTextSplitter()) as opened:
        opened.ingest(folder / "documents")
        yield opened


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory):
    with KnowledgeBase.open(tmp_path_factory.mktemp("empty") / "kb", HashEmbeddings()) as opened:
        yield opened


def sources(base: KnowledgeBase, mode: str, query: str) -> list[str]:
    return [Path(found.metadata["source"]).name for found in base.retriever(9, mode=mode).invoke(query)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["长江", "", "？", "😀", "a" * 10_000])
def test_an_empty_base_finds_nothing(empty, mode, query):
    assert empty.retriever(4, mode=mode).invoke(query) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["", " ", "\n\t", "\u3000"])
def test_an_empty_query_finds_nothing(base, mode, query):
    assert sources(base, mode, query) == []


@pytest.mark.parametrize("query", NOTHING_SAID)
def test_a_query_without_words_finds_nothing_by_words_and_is_no_error_by_meaning(base, query):
    assert sources(base, "bm25", query) == []
    for mode in ("dense", "hybrid"):
        assert set(sources(base, mode, query)) <= set(TEXTS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", COMMANDS)
def test_no_query_is_taken_for_a_command(base, mode, query):
    before = base.chunk_ids()
    found = sources(base, mode, query)
    assert len(found) == len(set(found))
    assert set(found) <= set(TEXTS)
    assert base.chunk_ids() == before
    assert base.verify() == []


@pytest.mark.parametrize("query", [query for query in COMMANDS if "长江" in query])
def test_the_words_beside_a_command_are_found(base, query):
    assert "长江.txt" in sources(base, "bm25", query)
    # What would be the operand of an operator is a word like others.
    if "黄河" in query:
        assert "黄河.txt" in sources(base, "bm25", query)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("filler", ["水", "x", "1", "，", "a b ", "乙丙丁", "《", "2008年8月"])
def test_a_query_of_ten_thousand_characters_is_answered(base, mode, filler):
    query = ("长江发源于唐古拉山脉。" + filler * 10_000)[:10_000]
    found = sources(base, mode, query)
    assert set(found) <= set(TEXTS)
    if mode == "bm25":
        assert found[0] == "长江.txt"


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_that_matches_nothing_gives_nothing(base, mode):
    assert base.retriever(4, mode=mode, filter=PassageFilter(files=("没有.pdf",))).invoke("长江") == []


@pytest.mark.parametrize("mode", MODES)
def test_k_below_one_is_refused(base, mode):
    with pytest.raises(ConfigError, match="k=0"):
        base.retriever(0, mode=mode)


# --- the command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["？！", "😀", "'; DROP TABLE files; --", "source:[a TO z]", "x" * 10_000])
def test_search_prints_a_result_and_no_stack_trace(clrag, tmp_path, query):
    file = tmp_path / "长江.txt"
    file.write_text(TEXTS["长江.txt"], encoding="utf-8")
    clrag("ingest", str(file))
    status, out, err = clrag("search", "--json", "--", query)
    assert status == 0
    assert isinstance(json.loads(out), list)
    assert "Traceback" not in err


def test_search_of_an_empty_base_says_that_nothing_was_found(clrag, tmp_path):
    file = tmp_path / "长江.txt"
    file.write_text(TEXTS["长江.txt"], encoding="utf-8")
    clrag("ingest", str(file))
    clrag("remove", str(file))
    assert clrag("search", "长江") == (0, "", "nothing found\n")
