"""What LangChain's loader of `unstructured` gives goes through our splitter, without a network.

unstructured downloads an English language model when it first sees a sentence; an empty one takes its place here.
"""

import pytest

from chinese_llm_rag.text_splitters import ChineseTextSplitter

pytest.importorskip("langchain_unstructured", reason="the package langchain-unstructured is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TEXT = "# 第一章 总则\n\n为了规范合同的订立，制定本办法。本办法适用于全部采购。\n\n|品名|数量|\n|---|---|\n|茶|3|\n"


def test_elements_are_cut_and_keep_their_metadata(tmp_path, monkeypatch):
    import spacy
    from langchain_unstructured import UnstructuredLoader

    monkeypatch.setenv("DO_NOT_TRACK", "1")
    empty = spacy.blank("xx")
    empty.add_pipe("sentencizer")
    monkeypatch.setattr("unstructured.nlp.tokenize._load_spacy_model", lambda: empty)
    path = tmp_path / "办法.md"
    path.write_text(TEXT, encoding="utf-8")
    elements = UnstructuredLoader(str(path), partition_via_api=False).load()
    assert {element.metadata["category"] for element in elements} >= {"Title", "Table"}
    chunks = ChineseTextSplitter(20).split_documents(elements)
    assert "".join("".join(chunk.page_content.split()) for chunk in chunks) == "".join(
        "".join(element.page_content.split()) for element in elements
    )
    for chunk in chunks:
        assert len(chunk.page_content) <= 20
        assert chunk.metadata["category"]
        origin = next(e for e in elements if e.metadata["element_id"] == chunk.metadata["element_id"])
        assert origin.page_content[chunk.metadata["start"] : chunk.metadata["end"]] == chunk.page_content
