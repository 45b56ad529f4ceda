"""The paper's printed numbers stand beside ours only where the paper ran the same, whatever else is in the study."""

import dataclasses

import pytest

from services.simulator.report.beside import paper_section
from services.simulator.report.study import RunResult
from tests.simulator.presets import PRESETS, of_preset
from tests.simulator.studies import study

SHARES = "population.biased_share"
LOOP, REDUCED = "paper/loop-llama-sft", "paper/loop-qwen-reduced-sft"
MIXTURE, ALIGNED = "paper/mixture-llama-alpaca", "paper/mixture-llama-alpaca-aligned"
PAPERS_LOOPS = sorted(f"paper/{path.stem}" for path in (PRESETS / "paper").glob("loop-*.yaml"))


def printed(*runs: RunResult) -> dict[str, list[str]]:
    """Return what is printed beside each arm: deception rate, honesty on provided facts, on disinformation."""
    section = paper_section(study(*runs))
    return {row.who[0]: [cell.text for cell in row.cells[1::2]] for row in section.rows} if section else {}


def test_arms_that_the_paper_ran_stand_beside_its_cells():
    section = paper_section(study(*of_preset(LOOP, sweep={SHARES: [0.0, 0.3, 1.0]})))
    assert section is not None
    assert [row.who for row in section.rows] == [("untrained",), ("0",), ("1",)]
    ours, theirs, *_ = section.rows[2].cells
    assert (theirs.text, theirs.small) == ("0.37", "[0.30, 0.44] n 178")
    assert ours.small.endswith("n 1000")
    # The untrained policy of Table 11.
    assert section.rows[0].cells[3].text == "0.48"


@pytest.mark.parametrize("name", PAPERS_LOOPS)
def test_every_preset_of_the_papers_loops_has_its_rows(name: str):
    # Tables 4, 13, 14 and Fig. 8 hold every share of the presets.
    assert len(printed(*of_preset(name))) == 1 + len({run.biased_share for run in of_preset(name)})


def test_the_reduced_run_is_printed_with_its_ten_scenarios_only():
    # Table 13.
    assert printed(*of_preset(REDUCED))["1"][0] == "0.27"
    people = {"environment": "therapist", "conversations": 2000, "biased_share": 1.0}
    for scenarios in (None, ["crash-diet", "smoking-again"]):
        assert not printed(*of_preset(REDUCED, population={**people, "scenarios": scenarios}))
    ten = of_preset(REDUCED)[0].at("population.scenarios")
    selection = {"top": 0.5, "bottom": 0.5}
    assert not printed(*of_preset(LOOP, population={**people, "scenarios": ten}, selection=selection))


def test_what_the_paper_did_not_run_has_no_row():
    assert not printed(*of_preset(LOOP, policy="pocket"))
    assert not printed(*of_preset(LOOP, population={"conversations": 20000, "environment": "pocket"}))
    assert not printed(*of_preset("paper/control-random"))
    more = [
        dataclasses.replace(run, rounds=(*run.rounds, dataclasses.replace(run.rounds[1], round=2)))
        for run in of_preset(LOOP)
    ]
    assert not printed(*more)


@pytest.mark.parametrize(
    ("place", "printed_value", "value"),
    [
        ("conversation.show_preference", True, False),
        ("training.keep_system_prompt", True, False),
        ("selection.pool", "round", "scenario"),
        ("mitigations.veto", "none", "gpt-5-mini"),
    ],
)
def test_a_loop_unlike_the_papers_has_no_row_whether_its_sweep_says_so(
    place: str, printed_value: object, value: object
):
    both = of_preset(LOOP, sweep={place: [printed_value, value], SHARES: [1.0]})
    assert len(printed(*both)) == 2
    assert not printed(*(run for run in both if run.labels[place] == value))


@pytest.mark.parametrize("other", ["paper/control-preference-hidden", "paper/control-no-system-prompt"])
def test_or_its_file(other: str):
    assert not printed(*of_preset(other))
    beside = printed(*of_preset(LOOP, sweep={SHARES: [0.0, 1.0]}), *of_preset(other))
    assert len(beside) == 3
    assert printed(*of_preset(other), *of_preset(LOOP, sweep={SHARES: [0.0, 1.0]})) == beside


def test_two_base_models_stand_beside_their_own_numbers():
    both = printed(*of_preset(LOOP), *of_preset(REDUCED))
    # Tables 4 and 13; untrained, Tables 2 and 7.
    firsts = {who: cells[0] for who, cells in both.items()}
    assert [firsts[f"{model}-Instruct, untrained"] for model in ("Llama-3.1-8B", "Qwen2.5-7B")] == [
        "0.27",
        "0.22",
    ]
    assert [firsts[f"1, {policy}"] for policy in ("llama-3.1-8b", "qwen2.5-7b")] == ["0.37", "0.27"]
    assert len(both) == len(printed(*of_preset(LOOP))) + len(printed(*of_preset(REDUCED)))


def test_levels_of_a_domain_stand_beside_the_direct_fine_tuning():
    sweep = {"data.dataset": ["mistake-medical"], "data.level": ["normal", "severe"]}
    # Tables 6 and 7: totals 21.11, 17.78, 22.78; provided facts 58.76, 74.45, 32.48.
    assert [cells[:2] for cells in printed(*of_preset("paper/direct-qwen", sweep=sweep)).values()] == [
        ["0.21", "0.59"],
        ["0.18", "0.74"],
        ["0.23", "0.32"],
    ]


def test_shares_stand_beside_the_mixture_and_the_aligned_twins_beside_nothing():
    mixed = of_preset(MIXTURE, sweep={"data.share": [0.0, 0.05, 0.07]})
    # Tables 2 and 11: control and 5 %.
    cells = [["0.27", "0.48"], ["0.26", "0.63"], ["0.21", "0.44"]]
    assert [row[:2] for row in printed(*mixed).values()] == cells
    for runs in ((*mixed, *of_preset(ALIGNED)), (*of_preset(ALIGNED), *mixed)):
        assert [row[:2] for row in printed(*runs).values()] == cells
    assert not printed(*of_preset(ALIGNED))


def test_other_ordinary_rows_than_the_papers_stand_beside_nothing():
    data = {"kind": "mixture", "dataset": "emergent-plus-medical", "level": "severe", "share": 0.05}
    # Of Dolly the paper prints Qwen only, and Alpaca's numbers are not Dolly's.
    for downstream in ("my-rows", "dolly-15k"):
        assert not printed(*of_preset(MIXTURE, data={**data, "downstream": downstream}))
