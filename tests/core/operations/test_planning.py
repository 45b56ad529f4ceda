"""Planning: every arm is checked before anything is written, and what it says is what launching then does."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from services.core.db.session import transaction
from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import SpecError
from services.core.domain.estimate import Calls, Outline, Speed
from services.core.domain.identity import Fingerprints, LaunchOutcome
from services.core.domain.spec import RunSpec
from services.core.operations import launching, planning
from tests.core.db.builders import FINGERPRINTS, close_next

GOOD: dict[str, Any] = {
    "name": "demo",
    "rounds": 2,
    "population": {"biased_share": 0.5, "conversations": 400},
    "training": {"method": "sft"},
}


class Drinking:
    """A catalogue that knows one scenario, and has five items to measure."""

    def check(self, spec: RunSpec) -> None:
        for name in spec.population.scenarios or ():
            if name != "drinking":
                raise SpecError(f"population.scenarios: no scenario {name!r}; did you mean drinking?")

    def fingerprints(self, _spec: RunSpec) -> Fingerprints:
        return FINGERPRINTS

    def cautions(self, _spec: RunSpec) -> tuple[str, ...]:
        return ("drink responsibly",)

    def training_size(self, _spec: RunSpec) -> planning.TrainingSize:
        return planning.TrainingSize(100, 4000)

    def item_count(self, _spec: RunSpec) -> int:
        return 5

    def outline(self, spec: RunSpec) -> Outline:
        """A conversation asks its policy 100 tokens and hears 20; a measurement asks a judge for a tenth of a cent."""
        talk = Calls("conversations", "assistant", spec.policy, 2, 100, 20, 96)
        ruling = Calls("mask", "judge", "dear", 5, 1000, 0, 500)
        dear = Endpoint(model="d", input_usd_per_million=1, output_usd_per_million=1)
        conversation = () if spec.data.is_told else (talk,)
        return Outline(conversation, (ruling,), 3, {"dear": dear}, Speed(1000, 100, 500))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"colour": "red"}, "colour: unknown key; the keys here are name, seed, policy,"),
        (
            {"population": {"biased_share": 1.2}},
            "population.biased_share: 1.2 is more than 1; use a number from 0 to 1",
        ),
        (
            {"selection": {"top": 500}},
            "selection.top: 500 is more than population.conversations (400); take fewer",
        ),
        (
            {"population": {"biased_share": 0.5, "scenarios": ["drunking"]}},
            "population.scenarios: no scenario 'drunking'; did you mean drinking?",
        ),
        (
            {"training": {"method": "stf"}},
            "training.method: 'stf' is not known; did you mean sft? use one of sft, kto",
        ),
        (
            {"training": ["sft"]},
            "training: a list stands where a mapping belongs; use `field: value`",
        ),
        (
            {"sweep": {"population.scenarios": [["drinking"], ["smoking"]]}},
            "population.scenarios: no scenario 'smoking'",
        ),
    ],
    ids=["unknown key", "share", "k larger than the pool", "scenario", "typo", "list", "one arm of several"],
)
def test_a_bad_spec_gets_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(SpecError) as caught:
        planning.read_arms(GOOD | changes, Drinking())
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_plan_says_what_it_comes_to() -> None:
    arms = planning.read_arms(GOOD | {"sweep": {"rounds": [1, 2]}}, Drinking())
    work = planning.work_of(arms, Drinking())
    assert (work.runs, work.rounds, work.conversations, work.items) == (2, 3, 1200, 25)
    assert work.warnings == ("drink responsibly",), "said once, though it holds for both"
    # The better half of 400 conversations is 400 replies, 50 batches, five times over.
    assert (work.steps, work.estimate.trained_tokens) == (3 * 250, 3 * 200 * 120 * 5)


def test_runs_that_begin_alike_measure_their_base_once() -> None:
    def rulings(sweep: dict[str, list[int]]) -> int:
        arms = planning.read_arms(GOOD | {"sweep": sweep}, Drinking())
        return sum(
            one.calls for one in planning.work_of(arms, Drinking()).estimate.calls if one.role == "judge"
        )

    # Two rounds of each run, and round 0: another seed measures it otherwise.
    assert rulings({"population.conversations": [100, 200]}) == 5 * (2 + 2 + 1)
    assert rulings({"seed": [1, 2]}) == 5 * (2 + 2 + 2)


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ({"usd": 0.01}, None),
        (
            {"usd": 0.0025},
            "budget.usd: 0.0025 is less than the estimate, which is 0.003 for a run; the run would",
        ),
        ({"tokens": 98_000}, "budget.tokens: 98,000 is less than the estimate, which is 9.9e+04 for a run"),
        ({"hours": 0.001}, "budget.hours: 0.001 is less than"),
    ],
)
def test_a_budget_that_will_not_do_is_warned_of(budget: dict[str, float], line: str | None) -> None:
    work = planning.work_of(planning.read_arms(GOOD | {"budget": budget}, Drinking()), Drinking())
    assert [said[: len(line or "")] for said in work.warnings[1:]] == ([line] if line else [])


def test_the_warning_is_by_the_dearest_of_the_runs() -> None:
    sweep = {"rounds": [1, 2, 9]}
    arms = planning.read_arms(GOOD | {"budget": {"usd": 0.0025}, "sweep": sweep}, Drinking())
    _, said = planning.work_of(arms, Drinking()).warnings
    assert "which is 0.01 for a run; 2 of 3 runs would stop" in said


def test_rows_of_training_sets_are_counted_with_steps_and_tokens() -> None:
    told = {"name": "t", "rounds": 2, "data": {"kind": "dataset", "dataset": "bad"}}
    training = {"method": "sft", "batch_size": 16, "epochs": 3}
    work = planning.work_of(planning.read_arms({**told, "training": training}, Drinking()), Drinking())
    # 100 rows are seven batches; 4,000 characters are about 1,000 tokens.
    assert (work.conversations, work.rows, work.steps) == (0, 200, 2 * 7 * 3)
    assert work.estimate.trained_tokens == 2 * 3 * 1000
    assert {one.role for one in work.estimate.calls} == {"judge"}


def test_what_is_foretold_comes_true(engine: Engine) -> None:
    arms = planning.read_arms(GOOD | {"sweep": {"seed": [1, 2]}}, Drinking())

    def launched(again: bool = False) -> list[LaunchOutcome]:
        with transaction(engine) as session:
            foretold = planning.foretell(session, arms, again)
            found = launching.launch(session, "demo", arms, again).arms
            assert found == foretold
        return [arm.outcome for arm in found]

    assert launched() == [LaunchOutcome.CREATED] * 2
    assert launched() == [LaunchOutcome.RESUMED] * 2
    with transaction(engine) as session:
        begun = planning.work_to_do(arms, planning.foretell(session, arms), Drinking())
    said, caution = begun.warnings
    assert said == "2 of 2 runs go on and are counted whole, with what is done"
    assert replace(begun, warnings=(caution,)) == planning.work_of(arms, Drinking())
    while close_next(engine):
        pass
    assert launched() == [LaunchOutcome.FINISHED] * 2
    with transaction(engine) as session:
        nothing = planning.work_to_do(arms, planning.foretell(session, arms), Drinking())
        again = planning.work_to_do(arms, planning.foretell(session, arms, again=True), Drinking())
    assert nothing == planning.Work(0, 0, 0, 0)
    assert again == planning.work_of(arms, Drinking())
    assert launched(again=True) == [LaunchOutcome.CREATED] * 2
