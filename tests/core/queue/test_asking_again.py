"""A measured round whose failures are asked again: only they change, and the run ends as it had ended."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from services.core.db import evaluations, events, phases, runs, verdicts
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.errors import StateConflict
from services.core.domain.events import EventKind
from services.core.domain.phases import PhaseName, RunStatus
from services.core.domain.verdict import Verdict
from services.core.queue import rounds
from tests.core.db.builders import a_run, close_next
from tests.core.db.facts import a_verdict, measure

# As the profile `reference` scores some of a judge that failed.
UNJUDGED: dict[str, Any] = {"accuracy": 1, "judge_failed": True}
VERDICTS = [
    a_verdict("i1", "honest"),
    a_verdict("i2", "judge_error"),
    a_verdict("i3", "gen_error"),
    a_verdict("i4", "lie", detail=UNJUDGED),
    a_verdict("i5", "lie"),
    a_verdict("i5", "judge_error", repeat=1),
]
FAILED = 4
ITEMS = 5


def measured(engine: Engine, rounds_: int = 1, **spec: Any) -> str:
    """A run that was worked to its end."""
    run_id = a_run(engine, ITEMS, rounds=rounds_, **spec)
    for round_ in range(rounds_ + 1):
        measure(engine, run_id, round_, VERDICTS)
    while close_next(engine):
        pass
    return run_id


def ask(engine: Engine, run_id: str, round_: int) -> int:
    with transaction(engine) as session:
        return rounds.ask_failed_again(session, runs.get_run(session, run_id), round_)


def status(engine: Engine, run_id: str) -> RunStatus:
    with transaction(engine) as session:
        return runs.get_run(session, run_id).status


def claims(engine: Engine) -> list[Claim]:
    with transaction(engine) as session:
        found: list[Claim] = []
        while (claim := phases.claim_next(session, list(PhaseName), "w", 60)) is not None:
            found.append(claim)
        return found


def close(engine: Engine, held: Sequence[Claim]) -> None:
    for claim in held:
        with transaction(engine) as session:
            if phases.finish(session, claim):
                rounds.close_phase(session, claim)


@pytest.mark.parametrize("round_", [0, 1, 2])
def test_only_that_rounds_measurement_is_owed_and_the_run_ends_again(engine: Engine, round_: int) -> None:
    run_id = measured(engine, 2, warning={"action": "stop"})
    assert ask(engine, run_id, round_) == FAILED
    assert status(engine, run_id) is RunStatus.RUNNING
    held = claims(engine)
    assert {(claim.round, claim.name) for claim in held} == {(round_, PhaseName.EVALUATE)}
    assert sum(claim.last_unit - claim.first_unit for claim in held) == ITEMS
    close(engine, held)
    assert status(engine, run_id) is RunStatus.SUCCEEDED
    assert claims(engine) == []


def test_a_run_that_goes_on_meanwhile_ends_when_both_are_done(engine: Engine) -> None:
    run_id = a_run(engine, ITEMS)
    for round_ in range(2):
        measure(engine, run_id, round_, VERDICTS)
    for claim in claims(engine):
        close(engine, [claim])
    assert ask(engine, run_id, 0) == FAILED
    held = claims(engine)
    again = [claim for claim in held if claim.name is PhaseName.EVALUATE]
    assert {claim.name for claim in held} == {PhaseName.EVALUATE, PhaseName.SIMULATE}
    close(engine, [claim for claim in held if claim not in again])
    while close_next(engine):
        pass
    assert status(engine, run_id) is RunStatus.RUNNING
    close(engine, again)
    assert status(engine, run_id) is RunStatus.SUCCEEDED


def test_only_failed_verdicts_are_replaced_and_only_by_better_ones(engine: Engine) -> None:
    run_id = measured(engine)
    ask(engine, run_id, 0)
    (claim, *_) = claims(engine)
    new: list[Verdict] = [replace(one, outcome="honest", detail={"accuracy": -1}) for one in VERDICTS]
    new[2] = a_verdict("i3", "judge_error")
    with transaction(engine) as session:
        evaluation = evaluations.rounds_of(session, run_id)[0]
        assert evaluations.settled_items(session, evaluation) == {"mask:known_facts:i1"}
        evaluations.save(session, claim, evaluation, new)
        after = verdicts.verdicts_of(session, evaluation)
    assert [one.outcome.value for one in after] == [
        "honest",
        "honest",
        "gen_error",
        "honest",
        "lie",
        "honest",
    ]
    assert [one.detail["accuracy"] for one in after] == [1, -1, 1, -1, 1, -1]


def test_where_nothing_failed_nothing_is_owed(engine: Engine) -> None:
    run_id = a_run(engine, ITEMS)
    for round_ in range(2):
        measure(engine, run_id, round_, VERDICTS[:1])
    while close_next(engine):
        pass
    assert ask(engine, run_id, 1) == 0
    assert (status(engine, run_id), claims(engine)) == (RunStatus.SUCCEEDED, [])


def test_asking_twice_is_asking_once(engine: Engine) -> None:
    run_id = measured(engine)
    assert [ask(engine, run_id, 1), ask(engine, run_id, 1)] == [FAILED, FAILED]
    with transaction(engine) as session:
        owed = events.of_kind(session, run_id, EventKind.PHASE_OWED)
    assert [event.data["round"] for event in owed if event.data["phase"] == "evaluate"] == [0, 1, 1]


def test_what_is_not_measured_or_stands_still_is_refused(engine: Engine) -> None:
    run_id = a_run(engine, ITEMS)
    with pytest.raises(StateConflict, match=r"round 0 of run .* is not measured yet"):
        ask(engine, run_id, 0)
    with transaction(engine) as session:
        rounds.cancel(session, runs.get_run(session, run_id))
    with pytest.raises(StateConflict, match="is cancelled; `driftloop resume"):
        ask(engine, run_id, 0)
