"""The trajectory database at a million conversations (`python -m benchmarks.trajectories`).

Makes them in an embedded Postgres with the real schema, asks for them through the functions that the API's routes call and through
the API itself, and writes what it took into docs/trajectories.md. A folder that is named with --data is kept, and what it holds is
asked again the next time; it has to be empty or made by the same --rows.
"""

import argparse
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx2
from sqlalchemy import Engine, text

from benchmarks.trajectories import page
from benchmarks.trajectories.asking import indexes, times
from benchmarks.trajectories.exports import Exported, export_columns, export_lines
from benchmarks.trajectories.lists import FILTERED, PAGE, SEARCHES, Case, Draw, question
from benchmarks.trajectories.page import Made, Row
from benchmarks.trajectories.reads import READINGS, Reading
from benchmarks.trajectories.rows import fill
from benchmarks.trajectories.study import Study, study_of
from benchmarks.trajectories.texts import passages, words
from services.app.api import make_api
from services.app.database import open_database
from services.app.serving import private_listener, served
from services.core.db import trajectory_lists
from services.core.db.session import transaction
from services.core.settings import PROJECT, Settings


def main() -> None:
    """Make, ask, print and write."""
    parser = argparse.ArgumentParser(
        description="Ask a database of many conversations, and tell what it took."
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="Conversations; a multiple of 1000.")
    parser.add_argument(
        "--data", type=Path, help="Folder of the database, kept; by default one that is removed."
    )
    parser.add_argument("--shared-buffers", help="Postgres's own memory, such as 1GB; by default 128MB.")
    parser.add_argument("--repeats", type=int, default=40, help="Times that each thing is asked.")
    parser.add_argument("--out", type=Path, default=PROJECT / "docs/trajectories.md")
    parser.add_argument(
        "--no-exports", action="store_true", help="Leave out the exports, which take minutes."
    )
    given = parser.parse_args()
    with _folder(given.data) as folder:
        if given.shared_buffers:
            _set_shared_buffers(folder, given.shared_buffers)
        section = _measure(folder, given.rows, given.repeats, with_exports=not given.no_exports)
    page.write(given.out, section)
    print(f"wrote {given.out}")


@contextmanager
def _folder(named: Path | None) -> Generator[Path]:
    if named is not None:
        yield named.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="driftloop-benchmark-") as made:
        yield Path(made)


def _set_shared_buffers(folder: Path, size: str) -> None:
    """Have the server take so much from its next start on, which is the next time that the folder is opened."""
    with open_database(Settings(data=folder, database_url=None)) as database:
        autocommitting = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with autocommitting.connect() as connection:
            connection.execute(text(f"ALTER SYSTEM SET shared_buffers = '{size}'"))


def _measure(folder: Path, rows: int, repeats: int, *, with_exports: bool) -> str:
    settings = Settings(data=folder, database_url=None, auth="open")
    with open_database(settings) as database, _api(settings, database.engine) as client:
        study, made = _made(database.url, database.engine, rows)
        draw = Draw(study, words(passages(), rows), Random(1))
        lists = [_list(database.engine, client, case, draw, repeats) for case in (*FILTERED, *SEARCHES)]
        others = [_reading(database.engine, client, one, draw, repeats) for one in READINGS]
        exports = _exports(client, study, folder) if with_exports else ()
        section = page.document(database.engine, made, lists, others, exports)
    print(section)
    return section


@contextmanager
def _api(settings: Settings, engine: Engine) -> Generator[httpx2.Client]:
    """The real API, served from a thread on a Unix socket."""
    app = make_api(settings, engine)
    with private_listener() as (path, listener), served(app, listener):
        transport = httpx2.HTTPTransport(uds=str(path))
        with httpx2.Client(base_url="http://localhost", transport=transport, timeout=1800) as client:
            yield client


def _made(url: str, engine: Engine, rows: int) -> tuple[Study, Made]:
    """Return what the folder holds, made if it is empty. What was made is whole once it has verdicts, the last to come."""
    there = _count(engine, "trajectories")
    is_whole = there == rows and _count(engine, "verdicts") > 0
    if not is_whole and _count(engine, "runs"):
        raise SystemExit(f"the folder holds {there} conversations or was left half made; name another")
    study = study_of(engine, rows)
    took_s = None if is_whole else fill(url, study)
    with engine.connect() as connection:
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    return study, Made(rows, took_s, size)


def _count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def _list(engine: Engine, client: httpx2.Client, case: Case, draw: Draw, repeats: int) -> Row:
    def read() -> None:
        asked = question(case, draw)
        with transaction(engine) as session:
            trajectory_lists.summaries(session, asked.which, PAGE + 1, asked.sort, asked.after)

    def rest() -> None:
        client.get("/v1/trajectories", params=question(case, draw).query).raise_for_status()

    def find() -> None:
        asked = question(case, draw)
        with transaction(engine) as session:
            trajectory_lists.ids(session, asked.which, PAGE + 1, asked.sort, asked.after)

    row = Row(case.name, times(read, repeats), times(rest, repeats), indexes(engine, find))
    return _told(row)


def _reading(engine: Engine, client: httpx2.Client, reading: Reading, draw: Draw, repeats: int) -> Row:
    def read() -> None:
        with transaction(engine) as session:
            reading.draw(draw).read(session)

    def rest() -> None:
        client.get(str(reading.draw(draw).path)).raise_for_status()

    is_served = reading.draw(draw).path is not None
    repeats = min(repeats, reading.most_repeats)
    return _told(
        Row(
            reading.name,
            times(read, repeats),
            times(rest, repeats) if is_served else None,
            indexes(engine, read),
        )
    )


def _told(row: Row) -> Row:
    """Say that a row is done: a million conversations take their time."""
    rest = row.rest or row.read
    print(
        f"{row.name}: {row.read.p50_ms:.1f} {row.read.p95_ms:.1f}; {rest.p50_ms:.1f} {rest.p95_ms:.1f}; {', '.join(row.indexes)}",
        flush=True,
    )
    return row


def _exports(client: httpx2.Client, study: Study, folder: Path) -> Sequence[Exported]:
    export_lines(client, {"run": study.arms[0].id})  # what is imported or kept once is no growth
    return export_lines(client), export_columns(client, folder)


if __name__ == "__main__":
    main()
