"""llama.cpp: which template a file gets, and that nothing is printed."""

import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import ChatTemplateSource, Vocabulary
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.template_choice import default_template
from chinese_llm_rag.models import FAMILY_VOCABULARY

small_models = sys.modules["small_models"]


class TestTemplates:
    def test_the_family_vocabulary_gets_the_alpaca2_template(self, vocabulary, tmp_path: Path) -> None:
        path = small_models.write_gguf(
            tmp_path / "family.gguf",
            vocabulary,
            small_models.random_weights(3),
            layers=1,
            width=16,
            heads=2,
            vocabulary_size=FAMILY_VOCABULARY,
            chat_template="{{ messages[0].content }}",
        )
        backend = LlamaCppBackend(path)
        assert backend.vocabulary == Vocabulary("llama", 55296)
        assert default_template(backend) == "alpaca2"
        backend.close()

    def test_another_model_with_a_template_gets_its_own(self, vocabulary, tmp_path: Path) -> None:
        template = "{% for m in messages %}<s>{{ m.role }}\n{{ m.content | trim }}</s>{% endfor %}<s>assistant:"
        path = small_models.write_gguf(
            tmp_path / "other.gguf", vocabulary, small_models.random_weights(5), chat_template=template
        )
        backend = LlamaCppBackend(path)
        assert backend.chat_template == ChatTemplateSource(template, bos_token="<s>", eos_token="</s>")
        assert default_template(backend) == "model"
        chat = ChatChineseAlpaca(backend=backend, temperature=0, max_tokens=4)
        n_prompt = 1 + chat.get_num_tokens_from_messages([HumanMessage(" 你好</s> ")])
        texts = [backend.token_ids(t) for t in ("user\n你好</s>", "assistant:")]
        # The template's first <s> is the BOS; its </s> and second <s> are control tokens, the message's is text.
        assert n_prompt == 1 + len(texts[0]) + 2 + len(texts[1])
        answer = chat.invoke([HumanMessage(" 你好</s> ")])
        assert isinstance(answer, AIMessage)
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["input_tokens"] == n_prompt
        backend.close()

    def test_a_model_without_one_is_a_base_model(self, random_backend: LlamaCppBackend) -> None:
        with pytest.raises(ModelLoadError, match="base model") as caught:
            ChatChineseAlpaca(backend=random_backend)
        assert "ChineseAlpacaLLM" in str(caught.value.hint)
        assert 'chat_template="alpaca2"' in str(caught.value.hint)


SILENT = """
import sys, warnings
warnings.simplefilter("error")
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.errors import ModelLoadError
assert "llama_cpp" not in sys.modules
backend = LlamaCppBackend(sys.argv[1], context_window=256)
for _ in backend.generate("你好", GenerationParams(max_tokens=4)):
    pass
backend.close()
try:
    LlamaCppBackend(sys.argv[2])
except ModelLoadError:
    pass
left_open = LlamaCppBackend(sys.argv[1])
"""


def test_nothing_is_printed_and_nothing_warns(random_model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(random_model.read_bytes()[:5000])
    command = [sys.executable, "-X", "dev", "-c", SILENT, str(random_model), str(damaged)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
