"""Pictures of pages -> lines of text, by RapidOCR, whose models come in its package. Nothing is downloaded."""

import importlib.util
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, thread_budget
from chinese_llm_rag.offline import forbid_calling_home

Engine: TypeAlias = Any  # RapidOCR, which has no types
_MIN_SCORE = 0.5  # the recognizer's own measure, 0..1; below it the line is guessed


@dataclass(frozen=True, slots=True)
class RecognizedLine:
    """A line of text in a picture; the box in pixels from the picture's top left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


class PageRecognizer(Protocol):
    """What reads the picture of a page."""

    def recognize(self, picture: NDArray[np.uint8]) -> list[RecognizedLine]:
        """The lines in a picture [height, width, 3], in no particular order."""
        ...


def find_recognizer() -> PageRecognizer | None:
    """The recognizer of the `ocr` extra, or None where it is not installed. Its models load when first used."""
    if importlib.util.find_spec("rapidocr") is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    return _rapid_ocr()


@cache
def _rapid_ocr() -> "RapidOcrRecognizer":
    return RapidOcrRecognizer()


class RapidOcrRecognizer:
    """PP-OCR by RapidOCR on the CPU; one page at a time."""

    def __init__(self, *, n_threads: int | None = None) -> None:
        self._n_threads = n_threads
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def recognize(self, picture: NDArray[np.uint8]) -> list[RecognizedLine]:
        """The lines that were read with some certainty.

        Raises:
            MissingDependencyError: the `ocr` extra is not installed.
        """
        with self._lock, compute_slot():
            if self._engine is None:
                self._engine = self._load()
            result = self._engine(np.ascontiguousarray(picture[:, :, ::-1]))  # it wants BGR
        if result.boxes is None or result.txts is None:
            return []
        return [
            RecognizedLine(text, *(float(v) for v in box.min(axis=0)), *(float(v) for v in box.max(axis=0)))
            for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True)
            if score >= _MIN_SCORE and text.strip()
        ]

    def _load(self) -> Engine:
        forbid_calling_home()
        rapidocr = optional_import("rapidocr", extra="ocr")
        threads = thread_budget(self._n_threads)
        return rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
