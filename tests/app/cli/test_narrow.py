"""What a terminal of 80 columns shows: nothing that is needed to go on is cut or broken over lines."""

import re
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType

from services.app.cli import terminal
from services.app.cli.quantities import counted, duration
from services.core.domain.phases import RunStatus
from services.core.rest.launches import SweepSummary
from services.core.rest.models import RunSummary
from services.core.rest.scenarios import ScenarioSummary
from tests.e2e.small_run import SmallSweep


def printed(what: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(what)
    return [line.rstrip() for line in captured.get().splitlines()]


def run_named(name: str) -> RunSummary:
    return RunSummary(
        id="f246ac18-2",
        name=name,
        status=RunStatus.OUT_OF_BUDGET,
        is_worked=False,
        biased_share=0.125,
        method="sft",
        rule="satisfaction",
        seed=1,
        rounds=3,
        created_at=datetime(2026, 11, 27, 13, 11, tzinfo=UTC),
    )


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["a", "a-name-of-sixty-three-characters-" + 29 * "x"])
def test_a_listed_run_is_one_line_with_its_whole_id_and_date(name: str, width: int) -> None:
    _heading, *lines = printed(terminal.run_table([run_named(name)]), width)
    assert len(lines) == 1
    assert lines[0].split()[0] == "f246ac18-2"
    assert lines[0].endswith("11-27 13:11")
    assert " out_of_budget " in lines[0]


@pytest.mark.parametrize(
    ("rule", "said"),
    [("satisfaction", "0.125"), ("random", "0.125 random"), ("mixture", "0.125 mixture"), ("dataset", "all")],
)
def test_a_listed_run_says_what_trained_it_where_that_was_not_satisfaction(rule: str, said: str) -> None:
    _heading, line, *_ = printed(
        terminal.run_table([run_named("a").model_copy(update={"rule": rule})]), width=80
    )
    assert re.search(f"  {said}  +sft", line)


@pytest.mark.parametrize(
    ("status", "is_worked", "said"),
    [
        (RunStatus.RUNNING, True, "running"),
        (RunStatus.RUNNING, False, "waiting"),
        (RunStatus.SUCCEEDED, False, "succeeded"),
    ],
)
def test_a_running_run_that_nobody_works_is_listed_as_waiting(
    status: RunStatus, is_worked: bool, said: str
) -> None:
    run = run_named("a").model_copy(update={"status": status, "is_worked": is_worked})
    assert printed(terminal.run_table([run]))[1].split()[2] == said


def test_a_run_of_another_year_says_which() -> None:
    old = run_named("a").model_copy(update={"created_at": datetime(2024, 11, 27, tzinfo=UTC)})
    assert printed(terminal.run_table([old]), width=80)[1].endswith("2024-11-27")


def test_a_listed_sweep_keeps_its_id_and_date_whole_and_counts_every_run() -> None:
    sweep = SweepSummary(
        id="sweep-622ea3ec",
        name="a-name-of-sixty-three-characters-" + 29 * "x",
        runs=dict.fromkeys(RunStatus, 11),
        created_at=datetime(2026, 11, 27, 13, 11, tzinfo=UTC),
    )
    _heading, first, *more = printed(terminal.sweep_table([sweep]))
    assert first.split()[0] == "sweep-622ea3ec"
    assert first.endswith("11-27 13:11")
    assert " 66 " in first
    told = " ".join([first, *more])
    assert all(f"11 {status}" in " ".join(told.split()) for status in RunStatus)


def test_a_listed_scenario_is_one_line() -> None:
    one = ScenarioSummary(
        environment="therapist",
        name="stopping-antidepressants",
        task="The client has been on antidepressants\nfor some time. " + 30 * "They want to stop. ",
        tags=(),
        is_held_out=True,
        profiles=405,
        generated=400,
    )
    _heading, *lines = printed(terminal.scenario_table([one]))
    assert len(lines) == 1
    assert "stopping-antidepressants" in lines[0]
    assert lines[0].endswith("…")


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        *((0.0, "0 s"), (2.8e-8, "less than 1 s"), (0.00369, "13 s"), (0.07, "4 min 12 s"), (1.0, "1 h")),
        *(
            (0.99999, "1 h"),
            (2.0833, "2 h 5 min"),
            (1.99999, "2 h"),
            (99.99999, "100 h"),
            (1500.4, "1,500 h"),
        ),
    ],
)
def test_a_time_is_told_in_units_that_say_something(hours: float, said: str) -> None:
    assert duration(hours) == said


def test_one_is_singular() -> None:
    assert [counted(count, "run") for count in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]


def test_a_dry_run_cuts_no_name(small_sweep: SmallSweep) -> None:
    spec = small_sweep.installation.spec("narrow")
    said = small_sweep.installation.run("launch", spec, "--dry-run", "--new", COLUMNS=80).out
    assert "1 run, " in said
    assert "conversations  assistant" in said
    assert "…" not in said


def test_an_interval_stays_on_a_line_and_what_has_no_room_is_named(small_sweep: SmallSweep) -> None:
    def drift(width: int) -> str:
        return small_sweep.installation.run("drift", small_sweep.sweep_id, COLUMNS=width).out

    bounds = re.compile(r"[−]?[.\d]+ [−]?[.\d]+")
    rows = [line for line in drift(50).split("n: ")[0].splitlines() if re.match(r"^ +[−.\d]", line)]
    assert rows
    assert all(len(bounds.findall(row)) * 2 == len(row.split()) for row in rows)
    assert "also shows:" in drift(50)
    assert "also shows:" not in drift(80)


def test_a_run_ends_with_what_it_measured(small_sweep: SmallSweep) -> None:
    said = small_sweep.installation.run("show", small_sweep.run_ids[0], COLUMNS=80).out
    assert said.index("biased_share: ") < said.index("spent: ") < said.index("drift of honesty")


def test_what_matches_nothing_says_so(small_sweep: SmallSweep) -> None:
    run_id = small_sweep.run_ids[0]
    done = small_sweep.installation.run("trajectories", run_id, "--text", "nosuchword")
    assert (done.code, done.out) == (
        0,
        "no conversation of this run matches; without options all are listed\n",
    )
