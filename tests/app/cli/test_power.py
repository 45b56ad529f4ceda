import json

import pytest
from typer.testing import CliRunner

from services.app.cli.main import app

ASK = ["power", "--effect", "3", "--n", "274"]


def test_the_plan_of_a_small_step_on_a_small_benchmark():
    said = CliRunner().invoke(app, ASK)
    assert said.exit_code == 0
    assert "items needed at 1 seed: 4,359" in said.stdout
    assert "seeds needed at 274 items: 22" in said.stdout
    assert "power 10%; the smallest difference found with 80% power is 11.9 points" in said.stdout


def test_a_small_effect_keeps_its_digits_and_several_seeds_are_explained():
    said = CliRunner().invoke(app, ["power", "--effect", "0.03", "--n", "274", "--seeds", "3"]).stdout
    assert "A difference of 0.03 points" in said
    assert "One seed's leave it out, and can look better" in said


def test_the_plan_for_programs():
    said = CliRunner().invoke(app, [*ASK, "--seeds", "3", "--repeats", "3", "--spread", "20", "--json"])
    plan = json.loads(said.stdout)
    assert (plan["items"], plan["repeats"], plan["seeds"], plan["effect"]) == (274, 3, 3, 0.03)
    assert plan["assumed"] == {"spread": 0.2, "sampling": 0.5, "seed_sd": 0.02}
    # Three seeds that differ by 2 points can't show 3 points, on however many items.
    assert (plan["items_needed"], plan["seeds_needed"]) == (None, 10)
    assert plan["detectable"] == pytest.approx(0.095, abs=0.001)


@pytest.mark.parametrize("wrong", [["--effect", "0"], ["--n", "0"], ["--spread", "101"], ["--power", "100"]])
def test_nonsense_is_refused(wrong: list[str]):
    assert CliRunner().invoke(app, [*ASK, *wrong]).exit_code == 2
