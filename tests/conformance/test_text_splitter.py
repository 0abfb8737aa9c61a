"""ChineseTextSplitter as what LangChain takes for a TextSplitter."""

import asyncio
import copy
import pickle
import sys
from types import SimpleNamespace

import pytest
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_text_splitters import TextSplitter

from chinese_llm_rag.text_splitters import ChineseTextSplitter

TEXT = "第一章 总则\n第一条 甲甲甲甲。乙乙乙乙。\n第二条 丙丙丙丙。丁丁丁丁。"
CHUNKS = ["第一章 总则\n第一条 甲甲甲甲。乙乙乙乙。", "第二条 丙丙丙丙。丁丁丁丁。"]


@pytest.fixture
def splitter() -> ChineseTextSplitter:
    return ChineseTextSplitter(24)


def test_it_is_a_text_splitter_and_a_document_transformer(splitter):
    assert isinstance(splitter, TextSplitter)
    assert isinstance(splitter, BaseDocumentTransformer)


def test_the_methods_of_a_text_splitter_give_the_same_chunks(splitter):
    document = Document(TEXT, metadata={"source": "法"})
    assert splitter.split_text(TEXT) == CHUNKS
    assert [d.page_content for d in splitter.create_documents([TEXT])] == CHUNKS
    assert [d.page_content for d in splitter.split_documents([document])] == CHUNKS
    assert splitter.transform_documents([document]) == splitter.split_documents([document])
    assert asyncio.run(splitter.atransform_documents([document])) == splitter.split_documents([document])


def test_split_documents_takes_any_iterable(splitter):
    documents = [Document(TEXT), Document("第三条 戊。")]
    assert splitter.split_documents(iter(documents)) == splitter.split_documents(documents)


def test_documents_of_several_texts_have_the_metadata_of_their_text(splitter):
    documents = splitter.create_documents([TEXT, "己。"], [{"source": "1"}, {"source": "2"}])
    assert [d.metadata["source"] for d in documents] == ["1", "1", "2"]


def test_metadata_are_copied_to_the_bottom(splitter):
    metadata = {"tags": ["法律"]}
    first, second = splitter.create_documents([TEXT], [metadata])
    first.metadata["tags"].append("民法")
    assert second.metadata["tags"] == metadata["tags"] == ["法律"]


def test_the_start_index_finds_the_chunk():
    for document in ChineseTextSplitter(24, 5, add_start_index=True).create_documents([TEXT]):
        start = document.metadata["start_index"]
        assert TEXT[start : start + len(document.page_content)] == document.page_content


@pytest.mark.parametrize(("size", "overlap"), [(2, 4), (0, 0), (-1, 0), (4, -1)])
def test_bad_sizes_are_value_errors_as_in_langchain(size, overlap):
    with pytest.raises(ValueError, match="chunk_"):
        ChineseTextSplitter(chunk_size=size, chunk_overlap=overlap)


def test_positional_and_named_arguments_are_those_of_langchain():
    named = ChineseTextSplitter(chunk_size=24, chunk_overlap=4, length_function=len, add_start_index=True)
    assert named.identity == ChineseTextSplitter(24, 4, len).identity


def test_it_is_copied_and_pickled(splitter):
    assert copy.deepcopy(splitter).split_text(TEXT) == CHUNKS
    assert pickle.loads(pickle.dumps(splitter)).split_text(TEXT) == CHUNKS


def test_a_hugging_face_tokenizer_measures(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="needs the hf extra")
    transformers = pytest.importorskip("transformers", reason="needs the hf extra")
    vocabulary = {character: index for index, character in enumerate(sorted(set(TEXT)))}
    model = tokenizers.models.WordLevel({**vocabulary, "[UNK]": len(vocabulary)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")  # a token a character
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    splitter = ChineseTextSplitter.from_huggingface_tokenizer(fast, chunk_size=24)
    assert isinstance(splitter, ChineseTextSplitter)
    assert splitter.split_text(TEXT) == CHUNKS
    assert splitter.identity["length"] != "characters"
    with pytest.raises(ValueError, match="Tokenizer"):
        ChineseTextSplitter.from_huggingface_tokenizer("no tokenizer")


def test_a_tiktoken_encoding_measures(monkeypatch):
    class Encoding:
        """Two tokens a character, as tiktoken's interface gives them."""

        def encode(self, text: str, *, allowed_special: object, disallowed_special: object) -> list[int]:
            return [0] * (2 * len(text))

    monkeypatch.setitem(sys.modules, "tiktoken", SimpleNamespace(get_encoding=lambda name: Encoding()))
    splitter = ChineseTextSplitter.from_tiktoken_encoder("any", chunk_size=48)
    assert isinstance(splitter, ChineseTextSplitter)
    assert splitter.split_text(TEXT) == CHUNKS
