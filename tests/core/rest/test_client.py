"""The client against a real service: what it lists, what it gets, and what it may not."""

import pytest

from services.app.cli.rescoring import rescored
from services.core.domain.access import Scope
from services.core.domain.errors import Forbidden, NotFound, SpecError, StateConflict, Unauthorised
from services.core.domain.identity import LaunchOutcome
from services.core.domain.phases import PhaseName, RunStatus, ShardStatus
from services.core.domain.selection import Label, Selected
from services.core.domain.trajectory import UserKind
from services.core.rest.client import Client
from services.core.rest.client import connection as wire
from services.core.rest.client.trajectories import BEST_FIRST, Which
from tests.core.db.builders import a_run, a_spec, run_out
from tests.core.db.facts import a_talk, a_trajectory, a_verdict, choose, hold, measure
from tests.core.rest.conftest import Service
from tests.core.rest.cutting import cut_line


def test_lists_page_by_themselves(service: Service, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [a_run(service.engine, seed=seed) for seed in range(7)]
    monkeypatch.setattr(wire, "_PAGE", 3)
    assert [run.id for run in client.runs.list()] == made[::-1]
    assert [run.id for run in client.runs.list(limit=4)] == made[:2:-1]
    assert list(client.runs.list(limit=0)) == []


def test_a_run_has_its_whole_spec(service: Service, client: Client) -> None:
    run_id = a_run(service.engine)
    found = client.runs.get(run_id[:6])
    assert (found.id, found.spec, found.fraction) == (run_id, a_spec(), 0)


@pytest.mark.parametrize("name", ["nosuch", "no such", "%", "é"])
def test_what_is_not_there_is_said_as_the_service_says_it(client: Client, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        client.runs.get(name)
    assert str(caught.value) == f"there is no run {name!r}; `driftloop list` shows those that exist"


def test_trajectories_by_filter_and_order(service: Service, client: Client) -> None:
    run_id = a_run(service.engine)
    held = [
        a_trajectory(0, ("I drink each night", "See a doctor"), ratings=(3,)),
        a_trajectory(1, user_kind=UserKind.BIASED, ratings=(9,)),
        a_trajectory(2, user_kind=UserKind.BIASED, ratings=(7,)),
    ]
    ids = hold(service.engine, run_id, 1, held)
    choose(service.engine, run_id, 1, [Selected(1, 1, 9, Label.DESIRABLE, "rank 1 of 3")])

    def slots(which: Which, sort: str = "id") -> list[int]:
        return [item.slot for item in client.trajectories.list(which, sort)]

    assert slots(Which()) == [0, 1, 2]
    assert slots(Which(run=[run_id], round=[1]), BEST_FIRST) == [1, 2, 0]
    assert slots(Which(user_kind=[UserKind.BIASED], score_to=8)) == [2]
    assert slots(Which(label=[Label.DESIRABLE])) == [1]
    assert slots(Which(q="doctor")) == [0]
    whole = client.trajectories.get(ids[1])
    assert [message.role for message in whole.messages] == ["system", "user", "assistant"]
    assert whole.selection is not None
    assert whole.selection.reason == "rank 1 of 3"


def test_a_filter_that_cannot_be_is_a_mistake_of_the_caller(client: Client) -> None:
    with pytest.raises(SpecError, match="score_from"):
        list(client.trajectories.list(Which(score_from=-1)))


def test_drift_is_paired(service: Service, client: Client) -> None:
    run_id = a_run(service.engine, evaluation_items=2)
    measure(service.engine, run_id, 0, [a_verdict("a", "honest"), a_verdict("b", "honest")])
    measure(service.engine, run_id, 1, [a_verdict("a", "lie"), a_verdict("b", "honest")], key="k1")
    base, after = client.measures.drift(run_id).rounds
    assert base.measures["honesty"].value == 1
    assert after.vs_baseline["honesty"].difference == -0.5


SMALL = {
    "name": "small",
    "rounds": 1,
    "population": {"biased_share": 0.5, "conversations": 10},
    "training": {"method": "sft"},
    "evaluation": {"benchmarks": ["capability"]},
}
SWEPT = SMALL | {"sweep": {"seed": [1, 2]}}


def test_a_launch_whose_answer_was_lost_is_launched_once(service: Service) -> None:
    token = service.token(Scope.LAUNCH)
    with cut_line(service.url, 3, cuts=1) as line, Client(line.url, token) as client:
        launched = client.runs.launch(SMALL)
        assert (launched.outcome, line.cuts) == (LaunchOutcome.CREATED, 1)
        assert client.runs.launch(SMALL).outcome is LaunchOutcome.RESUMED
        assert [run.id for run in client.runs.list()] == [launched.run.id]


def test_a_round_that_is_half_judged_is_not_scored_again(service: Service, client: Client) -> None:
    run_id = a_run(service.engine, evaluation_items=2)
    verdicts = [a_talk("ann", kind, "validates") for kind in ("benign", "biased")]
    measure(service.engine, run_id, 0, verdicts)
    measure(service.engine, run_id, 1, verdicts[:1])
    assert [one.round for one in rescored(client, run_id, "robust")] == [0]


def test_a_run_is_planned_launched_stopped_resumed_and_deleted(client: Client) -> None:
    (planned,) = client.sweeps.plan(SMALL).runs
    run = client.runs.launch(SMALL).run
    assert (planned.id, planned.outcome, planned.spec) == (run.id, LaunchOutcome.CREATED, run.spec)
    assert client.runs.cancel(run.id).status is RunStatus.CANCELLED
    assert client.runs.resume(run.id).status is RunStatus.RUNNING
    with pytest.raises(StateConflict, match="is running; cancel it first"):
        client.runs.delete(run.id)
    client.runs.cancel(run.id)
    assert [one.id for one in client.runs.list(status=[RunStatus.CANCELLED])] == [run.id]
    client.runs.delete(run.id)
    assert list(client.runs.list()) == []


def test_a_run_that_is_out_of_budget_is_resumed_with_a_larger_one(service: Service, client: Client) -> None:
    run_id = run_out(service.engine, 120, budget={"tokens": 100, "hours": 2.0})
    with pytest.raises(StateConflict, match=r"can't go on, budget\.tokens: 120 of 100 tokens are spent"):
        client.runs.resume(run_id)
    with pytest.raises(SpecError, match=r"^budget\.tokens: 0 does not fit; use a whole number from 1"):
        client.runs.resume(run_id, budget={"tokens": 0})
    with pytest.raises(SpecError, match=r"^budget\.hours: inf does not fit"):
        client.runs.resume(run_id, budget={"hours": float("inf")})
    run = client.runs.resume(run_id, budget={"tokens": 5000})
    assert (run.status, run.spent.tokens) == (RunStatus.RUNNING, 120)
    assert (run.budget.tokens, run.budget.hours) == (5000, 2.0)


def test_a_clone_is_its_model_with_changes(client: Client) -> None:
    run = client.runs.launch(SMALL).run
    clone = client.runs.clone(run.id, {"seed": 9}).run
    assert (clone.spec.seed, clone.spec.population) == (9, run.spec.population)


def test_what_is_wrong_with_a_spec_is_said_in_its_words(client: Client) -> None:
    with pytest.raises(SpecError) as caught:
        client.runs.launch(SMALL | {"population": {"biased_share": 1.2}})
    assert str(caught.value) == "population.biased_share: 1.2 is more than 1; use a number from 0 to 1"


def test_a_sweep_is_launched_and_shown(client: Client) -> None:
    launched = client.sweeps.launch(SWEPT)
    assert [arm.labels for arm in launched.arms] == [{"seed": 1}, {"seed": 2}]
    assert [sweep.id for sweep in client.sweeps.list()] == [launched.id]
    found = client.sweeps.get(launched.id)
    assert [arm.run.id for arm in found.arms] == [arm.run.id for arm in launched.arms]


def test_how_far_a_run_is(client: Client) -> None:
    run = client.runs.launch(SMALL).run
    (phase,) = client.runs.phases(run.id)
    assert (phase.round, phase.name) == (0, PhaseName.EVALUATE)
    assert sum(shard.units_total for shard in client.runs.shards(run.id, round=[0])) == phase.units_total
    assert list(client.runs.shards(run.id, status=[ShardStatus.DONE])) == []
    assert [made.round for made in client.runs.rounds(run.id)] == [0]


def test_tokens_are_made_listed_and_revoked(service: Service, client: Client) -> None:
    with Client(service.url) as stranger, pytest.raises(Unauthorised, match="tokens create"):
        list(stranger.runs.list())
    made = client.tokens.create("ann", Scope.READ)
    assert ("ann", Scope.READ) in [(one.name, one.scope) for one in client.tokens.list()]
    with Client(service.url, made.token) as ann:
        with pytest.raises(Forbidden, match="this needs a token of scope launch"):
            ann.runs.launch(SMALL)
        client.tokens.revoke("ann")
        with pytest.raises(Unauthorised):
            list(ann.runs.list())


def test_scenarios(client: Client) -> None:
    listed = {(one.environment, one.name): one for one in client.scenarios.list()}
    whole = client.scenarios.get("pocket", "wine")
    assert len(whole.profiles) == listed["pocket", "wine"].profiles
