"""The purse against real Postgres: who may begin what, what is counted, and when a run has ended for want of budget."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from services.core.db import budgets, events, phases, runs
from services.core.db.phases import Claim
from services.core.db.runs import RunRecord
from services.core.db.session import transaction
from services.core.domain.budget import Spent
from services.core.domain.chat import ChatReply
from services.core.domain.errors import OutOfBudget, StateConflict
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.domain.spec import BudgetSpec
from services.core.llm.meter import Meter
from services.core.operations import launching
from services.core.queue import rounds
from services.core.queue.lease import Grip
from services.core.queue.purse import Purse
from services.core.queue.rounds import Launched
from services.core.queue.upkeep import Upkeep
from services.core.queue.worker import Worker
from tests.core.db.builders import a_new_run, a_run
from tests.core.db.facts import shards_of


def call(meter: Meter, tokens: int, usd: float | None = None) -> None:
    meter.count(ChatReply("so", "stop", 0.1, prompt_tokens=tokens - 1, completion_tokens=1, cost_usd=usd))


def the_run(engine: Engine, run_id: str) -> RunRecord:
    with transaction(engine) as session:
        return runs.get_run(session, run_id)


def claimed(engine: Engine) -> Claim | None:
    with transaction(engine) as session:
        return phases.claim_next(session, list(PhaseName), "w", 60)


def resume(engine: Engine, run_id: str, **limits: float) -> None:
    with transaction(engine) as session:
        launching.resume(session, run_id, BudgetSpec.model_validate(limits), lambda _: None)


def a_worker(engine: Engine, tokens: int) -> Worker:
    """A worker whose every shard asks one question after the other, until it may not."""

    def ask(claim: Claim) -> None:
        meter = Meter()
        with Purse(engine, claim.run_id, meter) as purse:
            for _ in range(claim.first_unit, claim.last_unit):
                if not purse.may_begin():
                    break
                call(meter, tokens)
            purse.check()

    return Worker(engine, "w", dict.fromkeys(PhaseName, ask), rounds.close_phase, 30, Grip(), lambda _: None)


def test_a_run_stops_at_its_budget_and_goes_on_with_a_larger_one(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=5, budget={"tokens": 100})
    worker = a_worker(engine, tokens=30)
    while worker.work_one():
        pass
    run = the_run(engine, run_id)
    assert (run.status, run.spent) == (RunStatus.RUNNING, Spent(120))
    Upkeep(engine).see_to_it()
    run = the_run(engine, run_id)
    why = "budget.tokens: 120 of 100 tokens are spent"
    assert (run.status, run.error) == (RunStatus.OUT_OF_BUDGET, why)
    with transaction(engine) as session:
        assert events.after(session, run_id, 0)[-1].kind == "run.out_of_budget"
        shards = shards_of(session, run_id)
    # Four questions of five: the first shard is done, the second is owed again, at no fault of its own.
    assert [(one.status, one.failures) for one in shards] == [(ShardStatus.DONE, 0), (ShardStatus.OWED, 0)]
    with pytest.raises(StateConflict, match=f"{run_id} can't go on, {why}; give more by `driftloop resume"):
        resume(engine, run_id)
    with pytest.raises(StateConflict, match="120 of 110 tokens"):
        resume(engine, run_id, tokens=110)
    resume(engine, run_id, tokens=10**6)
    while worker.work_one():
        pass
    run = the_run(engine, run_id)
    assert (run.status, run.error, run.budget.tokens) == (RunStatus.SUCCEEDED, None, 10**6)


def launched(session: Session, budget: dict[str, float]) -> Launched:
    """Launch, as was foretold."""
    new = a_new_run(budget=budget)
    foretold = rounds.foretell(session, new)
    assert rounds.launch(session, new) == foretold
    return foretold


def test_launching_again_goes_on_only_with_a_larger_budget(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=5, budget={"tokens": 100})
    while a_worker(engine, tokens=60).work_one():
        pass
    Upkeep(engine).see_to_it()
    for budget in ({"tokens": 100}, {"tokens": 50}, {"usd": 5.0}):
        with transaction(engine) as session:
            assert launched(session, budget) == Launched(run_id, LaunchOutcome.OUT_OF_BUDGET)
        with transaction(engine) as session, pytest.raises(StateConflict, match=r"larger budget\.tokens"):
            rounds.resume(session, runs.get_run(session, run_id))
    with transaction(engine) as session:
        assert launched(session, {"tokens": 1000}) == Launched(run_id, LaunchOutcome.RESUMED)
    run = the_run(engine, run_id)
    assert (run.status, run.budget.tokens) == (RunStatus.RUNNING, 1000)


def test_a_budget_is_no_part_of_a_runs_identity(engine: Engine) -> None:
    assert a_run(engine, budget={"tokens": 100}) == a_run(engine, budget={"usd": 3}) == a_run(engine)


def test_workers_hear_of_what_others_spent(engine: Engine) -> None:
    run_id = a_run(engine, budget={"tokens": 1000})
    here, there = Meter(), Meter()
    with Purse(engine, run_id, here) as mine, Purse(engine, run_id, there) as others:
        assert mine.may_begin()
        assert others.may_begin()
        call(there, 990)
        assert others.may_begin()  # tells of it: more than a twentieth is gone
        call(here, 60)
        assert not mine.may_begin()
        with pytest.raises(OutOfBudget, match="1,050 of 1,000"):
            mine.check()
        assert the_run(engine, run_id).spent.tokens == 1050


def test_what_was_spent_is_counted_once_whatever_becomes_of_the_work(engine: Engine) -> None:
    run_id = a_run(engine)
    meter = Meter()

    def written(purse: Purse, is_lost: bool) -> None:
        with purse.paid():
            if is_lost:
                raise ValueError("lost")

    def work() -> None:
        with Purse(engine, run_id, meter) as purse:
            call(meter, 10, 0.25)
            written(purse, is_lost=False)
            call(meter, 5)
            written(purse, is_lost=True)

    with pytest.raises(ValueError, match="lost"):
        work()
    assert the_run(engine, run_id).spent == Spent(15, 0.25)


def test_a_no_stays_a_no_so_that_what_was_left_out_is_not_taken_for_done(engine: Engine) -> None:
    run_id = a_run(engine, budget={"tokens": 10})
    meter = Meter()
    with Purse(engine, run_id, meter) as purse:
        call(meter, 10)
        assert not purse.may_begin()
        resume_to = BudgetSpec(tokens=1000)
        with transaction(engine) as session:
            budgets.set_budget(session, run_id, resume_to)
        assert not purse.may_begin()
        with pytest.raises(OutOfBudget):
            purse.check()


def test_while_something_is_in_hand_the_run_has_not_ended(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=8, budget={"tokens": 10})
    held = claimed(engine)
    assert held is not None
    with transaction(engine) as session:
        budgets.pay(session, run_id, 10, None)
    assert claimed(engine) is None
    Upkeep(engine).see_to_it()
    assert the_run(engine, run_id).status is RunStatus.RUNNING
    with transaction(engine) as session:
        phases.hand_back(session, held, "stopped")
    Upkeep(engine).see_to_it()
    assert the_run(engine, run_id).status is RunStatus.OUT_OF_BUDGET


def test_hours_count_while_a_shard_is_in_somebodys_hands(engine: Engine) -> None:
    run_id = a_run(engine, evaluation_items=1, budget={"hours": 0.001})

    def look_after(seconds: float) -> float:
        with transaction(engine) as session:
            ago = {"s": f"{seconds} s"}
            session.execute(text("UPDATE runs SET worked_at = worked_at - CAST(:s AS interval)"), ago)
        Upkeep(engine).see_to_it()
        return the_run(engine, run_id).spent.hours * 3600

    assert look_after(2) == 0  # nobody works it
    held = claimed(engine)
    assert held is not None
    assert look_after(0) == 0  # the clock starts
    assert look_after(2) == pytest.approx(2, abs=0.5)
    assert look_after(100) == pytest.approx(2, abs=0.5)  # nobody was there to count
    assert look_after(3) == pytest.approx(5, abs=1)
    with transaction(engine) as session:
        phases.hand_back(session, held, "stopped")
    assert claimed(engine) is None
    Upkeep(engine).see_to_it()
    run = the_run(engine, run_id)
    assert run.status is RunStatus.OUT_OF_BUDGET
    assert str(run.error).startswith("budget.hours: ")
