"""A spec file, from the path that a person typed to the mapping in it.

What its fields hold is checked by `core.domain.sweep`; complaints get the file's name by `naming`.
"""

from pathlib import Path
from typing import Any

from services.core.domain.complaints import naming, near, read_mapping
from services.core.domain.errors import SpecError
from services.core.settings import PROJECT

PRESETS = PROJECT / "scenarios/presets"


def read_spec_file(path: Path) -> dict[str, Any]:
    """Return the mapping of a YAML spec file. Raises `SpecError`: one line naming the file and the mend."""
    data = _bytes_of(path)
    with naming(path):
        return read_mapping(data)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file; {_neighbour(path)}") from None
    except IsADirectoryError:
        raise SpecError(f"{path}: is a folder; name a YAML file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{path}: can't be read ({reason}); check the path and its permissions") from None


def _neighbour(path: Path) -> str:
    """Say what was probably meant: a preset by its name, a file with nearly this name, or what lies there."""
    presets = [preset for preset in PRESETS.rglob("*.yaml") if preset.stem == path.name]
    if presets:
        return f"did you mean the preset {presets[0]}?"
    specs = sorted(spec.name for spec in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    if meant := near(path.name, specs):
        return f"did you mean {path.parent / meant}?"
    return "check the path" + (f" (that folder has {', '.join(specs[:5])})" if specs else "")
