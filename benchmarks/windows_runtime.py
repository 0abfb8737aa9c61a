"""No prompt is over the window of a real runtime: llama.cpp, the whole chain, windows of 2K to 16K tokens.

    python benchmarks/windows_runtime.py --data FOLDER [--questions 50] [--windows 2048 4096 16384]

windows.py has a stand-in speak in the model's place. Here llama.cpp itself reads every prompt and answers at length,
with the vocabulary of the model family and small random weights, so that prompts of 16K tokens take seconds: what is
asked is whether they fit, not what is said. The questions are spread over all sets, seeded. Exit status 1 when the
runtime refuses a prompt, or has no room left for the whole answer.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import sentencepiece
from llm_parity import load_small_models
from question_sets import Set, load_set, sample
from sentencepiece import sentencepiece_model_pb2
from windows import MAX_TOKENS, TOKENS_A_PASSAGE

from chinese_llm_rag.chains import build_qa_chain
from chinese_llm_rag.errors import ContextWindowExceededError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.text_splitters import ChineseTextSplitter


def small_family_model(path: Path, tokenizer: Path, window: int) -> Path:
    """A GGUF file with the family's vocabulary over one narrow layer."""
    small_models = load_small_models()
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(tokenizer.read_bytes())
    vocabulary = small_models.SmallVocabulary(
        pieces=[piece.piece for piece in proto.pieces],
        scores=[piece.score for piece in proto.pieces],
        types=[piece.type for piece in proto.pieces],
        processor=sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString()),
    )
    shape = {"width": 16, "heads": 2, "layers": 1, "context_length": window}
    return small_models.write_gguf(path, vocabulary, small_models.random_weights(1), **shape)


def spread(sets: list[Set], n: int) -> list[tuple[Set, list[str]]]:
    """`n` questions, of each set as many as of the others, or one more."""
    counts = [n // len(sets) + (place < n % len(sets)) for place in range(len(sets))]
    return [
        (one, [row["question"] for row in sample(one.questions, count)])
        for one, count in zip(sets, counts, strict=True)
        if count
    ]


def overflows(backend: LlamaCppBackend, asked: list[tuple[Set, list[str]]]) -> tuple[int, list[float]]:
    """Prompts refused, and of each question the share of the window that prompt and answer's room took."""
    window = backend.context_window
    model = ChatChineseAlpaca(backend=backend, max_tokens=MAX_TOKENS, chat_template="alpaca2")
    k = max(8, 2 * window // TOKENS_A_PASSAGE)
    n_over, shares = 0, []
    for data, questions in asked:
        retriever = BM25Retriever.from_documents(ChineseTextSplitter().split_documents(data.pages()), k=k)
        chain = build_qa_chain(retriever, model, strategy="stuff", min_coverage=0.0)
        for question in questions:
            [prompt] = chain.prompts(question)
            shares.append((prompt.n_tokens + MAX_TOKENS) / window)
            try:
                chain.invoke(question)
            except ContextWindowExceededError as error:
                n_over += 1
                print(f"over: {error}: {question}", file=sys.stderr)
    return n_over + sum(share > 1 for share in shares), shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.model; by default FOLDER/../tokenizer's")
    parser.add_argument("--questions", type=int, default=50, help="a window, seeded, over all sets")
    parser.add_argument("--windows", type=int, nargs="+", default=[2048, 4096, 16384])
    options = parser.parse_args()
    tokenizer = options.tokenizer or options.data.parent / "tokenizer" / "tokenizer.model"
    sets = [load_set(folder.parent) for folder in sorted(options.data.glob("*/queries.jsonl"))]
    asked = spread([one for one in sets if one.questions], options.questions)
    n_over = 0
    with tempfile.TemporaryDirectory() as folder:
        for window in options.windows:
            path = small_family_model(Path(folder) / f"{window}.gguf", tokenizer, window)
            backend = LlamaCppBackend(path, context_window=window)
            over, shares = overflows(backend, asked)
            backend.close()
            n_over += over
            print(
                f"window {window}: {len(shares)} prompts read by llama.cpp, {over} over; filled: "
                f"mean {statistics.mean(shares):.2f}, most {max(shares):.4f}",
                flush=True,
            )
    sys.exit(n_over > 0)


if __name__ == "__main__":
    main()
