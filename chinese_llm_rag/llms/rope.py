"""Rotary position embedding beyond the trained window, as pure functions with one meaning for every runtime.

Sources: position interpolation (PI), Chen et al. 2023, arXiv:2306.15595; NTK-aware base, bloc97 2023, as used
by Chinese-LLaMA-Alpaca-2 (scripts/attn_and_long_ctx_patches.py), with its adaptive form; YaRN, Peng et al. 2023,
arXiv:2309.00071. Knows no runtime's code, only which words two of them use. d is the dimension of a head.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Method = Literal["none", "linear", "ntk", "adaptive_ntk", "yarn", "other"]
DEFAULT_BASE = 10_000.0
DEFAULT_ORIGINAL_WINDOW = 4096
_BUCKETS_A_WINDOW = 4


@dataclass(frozen=True, slots=True)
class RopeSpec:
    """How positions become angles.

    In a request, the defaults of `base` and `original_window` stand for the model's own.

    Attributes:
        method: "ntk" has one alpha for all lengths, "adaptive_ntk" one for each request (see request_rope).
            "other" is a scheme of another model that runtimes know and this module does not.
        factor: positions are divided by it (linear, and ntk and adaptive_ntk on a model trained by PI);
            for yarn the extension s.
        base: theta.
        original_window: tokens of training before the extension.
        alpha: of ntk.
        coefficient: of adaptive_ntk; the family's scripts have 1.
        attention_factor: of yarn, on cosines and sines; None is 0.1·ln(s) + 1.
        beta_fast: of yarn: dimensions that turn more often than this over original_window stay as they are.
        beta_slow: of yarn: dimensions that turn less often than this are interpolated fully.
    """

    method: Method = "none"
    factor: float = 1.0
    base: float = DEFAULT_BASE
    original_window: int = DEFAULT_ORIGINAL_WINDOW
    alpha: float = 1.0
    coefficient: float = 1.0
    attention_factor: float | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0

    def __post_init__(self) -> None:
        _expect(self.method in get_args(Method), "method", self.method, " | ".join(get_args(Method)))
        _expect(_is_at_least(self.factor, 1.0), "factor", self.factor, "1 or more")
        _expect(self.factor == 1.0 or self.method not in ("none", "other"), "factor", self.factor, f"1 ({self.method})")
        _expect(_is_at_least(self.base, 1.0) and self.base > 1, "base", self.base, "more than 1")
        _expect(self.original_window >= 1, "original_window", self.original_window, "1 or more")
        _expect(_is_at_least(self.alpha, 1.0), "alpha", self.alpha, "1 or more")
        _expect(self.alpha == 1.0 or self.method == "ntk", "alpha", self.alpha, f"1 ({self.method})")
        _expect(_is_at_least(self.coefficient, 0.0) and self.coefficient > 0, "coefficient", self.coefficient, "> 0")
        factor = self.attention_factor
        _expect(factor is None or (math.isfinite(factor) and factor > 0), "attention_factor", factor, "> 0")
        betas = (self.beta_fast, self.beta_slow)
        _expect(math.inf > self.beta_fast > self.beta_slow > 0, "beta_fast, beta_slow", betas, "fast > slow > 0")

    def __str__(self) -> str:
        """In one line what matters, for messages."""
        words: list[str] = [self.method]
        if self.factor != 1.0:
            words.append(f"x{self.factor:g} over {self.original_window}")
        elif self.original_window != DEFAULT_ORIGINAL_WINDOW:
            words.append(f"over {self.original_window}")
        if self.method == "ntk":
            words.append(f"alpha {self.alpha:g}")
        if self.method == "adaptive_ntk":
            words.append(f"coefficient {self.coefficient:g}")
        if self.method == "yarn" and self.attention_factor is not None:
            words.append(f"attention factor {self.attention_factor:g}")
        if self.base != DEFAULT_BASE:
            words.append(f"base {self.base:g}")
        return " ".join(words)

    @property
    def trained_window(self) -> int:
        """Tokens the model was trained for, if this spec is what it was trained with."""
        return round(self.original_window * self.factor)


def _is_at_least(value: float, least: float) -> bool:
    return math.isfinite(value) and value >= least


def _expect(right: bool, setting: str, value: object, expected: str) -> None:  # noqa: FBT001
    if not right:
        raise ConfigError(
            say(f"rope {setting}={value!r}: expected {expected}", f"rope {setting}={value!r} 无效，应为 {expected}"),
            setting="rope",
        )


def ntk_base(base: float, alpha: float, head_dim: int) -> float:
    """base·α^(d/(d−2)): the slowest dimension is stretched by exactly α, the fastest not at all."""
    return float(base * alpha ** (head_dim / (head_dim - 2)))


def adaptive_alpha(n_tokens: int, window: int, coefficient: float = 1.0) -> float:
    """The family's alpha for a text of n_tokens: (L/(window/2) − 1)·coefficient above the window, else 1.

    `window` is the trained one: 4096, or 16384 for the 16K models.
    """
    return (n_tokens / (window / 2) - 1) * coefficient if n_tokens > window else 1.0


def request_length(n_tokens: int, window: int, context_window: int | None = None) -> int:
    """The length that alpha is taken for: n_tokens, rounded up so that few values occur.

    A KV cache holds for one alpha only. Up to `window` alpha is 1 and one bucket is enough; above it, buckets
    are a quarter of the window wide, so a growing conversation is read again once in that many tokens and
    alpha is at most half a coefficient over the exact one. Never above `context_window` where that is given.
    """
    if n_tokens <= window:
        return window
    width = max(1, window // _BUCKETS_A_WINDOW)
    length = -(-n_tokens // width) * width
    return length if context_window is None else max(n_tokens, min(length, context_window))


def request_alpha(spec: RopeSpec, n_tokens: int, *, context_window: int | None = None) -> float:
    """Alpha for one request of the adaptive method, fixed before its first token is read.

    Args:
        spec: of the model; its trained_window is the window of the formula.
        n_tokens: prompt + max_tokens: the longest that this request can become.
        context_window: the largest length that requests can have.
    """
    length = request_length(n_tokens, spec.trained_window, context_window)
    return adaptive_alpha(length, spec.trained_window, spec.coefficient)


def request_rope(spec: RopeSpec, n_tokens: int, *, context_window: int | None = None) -> RopeSpec:
    """The spec that holds for a request: adaptive NTK with its alpha fixed; any other as it is.

    Two requests may share a KV cache if and only if this gives equal specs for both.
    """
    if spec.method != "adaptive_ntk":
        return spec
    alpha = max(1.0, request_alpha(spec, n_tokens, context_window=context_window))
    return replace(spec, method="ntk", alpha=alpha, coefficient=1.0)


def yarn_attention_factor(factor: float) -> float:
    """sqrt(1/t) of the YaRN paper, its equation 22: 0.1·ln(s) + 1."""
    return 0.1 * math.log(factor) + 1.0


def yarn_range(spec: RopeSpec, head_dim: int) -> tuple[int, int]:
    """First and last dimension pair of YaRN's ramp.

    The pair that turns r times over the original window is d·ln(window/(2πr)) / (2·ln(base)), rounded outwards
    and kept inside 0..d−1, as the authors' code and both runtimes do.
    """

    def pair(turns: float) -> float:
        return head_dim * math.log(spec.original_window / (turns * 2 * math.pi)) / (2 * math.log(spec.base))

    return max(math.floor(pair(spec.beta_fast)), 0), min(math.ceil(pair(spec.beta_slow)), head_dim - 1)


def inverse_frequencies(spec: RopeSpec, head_dim: int) -> tuple[NDArray[np.float64], float]:
    """Radians a token for each pair of dimensions, [d/2], and the factor on cosines and sines.

    Raises:
        ConfigError: the spec is adaptive (see request_rope) or of another model, or head_dim is odd.
    """
    spec = _fixed(spec, head_dim)
    base = ntk_base(spec.base, spec.alpha, head_dim)
    plain = base ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    if spec.method != "yarn":
        return plain / spec.factor, 1.0
    low, high = yarn_range(spec, head_dim)
    ramp = np.clip((np.arange(head_dim // 2) - low) / max(high - low, 0.001), 0.0, 1.0)
    mixed = plain / spec.factor * ramp + plain * (1 - ramp)
    given = spec.attention_factor
    return mixed, yarn_attention_factor(spec.factor) if given is None else given


def _fixed(spec: RopeSpec, head_dim: int) -> RopeSpec:
    _expect(head_dim > 2 and head_dim % 2 == 0, "head_dim", head_dim, "an even number above 2")
    if spec.method == "adaptive_ntk":
        raise ConfigError(
            say(
                f"rope {spec}: its angles depend on the request's length, which is not fixed",
                f"rope {spec}：角度取决于请求的长度，而长度尚未确定",
            ),
            setting="rope",
            hint=say("fix it with request_rope()", "请先用 request_rope() 确定长度"),
        )
    if spec.method == "other":
        raise ConfigError(
            say(
                "rope other: only the model's own file says how its positions are computed",
                "rope other：位置如何计算只写在该模型自己的文件中",
            ),
            setting="rope",
            hint=say("leave it to the runtime", "请交由推理引擎按文件处理"),
        )
    return spec


def transformers_rope(spec: RopeSpec, head_dim: int) -> dict[str, str | float | int]:
    """The spec as `rope_parameters` of a transformers 5 configuration.

    Raises:
        ConfigError: as inverse_frequencies.
    """
    spec = _fixed(spec, head_dim)
    theta = {"rope_theta": ntk_base(spec.base, spec.alpha, head_dim)}
    if spec.method == "yarn":
        # No "truncate": off, it moves the ramp. An attention factor is written only where it is not the paper's.
        attention = {} if spec.attention_factor is None else {"attention_factor": spec.attention_factor}
        return {
            "rope_type": "yarn",
            **theta,
            "factor": spec.factor,
            "original_max_position_embeddings": spec.original_window,
            "beta_fast": spec.beta_fast,
            "beta_slow": spec.beta_slow,
            **attention,
        }
    if spec.factor != 1.0:
        return {"rope_type": "linear", **theta, "factor": spec.factor}
    return {"rope_type": "default", **theta}


class LlamaRope(TypedDict):
    """Values of llama.cpp's context parameters of the same names."""

    rope_scaling_type: Literal["none", "linear", "yarn"]
    rope_freq_base: float
    rope_freq_scale: float
    yarn_orig_ctx: int
    yarn_ext_factor: float
    yarn_attn_factor: float
    yarn_beta_fast: float
    yarn_beta_slow: float


def llama_rope(spec: RopeSpec, head_dim: int) -> LlamaRope:
    """The spec as llama.cpp's context parameters, every one of them set.

    llama.cpp multiplies by 0.1·ln(s) + 1 itself where yarn_ext_factor is not 0, so yarn_attn_factor stays 1.

    Raises:
        ConfigError: as inverse_frequencies, or YaRN has an attention factor other than the paper's, for which
            llama.cpp has no parameter (only metadata in the file).
    """
    spec = _fixed(spec, head_dim)
    yarn = spec.method == "yarn"
    given = spec.attention_factor
    if yarn and given is not None and not math.isclose(given, yarn_attention_factor(spec.factor), rel_tol=1e-4):
        raise ConfigError(
            say(
                f"rope attention_factor={given!r}: llama.cpp always has {yarn_attention_factor(spec.factor):.4f} here",
                f"rope attention_factor={given!r}：llama.cpp 在此只支持 {yarn_attention_factor(spec.factor):.4f}",
            ),
            setting="rope",
        )
    return {
        "rope_scaling_type": "yarn" if yarn else "linear" if spec.factor != 1.0 else "none",
        "rope_freq_base": ntk_base(spec.base, spec.alpha, head_dim),
        "rope_freq_scale": 1.0 / spec.factor,
        "yarn_orig_ctx": spec.original_window,
        "yarn_ext_factor": 1.0 if yarn else 0.0,
        "yarn_attn_factor": 1.0,
        "yarn_beta_fast": spec.beta_fast,
        "yarn_beta_slow": spec.beta_slow,
    }
