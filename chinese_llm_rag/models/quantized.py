"""What the published GGUF files weigh, and the perplexity their authors measured on each.

Perplexities: the tables of the model cards `hfl/<name>-gguf` (lower is better; base and chat models were
measured on different text, so only rows of one model compare). A second figure is the file with the suffix
-im, quantized with an importance matrix, which exists for the K types only. The card of
chinese-alpaca-2-1.3b prints "Q4_0" twice and no Q5_0, so that one is None.

Sizes: decimal GB as the hub lists the files of `hfl/...-gguf`; Q5_0, Q8_0 and F16 of 7B and Q5_0 of 13B as it
lists another publisher's conversion of the same weights. None where no listing was found.
"""

from dataclasses import dataclass

from chinese_llm_rag.models.family import FamilyModel, Size

# The authors' files carry the short names of llama.cpp, which stand for the medium mixes.
SHORT_NAMES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}

TYPES = ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_0", "Q5_K_M", "Q6_K", "Q8_0", "F16")


@dataclass(frozen=True, slots=True)
class Quantized:
    """One published quantization of one model; `perplexity_im` and `size_gb_im` are those of the -im file."""

    type: str
    size_gb: float | None
    perplexity: float | None
    size_gb_im: float | None = None
    perplexity_im: float | None = None


_SIZES_GB: dict[Size, tuple[float | None, ...]] = {
    "1.3B": (0.596, 0.690, 0.770, 0.802, 0.899, 0.916, 1.04, 1.34, 2.53),
    "7B": (2.94, 3.42, 3.96, 4.21, 4.80, 4.93, 5.69, 7.36, 13.9),
    "13B": (5.57, 6.49, 7.53, 8.03, 9.15, None, 10.9, 14.1, 26.5),
}
_SIZES_IM_GB: dict[Size, dict[str, float]] = {
    "1.3B": {"Q2_K": 0.559, "Q3_K_M": 0.678, "Q4_K_M": 0.802},
    "7B": {"Q2_K": 2.64, "Q4_K_M": 4.21},
    "13B": {"Q2_K": 4.99, "Q3_K_M": 6.49, "Q4_K_M": 8.03},
}
_PERPLEXITIES: dict[str, tuple[float | None, ...]] = {
    "chinese-llama-2-1.3b": (21.7422, 14.8538, 13.8498, 16.0222, 12.5743, 12.5865, 12.6588, 12.7243, 12.6122),
    "chinese-llama-2-7b": (15.1160, 9.9588, 9.8085, 9.5802, 9.4783, 9.5132, 9.4640, 9.4659, 9.4627),
    "chinese-llama-2-13b": (14.4701, 10.1620, 9.8633, 9.2735, 9.3553, 9.1767, 9.1326, 9.1394, 9.1050),
    "chinese-alpaca-2-1.3b": (19.9339, 17.2487, 16.1358, 16.4583, None, 15.7547, 15.8166, 15.7972, 15.8098),
    "chinese-alpaca-2-7b": (10.3705, 8.8478, 8.6418, 8.3294, 8.3320, 8.2361, 8.1956, 8.1784, 8.1799),
    "chinese-alpaca-2-13b": (13.7636, 9.5388, 9.1694, 8.6633, 8.6745, 8.5161, 8.4943, 8.4595, 8.4550),
    "chinese-llama-2-7b-16k": (11.5580, 9.8263, 9.6558, 9.5590, 9.2767, 9.4303, 9.4046, 9.2145, 9.4045),
    "chinese-llama-2-13b-16k": (11.8958, 9.7130, 9.2002, 9.0055, 8.8441, 8.8999, 8.8944, 8.8745, 8.8687),
    "chinese-alpaca-2-7b-16k": (11.8181, 9.5596, 9.6480, 8.9622, 8.9274, 8.8370, 8.7830, 8.7644, 8.7676),
    "chinese-alpaca-2-13b-16k": (12.7790, 10.0834, 9.7072, 9.2864, 9.2062, 9.0912, 9.0799, 9.0200, 9.0142),
    "chinese-llama-2-7b-64k": (11.5424, 10.0152, 9.7500, 9.7687, 9.4647, 9.6229, 9.5996, 9.4078, 9.5750),
    "chinese-alpaca-2-7b-64k": (9.8201, 8.4435, 8.3573, 8.0558, 8.0220, 7.9388, 7.9267, 7.9117, 7.9124),
    "chinese-alpaca-2-1.3b-rlhf": (20.1066, 16.9214, 15.8056, 16.1579, 15.4528, 15.3198, 15.3718, 15.3302, 15.3291),
    "chinese-alpaca-2-7b-rlhf": (10.5211, 8.9748, 8.7843, 8.4643, 8.4563, 8.3722, 8.3207, 8.3100, 8.3112),
}
_IM_TYPES = ("Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K")
_PERPLEXITIES_IM: dict[str, tuple[float, ...]] = {
    "chinese-llama-2-1.3b": (19.0472, 14.2966, 13.0832, 12.6305, 12.6944),
    "chinese-llama-2-7b": (12.7682, 9.8508, 9.6327, 9.4447, 9.4507),
    "chinese-llama-2-13b": (17.4275, 9.7486, 9.2734, 9.1594, 9.1478),
    "chinese-alpaca-2-1.3b": (18.8935, 17.2950, 16.2688, 16.0190, 15.7357),
    "chinese-alpaca-2-7b": (11.7442, 8.7104, 8.3034, 8.2136, 8.1852),
    "chinese-alpaca-2-13b": (20.6803, 9.1016, 8.6377, 8.5210, 8.5011),
    "chinese-llama-2-7b-16k": (12.3757, 9.7124, 9.4945, 9.4275, 9.4106),
    "chinese-llama-2-13b-16k": (13.0017, 9.3443, 8.9848, 8.8983, 8.8833),
    "chinese-alpaca-2-7b-16k": (13.6285, 9.3748, 8.9229, 8.8221, 8.7695),
    "chinese-alpaca-2-13b-16k": (13.8057, 9.6355, 9.2097, 9.0701, 9.0558),
    "chinese-llama-2-7b-64k": (12.1599, 9.9269, 9.7239, 9.5673, 9.5753),
    "chinese-alpaca-2-7b-64k": (10.3057, 8.3556, 8.0557, 7.9440, 7.9126),
    "chinese-alpaca-2-1.3b-rlhf": (18.8209, 16.5729, 15.7746, 15.4791, 15.2572),
    "chinese-alpaca-2-7b-rlhf": (11.9331, 8.8238, 8.4226, 8.3336, 8.3047),
}


def quantized(model: FamilyModel) -> tuple[Quantized, ...]:
    """The published quantizations of a model, smallest first."""
    im = dict(zip(_IM_TYPES, _PERPLEXITIES_IM[model.name], strict=True))
    rows = zip(TYPES, _SIZES_GB[model.size], _PERPLEXITIES[model.name], strict=True)
    return tuple(
        Quantized(name, size, perplexity, _SIZES_IM_GB[model.size].get(name), im.get(name))
        for name, size, perplexity in rows
    )
