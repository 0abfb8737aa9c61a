"""The controller over a real knowledge base: documents, answers, jobs. Vectors are hashed, replies are scripted."""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chinese_llm_rag import wiring
from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.jobs import ENDED
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.schema import Answer
from chinese_llm_rag.settings import load_settings
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend

TEA = "龙井茶产于杭州西湖一带，属于绿茶。保质期为十八个月。"


class Gate:
    """Embeddings that wait until they may go on."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def made(monkeypatch, gate, home) -> Iterator[Controller]:
    class Gated(HashEmbeddings):
        def embed_documents(self, texts):
            gate.entered.set()
            gate.open.wait(20)
            return super().embed_documents(texts)

    monkeypatch.setattr(wiring, "build_embeddings", lambda _settings, _setup=None: Gated())
    backend = ScriptedBackend(itertools.cycle(["属于绿茶。"]))
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))
    controller = Controller(load_settings().settings, Limits(max_upload_bytes=1 << 20))
    yield controller
    gate.open.set()
    controller.close()


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


async def put(controller: Controller, name: str, text: str | bytes, kb: str = "default"):
    data = text.encode() if isinstance(text, str) else text
    return await controller.upload(kb, name, pieces_of(data))


async def ended(controller: Controller, job_id: str):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = controller.job(job_id)
        if job.state in ENDED:
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(job)


async def taken_in(controller: Controller, name: str, text: str | bytes, kb: str = "default"):
    view, job = await put(controller, name, text, kb)
    job = await ended(controller, job.id)
    assert job.state == "done", job
    return view, job


async def whole(stream) -> Answer:
    answer = Answer()
    async for piece in stream:
        assert isinstance(piece, Answer), piece
        answer += piece
    return answer


async def test_a_document_goes_in_is_searched_asked_about_and_removed(made, home):
    view, job = await taken_in(made, "茶.md", TEA)
    assert job.result == {
        "documents": [
            {"name": "茶.md", "outcome": "added", "n_chunks": 1, "reason": None, "hint": None, "problems": []}
        ]
    }
    (listed,) = await made.documents("default")
    assert (listed.id, listed.status, listed.n_chunks, listed.uploaded) == (view.id, "indexed", 1, True)
    passages, _ = await made.search("default", "龙井茶", client="a")
    assert passages[0].text == TEA
    answer = await whole(made.ask("default", "龙井茶属于什么茶？", client="a"))
    assert answer.text == "属于绿茶。"
    assert answer.citations[0].quote.startswith("龙井茶")
    await made.remove("default", view.id)
    assert await made.documents("default") == []
    assert [path for path in (home / "documents").rglob("*") if path.is_file()] == []
    passages, _ = await made.search("default", "龙井茶", client="a")
    assert passages == []


async def test_of_two_who_remove_the_same_document_one_is_told_that_it_is_gone(made):
    view, _ = await taken_in(made, "茶.md", TEA)
    results = await asyncio.gather(made.remove("default", view.id), made.remove("default", view.id))
    kinds = sorted(result.kind if isinstance(result, Failure) else "removed" for result in results)
    assert kinds == ["not_found", "removed"]


async def test_a_document_of_the_same_name_replaces_the_former_one(made):
    await taken_in(made, "茶.md", TEA)
    _, job = await taken_in(made, "茶.md", "普洱茶产于云南。")
    assert job.result["documents"][0]["outcome"] == "updated"
    (passage, *others), _ = await made.search("default", "产于", client="a")
    assert passage.text == "普洱茶产于云南。"
    assert others == []


async def test_folders_of_uploads_are_kept_apart(made):
    await taken_in(made, "一月/报告.md", "一月卖出十台。")
    await taken_in(made, "二月/报告.md", "二月卖出二十台。")
    assert [view.name for view in await made.documents("default")] == ["一月/报告.md", "二月/报告.md"]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("../茶.md", TEA.encode(), "invalid"),
        ("茶.exe", TEA.encode(), "unsupported"),
        ("程序.pdf", b"MZ\x90\0" + b"\0" * 5000, "unsupported"),
        ("照片.pdf", b"\x89PNG\r\n\x1a\n" + b"\0" * 5000, "unsupported"),
        ("压缩.docx", b"PK\x03\x04" + b"\0" * 5000, "unsupported"),
        ("大.txt", b"a" * (1 << 20) + b"a", "too_large"),
        ("空.txt", b"", "invalid"),
    ],
)
async def test_what_is_no_document_is_refused_and_nothing_of_it_stays(made, home, name, data, kind):
    refused = await put(made, name, data)
    assert isinstance(refused, Failure)
    assert refused.kind == kind
    assert [path for path in home.rglob("*") if path.is_file()] == []


async def test_a_removal_does_not_wait_for_a_long_run_and_the_run_goes_on(made, gate):
    view, _ = await taken_in(made, "茶.md", TEA)
    gate.open.clear()
    gate.entered.clear()
    _, job = await put(made, "长.md", "\n\n".join(f"第{n}条 " + f"条款内容{n}。" * 60 for n in range(60)))
    assert await asyncio.to_thread(gate.entered.wait, 30)
    removal = asyncio.create_task(made.remove("default", view.id))
    await asyncio.sleep(0.1)
    gate.open.set()
    assert not isinstance(await removal, Failure)
    assert (await ended(made, job.id)).state == "done"
    assert [view.name for view in await made.documents("default")] == ["长.md"]


async def test_a_cancelled_upload_leaves_nothing_and_the_others_go_in(made, gate, home):
    await taken_in(made, "茶.md", TEA)
    gate.open.clear()
    gate.entered.clear()
    _, unwanted = await put(made, "长.md", "\n\n".join(f"第{n}条 " + f"条款内容{n}。" * 60 for n in range(60)))
    assert await asyncio.to_thread(gate.entered.wait, 30)
    _, wanted = await put(made, "短.md", "短文。")
    assert made.cancel(unwanted.id).state == "running"
    gate.open.set()
    assert (await ended(made, unwanted.id)).state == "cancelled"
    assert (await ended(made, wanted.id)).state == "done"
    assert [view.name for view in await made.documents("default")] == ["短.md", "茶.md"]
    assert not (home / "documents" / "default" / "长.md").exists()


async def test_what_was_uploaded_before_the_end_goes_in_after_the_next_start(made, gate, home):
    await taken_in(made, "茶.md", TEA)
    gate.open.clear()
    gate.entered.clear()
    await put(made, "长.md", "\n\n".join(f"第{n}条 " + f"条款内容{n}。" * 60 for n in range(60)))
    assert await asyncio.to_thread(gate.entered.wait, 30)
    closing = asyncio.create_task(asyncio.to_thread(made.close))
    await asyncio.sleep(0.1)
    gate.open.set()
    await closing
    again = Controller(load_settings().settings)
    try:
        (job,) = await again.resume()
        assert job.items == ("长.md",)
        assert (await ended(again, job.id)).state == "done"
        assert [(v.name, v.status) for v in await again.documents("default")] == [
            ("茶.md", "indexed"),
            ("长.md", "indexed"),
        ]
    finally:
        again.close()


async def test_an_answer_comes_while_documents_go_in(made, gate):
    await taken_in(made, "茶.md", TEA)
    gate.open.clear()
    _, job = await put(made, "别的.md", "别的内容。")
    answer = await asyncio.wait_for(whole(made.ask("default", "龙井茶属于什么茶？", client="a")), 20)
    assert answer.text == "属于绿茶。"
    assert made.job(job.id).state != "done"


async def test_a_document_that_cannot_be_read_is_a_problem_of_its_own(made):
    _, job = await taken_in(made, "坏.pdf", b"%PDF-1.7 broken")
    assert job.result["documents"][0]["outcome"] == "failed"
    assert job.result["documents"][0]["reason"]
    (view,) = await made.documents("default")
    assert view.status == "failed"
    assert view.problems


async def test_bases_are_made_listed_and_deleted_with_what_was_uploaded(made, home):
    assert made.base_names() == []
    view = await made.create_base("合同")
    assert (view.name, view.n_chunks) == ("合同", 0)
    assert (await made.create_base("合同")).kind == "conflict"
    await taken_in(made, "茶.md", TEA, kb="合同")
    assert (await made.base("合同")).n_chunks == 1
    assert await made.delete_base("合同") is None
    assert made.base_names() == []
    assert not (home / "documents" / "合同").exists()
    assert (await made.documents("合同")).kind == "not_found"
    assert (await made.search("没有", "茶", client="a")).kind == "not_found"


async def test_the_model_is_loaded_once_for_all_and_a_failed_load_is_tried_again(made, monkeypatch):
    from chinese_llm_rag.errors import ModelLoadError

    loads: list[int] = []
    backend = ScriptedBackend(itertools.cycle(["好。"]))

    def build(_settings):
        loads.append(1)
        if len(loads) == 1:
            raise ModelLoadError("the file is gone")
        return ChatChineseAlpaca(backend=backend)

    monkeypatch.setattr(wiring, "build_llm", build)

    async def said() -> str | Failure:
        text = ""
        async for piece in made.chat([Turn("user", "你好")], client="a"):
            if isinstance(piece, Failure):
                return piece
            text += piece.text
        return text

    failed = await said()
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.message) == ("unavailable", "the file is gone")
    assert made.health().model_state == "failed"
    assert await asyncio.gather(*(said() for _ in range(5))) == ["好。"] * 5
    assert len(loads) == 2


async def test_a_question_waits_its_turn_and_a_reader_who_leaves_gives_it_up(made, monkeypatch):
    going = threading.Event()

    class Slow(ScriptedBackend):
        def generate(self, prompt, params):
            for piece in super().generate(prompt, params):
                going.wait(0.01)
                yield piece

    backend = Slow(itertools.cycle(["很长的回答。" * 50]))
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))
    first = made.chat([Turn("user", "一")], client="a")
    assert (await anext(first)) is not None
    waiting = asyncio.create_task(anext(made.chat([Turn("user", "二")], client="b")))
    await asyncio.sleep(0.1)
    assert made.health().n_waiting == 1
    await first.aclose()
    assert not isinstance(await asyncio.wait_for(waiting, 5), Failure)
    going.set()


async def test_stop_strings_and_sampling_of_a_request_hold_for_it_alone(made):
    await taken_in(made, "茶.md", TEA)
    from chinese_llm_rag.app.sampling import AskOptions, Sampling

    cut = await whole(made.ask("default", "龙井茶属于什么茶？", client="a", options=AskOptions(stop=("绿",))))
    assert cut.text == "属于"
    short = await whole(made.ask("default", "龙井茶属于什么茶？", client="a", sampling=Sampling(max_tokens=2)))
    assert short.text == "属于"
    assert (await whole(made.ask("default", "龙井茶属于什么茶？", client="a"))).text == "属于绿茶。"


def test_ids_of_documents_do_not_tell_where_they_lie(home):
    from chinese_llm_rag.app.names import document_id

    assert os.sep not in document_id(str(Path("/home/someone/合同.pdf")))


async def test_without_a_model_the_documents_own_sentences_answer_and_summarize(made, monkeypatch):
    from chinese_llm_rag import model_choice
    from chinese_llm_rag.app.sampling import SummaryWish

    view, _ = await taken_in(made, "茶.md", TEA)
    monkeypatch.setattr(model_choice, "has_model", lambda _: False)
    monkeypatch.setattr(wiring, "build_llm", None)
    answer = await whole(made.ask("default", "龙井茶属于什么茶？", client="a"))
    assert answer.strategy == "extractive"
    assert answer.text
    assert answer.text in TEA
    assert all(sentence.supported for sentence in answer.sentences)
    job = await ended(made, (await made.summarize("default", view.id, SummaryWish())).id)
    assert (job.state, job.result["strategy"]) == ("done", "extractive")
