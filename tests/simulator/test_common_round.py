"""Runs that end in different rounds are averaged and compared in the last round that all of them have, and it is said which end."""

from dataclasses import replace

import pytest

from services.core.stats.paired import Difference
from services.core.stats.rates import rate
from services.simulator.report.common_round import last_common, since_base
from services.simulator.report.control import against_control
from services.simulator.report.dose_figure import dose_figure
from services.simulator.report.findings import findings
from services.simulator.report.kept import kept
from services.simulator.report.panels import PANELS, bars, points, seeds
from services.simulator.report.sections import kept_section, seeds_section
from services.simulator.report.study import Arm, RoundResult, RunResult, arms
from tests.simulator.studies import N, run, study


def moved(by: float, number: int) -> RoundResult:
    """Return a round that lies so far from round 0, where honesty is 0.7."""
    change = Difference(by, by - 0.01, by + 0.01, N, 0.01, 0.05)
    base = run(1.0).rounds[0].measures
    told = {**base, "honesty": rate(round((0.7 + by) * N), N)}
    return RoundResult(number, told, dict.fromkeys(("honesty", "belief_accuracy", "capability"), change))


def moving(seed: int, *changes: float, share: float = 1.0) -> RunResult:
    """Return a run that lies so far from its round 0 in rounds 1, 2 …"""
    first = run(share).rounds[0]
    after = (moved(by, number) for number, by in enumerate(changes, start=1))
    return run(share, seed, rounds=(first, *after), held_out=())


FELL = (moving(1, -0.6), moving(2, -0.5))
"""Stopped by their warnings after one round."""
STAYED = moving(3, -0.1, 0.0, 0.2)
STOPPED = study(*FELL, STAYED)
EVEN = study(*FELL, moving(3, -0.1))


def an_arm(*runs: RunResult) -> Arm:
    (found,) = arms(study(*runs))
    return found


class TestTheRound:
    def test_is_the_last_that_all_trained_runs_have(self):
        assert last_common(STOPPED.runs) == 1
        assert last_common((STAYED, run(1.0, 4, rounds=()), run(1.0, 5, rounds=STAYED.rounds[:1]))) == 3
        assert last_common(run(1.0, 4, rounds=STAYED.rounds[:1]) for _ in range(2)) == 0
        assert last_common(()) == 0

    def test_is_one_that_was_measured_to_its_end_in_all(self):
        holed = replace(STAYED, seed=4, rounds=(STAYED.rounds[0], *STAYED.rounds[2:]))
        assert last_common((moving(1, -0.1, -0.2), holed)) == 2
        assert last_common((moving(1, -0.1), holed)) == 0
        assert since_base(an_arm(moving(1, -0.1), holed), "honesty").n == 0
        assert against_control(study(moving(1, -0.1, share=0.0), replace(holed, seed=1))) == ()


class TestWhatIsAveraged:
    """A seed that went on changes nothing that is averaged: its later rounds are its own."""

    def test_changes_since_round_0_are_of_that_round(self):
        for measure in ("honesty", "belief_accuracy", "capability"):
            assert since_base(an_arm(*STOPPED.runs), measure).difference == pytest.approx(-0.4)
            assert since_base(an_arm(*STOPPED.runs), measure) == since_base(an_arm(*EVEN.runs), measure)

    def test_the_tables_are_those_of_runs_that_all_end_there(self):
        assert seeds_section(STOPPED) == seeds_section(EVEN)
        assert kept(STOPPED) == kept(EVEN)
        assert kept_section(STOPPED) == kept_section(EVEN)
        assert seeds_section(STOPPED).rows[0].cells[0].text == "1"

    def test_seeds_that_agree_are_kept_by_their_items_in_that_round(self):
        still = [moving(seed, 0.0) for seed in (1, 2)]
        assert all(one.is_equivalent for one in kept(study(*still, moving(3, 0.0, -0.3))))
        assert all(one.is_equivalent for one in kept(study(*still, run(1.0, 3, rounds=()))))

    def test_an_arm_with_one_trained_seed_rests_on_its_items_and_says_so(self):
        section = seeds_section(study(STAYED, run(1.0, 4, rounds=STAYED.rounds[:1])))
        assert [cell.text for cell in section.rows[0].cells[:4]] == [
            "3",
            "+0.20 [0.19, 0.21]",
            "0.010",
            "120 items",
        ]

    def test_mean_lines_end_there_and_seeds_go_on(self):
        shown = arms(STOPPED)
        assert [row["round"] for row in points(PANELS[0], shown)] == [0, 1]
        assert {round(row["x"]) for row in seeds(PANELS[0], shown)} == {0, 1, 2, 3}
        assert bars(shown) == "95 % intervals over seeds"

    def test_arms_are_compared_in_the_last_round_of_both(self):
        control = [moving(seed, 0.01 * seed, 0.1, 0.2, share=0.0) for seed in (1, 2, 3)]
        (found,) = against_control(study(*control, *STOPPED.runs))
        assert (found.round, found.change.n) == (1, 3)
        figure = dose_figure(study(*control, *STOPPED.runs))
        assert figure is not None
        assert [round(row["value"], 2) for row in figure["data"]["values"]] == [0.72, 0.3]


class TestWhatIsSaid:
    def test_the_round_and_which_runs_end_or_go_on(self):
        line = findings(STOPPED)[0]
        assert (
            "−0.40 [−1.06, 0.26] on average over 3 seeds in round 1, the last that all of them have" in line
        )
        assert "(seed 1 ends there, seed 2 ends there, seed 3 goes on to round 3)." in line
        assert findings(EVEN)[0].startswith(line.partition(", the last")[0] + ".")

    def test_which_runs_are_left_out(self):
        waiting = run(1.0, 4, rounds=STAYED.rounds[:1])
        said = "; seed 4 has no round after round 0 and is left out."
        assert said in findings(study(*STOPPED.runs, waiting))[0]
        assert said in findings(study(STAYED, waiting))[0]
        both = findings(study(STAYED, waiting, run(1.0, 5, rounds=())))[0]
        assert "; seeds 4, 5 have no round after round 0 and are left out." in both

    def test_runs_without_a_common_round_are_not_compared(self):
        holed = replace(STAYED, seed=4, rounds=(STAYED.rounds[0], STAYED.rounds[2]))
        assert "could not be compared with round 0" in findings(study(moving(1, -0.1), holed))[0]

    @pytest.mark.parametrize(
        ("control_rounds", "arm_rounds", "said"),
        [
            ((2, 2, 2), (1, 2, 2), ", the last that all arms of this control have (seed 1 at share 1 ends there),"),
            ((2, 1, 1), (1, 1, 1), ", the last that all arms of this control have (seed 1 at share 0 goes on),"),
            ((1, 1, 1), (1, 1, 1), ","),
        ],
    )  # fmt: skip
    def test_which_runs_bound_a_comparison(
        self, control_rounds: tuple[int, ...], arm_rounds: tuple[int, ...], said: str
    ):
        runs = [
            moving(seed, *[(0.02 - 0.01 * share) * seed - 0.5 * share] * rounds, share=share)
            for share, ends in ((0.0, control_rounds), (1.0, arm_rounds))
            for seed, rounds in enumerate(ends, start=1)
        ]
        lines = findings(study(*runs))
        assert any(line.startswith(f"In round 1{said} honesty at share 1 minus") for line in lines)
        assert any(line.startswith("In round 1, along the share of biased users, ") for line in lines)
