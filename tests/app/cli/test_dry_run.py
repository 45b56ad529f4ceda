"""A dry run says what a launch would come to, and launches nothing."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.e2e.installation import Installation, fresh
from tests.e2e.small_run import SmallSweep


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with fresh() as made:
        yield made


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_do_and_launches_nothing(installation: Installation) -> None:
    spec = installation.spec(sweep={"population.biased_share": [0.0, 1.0], "seed": [1, 2]})
    done = installation.run("launch", spec, "--dry-run")
    assert done.code == 0
    assert "4 runs, 4 rounds of training, 128 conversations" in done.out
    # Each of 128 conversations: two replies, one more turn, two ratings; the rules that play the user cost nothing.
    assert re.search(r"conversations +rating +pocket-user +256 +0 +0 +0\.00", done.out)
    assert re.search(r"about [\d,]+ tokens, 0\.00 USD\nabout [\d].*, one run after the other", done.out)
    plan = json.loads(installation.run("launch", spec, "--dry-run", "--json").out)
    assert [run["outcome"] for run in plan["runs"]] == ["created"] * 4
    assert [run["labels"] for run in plan["runs"]] == [
        {"population.biased_share": share, "seed": seed} for share in (0, 1) for seed in (1, 2)
    ]
    assert json.loads(installation.run("list", "--json").out) == []


def test_a_dry_run_warns_of_a_budget_that_will_not_do(installation: Installation) -> None:
    done = installation.run("launch", installation.spec(budget={"tokens": 1000}), "--dry-run")
    assert done.code == 0
    assert "warning: budget.tokens: 1,000 is less than the estimate" in done.out


def test_a_dry_run_of_what_is_finished_has_nothing_left_to_do(small_sweep: SmallSweep) -> None:
    done = small_sweep.installation.run("launch", small_sweep.installation.home / "small.yaml", "--dry-run")
    assert done.code == 0, done.err
    assert done.out.count("would be finished") == len(small_sweep.run_ids)
    assert done.out.endswith("nothing is left to do; `--new` repeats what is finished\n")
