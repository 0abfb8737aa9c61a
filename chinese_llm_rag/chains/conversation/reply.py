"""What a conversation answers: an Answer, and how the question was understood."""

from dataclasses import dataclass, field
from typing import Any, Literal

from chinese_llm_rag.chains.conversation.leaning import Leaning
from chinese_llm_rag.schema import Answer

RewrittenBy = Literal["rules", "model"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in a conversation, or a piece of one while it streams.

    Pieces add up as those of an Answer do. `question` is as it was asked, `query` as it stands by itself, which is
    what the documents are asked; `queries` are all that were searched. `rewritten_by` is None where the question
    stood by itself already.
    """

    question: str = ""
    query: str = ""
    queries: tuple[str, ...] = ()
    leaning: Leaning | None = None
    rewritten_by: RewrittenBy | None = None
    answer: Answer = field(default_factory=Answer)

    def __add__(self, other: "Reply") -> "Reply":
        return Reply(
            question=self.question or other.question,
            query=self.query or other.query,
            queries=self.queries or other.queries,
            leaning=self.leaning or other.leaning,
            rewritten_by=self.rewritten_by or other.rewritten_by,
            answer=self.answer + other.answer,
        )

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.answer.text

    def to_dict(self) -> dict[str, Any]:
        """The form in which a reply is stored and printed as JSON."""
        return {
            "question": self.question,
            "query": self.query,
            "queries": list(self.queries),
            "leaning": self.leaning,
            "rewritten_by": self.rewritten_by,
            "answer": self.answer.to_dict(),
        }
