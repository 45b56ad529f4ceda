"""A budget, whole: two worker processes, a provider that takes its time and fails, a stop within what is in flight, and the rest."""

import json
from typing import Any

import pytest

from services.core.db import runs
from services.core.domain.phases import RunStatus
from services.core.domain.trajectory import Trajectory
from tests.core.db.facts import held_in
from tests.e2e.installation import SMALL, Ended, Installation, fresh
from tests.provider.process import provider

pytestmark = pytest.mark.slow

CONVERSATIONS = 120
IN_FLIGHT = 4
WORKERS = 2
SPEC: dict[str, Any] = SMALL | {
    "population": {"biased_share": 0.5, "conversations": CONVERSATIONS},
    "conversation": {"user_model": "fake"},
    "evaluation": {"benchmarks": ["capability"], "held_out_profiles": 1},
    "concurrency": {"in_flight": IN_FLIGHT, "shard_size": 60},
}


def tokens_of(held: Trajectory) -> int:
    return sum((call.prompt_tokens or 0) + (call.completion_tokens or 0) for call in held.calls)


def settings(url: str) -> dict[str, object]:
    priced = {"input_usd_per_million": 1, "output_usd_per_million": 2}
    fake = {"model": "any", "url": url, **priced}
    return {"DRIFTLOOP_WORKERS": WORKERS, "DRIFTLOOP_ENDPOINTS": json.dumps({"fake": fake})}


def state(installation: Installation, run_id: str) -> tuple[runs.RunRecord, tuple[Trajectory, ...]]:
    with installation.database() as session:
        return runs.get_run(session, run_id), held_in(session, run_id, 1)


def launched(installation: Installation, spec: object, url: str) -> Ended:
    return installation.run("launch", spec, "--json", **settings(url))


def test_a_run_ends_at_its_budget_keeps_all_and_goes_on_with_more() -> None:
    with (
        fresh() as installation,
        provider(latency_s=0.05, fault_share=0.02, hang_s=0.5) as url,
        installation.server(),
    ):
        budget = 30_000
        ended = launched(installation, installation.spec(**SPEC, budget={"tokens": budget}), url)
        run_id = json.loads(ended.out)["runs"][0]["run"]
        assert ended.code == 1
        assert f"run {run_id} is out of budget, budget.tokens: " in ended.err
        run, held = state(installation, run_id)
        assert run.status is RunStatus.OUT_OF_BUDGET
        assert 0 < len(held) < CONVERSATIONS
        longest = max(map(tokens_of, held))
        assert budget <= run.spent.tokens <= budget + WORKERS * IN_FLIGHT * longest
        # Every call of every conversation is counted, and costs what its tokens cost.
        talked = [call for one in held for call in one.calls if call.model == "fake"]
        assert run.spent.usd == pytest.approx(sum(call.cost_usd or 0 for call in talked))

        again = installation.run("resume", run_id, **settings(url))
        assert again.code == 2
        assert f"`driftloop resume {run_id} --budget-tokens N`" in again.err
        relaunched = launched(installation, installation.spec(**SPEC, budget={"tokens": budget}), url)
        assert (relaunched.code, json.loads(relaunched.out)["runs"][0]["outcome"]) == (1, "out_of_budget")
        assert f"run {run_id} is out of budget, budget.tokens: " in relaunched.err
        listed = installation.run("list", **settings(url))
        assert "out_of_budget" in listed.out

        more = installation.run("resume", run_id, "--budget-tokens", 10_000_000, **settings(url))
        assert more.code == 0, more.err
        done, all_held = state(installation, run_id)
    assert done.status is RunStatus.SUCCEEDED
    assert [one.slot for one in all_held] == list(range(CONVERSATIONS))
    kept = {one.slot: one for one in held}
    assert {one.slot: one for one in all_held if one.slot in kept} == kept
