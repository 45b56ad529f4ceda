"""How long something takes, and which indexes it goes by: of the statements that were really sent, as they were sent."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Engine, event

WARM_UP: Final = 3
"""Times that are not counted."""
Ask = Callable[[], object]


class Times(NamedTuple):
    """How long something took, each time asked for something else."""

    p50_ms: float
    p95_ms: float
    n: int


class Sent(NamedTuple):
    """A statement as it went to the server."""

    statement: str
    parameters: Any


def times(ask: Ask, repeats: int) -> Times:
    """Return how long asking takes."""
    for _ in range(WARM_UP):
        ask()
    took_s = [_timed(ask) for _ in range(repeats)]
    p50, p95 = np.percentile(took_s, [50, 95]) * 1000
    return Times(float(p50), float(p95), repeats)


def _timed(ask: Ask) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def indexes(engine: Engine, ask: Ask) -> tuple[str, ...]:
    """Return the indexes by which the server answers, and the tables that it reads from one end to the other.

    What is asked of the planner and the catalogue on the way is left out.
    """
    with _listening(engine) as sent:
        ask()
    asked = [
        one for one in sent if not one.statement.startswith("EXPLAIN") and "pg_class" not in one.statement
    ]
    with engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {one.statement}", one.parameters).scalar_one()
            for one in asked
        ]
    return tuple(dict.fromkeys(step for plan in plans for step in _steps(plan[0]["Plan"])))


@contextmanager
def _listening(engine: Engine) -> Generator[Sequence[Sent]]:
    sent: list[Sent] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append(Sent(statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _steps(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    elif plan["Node Type"] == "Seq Scan":
        yield f"all of {plan['Relation Name']}"
    for inner in plan.get("Plans", ()):
        yield from _steps(inner)
