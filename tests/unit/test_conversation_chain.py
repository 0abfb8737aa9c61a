"""build_conversation_chain over scripted models: what is searched, what the model reads, what is remembered."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.chains.conversation import Exchange, Reply, SessionStore, build_conversation_chain
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.testing import ScriptedBackend

TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"
BEFORE = ("龙井茶产于哪里？", "龙井茶产于杭州西湖一带。")


class Noted(BaseRetriever):
    """Always the same document; notes what it is asked."""

    asked: list[str] = []  # noqa: RUF012  (pydantic copies it)

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        self.asked.append(query)
        return [Document(TEA, metadata={"source": "茶.pdf", "start": 0, "end": len(TEA)})]


def chat(*replies: str | Exception, window: int = 4096, **options: Any):
    backend = ScriptedBackend(replies, context_window=window)
    retriever = Noted()
    chain = build_conversation_chain(retriever, ChatChineseAlpaca(backend=backend, max_tokens=100), **options)
    return chain, backend, retriever


def prompts(backend: ScriptedBackend) -> list[str]:
    return [prompt if isinstance(prompt, str) else "".join(map(str, prompt)) for prompt, _ in backend.history]


def test_a_follow_up_is_searched_in_both_forms_and_its_query_is_shown():
    chain, _, retriever = chat("水温以八十度左右为宜。")
    reply = chain.invoke({"question": "那水温呢？", "history": [BEFORE]})
    assert (reply.question, reply.query) == ("那水温呢？", "龙井茶的水温？")
    assert reply.queries == ("龙井茶的水温？", "那水温呢？")
    assert (reply.leaning, reply.rewritten_by) == ("fragment", "rules")
    assert retriever.asked == ["龙井茶的水温？", "那水温呢？"]
    assert reply.answer.citations[0].source == "茶.pdf"
    assert reply.to_dict()["answer"]["text"] == reply.text == "水温以八十度左右为宜。"


@pytest.mark.parametrize("given", ["龙井茶的水温是多少？", {"question": "龙井茶的水温是多少？", "history": [BEFORE]}])
def test_a_question_that_stands_by_itself_is_searched_once_as_it_is(given):
    chain, _, retriever = chat("水温以八十度左右为宜。")
    reply = chain.invoke(given)
    assert (reply.query, reply.leaning, reply.rewritten_by) == ("龙井茶的水温是多少？", None, None)
    assert retriever.asked == ["龙井茶的水温是多少？"]


def test_a_chat_model_reads_earlier_turns_between_the_evidence_and_the_question():
    chain, backend, _ = chat("水温以八十度左右为宜。")
    reply = chain.invoke({"question": "它的水温是多少？", "history": [HumanMessage(BEFORE[0]), AIMessage(BEFORE[1])]})
    [prompt] = prompts(backend)
    places = [prompt.index(part) for part in (TEA, *BEFORE[:1], f"{BEFORE[1]}</s>", "问题：龙井茶的水温是多少？")]
    assert places == sorted(places)
    assert reply.answer.turns_dropped == 0


def test_a_follow_up_on_the_same_evidence_begins_as_the_question_before():
    chain, backend, _ = chat(BEFORE[1], "水温以八十度左右为宜。")
    chain.invoke(BEFORE[0])
    chain.invoke({"question": "它的水温是多少？", "history": [BEFORE]})
    first, second = prompts(backend)
    until_evidence_ends = first.index(TEA) + len(TEA)
    assert first[:until_evidence_ends] == second[:until_evidence_ends]


def test_a_refusal_is_no_turn_that_a_model_reads_but_its_question_is_leant_on():
    chain, backend, _ = chat("水温以八十度左右为宜。")
    reply = chain.invoke({"question": "那水温呢？", "history": [("龙井茶的价格是多少？", "文档中没有说明。")]})
    assert reply.query == "龙井茶的水温？"
    assert "价格" not in prompts(backend)[0]


def test_turns_that_do_not_fit_are_dropped_from_the_oldest_and_counted():
    history = [(f"第{n}个问题？", "长" * 100) for n in range(1, 21)]
    chain, backend, _ = chat("水温以八十度左右为宜。", window=1200)
    reply = chain.invoke({"question": "龙井茶的水温是多少？", "history": history})
    assert 0 < reply.answer.turns_dropped < 20
    [prompt] = prompts(backend)
    assert "第20个问题" in prompt
    assert "第1个问题" not in prompt
    assert TEA in prompt


def test_a_base_model_reads_no_turns_and_is_asked_the_question_as_it_stands_by_itself():
    backend = ScriptedBackend(["八十度左右\n"])
    chain = build_conversation_chain(Noted(), ChineseAlpacaLLM(backend=backend, max_tokens=20))
    reply = chain.invoke({"question": "那水温呢？", "history": [BEFORE]})
    assert reply.text == "八十度左右"
    [prompt] = prompts(backend)
    assert prompt.endswith("问题：龙井茶的水温？\n答案：")
    assert BEFORE[0] not in prompt


def test_a_model_rewrites_only_what_leans_and_rules_do_where_it_says_nothing():
    writer = ScriptedBackend(["改写：冲泡龙井茶的水温是多少？\n问：别的", ""])
    llm = ChatChineseAlpaca(backend=writer, max_tokens=100)
    chain, _, _ = chat(*["水温以八十度左右为宜。"] * 3, rewrite_llm=llm)
    first = chain.invoke({"question": "那水温呢？", "history": [BEFORE]})
    assert (first.query, first.rewritten_by) == ("冲泡龙井茶的水温是多少？", "model")
    second = chain.invoke({"question": "那水温呢？", "history": [BEFORE]})
    assert (second.query, second.rewritten_by) == ("龙井茶的水温？", "rules")
    chain.invoke({"question": "龙井茶的水温是多少？", "history": [BEFORE]})
    assert len(writer.history) == 2
    assert f"问：{BEFORE[0]}\n答：{BEFORE[1]}\n最后的问题：那水温呢？\n改写：" in prompts(writer)[0]


def test_stream_adds_up_to_invoke_and_first_tells_how_the_question_was_understood():
    asking = {"question": "那水温呢？", "history": [BEFORE]}
    said = "水温以八十度左右为宜。龙井茶属于绿茶。"
    pieces = list(chat(said)[0].stream(asking))
    assert (pieces[0].query, pieces[0].text) == ("龙井茶的水温？", "")
    assert len(pieces) > 3
    assert sum(pieces, Reply()) == chat(said)[0].invoke(asking)


async def test_async_and_batch_give_the_same_as_invoke():
    asking = {"question": "那水温呢？", "history": [BEFORE]}
    expected = chat("水温以八十度左右为宜。")[0].invoke(asking)
    assert await chat("水温以八十度左右为宜。")[0].ainvoke(asking) == expected
    pieces = [piece async for piece in chat("水温以八十度左右为宜。")[0].astream(asking)]
    assert sum(pieces, Reply()) == expected
    assert chat(*["水温以八十度左右为宜。"] * 2)[0].batch([asking, asking]) == [expected, expected]
    assert await chat("水温以八十度左右为宜。")[0].abatch([asking]) == [expected]


def test_a_session_carries_the_conversation_from_question_to_question(tmp_path: Path):
    store = SessionStore(tmp_path / "sessions.sqlite")
    chain, _, _ = chat("龙井茶产于杭州西湖一带。", "水温以八十度左右为宜。", sessions=store)
    chain.invoke({"question": "龙井茶产于哪里？", "session": "茶"})
    reply = chain.invoke({"question": "那水温呢？", "session": "茶"})
    assert reply.query == "龙井茶的水温？"
    assert [turn.exchange for turn in store.get("茶").turns] == [
        Exchange("龙井茶产于哪里？", "龙井茶产于杭州西湖一带。", "龙井茶产于哪里？"),
        Exchange("那水温呢？", "水温以八十度左右为宜。", "龙井茶的水温？"),
    ]
    chain, _, _ = chat("水温以八十度左右为宜。", sessions=store)
    assert chain.invoke({"question": "水温呢？", "session": "别的"}).query == "水温呢？"


async def test_an_async_session_is_remembered_too(tmp_path: Path):
    store = SessionStore(tmp_path / "sessions.sqlite")
    chain, _, _ = chat("龙井茶产于杭州西湖一带。", sessions=store)
    await chain.ainvoke({"question": "龙井茶产于哪里？", "session": "茶"})
    assert len(store.get("茶").turns) == 1


def test_what_is_broken_off_or_fails_is_not_remembered(tmp_path: Path):
    store = SessionStore(tmp_path / "sessions.sqlite")
    chain, _, _ = chat("龙井茶产于杭州西湖一带。", RuntimeError("坏了"), sessions=store)
    asking = {"question": "龙井茶产于哪里？", "session": "茶"}
    stream = chain.stream(asking)
    next(stream)
    next(stream)
    stream.close()
    with pytest.raises(RuntimeError):
        chain.invoke(asking)
    assert store.summaries() == []


class Names(BaseCallbackHandler):
    """Notes the name of every run that starts, with that of the run it is part of."""

    def __init__(self) -> None:
        self.names: dict[Any, str] = {}
        self.runs: list[tuple[str | None, str]] = []

    def _note(self, serialized: Any, *_: Any, run_id: Any, parent_run_id: Any = None, **given: Any) -> None:
        self.names[run_id] = given.get("name") or serialized["id"][-1]
        self.runs.append((self.names.get(parent_run_id), self.names[run_id]))

    on_chain_start = on_retriever_start = on_chat_model_start = _note


async def test_every_stage_shows_by_its_name_with_retrieval_and_generation_apart(tmp_path: Path):
    asking = {"question": "那水温呢？", "session": "茶"}
    expected = {
        *(("conversation", stage) for stage in ("recall", "rewrite", "qa", "remember")),
        *(("qa", stage) for stage in ("retrieve", "gate", "pack", "generate", "check")),
        *(("retrieve", "Noted"), ("generate", "ChatChineseAlpaca")),
    }
    for number, run in enumerate((lambda c, a, o: c.invoke(a, o), lambda c, a, o: c.ainvoke(a, o))):
        store = SessionStore(tmp_path / f"{number}.sqlite")
        store.add("茶", Reply(*BEFORE[:1], query=BEFORE[0]))
        noted = Names()
        chain, _, _ = chat("水温以八十度左右为宜。", sessions=store)
        if hasattr(done := run(chain, asking, {"callbacks": [noted]}), "__await__"):
            await done
        assert expected <= set(noted.runs), number


@pytest.mark.parametrize(
    ("asking", "message"),
    [
        ("  ", "the question is"),
        (3, "the question is 3"),
        ({"history": []}, "the question is None"),
        ({"question": "一？", "historie": []}, "unknown key 'historie'"),
        ({"question": "一？", "history": ["一？"]}, "history holds '一？'"),
        ({"question": "一？", "session": "茶"}, "needs a chain with sessions"),
    ],
)
def test_what_is_no_question_in_a_conversation_is_refused_before_anything_is_searched(asking, message):
    chain, backend, retriever = chat("无")
    with pytest.raises(ConfigError, match=message):
        chain.invoke(asking)
    assert (backend.history, retriever.asked) == ([], [])


def test_a_model_without_a_known_window_is_refused_when_the_chain_is_built():
    backend = ScriptedBackend(["无"])
    llm = ChatChineseAlpaca(backend=backend, max_tokens=100)
    with pytest.raises(ConfigError, match="context_window"):
        build_conversation_chain(Noted(), llm, context_window=-1)


def test_without_a_model_follow_ups_are_answered_by_the_documents_own_sentences():
    chain = build_conversation_chain(Noted(), None)
    reply = chain.invoke({"question": "它的水温是多少？", "history": [BEFORE]})
    assert reply.query == "龙井茶的水温是多少？"
    assert reply.answer.strategy == "extractive"
    assert "八十度" in reply.text
