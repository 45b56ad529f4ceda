"""The estimate before a launch beside what the run then took: calls are exact where nothing fails, tokens are near."""

import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from sqlalchemy import select

from services.core.db import tables
from services.core.db.usage import usage_of
from tests.e2e.small_run import EVERYTHING, SHARES, SmallSweep

NEAR = 2.5
"""Estimates of tokens lie within this factor; the pocket's words are short of four characters a token, and its replies of half their bound."""


@pytest.fixture(scope="module")
def planned(small_sweep: SmallSweep) -> dict[str, Any]:
    """Return the estimate of the sweep that was worked, as one that is repeated: of what is finished nothing is left to do."""
    spec = small_sweep.installation.spec(**EVERYTHING, sweep={"population.biased_share": list(SHARES)})
    done = small_sweep.installation.run("launch", spec, "--dry-run", "--new", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["estimate"]


@pytest.fixture(scope="module")
def held_out(small_sweep: SmallSweep) -> Counter[str]:
    """Return how often each side spoke in held-out conversations, openings left out, and how many rulings there were."""
    with small_sweep.installation.database() as session:
        details = session.scalars(
            select(tables.VerdictRow.detail).where(tables.VerdictRow.benchmark == "held_out")
        ).all()
    found: Counter[str] = Counter(judge=sum(len(one["rulings"]) for one in details))
    for one in details:
        found.update(line["role"] for line in one["transcript"]["messages"][2:])
    return found


def test_calls_are_exact(small_sweep: SmallSweep, planned: dict[str, Any], held_out: Counter[str]) -> None:
    with small_sweep.installation.database() as session:
        used = usage_of(session, small_sweep.run_ids)
    took: Counter[tuple[str, str]] = Counter()
    for one in used:
        took[one.phase, one.role] += one.calls
    foretold: Counter[tuple[str, str]] = Counter()
    for one in planned["calls"]:
        if one["part"] == "held_out":
            assert held_out[one["role"]] == one["calls"], one
            continue
        phase = one["part"] if one["part"] == "conversations" else "evaluation"
        foretold[phase, one["role"]] += one["calls"]
    took["evaluation", "judge"] -= held_out["judge"]
    assert foretold == took


def test_tokens_are_near(small_sweep: SmallSweep, planned: dict[str, Any]) -> None:
    with small_sweep.installation.database() as session:
        used = [one for one in usage_of(session, small_sweep.run_ids) if one.role == "assistant"]
    took: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in used:
        took[one.phase][0] += one.prompt_tokens or 0
        took[one.phase][1] += one.completion_tokens or 0
    foretold: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in planned["calls"]:
        if one["role"] == "assistant" and one["part"] != "held_out":
            phase = one["part"] if one["part"] == "conversations" else "evaluation"
            foretold[phase][0] += one["prompt_tokens"]
            foretold[phase][1] += one["completion_tokens"]
    assert took.keys() == foretold.keys()
    for phase, counts in took.items():
        for real, said in zip(counts, foretold[phase], strict=True):
            assert real / NEAR <= said <= real * NEAR, (phase, counts, foretold[phase])


def test_what_nobody_sells_costs_nothing(planned: dict[str, Any]) -> None:
    assert (planned["usd"], planned["unpriced"]) == (0, [])
    assert planned["hours"]["total"] > 0
