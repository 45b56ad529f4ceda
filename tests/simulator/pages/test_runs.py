"""The start page: every run, sweeps together, live while something runs."""

from sqlalchemy import Engine

from services.core.db import phases, runs, sweeps
from services.core.db.session import transaction
from services.core.domain.phases import PhaseName, RunStatus
from tests.core.db.builders import a_run
from tests.simulator.api.service import Api
from tests.simulator.pages.browsing import visit


def a_sweep(engine: Engine, *seeds: int) -> str:
    ids = tuple(a_run(engine, seed=seed) for seed in seeds)
    arms = [(run_id, {"seed": seed}) for run_id, seed in zip(ids, seeds, strict=True)]
    with transaction(engine) as session:
        sweeps.insert_sweep(session, "sweep-1", "seeds", arms)
    return "sweep-1"


def test_without_runs_the_page_says_how_to_make_one(api: Api) -> None:
    assert "No runs yet." in visit(api, "/").text


def test_runs_of_a_sweep_stand_together_under_its_name(api: Api) -> None:
    single = a_run(api.engine, seed=9)
    a_sweep(api.engine, 1, 2, 3)
    page = visit(api, "/").text
    assert page.count('class="sweep"') == 1
    assert "sweep of seed · 3 runs" in page
    for seed in (1, 2, 3):
        assert f">{seed}</td>" in page
    assert page.index("sweep-1") < page.index(f'/runs/{single}"')


def test_the_page_is_live_only_while_something_runs(api: Api) -> None:
    run_id = a_run(api.engine)
    assert "data-going" in visit(api, "/").text
    with transaction(api.engine) as session:
        runs.set_status(session, run_id, RunStatus.SUCCEEDED)
    assert "data-going" not in visit(api, "/").text


def test_a_run_that_nobody_works_waits_and_does_not_pulse(api: Api) -> None:
    run_id = a_run(api.engine)
    shown = ("/", f"/runs/{run_id}", f"/compare?run={run_id}")
    at_work = "1 of 2 shards at work"
    with transaction(api.engine) as session:
        held = phases.claim_next(session, list(PhaseName), "w", 60)
        assert held is not None
    for path in shown:
        page = visit(api, path).text
        assert (page.count('class="beat"'), page.count(">waiting<")) == (1, 0), path
    assert at_work in visit(api, f"/runs/{run_id}").text
    with transaction(api.engine) as session:
        assert phases.renew(session, held, -1)  # its worker has died, and nobody has noticed yet
    for path in shown:
        page = visit(api, path).text
        assert (page.count('class="beat"'), page.count(">waiting<")) == (0, 1), path
    page = visit(api, f"/runs/{run_id}").text
    assert at_work not in page
    assert "No worker has a part of it in hand now" in page


def test_older_runs_are_a_page_further(api: Api) -> None:
    made = [a_run(api.engine, seed=seed) for seed in range(52)]
    first = visit(api, "/").text
    link = first.split('href="/?cursor=')[1].split('"')[0]
    second = visit(api, f"/?cursor={link}").text
    assert [run_id for run_id in made if f'/runs/{run_id}"' in second] == made[:2]
    assert not any(f'/runs/{run_id}"' in first for run_id in made[:2])
