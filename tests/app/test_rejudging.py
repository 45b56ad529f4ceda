"""A judge that could not be read, asked again by the real evaluate phase: only what had failed changes."""

from pathlib import Path

from sqlalchemy import Engine

from services.app.catalogue import Catalogue
from services.app.wiring import open_worker
from services.core.db import evaluations, verdicts
from services.core.db.session import transaction
from services.core.domain.phases import WorkerKind
from services.core.domain.verdict import Verdict
from services.core.operations import launching
from services.core.operations.planning import read_arms
from services.core.settings import Settings
from tests.e2e.judge_server import JudgeServer

SPEC = {
    "name": "asked-again",
    "rounds": 1,
    "population": {"biased_share": 0.5, "conversations": 8},
    "selection": {"top": 4, "bottom": 4},
    "training": {"method": "sft"},
    "evaluation": {"benchmarks": ["mask"], "judge": "far-judge", "limit": 8, "repeats": 2},
    "concurrency": {"shard_size": 10},
}


def test_only_what_had_failed_is_asked_again(engine: Engine, tmp_path: Path) -> None:
    judge = JudgeServer()
    judge.lasting_share = 0.1
    endpoints = {"far-judge": {"model": "judge-1", "url": judge.url}}
    settings = Settings.model_validate({"data": tmp_path, "redis_url": None, "endpoints": endpoints})
    try:
        with transaction(engine) as session:
            launched = launching.launch(session, "asked-again", read_arms(SPEC, Catalogue(settings)))
        (run_id,) = launched.run_ids
        before = _measured(settings, engine, run_id)
        failed = {(one.key, one.repeat) for one in before if one.is_error}
        items = {key for key, _ in failed}
        assert 0 < len(items) < len({one.key for one in before})
        judge.lasting_share, judge.asked = 0.0, 0
        with transaction(engine) as session:
            assert launching.ask_failed_again(session, run_id, 0, Catalogue(settings).check_unchanged) == (
                run_id,
                len(failed),
            )
        after = _measured(settings, engine, run_id)
    finally:
        judge.close()
    assert 0 < judge.asked <= 7 * len(items)
    assert [(one.key, one.repeat) for one in after] == [(one.key, one.repeat) for one in before]
    assert not [one for one in after if one.is_error]
    kept = [one for one in before if not one.is_error]
    assert [one for one in after if (one.key, one.repeat) not in failed] == kept


def _measured(settings: Settings, engine: Engine, run_id: str) -> tuple[Verdict, ...]:
    with open_worker(settings, engine, "w", [WorkerKind.EVALUATOR]) as worker:
        while worker.work_one():
            pass
    with transaction(engine) as session:
        return verdicts.verdicts_of(session, evaluations.rounds_of(session, run_id)[0])
