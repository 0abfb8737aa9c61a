"""Merged weights against peft's own unmerged adapter, on tiny models."""

import json
import shutil
from pathlib import Path

import numpy as np
import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.model_tools.adapter import read_adapter
from chinese_llm_rag.model_tools.merge import merge_adapters
from chinese_llm_rag.model_tools.tensors import encode, open_tensors

# peft 0.21 asks transformers 5 in an old way.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

BASE_PIECES, NEW_PIECES = 320, 400
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PUBLISHED = {"r": 4, "lora_alpha": 8, "target_modules": LINEAR, "modules_to_save": ["embed_tokens", "lm_head"]}
IDS = torch.tensor([[1, 17, 250, 3, 99, 42, 7, 300]])


def seeded(model: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.15)


def llama(pieces: int = BASE_PIECES, seed: int = 1, **options) -> transformers.LlamaForCausalLM:
    config = transformers.LlamaConfig(
        vocab_size=pieces,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        **options,
    )
    model = transformers.LlamaForCausalLM(config)
    seeded(model, seed)
    return model.eval()


def adapt(model, folder: Path, seed: int = 2, pieces: int = NEW_PIECES, **settings) -> peft.PeftModel:
    """The model with a random adapter, unmerged, and the adapter saved as a published package is."""
    if settings.get("modules_to_save"):
        model.resize_token_embeddings(pieces, mean_resizing=False)
    adapted = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", **settings))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.15)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / "tokenizer.model").write_bytes(b"pieces of the package")
    return adapted.eval()


def logits(model, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        return model(ids).logits.float()


def load(folder: Path):
    return transformers.AutoModelForCausalLM.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    llama().save_pretrained(folder, max_shard_size="40KB")
    (folder / "tokenizer.model").write_bytes(b"pieces of the base")
    (folder / "LICENSE.txt").write_text("its licence")
    return folder


@pytest.fixture(scope="module")
def package(base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    adapt(load(base), folder, **PUBLISHED)
    return folder


VARIANTS = {
    "published": PUBLISHED,
    "rank-stabilized": {**PUBLISHED, "use_rslora": True},
    "two projections": {"r": 8, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
    "expression": {"r": 2, "lora_alpha": 3, "target_modules": r".*\.(gate|up)_proj"},
    "ranks by pattern": {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": LINEAR,
        "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.down_proj": 6},
        "alpha_pattern": {"v_proj": 32},
    },
    "some layers": {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "layers_to_transform": [1]},
    "embeddings": {"r": 4, "lora_alpha": 8, "target_modules": ["embed_tokens", "q_proj"]},
    "output layer": {"r": 4, "lora_alpha": 8, "target_modules": ["lm_head", "o_proj"]},
}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
def test_the_merged_models_logits_equal_the_unmerged_adapters(base, tmp_path, settings):
    unmerged = adapt(load(base), tmp_path / "lora", **settings)
    done = merge_adapters(base, [tmp_path / "lora"], tmp_path / "out", shard_bytes=60_000)
    merged, expected = logits(load(tmp_path / "out")), logits(unmerged)
    before = logits(load(base))
    assert float((expected[..., :BASE_PIECES] - before).abs().max()) > 0.1, "the adapter should matter"
    torch.testing.assert_close(merged, expected, rtol=0, atol=1e-5)
    assert done.largest_difference <= 1e-5


def test_a_bin_file_gives_the_same_as_safetensors(base, package, tmp_path):
    merge_adapters(base, [package], tmp_path / "a")
    pickled = tmp_path / "pickled"
    shutil.copytree(package, pickled)
    torch.save(load_file(pickled / "adapter_model.safetensors"), pickled / "adapter_model.bin")
    (pickled / "adapter_model.safetensors").unlink()
    old_base = tmp_path / "old base"
    shutil.copytree(base, old_base, ignore=shutil.ignore_patterns("*.safetensors*"))
    torch.save(load(base).state_dict(), old_base / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    merge_adapters(old_base, [pickled], tmp_path / "b")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_each_weight_is_base_plus_scale_b_a(base, package, tmp_path):
    merge_adapters(base, [package], tmp_path / "out")
    merged, start = load_file(tmp_path / "out" / "model.safetensors"), load(base).state_dict()
    lora = load_file(package / "adapter_model.safetensors")
    for name, tensor in merged.items():
        key = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{key}.lora_A.weight" in lora:
            product = lora[f"{key}.lora_B.weight"].double() @ lora[f"{key}.lora_A.weight"].double()
            expected = start[name].double() + 8 / 4 * product
        else:
            expected = lora.get(f"{key}.weight", start[name]).double()
        assert float((tensor.double() - expected).abs().max()) < 1e-5, name


def test_several_packages_are_merged_one_after_another(base, package, tmp_path):
    merge_adapters(base, [package], tmp_path / "first")
    settings = {"r": 3, "lora_alpha": 5, "target_modules": LINEAR}
    unmerged = adapt(load(tmp_path / "first"), tmp_path / "second lora", seed=5, **settings)
    merge_adapters(base, [package, tmp_path / "second lora"], tmp_path / "both")
    torch.testing.assert_close(logits(load(tmp_path / "both")), logits(unmerged), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_bases_dtype_is_kept_and_rounded_once(package, tmp_path, dtype):
    llama().to(dtype).save_pretrained(tmp_path / "half")
    merge_adapters(tmp_path / "half", [package], tmp_path / "out")
    merged = load_file(tmp_path / "out" / "model.safetensors")
    start = load_file(tmp_path / "half" / "model.safetensors")
    lora = load_file(package / "adapter_model.safetensors")
    name = "model.layers.1.mlp.up_proj"
    product = lora[f"base_model.model.{name}.lora_B.weight"] @ lora[f"base_model.model.{name}.lora_A.weight"]
    expected = (start[f"{name}.weight"].float() + 2 * product).to(dtype)
    assert {tensor.dtype for tensor in merged.values()} == {dtype}
    assert float((merged[f"{name}.weight"].float() - expected.float()).abs().max()) <= 2**-8 * 0.01
    assert torch.equal(merged["model.norm.weight"], start["model.norm.weight"])


def test_a_flag_for_other_layers_is_ignored_as_peft_ignores_it(base, package, tmp_path):
    flagged = changed(package, tmp_path / "lora", fan_in_fan_out=True)
    merge_adapters(base, [flagged], tmp_path / "out")
    model = load(base)
    model.resize_token_embeddings(NEW_PIECES, mean_resizing=False)
    with pytest.warns(UserWarning, match="fan_in_fan_out"):
        unmerged = peft.PeftModel.from_pretrained(model, flagged).eval()
    torch.testing.assert_close(logits(load(tmp_path / "out")), logits(unmerged), rtol=0, atol=1e-5)


def test_the_folder_has_the_packages_tokenizer_the_bases_licence_and_the_new_vocabulary(base, package, tmp_path):
    done = merge_adapters(base, [package], tmp_path / "out", shard_bytes=60_000)
    out = tmp_path / "out"
    assert done.vocabulary_size == json.loads((out / "config.json").read_text())["vocab_size"] == NEW_PIECES
    assert (out / "tokenizer.model").read_bytes() == b"pieces of the package"
    assert (out / "LICENSE.txt").read_text() == "its licence"
    index = json.loads((out / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(load(base).state_dict())
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in load(out).state_dict().values())
    assert not (tmp_path / "out.part").exists()


def test_progress_counts_to_all_bytes(base, package, tmp_path):
    seen: list[tuple[int, int]] = []
    merge_adapters(base, [package], tmp_path / "out", on_progress=lambda _, done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    assert seen == sorted(seen)


def changed(package: Path, folder: Path, **settings) -> Path:
    shutil.copytree(package, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **settings}))
    return folder


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"bias": "all"}, "bias='all'"),
        ({"r": 5}, "r=5"),
        ({"target_modules": ["q_proj"]}, "the base has not"),
        ({"target_modules": [*LINEAR, "rotary_emb", "embed_tokens"], "modules_to_save": ["score"]}, "'score'"),
    ],
)
def test_a_package_of_another_kind_or_damaged_is_refused(base, package, tmp_path, settings, message):
    with pytest.raises(ModelLoadError) as raised:
        merge_adapters(base, [changed(package, tmp_path / "lora", **settings)], tmp_path / "out")
    assert message in str(raised.value)
    assert raised.value.hint
    assert not (tmp_path / "out").exists()


def test_a_package_for_another_size_names_both_shapes(package, tmp_path):
    config = transformers.LlamaConfig(
        vocab_size=BASE_PIECES, hidden_size=64, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "wide")
    with pytest.raises(ModelLoadError, match=r"\(400, 32\) there and \(320, 64\) in the base"):
        merge_adapters(tmp_path / "wide", [package], tmp_path / "out")


def test_a_package_with_fewer_layers_than_the_base_is_refused(package, tmp_path):
    config = llama().config
    config.num_hidden_layers = 3
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "deep")
    with pytest.raises(ModelLoadError, match=r"nothing for 'model\.layers\.2\."):
        merge_adapters(tmp_path / "deep", [package], tmp_path / "out")


def test_the_familys_packages_are_refused_on_a_base_of_another_vocabulary(tmp_path):
    llama(49_954).save_pretrained(tmp_path / "first generation")
    adapt(llama(49_954), tmp_path / "lora", pieces=55_296, **PUBLISHED)
    with pytest.raises(ModelLoadError, match="49954 pieces"):
        merge_adapters(tmp_path / "first generation", [tmp_path / "lora"], tmp_path / "out")


def test_bases_and_packages_that_are_none_are_named(base, package, tmp_path):
    for wrong_base, lora, message in (
        (package, package, "is a LoRA package, not a base"),
        (tmp_path / "没有", package, "no model folder"),
        (base, base, "is no LoRA package"),
    ):
        with pytest.raises(ModelLoadError, match=message):
            merge_adapters(wrong_base, [lora], tmp_path / "out")


def test_an_existing_folder_is_never_written_to(base, package, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists"):
        merge_adapters(base, [package], tmp_path / "out")
    with pytest.raises(ConfigError, match="no LoRA"):
        merge_adapters(base, [], tmp_path / "new")


def test_a_pickle_that_would_run_code_is_refused(base, package, tmp_path):
    folder = tmp_path / "lora"
    shutil.copytree(package, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save({"x": Path("ran")}, folder / "adapter_model.bin")
    with pytest.raises(ModelLoadError, match="cannot be read as weights"):
        merge_adapters(base, [folder], tmp_path / "out")


def test_damage_while_writing_is_found_and_nothing_is_kept(base, package, tmp_path, monkeypatch):
    from chinese_llm_rag.model_tools import merge_plan

    def wrong(values, dtype):
        return encode(values * np.float32(1.001), dtype)

    monkeypatch.setattr(merge_plan, "encode", wrong)
    with pytest.raises(ModelLoadError, match="failed its check"):
        merge_adapters(base, [package], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def published_name(package: Path, folder: Path) -> Path:
    shutil.copytree(package, folder)
    return folder


@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        ("chinese-alpaca-2-lora-7b", None),
        ("chinese-alpaca-2-lora-7b-16k", ("linear", 4.0)),
        ("chinese-alpaca-2-lora-7b-64k", ("yarn", 16.0)),
    ],
)
def test_a_long_window_package_gives_a_configuration_with_its_rope(base, package, tmp_path, name, scaling):
    merge_adapters(base, [published_name(package, tmp_path / name)], tmp_path / "out")
    rope = load(tmp_path / "out").config.rope_parameters
    assert (rope["rope_type"], rope.get("factor")) == (scaling or ("default", None))
    if name.endswith("64k"):
        assert rope["original_max_position_embeddings"] == 4096


def test_a_configuration_in_the_package_wins_and_a_contradiction_is_an_error(base, package, tmp_path):
    folder = published_name(package, tmp_path / "chinese-alpaca-2-lora-7b-16k")
    config = json.loads((base / "config.json").read_text())
    config.pop("rope_parameters", None)
    config |= {"rope_scaling": {"type": "linear", "factor": 4.0}, "auto_map": {"AutoConfig": "x.Y"}}
    (folder / "config.json").write_text(json.dumps(config))
    merge_adapters(base, [folder], tmp_path / "out")
    written = json.loads((tmp_path / "out" / "config.json").read_text())
    assert written["rope_scaling"] == {"type": "linear", "factor": 4.0}
    assert "auto_map" not in written
    config["rope_scaling"]["factor"] = 2.0
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelLoadError, match=r"linear x4"):
        merge_adapters(base, [folder], tmp_path / "other")


def test_bfloat16_is_rounded_as_torch_rounds():
    values = torch.randn(4096, generator=torch.Generator().manual_seed(0)).float()
    values = torch.cat([values, torch.tensor([0.0, -0.0, 1.00390625, 1.01171875, 3.4e38, float("inf"), 1e-40])])
    bits = torch.from_numpy(encode(values.numpy(), "BF16").view(np.int16)).view(torch.bfloat16)
    assert torch.equal(bits, values.to(torch.bfloat16))
    [nan] = encode(np.array([np.nan], np.float32), "BF16").view(np.int16)
    assert torch.tensor([nan]).view(torch.bfloat16).isnan().all()


def test_mapped_tensors_read_as_torch_reads_them(tmp_path):
    from safetensors.torch import save_file

    tensors = {str(t): torch.randn(5, 3).to(t) for t in (torch.float32, torch.float16, torch.bfloat16)}
    save_file(tensors, tmp_path / "a.safetensors")
    for name, tensor in open_tensors([tmp_path / "a.safetensors"]).items():
        np.testing.assert_array_equal(tensor.rows(1, 4), tensors[name][1:4].float().numpy())


def test_scales_follow_alpha_and_rank(package, tmp_path):
    assert {pair.scale for pair in read_adapter(package).pairs.values()} == {2.0}
    stabilized = read_adapter(changed(package, tmp_path / "rs", use_rslora=True))
    assert {pair.scale for pair in stabilized.pairs.values()} == {4.0}
