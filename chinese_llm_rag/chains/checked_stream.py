"""An answer as it is generated, checked sentence by sentence before the reader takes it for one. Pure.

Nothing is shown before the first sentence that the evidence bears out: an answer without any support is never
shown as one. From then on text passes as it comes; a strict stream goes on showing whole sentences only, and
leaves out those without support.
"""

import re
from dataclasses import dataclass, replace

from chinese_llm_rag.chinese_text import iter_sentences, normalize, search_terms
from chinese_llm_rag.citations import SentenceChecker
from chinese_llm_rag.language import say
from chinese_llm_rag.prompts import REFUSAL
from chinese_llm_rag.schema import AnswerSentence

MIN_COVERAGE = 0.3  # share of a sentence's words in the evidence below which it is not even shown with a mark
_REFUSAL_STEM = REFUSAL.rstrip("。")
_MOST_REPEATS = 3  # of one sentence
_LOOP = re.compile(r"(.{1,40}?)\1{7,}\Z", re.DOTALL)
_LOOP_CHARS = 320


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended; `text` is what is still to be shown."""

    text: str
    sentences: tuple[AnswerSentence, ...] = ()
    removed: tuple[AnswerSentence, ...] = ()
    withheld: str = ""
    refused: bool = False
    reason: str | None = None


class CheckedStream:
    """Takes pieces of an answer, gives what may be shown of it.

    Args:
        checker: of the evidence.
        question: an answer that only repeats it is none.
        evidence: the text the model read. What stands in it is a quotation: a document that says that the
            documents do not say does not make the chain refuse.
        strict: whether sentences without support are left out.
    """

    def __init__(self, checker: SentenceChecker, question: str, evidence: str, *, strict: bool = False) -> None:
        self._checker = checker
        self._question = question
        self._quotable = _REFUSAL_STEM in evidence
        self._strict = strict
        self._said = ""
        self._n_checked = 0  # characters of what was said
        self._n_shown = 0
        self._kept = ""  # what a strict stream has shown
        self._sentences: list[AnswerSentence] = []
        self._removed: list[AnswerSentence] = []
        self._times: dict[str, int] = {}
        self.looping = False

    @property
    def said(self) -> str:
        """All that came, without white space before it."""
        return self._said

    def feed(self, text: str, *, show: bool = True) -> str:
        """Take a piece; what may be shown now, which is nothing unless `show`."""
        self._said += text if self._said else text.lstrip()
        pending = self._said[self._n_checked :]
        spans = list(iter_sentences(pending))
        if len(spans) > 1:
            self._check(pending[: spans[-2].end])
        self.looping = self.looping or bool(_LOOP.search(self._said[-_LOOP_CHARS:]))
        return self._due() if show else ""

    def end(self) -> Outcome:
        """The end of the answer."""
        self._check(self._said[self._n_checked :])
        shown = self._n_shown > 0
        if not shown and not any(s.supported for s in self._sentences) and self._is_refusal():
            reason = say("the model found no answer in the passages", "模型没有在段落中找到答案")
            return Outcome(self._said if self._said.strip() else REFUSAL, refused=True, reason=reason)
        sentences, removed = tuple(self._sentences), tuple(self._removed)
        if not any(sentence.supported for sentence in sentences):
            if self._strict or not self._plausible():
                return Outcome(
                    REFUSAL,
                    removed=(*removed, *sentences),
                    withheld=self._said,
                    refused=True,
                    reason=_unsupported((*removed, *sentences)),
                )
            self._n_shown = len(self._said)
            return Outcome(self._said, sentences, reason=self._note())
        return Outcome(self._due(), sentences, removed, reason=self._note())

    def _check(self, text: str) -> None:
        """Check whole sentences, which come next."""
        for sentence in self._checker.check(text, self._n_checked):
            if self._strict and not sentence.supported:
                self._removed.append(sentence)
            else:
                self._sentences.append(self._moved(sentence) if self._strict else sentence)
            key = normalize(sentence.text)
            self._times[key] = self._times.get(key, 0) + 1
            self.looping = self.looping or self._times[key] > _MOST_REPEATS
        self._n_checked += len(text)

    def _moved(self, sentence: AnswerSentence) -> AnswerSentence:
        """The sentence where it stands among those that are kept."""
        start = len(self._kept)
        self._kept += sentence.text
        return replace(sentence, start=start, end=len(self._kept))

    def _due(self) -> str:
        """What may be shown and was not yet."""
        if self._strict:
            text = self._kept[self._n_shown :]
            self._n_shown = len(self._kept)
            return text
        if self._n_shown == 0 and not any(sentence.supported for sentence in self._sentences):
            return ""
        text = self._said[self._n_shown :]
        self._n_shown = len(self._said)
        return text

    def _is_refusal(self) -> bool:
        said = self._said.strip()
        refuses = said.startswith(_REFUSAL_STEM) and not self._quotable
        return not said or refuses or search_terms(said) == search_terms(self._question)

    def _plausible(self) -> bool:
        """Whether some of it is near enough to the evidence to be shown, marked."""
        doubts = any(sentence.unfound or sentence.contradicted_by for sentence in self._sentences)
        return not doubts and any(sentence.coverage >= MIN_COVERAGE for sentence in self._sentences)

    def _note(self) -> str | None:
        if not self.looping:
            return None
        return say("the model repeated itself and was stopped", "模型重复自己的话，已被停止")


def _unsupported(sentences: tuple[AnswerSentence, ...]) -> str:
    unfound = "、".join(dict.fromkeys(word for sentence in sentences for word in sentence.unfound))
    if any(sentence.contradicted_by for sentence in sentences):
        return say("the passages say otherwise than the model", "段落的说法与模型的回答不一致")
    if unfound:
        return say(f"the passages do not hold what the model said: {unfound}", f"段落中没有模型所说的：{unfound}")
    return say("no passage bears out what the model said", "没有段落支持模型的回答")
