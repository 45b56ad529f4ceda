"""How a command ends: what is waited for, and what is said of runs that did not succeed."""

import pytest

from services.app.cli.launching import Launched, LaunchedArm, raise_if_failed, waiting_line
from services.core.domain.errors import LoopError
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import PhaseName, RunStatus
from services.core.rest.models import PhaseView, RunView


def ended(id_: str, status: RunStatus, error: str | None = None) -> RunView:
    return RunView.model_construct(id=id_, status=status, error=error)


DONE = ended("3f2a91bc", RunStatus.SUCCEEDED)
BUDGET = "budget.tokens: 10 of 10 tokens are spent"


@pytest.mark.parametrize(
    ("runs", "line"),
    [
        (
            [ended("a1", RunStatus.CANCELLED)],
            "run a1 was cancelled; `driftloop resume a1` goes on with it",
        ),
        (
            [ended("a1", RunStatus.FAILED, "train of round 1: boom")],
            "run a1 failed in train of round 1: boom; `driftloop resume a1` tries again",
        ),
        (
            [ended("a1", RunStatus.OUT_OF_BUDGET, BUDGET)],
            f"run a1 is out of budget, {BUDGET}; `driftloop resume a1 --budget-tokens N` with more goes on, "
            "or a larger budget in the spec",
        ),
        (
            [ended("a1", RunStatus.CANCELLED), ended("b2", RunStatus.CANCELLED)],
            "run a1 was cancelled; run b2 was cancelled; `driftloop resume RUN` goes on with it",
        ),
        (
            [ended("a1", RunStatus.CANCELLED), ended("b2", RunStatus.STOPPED, "honesty fell")],
            "run b2 was stopped: honesty fell; `driftloop resume b2` goes on past it; "
            "run a1 was cancelled; `driftloop resume a1` goes on with it",
        ),
    ],
    ids=["cancelled", "failed", "out of budget", "two", "the gravest first"],
)
def test_a_run_that_did_not_succeed_is_a_failure_with_the_command_that_goes_on(
    runs: list[RunView], line: str
) -> None:
    with pytest.raises(LoopError) as caught:
        raise_if_failed([DONE, *runs])
    assert (str(caught.value), caught.value.exit_code) == (line, 1)
    raise_if_failed([DONE])


@pytest.mark.parametrize(
    ("outcomes", "is_over"),
    [
        ((LaunchOutcome.FINISHED, LaunchOutcome.OUT_OF_BUDGET), True),
        ((LaunchOutcome.FINISHED, LaunchOutcome.CREATED), False),
        ((LaunchOutcome.RESUMED,), False),
    ],
)
def test_what_had_ended_before_is_not_waited_for(outcomes: tuple[LaunchOutcome, ...], is_over: bool) -> None:
    arms = tuple(LaunchedArm(str(number), outcome, "") for number, outcome in enumerate(outcomes))
    assert Launched("sweep", arms).is_over is is_over


@pytest.mark.parametrize(
    ("status", "is_worked", "is_embedded", "line"),
    [
        (RunStatus.RUNNING, False, True, "nobody works it now; `driftloop resume a1` goes on with it"),
        (
            RunStatus.RUNNING,
            False,
            False,
            "no worker of the service has a part of it in hand now; if none is up, `driftloop worker simulator` starts one",
        ),
        (RunStatus.RUNNING, True, True, None),
        (RunStatus.FAILED, False, True, None),
    ],
    ids=["here", "on a service", "worked", "failed"],
)
def test_a_run_that_waits_is_told_with_how_to_go_on(
    status: RunStatus, is_worked: bool, is_embedded: bool, line: str | None
) -> None:
    current = PhaseView.model_construct(name=PhaseName.SIMULATE)
    run = RunView.model_construct(id="a1", status=status, is_worked=is_worked, current=current)
    assert waiting_line(run, is_embedded) == line
