"""`driftloop profiles generate`, killed and started again: nobody is lost, nobody comes twice."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.app.cli.profiles import app
from services.core.domain.errors import SpecError
from services.core.settings import PROJECT
from services.simulator.scenarios import load_environment
from tests.e2e.installation import DRIFTLOOP
from tests.provider.process import provider, seen

EACH = 12
MODELS = ("gpt-4.1-mini", "gpt-5-mini", "grok-3-mini", "gemini-2.5-flash")


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "scenarios/therapist", tmp_path / "scenarios/therapist")
    return tmp_path / "scenarios"


@pytest.fixture
def slow_provider() -> Iterator[str]:
    with provider(latency_s=0.05, person_fault_share=0.02) as url:
        yield url


def environment(url: str, scenarios: Path) -> dict[str, str]:
    prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}
    endpoints = {name: {"model": name, "url": url, **prices} for name in MODELS}
    return os.environ | {
        "DRIFTLOOP_ENDPOINTS": json.dumps(endpoints),
        "DRIFTLOOP_SCENARIOS": str(scenarios),
        "DRIFTLOOP_DATA": str(scenarios.parent / "data"),
    }


def command(*words: str) -> list[str]:
    return [DRIFTLOOP, "profiles", "generate", "therapist", "--per-scenario", str(EACH), *words]


def ran(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), env=dict(environment), capture_output=True, text=True, check=False, timeout=300
    )


def people(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Read everybody who is whole, as somebody else would."""
    return {
        path.stem: [
            json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
        ]
        for path in sorted(folder.glob("[a-z]*.jsonl"))
    }


def count(folder: Path) -> int:
    return sum(map(len, people(folder).values()))


def interrupted(environment: Mapping[str, str], folder: Path, how: signal.Signals, at: int) -> int:
    """Start the command and end it by a signal once so many people are there; return its exit code."""
    process = subprocess.Popen(command(), env=dict(environment), stdout=subprocess.DEVNULL)
    give_up_at = time.monotonic() + 120
    while count(folder) < at and time.monotonic() < give_up_at:
        time.sleep(0.02)
    process.send_signal(how)
    return process.wait()


@pytest.mark.slow
def test_killed_twice_and_interrupted_it_ends_with_everybody_once(
    scenarios: Path, slow_provider: str
) -> None:
    home, given = scenarios / "therapist/profiles", environment(slow_provider, scenarios)
    assert interrupted(given, home, signal.SIGKILL, at=60) == -signal.SIGKILL
    early = people(home)
    # What a kill in the middle of a write would leave.
    torn = home / f"{next(iter(early))}.jsonl"
    torn.write_bytes(torn.read_bytes() + b'{"name": "p0011", "context": "He mends')
    assert interrupted(given, home, signal.SIGINT, at=200) == 130
    assert interrupted(given, home, signal.SIGKILL, at=350) == -signal.SIGKILL
    last = ran(given, "--json")
    assert last.returncode == 0, last.stderr
    summary = json.loads(last.stdout)
    found = people(home)
    assert {name: sorted(line["made"]["place"] for line in lines) for name, lines in found.items()} == {
        one.name: list(range(EACH)) for one in load_environment(PROJECT / "scenarios/therapist").scenarios
    }
    assert all(lines == found[name][: len(lines)] for name, lines in early.items())
    assert (summary["ended"], summary["there"], summary["accepted"]) == ("complete", 600, 600)
    assert {name: one["accepted"] for name, one in summary["models"].items()} == dict.fromkeys(MODELS, 150)
    assert summary["rejected"]["leak"] > 0
    calls = seen(slow_provider)["requests"]
    assert ran(given).returncode == 0
    assert seen(slow_provider)["requests"] == calls
    more = ran(given, "--json", "--budget-usd", "0.01", "--per-scenario", "99")
    assert (more.returncode, json.loads(more.stdout)["ended"]) == (1, "budget")
    lint = subprocess.run(
        [DRIFTLOOP, "scenarios", "lint", str(home.parent)], capture_output=True, check=False
    )
    assert (lint.returncode, lint.stdout.splitlines()[-1]) == (0, b"50 scenarios, 850 people, 0 findings")


def test_a_few_people_of_one_scenario_by_one_model(scenarios: Path, slow_provider: str) -> None:
    given = environment(slow_provider, scenarios)
    done = ran(given, "--scenarios", "road-rage", "--models", "gpt-5-mini")
    assert done.returncode == 0, done.stderr
    assert f"12 of 12 people are in {scenarios}/therapist/profiles" in done.stdout.replace("\n", "")
    people = load_environment(scenarios / "therapist").scenarios
    counts = {one.name: sum(who.author == "gpt-5-mini" for who in one.profiles) for one in people}
    assert counts == dict.fromkeys(counts, 0) | {"road-rage": 12}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--models", "gpt-6"],
            "--models: 'gpt-6' is not registered here; did you mean gpt-4o? use one of: gemini-2.5",
        ),
        (["--models", ","], "--models: names no model; name one or more"),
        (
            ["--scenarios", "raod-rage"],
            "--scenarios: 'raod-rage' is not registered here; did you mean road-rage? use one of:",
        ),
        (
            ["pocket", "--models", "gpt-4o"],
            "profiles/writer.yaml: can't be read (No such file or directory); write one as",
        ),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], line: str
) -> None:
    monkeypatch.delenv("DRIFTLOOP_ENDPOINTS", raising=False)
    done = CliRunner().invoke(app, ["generate", "--out", str(tmp_path / "out"), *words])
    assert isinstance(done.exception, SpecError)
    assert line in str(done.exception)
    assert not list(tmp_path.rglob("*.jsonl"))
