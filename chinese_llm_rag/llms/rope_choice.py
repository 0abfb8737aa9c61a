"""Which RoPE and which window a model gets: its file, its family and the user's wish brought together.

The file wins where it speaks; the family's published value fills its silence; a contradiction is an error that
shows both sides. Nothing here reads a file.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.rope import DEFAULT_BASE, DEFAULT_ORIGINAL_WINDOW, RopeSpec
from chinese_llm_rag.models import FAMILY, TRAINED_WINDOW, FamilyModel, Rope, identify, is_family_vocabulary

_NTK_METHODS = ("ntk", "adaptive_ntk")


@dataclass(frozen=True, slots=True)
class Kin:
    """What is known of a model's belonging to the family.

    Attributes:
        model: the family's model that it is by name, or None.
        rope: the RoPE that models of its name, or of its vocabulary and window, were trained with.
        member: whether its vocabulary and architecture, or where those are unknown its name, are the family's.
    """

    model: FamilyModel | None = None
    rope: Rope | None = None
    member: bool = False


def kin_of(
    names: Iterable[str], *, architecture: str = "", vocabulary_size: int = 0, stated_window: int | None = None
) -> Kin:
    """Find a model in the family by its names, the first that speaks of the family deciding.

    A model without such a name that has the family's vocabulary and states a window above 4096 needs the RoPE of
    the family's models with that window, which all have the same.
    """
    if vocabulary_size and not is_family_vocabulary(architecture, vocabulary_size):
        return Kin()
    named = next((model for name in names if (model := identify(name)) is not None), None)
    if named is not None:
        return Kin(named, named.rope, member=True)
    if not vocabulary_size:
        return Kin()
    ropes = {model.rope for model in FAMILY if model.window == stated_window and stated_window > TRAINED_WINDOW}
    return Kin(None, ropes.pop() if len(ropes) == 1 else None, member=True)


def spec_of_family(rope: Rope, base: float = DEFAULT_BASE) -> RopeSpec:
    """The family table's entry as a RopeSpec."""
    return RopeSpec(rope.method, rope.factor, base, rope.original_window)


def settle_rope(
    in_file: RopeSpec, requested: RopeSpec | None, family_rope: Rope | None, *, override: bool = False
) -> RopeSpec:
    """The RoPE to run a model with. Equal to `in_file` where the runtime needs no arguments.

    Args:
        in_file: what its metadata says (rope_in_file); the method "none" is silence.
        requested: what the user asks for; None is whatever is right. NTK on a model trained by interpolation comes
            on top of it.
        family_rope: what the family's model of this name was trained with, or None.
        override: let `requested` win over the file, and the file over the family, without an error.

    Raises:
        ConfigError: two of the three contradict each other.
    """
    own = in_file if family_rope is None else _with_family(in_file, family_rope, override=override)
    if requested is None:
        return own
    wished = _filled(requested, own)
    if _agree(own, wished) and wished.base == own.base:
        return own
    on_top = own.method == "linear" and wished.method in _NTK_METHODS and wished.factor == own.factor
    if override or (wished.base == own.base and (own.method == "none" or on_top)):
        return wished
    raise _contradiction(in_file, own, requested)


def _with_family(in_file: RopeSpec, family_rope: Rope, *, override: bool) -> RopeSpec:
    published = spec_of_family(family_rope)
    same_base = in_file.base == published.base
    if in_file.method == "none" and published.method != "none" and same_base:
        return published
    # A file may also ask for the adaptive NTK that the family's scripts apply to its plain models.
    plain = replace(in_file, method="none") if in_file.method == "adaptive_ntk" else in_file
    fits = in_file.method != "none" or in_file.original_window <= published.original_window
    if override or (same_base and fits and _agree(plain, published)):
        return in_file
    raise ConfigError(
        say(
            f"RoPE contradiction: the file says {in_file}, the family's model of this name has {published}",
            f"RoPE 矛盾：文件写的是 {in_file}，而该名称的模型应为 {published}",
        ),
        setting="rope",
        hint=say(
            "the file was converted wrongly or has another model's name: get it again, rename it, or override",
            "文件转换有误或名称属于另一模型：请重新获取、改名，或明确允许覆盖",
        ),
    )


def _filled(requested: RopeSpec, own: RopeSpec) -> RopeSpec:
    """The request with the model's own values where it has defaults."""
    base = own.base if requested.base == DEFAULT_BASE else requested.base
    window = own.original_window if requested.original_window == DEFAULT_ORIGINAL_WINDOW else requested.original_window
    on_top = own.method == "linear" and requested.method in _NTK_METHODS and requested.factor == 1.0
    factor = own.factor if on_top else requested.factor
    return replace(requested, base=base, original_window=window, factor=factor)


def _agree(a: RopeSpec, b: RopeSpec) -> bool:
    """Whether both turn positions by the same rule; the base is looked at apart."""
    if a.method != b.method or not math.isclose(a.factor, b.factor, rel_tol=1e-6):
        return False
    same = (a.alpha, a.coefficient) == (b.alpha, b.coefficient)
    if a.method != "yarn":
        return same
    yarn = (a.original_window, a.attention_factor, a.beta_fast, a.beta_slow)
    return same and yarn == (b.original_window, b.attention_factor, b.beta_fast, b.beta_slow)


def _contradiction(in_file: RopeSpec, own: RopeSpec, requested: RopeSpec) -> ConfigError:
    by_name = in_file.method == "none" and own.method != "none"
    return ConfigError(
        say(
            f"RoPE contradiction: asked for {requested}, but "
            + (f"the family's model of this name has {own}" if by_name else f"the file says {own}"),
            f"RoPE 矛盾：要求 {requested}，但" + (f"该名称的模型应为 {own}" if by_name else f"文件写的是 {own}"),
        ),
        setting="rope",
        hint=say("leave rope out, or override the file on purpose", "请不要设置 rope，或明确允许覆盖文件"),
    )


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """Tokens that a model can take: as trained, and at most; `largest` None is no known bound."""

    trained: int
    largest: int | None


def window_limits(spec: RopeSpec, kin: Kin, *, requested: bool = False) -> WindowLimits:
    """How large a window can be with a settled RoPE.

    Args:
        spec: as settled.
        kin: of the model. The family's plain and interpolated models go on by adaptive NTK.
        requested: the user asked for this RoPE. NTK then has no bound of its own on other models.
    """
    trained = spec.trained_window
    if kin.member and spec.method in ("none", "linear", *_NTK_METHODS):
        reach = {model.window: model.ntk_windows[1] for model in FAMILY if model.ntk_windows is not None}
        return WindowLimits(trained, reach.get(trained, trained))
    if spec.method in _NTK_METHODS and requested:
        return WindowLimits(trained, None)
    return WindowLimits(trained, trained)


def rope_for_window(
    spec: RopeSpec, context_window: int | None, kin: Kin, *, requested: bool = False
) -> tuple[RopeSpec, int]:
    """The RoPE and the window to load a model with.

    Args:
        spec: as settled.
        context_window: tokens asked for; None is the trained window.
        kin: of the model.
        requested: the user asked for this RoPE; it is then not extended.

    Raises:
        ConfigError: the window is above what the model can; the message names the largest.
    """
    limits = window_limits(spec, kin, requested=requested)
    window = limits.trained if context_window is None else context_window
    plain_enough = window <= limits.trained
    may_extend = kin.member and spec.method in ("none", "linear") and not requested
    if plain_enough or (spec.method in _NTK_METHODS and (limits.largest is None or window <= limits.largest)):
        return spec, window
    if may_extend and limits.largest is not None and window <= limits.largest:
        return replace(spec, method="adaptive_ntk"), window
    largest = limits.trained if spec.method in ("none", "linear") and requested else limits.largest
    raise ConfigError(
        say(
            f"context_window={window}: this model can take {largest} tokens at most with rope {spec}",
            f"context_window={window} 超出该模型在 rope {spec} 下的上限 {largest} 个 token",
        ),
        setting="context_window",
        hint=say(
            f"use {largest} or less, or a model with a larger window", f"请设为不超过 {largest}，或换用窗口更大的模型"
        ),
    )
