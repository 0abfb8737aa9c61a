"""What is particular to transformers: what it loads, and what it refuses."""

import json
import shutil
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.numpy import load_file, save_file

from chinese_llm_rag import compute
from chinese_llm_rag.errors import ConfigError, MissingDependencyError, ModelLoadError
from chinese_llm_rag.llms.backend import ChatTemplateSource, GenerationParams, Vocabulary
from chinese_llm_rag.llms.hf import plan as huggingface_plan
from chinese_llm_rag.llms.hf import weights as huggingface_weights
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.machine_memory import MachineMemory
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.template_choice import default_template
from chinese_llm_rag.models import FAMILY_VOCABULARY

small_models = sys.modules["small_models"]

GREEDY = GenerationParams(temperature=0.0, max_tokens=8)
TINY = {"width": 16, "heads": 2, "layers": 1}


@pytest.fixture
def folder(vocabulary, tmp_path: Path) -> Path:
    return small_models.write_folder(tmp_path / "tiny", vocabulary, small_models.random_weights(3), **TINY)


def change_config(folder: Path, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def text_of(backend: TransformersBackend, prompt="你好", params: GenerationParams = GREEDY) -> str:
    return "".join(piece.text for piece in backend.generate(prompt, params))


class TestHubNames:
    def test_a_name_in_the_local_cache_loads_by_its_revision_without_a_network(
        self, folder: Path, tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        commit = "0123456789abcdef0123456789abcdef01234567"
        repository = tmp_path / "hub" / "models--someone--tiny-chat"
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs" / "v1").write_text(commit)
        backend = TransformersBackend("someone/tiny-chat", revision="v1")
        assert backend.model_name == "tiny-chat"
        assert text_of(backend) == text_of(TransformersBackend(folder))
        with pytest.raises(ModelLoadError, match=r"'someone/tiny-chat' \(revision 'v2'\)"):
            TransformersBackend("someone/tiny-chat", revision="v2")

    def test_a_name_that_is_not_here_names_the_command_that_gets_it(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(ModelLoadError, match=r"'hfl/chinese-alpaca-2-7b'.* nor in the local cache") as caught:
            TransformersBackend("hfl/chinese-alpaca-2-7b")
        assert "models fetch" in str(caught.value.hint)


class TestWhatIsNotAModel:
    @pytest.mark.parametrize(
        ("files", "message", "hint"),
        [
            ({}, "has no config.json", "config.json, weights and tokenizer"),
            ({"a.gguf": "GGUF"}, "holds GGUF files", "from_gguf"),
            ({"params.json": "{}"}, "Meta's own format", "convert"),
            (
                {"adapter_config.json": '{"base_model_name_or_path": "llama-2-7b"}'},
                "LoRA without its base.*llama-2-7b",
                "lora=",
            ),
            ({"config.json": "{", "model.safetensors": "x"}, "config.json' cannot be read", "copy"),
            ({"config.json": "{}", "model.safetensors": "x"}, "model_type", "copy"),
            ({"config.json": '{"model_type": "llama"}'}, "has no weights", "safetensors"),
        ],
    )
    def test_a_folder_of_something_else_is_said_to_be_that(
        self, tmp_path: Path, files: dict[str, str], message: str, hint: str
    ) -> None:
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        with pytest.raises(ModelLoadError, match=message) as caught:
            TransformersBackend(tmp_path)
        assert hint in str(caught.value.hint)

    def test_a_git_lfs_pointer_is_no_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
        with pytest.raises(ModelLoadError, match="Git LFS pointer"):
            TransformersBackend(folder)

    def test_missing_shards_are_named(self, folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        with pytest.raises(ModelLoadError, match=r"lacks 1 of its weight files: model-00002-of-00002\.safetensors"):
            TransformersBackend(folder)

    def test_missing_tensors_are_not_drawn_at_random(self, folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        del tensors["model.layers.0.mlp.up_proj.weight"]
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelLoadError, match=r"lacks 1 of the model's tensors: model\.layers\.0\.mlp\.up_proj"):
            TransformersBackend(folder)

    def test_tensors_of_another_shape_are_refused(self, folder: Path) -> None:
        change_config(folder, intermediate_size=48)
        with pytest.raises(ModelLoadError, match="transformers failed on") as caught:
            TransformersBackend(folder)
        assert "complete" in str(caught.value.hint)

    @pytest.mark.parametrize("kept", [5, 2_000])
    def test_truncated_weights_are_a_load_error_with_its_cause(self, folder: Path, kept: int) -> None:
        file = folder / "model.safetensors"
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(ModelLoadError, match=r"transformers failed on .*tiny") as caught:
            TransformersBackend(folder)
        assert caught.value.__cause__ is not None

    def test_code_that_comes_with_a_model_is_never_run(self, folder: Path, tmp_path: Path) -> None:
        (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Model: pass")
        custom = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
        change_config(folder, auto_map=custom)
        TransformersBackend(folder).close()  # llama is known without it
        change_config(folder, model_type="unheard-of")
        with pytest.raises(ModelLoadError, match=r"unheard-of|evil|custom code"):
            TransformersBackend(folder)
        assert not (tmp_path / "ran").exists()

    def test_layers_that_merge_what_they_read_are_refused(self, folder: Path) -> None:
        (folder / "config.json").write_text('{"model_type": "mamba", "hidden_size": 16, "max_position_embeddings": 64}')
        with pytest.raises(ModelLoadError, match="'mamba' model, whose layers are not all attention") as caught:
            TransformersBackend(folder)
        assert "from_gguf" in str(caught.value.hint)

    def test_too_little_memory_is_said_before_anything_is_loaded(self, folder: Path, monkeypatch) -> None:
        monkeypatch.setattr(huggingface_plan, "machine_memory", lambda: MachineMemory(1 << 20, 1 << 20))
        monkeypatch.setattr(huggingface_weights, "load_weights", None)
        with pytest.raises(ModelLoadError, match=r"not enough memory for .*tiny") as caught:
            TransformersBackend(folder)
        assert "no window fits" in str(caught.value.hint)


class TestArguments:
    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("context_window", 0),
            ("n_threads", 0),
            ("n_batch", 0),
            ("prefix_bytes", -1),
            ("dtype", "int7"),
            ("attn_implementation", "none"),
            ("quantization", "q4_0"),
        ],
    )
    def test_wrong_ones_fail_before_the_folder_is_looked_at(self, tmp_path: Path, setting: str, value: object) -> None:
        with pytest.raises(ConfigError, match=setting) as caught:
            TransformersBackend(tmp_path / "nothing", **{setting: value})
        assert caught.value.setting == setting

    @pytest.mark.parametrize(
        ("setting", "value"), [("quantization", "int4"), ("attn_implementation", "flash_attention_2")]
    )
    def test_what_needs_a_gpu_is_refused_by_name(self, folder: Path, setting: str, value: str) -> None:
        with pytest.raises(ConfigError, match=f"{setting}='{value}' does not work on this machine"):
            TransformersBackend(folder, **{setting: value})

    def test_a_window_above_what_the_model_can_is_refused(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match="context_window=1025") as caught:
            TransformersBackend(folder, context_window=1025)
        assert "1024" in str(caught.value)

    def test_a_missing_package_names_the_extra(self, folder: Path, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(MissingDependencyError, match="transformers") as caught:
            TransformersBackend(folder)
        assert caught.value.extra == "hf"

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
    def test_the_dtype_is_that_of_the_weights_and_of_the_memory(self, folder: Path, dtype: str) -> None:
        backend = TransformersBackend(folder, dtype=dtype)
        assert text_of(backend) is not None
        model = backend._model
        assert {p.dtype for p in model._loaded.network.parameters()} == {getattr(torch, dtype)}
        assert model._layers[0].keys.dtype == getattr(torch, dtype)
        backend.close()

    @pytest.mark.parametrize("attention", ["sdpa", "eager"])
    def test_attention_is_the_one_asked_for_and_the_text_the_same(self, folder: Path, attention: str) -> None:
        backend = TransformersBackend(folder, attn_implementation=attention)
        assert backend._model._loaded.network.config._attn_implementation == attention
        assert text_of(backend) == text_of(TransformersBackend(folder))

    def test_a_device_map_places_the_model(self, folder: Path) -> None:
        backend = TransformersBackend(folder, device_map="cpu")
        assert text_of(backend) == text_of(TransformersBackend(folder))

    def test_the_thread_budget_is_the_processs(self, folder: Path) -> None:
        TransformersBackend(folder, n_threads=1).close()
        assert torch.get_num_threads() == 1
        TransformersBackend(folder).close()
        assert torch.get_num_threads() == compute.thread_budget()


class TestOldConfigurations:
    @pytest.mark.parametrize(
        ("scaling", "expected"),
        [
            ({"type": "linear", "factor": 4.0}, ("linear", 4.0)),
            (
                {"type": "yarn", "factor": 16.0, "original_max_position_embeddings": 4096, "finetuned": True},
                ("yarn", 16.0),
            ),
        ],
    )
    def test_rope_scaling_with_a_type_is_computed_as_it_says(
        self, vocabulary, tmp_path: Path, scaling: dict, expected: tuple[str, float]
    ) -> None:
        folder = small_models.write_folder(
            tmp_path / "old", vocabulary, small_models.random_weights(3), **TINY, context_length=16_384
        )
        change_config(folder, rope_scaling=scaling)
        backend = TransformersBackend(folder, context_window=2_048)
        assert (backend.rope.method, backend.rope.factor) == expected
        assert backend._model._loaded.network.model.rotary_emb.rope_type == expected[0]

    def test_torch_dtype_is_the_dtype(self, folder: Path) -> None:
        change_config(folder, torch_dtype="bfloat16")
        backend = TransformersBackend(folder)
        assert backend._model._loaded.network.dtype == torch.bfloat16

    def test_a_16k_model_whose_config_is_silent_is_interpolated_by_its_name(self, vocabulary, tmp_path: Path) -> None:
        folder = small_models.write_folder(
            tmp_path / "chinese-alpaca-2-7b-16k",
            vocabulary,
            small_models.random_weights(3),
            **TINY,
            vocabulary_size=FAMILY_VOCABULARY,
            context_length=16_384,
        )
        backend = TransformersBackend(folder, context_window=2_048)
        assert (backend.rope.method, backend.rope.factor) == ("linear", 4.0)
        network = backend._model._loaded.network
        plain = 10_000.0 ** -(torch.arange(0, 8, 2) / 8)
        assert torch.allclose(network.model.rotary_emb.inv_freq, plain / 4)
        assert backend.vocabulary == Vocabulary("llama", FAMILY_VOCABULARY)
        assert default_template(backend) == "alpaca2"
        with pytest.raises(ConfigError, match="contradiction"):
            TransformersBackend(folder, rope=RopeSpec("yarn", 16.0))

    def test_a_safetensors_free_folder_of_pickled_weights_loads(self, folder: Path) -> None:
        expected = text_of(TransformersBackend(folder))
        tensors = load_file(folder / "model.safetensors")
        torch.save({name: torch.from_numpy(t) for name, t in tensors.items()}, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
        assert text_of(TransformersBackend(folder)) == expected


class TestStoredQuantization:
    def test_awq_without_its_loader_says_which_package(self, folder: Path, monkeypatch) -> None:
        change_config(folder, quantization_config={"quant_method": "awq", "bits": 4})
        monkeypatch.setattr(huggingface_weights, "_installed", lambda _package: False)
        with pytest.raises(ModelLoadError, match="quantized by awq, which needs the package 'gptqmodel'") as caught:
            TransformersBackend(folder)
        assert "GGUF" in str(caught.value.hint)

    def test_quantized_weights_are_not_quantized_again(self, folder: Path) -> None:
        change_config(folder, quantization_config={"quant_method": "awq", "bits": 4})
        with pytest.raises(ConfigError, match=r"quantized already \(awq\)"):
            TransformersBackend(folder, quantization="int8")


class TestTemplates:
    def test_a_models_own_template_is_used(self, vocabulary, tmp_path: Path) -> None:
        template = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
        folder = small_models.write_folder(
            tmp_path / "chat", vocabulary, small_models.random_weights(3), **TINY, chat_template=template
        )
        backend = TransformersBackend(folder)
        assert backend.chat_template == ChatTemplateSource(template, "<s>", "</s>")
        assert default_template(backend) == "model"

    def test_the_name_is_the_folders_or_the_one_given(self, folder: Path) -> None:
        assert TransformersBackend(folder).model_name == "tiny"
        assert TransformersBackend(folder, model_name="mine").model_name == "mine"
