"""A small HTTP server that plays an OpenAI-compatible server: each kind as it documents itself, or misbehaving."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTROLS = {"<s>": 1, "</s>": 2}
Handler = Callable[[BaseHTTPRequestHandler, dict], object]


@dataclass
class Played:
    """A server whose answers are functions by path. What a function returns is sent as JSON."""

    answers: dict[str, Handler]
    asked: list[tuple[str, dict]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def bodies(self, path: str) -> list[dict]:
        return [body for asked, body in self.asked if asked == path]


@contextmanager
def playing(answers: dict[str, Handler]) -> Iterator[Played]:
    """A server on this machine until the end of the block."""
    played = Played(answers)

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args) -> None:
            pass

        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            path = self.path.partition("?")[0]
            played.asked.append((path, body))
            played.headers.append(dict(self.headers))
            answer = played.answers.get(path, not_found)(self, body)
            if answer is not None:
                reply(self, json.dumps(answer))

        do_POST = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    played.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield played
    finally:
        server.shutdown()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, text: str, kind: str = "application/json", status: int = 200) -> None:
    content = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def not_found(handler: BaseHTTPRequestHandler, _body: dict) -> None:
    reply(handler, '{"detail": "Not Found"}', status=404)


def refusing(status: int, body: str) -> Handler:
    return lambda handler, _body: reply(handler, body, status=status)


def begin_stream(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
    handler.send_header("Connection", "close")
    handler.end_headers()


def streaming(*events: dict | str | Callable[[dict], dict]) -> Handler:
    """An answer of events, some made of the question; a str is sent as it is. Without DONE it just ends."""

    def answer(handler: BaseHTTPRequestHandler, body: dict) -> None:
        begin_stream(handler)
        for event in [event(body) if callable(event) else event for event in events]:
            data = event if isinstance(event, str) else f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
            handler.wfile.write(data.encode())
            handler.wfile.flush()
        handler.close_connection = True

    return answer


DONE = "data: [DONE]\n\n"


def piece(text: str, finish: str | None = None, **more) -> dict:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}], **more}


def delta(text: str, finish: str | None = None) -> dict:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def usage(prompt: int, completion: int) -> dict:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}}


def cut(text: str) -> list[int]:
    """A token a character, and control tokens wherever the text spells them, as HF tokenizers have it."""
    pieces = re.split("(" + "|".join(map(re.escape, CONTROLS)) + ")", text)
    return [i for p in pieces for i in ([CONTROLS[p]] if p in CONTROLS else [100 + ord(c) for c in p])]


# vLLM: vllm/entrypoints/openai (ModelCard, CompletionRequest, UsageInfo) and serve/tokenize (TokenizeResponse).
def vllm(**answers: Handler) -> dict[str, Handler]:
    def tokenize(_handler: BaseHTTPRequestHandler, body: dict) -> dict:
        text = body["prompt"] if "prompt" in body else "".join(m["content"] for m in body["messages"])
        bos = [1] if body.get("add_special_tokens", "messages" not in body) or "messages" in body else []
        tokens = [*bos, *cut(text)]
        return {"count": len(tokens), "max_model_len": 4096, "tokens": tokens, "token_strs": None}

    card = {"id": "hfl/chinese-alpaca-2-7b", "object": "model", "owned_by": "vllm", "max_model_len": 4096}
    card |= {"root": "hfl/chinese-alpaca-2-7b", "parent": None, "permission": []}
    return {
        "/v1/models": lambda _h, _b: {"object": "list", "data": [card]},
        "/tokenize": tokenize,
        "/v1/completions": streaming(
            piece("图", **usage(3, 1)), piece("", "stop", **usage(3, 2)), {"choices": [], **usage(3, 2)}, DONE
        ),
        **{f"/v1/{name}": answer for name, answer in answers.items()},
    }


# text-generation-webui: its API page (docs/12), modules/api/typing.py (ModelInfoResponse, EncodeResponse).
def webui(**answers: Handler) -> dict[str, Handler]:
    models = [{"id": name, "object": "model", "created": 0, "owned_by": "user"} for name in ("gpt-3.5-turbo", "a", "b")]

    def webui_end(body: dict) -> dict:
        return piece("", "stop", **usage(1 + len(cut(body["prompt"])), 2))

    def chat_prompt(_handler: BaseHTTPRequestHandler, body: dict) -> dict:
        return {"prompt": "".join(f"[INST] {m['content']} [/INST]" for m in body["messages"])}

    return {
        "/v1/models": lambda _h, _b: {"object": "list", "data": models},
        "/v1/internal/model/info": lambda _h, _b: {"model_name": "b", "lora_names": []},
        "/v1/internal/encode": lambda _h, body: {"tokens": [1, *cut(body["text"])], "length": 1 + len(body["text"])},
        "/v1/internal/chat-prompt": chat_prompt,
        "/v1/completions": streaming(piece(""), piece("图书"), webui_end, DONE),
        **{f"/v1/{name}": answer for name, answer in answers.items()},
    }
