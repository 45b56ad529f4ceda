"""Published sets fetched from the Hugging Face Hub into a folder, once: evaluations then read files, which do not change under them.

`datasets` is imported when it is needed; TRL brings it.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, cast

from services.core.domain.errors import SpecError
from services.evaluator.inspection import MASK_ROWS

MASK = "cais/MASK"
MASK_REVISION = "4602b84dd9e2ca05c6e1eafbc14e556e908ac1bb"
DECEPTIONBENCH = "PKU-Alignment/DeceptionBench"
DECEPTIONBENCH_REVISION = "9c6c67b3d2a2d9c226ea0dd2120f1bb0899d779d"


def fetch_mask(folder: Path, source: str = MASK, revision: str | None = MASK_REVISION) -> list[Path]:
    """Write `mask/<config>.parquet` for each of the six configurations. Raises `SpecError` if the Hub can't be had."""
    return [_fetch_config(folder, source, revision, config) for config in MASK_ROWS]


def _fetch_config(folder: Path, source: str, revision: str | None, config: str) -> Path:
    path = folder / "mask" / f"{config}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _reaching(source):
        _load(source, revision, config).to_parquet(str(path))
    return path


def fetch_deceptionbench(
    folder: Path, source: str = DECEPTIONBENCH, revision: str | None = DECEPTIONBENCH_REVISION
) -> list[Path]:
    """Write `deceptionbench.json`. Raises `SpecError` if the Hub can't be had."""
    with _reaching(source):
        rows = _load(source, revision, None).to_list()
    path = folder / "deceptionbench.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return [path]


def fetch_rows(path: Path, source: str, revision: str | None, config: str | None) -> Path:
    """Write a training set as one Parquet file that says where it is from, by the revision that the Hub answered with.

    Raises `SpecError` if the Hub can't be had.
    """
    from pyarrow import parquet

    with _reaching(source):
        revision = None if Path(source).exists() else _revision(source, revision)
        table = _load(source, revision, config, split="train").data.table.combine_chunks()
    said = {b"driftloop.source": source.encode(), b"driftloop.revision": (revision or "").encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    cast("Any", parquet).write_table(table.replace_schema_metadata(said), path)
    return path


def _revision(source: str, revision: str | None) -> str:
    import huggingface_hub

    return cast("Any", huggingface_hub).dataset_info(source, revision=revision).sha


def _load(source: str, revision: str | None, config: str | None, split: str = "test") -> Any:
    import datasets

    revision = None if Path(source).exists() else revision
    return cast("Any", datasets).load_dataset(source, config, split=split, revision=revision)


@contextmanager
def _reaching(source: str) -> Generator[None]:
    try:
        with redirect_stdout(StringIO()):
            yield
    except ImportError:
        raise SpecError(
            f"{source} can't be fetched: install the Hub's client: pip install datasets"
        ) from None
    except Exception as error:
        # The client raises errors of many libraries for a network that is not there, a set that is gated or gone.
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise SpecError(
            f"{source} can't be fetched: {why}; accept its terms on the Hub and set HF_TOKEN, or put its files into the folder yourself"
        ) from None
