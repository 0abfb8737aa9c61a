"""What LangChain's loader of `unstructured` gives goes through our splitter, without a network.

unstructured downloads English language models (NLTK's) when it is first imported, unless it is told not to, and asks
them what is prose; here everything is.
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
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("AUTO_DOWNLOAD_NLTK", "false")
    from langchain_unstructured import UnstructuredLoader

    monkeypatch.setattr("unstructured.nlp.tokenize._sent_tokenize", lambda text: [text])
    monkeypatch.setattr("unstructured.nlp.tokenize._word_tokenize", str.split)
    monkeypatch.setattr("unstructured.nlp.tokenize._pos_tag", lambda words: [(word, "NN") for word in words])
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
