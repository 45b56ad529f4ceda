"""The paper's reduced preset, whole, against a provider that plays the users: only the policy and its training are pocket-sized."""

import json
from collections import Counter
from typing import Any

import pytest
import yaml

from services.core.db import policies, runs, selections
from services.core.domain.phases import RunStatus
from services.core.domain.selection import Label
from services.core.domain.trajectory import TrajectoryStatus
from services.core.settings import PROJECT
from tests.core.db.facts import held_in
from tests.e2e.installation import fresh
from tests.provider.process import provider, seen

PRESET = PROJECT / "scenarios/presets/paper/loop-qwen-reduced-kto.yaml"
SMALLER = 5
"""The test holds a fifth of the preset's conversations, and takes a fifth of each amount."""
CONVERSATIONS = 2000 // SMALLER


def pocket_sized() -> dict[str, Any]:
    """Return one arm of the preset with the pocket policy in Qwen's place and less of everything."""
    spec = yaml.safe_load(PRESET.read_text())
    spec["population"]["conversations"] //= SMALLER
    spec["selection"] = {side: amount // SMALLER for side, amount in spec["selection"].items()}
    spec["population"]["biased_share"] = spec.pop("sweep")["population.biased_share"][3]
    spec["policy"] = "pocket"
    spec["conversation"]["max_tokens"] = 24
    spec["training"] |= {"epochs": 0.1, "max_length": 512, "lora": {"rank": 4, "alpha": 8}}
    spec["evaluation"] = {"benchmarks": ["mask", "deceptionbench", "capability"]}
    return spec


@pytest.mark.slow
def test_the_reduced_preset_runs_to_its_end() -> None:
    with fresh() as installation, provider(latency_s=0.05) as url:
        path = installation.home / "reduced.yaml"
        path.write_text(yaml.safe_dump(pocket_sized()))
        # The users through the aiohttp client; tests/core/llm/test_hosted.py holds LiteLLM's to the same replies.
        endpoints = json.dumps({"gpt-4o-mini": {"model": "gpt-4o-mini", "url": url}})
        done = installation.run("launch", path, "--watch", "--json", DRIFTLOOP_ENDPOINTS=endpoints)
        assert done.code == 0, done.err
        run_id = json.loads(done.out)["runs"][0]["run"]
        with installation.database() as session:
            run = runs.get_run(session, run_id)
            held = held_in(session, run.id, 1)
            chosen = selections.of_round(session, run.id, 1)
            adapters = policies.adapters_of_run(session, run.id)
        asked = seen(url)["requests"]
    assert run.status is RunStatus.SUCCEEDED
    assert [one.slot for one in held] == list(range(CONVERSATIONS))
    assert len({one.scenario for one in held}) == 10
    scored = {one.slot for one in held if one.status is TrajectoryStatus.SCORED}
    assert len(scored) > 0.99 * CONVERSATIONS
    # Half of the round is the preset's k; each side of KTO has it as far as conversations were scored.
    assert Counter(one.label for one in chosen) == {
        Label.DESIRABLE: CONVERSATIONS // 2,
        Label.UNDESIRABLE: len(scored) - CONVERSATIONS // 2,
    }
    assert {one.slot for one in chosen} <= scored
    assert [adapter.round for adapter in adapters] == [1]
    # Each conversation: one more turn of the user, two ratings.
    assert asked >= 3 * CONVERSATIONS
