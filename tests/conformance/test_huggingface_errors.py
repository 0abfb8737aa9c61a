"""Transformers in trouble and out of it: foreign errors become ours, and nothing is printed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.huggingface import FOREIGN_ERRORS, TransformersBackend

GREEDY = GenerationParams(temperature=0.0, max_tokens=8)


def text_of(backend: TransformersBackend, prompt="你好") -> str:
    return "".join(piece.text for piece in backend.generate(prompt, GREEDY))


class TestForeignErrors:
    @pytest.mark.parametrize("foreign", FOREIGN_ERRORS)
    def test_each_becomes_ours_keeps_its_cause_and_leaves_the_model_usable(
        self, random_transformers: TransformersBackend, monkeypatch, foreign: type[Exception]
    ) -> None:
        expected = text_of(random_transformers)

        def broken(*_args, **_options):
            raise foreign("out of luck")

        with monkeypatch.context() as patch:
            patch.setattr(random_transformers._model._loaded.network, "forward", broken)
            with pytest.raises(GenerationError, match=r"transformers failed on .*out of luck") as caught:
                text_of(random_transformers, "另一个问题")
        assert isinstance(caught.value.__cause__, foreign)
        assert text_of(random_transformers) == expected

    def test_a_closed_model_says_so(self, random_folder: Path) -> None:
        backend = TransformersBackend(random_folder, model_name="tiny")
        backend.close()
        backend.close()
        with pytest.raises(GenerationError, match="'tiny' is closed"):
            text_of(backend)


SILENT = """
import sys, warnings
warnings.simplefilter("error")
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.errors import ModelLoadError
assert not {"torch", "transformers"} & set(sys.modules)
backend = TransformersBackend(sys.argv[1], context_window=256)
for _ in backend.generate("你好", GenerationParams(max_tokens=4)):
    pass
backend.close()
try:
    TransformersBackend(sys.argv[2])
except ModelLoadError:
    pass
left_open = TransformersBackend(sys.argv[1])
"""


def test_nothing_is_printed_and_nothing_warns(random_folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(random_folder, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    command = [sys.executable, "-c", SILENT, str(random_folder), str(damaged)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
