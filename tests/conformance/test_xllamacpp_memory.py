"""What the server remembers of earlier prompts: in its slot, in main memory, and in files for a later process."""

import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

small_models = sys.modules["small_models"]

GREEDY = GenerationParams(temperature=0.0, max_tokens=8)
PARAGRAPH = "图书馆九点开门，门口总有人等着。老人看报，学生写作业，还有人只是想找一个安静的地方坐一会儿。"
DOCUMENT, OTHER = PARAGRAPH * 20, "火车每天经过两次，一次向北，一次向南。" * 30


def tokens_read(backend: XllamacppBackend, prompt: str) -> int:
    """Tokens of the prompt that the server had to compute."""
    tokens = backend._whole(prompt, 1)
    request = {"prompt": tokens, "max_tokens": 1, "stream": True, "temperature": 0}
    *_, last = (reply for reply in backend._replies(request) if reply is not None)
    usage = last["usage"]
    return usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"]


def text_of(backend: XllamacppBackend, prompt: str) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, GREEDY))


@pytest.fixture
def backend(random_model: Path):
    opened = XllamacppBackend(random_model)
    yield opened
    opened.close()


class TestKept:
    def test_a_second_question_on_a_document_reads_only_itself(self, backend: XllamacppBackend) -> None:
        n_document = backend.count_tokens(DOCUMENT)
        assert tokens_read(backend, DOCUMENT + "问：几点？") > n_document
        assert tokens_read(backend, DOCUMENT + "谁在看报？") < 20 < n_document

    def test_a_conversation_taken_up_again_is_not_read_again(self, backend: XllamacppBackend) -> None:
        tokens_read(backend, DOCUMENT)
        tokens_read(backend, OTHER)
        assert tokens_read(backend, DOCUMENT + "谁在看报？") < 20
        assert tokens_read(backend, OTHER + "几点？") < 20

    def test_without_room_for_it_it_is(self, random_model: Path) -> None:
        forgetful = XllamacppBackend(random_model, prefix_bytes=0)
        tokens_read(forgetful, DOCUMENT)
        tokens_read(forgetful, OTHER)
        assert tokens_read(forgetful, DOCUMENT + "谁在看报？") > forgetful.count_tokens(DOCUMENT)
        forgetful.close()

    def test_what_is_kept_changes_no_text(self, backend: XllamacppBackend, random_model: Path) -> None:
        fresh = text_of(backend, DOCUMENT + "谁在看报？")
        text_of(backend, OTHER)
        assert text_of(backend, DOCUMENT + "谁在看报？") == fresh


LATER = """
import sys
from pathlib import Path
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend
backend = XllamacppBackend(sys.argv[1])
backend.load_prefix(Path(sys.argv[2]))
tokens = backend._whole(sys.argv[3], 8)
replies = [r for r in backend._replies({"prompt": tokens, "max_tokens": 8, "stream": True, "temperature": 0,
    "repeat_penalty": 1.1, "repeat_last_n": 1024}) if r]
usage = replies[-1]["usage"]
print(usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"])
print("".join(r["choices"][0]["text"] for r in replies))
"""


class TestFiles:
    def test_a_later_process_goes_on_from_there(
        self, backend: XllamacppBackend, random_model: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "document.memory"
        size = backend.save_prefix(DOCUMENT, path)
        # 2 layers, keys and values of width 64, 2 bytes each; and little else.
        kv_bytes = (backend.count_tokens(DOCUMENT) + 1) * 2 * 2 * 64 * 2
        assert kv_bytes < size == path.stat().st_size < 1.05 * kv_bytes + 4096
        question = DOCUMENT + "谁在看报？"
        command = [sys.executable, "-c", LATER, str(random_model), str(path), question]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        n_read, text = done.stdout.split("\n", 1)
        assert int(n_read) < 20
        assert text == text_of(backend, question) + "\n"

    def test_what_was_there_before_is_kept_when_a_file_is_loaded(self, backend, tmp_path: Path) -> None:
        backend.save_prefix(DOCUMENT, tmp_path / "memory")
        tokens_read(backend, OTHER)
        backend.load_prefix(tmp_path / "memory")
        assert tokens_read(backend, DOCUMENT + "谁在看报？") < 20

    def test_a_file_of_another_model_or_cache_type_is_refused(
        self, backend: XllamacppBackend, vocabulary, tmp_path: Path
    ) -> None:
        backend.save_prefix(PARAGRAPH, tmp_path / "memory")
        other = XllamacppBackend(
            small_models.write_gguf(tmp_path / "other.gguf", vocabulary, small_models.random_weights(12))
        )
        with pytest.raises(ModelLoadError, match="it is of another model, or of one loaded with other options"):
            other.load_prefix(tmp_path / "memory")
        other.close()

    @pytest.mark.parametrize("place", [20, 3_000, -120])
    def test_a_damaged_file_is_refused_before_llama_cpp_sees_it(self, backend, tmp_path: Path, place: int) -> None:
        path = tmp_path / "memory"
        backend.save_prefix(PARAGRAPH, path)
        content = bytearray(path.read_bytes())
        content[place] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(ModelLoadError, match="cannot load a saved memory"):
            backend.load_prefix(path)
        assert text_of(backend, "你好")

    @pytest.mark.parametrize("kept", [0, 10, 5_000])
    def test_a_file_that_was_cut_off_is_refused(self, backend, tmp_path: Path, kept: int) -> None:
        path = tmp_path / "memory"
        backend.save_prefix(DOCUMENT, path)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(ModelLoadError, match="it is something else, or was cut off"):
            backend.load_prefix(path)

    def test_a_missing_file_is_named(self, backend: XllamacppBackend, tmp_path: Path) -> None:
        with pytest.raises(ModelLoadError, match="nowhere"):
            backend.load_prefix(tmp_path / "nowhere")

    def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing(self, backend, tmp_path: Path) -> None:
        with pytest.raises(GenerationError, match="no-folder"):
            backend.save_prefix(PARAGRAPH, tmp_path / "no-folder" / "memory")
        assert list(tmp_path.glob("**/*.part")) == []

    def test_a_prompt_that_fills_the_window_is_refused(self, backend: XllamacppBackend, tmp_path: Path) -> None:
        with pytest.raises(ContextWindowExceededError):
            backend.save_prefix("问" * 1100, tmp_path / "memory")
