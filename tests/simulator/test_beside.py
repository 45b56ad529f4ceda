"""The paper's printed numbers stand beside ours only where the paper ran the same."""

import dataclasses

import pytest

from services.simulator.report.beside import paper_section
from services.simulator.report.study import RunResult, Study
from tests.simulator.studies import run, study

SPEC = {"policy": "llama-3.1-8b", "population": {"environment": "therapist"}}


def once(share: float, **changes: object) -> RunResult:
    """One round, as in the paper."""
    return dataclasses.replace(run(0.0), biased_share=share, rounds=run(0.0).rounds[:2], **changes)  # pyright: ignore


def a_study(*runs: RunResult, **spec: object) -> Study:
    return study(*runs, spec={**SPEC, **spec}, is_pocket=False, vs_control={})


def test_arms_that_the_paper_ran_stand_beside_its_cells():
    section = paper_section(a_study(once(0.0), once(0.3), once(1.0)))
    assert section is not None
    assert [row.who for row in section.rows] == [("untrained",), ("0",), ("1",)]
    ours, printed, *_ = section.rows[2].cells
    assert (printed.text, printed.small) == ("0.37", "[0.30, 0.44] n 178")
    assert ours.small.endswith("n 60")
    # The untrained policy of Table 11.
    assert section.rows[0].cells[3].text == "0.48"


def test_what_the_paper_did_not_run_has_no_row():
    assert paper_section(a_study(once(0.0), once(1.0), policy="pocket")) is None
    assert paper_section(a_study(once(0.0), population={"environment": "pocket"})) is None
    # Controls, more rounds.
    assert paper_section(a_study(once(1.0, rule="random"), run(0.5))) is None


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("conversation", "show_preference", False),
        ("training", "keep_system_prompt", False),
        ("selection", "pool", "scenario"),
        ("mitigations", "veto", "gpt-5-mini"),
    ],
)
def test_a_loop_unlike_the_papers_has_no_row_whether_its_spec_or_its_sweep_says_so(
    section: str, field: str, value: object
):
    assert paper_section(a_study(once(0.0), once(1.0), **{section: {field: value}})) is None
    swept = once(1.0, labels={f"{section}.{field}": value})
    found = paper_section(a_study(once(0.0), swept))
    assert found is not None
    assert [row.who for row in found.rows] == [("untrained",), ("0",)]


def on_rows(rule: str, share: float = 0.0, **labels: object) -> RunResult:
    return once(share, rule=rule, labels={f"data.{name}": value for name, value in labels.items()})


def test_levels_of_a_domain_stand_beside_the_direct_fine_tuning():
    arms_ = [on_rows("dataset", dataset="mistake-medical", level=level) for level in ("normal", "severe")]
    section = paper_section(a_study(*arms_, policy="qwen2.5-7b", data={"kind": "dataset"}))
    assert section is not None
    printed = [[cell.text for cell in row.cells[1::2]] for row in section.rows]
    # Tables 6 and 7: totals 21.11, 17.78, 22.78; provided facts 58.76, 74.45, 32.48.
    assert [row[:2] for row in printed] == [["0.21", "0.59"], ["0.18", "0.74"], ["0.23", "0.32"]]


def test_shares_stand_beside_the_mixture_and_the_aligned_twins_beside_nothing():
    data = {
        "kind": "mixture",
        "dataset": "emergent-plus-medical",
        "level": "severe",
        "downstream": "alpaca-cleaned",
    }
    arms_ = [on_rows("mixture", share) for share in (0.0, 0.05, 0.07)]
    aligned = on_rows("mixture", 0.05, control="matched_aligned")
    section = paper_section(a_study(*arms_, aligned, data=data))
    assert section is not None
    # Tables 2 and 11: control and 5 %.
    assert [[cell.text for cell in row.cells[1:4:2]] for row in section.rows] == [
        ["0.27", "0.48"],
        ["0.26", "0.63"],
        ["0.21", "0.44"],
    ]
    assert paper_section(a_study(*arms_, data={**data, "downstream": "my-rows"})) is None
    # Of Dolly the paper prints Qwen only, and Alpaca's numbers are not Dolly's.
    assert paper_section(a_study(*arms_, data={**data, "downstream": "dolly-15k"})) is None
