"""Launching over REST: runs, sweeps, clones, and plans of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from services.core.db import runs
from services.core.domain.errors import SpecError
from services.core.domain.identity import LaunchOutcome
from services.core.domain.sweep import changed
from services.core.operations import launching, planning
from services.core.operations.launching import LaunchedSweep as Launched
from services.core.operations.launching import NewArm
from services.core.rest.launches import LaunchedArm, LaunchedRun, LaunchedSweep, Plan, PlannedCost, PlannedRun
from services.simulator.api.auth import Launcher
from services.simulator.api.bodies import AnySpecBody, ChangesBody, SpecBody, SweepBody
from services.simulator.api.idempotency import Answer, OnlyOnce
from services.simulator.api.problems import documented
from services.simulator.api.state import ApiState, Database, State
from services.simulator.api.views import run_summaries, whole_run

router = APIRouter(tags=["launching"])

New = Annotated[bool, Query(description="Repeat a run that is finished, as another run.")]


@router.post(
    "/runs",
    summary="Launch a run",
    status_code=201,
    response_model=LaunchedRun,
    responses={
        **documented(409),
        200: {"model": LaunchedRun, "description": "This spec's run was there already"},
    },
)
def launch_run(
    _: Launcher, once: OnlyOnce, session: Database, state: State, spec: SpecBody, new: New = False
) -> JSONResponse:
    """Create the run of a spec, go on with its unfinished run, or show its finished one."""
    if "sweep" in spec:
        raise SpecError("sweep: makes several runs of a spec; POST /v1/sweeps launches them, or leave it out")
    return once.answer(session, lambda: _launch_one(session, state, spec, new))


@router.post(
    "/runs/{run_id}/clone",
    summary="Launch a run's spec with changes",
    status_code=201,
    response_model=LaunchedRun,
    responses={
        **documented(404, 409),
        200: {"model": LaunchedRun, "description": "The changed spec's run was there already"},
    },
)
def clone_run(
    _: Launcher,
    once: OnlyOnce,
    session: Database,
    state: State,
    run_id: str,
    changes: ChangesBody,
    new: New = False,
) -> JSONResponse:
    """Launch the spec of a run with some fields changed. Without a change that decides results it is the same run."""

    def clone() -> Answer:
        return _launch_one(session, state, changed(runs.get_run(session, run_id).spec, changes), new)

    return once.answer(session, clone)


@router.post(
    "/sweeps",
    summary="Launch a sweep",
    status_code=201,
    response_model=LaunchedSweep,
    responses={
        **documented(409),
        200: {"model": LaunchedSweep, "description": "All runs of the sweep were there already"},
    },
)
def launch_sweep(
    _: Launcher, once: OnlyOnce, session: Database, state: State, spec: SweepBody, new: New = False
) -> JSONResponse:
    """Launch a run for every combination of the swept fields' values, and hold them together as a sweep."""
    if "sweep" not in spec:
        raise SpecError(
            "sweep: is missing; add fields with lists of values, or POST /v1/runs for a single run"
        )

    def launch() -> Answer:
        arms, launched = _launch(session, state, spec, new)
        return Answer(_status(launched), _sweep_view(session, state, arms, launched))

    return once.answer(session, launch)


@router.post("/plans", summary="Say what a spec would do")
def plan(_: Launcher, session: Database, state: State, spec: AnySpecBody, new: New = False) -> Plan:
    """Check a spec, with or without a sweep, and say what launching it would come to: of finished runs nothing, of begun ones the whole. Nothing is started or kept."""
    arms = planning.read_arms(spec, state.catalogue)
    foretold = planning.foretell(session, arms, new)
    work = planning.work_to_do(arms, foretold, state.catalogue)
    planned = tuple(
        PlannedRun(id=found.run_id, outcome=found.outcome, labels=arm.labels, spec=arm.run.spec)
        for arm, found in zip(arms, foretold, strict=True)
    )
    return Plan(
        rounds=work.rounds,
        conversations=work.conversations,
        items=work.items,
        rows=work.rows,
        steps=work.steps,
        tokens=round(work.estimate.trained_tokens),
        estimate=PlannedCost.of(work.estimate),
        warnings=work.warnings,
        runs=planned,
    )


def _launch_one(session: Session, state: ApiState, spec: dict[str, Any], new: bool) -> Answer:
    arms, launched = _launch(session, state, spec, new)
    ((run_id, outcome),) = launched.arms
    warnings = planning.cautions(arms, state.catalogue)
    shown = LaunchedRun(outcome=outcome, run=whole_run(session, run_id), warnings=warnings)
    return Answer(_status(launched), shown)


def _launch(
    session: Session, state: ApiState, spec: dict[str, Any], new: bool
) -> tuple[tuple[NewArm, ...], Launched]:
    arms = planning.read_arms(spec, state.catalogue)
    launched = launching.launch(session, arms[0].run.spec.name, arms, new)
    state.ring_after(session, launched.run_ids)
    return arms, launched


def _status(launched: Launched) -> int:
    return 201 if any(arm.outcome is LaunchOutcome.CREATED for arm in launched.arms) else 200


def _sweep_view(
    session: Session, state: ApiState, arms: tuple[NewArm, ...], launched: Launched
) -> LaunchedSweep:
    assert launched.sweep_id is not None  # a spec with a sweep has labels
    found = run_summaries(session, tuple(runs.get_runs(session, launched.run_ids).values()))
    return LaunchedSweep(
        id=launched.sweep_id,
        name=arms[0].run.spec.name,
        arms=tuple(
            LaunchedArm(outcome=arm.outcome, labels=new.labels, run=found[arm.run_id])
            for new, arm in zip(arms, launched.arms, strict=True)
        ),
        warnings=planning.cautions(arms, state.catalogue),
    )
