"""What trained a round's policy: the chosen conversations, why, and the very rows that they became."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from services.core.datasets.examples import examples, row_of, told_rows, training_rows
from services.core.db import runs, safety, selections, set_rows, trajectories
from services.core.db.runs import RunRecord
from services.core.db.selections import RankPlace
from services.core.domain.selection import Label, Selected


@dataclass(frozen=True, slots=True)
class Chosen:
    """A chosen conversation and its training rows, one a reply."""

    trajectory_id: int
    selected: Selected
    rows: tuple[dict[str, Any], ...]


def selection_page(
    session: Session,
    run_id: str,
    round_: int,
    labels: Collection[Label],
    limit: int,
    after: RankPlace | None = None,
) -> tuple[Chosen, ...]:
    """Return a part of a round's selection by rank; empty before the round's selection. Raises `NotFound`."""
    run = runs.get_run(session, run_id)
    training = run.spec.training
    page = selections.page(session, run.id, round_, labels, limit, after)
    held = trajectories.of_slots(session, run.id, round_, [chosen.slot for chosen in page])
    found: list[Chosen] = []
    for chosen in page:
        trajectory_id, trajectory = held[chosen.slot]
        turns = examples([trajectory], [chosen], keep_system_prompt=training.keep_system_prompt)
        rows = tuple(row_of(turn, training.method) for turn in turns)
        found.append(Chosen(trajectory_id, chosen, rows))
    return tuple(found)


def rows_of_round(session: Session, run: RunRecord, round_: int) -> Iterator[dict[str, Any]]:
    """Yield the rows that train a round, in the order of its training; none before they were selected or drawn.

    What was chosen is read at once, and held until the last row is taken; the session may end before.
    """
    if run.spec.data.is_told:
        rows = set_rows.of_run(session, run.id)
        return told_rows(rows, keep_system_prompt=run.spec.training.keep_system_prompt)
    chosen = selections.of_round(session, run.id, round_)
    held = trajectories.of_slots(session, run.id, round_, [one.slot for one in chosen])
    drawn = safety.of_round(session, run.id, round_)
    return training_rows(run.spec, round_, (found for _, found in held.values()), chosen, drawn)
