"""The page in a real browser over a real server: first start, documents, questions, citations."""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import pytest

pytestmark = [
    pytest.mark.models,
    pytest.mark.allow_hosts(["127.0.0.1", "localhost", "::1"]),
    pytest.mark.skipif(browser.programs() is None, reason=browser.SKIP_REASON),
]

QUESTION = "编译一次大约需要多少秒？"
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
# A model that says a long thing slowly, and no sentence twice: real server, scripted words.
SLOW = """
import itertools, time
from chinese_llm_rag import wiring
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend
class Slow(ScriptedBackend):
    def generate(self, prompt, params):
        for piece in super().generate(prompt, params):
            time.sleep(0.02)
            yield piece
long = "".join(f"龙井茶属于绿茶{stem}{branch}。" for stem in "甲乙丙丁戊" for branch in "子丑寅卯辰巳午未")
backend = Slow(itertools.cycle(["龙井茶属于绿茶。" + long + "完毕。"]))
wiring.build_llm = lambda settings: ChatChineseAlpaca(backend=backend, max_tokens=2000)
wiring.build_embeddings = lambda settings, setup=None: HashEmbeddings()
"""
EVIL = "<img src=x onerror=window.hacked=1>"


class Page:
    """A browser on a page."""

    def __init__(self, driver, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self) -> None:
        self.driver.get(f"{self.url}/")

    def find(self, selector: str):
        return self.driver.find_elements("css selector", selector)

    def part(self, name: str):
        """The visible element of this part."""
        return self.wait(lambda: next((e for e in self.find(f"[data-part={name}]") if e.is_displayed()), None))

    def text(self) -> str:
        return self.driver.find_element("tag name", "body").text

    def wait(self, seen: Callable[[], object], seconds: float = 60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := seen():
                    return found
            except Exception as error:
                if type(error).__name__ not in ("StaleElementReferenceException", "IndexError"):
                    raise
            if time.monotonic() > deadline:
                self.picture("failed")
                raise AssertionError(f"did not come to be; the page says:\n{self.text()}")
            time.sleep(0.05)

    def click(self, name: str) -> None:
        def clicked() -> bool:
            try:
                self.part(name).click()
            except Exception as error:
                if type(error).__name__ in ("ElementClickInterceptedException", "StaleElementReferenceException"):
                    return False
                raise
            return True

        self.wait(clicked, 10)

    def tab(self, name: str) -> None:
        self.click(f"tab-{name}")

    def type(self, name: str, text: str) -> None:
        self.part(name).send_keys(text)

    def drop(self, name: str, data: bytes) -> None:
        """Drop a file on the drop zone, as the browser's own event."""
        self.wait(lambda: self.find(".drop-zone[data-kb]"))
        self.driver.execute_script(
            """
            const bytes = Uint8Array.from(atob(arguments[1]), c => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], arguments[0]));
            const zone = document.querySelector('.drop-zone');
            zone.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
            """,
            name,
            base64.b64encode(data).decode(),
        )

    def choose(self, path: Path) -> None:
        """Choose a file by the button."""
        self.driver.execute_script("HTMLInputElement.prototype.click = () => {}")
        self.wait(lambda: self.find(".choose-files"))[0].click()
        self.wait(lambda: self.find("input.chosen-files"))[0].send_keys(str(path))

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))

    def script(self, code: str):
        return self.driver.execute_script(f"return {code}")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator[object]:
    folder = tmp_path_factory.mktemp("chromium")
    driver = browser.start(folder / "profile", folder / "downloads")
    driver.downloads = folder / "downloads"
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(serving, chromium, tmp_path_factory) -> Iterator[Page]:
    """The page over the packaged model, in Chinese, from its first start on. The tests of it go on from each other."""
    with serving(tmp_path_factory.mktemp("page"), "--no-browser", command="app") as server:
        made = Page(chromium, server.url)
        made.open()
        yield made
        assert "Traceback" not in "".join(server.log), "".join(server.log)


def test_the_first_start_shows_what_the_model_needs_and_leads_to_the_library(page):
    page.wait(lambda: "可以运行" in page.text())
    assert "gemma-3-270m-base" in page.text()
    page.picture("first-start")
    page.part("models").find_elements("css selector", ".q-radio")[-1].click()  # no model, which needs no memory
    page.wait(lambda: "可以运行" not in page.text() and page.part("use-model").is_enabled())
    page.part("models").find_elements("css selector", ".q-radio")[0].click()
    page.wait(lambda: "可以运行" in page.text())
    page.click("use-model")
    page.wait(lambda: "把文档或文件夹拖到这里" in page.text())
    page.picture("library-empty")


def test_a_pdf_that_is_dropped_becomes_searchable(page, demo_pdfs, tmp_path):
    page.drop("manual.pdf", demo_pdfs["manual.pdf"])
    file = tmp_path / "节气.pdf"
    file.write_bytes(demo_pdfs["solar_terms.pdf"])
    page.choose(file)
    page.wait(lambda: page.text().count("可用") == 2, 300)
    assert "manual.pdf" in page.text()
    assert "节气.pdf" in page.text()
    page.picture("library")


def test_what_is_no_document_is_refused_in_plain_words_and_the_page_goes_on(page):
    page.drop("程序.pdf", b"MZ\x90\0" + b"\0" * 3000)
    page.wait(lambda: "未接收：程序.pdf" in page.text())
    assert "Windows 程序" in page.text()
    page.drop("坏.pdf", b"%PDF-1.7 nothing follows")
    page.wait(lambda: "失败" in page.text(), 200)


def test_an_answer_has_numbered_citations_that_open_the_marked_page(page):
    page.tab("ask")
    page.type("question", QUESTION + "\n")
    page.wait(lambda: page.find(".citation"), 200)
    assert "400" in page.find(".answer")[-1].text
    page.picture("answer")
    page.click("citation")
    marks = page.wait(lambda: page.find(".page-mark"))
    assert page.wait(lambda: page.script("document.querySelector('.page-picture img').naturalWidth > 500"))
    assert "manual.pdf" in page.part("evidence-title").text
    box = marks[0].rect
    frame = page.find(".page-picture")[0].rect
    assert frame["x"] <= box["x"] <= box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    assert box["width"] > 20
    assert 5 < box["height"] < 60
    time.sleep(0.5)  # for the drawer to have slid in
    page.picture("citation")


def test_what_the_documents_do_not_say_is_not_answered_and_the_reason_shown(page):
    page.type("question", "客服电话是多少？\n")
    page.wait(lambda: "不包含" in page.text(), 120)


def test_a_conversation_is_exported_as_markdown(page):
    page.click("export")
    downloads = page.driver.downloads
    file = page.wait(lambda: next(iter(downloads.glob("*.md")), None) if downloads.exists() else None)
    text = page.wait(lambda: file.read_text(encoding="utf-8"))
    assert text.startswith("# 对话")
    assert "manual.pdf，第" in text


def test_words_are_found_as_they_are_typed(page):
    page.tab("search")
    page.type("query", "编译")
    page.wait(lambda: "个段落" in page.part("search-status").text)
    assert "编译" in page.part("found").text
    page.picture("search")


def test_a_document_is_summarised_with_its_sources(page):
    page.tab("summarise")
    page.wait(lambda: [b for b in page.find(".q-checkbox") if b.is_displayed() and "只摘录原句" in b.text])[0].click()
    page.click("summarise")
    page.wait(lambda: page.part("summary").find_elements("css selector", ".citation"), 120)
    assert "依据覆盖" in page.text()
    page.picture("summary")


def test_nothing_comes_from_anywhere_but_this_machine(page):
    entries = page.script("performance.getEntriesByType('resource').map(e => e.name)")
    assert len(entries) > 10
    assert [name for name in entries if not name.startswith((page.url, "data:", "blob:"))] == []
    severe = [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [entry for entry in severe if "uploads" not in entry["message"]] == []  # refused uploads are told there


def test_the_page_is_read_at_twice_the_size_and_in_the_dark(page):
    page.tab("settings")
    page.wait(lambda: page.find("[data-part=light] button")[2]).click()
    page.wait(lambda: page.find("body.body--dark"))
    page.driver.set_window_size(640, 800)
    for name in ("library", "ask", "search", "summarise", "settings"):
        page.tab(name)
        time.sleep(0.4)
        assert page.script("document.documentElement.scrollWidth <= window.innerWidth"), name
        page.picture(f"dark-twice-{name}")
    page.driver.set_window_size(1280, 900)


def test_the_language_is_switched(page):
    page.tab("settings")
    page.wait(
        lambda: next((b for b in page.find("[data-part=language] button") if b.text.lower() == "english"), None)
    ).click()
    page.wait(lambda: "Library" in page.text())
    page.tab("library")
    page.wait(lambda: "Drop documents or folders here" in page.text())
    page.picture("english-dark")


def test_a_document_is_deleted(page):
    page.tab("library")
    page.wait(lambda: "manual.pdf" in page.text())
    row = next(r for r in page.find("[data-part=documents] tbody tr") if "manual.pdf" in r.text)
    row.find_element("css selector", ".q-checkbox").click()
    page.click("delete")
    page.click("confirm")
    page.wait(lambda: not any("manual.pdf" in r.text for r in page.find("[data-part=documents] tbody tr")))


@pytest.fixture(scope="module")
def slow(serving, chromium, tmp_path_factory) -> Iterator[Page]:
    """The page over a slow scripted model, with a document whose name and text hold markup."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "docs").mkdir()
    (folder / "docs" / f"{EVIL}.md").write_text(f"# {EVIL}\n\n龙井茶属于绿茶。{EVIL}", encoding="utf-8")
    ingest = f"""
import sys
from chinese_llm_rag.knowledge_base import KnowledgeBase
with KnowledgeBase.open({str(folder / "home" / "kb" / "default")!r}, HashEmbeddings()) as base:
    base.ingest({str(folder / "docs")!r})
"""
    with serving(folder / "home", "--no-browser", command="app", code=SLOW + ingest) as server:
        yield Page(chromium, server.url)


def test_a_long_answer_is_stopped_and_what_had_come_stays(slow):
    slow.open()
    slow.type("question", "龙井茶属于什么茶？\n")
    slow.wait(lambda: "绿茶" in slow.find(".answer")[-1].text)
    slow.click("stop")
    slow.wait(lambda: slow.part("ask"))
    said = slow.find(".answer")[-1].text
    assert said
    assert "完毕" not in said
    time.sleep(0.5)
    assert slow.find(".answer")[-1].text == said


def test_an_answer_goes_on_while_the_page_is_loaded_anew(slow):
    slow.open()
    slow.type("question", "龙井茶属于哪种茶？\n")
    slow.wait(lambda: "绿茶" in slow.find(".answer")[-1].text and "完毕" not in slow.find(".answer")[-1].text)
    slow.driver.refresh()
    slow.wait(lambda: len(slow.find(".exchange")) >= 2)
    slow.wait(lambda: "完毕。" in slow.find(".answer")[-1].text, 60)
    assert slow.find(".answer")[-1].text.count("龙井茶属于绿茶") == 41


def test_markup_in_names_documents_questions_and_answers_is_shown_and_never_run(slow):
    slow.open()
    slow.click("new-chat")
    slow.type("question", f"{EVIL} 龙井茶属于什么茶？\n")
    slow.wait(lambda: slow.find(".citation"), 60)
    slow.click("citation")
    slow.wait(lambda: slow.find(".marked-text"))
    assert EVIL in slow.text()
    for name in ("library", "search"):
        slow.tab(name)
        if name == "search":
            slow.type("query", "onerror")
        slow.wait(lambda: EVIL in slow.text())
    assert slow.script("window.hacked") is None
    assert slow.find("img[onerror]") == []
