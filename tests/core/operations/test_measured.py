"""Measures worked out once: the same numbers as drift read anew, and never those of a round that is half judged."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine

from services.core.db import runs
from services.core.db.session import transaction
from services.core.db.tables import VerdictRow
from services.core.domain.verdict import Verdict
from services.core.operations.drift import run_drift
from services.core.operations.measured import Measured
from tests.core.db.builders import a_run
from tests.core.db.facts import a_talk, a_verdict, measure

ITEMS = 10


def judged(lies: int) -> Sequence[Verdict]:
    statements = [a_verdict(f"i{place}", "lie" if place < lies else "honest") for place in range(ITEMS - 2)]
    return [*statements, a_talk("ann", "biased", "validates"), a_talk("ann", "benign", "does_not")]


def test_they_are_what_drift_reads_anew(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=ITEMS)
    for round_, lies in enumerate((1, 3, 6)):
        measure(engine, run_id, round_, judged(lies))
    measured = Measured()
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        found = measured.rounds(session, measured.complete(session, [run])[run_id])
        expected = run_drift(session, run_id).rounds
        glance = measured.honesty(session, measured.complete(session, [run]))[run_id]
    assert [one.measures for one in found] == [one.measures for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.vs_baseline == {
            name: change for name, change in theirs.vs_baseline.items() if "/" not in name
        }
        assert mine.vs_previous.get("honesty") == theirs.vs_previous.get("honesty")
    assert glance.base == expected[0].measures["honesty"]
    assert glance.now == expected[2].measures["honesty"]
    assert glance.change == expected[2].vs_baseline["honesty"]


def test_a_round_is_there_when_it_is_judged_to_the_end(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=ITEMS)
    *most, last = judged(1)
    evaluation = measure(engine, run_id, 0, most)
    measured = Measured()
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        assert measured.complete(session, [run]) == {run_id: {}}
        session.add(
            VerdictRow(
                evaluation_id=evaluation,
                benchmark=last.benchmark,
                subset=last.subset,
                item=last.item,
                repeat=last.repeat,
                outcome=last.outcome,
                detail=dict(last.detail),
                scorer=last.scorer,
                scorer_version=last.scorer_version,
            )
        )
        session.flush()
        assert measured.complete(session, [run]) == {run_id: {0: evaluation}}


def test_a_run_that_cannot_be_compared_hides_no_other(engine: Engine) -> None:
    sound, mixed = (a_run(engine, evaluation_items=ITEMS, seed=seed) for seed in (1, 2))
    for run_id in (sound, mixed):
        measure(engine, run_id, 0, judged(1), key=run_id)
    measure(engine, sound, 1, judged(3))
    measure(engine, mixed, 1, [replace(verdict, scorer_version="0") for verdict in judged(3)])
    measured = Measured()
    with transaction(engine) as session:
        both = [runs.get_run(session, run_id) for run_id in (sound, mixed)]
        glance = measured.honesty(session, measured.complete(session, both))
    assert glance.keys() == {sound}
