"""`models list`, `show` and `fetch` as a user meets them."""

import json
import re

import pytest
from local_hub import CONTENT, FILE, NAME, sha256

from chinese_llm_rag.model_tools import fetch as fetch_module

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_the_command_fetches_into_the_home_and_prints_the_file(clrag, hub, home):
    status, out, err = clrag("models", "fetch", NAME, "--quant", "Q4_K_M", "--source", hub.address)
    target = home / "models" / f"{NAME}-gguf" / FILE
    assert (status, out, err) == (0, f"{target}\n", "")
    assert target.read_bytes() == CONTENT


def test_the_command_takes_another_folder_and_prints_json(clrag, hub, tmp_path):
    arguments = ("models", "fetch", NAME, "--quant", "q4_k", "--source", hub.address, "--to", str(tmp_path / "甲"))
    report = json.loads(clrag(*arguments, "--json")[1])
    assert (report["name"], report["n_fetched"], report["source"]) == (NAME, 1, hub.address)
    assert report["files"] == [
        {
            "file": str(tmp_path / "甲" / f"{NAME}-gguf" / FILE),
            "size_bytes": len(CONTENT),
            "checksum": sha256(CONTENT),
        }
    ]
    assert json.loads(clrag(*arguments, "--json")[1])["n_fetched"] == 0


def test_an_interrupted_command_ends_with_130_and_says_how_to_go_on(clrag, hub, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch_module, "fetch_model", interrupted)
    status, _, err = clrag("models", "fetch", NAME, "--quant", "Q8_0", "--source", hub.address)
    assert status == 130
    assert "run the same command again" in err


def test_a_wrong_source_is_a_usage_error(clrag):
    status, _, err = clrag("models", "fetch", NAME, "--quant", "Q8_0", "--source", "github")
    assert status == 2
    assert err.count("\n") == 2


def test_a_page_shows_what_the_authors_measured(clrag):
    status, out, _ = clrag("models", "show", NAME)
    assert status == 0
    assert re.search(r"^Q4_K_M +4\.21 +8\.9622 +4\.21 +8\.9229$", out, re.MULTILINE)
    assert json.loads(clrag("models", "show", NAME, "--json")[1])["window"] == 16_384
    assert clrag("models", "show", "gpt-9")[0] == 1


def test_the_list_ends_with_what_to_choose(clrag):
    out = clrag("models", "list")[1]
    assert re.search(r"^chinese-alpaca-2-7b-64k +chat, 7B, 65536 tokens, yarn x16$", out, re.MULTILINE)
    assert "many documents, or over 16K tokens: chinese-alpaca-2-7b-64k Q4_K_M" in out
