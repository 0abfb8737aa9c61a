"""What is fetched: the files that make up what was asked for, and nothing else."""

import pytest
from local_hub import CONTENT, FILE, FULL, GGUF, NAME

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.model_tools.hubs import ModelScopeHub
from chinese_llm_rag.model_tools.installed import installed_adapter, installed_model

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.mark.parametrize("quantization", ["Q4_K_M", "q4_k", "Q4_K"])
def test_a_quantization_is_found_by_the_listing_whatever_it_is_called(fetch, hub, tmp_path, quantization):
    hub.repositories[GGUF]["ggml-model-q8_0.gguf"] = b"another"
    hub.repositories[GGUF]["ggml-model-q4_k-im.gguf"] = b"with imatrix"
    done = fetch(quantization=quantization)
    target = tmp_path / "models" / f"{NAME}-gguf" / FILE
    assert [file.path for file in done.files] == [FILE]
    assert target.read_bytes() == CONTENT
    assert hub.downloads() == [None]
    assert not list(target.parent.glob("*.part*"))


def test_the_file_with_an_importance_matrix_is_fetched_by_its_own_name(fetch, hub):
    hub.repositories[GGUF]["ggml-model-q4_k-im.gguf"] = b"with imatrix"
    assert [file.path for file in fetch(quantization="Q4_K_M-im").files] == ["ggml-model-q4_k-im.gguf"]


def test_a_quantization_that_is_not_there_names_those_that_are(fetch, hub):
    with pytest.raises(ConfigError) as raised:
        fetch(quantization="Q5_K_M")
    assert "Q4_K_M" in raised.value.hint
    assert hub.downloads() == []


def test_all_shards_of_a_split_file_are_fetched(fetch, hub):
    hub.repositories[GGUF] = {f"model-q6_k-0000{n}-of-00002.gguf": bytes([n]) * 10 for n in (1, 2)}
    assert len(fetch(quantization="Q6_K").files) == 2
    del hub.repositories[GGUF]["model-q6_k-00002-of-00002.gguf"]
    with pytest.raises(ConfigError):
        fetch(quantization="Q6_K")


def test_full_weights_come_with_configuration_and_tokenizer_and_without_code(fetch, hub):
    hub.repositories[f"hfl/{NAME}"] = FULL
    files = {file.path for file in fetch(quantization=None, full=True).files}
    assert files == {*FULL} - {"modeling_llama_yarn.py", "training_args.bin", "original/consolidated.00.pth"}


def test_safetensors_are_taken_before_pickles(fetch, hub):
    hub.repositories[f"hfl/{NAME}"] = {**FULL, "model.safetensors": b"s"}
    files = {file.path for file in fetch(quantization=None, full=True).files}
    assert "model.safetensors" in files
    assert not any(path.endswith(".bin") for path in files)
    assert "pytorch_model.bin.index.json" not in files


def test_a_lora_package_is_fetched_whole(fetch, hub, tmp_path):
    name = "chinese-alpaca-2-lora-7b"
    hub.repositories[f"hfl/{name}"] = {"adapter_config.json": b"{}", "adapter_model.bin": b"w", "tokenizer.model": b"p"}
    assert len(fetch(name, None).files) == 3
    assert installed_adapter(name, tmp_path / "models") == tmp_path / "models" / name


def test_files_outside_lfs_are_checked_by_their_git_id(fetch, hub):
    hub.repositories[f"hfl/{NAME}"] = FULL
    hub.small = {*FULL}
    fetch(quantization=None, full=True)


def test_modelscope_is_asked_by_its_own_protocol(fetch, hub, tmp_path):
    hub.repositories = {f"ChineseAlpacaGroup/{NAME}": {"config.json": b"{}", "model.safetensors": CONTENT}}
    done = fetch(quantization=None, full=True, hub=ModelScopeHub(hub.address))
    assert done.repository == f"ChineseAlpacaGroup/{NAME}"
    assert (tmp_path / "models" / NAME / "model.safetensors").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "gemma-3-270m-base"}, "package"),
        ({"name": "gpt-9"}, "gpt-9"),
        ({"quantization": None}, "--full"),
        ({"full": True}, "--full"),
        ({"name": "chinese-alpaca-2-lora-7b"}, "LoRA"),
    ],
)
def test_what_cannot_be_fetched_is_said_before_any_request(fetch, hub, arguments, message):
    with pytest.raises(ConfigError) as raised:
        fetch(**arguments)
    assert message in f"{raised.value} {raised.value.hint}"
    assert raised.value.hint
    assert hub.asked == []


def test_a_second_fetch_of_what_is_here_downloads_nothing(fetch, hub):
    assert fetch().n_fetched == 1
    assert fetch().n_fetched == 0
    assert len(hub.downloads()) == 1


def test_a_file_that_changed_on_the_hub_is_fetched_again(fetch, hub, tmp_path):
    fetch()
    hub.repositories[GGUF][FILE] = b"newer"
    assert fetch().n_fetched == 1
    assert (tmp_path / "models" / f"{NAME}-gguf" / FILE).read_bytes() == b"newer"


def test_of_several_forms_the_one_named_is_taken(fetch, hub, tmp_path):
    models = tmp_path / "models"
    hub.repositories[GGUF]["ggml-model-q8_0.gguf"] = b"eight"
    hub.repositories[f"hfl/{NAME}"] = FULL
    assert installed_model(NAME, models) is None
    fetch()
    assert installed_model(NAME, models).name == FILE
    fetch(quantization="Q8_0")
    fetch(quantization=None, full=True)
    with pytest.raises(ConfigError) as raised:
        installed_model(NAME, models)
    assert f"{NAME}:Q8_0" in raised.value.hint
    assert installed_model(f"{NAME}:q8_0", models).read_bytes() == b"eight"
    assert installed_model(f"{NAME}:full", models) == models / NAME
    assert installed_model(f"{NAME}:Q6_K", models) is None


def test_a_file_that_was_deleted_by_hand_is_not_installed(fetch, tmp_path):
    fetch()
    installed_model(NAME, tmp_path / "models").unlink()
    assert installed_model(NAME, tmp_path / "models") is None
    assert fetch().n_fetched == 1
