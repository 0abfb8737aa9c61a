"""A Chinese-Alpaca-2 model as a plain LangChain chat model: prompt | model, invoke and stream.

    python examples/chat_model.py chinese-alpaca-2-7b.Q4_K_M.gguf
    python examples/chat_model.py chinese-alpaca-2-7b.Q4_K_M.gguf 月食 潮汐

The family's prompt format is chosen by the model's vocabulary, any other chat model's is the one in its file; a
base model is refused. Nothing of this package but the model takes part.
"""

import argparse

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from chinese_llm_rag import ChatChineseAlpaca

PROMPT = ChatPromptTemplate([("system", "请用小学生能懂的话回答。"), ("human", "请用一句话解释：{term}")])


def main() -> None:
    """Explain each term: as a whole, with the tokens it took, then piece by piece."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model_path", help="a GGUF file")
    parser.add_argument("terms", nargs="*", default=["彩虹"])
    parser.add_argument("--max-tokens", type=int, default=200)
    arguments = parser.parse_args()
    model = ChatChineseAlpaca.from_gguf(arguments.model_path, max_tokens=arguments.max_tokens, seed=1)

    chain = PROMPT | model
    for term in arguments.terms:
        message = chain.invoke({"term": term})
        print(f"{term}: {message.text}")
        print(f"usage: {message.usage_metadata}, finish_reason: {message.response_metadata['finish_reason']}")
        for piece in (chain | StrOutputParser()).stream({"term": term}):
            print(piece, end="|", flush=True)
        print()


if __name__ == "__main__":
    main()
