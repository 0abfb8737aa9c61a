"""Every example runs as its first lines say, on real models, with warnings as errors, and leaves nothing behind."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SPAN = re.compile(r"characters (\d+)-(\d+): ('.*')$", re.MULTILINE)

pytestmark = pytest.mark.models

BIKES = """公共自行车借还须知

借车前请检查刹车和轮胎。每次借车的前四十分钟免费，超过以后每小时收两元。
还车时把前轮推进锁桩，听到蜂鸣声才算还好。

头盔放在服务亭，凭借车卡领取。丢失头盔须赔偿六十元。
"""


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all examples, so that the packaged model is put together once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def example(data_folder: Path, tmp_path: Path):
    """Runs an example as a user would; what it printed."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(data_folder), "TMPDIR": str(temporary)}

    def run(name: str, *arguments: object) -> str:
        command = [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        # torch makes an empty cache folder while transformers is imported, whatever one does.
        left = [
            path for path in temporary.rglob("*") if not path.relative_to(temporary).parts[0].startswith("torchind")
        ]
        assert left == []
        return done.stdout

    return run


@pytest.fixture
def bikes(tmp_path: Path) -> Path:
    path = tmp_path / "自行车.md"
    path.write_text(BIKES, encoding="utf-8")
    return path


def spans(printed: str) -> list[str]:
    """The texts printed beside their characters; each stands at that place of BIKES."""
    texts = []
    for start, end, quoted in SPAN.findall(printed):
        text = ast.literal_eval(quoted)
        assert BIKES[int(start) : int(end)] == text
        texts.append(text)
    return texts


def test_an_answer_cites_the_characters_it_rests_on_and_the_folder_can_be_asked_again(example, bikes, tmp_path):
    folder = tmp_path / "kb"
    printed = example("ask_your_documents.py", "--folder", folder, "丢失头盔须赔偿多少元？", bikes)
    assert "六十元" in printed.splitlines()[0]
    assert f"{bikes}, page 1" in printed
    assert any("丢失头盔须赔偿六十元。" in text for text in spans(printed))

    bikes.unlink()
    printed = example("ask_your_documents.py", "--folder", folder, "服务亭的电话号码是多少？")
    refusal, reason = printed.splitlines()
    assert refusal == "文档中没有说明。"
    assert "电话" in reason


def test_without_arguments_the_examples_own_text_is_asked(example):
    printed = example("ask_your_documents.py")
    assert "十八个月" in printed.splitlines()[0]
    assert "水壶.md, page 1" in printed


def test_a_retriever_of_langchains_own_is_enough_for_an_answer_with_citations(example):
    answer, cited = example("your_own_retriever.py").splitlines()
    assert "两角" in answer
    assert cited.startswith("借阅规则, characters ")


def test_a_file_is_summarized_by_its_own_sentences_without_a_model(example, bikes):
    text, *places, coverage = example("summarize_a_file.py", bikes, "--chars", 40).splitlines()
    assert all(sentence in BIKES for sentence in re.findall("[^。]+。", text))
    assert len(places) == len(spans("\n".join(places))) > 0
    assert coverage == "rests on 100% of the pages; extractive, 0 calls of a model"


def test_chunks_of_a_file_are_its_text_and_go_into_a_foreign_vector_store(example, bikes):
    printed = example("splitter_in_your_app.py", bikes, "--query", "怎样才算把车还好了？")
    chunks = spans(printed)
    assert len(chunks) > 1
    assert "".join("".join(chunks).split()) == "".join(BIKES.split())
    assert "听到蜂鸣声才算还好。" in printed.split("\n-> ")[1]


def test_words_find_codes_meaning_finds_other_words_and_the_hybrid_finds_both(example):
    of_code, of_paraphrase = example("retrievers_alone.py").strip().split("\n\n")
    code, paraphrase = ranked(of_code), ranked(of_paraphrase)
    assert len(code["bm25"]) == 1
    for name in ("bm25", "dense", "hybrid"):
        assert "E11" in code[name][0]
    assert "bm25" not in paraphrase  # no character in common
    assert "底脚没有调平" in paraphrase["dense"][0]
    assert "底脚没有调平" in paraphrase["hybrid"][0]


def ranked(block: str) -> dict[str, list[str]]:
    """Texts found, best first, by retriever; the block's first line is the query."""
    found: dict[str, list[str]] = {}
    for line in block.splitlines()[1:]:
        name, score, text = line.split(maxsplit=2)
        assert float(score) >= 0
        found.setdefault(name, []).append(text)
    return found


def test_an_answer_streams_with_and_without_an_event_loop(example):
    streamed, cited, async_streamed = example("stream_an_answer.py").splitlines()
    for line in (streamed, async_streamed):
        assert line.endswith("|")  # of one sentence, which is shown when it is borne out
        assert "每周二和周四" in line.replace("|", "")
    assert "南桥社区活动室每周二和周四开放" in cited


def test_a_follow_up_is_asked_about_what_was_asked_before_and_the_conversation_is_kept(example):
    first, second, *kept = example("conversation.py").splitlines()
    assert first.startswith("乒乓球拍可以免费借用吗？ -> 乒乓球拍可以免费借用吗？ -> ")
    assert second.startswith("押金是多少？ -> 乒乓球拍的押金是多少？ -> ")
    assert "五十元" in second or "50元" in second
    assert "## 2. 押金是多少？" in kept


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense"])
def test_passages_are_found_without_a_language_model(example, bikes, mode):
    printed = example("search_only.py", "--mode", mode, "头盔在哪里领取？", bikes)
    assert f"{bikes}: indexed, 1 chunks" in printed
    [text] = spans(printed)
    assert "头盔放在服务亭，凭借车卡领取。" in text
    assert printed.endswith("after removing the first file: 0 chunks\n")


def test_the_right_file_comes_first_in_search(example):
    first, second = (line for line in example("search_only.py").splitlines() if "characters" in line)
    assert "租约.md" in first
    assert "社区.txt" in second


def test_a_small_model_with_the_familys_vocabulary_size_talks_as_a_plain_chat_model(example, tmp_path):
    answer = "图书馆九点开门。"
    model = speaking_model(tmp_path / "small.gguf", answer)
    whole, usage, streamed = example("chat_model.py", model, "彩虹").splitlines()
    assert whole == f"彩虹: {answer}"
    assert f"'output_tokens': {len(answer)}" in usage
    assert usage.endswith("finish_reason: stop")
    assert streamed.rstrip("|") == "|".join(answer)


def test_guesses_leave_the_text_as_it_is(example):
    plain, looked_up, verdict = example("speculative_decoding.py").splitlines()
    assert plain.startswith("plain: ")
    assert looked_up.startswith("prompt_lookup: ")
    assert "周二下午两点到五点是书法课" in plain
    assert verdict in ("the same text", "the texts part at a near tie")


def test_an_object_comes_out_of_a_model_that_would_say_something_else(example, tmp_path):
    printed = example("structured_output.py", speaking_model(tmp_path / "small.gguf", '"'))
    event = json.loads(printed)
    assert set(event) == {"weekday", "start_hour", "place", "needs_registration"}
    assert event["start_hour"] in range(24)


def test_a_hugging_face_folder_talks_as_a_chat_model_says_its_rope_and_takes_a_dtype(example, tmp_path):
    answer = "图书馆九点开门。"
    folder = speaking_model(tmp_path / "chinese-alpaca-2-7b-16k", answer, context_length=16_384)
    loaded, spoken = example("transformers_model.py", folder, "彩虹", "--dtype", "bfloat16").splitlines()
    assert loaded == "chinese-alpaca-2-7b-16k: window 16384, rope linear x4 over 4096"
    assert spoken == f"彩虹: {answer}"


@pytest.mark.parametrize("name", ["small.gguf", "small"])
def test_a_document_longer_than_the_trained_window_is_read_once(example, tmp_path, name):
    answer = "图书馆九点开门。"
    model = speaking_model(tmp_path / name, answer, context_length=4096)
    rules = tmp_path / "rules.txt"
    rules.write_text("图书馆的规定，第一百条：龘龘。\n" * 150, encoding="utf-8")
    printed = example("long_context.py", model, "--window", 8192, "--document", rules, "第一问？", "第二问？")
    loaded, *asked = printed.splitlines()
    assert loaded == "small: window 8192, rope adaptive_ntk coefficient 1"
    first, second = (
        re.match(r"(\d+) tokens with rope ntk alpha (\S+), first words after (\S+) s: (.*)", a) for a in asked
    )
    n_tokens = int(first[1])
    assert 4096 < n_tokens < 8092
    assert float(first[2]) == -(-(n_tokens + 100) // 1024) * 1024 / 2048 - 1
    assert first[4] == second[4] == answer
    assert float(second[3]) < float(first[3])


def speaking_model(path: Path, answer: str, *, context_length: int = 1024) -> Path:
    """A model as wide as the family's vocabulary that says `answer`, a token a character: a GGUF file or a folder."""
    spec = importlib.util.spec_from_file_location("small_models_of_examples", ROOT / "tests" / "small_models.py")
    assert spec is not None
    assert spec.loader is not None
    small_models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(small_models)
    vocabulary = small_models.train_vocabulary()
    known = [[vocabulary.pieces.index(c)] if c in vocabulary.pieces else vocabulary.byte_tokens(c) for c in answer]
    chain = [*(token for tokens in known for token in tokens), small_models.EOS]
    weights = small_models.scripted_weights(chain)
    write = small_models.write_gguf if path.suffix == ".gguf" else small_models.write_folder
    return write(path, vocabulary, weights, vocabulary_size=55_296, context_length=context_length)


def test_a_base_model_is_refused_as_a_chat_model_with_a_hint(data_folder, tmp_path):
    from chinese_llm_rag.llms.packaged import packaged_model_path

    base_model = packaged_model_path("gemma-3-270m-base", data_folder / "models")
    command = [sys.executable, str(EXAMPLES / "chat_model.py"), str(base_model)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "is a base model: it has no chat template" in done.stderr
    assert "ChineseAlpacaLLM" in done.stderr


def test_the_table_lists_every_example_and_each_says_how_to_run_it():
    scripts = sorted(path.name for path in EXAMPLES.glob("*.py"))
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[(\S+\.py)\]\(\1\) \|", table, re.MULTILINE)) == scripts
    for name in scripts:
        docstring = ast.get_docstring(ast.parse((EXAMPLES / name).read_text(encoding="utf-8")))
        assert docstring is not None, name
        assert f"python examples/{name}" in docstring, name
