"""A model's own chat template (Jinja), rendered so that what people say stays text.

The template sees a placeholder for every message. Afterwards the messages are put back as plain text,
and only what the template itself wrote is Control. The template comes out of a model file, so it runs in
Jinja's sandbox.
"""

import re
from collections.abc import Sequence
from typing import Never

from chinese_llm_rag.errors import ConfigError, GenerationError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, Prompt
from chinese_llm_rag.llms.conversation import Turn

# Private-use characters around the message's number; the em spaces outside show whether the template trims.
_PAD = "\u2003"
_OPEN, _CLOSE = "\ue0a0", "\ue0a1"
_PLACEHOLDER = re.compile(f"({_PAD}?){_OPEN}([0-9]+){_CLOSE}({_PAD}?)")


class JinjaChatTemplate:
    """A compiled chat template.

    Raises:
        ModelLoadError: the template is not valid Jinja.
    """

    def __init__(self, source: ChatTemplateSource) -> None:
        import jinja2.sandbox  # noqa: PLC0415  # slow to load, and most models need none

        self._jinja2 = jinja2
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = self._refuse
        try:
            self._template = environment.from_string(source.template)
        except self._jinja2.TemplateSyntaxError as error:
            raise ModelLoadError(
                say(f"the model's chat template is not valid: {error}", f"模型自带的对话模板无效：{error}"),
                hint=_other_template_hint(),
            ) from error
        self._source = source

    def render(self, turns: Sequence[Turn]) -> Prompt:
        """The prompt for the model's next turn.

        Raises:
            ConfigError: the template refuses these messages, or would silently leave one out.
            GenerationError: the template fails.
        """
        messages = [
            {"role": turn.role, "content": f"{_PAD}{_OPEN}{index}{_CLOSE}{_PAD}"} for index, turn in enumerate(turns)
        ]
        try:
            rendered: str = self._template.render(
                messages=messages,
                add_generation_prompt=True,
                bos_token=self._source.bos_token,
                eos_token=self._source.eos_token,
            )
        except (self._jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            if isinstance(error, ConfigError):
                raise
            raise GenerationError(
                say(f"the model's chat template failed: {error}", f"模型自带的对话模板执行失败：{error}"),
                hint=_other_template_hint(),
            ) from error
        return self._with_texts(rendered, turns)

    def _with_texts(self, rendered: str, turns: Sequence[Turn]) -> Prompt:
        parts: list[str] = []
        at = 0
        missing = set(range(len(turns)))
        for match in _PLACEHOLDER.finditer(rendered):
            before, number, after = match.groups()
            missing.discard(int(number))
            text = turns[int(number)].text
            text = text if before else text.lstrip()
            parts += [Control(rendered[at : match.start()]), text if after else text.rstrip()]
            at = match.end()
        if missing:
            role = turns[min(missing)].role
            raise ConfigError(
                say(
                    f"the model's chat template has no place for the {role} message",
                    f"模型自带的对话模板中没有 {role} 消息的位置",
                ),
                setting="messages",
                hint=_other_template_hint(),
            )
        parts.append(Control(rendered[at:]))
        return tuple(part for part in parts if part)

    @staticmethod
    def _refuse(message: str) -> Never:
        """What a template calls when it cannot render these messages."""
        raise ConfigError(
            say(
                f"the model's chat template refuses these messages: {message}",
                f"模型自带的对话模板拒绝了这些消息：{message}",
            ),
            setting="messages",
            hint=_other_template_hint(),
        )


def _other_template_hint() -> str:
    return say(
        'say it all in user messages, or pass chat_template="alpaca2"',
        '请把全部内容放在用户消息里，或传入 chat_template="alpaca2"',
    )
