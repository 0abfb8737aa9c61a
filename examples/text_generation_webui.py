r"""Chinese-Alpaca-2 in text-generation-webui: the instruction template it needs, and questions through its API.

The template goes into its folder of instruction templates; without a folder it is printed:

    python examples/text_generation_webui.py --write-template text-generation-webui/user_data/instruction-templates

Then load the model in it (with --api, and a context length of 4096), choose the template Chinese-Alpaca-2 on its
Parameters page, and ask:

    python examples/text_generation_webui.py --base-url http://127.0.0.1:5000 --context-window 4096 什么是月食？
    python examples/text_generation_webui.py --base-url http://127.0.0.1:5000 --context-window 4096 --server-renders

Without --server-renders the prompt is written here, and the chosen template does not matter. The server does not tell
its window, so it is given; a larger one than the server has would let it cut prompts.
"""

import argparse
from pathlib import Path

from chinese_llm_rag import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.chat_template import DEFAULT_SYSTEM_PROMPT
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.server import ServerBackend

# A YAML file with one key. The server puts the first <s> itself, and drops the space before an answer.
TEMPLATE = """\
instruction_template: |-
  {%- set ns = namespace(system='DEFAULT', first=true) -%}
  {%- for message in messages -%}
      {%- if message['role'] == 'system' -%}
          {%- set ns.system = message['content'] -%}
      {%- elif message['role'] == 'user' -%}
          {%- if ns.first -%}
              {{- '[INST] <<SYS>>\\n' + ns.system + '\\n<</SYS>>\\n\\n' + message['content'] + ' [/INST]' -}}
              {%- set ns.first = false -%}
          {%- else -%}
              {{- '<s>[INST] ' + message['content'] + ' [/INST]' -}}
          {%- endif -%}
      {%- elif message['role'] == 'assistant' -%}
          {{- ' ' + message['content'] + '</s>' -}}
      {%- endif -%}
  {%- endfor -%}
""".replace("DEFAULT", DEFAULT_SYSTEM_PROMPT)


def main() -> None:
    """Print or write the template, or ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="*", default=["用一句话解释彩虹。"])
    parser.add_argument("--write-template", type=Path, metavar="FOLDER", help="write Chinese-Alpaca-2.yaml there")
    parser.add_argument("--base-url", help="for example http://127.0.0.1:5000")
    parser.add_argument("--api-key", help="if the server wants one")
    parser.add_argument("--context-window", type=int, help="the context length it was started with")
    parser.add_argument("--server-renders", action="store_true", help="by its chosen instruction template")
    parser.add_argument("--max-tokens", type=int, default=200)
    arguments = parser.parse_args()

    if arguments.write_template is not None:
        path = arguments.write_template / "Chinese-Alpaca-2.yaml"
        path.write_text(TEMPLATE, encoding="utf-8")
        print(path)
    elif arguments.base_url is None:
        print(TEMPLATE, end="")
    else:
        backend = ServerBackend(arguments.base_url, api_key=arguments.api_key, context_window=arguments.context_window)
        ask = ask_by_the_servers_template if arguments.server_renders else ask_by_ours
        for question in arguments.questions:
            print(f"{question}: {ask(backend, question, arguments.max_tokens)}")
        backend.close()


def ask_by_ours(backend: ServerBackend, question: str, max_tokens: int) -> str:
    """The answer to a prompt that is written here."""
    model = ChatChineseAlpaca(backend=backend, chat_template="alpaca2", max_tokens=max_tokens, seed=1)
    return model.invoke(question).text


def ask_by_the_servers_template(backend: ServerBackend, question: str, max_tokens: int) -> str:
    """The answer to a prompt that the server makes."""
    params = GenerationParams(max_tokens=max_tokens, seed=1)
    return "".join(piece.text for piece in backend.generate_turns([Turn("user", question)], params))


if __name__ == "__main__":
    main()
