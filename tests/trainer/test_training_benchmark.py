"""The benchmark of trainings runs on a machine without a GPU: a GPU is lent for minutes, and must not meet a broken benchmark."""

import subprocess
import sys

import pytest

from benchmarks.training.__main__ import HEAD

pytestmark = pytest.mark.slow


def test_a_table_of_every_method_and_batch():
    command = [sys.executable, "-m", "benchmarks.training", "tiny", "--tokens", "16"]
    said = subprocess.run(command, text=True, capture_output=True, check=True).stdout.splitlines()
    assert HEAD.splitlines()[0] in said
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in said if line.startswith("| tiny")]
    assert rows == [["tiny", method, at_once] for method in ("sft", "kto") for at_once in ("8", "2")]
