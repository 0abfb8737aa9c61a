"""The real small model that comes as a package: it is a base model, so it goes on with a text."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms import packaged
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.backend import GenerationParams, Vocabulary
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.models import PACKAGED

pytestmark = pytest.mark.models

# Five demonstrations and a line of instruction, in the completion style.
FEW_SHOT = """根据段落，用段落中的原词回答问题。

段落：老茶馆在东门外，一九五三年开张，现在由第三代人打理。
问题：老茶馆是哪一年开张的？
答案：一九五三年

段落：黄河发源于青海，流经九个省区，最后注入渤海。
问题：黄河最后流到哪里？
答案：渤海

段落：这次比赛由红队获得第一名，蓝队获得第二名。
问题：谁得了第一名？
答案：红队

段落：蜂蜜要放在阴凉处，温度最好不超过二十五度。
问题：保存蜂蜜的温度最好不超过多少？
答案：二十五度

段落：新桥长八百米，双向四车道，限速六十公里。
问题：新桥有多长？
答案：八百米

"""
CASES = [
    ("镇上的图书馆每天上午九点开门，下午六点关门，星期一休息。", "图书馆星期几休息？", "星期一"),
    ("这座水库建于一九五八年，坝高四十二米，如今由县水务局管理。", "水库如今由谁管理？", "水务局"),
    ("这家餐馆的招牌菜是酸菜鱼，店里有十二张桌子。", "餐馆的招牌菜是什么？", "酸菜鱼"),
]

BRIDGES = ["东门桥", "西门桥", "南河桥", "北河桥", "石板桥", "望江桥"]


@pytest.fixture(scope="module")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaged")


def test_two_threads_that_want_it_at_once_get_one_whole_file(tmp_path):
    found: list[Path | Exception] = []

    def want() -> None:
        try:
            found.append(packaged_model_path("gemma-3-270m-base", tmp_path))
        except ModelLoadError as error:
            found.append(error)

    threads = [threading.Thread(target=want) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / PACKAGED[0].file_name] * 2
    assert [path.name for path in tmp_path.iterdir()] == [PACKAGED[0].file_name]


@pytest.fixture(scope="module")
def backend(models_folder: Path) -> Iterator[LlamaCppBackend]:
    loaded = LlamaCppBackend(packaged_model_path("gemma-3-270m-base", models_folder), context_window=2048)
    yield loaded
    loaded.close()


@pytest.mark.parametrize(("paragraph", "question", "answer"), CASES)
def test_the_answer_is_taken_from_the_paragraph(
    backend: LlamaCppBackend, paragraph: str, question: str, answer: str
) -> None:
    llm = ChineseAlpacaLLM(backend=backend, temperature=0, repetition_penalty=1.0, max_tokens=24, stop=["\n"])
    prompt = f"{FEW_SHOT}段落：{paragraph}\n问题：{question}\n答案："
    assert answer in llm.invoke(prompt)


def test_streaming_says_the_same_as_invoking(backend: LlamaCppBackend) -> None:
    llm = ChineseAlpacaLLM(backend=backend, temperature=0, max_tokens=24, stop=["\n"])
    prompt = f"{FEW_SHOT}段落：{CASES[0][0]}\n问题：{CASES[0][1]}\n答案："
    llm.invoke(prompt)  # both of the following then start from the same cache
    assert "".join(llm.stream(prompt)) == llm.invoke(prompt)


def test_earlier_prompts_change_no_answer(backend: LlamaCppBackend, models_folder: Path) -> None:
    """The layers with a sliding window of 512 tokens: what lay outside it is not in a memory that was put aside."""
    document = "".join(f"第{n}条，{name}于{1900 + n}年建成。" for n, name in enumerate(BRIDGES * 12, 1))
    questions = ["第3条说的是哪座桥？", "第60条说的是哪一年？", "最后一条说了什么？"]
    about = [f"{document}\n问题：{question}\n答案：" for question in questions]
    other = ["另一份资料：" + document[300:], "第三份资料：" + document[600:]]
    params = GenerationParams(max_tokens=12, temperature=0.0, repetition_penalty=1.0, logprobs=1)

    def said(model: LlamaCppBackend, prompt: str) -> list[tuple[str, float]]:
        chunks = [chunk for chunk in model.generate(prompt, params) if chunk.logprobs]
        return [(chunk.logprobs[0].token, round(chunk.logprobs[0].logprob, 4)) for chunk in chunks]

    forgetful = LlamaCppBackend(
        packaged_model_path("gemma-3-270m-base", models_folder), context_window=2048, prefix_bytes=0
    )
    try:
        for prompt in (about[0], other[0], about[1], other[1], about[2], other[0], about[0]):
            forgetful._model.keep(0)
            assert said(backend, prompt) == said(forgetful, prompt)
    finally:
        forgetful.close()


def test_its_control_tokens_in_a_text_stay_text(backend: LlamaCppBackend) -> None:
    assert backend.count_tokens("<end_of_turn>") > 1
    assert backend.vocabulary == Vocabulary("gemma3", 262_144)


def test_it_is_refused_as_a_chat_model(backend: LlamaCppBackend) -> None:
    with pytest.raises(ModelLoadError, match="base model"):
        ChatChineseAlpaca(backend=backend)


def test_the_file_is_whole_and_used_again(models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packaged_model_path("gemma-3-270m-base", models_folder)
    assert path.stat().st_size == PACKAGED[0].size_bytes
    before = path.stat().st_mtime_ns
    assert packaged_model_path("gemma-3-270m-base", models_folder) == path
    assert path.stat().st_mtime_ns == before
    assert [p.name for p in models_folder.iterdir()] == [PACKAGED[0].file_name]


def test_a_file_of_the_wrong_size_is_made_anew(models_folder: Path, tmp_path: Path) -> None:
    (tmp_path / PACKAGED[0].file_name).write_bytes(b"GGUF and then nothing")
    path = packaged_model_path("gemma-3-270m-base", tmp_path)
    assert path.stat().st_size == PACKAGED[0].size_bytes


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        @staticmethod
        def assemble(path: Path, *, overwrite: bool) -> None:
            assert overwrite
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(packaged, "optional_import", lambda *_args, **_options: FullDisk)
    with pytest.raises(ModelLoadError, match="No space left on device") as caught:
        packaged_model_path("gemma-3-270m-base", tmp_path / "models")
    assert "253 MB" in str(caught.value.hint)
    assert list((tmp_path / "models").iterdir()) == []


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown packaged model 'gpt-9'.*gemma-3-270m-base"):
        packaged_model_path("gpt-9", tmp_path)


def test_a_default_window_is_the_files_own(models_folder: Path) -> None:
    """32K tokens of cache take some 600 MB, so this is the one test that loads it so."""
    loaded = LlamaCppBackend(packaged_model_path("gemma-3-270m-base", models_folder))
    assert loaded.context_window == PACKAGED[0].window
    loaded.close()


def test_two_threads_share_the_model(backend: LlamaCppBackend) -> None:
    prompt = f"{FEW_SHOT}段落：{CASES[1][0]}\n问题：{CASES[1][1]}\n答案："
    texts: list[str] = []

    def ask() -> None:
        pieces = backend.generate(prompt, GenerationParams(temperature=0, max_tokens=4))
        texts.append("".join(piece.text for piece in pieces))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(texts) == 2
    assert all("水务局" in text for text in texts)
