"""What a request may say about how text is made; what it leaves open is as the model is set up."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Sampling:
    """Parameters of one request, by the names of GenerationParams."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    logprobs: int | None = None
    json_schema: str | None = None

    def given(self) -> dict[str, Any]:
        """Those that the request says."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What a request may say about a question beside sampling.

    Attributes:
        k: passages to find.
        mode: of searching.
        stop: strings at which the answer ends.
        history: earlier questions with their answers, oldest first, which a question may lean on.
    """

    k: int | None = None
    mode: str | None = None
    stop: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryWish:
    """How a summary is to be; `extractive` quotes the most telling sentences, without a model."""

    n_chars: int = 400
    form: Literal["paragraph", "bullets"] = "paragraph"
    focus: str = ""
    extractive: bool = False


AS_SET_UP = Sampling()
USUAL = AskOptions()
