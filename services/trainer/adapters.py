"""An adapter as an artifact: a PEFT folder that appears complete or not at all, and never changes.

It holds `adapter_model.safetensors`, `adapter_config.json` and `training.json`. The first two are what servers load,
and their sha256 is the adapter's identity; the configuration is canonical (sorted, no paths), so equal adapters have
equal bytes wherever they were made. `training.json` says how it came about. A folder is written beside its place,
flushed, and renamed in; what a killed writer left is swept by the next one. When two writers meet, the first wins.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.core.domain.errors import AdapterError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
RECORD = "training.json"


def content_sha256(adapter: Path) -> str:
    """Return the hex sha256 over the weights and the configuration. Raises AdapterError if they can't be read."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        try:
            with (adapter / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise AdapterError(f"no adapter at {adapter}: {name} can't be read ({error.strerror})") from None
    return digest.hexdigest()


def canonical_config(config: dict[str, Any]) -> bytes:
    """Return a PEFT configuration as bytes that say what the adapter is and not where or in which order.

    Lists of module names are sets in PEFT, whose order changes from process to process.
    """
    kept = {name: sorted(value) if _is_names(value) else value for name, value in config.items()}
    kept["base_model_name_or_path"] = None
    return (json.dumps(kept, indent=2, sort_keys=True) + "\n").encode()


def read_record(adapter: Path) -> dict[str, Any] | None:
    """Return how a finished adapter came about, or None if there is none at this place.

    Raises AdapterError when the folder's contents are not those that were recorded.
    """
    try:
        record: dict[str, Any] = json.loads((adapter / RECORD).read_text())
    except FileNotFoundError:
        return None
    if content_sha256(adapter) != record["sha256"]:
        raise AdapterError(
            f"adapter {adapter} was changed after it was made; delete the folder to train it again"
        )
    return record


@contextmanager
def staged(adapter: Path) -> Generator[Path]:
    """Yield an empty folder; on leaving without error it becomes `adapter`, unless another writer was first."""
    adapter.parent.mkdir(parents=True, exist_ok=True)
    _sweep(adapter)
    staging, lock = _locked_folder(adapter)
    try:
        yield staging
        for file in staging.iterdir():
            _flush(file)
        _rename_unless_taken(staging, adapter)
        _flush(adapter.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def write_record(staging: Path, facts: dict[str, Any]) -> None:
    """Write `training.json`; to be done last, since it records the contents."""
    record = facts | {"sha256": content_sha256(staging)}
    (staging / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)  # pyright: ignore[reportUnknownVariableType]  # JSON


def _locked_folder(adapter: Path) -> tuple[Path, int]:
    """Make a folder beside `adapter` and hold its lock, which ends with this process however that ends."""
    while True:
        staging = Path(tempfile.mkdtemp(prefix=f".{adapter.name}.", suffix=".part", dir=adapter.parent))
        lock = os.open(staging, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if staging.exists():
            return staging, lock
        os.close(lock)  # a sweeper took it between the two calls


def _sweep(adapter: Path) -> None:
    """Remove what killed writers left: folders whose lock nobody holds."""
    for leftover in adapter.parent.glob(f".{adapter.name}.*.part"):
        with contextlib.suppress(OSError):
            lock = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover)
            finally:
                os.close(lock)


def _rename_unless_taken(staging: Path, adapter: Path) -> None:
    try:
        staging.rename(adapter)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        if not (adapter / RECORD).exists():
            raise AdapterError(f"{adapter} is in the way of an adapter; move it elsewhere") from None


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
