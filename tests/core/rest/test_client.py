"""The client against a real service: what it lists, what it gets, and what it may not."""

import pytest

from services.core.db.tokens import Scope
from services.core.domain.errors import Forbidden, NotFound, SpecError, Unauthorised
from services.core.domain.selection import Label, Selected
from services.core.domain.trajectory import UserKind
from services.core.rest.client import Client
from services.core.rest.client import connection as wire
from services.core.rest.client.trajectories import BEST_FIRST, Which
from tests.core.db.builders import a_run, a_spec
from tests.core.db.facts import a_trajectory, a_verdict, choose, hold, measure
from tests.core.rest.conftest import Service


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


def test_a_token_opens_what_its_scope_allows(service: Service) -> None:
    with Client(service.url) as stranger, pytest.raises(Unauthorised, match="tokens create"):
        list(stranger.runs.list())
    assert list(service.client(Scope.READ).runs.list()) == []
    assert issubclass(Forbidden, Unauthorised)
