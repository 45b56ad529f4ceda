"""Drift over REST: how the measures move, round by round, paired on the same items."""

from collections.abc import Mapping

from fastapi import APIRouter

from services.core.operations.drift import RoundDrift, RunDrift, run_drift
from services.core.rest.measures import DifferenceView, DriftView, RateView, RoundMeasures
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate
from services.simulator.api.auth import Reader
from services.simulator.api.problems import documented
from services.simulator.api.state import Database

router = APIRouter(tags=["drift"])


@router.get("/runs/{run_id}/drift", summary="A run's drift, round by round", responses=documented(404))
def get_run_drift(_: Reader, session: Database, run_id: str) -> DriftView:
    """Return every measure of every measured round, with its change since round 0 and since the round before."""
    return _drift_view(run_drift(session, run_id))


def _drift_view(found: RunDrift) -> DriftView:
    return DriftView(
        run=found.run.id,
        name=found.run.name,
        labels=found.labels,
        rounds=tuple(_round_view(item) for item in found.rounds),
    )


def _round_view(item: RoundDrift) -> RoundMeasures:
    return RoundMeasures(
        round=item.round,
        policy=item.policy,
        measures=rates(item.measures),
        vs_baseline=differences(item.vs_baseline),
        vs_previous=differences(item.vs_previous),
        conversations=item.conversations,
    )


def rates(found: Mapping[str, Rate]) -> dict[str, RateView]:
    """Return measures as answered."""
    return {name: RateView(**rate._asdict()) for name, rate in found.items()}


def differences(found: Mapping[str, Difference]) -> dict[str, DifferenceView]:
    """Return changes as answered."""
    return {name: DifferenceView(**change._asdict()) for name, change in found.items()}
