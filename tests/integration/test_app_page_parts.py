"""What the page stands on, without a browser: conversations on disk, settings written, transcripts, shortcuts."""

import asyncio
import itertools
import tomllib

import pytest

from chinese_llm_rag import wiring
from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.conversations import Conversation, Conversations, Exchange
from chinese_llm_rag.app.model_options import NO_MODEL, model_options, settings_for
from chinese_llm_rag.app.preferences import changed, save
from chinese_llm_rag.app.shortcut import install
from chinese_llm_rag.app.transcript import escaped, markdown_of
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say, speaking
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.settings import FILE_NAME, load_settings
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend

TEA = "龙井茶产于杭州西湖一带，属于绿茶。"


@pytest.fixture
def controller(monkeypatch, home):
    backend = ScriptedBackend(itertools.cycle(["属于绿茶。"]))
    monkeypatch.setattr(wiring, "build_embeddings", lambda _settings, _setup=None: HashEmbeddings())
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))
    (home / "docs").mkdir(parents=True)
    (home / "docs" / "茶.md").write_text(TEA, encoding="utf-8")
    with wiring.open_knowledge_base(load_settings().settings, search=True, create=True) as base:
        base.ingest(home / "docs")
    made = Controller(load_settings().settings)
    yield made
    made.close()


async def until(seen) -> None:
    async with asyncio.timeout(20):
        while not seen():
            await asyncio.sleep(0.01)


async def test_a_conversation_outlives_the_program(controller, home):
    kept = Conversations(controller, home / "conversations")
    conversation = kept.begin("default")
    kept.ask(conversation, "龙井茶属于什么茶？", client="a")
    assert conversation.running
    await until(lambda: not conversation.running)
    again = Conversations(controller, home / "conversations")
    (found,) = again.of("default")
    assert found.exchanges[0].text == "属于绿茶。"
    assert found.exchanges[0].answer["citations"][0]["name"] == "茶.md"
    again.forget(found)
    assert Conversations(controller, home / "conversations").of("default") == []


async def test_an_answer_that_is_stopped_or_cut_off_keeps_what_had_come(controller, home, monkeypatch):
    import time

    class Slow(ScriptedBackend):
        def generate(self, prompt, params):
            for piece in super().generate(prompt, params):
                time.sleep(0.02)
                yield piece

    backend = Slow(itertools.cycle(["绿茶。" * 100]))
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))
    kept = Conversations(controller, home / "conversations")
    conversation = kept.begin("default")
    kept.ask(conversation, "龙井茶属于什么茶？", client="a")
    await until(lambda: len(conversation.exchanges[0].text) > 5)
    kept.stop(conversation)
    await until(lambda: not conversation.running)
    assert conversation.exchanges[0].state == "stopped"
    kept.ask(conversation, "龙井茶产于哪里？", client="a")
    await until(lambda: len(conversation.exchanges[1].text) > 5)
    kept.close()
    (found,) = Conversations(controller, home / "conversations").of("default")
    assert [exchange.state for exchange in found.exchanges] == ["stopped", "stopped"]
    assert all(exchange.text for exchange in found.exchanges)


async def test_a_question_to_a_base_that_is_gone_says_so_in_the_conversation(controller, home):
    kept = Conversations(controller, home / "conversations")
    conversation = kept.begin("没有")
    kept.ask(conversation, "有吗？", client="a")
    await until(lambda: not conversation.running)
    assert conversation.exchanges[0].state == "failed"
    assert "没有" in conversation.exchanges[0].trouble


def test_a_damaged_conversation_is_passed_over(controller, home):
    folder = home / "conversations"
    folder.mkdir()
    (folder / "a.json").write_text("{", encoding="utf-8")
    (folder / "b.json").write_text('{"id": 1}', encoding="utf-8")
    assert Conversations(controller, folder).of("default") == []


def test_a_transcript_numbers_its_sources_and_makes_no_markup_of_what_was_said():
    place = {"document": "d", "name": "<b>.md", "page_start": 1, "page_end": 1, "place": None}
    quote = {**place, "start": 0, "end": 4, "text": "# 绿茶"}
    answer = {
        "text": "绿茶。红茶。",
        "refused": False,
        "reason": None,
        "sentences": [
            {"start": 0, "end": 3, "text": "绿茶。", "supported": True},
            {"start": 3, "end": 6, "text": "红茶。", "supported": False},
        ],
        "citations": [{"sentence": 0, **quote}, {"sentence": 0, **quote}],
    }
    exchange = Exchange("<img src=x>\n# 什么*茶*？", text="绿茶。红茶。", state="done", answer=answer)
    text = markdown_of(Conversation("默认", exchanges=[exchange]))
    assert "绿茶。 \\[1\\]红茶。 (no support found)" in text
    assert "1. \\<b\\>.md, page 1: “\\# 绿茶”" in text
    assert "## \\<img src=x\\> \\# 什么\\*茶\\*？" in text
    assert escaped("1. a\n- b") == "\\1. a\n\\- b"


def test_settings_are_written_where_a_person_wrote_others(home):
    home.mkdir()
    file = home / FILE_NAME
    file.write_text('# mine\nk = 3  # few\nkb = "合同"\n', encoding="utf-8")
    save(home, {"k": 6, "model_path": home / '模型 "a".gguf', "max_tokens": None})
    assert tomllib.loads(file.read_text(encoding="utf-8")) == {
        "k": 6,
        "kb": "合同",
        "model_path": str(home / '模型 "a".gguf'),
    }
    assert "# mine" in file.read_text(encoding="utf-8")
    assert load_settings().settings.k == 6
    save(home, {"k": None})
    assert load_settings().settings.k == 4


def test_a_file_that_would_not_say_the_same_afterwards_is_left_alone(home):
    home.mkdir()
    text = 'lora = [\n"a",\n"b",\n]\n'
    (home / FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, tomllib.TOMLDecodeError)):
        save(home, {"lora": None})
    assert (home / FILE_NAME).read_text(encoding="utf-8") == text


def test_a_value_that_cannot_work_changes_nothing(home):
    settings = load_settings().settings
    with pytest.raises(ConfigError):
        changed(settings, {"k": 0})
    assert changed(settings, {"k": 9}).k == 9


async def test_choosing_a_model_is_kept_and_takes_the_place_of_the_present_one(controller, home, monkeypatch):
    assert await controller.load_model() is None
    loads: list[object] = []

    def build(settings):
        loads.append(settings.model_path)
        return ChatChineseAlpaca(backend=ScriptedBackend(itertools.cycle(["好。"])))

    monkeypatch.setattr(wiring, "build_llm", build)
    path = home / "other.gguf"
    assert await controller.change(settings_for(str(path), controller.settings)) is None
    assert controller.model_name == "other"
    assert await controller.load_model() is None
    assert loads == [path]
    assert load_settings().settings.model_path == path
    report = await controller.model_report(str(path))
    assert report.kind == "unavailable"  # there is no such file, and the page says so
    assert [option.key for option in model_options(controller.settings)] == ["gemma-3-270m-base", str(path)]


async def test_doing_without_a_model_is_kept_and_loads_none_until_one_is_chosen_again(controller, monkeypatch):
    build = wiring.build_llm
    monkeypatch.setattr(wiring, "build_llm", None)  # a call of it would be an error
    assert await controller.change(settings_for(NO_MODEL, controller.settings)) is None
    assert await controller.load_model() is None
    assert controller.health().model_state == "absent"
    assert load_settings().settings.strategy == "extractive"
    (answer,) = [p async for p in controller.ask("default", "龙井茶属于什么茶？", client="a") if p.strategy]
    assert answer.strategy == "extractive"
    monkeypatch.setattr(wiring, "build_llm", build)
    assert await controller.change(settings_for("gemma-3-270m-base", controller.settings)) is None
    assert load_settings().settings.strategy == "auto"
    assert await controller.load_model() is None
    assert controller.health().model_state == "ready"


def test_one_windows_language_is_not_anothers():
    with speaking("zh"):
        assert say("tea", "茶") == "茶"
        with speaking("en"):
            assert say("tea", "茶") == "tea"
        with speaking(None):
            assert say("tea", "茶") == "茶"
    assert say("tea", "茶") == "tea"


def test_shortcuts_start_the_page(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    entry = install("linux", tmp_path)
    text = entry.read_text(encoding="utf-8")
    assert entry == tmp_path / ".local" / "share" / "applications" / "chinese-llm-rag.desktop"
    assert text.startswith("[Desktop Entry]")
    assert '"-m" "chinese_llm_rag" "app"' in text
    script = install("darwin", tmp_path)
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").rstrip().endswith("-m chinese_llm_rag app")


def test_page_and_server_start_without_what_answers_need():
    import subprocess
    import sys

    code = (
        "import sys; from chinese_llm_rag.app.page import words; from chinese_llm_rag.app.server import application\n"
        "from chinese_llm_rag.app import controller, conversations, transcript\n"
        "heavy = 'numpy langchain_core chromadb tantivy llama_cpp pypdfium2 lxml'.split()\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
