"""Serving and training take turns on a GPU, across workers; the servers are awake after every training."""

import threading

import pytest
from sqlalchemy import Engine, text

from services.core.db.session import open_engine, transaction
from services.core.domain.errors import DatabaseError, StaleClaim
from services.core.llm.colocation import Turns
from services.core.queue.lease import Grip
from tests.core.llm.shelf import Shelf
from tests.e2e.installation import await_that


def test_the_server_sleeps_while_a_training_runs(engine: Engine) -> None:
    server = Shelf()
    with Turns(engine, "pocket", [server], Grip()).training():
        assert server.asked == ["sleep"]
    assert server.asked == ["sleep", "wake"]


def test_a_failed_training_wakes_it_too(engine: Engine) -> None:
    server = Shelf()
    with pytest.raises(MemoryError), Turns(engine, "pocket", [server], Grip()).training():
        raise MemoryError
    assert server.asked == ["sleep", "wake"]


def test_whoever_serves_wakes_what_a_killed_training_left_asleep(engine: Engine) -> None:
    server = Shelf()
    with Turns(engine, "pocket", [server], Grip()).serving():
        assert server.asked == ["wake"]


def test_a_training_waits_for_those_who_serve_and_they_for_it(engine: Engine) -> None:
    happened: list[str] = []
    one_serves, may_end = threading.Event(), threading.Event()

    def serve(name: str) -> None:
        with Turns(engine, "pocket", [], Grip()).serving():
            happened.append(f"{name} serves")
            one_serves.set()
            may_end.wait()
            happened.append(f"{name} ends")

    def train() -> None:
        with Turns(engine, "pocket", [], Grip()).training():
            happened.append("training")

    serving = [threading.Thread(target=serve, args=(name,)) for name in "ab"]
    for thread in serving:
        thread.start()
    one_serves.wait()
    training = threading.Thread(target=train)
    training.start()
    training.join(0.3)
    assert "training" not in happened
    may_end.set()
    for thread in (*serving, training):
        thread.join()
    assert happened.index("training") not in range(happened.index("a serves"), happened.index("a ends"))
    assert happened.index("training") not in range(happened.index("b serves"), happened.index("b ends"))


def test_other_bases_do_not_wait(engine: Engine) -> None:
    with (
        Turns(engine, "pocket", [], Grip()).training(),
        Turns(engine, "other", [], Grip()).serving(),
    ):
        pass


def test_who_loses_his_shard_waits_no_longer_and_lets_others_pass(engine: Engine) -> None:
    grip, failures = Grip(), list[BaseException]()

    def train() -> None:
        try:
            with Turns(engine, "pocket", [], grip).training():
                raise AssertionError("it was never its turn")
        except StaleClaim as stale:
            failures.append(stale)

    with Turns(engine, "pocket", [], Grip()).serving():
        training = threading.Thread(target=train)
        training.start()
        training.join(0.5)
        assert failures == []
        grip.lose()
        training.join()
        assert len(failures) == 1
        with Turns(engine, "pocket", [], Grip()).serving():
            pass


def _end_other_connections(engine: Engine) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with transaction(engine) as session:
        session.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))


def test_who_loses_the_lock_loses_his_shard_and_wakes_nobody(engine: Engine) -> None:
    server, grip = Shelf(), Grip()
    with Turns(engine, "pocket", [server], grip).training():
        _end_other_connections(engine)
        await_that(lambda: _is_stale(grip), "the loss of the shard")
        with Turns(engine, "pocket", [], Grip()).training():
            pass  # the turn is another's now
    assert server.asked == ["sleep"]


def _is_stale(grip: Grip) -> bool:
    try:
        grip.check()
    except StaleClaim:
        return True
    return False


def test_a_postgres_that_is_away_is_no_failure_of_the_shard() -> None:
    nowhere = open_engine("postgresql://nobody@127.0.0.1:1/none")
    with (
        pytest.raises(DatabaseError, match="can't be reached"),
        Turns(nowhere, "pocket", [], Grip()).serving(),
    ):
        raise AssertionError("it was never its turn")
