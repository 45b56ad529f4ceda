"""A run's page: its drift round by round, how far it is, whom it talked with and what trained it; live while it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Annotated, Final

import yaml
from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from services.core.db import events, policies, runs, shards, sweeps
from services.core.db.census import census
from services.core.db.shards import PhaseTotals
from services.core.domain.complaints import fit
from services.core.domain.events import EventKind
from services.core.domain.phases import PhaseName, RunStatus
from services.core.domain.spec import BudgetSpec
from services.core.operations import launching
from services.core.operations.progress import progress_of, remaining
from services.core.queue import warnings
from services.core.rest.launches import Resumption
from services.simulator.api.auth import Reader
from services.simulator.api.state import Database, State
from services.simulator.api.views import alert_view
from services.simulator.pages.entrance import Sender
from services.simulator.pages.figures import captions
from services.simulator.pages.glance import glances
from services.simulator.pages.look import page
from services.simulator.pages.memory import Memory
from services.simulator.pages.studies import measured_run
from services.simulator.report import sections
from services.simulator.report.findings import findings
from services.simulator.report.results import study_of_results
from services.simulator.report.study import arms

router = APIRouter(prefix="/runs", include_in_schema=False)
GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Under pressure": sections.PRESSURE,
    "Dishonest or forgetful?": sections.KNOWLEDGE,
    "Targeting": sections.TARGETING,
}
"""The measures of the table, by what they tell."""

# What is counted where the count tells something.
_UNITS: Final[Mapping[PhaseName, str]] = {
    PhaseName.SIMULATE: "conversation",
    PhaseName.TRAIN: "step",
    PhaseName.EVALUATE: "item",
}


@dataclass(frozen=True)
class Limits:
    """What the form that resumes a run sends: the limits that are to be others, as they were typed."""

    tokens: Annotated[str, Form(max_length=20)] = ""
    usd: Annotated[str, Form(max_length=20)] = ""
    hours: Annotated[str, Form(max_length=20)] = ""

    def budget(self) -> BudgetSpec:
        """Return them as a budget. Raises `SpecError`."""
        given = {name: typed for name, typed in asdict(self).items() if typed.strip()}
        return fit(Resumption, {"budget": given}).budget


@router.get("/{run_id}")
def show_run(request: Request, caller: Reader, session: Database, measured: Memory, run_id: str) -> Response:
    """Return a run's page."""
    run = runs.get_run(session, run_id)
    place = sweeps.sweeps_of(session, [run.id]).get(run.id)
    (progress,) = progress_of(session, [run])
    held = glances(census(session, run.id))
    rounds = measured.rounds(session, measured.complete(session, [run])[run.id])
    result = measured_run(run, {}, rounds)
    study = study_of_results(run.name, [result])
    return page(
        request,
        caller,
        "run",
        run=run,
        place=place,
        is_live=run.status is RunStatus.RUNNING,
        is_worked=run.id in shards.worked(session, [run.id]),
        is_pocket=study.is_pocket,
        kinds=" ".join(EventKind),
        seen=events.last_seq(session, run.id),
        progress=progress,
        left=remaining(session, progress),
        phases=_by_round(progress.phases),
        phase_names=tuple(PhaseName),
        units=_UNITS,
        result=result,
        alerts=[alert_view(alert) for alert in warnings.alerts_of(session, run.id)],
        findings=findings(study),
        panels=captions(arms(study)),
        groups=GROUPS,
        drift=sections.drift_section(study),
        glances=held,
        adapters=policies.adapters_of_run(session, run.id),
        spec_text=yaml.safe_dump(run.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
    )


@router.post("/{run_id}/cancel")
def cancel(_: Sender, session: Database, run_id: str) -> Response:
    """Stop a run."""
    return _back_to(launching.cancel(session, run_id))


@router.post("/{run_id}/resume")
def resume(
    _: Sender, session: Database, state: State, run_id: str, limits: Annotated[Limits, Depends()]
) -> Response:
    """Let a run go on, with what the form gives of a larger budget."""
    full_id = launching.resume(session, run_id, limits.budget(), state.catalogue.check_prices)
    state.ring_after(session, [full_id])
    return _back_to(full_id)


def _back_to(run_id: str) -> Response:
    return RedirectResponse(f"/runs/{run_id}", HTTPStatus.SEE_OTHER)


def _by_round(found: Sequence[PhaseTotals]) -> Mapping[int, Mapping[PhaseName, PhaseTotals]]:
    rounds: dict[int, dict[PhaseName, PhaseTotals]] = {}
    for phase in found:
        rounds.setdefault(phase.round, {})[phase.name] = phase
    return dict(sorted(rounds.items()))
