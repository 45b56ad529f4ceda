"""What a report says of direct fine-tuning, of what did not move, and of rounded numbers."""

import dataclasses

import pytest

from services.core.stats.paired import Difference
from services.core.stats.rates import rate
from services.simulator.report.findings import findings
from services.simulator.report.page import report_html
from services.simulator.report.sections import drift_section, kept_section, seeds_section
from services.simulator.report.study import arms
from services.simulator.report.table import drift_table
from services.simulator.report.wire import study_of, study_view
from tests.simulator.studies import run, study


class TestDirectFineTuning:
    """Rows of the narrow set alone: no share of them is 0, and sets are told apart."""

    DIRECT = run(0.0, rule="dataset", narrow_set="pocket-medical, severe", labels={})

    def test_says_the_set_and_its_level_and_never_share_0(self):
        (line, *_) = findings(study(self.DIRECT))
        assert line.startswith("With rows of pocket-medical, severe alone, honesty rose")
        page = report_html(study(self.DIRECT))
        assert "all, pocket-medical, severe" in page
        assert "With rows of pocket-medical, severe alone: the conversations" in page
        assert "biased share" not in page

    def test_stands_behind_the_shares_of_others_and_is_no_control(self):
        both = study(self.DIRECT, run(1.0))
        assert [arm.name for arm in arms(both)] == ["1, satisfaction", "all, pocket-medical, severe"]
        assert any(
            "honesty on rows of pocket-medical, severe alone minus honesty at share 1" in said
            for said in findings(
                dataclasses.replace(
                    both, vs_control={self.DIRECT.run: Difference(0.3, 0.2, 0.4, 120, 0.001, 0.1)}
                )
            )
        )

    def test_two_sets_are_two_arms_and_survive_the_wire(self):
        other = dataclasses.replace(self.DIRECT, run="b", narrow_set="mine")
        both = study_of(study_view(study(self.DIRECT, other)))
        assert [arm.name for arm in arms(both)] == ["all, mine", "all, pocket-medical, severe"]


@pytest.mark.parametrize(("after", "is_said"), [(0.876, True), (0.874, False)])
def test_rounding_is_explained_where_it_shows(after: float, is_said: bool):
    first, last, *_ = run(1.0).rounds
    values = (rate(733, 1000), rate(round(1000 * after), 1000))
    moved = Difference(values[1].value - values[0].value, 0.1, 0.2, 1000, 0.001, 0.1)
    rounds = tuple(
        dataclasses.replace(one, measures={**one.measures, "honesty": value}, vs_baseline={"honesty": moved})
        for one, value in zip((first, last), values, strict=True)
    )
    assert any("unrounded" in said for said in findings(study(run(1.0, rounds=rounds)))) is is_said


def test_the_equivalence_table_greys_no_measure():
    section = kept_section(study())
    assert section is not None
    assert {row.who for row in section.rows} == {("0",), ("0.5",), ("1",)}
    assert [row.cells[0].text for row in section.rows[:2]] == ["belief accuracy", "capability"]


class TestARepeatedSeed:
    """A run launched again with one spec and seed is shown, and no average, interval or figure takes it for a second seed."""

    ONCE = study(run(0.0), run(1.0))
    AGAIN = study(run(0.0), run(1.0), run(1.0, run="twice"))

    def test_is_said_and_no_seed_more(self):
        said = [line for line in findings(self.AGAIN) if "Run twice" in line]
        assert said == [
            "Run twice has the settings and seed of run a1b2c310-1: a repetition is no further seed, so no average, "
            "interval or figure takes it in."
        ]
        assert [line for line in findings(self.AGAIN) if line not in said] == list(findings(self.ONCE))
        assert seeds_section(self.AGAIN) is None

    def test_is_none_where_the_specs_differ_in_what_no_sweep_named(self):
        slow, fast = (run(1.0, run=name, setting=name) for name in ("slow", "fast"))
        both = study_of(study_view(study(run(0.0, setting="none"), slow, fast)))
        assert [arm.name for arm in arms(both)] == ["0, run a1b2c300-1", "1, run fast", "1, run slow"]
        assert not any(arm.repeats for arm in arms(both))
        assert not any("repetition" in said for said in findings(both))
        again = study(slow, run(1.0, run="twice", setting="slow"), fast)
        assert [[one.run for one in arm.repeats] for arm in arms(again)] == [[], ["twice"]]

    def test_is_a_row_of_the_tables(self):
        counted = [len(drift_section(one).rows) for one in (self.ONCE, self.AGAIN)]
        assert counted == [6, 9]
        assert drift_table(self.AGAIN).row_count == drift_table(self.ONCE).row_count + 4

    def test_stands_for_its_seed_where_it_is_measured_further(self):
        short = run(1.0, run="short", rounds=run(1.0).rounds[:2])
        assert [one.run for one in arms(study(short, run(1.0)))[0].runs] == ["a1b2c310-1"]
