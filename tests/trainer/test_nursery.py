"""The nursery: who dies with whom, what a caller is told, and that nothing stays behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from services.core.domain.errors import StaleClaim, TrainingError
from services.trainer.nursery import Nursery, train


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def await_end(*pids):
    while any(is_alive(pid) for pid in pids):
        time.sleep(0.02)  # the test's timeout is the limit


def nursery_pid(nursery):
    (pid,) = [
        pid
        for pid in children(os.getpid())
        if str(nursery.socket_path) in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    return pid


def test_importing_the_package_imports_no_torch():
    script = (
        "import sys, services.trainer.nursery, services.trainer.fork_server; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_killed_child_is_reported_with_its_signal_and_leaves_no_adapter(nursery, job, tmp_path):
    long = job(epochs=100)

    def kill(step, _):
        if step:
            for child in children(nursery_pid(nursery)):
                os.kill(child, signal.SIGKILL)

    with pytest.raises(TrainingError, match=r"killed by signal 9; last lines of .*log:\n"):
        train(nursery.socket_path, long, tmp_path / "log", kill)
    assert not long.output.exists()
    # A repeat sweeps what the killed one left, and finishes.
    again = job(epochs=1)
    train(nursery.socket_path, again, tmp_path / "log", lambda *_: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "adapter.jsonl", "log", "step0"]


def test_the_failure_ends_with_the_logs_last_lines(nursery, job, tmp_path):
    broken = job(base=tmp_path / "none")
    with pytest.raises(TrainingError, match="the training child failed") as caught:
        train(nursery.socket_path, broken, tmp_path / "log", lambda *_: None)
    assert str(caught.value).endswith((tmp_path / "log").read_text().splitlines()[-1])


def test_a_caller_that_gives_up_takes_its_child_with_it(nursery, job, tmp_path):
    seen = []

    def give_up(step, _):
        if step:
            seen.extend(children(nursery_pid(nursery)))
            raise KeyboardInterrupt

    long = job(epochs=100)
    with pytest.raises(KeyboardInterrupt):
        train(nursery.socket_path, long, tmp_path / "log", give_up)
    assert len(seen) == 1
    await_end(*seen)
    assert not long.output.exists()  # it did not end of itself


def test_a_caller_whose_shard_is_lost_takes_its_child_with_it_between_steps_too(nursery, job, tmp_path):
    seen = []

    def check():
        seen.extend(children(nursery_pid(nursery)))
        if seen:
            raise StaleClaim("lost")

    long = job(epochs=100)
    with pytest.raises(StaleClaim):
        train(nursery.socket_path, long, tmp_path / "log", lambda *_: None, check)
    await_end(*seen)
    assert not long.output.exists()


def test_several_train_at_once_and_one_failing_does_not_harm_the_others(nursery, job, tmp_path):
    results = {}
    started = threading.Barrier(3, timeout=60)

    def work(name):
        wanted = job(name=name, base=tmp_path / "none") if name == "bad" else job(name=name, epochs=10)

        def meet(step, _):
            if step == 0:
                started.wait()

        try:
            results[name] = train(nursery.socket_path, wanted, tmp_path / f"{name}.log", meet).sha256
        except TrainingError as error:
            results[name] = str(error)
            started.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "bad")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["a"] == results["b"]
    assert "the training child failed" in results["bad"]


def test_the_nursery_is_single_threaded_when_it_forks(nursery, job, trained):
    trained(job(epochs=1))  # served, so it has preloaded
    assert len(os.listdir(f"/proc/{nursery_pid(nursery)}/task")) == 1


OWNER = """
import sys
from pathlib import Path
from services.trainer.job import TrainingJob
from services.trainer.nursery import Nursery, train
job = TrainingJob.model_validate_json(Path(sys.argv[1]).read_text())
nursery = Nursery().start()
print(nursery.socket_path, flush=True)
train(nursery.socket_path, job, Path(sys.argv[1]).with_suffix('.log'), lambda step, _: print(step, flush=True))
"""


@pytest.fixture
def owner(job, tmp_path):
    """Start another process that owns a nursery and trains for long in it; yield it, its nursery and its child."""
    (tmp_path / "job.json").write_text(job(epochs=100).model_dump_json())
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "job.json")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    path = Path(process.stdout.readline().strip())
    process.stdout.readline()  # step 0: it trains
    (nursery,) = children(process.pid)
    (child,) = children(nursery)
    yield process, path, nursery, child
    process.kill()
    process.wait()
    shutil.rmtree(path.parent, ignore_errors=True)  # of a nursery that a test killed


def test_a_killed_owner_takes_nursery_children_and_socket_with_it(owner, tmp_path):
    process, path, nursery, child = owner
    process.kill()
    process.wait()
    await_end(nursery, child)
    assert not path.parent.exists()
    assert not (tmp_path / "adapter").exists()


def test_a_killed_nursery_takes_its_children_and_the_caller_is_told(owner, tmp_path, monkeypatch):
    process, path, nursery, child = owner
    os.kill(nursery, signal.SIGKILL)
    await_end(child)
    assert not (tmp_path / "adapter").exists()
    assert process.wait() == 1
    monkeypatch.setattr("services.trainer.nursery._REPLACED_WITHIN_S", 0)
    with pytest.raises(TrainingError, match="no nursery listens"):
        train(path, _any_job(tmp_path), tmp_path / "log", lambda *_: None)


def _any_job(tmp_path):
    from services.trainer.job import TrainingJob

    return TrainingJob.model_validate_json((tmp_path / "job.json").read_text())


def test_a_stopped_nursery_leaves_no_process_and_no_folder():
    with Nursery() as brief:
        pid, folder = nursery_pid(brief), brief.socket_path.parent
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not is_alive(pid)
    assert not folder.exists()


def test_what_killed_owners_left_is_swept_and_nothing_else(tmp_path_factory, monkeypatch):
    temporary = tmp_path_factory.mktemp("t")  # short enough for a socket's path
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    left, foreign = (temporary / f"driftloop-nursery-{name}" for name in ("left", "foreign"))
    for folder, file in ((left, "nursery.log"), (foreign, "thesis.tex")):
        folder.mkdir()
        (folder / file).write_text("")
    with Nursery() as first, Nursery() as second:
        assert first.socket_path.exists()
        assert second.socket_path.exists()
    assert list(temporary.iterdir()) == [foreign]


def test_a_long_temporary_folder_does_not_make_the_socket_path_too_long(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with Nursery() as brief:
        assert len(str(brief.socket_path)) < 100


def test_a_stale_socket_is_taken_over_and_a_live_one_is_not(nursery):
    folder = nursery.socket_path.parent
    stale = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(stale))
    command = [sys.executable, "-m", "services.trainer.fork_server"]
    second = subprocess.run([*command, str(nursery.socket_path)], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "a nursery already listens" in second.stderr
    with subprocess.Popen([*command, str(stale)], stdin=subprocess.PIPE) as process:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            while probe.connect_ex(str(stale)) != 0:
                assert process.poll() is None
                time.sleep(0.02)
        process.kill()
    stale.unlink()


def test_a_nursery_that_died_is_replaced_at_its_socket(job, tmp_path):
    with Nursery() as nursery:
        pid = nursery_pid(nursery)
        assert nursery.tend() is False
        os.kill(pid, signal.SIGKILL)
        await_end(pid)
        assert nursery.tend() is True
        assert nursery_pid(nursery) != pid
        train(nursery.socket_path, job(epochs=1), tmp_path / "log", lambda *_: None)
