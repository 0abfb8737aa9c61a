"""The examples for servers: the instruction template equals the family's format, and both ask a real server."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import jinja2.sandbox
import pytest
import yaml

from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn

ROOT = Path(__file__).resolve().parents[2]
ANSWER = "图书馆九点开门。"


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"{name}_of_server_examples", ROOT / "tests" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(name: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> jinja2.Template:
    """The template that the example writes, compiled as the server does it."""
    folder = tmp_path_factory.mktemp("instruction-templates")
    path = Path(run("text_generation_webui.py", "--write-template", folder).strip())
    assert path == folder / "Chinese-Alpaca-2.yaml"
    assert path.read_text(encoding="utf-8") == run("text_generation_webui.py")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content.keys() == {"instruction_template"}
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(content["instruction_template"])


def rendered(template: jinja2.Template, turns: list[Turn]) -> str:
    """What text-generation-webui makes of a template: the messages, then what comes before an answer.

    It finds the latter out from two answers in a row, and drops the spaces at its end (modules/chat.py,
    get_generation_prompt).
    """
    two = template.render(messages=[{"role": "assistant", "content": "A1"}, {"role": "assistant", "content": "A2"}])
    after = two.split("A2")[1]
    before = two.split("A1")[1].split("A2")[0][len(after) :].rstrip(" ")
    return template.render(messages=[{"role": turn.role, "content": turn.text} for turn in turns]) + before


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "几点开门？")],
        [("system", "你是馆员。"), ("user", "几点开门？")],
        [("user", "几点开门？"), ("assistant", "九点。"), ("user", "几点关门？")],
        [
            ("system", "你是馆员。"),
            ("user", "一"),
            ("assistant", "二"),
            ("user", "三"),
            ("assistant", "四"),
            ("user", "五"),
        ],
    ],
    ids=["one turn", "system", "two turns", "three turns"],
)
def test_the_instruction_template_writes_the_familys_format(template: jinja2.Template, turns) -> None:
    turns = [Turn(*turn) for turn in turns]
    assert rendered(template, turns) == "".join(alpaca2_prompt(turns))


def test_both_examples_ask_a_real_server(tmp_path: Path) -> None:
    small_models, local_llama_server = load("small_models"), load("local_llama_server")
    vocabulary = small_models.train_vocabulary()
    chain = [*(vocabulary.pieces.index(character) for character in ANSWER), small_models.EOS]
    path = small_models.write_gguf(tmp_path / "says.gguf", vocabulary, small_models.scripted_weights(chain))
    with local_llama_server.running(path, context_window=512) as address:
        where = ("--base-url", address, "--api-key", local_llama_server.SECRET)
        first, answer, usage = run("llama_server.py", *where, "几点？").splitlines()
        webui = [*where, "--context-window", 512, "几点？"]
        ours, theirs = (run("text_generation_webui.py", *webui, *more) for more in ((), ("--server-renders",)))
    assert first.endswith("says.gguf, 512 tokens")
    assert answer.replace("|", "") == f"几点？: {ANSWER}"
    assert answer.count("|") >= len(ANSWER)
    assert f"'output_tokens': {len(ANSWER)}" in usage
    assert ours == theirs == f"几点？: {ANSWER}\n"


@pytest.mark.parametrize("name", ["llama_server.py", "text_generation_webui.py"])
def test_each_example_explains_itself(name: str) -> None:
    assert f"python examples/{name} --base-url" in run(name, "--help")
