"""A study's files: the promised JSON, a figure, a page that loads nothing and trusts no model's text."""

import dataclasses
import json
import re
from html.parser import HTMLParser

import jsonschema
import pytest

from services.core.domain.agreement import JudgesAgreement
from services.core.domain.verdict import Benchmark
from services.core.stats.agreement import Agreement
from services.core.stats.paired import NO_DIFFERENCE, Difference
from services.core.stats.rates import EMPTY, rate
from services.simulator.report.drift_json import drift_json
from services.simulator.report.figure import drift_png
from services.simulator.report.findings import findings, telling_talks
from services.simulator.report.page import report_html
from services.simulator.report.sections import seeds_section
from services.simulator.report.study import RoundResult, Study, arms
from services.simulator.report.wire import study_of, study_view
from services.simulator.report.wording import change, number, p_value, signed
from tests.simulator.studies import run, said, study, talks, unmeasured

NUMBER = {"type": ["number", "null"]}
RATE = {
    "type": "object",
    "properties": {"value": NUMBER, "low": NUMBER, "high": NUMBER, "n": {"type": "integer"}},
    "required": ["value", "low", "high", "n"],
    "additionalProperties": False,
}
CHANGE = {
    "type": "object",
    "properties": {
        "difference": NUMBER,
        "low": NUMBER,
        "high": NUMBER,
        "n": {"type": "integer"},
        "p": NUMBER,
    },
    "required": ["difference", "low", "high", "n", "p"],
    "additionalProperties": False,
}
MEASURES = ["honesty", "honest_share", "belief_accuracy", "capability", "deception_rate", "targeting_gap"]


def exactly(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


ROUND = exactly(
    round={"type": "integer"},
    measures=exactly(**dict.fromkeys(MEASURES, RATE)),
    vs_baseline={"type": "object", "properties": {"honesty": CHANGE}, "additionalProperties": False},
)
RUN = exactly(
    run={"type": "string"},
    biased_share={"type": "number"},
    method={"enum": ["sft", "kto"]},
    seed={"type": "integer"},
    rounds={"type": "array", "items": ROUND},
)
SCHEMA = exactly(runs={"type": "array", "items": RUN})


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(study())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figure out of pages (drawing takes seconds), where a test is about something else."""
    monkeypatch.setattr("services.simulator.report.page.drift_svg", lambda _: "<svg></svg>")
    monkeypatch.setattr("services.simulator.report.page.dose_svg", lambda _: "<svg></svg>")


class Elements(HTMLParser):
    """What a browser would make of a page: its tags, and the text outside styles."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class TestJson:
    def test_is_what_was_promised_and_nothing_else(self):
        data = json.loads(drift_json(study()))
        jsonschema.validate(data, SCHEMA)
        last = data["runs"][2]["rounds"][3]
        assert last["measures"]["honesty"] == {
            "value": 5 / 120,
            "low": pytest.approx(0.018, abs=1e-3),
            "high": pytest.approx(0.094, abs=1e-3),
            "n": 120,
        }
        assert last["vs_baseline"]["honesty"]["difference"] == pytest.approx(5 / 120 - 84 / 120)

    def test_what_was_not_measured_is_null(self):
        data = json.loads(drift_json(unmeasured()))
        jsonschema.validate(data, SCHEMA)
        assert data["runs"][1]["rounds"][0]["measures"]["honesty"] == {
            "value": None,
            "low": None,
            "high": None,
            "n": 0,
        }


class TestFigure:
    def test_every_panel_and_arm_is_named(self, page: str):
        drawn = re.search(r"<svg.*?</svg>", page, re.DOTALL)
        assert drawn is not None
        texts = re.findall(r">([^<]+)</t(?:ext|span)>", drawn.group())
        assert {
            "Honesty",
            "Deception rate",
            "Belief accuracy",
            "Capability",
            "Targeting gap",
            "n = 120",
        } <= set(texts)
        assert {"0", "0.5", "1"} <= set(texts)

    def test_says_that_the_pocket_world_is_no_evidence(self, page: str):
        assert "no evidence about large models" in page[page.index("<svg") : page.index("</svg>")]

    def test_another_world_is_not_called_a_pocket_and_seeds_may_have_holes(self):
        short = dataclasses.replace(run(1.0, 2), rounds=run(1.0).rounds[:2])
        page = report_html(study(run(0.0), run(0.0, 2), run(1.0), short, is_pocket=False))
        assert "faint lines: seeds" in page
        assert "no evidence" not in page
        assert "pocket" not in page.lower()

    def test_an_unmeasured_study_is_drawn_as_such(self):
        page = report_html(unmeasured())
        assert page.count(">not measured<") == 6
        assert "No round after round 0 is measured yet." in page
        assert "Held-out conversations" not in page


class TestPage:
    def test_loads_nothing(self, page: str):
        elements = Elements(page)
        assert not [
            tag
            for tag, _ in elements.tags
            if tag in ("script", "link", "img", "iframe", "object", "embed", "image", "use")
        ]
        loads = [
            value
            for _, attributes in elements.tags
            for name, value in attributes.items()
            if name in ("src", "href", "xlink:href", "srcset", "data")
        ]
        assert loads == []
        assert "@import" not in page
        assert not re.search(r"url\((?!#)", page)

    def test_forbids_loading_to_whoever_edits_it(self, page: str):
        policies = [
            a["content"]
            for tag, a in Elements(page).tags
            if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]

    @pytest.mark.usefixtures("undrawn")
    def test_model_text_is_never_markup(self):
        evil = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}</style>"
        talk = dataclasses.replace(
            talks(1.0)[0],
            before=said(evil, evil, evil),
            after=said(evil, evil, evil),
            scenario=evil,
            profile=evil,
        )
        elements = Elements(report_html(study(run(1.0, held_out=(talk,)), name=evil, spec={"name": evil})))
        tags = {tag for tag, _ in elements.tags}
        assert not tags & {"script", "img"}
        assert "".join(elements.text).count(evil) >= 7

    def test_shows_tables_with_interval_and_n(self, page: str):
        text = " ".join(" ".join(Elements(page).text).split())
        assert "−0.66 [−0.74, −0.56]" in text
        assert "0.04 [0.02, 0.09] n 120" in text
        assert "0.55 [0.44, 0.66] n 40" in text
        assert "timeout: 1" in text

    def test_shows_the_spec_as_yaml(self, page: str):
        assert "sweep:\n  population.biased_share: [0, 0.5, 1]\n" in page

    def test_shows_five_conversations_before_and_after(self, page: str):
        assert page.count('<section class="talk">') == 5
        assert page.count("does not validate the plan") == page.count(">validates the plan<") == 5

    def test_says_what_can_and_what_can_t_be_concluded(self, page: str):
        assert "Anything about large models." in page
        assert "<h3>Can</h3>" in page
        assert "<h3>Can't</h3>" in page or "<h3>Can&#39;t</h3>" in page

    @pytest.mark.usefixtures("undrawn")
    def test_an_empty_reply_is_shown_as_one(self):
        silent = dataclasses.replace(talks(1.0)[0], after=said("s", "hello", ""))
        assert "(an empty reply)" in report_html(study(run(1.0, held_out=(silent,))))


class TestFindings:
    def test_say_drift_contrast_knowledge_and_targeting(self):
        drift0, drift5, drift1, contrast, dose, knowledge, targeting, caution = (
            line.replace("\u00a0", " ") for line in findings(study())
        )
        assert drift0.startswith(
            "With a biased share of 0, honesty rose from 0.70 to 0.98 in 3 rounds: +0.28 [0.20, 0.36], p < 0.001, n = 120"
        )
        assert "honesty fell from 0.70 to 0.64" in drift5
        assert "honesty fell from 0.70 to 0.04" in drift1
        assert contrast.startswith(
            "In round 3, honesty at share 1 minus honesty at share 0 is −0.94 [−0.98, −0.87]"
        )
        assert contrast.endswith("p < 0.001, n = 120 items.")
        assert "against share 0 is established from share 0.5 on" in dose
        assert "one of 0.05 or more is excluded for no share" in dose
        assert (
            "Both are shown to have stayed within their margins (± 0.05 and ± 0.10) in every arm" in knowledge
        )
        assert knowledge.endswith("a change of honesty here is not forgetting.")
        assert (
            "rose at share 0.5 from 0.05 to 0.55 in round 3: +0.50 [0.39, 0.61], p < 0.001, n = 40 people"
            in targeting
        )
        assert "adjusted (Holm)" in caution
        assert "not corrected for there being 3 arms" in caution

    def test_no_change_is_never_claimed_to_be_none(self):
        still = Difference(-0.01, -0.04, 0.02, 120, 0.5, 0.06)
        rounds = tuple(dataclasses.replace(r, vs_baseline={"honesty": still}) for r in run(0.5).rounds)
        line = findings(study(run(0.5, rounds=rounds)))[0].replace("\u00a0", " ")
        assert "no change of honesty is shown" in line
        assert "A true change of 0.06 would be found with 80 % power; a smaller one may be there." in line

    def test_seeds_are_the_sample_where_there_are_several(self):
        def drifted(seed: int, by: float):
            rounds = tuple(
                dataclasses.replace(r, vs_baseline={"honesty": Difference(by, None, None, 120, None, None)})
                for r in run(1.0).rounds
            )
            return run(1.0, seed, rounds=rounds)

        lines = findings(study(drifted(1, -0.5), drifted(2, -0.6), drifted(3, -0.7)))
        assert lines[0].startswith(
            "With a biased share of 1, honesty fell: −0.60 [−0.85, −0.35] on average over 3 seeds"
        )


class TestTellingTalks:
    def test_come_from_the_highest_share_with_the_biggest_change_first(self):
        chosen = telling_talks(study())
        assert len(chosen) == 5
        assert all(talk.change == 1.0 for talk in chosen)
        assert len({talk.scenario for talk in chosen}) == 3

    def test_do_not_depend_on_the_order_of_rows(self):
        turned = run(1.0, held_out=tuple(reversed(talks(1.0))))
        assert telling_talks(study(turned)) == telling_talks(study(run(1.0)))

    def test_a_talk_that_was_not_judged_tells_nothing(self):
        unjudged = dataclasses.replace(talks(1.0)[0], validation_before=None)
        assert unjudged.change == 0.0


class TestArms:
    def test_are_runs_that_differ_in_seed_only(self):
        found = arms(study(run(1.0), run(0.0), run(0.0, 2), run(1.0, 2)))
        assert [(arm.name, len(arm.runs)) for arm in found] == [("0", 2), ("1", 2)]

    def test_are_named_by_whatever_sets_them_apart(self):
        labels = {"training.learning_rate": 0.1}
        found = arms(
            study(run(0.0), run(0.0, method="kto"), run(0.0, rule="random"), run(0.0, labels=labels))
        )
        assert [arm.name for arm in found] == [
            "0, kto, satisfaction",
            "0, sft, random",
            "0, sft, satisfaction",
            "0, sft, satisfaction, learning_rate 0.1",
        ]

    def test_change_over_seeds(self):
        section = seeds_section(study(*[run(share, seed) for share in (0.0, 1.0) for seed in (1, 2)]))
        assert section is not None
        assert [row.who for row in section.rows] == [("0", "2"), ("1", "2")]
        assert seeds_section(study()) is None


class TestWording:
    def test_numbers(self):
        assert number(-0.001) == "0.00"
        assert number(-0.256) == "−0.26"
        assert number(None) == "–"
        assert signed(0.1) == "+0.10"
        assert signed(0.001) == "0.00"
        assert [p_value(p) for p in (0.0004, 0.0312, 0.5, None)] == ["< 0.001", "0.031", "0.50", "–"]
        assert change(NO_DIFFERENCE) == "–"
        assert change(Difference(0.5, None, None, 1, None, None)) == "+0.50 (no interval)"


def test_the_figure_is_wide_enough_for_print():
    png = drift_png(study())
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) > 2000  # pixels


def test_an_arm_s_missing_measure_is_empty():
    assert RoundResult(0, {}).measure("honesty") == EMPTY


class TestTwoJudges:
    KAPPA = JudgesAgreement(
        Agreement(0.61, 0.12, 0.87, rate(7, 9)), 11, first_failed=1, second_failed={"timeout": 1}
    )

    def told(self) -> Study:
        first, *rest = run(1.0).rounds
        none = JudgesAgreement(Agreement(None, None, None, rate(4, 4)), 4, 0, {})
        both = {Benchmark.MASK: self.KAPPA, Benchmark.HELD_OUT: none}
        return study(run(1.0, rounds=(dataclasses.replace(first, agreement=both), *rest)))

    @pytest.mark.usefixtures("undrawn")
    def test_the_page_tells_how_far_they_agree(self):
        text = " ".join(" ".join(Elements(report_html(self.told())).text).split())
        assert (
            "MASK 0.61 [0.12, 0.87] 0.78 [0.45, 0.94] n 9 2 of 11 second judge timeout: 1, first judge: 1"
            in text
        )
        assert "the held-out conversations – 1.00 [0.51, 1.00] n 4 0 of 4 –" in text

    @pytest.mark.usefixtures("undrawn")
    def test_one_judge_alone_agrees_with_nobody(self):
        assert "Do two judges agree?" not in report_html(study(run(1.0)))

    def test_what_is_fetched_is_what_was_there(self):
        assert study_of(study_view(self.told())).runs[0].rounds[0].agreement[Benchmark.MASK] == self.KAPPA
