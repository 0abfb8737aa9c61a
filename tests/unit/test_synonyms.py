"""Synonyms from a user's file: how it is read, what it finds, and what is wrong with one."""

import pytest
from langchain_core.documents import Document

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.synonyms import Synonyms


def test_a_file_has_a_group_a_line_with_words_apart_by_any_usual_sign(tmp_path):
    file = tmp_path / "同义词.txt"
    file.write_text("# 我的词表\n电脑, 计算机、微机\n\n汽车=车辆  # 交通\nGPS\t全球定位系统\n", encoding="utf-8-sig")
    synonyms = Synonyms.load(file)
    assert len(synonyms) == 7
    assert synonyms.others("這臺電腦") == ["计算机", "微机"]
    assert synonyms.others("车辆") == ["汽车"]
    assert synonyms.others("ｇｐｓ信号") == ["全球定位系统"]
    assert synonyms.others("无关") == []


def test_a_word_of_two_groups_has_the_synonyms_of_both():
    synonyms = Synonyms([["打车", "叫车"], ["叫车", "网约车"]])
    assert synonyms.others("叫车") == ["打车", "网约车"]
    assert synonyms.others("打车") == ["叫车"]


@pytest.mark.parametrize("text", ["电脑", "电脑, 电腦", "电脑, ！", "电脑,,微机"])
def test_a_line_that_is_no_group_is_named(tmp_path, text):
    file = tmp_path / "w.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="no group of synonyms") as raised:
        Synonyms.load(file)
    assert raised.value.setting == "synonyms"
    assert str(file) in str(raised.value.origin)


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the synonyms"):
        Synonyms.load(tmp_path / "missing.txt")
    file = tmp_path / "gbk.txt"
    file.write_bytes("电脑, 计算机".encode("gbk"))
    with pytest.raises(ConfigError, match=r"gbk\.txt"):
        Synonyms.load(file)


def test_a_passage_with_a_synonym_is_found_below_one_with_the_word_itself():
    documents = [Document(text, id=text) for text in ("计算机的价格", "电脑的价格", "白菜的价格")]
    retriever = BM25Retriever.from_documents(documents, synonyms=Synonyms([["电脑", "计算机"]]))
    assert [document.id for document in retriever.invoke("电脑多少钱？")] == ["电脑的价格", "计算机的价格"]
