"""Serving and training take turns on a GPU, across workers; the servers are awake after every training."""

import threading

import pytest
from sqlalchemy import Engine

from services.core.llm.colocation import Turns
from tests.core.llm.shelf import Shelf


def test_the_server_sleeps_while_a_training_runs(engine: Engine) -> None:
    server = Shelf()
    with Turns(engine, "pocket", [server]).training():
        assert server.asked == ["sleep"]
    assert server.asked == ["sleep", "wake"]


def test_a_failed_training_wakes_it_too(engine: Engine) -> None:
    server = Shelf()
    with pytest.raises(MemoryError), Turns(engine, "pocket", [server]).training():
        raise MemoryError
    assert server.asked == ["sleep", "wake"]


def test_whoever_serves_wakes_what_a_killed_training_left_asleep(engine: Engine) -> None:
    server = Shelf()
    with Turns(engine, "pocket", [server]).serving():
        assert server.asked == ["wake"]


def test_a_training_waits_for_those_who_serve_and_they_for_it(engine: Engine) -> None:
    happened: list[str] = []
    one_serves, may_end = threading.Event(), threading.Event()

    def serve(name: str) -> None:
        with Turns(engine, "pocket", []).serving():
            happened.append(f"{name} serves")
            one_serves.set()
            may_end.wait()
            happened.append(f"{name} ends")

    def train() -> None:
        with Turns(engine, "pocket", []).training():
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
        Turns(engine, "pocket", []).training(),
        Turns(engine, "other", []).serving(),
    ):
        pass
