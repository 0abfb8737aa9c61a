"""How much one client, and all of them together, may ask for."""

from dataclasses import dataclass

from chinese_llm_rag.settings import Settings

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the controller and of what stands over it.

    Attributes:
        max_upload_bytes: of one document.
        max_body_bytes: of any other request.
        max_waiting: requests that wait for the model.
        max_waiting_of_one: of one client.
        wait_s: that one waits for its turn.
        answer_s: that one answer takes.
        stall_s: that a client may take to send, or to read, the next piece.
        n_searches: at a time.
        max_waiting_searches: that wait.
        max_texts: to embed in one request.
    """

    max_upload_bytes: int = 200 * MIB
    max_body_bytes: int = 4 * MIB
    max_waiting: int = 64
    max_waiting_of_one: int = 48
    wait_s: float = 300.0
    answer_s: float = 600.0
    stall_s: float = 30.0
    n_searches: int = 2
    max_waiting_searches: int = 256
    max_texts: int = 2048

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings name; the others as they are."""
        return cls(
            max_upload_bytes=settings.serve_max_upload_mib * MIB,
            max_waiting=settings.serve_max_waiting,
            max_waiting_of_one=max(1, settings.serve_max_waiting * 3 // 4),
            answer_s=settings.serve_answer_s,
        )
