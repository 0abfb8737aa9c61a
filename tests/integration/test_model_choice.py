"""Which runtime and which model the settings come to, and what is refused before anything is loaded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.model_choice import build_backend, choose, parse_rope
from chinese_llm_rag.settings import Settings, load_settings


@pytest.fixture
def settings(home: Path) -> Callable[..., Settings]:
    return lambda **values: load_settings(values, {}).settings.model_copy(update={"home": home})


def test_a_gguf_file_is_for_llama_cpp(settings, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    assert choose(settings(model_path=path)) == ("llamacpp", path)
    assert choose(settings(model_path=path, runtime="xllamacpp")) == ("xllamacpp", path)


def test_a_folder_or_a_hub_name_is_for_transformers(settings, tmp_path: Path) -> None:
    assert choose(settings(model=str(tmp_path))) == ("transformers", tmp_path)
    assert choose(settings(model="hfl/chinese-alpaca-2-7b")) == ("transformers", "hfl/chinese-alpaca-2-7b")


def test_an_address_is_for_the_server(settings) -> None:
    assert choose(settings(server_url="http://127.0.0.1:8000")) == ("server", "http://127.0.0.1:8000")


def test_a_server_without_an_address_is_refused(settings) -> None:
    with pytest.raises(ConfigError, match="needs server_url"):
        choose(settings(runtime="server"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"runtime": "transformers", "model_path": "x.gguf"}, "runtime='transformers' needs a folder"),
        ({"runtime": "llamacpp", "model": "hfl/chinese-alpaca-2-7b"}, "runtime='llamacpp' needs a GGUF file"),
        ({"model": "no such model"}, "neither a packaged nor a fetched model"),
    ],
)
def test_what_does_not_fit_together_is_named(settings, values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose(settings(**values))


def test_a_gguf_file_given_as_model_tells_the_right_setting(settings, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ConfigError, match="is a file") as caught:
        choose(settings(model=str(path)))
    assert "--model-path" in str(caught.value.hint)


def test_the_name_of_a_model_that_was_not_fetched_tells_how_to_get_it(settings) -> None:
    with pytest.raises(ConfigError, match="chinese-alpaca-2-7b") as caught:
        choose(settings(model="chinese-alpaca-2-7b"))
    assert "models fetch" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"model_path": "x.gguf", "dtype": "bfloat16"}, "dtype"),
        ({"model": "hfl/x", "kv_type": "q8_0"}, "kv_type"),
        ({"server_url": "http://127.0.0.1:1", "rope": "linear:4"}, "rope"),
        ({"server_url": "http://127.0.0.1:1", "lora": "x.gguf"}, "lora"),
    ],
)
def test_a_setting_that_means_nothing_to_the_runtime_is_refused_and_not_ignored(settings, values, setting) -> None:
    with pytest.raises(ConfigError, match="has no such setting") as caught:
        build_backend(settings(**values))
    assert caught.value.setting == setting


def test_several_adapters_come_as_one_text(settings) -> None:
    assert settings(lora="a.gguf:b.gguf").lora == (Path("a.gguf"), Path("b.gguf"))
    assert settings(lora=["a.gguf"]).lora == (Path("a.gguf"),)


def test_a_key_is_never_shown(settings) -> None:
    shown = settings(server_url="http://127.0.0.1:1", server_key="geheim").model_dump_json()
    assert "geheim" not in shown


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("linear:4", RopeSpec("linear", factor=4.0)),
        ("yarn:16", RopeSpec("yarn", factor=16.0)),
        ("ntk:2.5", RopeSpec("ntk", alpha=2.5)),
        ("adaptive_ntk", RopeSpec("adaptive_ntk")),
        ("adaptive_ntk:1.5", RopeSpec("adaptive_ntk", coefficient=1.5)),
        ("none", RopeSpec()),
    ],
)
def test_rope_is_read_from_a_short_text(text: str, spec: RopeSpec) -> None:
    assert parse_rope(text) == spec


@pytest.mark.parametrize("text", ["", "linear", "yarn:", "ntk:x", "dynamic:2", "linear:0.5", "none:1", "linear:nan"])
def test_another_rope_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rope(text)
    assert caught.value.setting == "rope"


def test_a_missing_file_is_said_before_a_runtime_loads(settings, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="no model file"):
        build_backend(settings(model_path=tmp_path / "nothing.gguf"))
