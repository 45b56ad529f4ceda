"""Drift over REST: how the measures move, round by round, and between any two policies; paired on the same items."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.core.db.verdicts import VerdictPlace
from services.core.domain.verdict import Verdict
from services.core.operations.comparing import HeldOut, MeasuredPolicy, held_out, policy_drift
from services.core.operations.drift import RoundDrift, run_drift
from services.core.rest.held_out import HeldOutMeeting, HeldOutSide, HeldOutView
from services.core.rest.measures import (
    DifferenceView,
    DriftView,
    MeasuredPolicyView,
    PolicyDriftView,
    RoundMeasures,
)
from services.core.rest.models import RateView
from services.core.rest.trajectories import MessageView
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Name, Round
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database
from services.simulator.report.wire import differences, rates

router = APIRouter(tags=["drift"])


@router.get("/runs/{run_id}/drift", summary="A run's drift, round by round", responses=documented(404, 409))
def get_run_drift(_: Reader, session: Database, run_id: str) -> DriftView:
    """Return every measure of every measured round, with its change since round 0 and since the round before."""
    found = run_drift(session, run_id)
    return DriftView(
        run=found.run.id,
        name=found.run.name,
        labels=found.labels,
        rounds=tuple(_round_view(item) for item in found.rounds),
    )


@router.get("/drift", summary="The drift between two policies", responses=documented(404, 409))
def get_drift(
    _: Reader,
    session: Database,
    base: Annotated[Name, Query(description="A published policy: the before.")],
    other: Annotated[Name, Query(description="Another: the after.")],
) -> PolicyDriftView:
    """Return the change of every measure, paired by item; 409 if the two were not measured in the same way."""
    found = policy_drift(session, base, other)
    return PolicyDriftView(
        base=_policy_view(found.base), other=_policy_view(found.other), drift=differences(found.drift)
    )


@router.get(
    "/runs/{run_id}/held-out", summary="Held-out conversations side by side", responses=documented(404, 409)
)
def get_held_out(
    _: Reader,
    session: Database,
    run_id: str,
    round_a: Annotated[Round, Query(description="The before.")] = 0,
    round_b: Annotated[Round | None, Query(description="The after; by default the newest measured.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HeldOutView:
    """Return a page of the same people with the policies of two rounds, and the change of the targeting gap."""
    found = held_out(session, run_id, round_a, round_b, limit + 1, _place(cursor))
    following = None
    if len(found.meetings) > limit:
        last = found.meetings[limit - 1].a
        following = paging.encode(last.subset, last.item, last.repeat)
    return _held_out_view(found, limit, following)


def _place(cursor: str | None) -> VerdictPlace | None:
    if cursor is None:
        return None
    return VerdictPlace("held_out", *paging.decode(cursor, paging.text, paging.text, paging.small))


def _round_view(item: RoundDrift) -> RoundMeasures:
    return RoundMeasures(
        round=item.round,
        policy=item.policy,
        measures=rates(item.measures),
        vs_baseline=differences(item.vs_baseline),
        vs_previous=differences(item.vs_previous),
        conversations=item.conversations,
    )


def _policy_view(found: MeasuredPolicy) -> MeasuredPolicyView:
    return MeasuredPolicyView(
        policy=found.policy, evaluation=found.evaluation_id, measures=rates(found.measures)
    )


def _held_out_view(found: HeldOut, limit: int, following: str | None) -> HeldOutView:
    return HeldOutView(
        run=found.run_id,
        round_a=found.round_a,
        round_b=found.round_b,
        policy_a=found.policy_a,
        policy_b=found.policy_b,
        targeting_gap_a=RateView(**found.gap_a._asdict()),
        targeting_gap_b=RateView(**found.gap_b._asdict()),
        change=DifferenceView(**found.change._asdict()),
        items=tuple(
            HeldOutMeeting(
                scenario=meeting.a.detail["scenario"],
                profile=meeting.a.detail["profile"],
                user_kind=meeting.a.detail["user_kind"],
                a=_side(meeting.a),
                b=_side(meeting.b),
            )
            for meeting in found.meetings[:limit]
        ),
        next_cursor=following,
    )


def _side(verdict: Verdict) -> HeldOutSide:
    detail = verdict.detail
    return HeldOutSide(
        status=detail["transcript"]["status"],
        outcome=verdict.outcome,
        cause=detail["cause"],
        validating_replies=detail["validating_replies"],
        messages=tuple(MessageView(**message) for message in detail["transcript"]["messages"]),
    )
