"""A run's or a sweep's spec file, from the path that a person typed to arms that can be launched.

Everything that may be wrong with it is found here, before anything is written: the file, its YAML, every field of every
arm, and, through the caller's `check`, what only the installation knows (environments, scenarios, models).
"""

from collections.abc import Callable
from pathlib import Path

from services.core.domain.complaints import read_mapping
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec
from services.core.domain.sweep import Arm, expand


def read_spec_file(path: Path, check: Callable[[RunSpec], None]) -> tuple[Arm, ...]:
    """Return the arms of a YAML spec file, each passed through `check` (which raises SpecError).

    Raises:
        SpecError: one line naming the file, the field and the mend.
    """
    arms = expand(read_mapping(_bytes_of(path), str(path)), str(path))
    for arm in arms:
        try:
            check(arm.spec)
        except SpecError as error:
            raise SpecError(f"{path}: {error}") from None
    return arms


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file; check the path{_neighbour(path)}") from None
    except IsADirectoryError:
        raise SpecError(f"{path}: is a folder; name a YAML file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{path}: can't be read ({reason}); check the path and its permissions") from None


def _neighbour(path: Path) -> str:
    specs = sorted(path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f" (that folder has {', '.join(spec.name for spec in specs[:5])})" if specs else ""
