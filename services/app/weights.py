"""Which matrices a base model's stored weights hold: read from the index, or the header of the one file, and no weight with it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_INDEX: Final = "model.safetensors.index.json"
_WHOLE: Final = "model.safetensors"
_LENGTH_BYTES: Final = 8  # of the header's length, little-endian, as safetensors begins


def matrices(folder: Path) -> frozenset[str]:
    """Return the dotted names of a base's matrices; none where its weights are stored otherwise than as safetensors."""
    index, whole = folder / _INDEX, folder / _WHOLE
    if index.is_file():
        return _named(json.loads(index.read_bytes())["weight_map"])
    if not whole.is_file():
        return frozenset()
    with whole.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        return _named(json.loads(file.read(length)))


def _named(tensors: Iterable[str]) -> frozenset[str]:
    return frozenset(name.removesuffix(".weight") for name in tensors if name.endswith(".weight"))
