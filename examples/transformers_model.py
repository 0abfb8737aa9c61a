"""A Hugging Face folder as a LangChain chat model, with LoRA adapters if there are any.

    python examples/transformers_model.py chinese-alpaca-2-1.3b
    python examples/transformers_model.py Llama-2-7b-hf --lora chinese-alpaca-2-lora-7b 月食 潮汐

Needs the `hf` extra. The model is a folder, or a hub name that is in the local cache; nothing is downloaded, and no
code that comes with it is run. Tokens are exactly sentencepiece's. What the base lacks (the 55,296 pieces of the
family's vocabulary) comes with the adapter.
"""

import argparse

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from chinese_llm_rag import ChatChineseAlpaca

PROMPT = ChatPromptTemplate([("system", "请用小学生能懂的话回答。"), ("human", "请用一句话解释：{term}")])


def main() -> None:
    """Explain each term, piece by piece, and say how the model was loaded."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", help="a folder or a hub name in the local cache")
    parser.add_argument("terms", nargs="*", default=["彩虹"])
    parser.add_argument("--lora", action="append", default=[], help="folder of a LoRA adapter; may be repeated")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--quantization", help="int8 or nf4; int4 on a GPU")
    parser.add_argument("--max-tokens", type=int, default=200)
    arguments = parser.parse_intermixed_args()
    options = {"dtype": arguments.dtype, "quantization": arguments.quantization, "lora": arguments.lora}
    model = ChatChineseAlpaca.from_pretrained(
        arguments.model, backend_options=options, max_tokens=arguments.max_tokens, seed=1
    )
    print(f"{model.model_name}: window {model.backend.context_window}, rope {model.backend.rope}")

    chain = PROMPT | model | StrOutputParser()
    for term in arguments.terms:
        print(f"{term}: ", end="")
        for piece in chain.stream({"term": term}):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    main()
