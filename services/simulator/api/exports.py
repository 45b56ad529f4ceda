"""Exports over REST: everything that lists show, whole, as JSON lines or Parquet, under the same filters.

A selection is exported as the rows that trained its round, to the byte; TRL loads them as they are.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine
from starlette.responses import Response

from services.core.db import runs, streams
from services.core.db.runs import RunRecord
from services.core.db.session import transaction
from services.core.domain.errors import SpecError
from services.core.operations.selected import rows_of_round
from services.simulator.api.auth import Reader
from services.simulator.api.evaluations import VerdictQuery
from services.simulator.api.files import CONTENT, Column, Format, as_file
from services.simulator.api.naming import Name, Round
from services.simulator.api.state import Database, State
from services.simulator.api.trajectories import Which

router = APIRouter(prefix="/exports", tags=["exports"])

Form = Annotated[Format, Query(alias="format", description="How rows are written.")]
Runs = Annotated[tuple[Name, ...], Query(alias="run", min_length=1, description="Runs, by id or beginning.")]
Rounds = Annotated[tuple[Round, ...], Query(alias="round", description="Only of these rounds.")]

_TRAJECTORIES = {
    "id": Column.BIG,
    "run": Column.TEXT,
    "round": Column.NUMBER,
    "slot": Column.NUMBER,
    "scenario": Column.TEXT,
    "profile": Column.TEXT,
    "user_kind": Column.TEXT,
    "policy": Column.TEXT,
    "status": Column.TEXT,
    "cause": Column.TEXT,
    "satisfaction": Column.FRACTION,
    "ratings": Column.FRACTIONS,
    "messages": Column.MESSAGES,
    "calls": Column.JSON,
    "created_at": Column.TIME,
    "label": Column.TEXT,
    "rank": Column.NUMBER,
    "reason": Column.TEXT,
}
_SFT = {
    "prompt": Column.MESSAGES,
    "completion": Column.MESSAGES,
    "slot": Column.NUMBER,
    "turn": Column.NUMBER,
}
_KTO = _SFT | {"label": Column.FLAG}
_SAFETY = {"safety_id": Column.TEXT, "safety_sha256": Column.TEXT}
_TOLD = {
    "dataset": Column.TEXT,
    "dataset_sha256": Column.TEXT,
    "level": Column.TEXT,
    "row_id": Column.TEXT,
}
_VERDICTS = {
    "run": Column.TEXT,
    "round": Column.NUMBER,
    "policy": Column.TEXT,
    "benchmark": Column.TEXT,
    "subset": Column.TEXT,
    "item": Column.TEXT,
    "repeat": Column.NUMBER,
    "outcome": Column.TEXT,
    "scorer": Column.TEXT,
    "scorer_version": Column.TEXT,
    "detail": Column.JSON,
}


@router.get("/trajectories", summary="Export trajectories", responses=CONTENT, response_class=Response)
def export_trajectories(_: Reader, state: State, which: Which, form: Form = Format.JSONL) -> Response:
    """Return whole conversations by id; the filters are those of the list."""
    return as_file(streams.trajectories(state.engine, which), _TRAJECTORIES, form, "trajectories")


@router.get("/selections", summary="Export training rows", responses=CONTENT, response_class=Response)
def export_selections(
    _: Reader,
    session: Database,
    state: State,
    run: Runs,
    round_: Rounds = (),
    form: Form = Format.JSONL,
) -> Response:
    """Return the rows that trained these rounds (all, unless some are named), ready for TRL.

    SFT rows are `prompt`, `completion`, `slot`, `turn`; KTO rows have `label` too, so runs of both methods don't mix. Rows of safety
    data have `safety_id` and `safety_sha256` (of their file) instead of `slot` and `turn`; rows of training
    sets `dataset`, `dataset_sha256`, `level` and `row_id`.
    """
    wanted = [runs.get_run(session, name) for name in dict.fromkeys(run)]
    methods = {one.spec.training.method for one in wanted}
    if len(methods) > 1:
        raise SpecError("run: these runs train by sft and by kto, whose rows differ; export them apart")
    rows = _training_rows(state.engine, wanted, round_)
    columns = _KTO if methods == {"kto"} else _SFT
    if any(one.spec.mitigations.safety_share for one in wanted):
        columns = columns | _SAFETY
    if any(one.spec.data.is_told for one in wanted):
        columns = columns | _TOLD
    return as_file(rows, columns, form, "selections")


@router.get("/verdicts", summary="Export verdicts", responses=CONTENT, response_class=Response)
def export_verdicts(
    _: Reader,
    session: Database,
    state: State,
    run: Runs,
    asked: Annotated[VerdictQuery, Depends()],
    round_: Rounds = (),
    form: Form = Format.JSONL,
) -> Response:
    """Return judged items with replies and the judge's raw text in `detail`."""
    ids = [runs.get_run(session, name).id for name in dict.fromkeys(run)]
    rows = streams.verdicts(state.engine, ids, round_, asked.as_filter())
    return as_file(rows, _VERDICTS, form, "verdicts")


def _training_rows(
    engine: Engine, wanted: list[RunRecord], only: tuple[int, ...]
) -> Iterator[dict[str, Any]]:
    for run in wanted:
        for round_ in only or range(1, run.spec.rounds + 1):
            with transaction(engine) as session:
                rows = rows_of_round(session, run, round_)
            yield from rows
