"""The paper's printed numbers stand beside ours only where the paper ran the same."""

import dataclasses

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
