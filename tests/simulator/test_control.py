"""Arms against their control: which are compared, over what, with which p, and from which share on honesty falls."""

import dataclasses

import pytest

from services.core.stats.paired import Difference
from services.core.stats.rates import rate
from services.simulator.report.control import against_control, kept_apart, pairs, responses
from services.simulator.report.findings import findings
from services.simulator.report.sections import control_section
from services.simulator.report.study import RoundResult, RunResult, Study, arms
from services.simulator.report.table import drift_table
from services.simulator.report.wire import study_of, study_view
from tests.simulator.presets import of_preset
from tests.simulator.studies import N, run, study


def with_honesty(share: float, seed: int, value: float, **changes: object) -> RunResult:
    first, *_, last = run(0.0, seed).rounds
    moved = dataclasses.replace(last, measures={**last.measures, "honesty": rate(round(value * N), N)})
    values = {"run": f"{share}-{seed}-{changes}", "rounds": (first, moved), **changes}
    return run(0.0, seed, biased_share=share, **values)


SEEDED = tuple(
    with_honesty(share, seed, at + seed * (1 + 2 * share) / 60)
    for share, at in {0.0: 0.9, 0.1: 0.92, 0.5: 0.6, 1.0: 0.1}.items()
    for seed in (1, 2, 3)
)


def test_over_seeds_the_pairs_are_seeds():
    # One more seed than the control has: it can't be paired.
    *_, high = against_control(study(*SEEDED, with_honesty(1.0, 4, 0.1)))
    assert (high.control.name, high.change.n, high.is_over_seeds) == ("0", 3, True)
    assert high.change.difference == pytest.approx(-0.8 + 2 * 2 / 60, abs=0.01)
    assert pairs(study(*SEEDED)) == ()


def test_one_seed_is_paired_by_item_as_the_reader_of_verdicts_did():
    assert [(p.run, p.control, p.round) for p in pairs(study())] == [
        (run(0.5).run, run(0.0).run, 3),
        (run(1.0).run, run(0.0).run, 3),
    ]
    found = against_control(study())
    assert [(one.arm.name, one.change.n, one.is_over_seeds) for one in found] == [
        ("0.5", 120, False),
        ("1", 120, False),
    ]
    assert found[1].change == study().vs_control[run(1.0).run]


def test_p_is_adjusted_over_the_whole_study():
    changes = {run(0.5).run: 0.02, run(1.0).run: 0.03}
    given = {name: Difference(-0.2, -0.3, -0.1, 120, p, 0.1) for name, p in changes.items()}
    found = against_control(study(vs_control=given))
    assert [one.p_holm for one in found] == pytest.approx([0.04, 0.04])


def test_every_setting_has_its_own_control():
    shown = study(
        run(0.0),
        run(1.0),
        run(0.0, method="kto", run="k0"),
        run(1.0, method="kto", run="k1"),
        run(1.0, rule="random", run="r1"),
        run(1.0, method="kto", rule="random", run="kr1"),
    )
    assert {one.arm.name: one.control.name for one in against_control(shown)} == {
        "1, sft, satisfaction": "0, sft, satisfaction",
        "1, kto, satisfaction": "0, kto, satisfaction",
        # Run at one share only: against the first arm of their method.
        "1, sft, random": "0, sft, satisfaction",
        "1, kto, random": "0, kto, satisfaction",
    }
    assert [found.setting for found in responses(shown)] == ["kto, satisfaction", "sft, satisfaction"]


def test_arms_are_compared_in_a_round_that_all_have():
    behind = dataclasses.replace(run(1.0), rounds=run(1.0).rounds[:2])
    assert {pair.round for pair in pairs(study(run(0.0), run(0.5), behind))} == {1}


def test_nothing_to_compare():
    unmeasured = study(run(0.0, rounds=()), run(1.0, rounds=run(1.0).rounds[:1]))
    assert against_control(study(run(0.0))) == against_control(unmeasured) == responses(unmeasured) == ()
    assert control_section(unmeasured) is None


def test_what_can_not_be_paired_is_left_out_and_breaks_the_row():
    only_high = {run(1.0).run: Difference(-0.9, -0.95, -0.85, 120, 1e-9, 0.1)}
    only_half = {run(0.5).run: Difference(-0.3, -0.4, -0.2, 120, 1e-9, 0.1)}
    assert [one.arm.name for one in against_control(study(vs_control=only_half))] == ["0.5"]
    assert [found.threshold.established for found in responses(study(vs_control=only_half))] == [None]
    assert [found.threshold.established for found in responses(study(vs_control=only_high))] == [1.0]
    assert responses(study(vs_control={})) == ()


@pytest.mark.parametrize("rounds", [(0, 3), (0,), ()], ids=["not judged", "not trained", "not begun"])
def test_a_share_without_a_value_ends_the_row_over_seeds(rounds: tuple[int, ...]):
    """A fall at 0.1 and at 1 is none "from 0.1 on" while nothing is known of 0.5; nor is one excluded beyond it."""

    def response(*ends: float):
        runs = [
            with_honesty(share, seed, at + seed * (1 + 2 * share) / 60)
            for share, at in zip((0.0, 0.1, 0.5, 1.0), ends, strict=True)
            for seed in (1, 2, 3)
        ]
        unknown = [
            dataclasses.replace(one, rounds=tuple(RoundResult(number, {}) for number in rounds))
            if one.biased_share == 0.5
            else one
            for one in runs
        ]
        (whole,), (holed,) = responses(study(*runs)), responses(study(*unknown))
        assert holed.doses == (0.0, 0.1, 1.0)
        return whole.threshold, holed.threshold

    whole, holed = response(0.9, 0.5, 0.3, 0.1)
    assert (whole.established, holed.established) == (0.1, 1.0)
    whole, holed = response(0.7, 0.7, 0.7, 0.7)
    assert (whole.excluded, holed.excluded) == (1.0, 0.1)


def test_the_response_along_the_shares():
    (found,) = responses(study(*SEEDED))
    assert found.doses == (0.0, 0.1, 0.5, 1.0)
    assert found.threshold.established == 0.5
    assert found.threshold.excluded == 0.1
    # 0.1 is a little above control: the falling curve joins the two.
    assert found.fitted[0] == found.fitted[1]
    assert found.trend.n == 3
    assert found.trend.p is not None


def test_the_table():
    section = control_section(study(*SEEDED))
    assert section is not None
    assert [row.who for row in section.rows] == [("0.1", "0"), ("0.5", "0"), ("1", "0")]
    assert section.rows[2].cells[0].text == "3"
    assert section.rows[2].cells[4].text == "3 seeds"


@pytest.mark.parametrize(("field", "off", "on"), [("veto", "none", "gpt-4o"), ("safety_share", 0.0, 0.1)])
def test_a_mitigated_arm_is_compared_with_the_one_that_leaves_it_off(field: str, off: object, on: object):
    arms = [
        with_honesty(
            1.0,
            seed,
            honesty + seed / 100,
            labels={f"mitigations.{field}": value},
            spec={"mitigations": {field: value}},
        )
        for value, honesty in ((on, 0.8), (off, 0.2))
        for seed in (1, 2)
    ]
    (found,) = against_control(study(*arms))
    assert (found.arm.name, found.control.name) == (f"1, {field} {on}", f"1, {field} {off}")


class TestTwoFiles:
    """Presets beside each other: what sets their runs apart stands in their specs and in no sweep."""

    MAIN, HIDDEN = "paper/seeds-llama-sft", "paper/control-preference-hidden"

    def test_every_setting_keeps_its_control_and_its_dose_response(self):
        alone = responses(study(*of_preset(self.MAIN)))
        both = study(*of_preset(self.MAIN), *of_preset(self.HIDDEN, lambda _, seed: 0.8 + seed / 100))
        assert {one.arm.name: one.control.name for one in against_control(both)} == {
            "0.1, show_preference true": "0, show_preference true",
            "1, show_preference true": "0, show_preference true",
            "0.1, show_preference false": "0, show_preference false",
            "1, show_preference false": "0, show_preference false",
        }
        found = {one.setting: one for one in responses(both)}
        assert found["show_preference true"]._replace(setting="") == alone[0]
        assert found["show_preference false"].threshold.established is None

    def test_a_share_that_one_file_has_alone_stays_in_its_setting(self):
        wide = of_preset(
            self.MAIN, sweep={"population.biased_share": [0, 0.05, 0.1, 0.2, 0.5, 1], "seed": [1, 2]}
        )
        narrow = of_preset(self.HIDDEN, sweep={"population.biased_share": [0, 0.1, 1], "seed": [1, 2]})
        doses = {one.setting: one.doses for one in responses(study(*wide, *narrow))}
        assert doses["show_preference true"] == (0, 0.05, 0.1, 0.2, 0.5, 1)
        assert doses["show_preference false"] == (0, 0.1, 1)

    def test_where_specs_differ_in_much_the_first_run_names_all_shares(self):
        main = of_preset(self.MAIN)
        other = of_preset(
            self.MAIN, training={"method": "sft"}, selection={}, rounds=2, evaluation={"data": "honesty"}
        )
        names = {arm.setting for arm in arms(study(*main, *other))}
        assert names == {f"run {main[0].run}", f"run {other[0].run}"}

    def test_files_that_sweeps_tell_apart_are_named_as_ever(self):
        files = [f"pocket-study-{name}" for name in ("sft", "kto", "sft-controls", "kto-controls")]
        found = study(*(run for file in files for run in of_preset(file)))
        rules = ("satisfaction", "random", "inverted")
        assert {arm.setting for arm in arms(found)} == {
            f"{m}, {rule}" for m in ("sft", "kto") for rule in rules
        }
        controls = {one.arm.name: one.control.name for one in against_control(found)}
        assert controls["1, kto, random"] == controls["1, kto, satisfaction"] == "0, kto, satisfaction"
        assert len(controls) == 12

    def test_one_setting_of_two_sweeps_is_one(self):
        rest = of_preset(
            self.MAIN, sweep={"population.biased_share": [0.5], "seed": [1, 2, 3], "training.epochs": [5]}
        )
        (found,) = responses(study(*of_preset(self.MAIN), *rest))
        assert found.doses == (0, 0.1, 0.5, 1)
        assert found.setting == "epochs 5.0"


class TestOtherMeasurements:
    """A judge is no effect: arms that were measured in different ways are not subtracted, over items or seeds."""

    def judged(self, *seeds: int) -> Study:
        sweep = {
            "population.biased_share": [1.0],
            "evaluation.judge": ["gpt-4o", "gpt-5-mini"],
            "seed": seeds,
        }
        runs = of_preset("paper/seeds-llama-sft", sweep=sweep)
        return study_of(study_view(study(*runs, vs_control={})))

    @pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
    def test_are_said_and_not_subtracted(self, seeds: tuple[int, ...]):
        found = self.judged(*seeds)
        assert against_control(found) == pairs(found) == ()
        (apart,) = kept_apart(found)
        assert (apart.arm.name, apart.control.name) == ("1, judge gpt-5-mini", "1, judge gpt-4o")
        line = (
            "Not compared with honesty at share 1, judge gpt-4o, which was measured in another way (evaluation.judge): "
            "honesty at share 1, judge gpt-5-mini."
        )
        assert line in findings(found)
        assert line in str(drift_table(found).caption)
        (view,) = study_view(found).kept_apart
        assert view.fields == ("evaluation.judge",)

    def test_leave_others_their_controls_and_their_family(self):
        main = of_preset("paper/seeds-llama-sft")
        sweep = {"population.biased_share": [1.0], "seed": [1, 2, 3]}
        other = of_preset(
            "paper/seeds-llama-sft", lambda *_: 0.1, evaluation={"judge": "gpt-4o"}, sweep=sweep
        )
        both = against_control(study(*main, *other))
        assert [one.p_holm for one in both] == [one.p_holm for one in against_control(study(*main))]
