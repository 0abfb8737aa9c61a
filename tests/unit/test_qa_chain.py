"""build_qa_chain over scripted models: what is asked, what is answered, what is dropped, what is refused."""

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.chains import build_qa_chain
from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.prompts import REFUSAL
from chinese_llm_rag.schema import Answer
from chinese_llm_rag.testing import ScriptedBackend

TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"
RIVER = "长江发源于唐古拉山脉，全长约6300公里。"


class Fixed(BaseRetriever):
    """Always the same documents."""

    documents: list[Document]

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return self.documents


def document(text: str, source: str = "茶.pdf", start: int = 0) -> Document:
    metadata = {"source": source, "start": start, "end": start + len(text), "page_start": 2, "page_end": 2}
    return Document(text, metadata=metadata)


def chat(*replies: str, documents: tuple[Document, ...] = (document(TEA), document(RIVER, "江.pdf")), **backend: int):
    scripted = ScriptedBackend(replies, **backend)
    model = ChatChineseAlpaca(backend=scripted, max_tokens=100)
    return build_qa_chain(Fixed(documents=list(documents)), model, strategy="stuff"), scripted


def test_the_answer_cites_the_sentence_with_its_page_and_span():
    chain, _ = chat("龙井茶属于绿茶。")
    answer = chain.invoke("龙井茶属于什么茶？")
    [citation] = answer.citations
    assert (citation.source, citation.page_start, citation.start, citation.end) == ("茶.pdf", 2, 0, 17)
    assert citation.quote == TEA[:17]
    assert not answer.refused


def test_stream_adds_up_to_invoke_and_shows_text_before_citations():
    said = "龙井茶属于绿茶。产于杭州西湖一带。"
    pieces = list(chat(said)[0].stream("龙井茶属于什么茶？"))
    assert pieces[0].text.startswith("龙井茶属于绿茶。")  # shown when its first sentence is borne out
    assert len(pieces) > 5
    assert "".join(piece.text for piece in pieces) == said
    assert all(not piece.sentences for piece in pieces[:-1])
    assert sum(pieces, Answer()) == chat(said)[0].invoke("龙井茶属于什么茶？")


async def test_async_gives_the_same_as_sync():
    expected = chat("龙井茶属于绿茶。")[0].invoke("龙井茶属于什么茶？")
    assert await chat("龙井茶属于绿茶。")[0].ainvoke("龙井茶属于什么茶？") == expected
    pieces = [piece async for piece in chat("龙井茶属于绿茶。")[0].astream("龙井茶属于什么茶？")]
    assert sum(pieces, Answer()) == expected


def test_a_chat_model_is_asked_with_numbered_passages_in_a_system_and_a_user_turn():
    chain, backend = chat("龙井茶属于绿茶。")
    chain.invoke("龙井茶属于什么茶？")
    [(prompt, _)] = backend.history
    text = prompt if isinstance(prompt, str) else "".join(prompt)
    assert text.startswith("[INST] <<SYS>>\nYou are a helpful assistant. 你是一个乐于助人的助手。\n你只根据")
    assert f"【资料开始】\n[1] {TEA}\n\n[2] {RIVER}\n【资料结束】" in text
    assert text.endswith(" [/INST]")


def test_a_base_model_completes_one_line_after_demonstrations():
    backend = ScriptedBackend(["绿茶\n问题：下一个？"])
    model = ChineseAlpacaLLM(backend=backend, max_tokens=20)
    answer = build_qa_chain(Fixed(documents=[document(TEA)]), model).invoke("龙井茶属于什么茶？")
    assert answer.text == "绿茶"
    assert answer.citations[0].quote == TEA[:17]
    [(prompt, _)] = backend.history
    assert prompt.endswith("问题：龙井茶属于什么茶？\n答案：")
    assert "\n" not in prompt.rpartition("段落：")[2].partition("\n问题：")[0]


def test_usage_is_reported():
    answer = chat("龙井茶属于绿茶。")[0].invoke("龙井茶属于什么茶？")
    assert answer.usage["output_tokens"] == 8
    assert answer.usage["total_tokens"] == answer.usage["input_tokens"] + 8


def test_without_evidence_the_model_is_not_asked():
    chain, backend = chat("不该说的话。")
    answer = chain.invoke("火星探测器何时发射？")
    assert (answer.text, answer.refused, backend.history) == (REFUSAL, True, [])
    assert "火星" in answer.reason
    assert [passage.text for passage in answer.passages] == [TEA, RIVER]


def test_a_refusal_does_not_repeat_a_question_of_thousands_of_characters():
    answer = chat()[0].invoke("火" * 3000)
    assert answer.refused
    assert "火火" in answer.reason
    assert len(answer.reason) < 100


def test_without_passages_it_refuses():
    chain, backend = chat("不该说的话。", documents=())
    answer = chain.invoke("龙井茶属于什么茶？")
    assert answer.refused
    assert backend.history == []


@pytest.mark.parametrize("reply", [REFUSAL, "文档中没有说明这一点。", "", "  ", "龙井茶属于什么茶"])
def test_a_model_that_finds_nothing_is_a_refusal_without_citations(reply):
    answer = chat(reply)[0].invoke("龙井茶属于什么茶？")
    assert answer.refused
    assert answer.citations == ()
    assert answer.text.strip()


def test_an_unsupported_sentence_is_marked_and_the_others_keep_their_citations():
    answer = chat("龙井茶属于绿茶。它是世界上最贵的茶叶品种。")[0].invoke("龙井茶属于什么茶？")
    assert [sentence.supported for sentence in answer.sentences] == [True, False]


def test_passages_that_do_not_fit_are_dropped_from_the_bottom_and_named():
    long = document("西湖龙井的历史可以追溯到唐代。" * 30, "长.pdf")
    chain, backend = chat("龙井茶属于绿茶。", documents=(document(TEA), long), context_window=450)
    answer = chain.invoke("龙井茶属于什么茶？")
    assert [passage.source for passage in answer.passages] == ["茶.pdf"]
    assert [passage.source for passage in answer.dropped] == ["长.pdf"]
    assert "唐代" not in str(backend.history)


def test_a_question_longer_than_the_window_is_an_error_with_the_three_numbers():
    chain, backend = chat("无。", context_window=300)
    with pytest.raises(ContextWindowExceededError) as caught:
        chain.invoke("龙井茶" * 200)
    assert caught.value.prompt_tokens > 600
    assert (caught.value.max_tokens, caught.value.context_window) == (100, 300)
    assert backend.history == []


def test_of_a_passage_larger_than_the_window_the_best_pieces_are_read():
    long = "西湖在杭州城西。" * 60 + "龙井茶属于绿茶。" + "西湖在杭州城西。" * 60
    chain, backend = chat("龙井茶属于绿茶。", documents=(document(long),), context_window=500)
    answer = chain.invoke("龙井茶属于什么茶？")
    assert answer.citations[0].start == long.index("龙井茶")
    assert answer.dropped
    [(prompt, _)] = backend.history
    assert 1 + backend.count_tokens(prompt) + 100 <= 500


def test_the_budget_is_exact_a_prompt_that_just_fits_is_sent():
    chain, backend = chat("龙井茶属于绿茶。")
    chain.invoke("龙井茶属于什么茶？")
    prompt, _ = backend.history[0]
    needed = 1 + backend.count_tokens(prompt) + 100
    chain, backend = chat("龙井茶属于绿茶。", context_window=needed)
    assert len(chain.invoke("龙井茶属于什么茶？").passages) == 2
    chain, backend = chat("龙井茶属于绿茶。", context_window=needed - 1)
    assert len(chain.invoke("龙井茶属于什么茶？").passages) == 1


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question_is_an_error(question):
    with pytest.raises(ConfigError, match="empty"):
        chat("无。")[0].invoke(question)


def test_a_model_that_does_not_say_its_window_must_be_given_one():
    with pytest.raises(ConfigError, match="context_window"):
        build_qa_chain(Fixed(documents=[]), FakeListChatModel(responses=["绿茶"]))


def test_any_other_chat_model_works_when_window_and_room_are_given(monkeypatch):
    model = FakeListChatModel(responses=["龙井茶属于绿茶。"])
    monkeypatch.setattr(FakeListChatModel, "get_num_tokens", lambda _, text: len(text))
    chain = build_qa_chain(Fixed(documents=[document(TEA)]), model, context_window=4096, max_tokens=100)
    assert chain.invoke("龙井茶属于什么茶？").citations[0].source == "茶.pdf"


def test_max_passages_limits_what_the_model_reads():
    scripted = ScriptedBackend(["龙井茶属于绿茶。"])
    model = ChatChineseAlpaca(backend=scripted, max_tokens=100)
    chain = build_qa_chain(Fixed(documents=[document(TEA), document(RIVER)]), model, max_passages=1)
    assert len(chain.invoke("龙井茶属于什么茶？").passages) == 1


async def test_callbacks_see_the_retriever_and_the_model_below_the_chain():
    chain, _ = chat("龙井茶属于绿茶。")
    names = {event["name"] async for event in chain.astream_events("龙井茶属于什么茶？", version="v2")}
    assert {"qa", "Fixed", "ChatChineseAlpaca"} <= names


def test_a_question_longer_than_the_window_is_refused_before_anything_is_searched():
    class Never(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
            raise AssertionError("searched")

    model = ChatChineseAlpaca(backend=ScriptedBackend(context_window=300), max_tokens=100)
    with pytest.raises(ContextWindowExceededError):
        build_qa_chain(Never(), model).invoke("龙井茶" * 200)


@pytest.mark.parametrize("question", [None, 5, {"question": 5}])
def test_what_is_no_text_is_no_question(question):
    with pytest.raises(ConfigError, match="expected a str"):
        chat("无。")[0].invoke(question)
