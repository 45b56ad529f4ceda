"""Artifacts: whole or absent, canonical, swept, and noticed when changed."""

import json
import os
import subprocess
import sys

import pytest

from services.core.domain.errors import AdapterError
from services.trainer.adapters import (
    CONFIG,
    WEIGHTS,
    canonical_config,
    content_sha256,
    read_record,
    staged,
    write_record,
)


def fill(staging, weights=b"weights"):
    (staging / WEIGHTS).write_bytes(weights)
    (staging / CONFIG).write_bytes(canonical_config({"r": 4}))
    write_record(staging, {"steps": 3})


def test_a_folder_appears_whole_and_nothing_stays_beside_it(tmp_path):
    with staged(tmp_path / "run-a-r1.x") as staging:
        fill(staging)
        assert not (tmp_path / "run-a-r1.x").exists()
    record = read_record(tmp_path / "run-a-r1.x")
    assert record is not None
    assert record["steps"] == 3
    assert record["sha256"] == content_sha256(tmp_path / "run-a-r1.x")
    assert os.listdir(tmp_path) == ["run-a-r1.x"]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), staged(tmp_path / "a") as staging:
        (staging / WEIGHTS).write_bytes(b"half" * (1 // 0))
    assert os.listdir(tmp_path) == []


def test_what_a_killed_writer_left_is_swept_and_a_live_writer_is_spared(tmp_path):
    script = (
        "import os,sys; from pathlib import Path; from services.trainer.adapters import staged\n"
        "with staged(Path(sys.argv[1])) as staging:\n"
        "    print(staging, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a")], capture_output=True, text=True, check=False
    )
    leftover = killed.stdout.strip()
    assert os.path.isdir(leftover)
    with staged(tmp_path / "a") as live:
        assert not os.path.exists(leftover)
        with staged(tmp_path / "a") as second:
            assert live.exists()
            fill(second, b"second")
        fill(live, b"first to start, last to end")
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["a"]


def test_something_else_at_the_place_is_not_overwritten(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.txt").write_text("mine")
    with pytest.raises(AdapterError, match="in the way"), staged(tmp_path / "a") as staging:
        fill(staging)
    assert (tmp_path / "a" / "thesis.txt").read_text() == "mine"


def test_changed_contents_are_noticed(tmp_path):
    with staged(tmp_path / "a") as staging:
        fill(staging)
    (tmp_path / "a" / WEIGHTS).write_bytes(b"other")
    with pytest.raises(AdapterError, match="was changed"):
        read_record(tmp_path / "a")


def test_the_configuration_says_neither_where_nor_in_which_order():
    one = {"target_modules": ["q", "k"], "base_model_name_or_path": "/home/ann/base", "r": 4}
    other = {"r": 4, "base_model_name_or_path": "/srv/base", "target_modules": ["k", "q"]}
    assert canonical_config(one) == canonical_config(other)
    assert json.loads(canonical_config(one))["target_modules"] == ["k", "q"]


def test_identity_is_of_weights_and_configuration(tmp_path):
    with staged(tmp_path / "a") as staging:
        fill(staging)
    with staged(tmp_path / "b") as staging:
        fill(staging)
        (staging / "training.json").write_text('{"wall_s": 9}')
    assert content_sha256(tmp_path / "a") == content_sha256(tmp_path / "b")
    (tmp_path / "b" / CONFIG).write_bytes(canonical_config({"r": 8}))
    assert content_sha256(tmp_path / "a") != content_sha256(tmp_path / "b")


def test_a_missing_adapter_is_named(tmp_path):
    with pytest.raises(AdapterError, match="no adapter at"):
        content_sha256(tmp_path / "none")
