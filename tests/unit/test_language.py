"""Which language the user is spoken to."""

import pytest

from chinese_llm_rag.language import LANGUAGE_VARIABLES, say, speaks_chinese


@pytest.fixture(autouse=True)
def no_locale(home, monkeypatch):
    for name in LANGUAGE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_english_is_spoken_where_nothing_is_set():
    assert not speaks_chinese()
    assert say("yes", "是") == "yes"


@pytest.mark.parametrize("value", ["zh_CN.UTF-8", "zh", "zh_TW", "ZH-Hant"])
@pytest.mark.parametrize("name", LANGUAGE_VARIABLES)
def test_chinese_is_spoken_under_every_chinese_locale(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert speaks_chinese()
    assert say("yes", "是") == "是"


@pytest.mark.parametrize("value", ["en_US.UTF-8", "C", "POSIX", "ja_JP.UTF-8"])
def test_english_is_spoken_under_other_locales(monkeypatch, value):
    monkeypatch.setenv("LANG", value)
    assert not speaks_chinese()


def test_a_stronger_variable_wins_and_an_empty_one_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.setenv("LC_MESSAGES", "en_US.UTF-8")
    assert not speaks_chinese()
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert speaks_chinese()
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "en")
    assert not speaks_chinese()
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "")
    assert speaks_chinese()
