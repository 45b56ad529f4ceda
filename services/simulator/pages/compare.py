"""Runs beside each other: one figure, one table, what can be said; a sweep's arms, or any runs that were ticked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from services.core.db import runs, shards
from services.core.db.runs import RunRecord
from services.core.domain.errors import SpecError
from services.core.domain.phases import RunStatus
from services.core.operations.comparing import is_measured_alike, kept_apart_by
from services.core.operations.measured import Measured
from services.core.operations.studies import Named
from services.core.stats.paired import Difference
from services.simulator.api.auth import Reader
from services.simulator.api.compare import Runs
from services.simulator.api.state import Database
from services.simulator.pages.figures import captions, figures, legend
from services.simulator.pages.look import HEADERS, page
from services.simulator.pages.memory import Memory
from services.simulator.pages.studies import study_of
from services.simulator.report import sections
from services.simulator.report.findings import findings
from services.simulator.report.panels import bars, legend_title
from services.simulator.report.results import Labels
from services.simulator.report.study import RunResult, Study, arms

router = APIRouter(prefix="/compare", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs that are compared."""

    name: str
    runs: tuple[tuple[RunRecord, Labels], ...]

    @property
    def rounds(self) -> int:
        """The most rounds that any of them has."""
        return max(run.spec.rounds for run, _ in self.runs)


@dataclass(frozen=True, slots=True)
class Against:
    """A run's newest policy against the first run's of the same round, on the same items."""

    run: RunRecord
    result: RunResult
    round: int
    changes: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Runs that can't be paired with the first run, and why."""

    runs: tuple[str, ...]
    why: str


def _something_is_ticked(request: Request, _: Reader) -> None:
    """Ask for runs in words for people. Raises `SpecError`."""
    if not request.query_params.keys() & {"run", "sweep"}:
        raise SpecError(
            "no run is ticked; tick the runs in the list that are to stand beside each other, then compare them"
        )


@router.get("", dependencies=[Depends(_something_is_ticked)])
def show(request: Request, caller: Reader, session: Database, measured: Memory, named: Runs) -> Response:
    """Return the page that compares runs."""
    chosen = _chosen(session, named)
    study = study_of(session, measured, chosen.name, chosen.runs)
    against = tuple(_against(session, measured, chosen, study))
    return page(
        request,
        caller,
        "compare",
        chosen=chosen,
        study=study,
        source=request.url.query,
        worked=shards.worked(session, [run.id for run, _ in chosen.runs]),
        is_live=any(run.status is RunStatus.RUNNING for run, _ in chosen.runs),
        is_pocket=study.is_pocket,
        findings=findings(study),
        panels=captions(arms(study)),
        bars=bars(arms(study)),
        legend=legend(arms(study)),
        legend_title=legend_title(arms(study)).capitalize(),
        seeds=sections.seeds_section(study),
        control=sections.control_section(study),
        drift=sections.drift_section(study),
        pressure=sections.measures_section(study, sections.PRESSURE),
        knowledge=sections.measures_section(study, sections.KNOWLEDGE),
        targeting=sections.measures_section(study, sections.TARGETING),
        against=against,
        left_out=_left_out(chosen, against),
        measures=_AGAINST,
    )


_AGAINST: Final = {
    "honesty": "honesty",
    "honest_share": "P(honest)",
    "belief_accuracy": "belief accuracy",
    "capability": "capability",
    "deception_rate": "deception rate",
    "targeting_gap": "targeting gap",
}


@router.get("/figures.json")
def get_figures(_: Reader, session: Database, measured: Memory, named: Runs) -> JSONResponse:
    """Return what the browser draws."""
    chosen = _chosen(session, named)
    study = study_of(session, measured, chosen.name, chosen.runs)
    return JSONResponse(figures(arms(study), chosen.rounds), headers=HEADERS)


def _chosen(session: Session, found: Named) -> Chosen:
    return Chosen(
        found.title, tuple((runs.get_run(session, run_id), labels) for run_id, labels in found.runs.items())
    )


def _against(session: Session, measured: Measured, chosen: Chosen, study: Study) -> Iterator[Against]:
    """Pair every other run with the first, where both were measured in the same way."""
    (first, _), *others = chosen.runs
    complete = measured.complete(session, [run for run, _ in chosen.runs])
    for (run, _), result in zip(others, study.runs[1:], strict=True):
        common = sorted(complete[first.id].keys() & complete[run.id].keys() - {0})
        if common and is_measured_alike(first, run):
            here, there = complete[first.id][common[-1]], complete[run.id][common[-1]]
            yield Against(run, result, common[-1], measured.change(session, here, there))


def _left_out(chosen: Chosen, against: Sequence[Against]) -> tuple[LeftOut, ...]:
    """Return the other runs that have no row, by reason."""
    (first, _), *others = chosen.runs
    shown = {one.run.id for one in against}
    reasons = {run.id: _why(first, run) for run, _ in others if run.id not in shown}
    return tuple(
        LeftOut(tuple(run_id for run_id, why in reasons.items() if why == each), each)
        for each in dict.fromkeys(reasons.values())
    )


def _why(first: RunRecord, run: RunRecord) -> str:
    fields = kept_apart_by(first, run)
    if fields == ("seed",):
        return "of another seed, which draws other answers to the items"
    if fields:
        return f"measured in another way ({', '.join(fields)})"
    return "without a round after round 0 that both have measured"
