"""Settings: flag > environment > file > default, the origin of each value, and what is refused."""

from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.settings import FILE_NAME, Settings, default_home, load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home for settings files."""
    folder = tmp_path / "设置"
    folder.mkdir()
    return folder


def write(folder: Path, text: str) -> str:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return f"file {folder / FILE_NAME}"


def environment(folder: Path, **values: str) -> dict[str, str]:
    return {"CHINESE_LLM_RAG_HOME": str(folder), **{f"CHINESE_LLM_RAG_{k}": v for k, v in values.items()}}


def refused(folder: Path, flags: dict | None = None, **variables: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_settings(flags, environment(folder, **variables))
    return caught.value


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(folder):
    file = write(folder, "k = 5\nchunk_size = 500\nseed = 50\n")
    loaded = load_settings({"k": 7, "top_p": None}, environment(folder, K="6", CHUNK_SIZE="600"))
    settings, origins = loaded.settings, loaded.origins
    assert (settings.k, origins["k"]) == (7, "flag -k")
    assert (settings.chunk_size, origins["chunk_size"]) == (600, "environment CHINESE_LLM_RAG_CHUNK_SIZE")
    assert (settings.seed, origins["seed"]) == (50, file)
    assert (settings.top_p, origins["top_p"]) == (0.9, "default")


def test_every_setting_has_an_origin_and_nothing_else_has(folder):
    assert load_settings({}, environment(folder)).origins.keys() == Settings.model_fields.keys()


def test_a_flag_is_named_as_it_is_typed(folder):
    loaded = load_settings({"max_tokens": 9}, environment(folder))
    assert loaded.origins["max_tokens"] == "flag --max-tokens"


def test_values_from_the_environment_are_read_as_their_types(folder):
    settings = load_settings({}, environment(folder, TEMPERATURE="0.5", SEED="-1", MODEL_PATH="/模型/a.gguf")).settings
    assert (settings.temperature, settings.seed, settings.model_path) == (0.5, -1, Path("/模型/a.gguf"))


def test_the_home_comes_from_the_environment_of_the_process(home):
    loaded = load_settings()
    assert loaded.settings.home == home
    assert loaded.origins["home"] == "environment CHINESE_LLM_RAG_HOME"
    assert loaded.settings.kb_folder == home / "kb" / "default"
    assert loaded.settings.models_folder == home / "models"


def test_a_home_given_as_a_flag_brings_its_own_file(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write(folder, "k = 5\n")
    write(other, "k = 8\n")
    loaded = load_settings({"home": other}, environment(folder))
    assert (loaded.settings.home, loaded.origins["home"], loaded.settings.k) == (other, "flag --home", 8)


def test_without_any_home_the_platform_folder_is_taken():
    loaded = load_settings({}, {})
    assert (loaded.settings.home, loaded.origins["home"]) == (default_home(), "default")
    assert loaded.settings.home.is_absolute()


def test_an_empty_variable_counts_as_not_set(folder):
    loaded = load_settings({}, {"CHINESE_LLM_RAG_HOME": "", "CHINESE_LLM_RAG_K": ""})
    assert (loaded.settings.home, loaded.origins["home"]) == (default_home(), "default")
    assert (loaded.settings.k, loaded.origins["k"]) == (4, "default")


def test_a_relative_home_and_one_under_tilde_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"home": "here"}, {}).settings.home == tmp_path / "here"
    assert load_settings({"home": "~/there"}, {}).settings.home == tmp_path / "there"


def test_the_language_variable_is_no_setting(folder):
    assert load_settings({}, environment(folder, LANGUAGE="zh")).settings.k == 4


def test_reading_settings_creates_nothing(home):
    load_settings()
    assert not home.exists()


def test_a_file_with_a_byte_order_mark_is_read(folder):
    (folder / FILE_NAME).write_bytes(b"\xef\xbb\xbfk = 5\n")
    assert load_settings({}, environment(folder)).settings.k == 5


def test_settings_cannot_be_changed(folder):
    settings = load_settings({}, environment(folder)).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.k = 3


# What is refused


def test_an_unknown_setting_is_refused_wherever_it_stands(folder):
    error = refused(folder, CHUNKSIZE="3")
    assert (error.setting, error.origin) == ("chunksize", "environment CHINESE_LLM_RAG_CHUNKSIZE")
    assert "unknown setting 'chunksize'" in str(error)
    file = write(folder, "colour = 'red'\n")
    error = refused(folder)
    assert (error.setting, error.origin) == ("colour", file)
    error = refused(folder, {"kk": 3})
    assert error.setting in {"kk", "colour"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("k", "0"),
        ("k", "many"),
        ("k", "4.5"),
        ("chunk_size", "-1"),
        ("chunk_overlap", "-1"),
        ("min_coverage", "1.1"),
        ("min_coverage", "nan"),
        ("temperature", "-0.1"),
        ("top_p", "0"),
        ("top_p", "1.5"),
        ("repetition_penalty", "0"),
        ("n_gpu_layers", "-2"),
        ("n_threads", "0"),
        ("search_mode", "fuzzy"),
        ("embeddings", "openai"),
        ("chat_template", "llama-2"),
        ("kb", "../other"),
        ("kb", ".hidden"),
        ("kb", "a/b"),
        ("kb", "a\\b"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_its_origin(folder, setting, value):
    error = refused(folder, **{setting.upper(): value})
    assert error.setting == setting
    assert error.origin == f"environment CHINESE_LLM_RAG_{setting.upper()}"
    assert repr(value) in str(error)
    assert error.origin in str(error)
    assert error.hint == "correct it there, or leave it out for the default"


def test_a_bad_value_in_the_file_names_the_file_and_one_on_the_command_line_the_flag(folder):
    file = write(folder, "k = 0\n")
    assert (refused(folder).setting, refused(folder).origin) == ("k", file)
    error = refused(folder, {"top_k": -1, "k": 3})
    assert (error.setting, error.origin) == ("top_k", "flag --top-k")


def test_a_bad_value_that_a_stronger_source_replaces_does_no_harm(folder):
    write(folder, "k = 0\n")
    assert load_settings({"k": 3}, environment(folder)).settings.k == 3


@pytest.mark.parametrize("content", [b"k = \n", b"k = 5\nk = 6\n", "k = '检索'".encode("gbk"), b"\x00"])
def test_a_file_that_cannot_be_parsed_is_refused_by_name(folder, content):
    (folder / FILE_NAME).write_bytes(content)
    error = refused(folder)
    assert error.origin == f"file {folder / FILE_NAME}"
    assert repr(str(folder / FILE_NAME)) in str(error)
    assert error.hint == "mend or remove the file"


def test_a_settings_file_that_is_a_folder_is_refused(folder):
    (folder / FILE_NAME).mkdir()
    assert refused(folder).origin == f"file {folder / FILE_NAME}"


def test_a_home_that_is_a_file_is_refused(tmp_path):
    home = tmp_path / "file"
    home.write_text("")
    assert refused(home).origin == f"file {home / FILE_NAME}"


def test_the_home_cannot_be_set_in_the_file_that_lies_in_it(folder):
    file = write(folder, "home = '/elsewhere'\n")
    error = refused(folder)
    assert (error.setting, error.origin) == ("home", file)
    assert "CHINESE_LLM_RAG_HOME" in (error.hint or "")


def test_an_overlap_not_below_the_chunk_size_is_refused_with_its_origin(folder):
    error = refused(folder, CHUNK_OVERLAP="400")
    assert (error.setting, error.origin) == ("chunk_overlap", "environment CHINESE_LLM_RAG_CHUNK_OVERLAP")
    error = refused(folder, {"chunk_size": 10}, CHUNK_OVERLAP="20")
    assert (error.setting, error.origin) == ("chunk_overlap", "environment CHINESE_LLM_RAG_CHUNK_OVERLAP")


def test_messages_about_settings_follow_the_locale(folder, monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    assert "未知设置 'chunksize'" in str(refused(folder, CHUNKSIZE="3"))
