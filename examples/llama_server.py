"""Ask a Chinese-Alpaca-2 model on a server: llama-server or vLLM, in this house or on this machine.

Start one first, with the model's full window (this script starts nothing):

    llama-server -m chinese-alpaca-2-7b.Q4_K_M.gguf -c 4096 -np 1 --port 8080
    vllm serve hfl/chinese-alpaca-2-7b --port 8080

Then:

    python examples/llama_server.py --base-url http://127.0.0.1:8080
    python examples/llama_server.py --base-url http://127.0.0.1:8080 什么是月食？ 什么是潮汐？

The server's model and window are read from it. The family's prompt format is written here and sent as token ids, so
a question that spells </s> asks about </s>.
"""

import argparse

from chinese_llm_rag import ChatChineseAlpaca


def main() -> None:
    """Say what the server has, then answer each question piece by piece."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=["用一句话解释彩虹。"])
    parser.add_argument("--base-url", required=True, help="for example http://127.0.0.1:8080")
    parser.add_argument("--api-key", help="if the server wants one")
    parser.add_argument("--model", help="if the server has several")
    parser.add_argument("--max-tokens", type=int, default=200)
    arguments = parser.parse_args()

    model = ChatChineseAlpaca.from_server(
        arguments.base_url,
        backend_options={"model": arguments.model, "api_key": arguments.api_key},
        chat_template="alpaca2",
        max_tokens=arguments.max_tokens,
        seed=1,
    )
    print(f"{model.model_name}, {model.context_window} tokens")
    for question in arguments.questions:
        print(f"{question}: ", end="")
        usage = None
        for piece in model.stream(question):
            print(piece.text, end="|", flush=True)
            usage = piece.usage_metadata or usage
        print(f"\nusage: {usage}")


if __name__ == "__main__":
    main()
