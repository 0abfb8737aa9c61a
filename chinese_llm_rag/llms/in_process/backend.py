"""A Backend over a TokenModel: what every runtime in this process shares.

A runtime subclasses it with a constructor that loads the weights; the rest is here once.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chinese_llm_rag.compute import compute_slot
from chinese_llm_rag.errors import ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import Ability, GenerationParams, Prompt, TextChunk
from chinese_llm_rag.llms.in_process.decoding import Guidance, Reading, decode
from chinese_llm_rag.llms.in_process.memory_file import SavedMemory, read_memory, write_memory
from chinese_llm_rag.llms.in_process.prefix_memory import PrefixMemory
from chinese_llm_rag.llms.in_process.runtime import Runtime
from chinese_llm_rag.llms.in_process.sampler import Sampler
from chinese_llm_rag.llms.in_process.speculation import Drafter, DraftModel
from chinese_llm_rag.llms.in_process.token_model import ConstrainsTokens, SavesMemory, SetsRope, Tokenizer, TokenModel
from chinese_llm_rag.llms.rope import RopeSpec, request_rope

_POLL_S = 0.1
_STALLED_S = 2.0
DEFAULT_PREFIX_BYTES = 1 << 30


class InProcessBackend:
    """A loaded model in this process.

    One text at a time; a prompt that begins like an earlier one is only read from where they differ.

    Args:
        model: weights and memory, which this object owns.
        tokenizer: of the same model.
        runtime: for error messages.
        name: what to call the model.
        origin: where it came from, for error messages.
        context_window: tokens.
        rope: how positions are computed; an adaptive one is fixed anew for every request.
        drafter: guesses tokens ahead, or None.
        prefix_bytes: main memory for memories of earlier prompts.
    """

    def __init__(
        self,
        model: TokenModel,
        tokenizer: Tokenizer,
        runtime: Runtime,
        *,
        name: str,
        origin: str,
        context_window: int,
        rope: RopeSpec,
        drafter: Drafter | None = None,
        prefix_bytes: int = DEFAULT_PREFIX_BYTES,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._runtime = runtime
        self._name = name
        self._origin = origin
        self._window = context_window
        self._rope = rope
        self._drafter = drafter
        self._prefixes = PrefixMemory(prefix_bytes)
        self._negative: TokenModel | None = None
        self._fixed_rope = request_rope(rope, 1)
        self._turn = threading.Lock()
        self._stepping_thread = 0
        self._last_step = 0.0
        self._closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._origin!r}, context_window={self._window})"

    @property
    def model_name(self) -> str:
        """What the user calls the model."""
        return self._name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have."""
        return self._window

    @property
    def rope(self) -> RopeSpec:
        """How positions are computed."""
        return self._rope

    @property
    def abilities(self) -> frozenset[Ability]:
        """What GenerationParams may ask for."""
        schema: frozenset[Ability] = frozenset({"json_schema"} if isinstance(self._model, ConstrainsTokens) else ())
        return schema | {"logprobs", "guidance"}

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS."""
        self._check_open()
        with self._runtime.errors_as(GenerationError, self._origin):
            return self._tokenizer.token_ids(prompt)

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt, without BOS."""
        return len(self.token_ids(prompt))

    def generate(self, prompt: Prompt, params: GenerationParams) -> Iterator[TextChunk]:
        """Text as it is produced; see Backend."""
        tokens = self._whole(prompt)
        negative = self._whole(params.negative_prompt or "") if params.guidance_scale != 1 else []
        longest = max(len(tokens), len(negative))
        if longest + params.max_tokens > self._window:
            raise ContextWindowExceededError(
                prompt_tokens=longest, max_tokens=params.max_tokens, context_window=self._window
            )
        yield TextChunk("", prompt_tokens=len(tokens))
        yield from self._wait_for_turn()
        try:
            self._check_open()
            self._prepare(tokens, longest + params.max_tokens)
            reading = Reading(self._model, self._guidance(negative, params), self._step)
            sampler = self._sampler(params, tokens)
            yield from decode(self._model, reading, tokens, sampler, params, drafter=self._drafter)
        finally:
            self._turn.release()

    def save_prefix(self, prompt: Prompt, path: Path | str, *, max_tokens: int = 400) -> int:
        """Read a prompt and write what the model remembers of it to a file, for load_prefix() in any later process.

        Questions about the same beginning are then answered without reading it again.

        Args:
            prompt: for example a document.
            path: of the file; its size is that of the prompt's KV cache.
            max_tokens: what a question and its answer will add. With adaptive NTK the memory is of use only where
                the whole comes to a length with the same alpha.

        Returns:
            The size in bytes.

        Raises:
            ContextWindowExceededError: the prompt does not fit.
            GenerationError: this runtime cannot save its memory, or the file cannot be written.
        """
        tokens = self._whole(prompt)
        if len(tokens) >= self._window:
            raise ContextWindowExceededError(prompt_tokens=len(tokens), max_tokens=1, context_window=self._window)
        with self._my_turn():
            model = self._saving_model()
            self._prepare(tokens, min(len(tokens) + max_tokens, self._window))
            reading = Reading(self._model, None, self._step)
            for _ in reading.read_prompt(tokens):
                pass
            reading.first(tokens)
            self._model.keep(len(tokens) - 1)  # a prompt that is asked again needs its last token's logits
            with self._runtime.errors_as(GenerationError, str(path)):
                saved = SavedMemory(list(self._model.memory), model.snapshot(), self._fixed_rope)
                return write_memory(Path(path), model.owner, saved)

    def load_prefix(self, path: Path | str) -> None:
        """Remember what save_prefix() wrote.

        Raises:
            ModelLoadError: the file is damaged, or of another model, RoPE or KV cache type.
        """
        with self._my_turn():
            model = self._saving_model()
            saved = read_memory(Path(path), model.owner)
            if not self._could_fix(saved.rope):
                raise ModelLoadError(
                    say(
                        f"cannot load a saved memory from {str(path)!r}: it was computed with rope {saved.rope}, "
                        f"the model has {self._rope}",
                        f"无法从 {str(path)!r} 载入记忆：它以 rope {saved.rope} 计算，而模型为 {self._rope}",
                    ),
                    hint=say("make it again with save_prefix()", "请用 save_prefix() 重新生成"),
                )
            self._prefixes.put_aside(self._model, self._fixed_rope)
            self._fix_rope(saved.rope)
            with self._runtime.errors_as(ModelLoadError, str(path)):
                model.restore(saved.state, saved.tokens)

    def close(self) -> None:
        """Free the model's memory; waits for a running generation to end. May be called twice.

        Raises:
            GenerationError: this very thread has left a stream open.
        """
        with self._my_turn():
            self._closed = True
            self._prefixes.clear()
            if isinstance(self._drafter, DraftModel):
                self._drafter.close()
            if self._negative is not None:
                self._negative.close()
            self._model.close()

    def _whole(self, prompt: Prompt) -> list[int]:
        tokens = [*self._tokenizer.begin, *self.token_ids(prompt)]
        if not tokens:
            raise GenerationError(say("the prompt is empty", "提示为空"))
        return tokens

    def _prepare(self, tokens: Sequence[int], n_tokens: int) -> None:
        """Settle the RoPE of a request of n_tokens, and find the longest beginning that was read before."""
        rope = request_rope(self._rope, n_tokens, context_window=self._window)
        if rope != self._fixed_rope:
            self._prefixes.put_aside(self._model, self._fixed_rope)
            self._fix_rope(rope)
        with self._runtime.errors_as(GenerationError, self._origin):
            self._prefixes.prepare(self._model, tokens, self._fixed_rope)

    def _fix_rope(self, rope: RopeSpec) -> None:
        """Compute positions so from now on; what is in memory is forgotten where that changes them."""
        if rope == self._fixed_rope:
            return
        assert isinstance(self._model, SetsRope), "a runtime that cannot change RoPE refuses adaptive ones"
        with self._runtime.errors_as(GenerationError, self._origin):
            for model in (self._model, *([self._negative] if self._negative else ())):
                model.set_rope(rope)
        self._fixed_rope = rope

    def _could_fix(self, rope: RopeSpec) -> bool:
        """Whether some request of this model has this RoPE."""
        if self._rope.method != "adaptive_ntk":
            return rope == self._fixed_rope
        return replace(rope, method="adaptive_ntk", alpha=1.0, coefficient=self._rope.coefficient) == self._rope

    def _guidance(self, negative: Sequence[int], params: GenerationParams) -> Guidance | None:
        if params.guidance_scale == 1:
            return None
        if self._negative is None:
            with self._runtime.errors_as(GenerationError, self._origin):
                self._negative = self._model.branch()
        return Guidance(self._negative, negative, params.guidance_scale)

    def _sampler(self, params: GenerationParams, tokens: Sequence[int]) -> Sampler:
        constraint = None
        if params.json_schema is not None and isinstance(self._model, ConstrainsTokens):
            constraint = self._model.json_constraint(params.json_schema)
        return Sampler(params, tokens, constraint)

    def _saving_model(self) -> SavesMemory:
        self._check_open()
        if not isinstance(self._model, SavesMemory):
            raise GenerationError(
                say(f"{self._runtime.name} cannot save a model's memory", f"{self._runtime.name} 无法保存模型的记忆")
            )
        return self._model

    @contextmanager
    def _step(self) -> Iterator[None]:
        """Around everything that computes: the cores are ours, and foreign errors become ours."""
        self._stepping_thread = threading.get_ident()
        with compute_slot(), self._runtime.errors_as(GenerationError, self._origin):
            yield
        self._last_step = time.monotonic()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        for _ in self._wait_for_turn():
            pass
        try:
            yield
        finally:
            self._turn.release()

    def _wait_for_turn(self) -> Iterator[TextChunk]:
        while not self._turn.acquire(timeout=_POLL_S):
            # A stream left unfinished by the very thread that waits for it would never end.
            if self._stepping_thread == threading.get_ident() and time.monotonic() - self._last_step > _STALLED_S:
                raise GenerationError(
                    say(
                        "another stream of this model is still open in this thread", "本线程中该模型的另一个流尚未结束"
                    ),
                    hint=say("read it to its end or close() it first", "请先读完它，或对它调用 close()"),
                )
            yield TextChunk("")

    def _check_open(self) -> None:
        if self._closed:
            raise GenerationError(say(f"the model {self._name!r} is closed", f"模型 {self._name!r} 已关闭"))
