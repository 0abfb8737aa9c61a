"""The KV cache of a transformers model, in tensors that grow by halves and can be cut at any token.

The library's own DynamicCache copies all of it for every new token. Here a token is written where there is room.
Layers with a sliding window keep everything too, since a cache without the past cannot be taken back; the mask,
which the model makes, still hides what lies outside the window.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST_ROOM = 256  # tokens
_LENGTH = 8  # bytes of the length of a snapshot's header


class GrowingLayer:
    """Keys and values of one layer, as transformers asks for them: [1, heads, tokens, width].

    It has the methods of transformers' CacheLayerMixin, and is registered as one when the library is there: so it
    can be defined without it.

    Args:
        most_tokens: what the window allows; room is never made for more.
    """

    is_compileable = False
    is_sliding = False
    is_croppable = True
    supports_early_init = False

    def __init__(self, most_tokens: int) -> None:
        self._most = most_tokens
        self._keys: Any = None
        self._values: Any = None
        self._n = 0

    @property
    def is_initialized(self) -> bool:
        """Whether anything was ever written."""
        return self._keys is not None

    @property
    def keys(self) -> Any:  # noqa: ANN401
        """The keys written so far; None before the first."""
        return None if self._keys is None else self._keys[..., : self._n, :]

    @property
    def values(self) -> Any:  # noqa: ANN401
        """The values written so far; None before the first."""
        return None if self._values is None else self._values[..., : self._n, :]

    def update(self, keys: Any, values: Any, *_args: object, **_options: object) -> tuple[Any, Any]:  # noqa: ANN401
        """Add the keys and values of new tokens; all of them so far are the result."""
        end = self._n + keys.shape[-2]
        self._keys = self._with_room(self._keys, keys, end)
        self._values = self._with_room(self._values, values, end)
        self._keys[..., self._n : end, :] = keys
        self._values[..., self._n : end, :] = values
        self._n = end
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many tokens a query of that length sees, and from which on."""
        return self._n + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens written."""
        return self._n

    def get_max_length(self) -> int:
        """No length of the layer's own."""
        return -1

    def cut(self, n_tokens: int) -> None:
        """Forget all but the first tokens; the room stays."""
        self._n = min(self._n, n_tokens)

    def _with_room(self, room: Any, new: Any, end: int) -> Any:  # noqa: ANN401
        if room is not None and room.shape[-2] >= end:
            return room
        n = max(end, min(self._most, max(_FIRST_ROOM, end + end // 2)))
        grown = new.new_empty((*new.shape[:-2], n, new.shape[-1]))
        if room is not None:
            grown[..., : self._n, :] = room[..., : self._n, :]
        return grown


def new_cache(transformers: Any, n_layers: int, most_tokens: int) -> Any:  # noqa: ANN401
    """An empty cache of GrowingLayers, one a layer of the model."""
    transformers.cache_utils.CacheLayerMixin.register(GrowingLayer)
    return transformers.Cache(layers=[GrowingLayer(most_tokens) for _ in range(n_layers)])


def snapshot_bytes(layers: Sequence[GrowingLayer]) -> int:
    """What a snapshot would take now."""
    tensors = _tensors(layers)
    return _LENGTH + len(_header(tensors)) + sum(int(t.numel() * t.element_size()) for t in tensors)


def take_snapshot(torch: Any, layers: Sequence[GrowingLayer]) -> npt.NDArray[np.uint8]:  # noqa: ANN401
    """A header with the shapes, then keys and values of each layer."""
    tensors = _tensors(layers)
    header = _header(tensors)
    result = np.empty(snapshot_bytes(layers), dtype=np.uint8)
    result[:_LENGTH] = np.frombuffer(len(header).to_bytes(_LENGTH, "little"), dtype=np.uint8)
    at = _LENGTH + len(header)
    result[_LENGTH:at] = np.frombuffer(header, dtype=np.uint8)
    for tensor in tensors:
        n_bytes = tensor.numel() * tensor.element_size()
        torch.from_numpy(result[at : at + n_bytes]).view(tensor.dtype).view(tensor.shape).copy_(tensor)
        at += n_bytes
    return result


def restore_snapshot(
    torch: Any,  # noqa: ANN401
    layers: Sequence[GrowingLayer],
    snapshot: npt.NDArray[np.uint8],
    devices: Sequence[object],
) -> None:
    """Write what take_snapshot() gave into empty layers.

    Raises:
        ValueError: the snapshot is of another number of layers, or too short.
    """
    length = int.from_bytes(snapshot[:_LENGTH].tobytes(), "little")
    at = _LENGTH + length
    shapes = json.loads(snapshot[_LENGTH:at].tobytes())
    if len(shapes) != 2 * len(layers):
        raise ValueError(f"a snapshot of {len(shapes) // 2} layers for a model of {len(layers)}")
    tensors = []
    for place, (name, shape) in enumerate(shapes):
        dtype = getattr(torch, name)
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        flat = torch.from_numpy(snapshot[at : at + n_bytes])
        tensors.append(flat.view(dtype).view(shape).to(devices[place // 2]))  # update() copies
        at += n_bytes
    for place, layer in enumerate(layers):
        layer.update(tensors[2 * place], tensors[2 * place + 1])


def _tensors(layers: Sequence[GrowingLayer]) -> list[Any]:
    return [tensor for layer in layers for tensor in (layer.keys, layer.values)]


def _header(tensors: Sequence[Any]) -> bytes:
    """Type and shape of each tensor, padded so that the tensors begin at a multiple of 64 bytes."""
    shapes = [(str(t.dtype).removeprefix("torch."), list(t.shape)) for t in tensors]
    header = json.dumps(shapes).encode()
    return header + b" " * (-(_LENGTH + len(header)) % 64)
