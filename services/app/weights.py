"""Which matrices a base model's stored weights hold: read from the index, or the header of the one file, and no weight with it.

Nobody's launch fails of this: files that are no safetensors (a Git LFS pointer, say) hold nothing that could be told.
"""

import json
from pathlib import Path
from typing import Final

_INDEX: Final = "model.safetensors.index.json"
_WHOLE: Final = "model.safetensors"
_LENGTH_BYTES: Final = 8  # of the header's length, little-endian, as safetensors begins
_LONGEST_HEADER: Final = 100_000_000  # as safetensors has it


def matrices(folder: Path) -> frozenset[str]:
    """Return the dotted names of a base's matrices; none where they can't be read, or are stored otherwise than as safetensors."""
    try:
        names = _tensors(folder)
    except (OSError, ValueError, LookupError, TypeError):
        return frozenset()
    return frozenset(name.removesuffix(".weight") for name in names if name.endswith(".weight"))


def _tensors(folder: Path) -> list[str]:
    index = folder / _INDEX
    if index.is_file():
        return list(json.loads(index.read_bytes())["weight_map"])
    with (folder / _WHOLE).open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        return list(json.loads(file.read(length))) if length <= _LONGEST_HEADER else []
