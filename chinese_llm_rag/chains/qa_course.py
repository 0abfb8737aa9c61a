"""The course of question answering: retrieve, gate, pack, generate, check. Runs by chains.effects.

The gate speaks before the model is built, so that a question without evidence costs no loading. Without any
model the best supported sentences of the passages are the answer.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langchain_core.documents import BaseDocumentCompressor, Document

from chinese_llm_rag.chains.asked import Asked
from chinese_llm_rag.chains.checked_stream import CheckedStream, Outcome
from chinese_llm_rag.chains.effects import Begin, Course, Effect, Emit, NextPiece, Retrieve, Stage
from chinese_llm_rag.chains.exchange import Exchange
from chinese_llm_rag.chains.model_room import PromptText
from chinese_llm_rag.chains.qa_model import AskedModel
from chinese_llm_rag.chains.qa_readings import merged, readings
from chinese_llm_rag.citations import SentenceChecker, extract
from chinese_llm_rag.evidence import EvidenceCheck, check_evidence
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Order, Plan, format_context, passages_of, plan, portions
from chinese_llm_rag.prompts import REFUSAL
from chinese_llm_rag.schema import Answer, PackedContext, Passage

# Of the words that were not found, when a refusal names them: how many, and how many characters of each.
_MOST_SHOWN, _LONGEST_SHOWN = 8, 30


@dataclass(frozen=True, slots=True)
class QACourse:
    """What does not change from question to question."""

    model: Callable[[], AskedModel] | None
    loaded: Callable[[], bool]
    strategy: str
    max_passages: int | None
    min_coverage: float
    order: Order
    wider: tuple[BaseDocumentCompressor, ...]
    strict: bool

    def of(self, asked: Asked) -> Course:
        """The course of one question."""
        if self.model is not None and self.strategy != "extractive" and self.loaded():
            self.model().require_room(asked)
        found = yield Retrieve(asked.queries)
        documents = merged(found)[: self.max_passages]
        passages = passages_of(documents)
        check = yield Stage("gate", self._gate, {"question": asked.question, "passages": passages})
        if not check.sufficient:
            yield Emit(_refusal(check, passages))
        elif self.model is None or self.strategy == "extractive":
            yield from self._extractive(asked, passages)
        else:
            yield from self._generated(asked, documents, self.model())

    def _gate(self, given: dict[str, Any]) -> EvidenceCheck:
        texts = [passage.with_context for passage in given["passages"]]
        return check_evidence(given["question"], texts, min_coverage=self.min_coverage)

    # --- without a model ------------------------------------------------------------------------

    def _extractive(self, asked: Asked, passages: list[Passage]) -> Course:
        numbered = _numbered(passages)
        most = 2 if asked.detail == "short" else 6
        text = yield Stage("extract", lambda given: extract(asked.question, given, most=most), numbered)
        sentences = yield Stage("check", lambda given: _quotations(given, numbered, asked.question), text)
        yield Emit(Answer(text=text))
        yield Emit(Answer(sentences=sentences, passages=numbered, strategy="extractive"))

    # --- with one -------------------------------------------------------------------------------

    def _generated(self, asked: Asked, documents: list[Document], model: AskedModel) -> Course:
        if self.strategy in ("auto", "stuff"):
            packed: Plan[Exchange] = yield Stage("pack", partial(self._plan, asked, model), documents)
            if self.strategy == "stuff" or not packed.context.dropped:
                yield from self._stuff(asked, packed, model)
                return
        strategy = self.strategy
        if strategy == "auto":
            strategy = "refine" if asked.detail == "detailed" and model.style.refine else "map_rerank"
        passages = passages_of(documents)
        if strategy == "refine":
            yield from self._refine(asked, passages, model)
        else:
            yield from self._map_rerank(asked, passages, model)

    def _plan(self, asked: Asked, model: AskedModel, documents: list[Document]) -> Plan[Exchange]:
        wider = () if model.style.extracts else self.wider
        return plan(
            model.window,
            lambda passages, turns: model.count(model.prompt(asked, passages, turns)),
            readings(documents, wider, asked.question),
            asked.history,
            order="rank" if model.style.extracts else self.order,
            question=asked.question,
        )

    def _stuff(self, asked: Asked, packed: Plan[Exchange], model: AskedModel) -> Course:
        context = packed.context
        prompt = model.prompt(asked, context.passages, packed.history)
        stream = self._stream(asked, context.passages)
        usage = yield from _generate(model, prompt, stream, show=True)
        outcome = yield Stage("check", partial(_ended, stream), stream.said)
        last = _last(outcome, context.passages, context.dropped, usage, "stuff")
        yield Emit(replace(last, turns_dropped=packed.turns_dropped))

    def _refine(self, asked: Asked, passages: list[Passage], model: AskedModel) -> Course:
        """Portion after portion, each as large as the window allows beside the answer so far."""
        read: tuple[Passage, ...] = ()
        answer: str | None = None
        usage: dict[str, int] = {}
        stream = None
        left = passages
        while left:
            context = yield Stage("pack", partial(self._portion, asked, answer, model), left)
            if context is None:  # the answer so far leaves no room for more
                break
            left = list(context.dropped)
            read = _numbered([*read, *context.passages])
            prompt = model.refine(asked, context.passages, answer)
            stream = self._stream(asked, read)
            used = yield from _generate(model, prompt, stream, show=not left, alone=True)
            usage = _added(usage, used)
            answer = stream.said.strip() or answer
        assert stream is not None
        outcome = yield Stage("check", partial(_ended, stream), stream.said)
        last = _last(outcome, read, tuple(left), usage, "refine")
        yield Emit(replace(last, turns_dropped=len(asked.history)))

    def _portion(
        self, asked: Asked, answer: str | None, model: AskedModel, left: list[Passage]
    ) -> PackedContext | None:
        """The next passages that fit beside the answer so far; what is left of them is "dropped"."""

        def measure(passages: Sequence[Passage]) -> int:
            return model.count(model.refine(asked, passages, answer))

        if measure(()) > model.window.budget:
            if answer is None:
                raise model.window.too_long(measure(()))
            return None
        first, *others = portions(model.window, measure, left, order=self.order)
        rest = tuple(passage for context in others for passage in context.passages)
        return replace(first, dropped=rest)

    def _map_rerank(self, asked: Asked, passages: list[Passage], model: AskedModel) -> Course:
        """Each portion is asked by itself; the answer that its evidence bears out best is given."""
        contexts = yield Stage("pack", partial(self._portions, asked, model), passages)
        usage: dict[str, int] = {}
        answers: list[tuple[tuple[float, ...], Outcome]] = []
        read: tuple[Passage, ...] = ()
        for context in contexts:
            numbers = range(len(read), len(read) + len(context.passages))
            read = _numbered([*read, *context.passages])
            checker = SentenceChecker([read[number] for number in numbers], asked.question)
            stream = self._stream(asked, context.passages, checker)
            used = yield from _generate(model, model.prompt(asked, context.passages, ()), stream, show=False)
            usage = _added(usage, used)
            outcome = yield Stage("check", partial(_ended, stream), stream.said)
            answers.append((_worth(outcome, checker, len(answers)), outcome))
        _, best = max(answers, key=lambda answer: answer[0])
        last = _last(best, read, (), usage, "map_rerank")
        yield Emit(replace(last, turns_dropped=len(asked.history)))

    def _portions(self, asked: Asked, model: AskedModel, passages: list[Passage]) -> list[PackedContext]:
        return portions(
            model.window,
            lambda chosen: model.count(model.prompt(asked, chosen, ())),
            passages,
            order=self.order,
            most=1 if model.style.extracts else None,
        )

    def _stream(
        self, asked: Asked, passages: Sequence[Passage], checker: SentenceChecker | None = None
    ) -> CheckedStream:
        checker = checker or SentenceChecker(passages, asked.question)
        return CheckedStream(checker, asked.question, format_context(passages), strict=self.strict)


def _generate(
    model: AskedModel, prompt: PromptText, stream: CheckedStream, *, show: bool, alone: bool = False
) -> Generator[Effect, Any, dict[str, int]]:
    """Read an answer into a stream, which stops a model that repeats itself; the tokens it used."""
    yield Begin(model.llm, prompt, model.style.stop, alone)
    usage: dict[str, int] = {}
    while (piece := (yield NextPiece())) is not None:
        usage = _added(usage, getattr(piece, "usage_metadata", None) or {})
        if text := stream.feed(piece if isinstance(piece, str) else str(piece.text), show=show):
            yield Emit(Answer(text=text))
        if stream.looping:
            break
    return usage


def _ended(stream: CheckedStream, _said: str) -> Outcome:
    """The end of a stream; what was said is the stage's input."""
    return stream.end()


def _added(usage: dict[str, int], more: Any) -> dict[str, int]:  # noqa: ANN401  # UsageMetadata, or a dict like it
    counts = {key: count for key, count in more.items() if isinstance(count, int)}
    return usage | {key: usage.get(key, 0) + count for key, count in counts.items()}


def _worth(outcome: Outcome, checker: SentenceChecker, rank: int) -> tuple[float, ...]:
    """How well an answer is borne out: answered, supported, on the topic of the question, by a good passage."""
    supported = [sentence for sentence in outcome.sentences if sentence.supported]
    share = len(supported) / len(outcome.sentences) if outcome.sentences else 0.0
    topic = max((checker.relevance(c) for s in supported for c in s.citations), default=0.0)
    return (float(not outcome.refused), float(bool(supported)), share, round(topic, 1), -rank)


def _quotations(text: str, passages: Sequence[Passage], question: str) -> Any:  # noqa: ANN401
    return tuple(SentenceChecker(passages, question).check(text))


def _numbered(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    return tuple(replace(passage, number=number) for number, passage in enumerate(passages, 1))


def _last(
    outcome: Outcome, read: tuple[Passage, ...], dropped: tuple[Passage, ...], usage: dict[str, int], strategy: str
) -> Answer:
    """The piece that closes a stream."""
    return Answer(
        text=outcome.text,
        sentences=outcome.sentences,
        passages=read,
        dropped=dropped,
        refused=outcome.refused,
        reason=outcome.reason,
        usage=usage,
        strategy=strategy,
        withheld=outcome.withheld,
        removed=outcome.removed,
    )


def _refusal(check: EvidenceCheck, passages: list[Passage]) -> Answer:
    return Answer(text=REFUSAL, passages=_numbered(passages), refused=True, reason=_reason(check, found=bool(passages)))


def _reason(check: EvidenceCheck, *, found: bool) -> str:
    """Why the evidence does not suffice, for the user."""
    if not found:
        return say("no passage was found", "没有检索到任何段落")
    if not check.missing:
        return say("the question names nothing to look for", "问题中没有可供检索的内容")
    missing = "、".join(
        word if len(word) <= _LONGEST_SHOWN else f"{word[:_LONGEST_SHOWN]}…" for word in check.missing[:_MOST_SHOWN]
    )
    return say(f"the passages found do not hold: {missing}", f"检索到的段落不包含：{missing}")
