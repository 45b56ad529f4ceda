"""What training should leave alone is called kept only where that is shown."""

from dataclasses import replace

import pytest

from services.core.stats.paired import Difference
from services.simulator.report.findings import findings
from services.simulator.report.kept import MARGINS, kept
from services.simulator.report.study import RoundResult, RunResult
from tests.simulator.studies import run, study


def moved(capability: float, seed: int) -> RunResult:
    change = Difference(capability, capability - 0.01, capability + 0.01, 100, 0.5, 0.05)
    rounds = (RoundResult(0, {}), RoundResult(1, {}, {"capability": change}))
    return run(1.0, seed, rounds=rounds)


@pytest.mark.parametrize(
    ("capabilities", "is_kept"),
    [
        ((-0.01,), True),
        ((-0.095,), False),
        ((-0.01, 0.0, 0.01), True),
        # Each seed's items show it, the seeds together don't.
        ((-0.08, 0.0, 0.08), False),
        ((-0.01, -0.01), True),
        ((-0.095, -0.095), False),
    ],
    ids=[
        "items",
        "items, at the margin",
        "seeds",
        "seeds that differ",
        "seeds too alike, by items",
        "too alike, at the margin",
    ],
)
def test_an_arm_is_kept_if_its_whole_interval_lies_within_the_margin(
    capabilities: tuple[float, ...], is_kept: bool
) -> None:
    (one,) = kept(study(*(moved(change, seed) for seed, change in enumerate(capabilities))))
    assert (one.measure, one.margin, one.is_equivalent) == ("capability", 0.1, is_kept)


def test_both_measures_of_every_arm_are_asked() -> None:
    assert [(one.arm, one.measure) for one in kept(study())] == [
        (arm, measure) for arm in ("0", "0.5", "1") for measure in ("belief_accuracy", "capability")
    ]


class TestTheSentence:
    """What is said of forgetting is what the table says."""

    FEW = Difference(0.0, -0.2, 0.2, 10, 1.0, 0.3)
    STILL = Difference(0.0, -0.02, 0.02, 120, 1.0, 0.04)
    LESS = Difference(-0.03, -0.06, -0.01, 120, 0.02, 0.05)
    MORE = Difference(0.15, 0.12, 0.18, 120, 0.001, 0.05)

    @staticmethod
    def said(*runs: RunResult) -> str:
        (line,) = [said for said in findings(study(*runs)) if "belief accuracy moved" in said]
        return line

    @staticmethod
    def ended(share: float = 1.0, seed: int = 1, **changes: Difference) -> RunResult:
        first, *between, last = run(share, seed).rounds
        moved = replace(last, vs_baseline={**last.vs_baseline, **changes})
        return run(share, seed, rounds=(first, *between, moved))

    def test_kept_in_all_arms_is_said_of_all_and_that_nothing_moved_plainly(self):
        still = dict.fromkeys(("honesty", *MARGINS), self.STILL)
        assert self.said(self.ended(**still)) == (
            "Since round 0 belief accuracy moved by 0.00 [−0.02, 0.02] and capability moved by 0.00 [−0.02, 0.02]. "
            "Both are shown to have stayed within their margins (± 0.05 and ± 0.10) in every arm."
        )

    def test_points_within_the_margins_show_nothing_where_intervals_are_not(self):
        line = self.said(self.ended(0.0), self.ended(1.0, capability=self.FEW))
        assert line.endswith(
            "No forgetting is shown, nor that capability at share 1 stayed within the margins (± 0.05 and ± 0.10)."
        )

    def test_a_fall_that_is_shown_may_be_forgetting_where_it_is_and_a_rise_is_none(self):
        line = self.said(self.ended(0.0, belief_accuracy=self.LESS), self.ended(1.0, capability=self.MORE))
        assert line.endswith("Part of a drift may be forgetting: belief accuracy at share 0 fell.")
        assert "forgetting is shown, nor that capability" in self.said(self.ended(capability=self.MORE))

    def test_a_fall_by_the_margin_may_be_forgetting_though_few_items_show_nothing(self):
        fell = self.FEW._replace(difference=-0.1)
        assert "may be forgetting: capability at share 1 fell" in self.said(self.ended(capability=fell))

    def test_a_dip_on_the_way_is_not_where_a_run_ended(self):
        first, dipped, *rest = run(1.0).rounds
        low = {**dipped.measures, "capability": first.measure("capability")._replace(value=0.5)}
        rounds = (first, replace(dipped, measures=low), *rest)
        assert "not forgetting" in self.said(run(1.0, rounds=rounds))

    def test_seeds_that_agree_to_the_last_digit_are_kept_by_their_items(self):
        seeds = [
            self.ended(seed=seed, belief_accuracy=self.STILL, capability=self.STILL) for seed in (1, 2, 3)
        ]
        assert [one.is_equivalent for one in kept(study(*seeds))] == [True, True]
        assert self.said(*seeds).endswith("in every arm.")
        few = [*seeds, self.ended(seed=4, capability=self.FEW)]
        assert "nor that capability at share 1 stayed" in self.said(*few)

    def test_seeds_that_differ_show_less_than_their_items(self):
        beliefs = (-0.04, 0.0, 0.04)
        seeds = [
            self.ended(seed=seed, belief_accuracy=Difference(by, by - 0.005, by + 0.005, 120, 0.5, 0.01))
            for seed, by in enumerate(beliefs)
        ]
        assert "nor that belief accuracy at share 1 stayed" in self.said(*seeds)

    @pytest.mark.parametrize("measure", MARGINS)
    def test_it_says_what_the_table_says(self, measure: str):
        for change in (self.FEW, self.STILL, self.LESS, self.MORE):
            seeds = [self.ended(seed=seed, **{measure: change}) for seed in (1, 2)]
            for runs in (seeds[:1], seeds):
                is_kept = all(one.is_equivalent for one in kept(study(*runs)))
                assert ("in every arm" in self.said(*runs)) is is_kept
