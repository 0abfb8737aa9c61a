"""How well the check of answers does, with references and planted facts in place of a model.

    python benchmarks/checker.py --data FOLDER [--questions 200] [--show]

FOLDER has the sets dragonball_finance_zh and rgb_zh_fact, each with docs.jsonl and queries.jsonl. Printed, with
the numbers of questions:

- citations of the references of dragonball_finance_zh against its evidence sentences: precision is the share of
  cited sentences that are evidence, recall the share of evidence sentences that are cited, both over all;
- altered facts: one number, date or amount of a reference is changed; caught means that its sentence is marked.
  False alarms are the references' own sentences that are marked for a fact;
- the false answers of rgb_zh_fact, each with the passages that say otherwise: the share shown as contradicted; and the
  true answers with the same passages.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from question_sets import Set, load_set, sample

from chinese_llm_rag.chinese_facts import Fact, find_facts
from chinese_llm_rag.citations import cite
from chinese_llm_rag.evaluation.statistics import estimate
from chinese_llm_rag.packing import passages_of
from chinese_llm_rag.schema import AnswerSentence, Citation, Passage
from chinese_llm_rag.text_splitters import ChineseTextSplitter


@dataclass(frozen=True)
class Row:
    """A question with its documents."""

    question: dict[str, Any]
    texts: tuple[tuple[str, str], ...]  # document id, text

    def passages(self) -> list[Passage]:
        """The documents cut into chunks, numbered."""
        return [replace(passage, number=number) for number, passage in enumerate(_chunks(self.texts), 1)]


@cache
def _chunks(texts: tuple[tuple[str, str], ...]) -> list[Passage]:
    return passages_of(ChineseTextSplitter().split_documents(Set(dict(texts), []).pages()))


def rows(folder: Path) -> list[Row]:
    data = load_set(folder)
    return [Row(row, tuple((i, data.texts[i]) for i in row["doc_ids"])) for row in data.questions]


# --- citations ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cited:
    """Of one reference: cited sentences, those that are evidence, evidence sentences, those that are cited."""

    n_cited: int
    n_right: int
    n_evidence: int
    n_found: int


def cited(row: Row) -> Cited:
    """What the citations of a reference are worth."""
    where = _evidence_spans(row)
    sentences = cite(row.question["answers"][0], row.passages(), row.question["question"])
    places = {(c.source, c.start, c.end): c for s in sentences for c in s.citations}.values()
    return Cited(
        len(places),
        sum(any(_overlap(c, *span) for span in where) for c in places),
        len(where),
        sum(any(_overlap(c, *span) for c in places) for span in where),
    )


def precision_and_recall(figures: Sequence[Cited]) -> tuple[float, float]:
    """Over all citations and all evidence sentences."""
    right, found = sum(f.n_right for f in figures), sum(f.n_found for f in figures)
    return right / sum(f.n_cited for f in figures), found / sum(f.n_evidence for f in figures)


def _evidence_spans(row: Row) -> list[tuple[str, int, int]]:
    spans = []
    for evidence in row.question["evidence"]:
        for doc_id, text in row.texts:
            start = text.find(evidence)
            if start >= 0:
                spans.append((doc_id, start, start + len(evidence)))
    return spans


def _overlap(citation: Citation, source: str, start: int, end: int) -> bool:
    return citation.source == source and citation.start < end and start < citation.end


# --- altered facts --------------------------------------------------------------------------------


def altered(text: str, seed: int) -> Iterator[tuple[str, Fact]]:
    """The text with one of its numbers, dates or amounts changed; each in turn."""
    chance = random.Random(seed)
    for fact in find_facts(text):
        if fact.kind in ("name", "ordinal"):
            continue
        said = text[fact.span.start : fact.span.end]
        places = [i for i, character in enumerate(said) if character.isdecimal()]
        if not places:
            continue
        place = chance.choice(places)
        digit = chance.choice([d for d in "123456789" if d != said[place]])
        other = said[:place] + digit + said[place + 1 :]
        changed = text[: fact.span.start] + other + text[fact.span.end :]
        values = {(f.kind, f.value, f.unit) for f in find_facts(text)}
        new = [f for f in find_facts(changed) if (f.kind, f.value, f.unit) not in values]
        if new:  # else another written form of the same
            yield changed, new[0]


def fact_figures(asked: Sequence[Row]) -> tuple[list[float], list[float], list[str]]:
    """Of each altered fact whether it was caught, and of each sentence as it is whether it was marked."""
    caught: list[float] = []
    alarms: list[float] = []
    shown: list[str] = []
    for number, row in enumerate(asked):
        passages, question = row.passages(), row.question["question"]
        reference = row.question["answers"][0]
        for sentence in cite(reference, passages, question):
            alarms.append(float(_marked(sentence)))
            if alarms[-1]:
                shown.append(f"false alarm: {question} | {sentence.text} | {sentence.unfound}")
        for text, fact in altered(reference, number):
            hit = [s for s in cite(text, passages, question) if s.start <= fact.span.start < s.end]
            caught.append(float(any(_marked(s) for s in hit)))
            if not caught[-1]:
                shown.append(f"missed: {question} | {text} | {text[fact.span.start : fact.span.end]}")
    return caught, alarms, shown


def _marked(sentence: AnswerSentence) -> bool:
    return bool(sentence.unfound or (sentence.contradicted_by and not sentence.supported))


# --- false answers --------------------------------------------------------------------------------


def false_answers(asked: Sequence[Row]) -> tuple[list[float], list[float], list[str]]:
    """Of each false answer whether it is shown as contradicted; the same of each true answer."""
    contradicted: list[float] = []
    alarms: list[float] = []
    shown: list[str] = []
    for row in asked:
        passages, question = row.passages(), row.question["question"]
        for answers, found in ((row.question["fake_answers"], contradicted), (row.question["answers"], alarms)):
            sentences = cite(answers[0], passages, question)
            found.append(float(any(s.contradicted_by for s in sentences)))
            if found[-1] == (found is alarms):
                wrong = "contradicted though true" if found is alarms else "not contradicted"
                shown.append(f"{wrong}: {question} | {answers[0]}")
    return contradicted, alarms, shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200, help="of dragonball, seeded; 0 for all")
    parser.add_argument("--show", action="store_true", help="print what was not caught")
    options = parser.parse_args()
    known = [row for row in rows(options.data / "dragonball_finance_zh") if row.question["evidence"]]
    known = sample(known, options.questions)
    documents = sorted({row.texts[0][0] for row in known})
    halves = [[row for row in known if row.texts[0][0] in half] for half in (documents[::2], documents[1::2])]
    for number, part in enumerate(halves, 1):
        precision, recall = precision_and_recall([cited(row) for row in part])
        print(
            f"citations, half {number}: precision {precision:.4f}, recall {recall:.4f} ({len(part)} questions)",
            flush=True,
        )
        caught, alarms, shown = fact_figures(part)
        print(f"altered facts, half {number}: caught {_text(caught)}, false alarms {_text(alarms)}", flush=True)
        if options.show:
            print("\n".join(shown))
    contradicted, wrong, shown = false_answers(rows(options.data / "rgb_zh_fact"))
    print(f"rgb_zh_fact: false answers contradicted {_text(contradicted)}, true answers {_text(wrong)}")
    if options.show:
        print("\n".join(shown))


def _text(values: Sequence[float]) -> str:
    found = estimate(values)
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}] n={len(values)}"


if __name__ == "__main__":
    main()
