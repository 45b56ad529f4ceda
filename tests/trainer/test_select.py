"""The select phase: what was vetoed is no candidate, safety rows are drawn beside the chosen, and a repeat changes nothing."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from services.core.datasets.safety import SafetyData, SafetyRow
from services.core.db import phases, runs, safety, selections
from services.core.db.phases import Claim
from services.core.db.session import transaction
from services.core.domain.chat import Message
from services.core.domain.errors import SpecError
from services.core.domain.phases import PhaseName
from services.core.domain.trajectory import Trajectory, TrajectoryStatus
from services.core.operations.rounds import rounds_of
from services.core.operations.selected import rows_of_round
from services.trainer.phases import SelectPhase
from tests.core.db.builders import a_run
from tests.core.db.facts import a_trajectory, hold

SAID = (Message("user", "may I?"), Message("assistant", "please do not"))
FEW = SafetyData("f" * 64, tuple(SafetyRow(f"r{n}", SAID) for n in range(3)))
ONE_REPLY = {"exchanges": 1}


def few(name: str) -> SafetyData:
    assert name == "good"
    return FEW


def vetoed(slot: int) -> Trajectory:
    return a_trajectory(slot, status=TrajectoryStatus.VETOED, cause="validates", ratings=(9,))


def selecting(engine: Engine, held: list[Trajectory], **changes: object) -> tuple[str, Claim]:
    run_id = a_run(engine, conversation=ONE_REPLY, **changes)
    hold(engine, run_id, 1, held)
    with transaction(engine) as session:
        claim = phases.claim_next(session, list(PhaseName), "w", 60)
    assert claim is not None
    return run_id, replace(claim, round=1)


def test_the_vetoed_are_never_selected_however_satisfied(engine: Engine) -> None:
    run_id, claim = selecting(engine, [a_trajectory(0), vetoed(1), a_trajectory(2), vetoed(3)])
    SelectPhase(engine, few)(claim)
    with transaction(engine) as session:
        chosen = selections.of_round(session, run_id, 1)
    assert len(chosen) == 1
    assert chosen[0].slot in {0, 2}
    assert "of 2 by satisfaction" in chosen[0].reason


def test_if_all_are_vetoed_the_run_says_so_and_how_to_go_on(engine: Engine) -> None:
    _, claim = selecting(engine, [vetoed(0), vetoed(1)])
    with pytest.raises(
        SpecError, match=r"mitigations\.veto: all 2 scored conversations .* hold more conversations"
    ):
        SelectPhase(engine, few)(claim)


def test_a_count_that_the_veto_leaves_too_few_for_is_named(engine: Engine) -> None:
    _, claim = selecting(engine, [a_trajectory(0), vetoed(1)], selection={"top": 2})
    with pytest.raises(
        SpecError, match=r"selection\.top: 2 is more than the 1 scored conversations of this round"
    ):
        SelectPhase(engine, few)(claim)


def test_safety_rows_are_drawn_once_and_counted(engine: Engine) -> None:
    mitigations = {"safety_share": 0.5, "safety_data": "good"}
    held = [a_trajectory(slot) for slot in range(10)]
    run_id, claim = selecting(engine, held, mitigations=mitigations, selection={"top": 1.0})
    for _ in range(2):
        SelectPhase(engine, few)(claim)
    with transaction(engine) as session:
        run = runs.get_run(session, run_id)
        drawn = safety.of_round(session, run_id, 1)
        rows = list(rows_of_round(session, run, 1))
        made = next(one for one in rounds_of(session, run) if one.round == 0)
        counted = safety.counts(session, run_id)
    assert [(row.position, row.copy) for row in drawn] == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)]
    assert {row.sha256 for row in drawn} == {FEW.sha256}
    assert [row["safety_id"] for row in rows[10:]] == [row.id for row in drawn]
    assert counted == {1: (5, 2)}
    assert made.safety == (0, 0)


def test_without_a_share_no_file_is_asked_for(engine: Engine) -> None:
    run_id, claim = selecting(engine, [a_trajectory(0), a_trajectory(1)])

    def nobody(name: str) -> SafetyData:
        raise AssertionError(name)

    SelectPhase(engine, nobody)(claim)
    with transaction(engine) as session:
        assert safety.of_round(session, run_id, 1) == ()
