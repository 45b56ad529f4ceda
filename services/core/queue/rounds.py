"""The hinge between phases: what a closed phase makes owed, and how runs begin and go on.

All of it happens in the caller's transaction, so a phase's end and its successor's beginning are one fact.
"""

from typing import NamedTuple

from sqlalchemy.orm import Session

from services.core.db import budgets, evaluations, events, phases, policies, runs
from services.core.db.phases import Claim
from services.core.db.runs import NewRun, RunRecord
from services.core.domain.budget import raised, used_up
from services.core.domain.errors import StateConflict
from services.core.domain.events import EventKind
from services.core.domain.identity import LaunchOutcome, evaluation_key
from services.core.domain.phases import Owed, PhaseName, RunStatus, first_phase, next_phase, policy_name
from services.core.domain.spec import BudgetSpec
from services.core.queue import warnings


class Launched(NamedTuple):
    """A launched run."""

    run_id: str
    outcome: LaunchOutcome


def launch(session: Session, new: NewRun, again: bool = False) -> Launched:
    """Create a run, or find the one that this identity already is.

    With `again`, a finished run is repeated under the next repetition number; an unfinished one is resumed all the
    same, under the larger of its budget and the new spec's, and left as it is if that is used up.
    A run that was found can't be deleted until the transaction ends. Raises `NotFound` if it is gone this very moment,
    `StateConflict` if another spec's run has its id.
    """
    # In this order: a launcher that is quicker in between is then found as the latest, and not repeated.
    repetition = runs.next_repetition(session, new.spec_hash)
    latest = runs.latest_repetition(session, new.spec_hash)
    if latest is not None and latest.status is not RunStatus.SUCCEEDED:
        hold(session, latest.id)
        latest = runs.get_run(session, latest.id)  # it may have ended while its shards were waited for
    launched = _foretold(latest, new, repetition, again)
    if latest is not None and launched.outcome is LaunchOutcome.RESUMED:
        _go_on(session, latest.id, latest.status, raised(latest.budget, new.spec.budget))
        return launched
    if launched.outcome is not LaunchOutcome.CREATED:
        runs.keep(session, launched.run_id)
        return launched
    policies.publish_base(session, new.spec.policy)
    run_id = runs.insert_run(session, new, repetition)
    if run_id is None:
        return _of_quicker_launcher(session, new, launched.run_id)
    events.append(session, run_id, EventKind.RUN_LAUNCHED, name=new.spec.name)
    _owe(session, runs.get_run(session, run_id), first_phase(new.spec, new.evaluation_items))
    return launched


def _of_quicker_launcher(session: Session, new: NewRun, run_id: str) -> Launched:
    """Return the run that has the id of this one. Raises `StateConflict` if it is of another spec."""
    runs.keep(session, run_id)
    found = runs.get_run(session, run_id)
    if found.spec_hash != new.spec_hash:
        raise StateConflict(f"run id {run_id} is taken by another spec, {found.name!r}; change the seed")
    return Launched(run_id, LaunchOutcome.RESUMED)


def foretell(session: Session, new: NewRun, again: bool = False) -> Launched:
    """Return what `launch` would come to now, and under which id."""
    repetition = runs.next_repetition(session, new.spec_hash)
    return _foretold(runs.latest_repetition(session, new.spec_hash), new, repetition, again)


def _foretold(latest: RunRecord | None, new: NewRun, repetition: int, again: bool) -> Launched:
    if latest is not None and latest.status is not RunStatus.SUCCEEDED:
        reached = used_up(raised(latest.budget, new.spec.budget), latest.spent)
        return Launched(latest.id, LaunchOutcome.OUT_OF_BUDGET if reached else LaunchOutcome.RESUMED)
    if latest is not None and not again:
        return Launched(latest.id, LaunchOutcome.FINISHED)
    return Launched(runs.run_id_of(new.spec_hash, repetition), LaunchOutcome.CREATED)


def resume(session: Session, run: RunRecord, budget: BudgetSpec | None = None) -> None:
    """Let an unfinished run go on, under another budget if one is given: given-up shards are owed again.

    Raises `StateConflict` if it is finished, or if the budget is used up.
    """
    status = hold(session, run.id)
    if status is RunStatus.SUCCEEDED:
        raise StateConflict(f"run {run.id} is finished; `driftloop launch … --new` repeats it")
    known = budgets.account(session, run.id)
    budget = budget or known.budget
    if reached := used_up(budget, known.spent):
        raise StateConflict(
            f"run {run.id} can't go on, {reached.words}; give more by `driftloop resume {run.id} "
            f"--budget-{reached.limit} N`, or by a larger budget.{reached.limit} in its spec"
        )
    _go_on(session, run.id, status, budget)


def _go_on(session: Session, run_id: str, status: RunStatus, budget: BudgetSpec) -> None:
    """Let an unfinished run that is held go on under a budget that leaves it something."""
    budgets.set_budget(session, run_id, budget)
    phases.owe_failed_again(session, run_id)
    if status is not RunStatus.RUNNING:
        runs.set_status(session, run_id, RunStatus.RUNNING)
        events.append(session, run_id, EventKind.RUN_RESUMED)


def cancel(session: Session, run: RunRecord) -> None:
    """Stop a running run, keeping everything; cancelling twice is once. Raises `StateConflict` if it has ended."""
    status = hold(session, run.id)
    if status is RunStatus.CANCELLED:
        return
    if status is not RunStatus.RUNNING:
        raise StateConflict(f"run {run.id} has ended ({status}); there is nothing to cancel")
    phases.stop_all(session, run.id)
    runs.set_status(session, run.id, RunStatus.CANCELLED)
    events.append(session, run.id, EventKind.RUN_CANCELLED)


def ask_failed_again(session: Session, run: RunRecord, round_: int) -> int:
    """Owe a measured round's measurement again, in which only what had failed is asked; return how many verdicts had.

    Nothing is owed if none had. Raises `StateConflict` if the round is not measured to its end, or the run stands still.
    """
    status = hold(session, run.id)
    if status not in {RunStatus.RUNNING, RunStatus.SUCCEEDED}:
        raise StateConflict(f"run {run.id} is {status}; `driftloop resume {run.id}` first")
    if not events.was_closed(session, run.id, round_, PhaseName.EVALUATE):
        raise StateConflict(f"round {round_} of run {run.id} is not measured yet; wait for its end")
    failed = evaluations.count_failed(session, evaluations.rounds_of(session, run.id)[round_])
    if failed and (shards := phases.owe_done_again(session, run.id, round_, PhaseName.EVALUATE)):
        facts = {"shards": shards, "units": run.evaluation_items}
        events.append(session, run.id, EventKind.PHASE_OWED, round=round_, phase=PhaseName.EVALUATE, **facts)
        if status is RunStatus.SUCCEEDED:
            runs.set_status(session, run.id, RunStatus.RUNNING)
            events.append(session, run.id, EventKind.RUN_RESUMED)
    return failed


def hold(session: Session, run_id: str) -> RunStatus:
    """Keep a run and all its shards as they are until the transaction ends, and return its status. Raises `NotFound` if it is gone.

    A phase that closes while its shards are waited for owes others, which are not among those that were looked for. They can't be
    locked behind the run: so all is let go, and locked again with them.
    """
    while True:
        with session.begin_nested() as attempt:
            locked = phases.lock_all(session, run_id)
            status = runs.lock_status(session, run_id)
            if phases.count(session, run_id) == locked:
                return status
            attempt.rollback()


def close_phase(session: Session, claim: Claim) -> None:
    """Owe what follows the phase that this claim's shard has just completed, or finish the run.

    Of a phase that was done before, and whose failures were asked again, everything that follows is owed already.
    """
    run = runs.get_run(session, claim.run_id)
    is_again = events.was_closed(session, run.id, claim.round, claim.name)
    events.append(session, run.id, EventKind.PHASE_DONE, round=claim.round, phase=claim.name)
    if is_again:
        _succeed_if_done(session, run)
        return
    alert = warnings.check(session, run, claim.round) if claim.name is PhaseName.EVALUATE else None
    owed = next_phase(run.spec, claim.round, claim.name, run.evaluation_items)
    if owed is None:
        _succeed_if_done(session, run)
        return
    _owe(session, run, owed)
    if alert is not None and alert.action == "stop":
        runs.set_status(session, run.id, RunStatus.STOPPED, alert.words)
        events.append(session, run.id, EventKind.RUN_STOPPED, error=alert.words)


def _succeed_if_done(session: Session, run: RunRecord) -> None:
    """End the run, unless a round is being asked again."""
    if not phases.is_any_left(session, run.id):
        runs.set_status(session, run.id, RunStatus.SUCCEEDED)
        events.append(session, run.id, EventKind.RUN_SUCCEEDED)


def _owe(session: Session, run: RunRecord, owed: Owed) -> None:
    work_key = None
    if owed.name is PhaseName.EVALUATE:
        policy = policy_name(run.id, run.spec.policy, owed.round)
        work_key = f"{policy}/{evaluation_key(run.spec, run.fingerprints)}"
    phases.owe(session, run.id, owed, work_key)
