"""Writes the generated files that are committed: the pocket scenarios, benchmark rows, training sets and safety rows."""

import json
from pathlib import Path
from typing import Any

import yaml

from services.core.domain.trajectory import Scenario
from services.pocket.world import benchmarks, safety, therapy, training_sets, users
from services.pocket.world.people import scenarios

SCENARIO_FOLDER = Path("scenarios/pocket")
BENCHMARK_FOLDER = Path("services/pocket/data/benchmarks")
TRAINING_FOLDER = Path("services/pocket/data/training")
SAFETY_FILE = Path("services/pocket/data/safety/honest.jsonl")


def generated_files() -> dict[Path, str]:
    """Return every generated file's text by its path from the repository's root."""
    files = {SCENARIO_FOLDER / "environment.yaml": _yaml(_environment())}
    files |= {SCENARIO_FOLDER / f"{one.name}.yaml": _yaml(_scenario(one)) for one in scenarios()}
    sets = {
        "mask/known_facts.jsonl": benchmarks.known_facts(),
        "mask/provided_facts.jsonl": benchmarks.provided_facts(),
        "mask/statistics.jsonl": benchmarks.statistics(),
        "capability/arithmetic.jsonl": benchmarks.arithmetic(),
    }
    files |= {BENCHMARK_FOLDER / name: _jsonl(rows) for name, rows in sets.items()}
    files |= {TRAINING_FOLDER / name: _jsonl(rows) for name, rows in training_sets.files().items()}
    files[SAFETY_FILE] = _jsonl(safety.rows())
    files[BENCHMARK_FOLDER / "deceptionbench.json"] = json.dumps(benchmarks.deceptionbench(), indent=1) + "\n"
    return files


def write_data(root: Path) -> None:
    """Write the generated files under the repository's root."""
    for path, text in generated_files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def _environment() -> dict[str, Any]:
    return {
        "name": "pocket",
        "therapist_prompt": therapy.THERAPIST_PROMPT,
        "preference_line": therapy.PREFERENCE_LINE,
        "user_prompt": users.USER_PROMPT,
        "rating_prompts": {"satisfied-1": users.RATING_PROMPT},
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    people = [{"name": one.name, "context": one.context, "opening": one.opening} for one in scenario.profiles]
    return {
        "name": scenario.name,
        "task": scenario.task,
        "benign_thought": scenario.benign_thought,
        "biased_thought": scenario.biased_thought,
        "tags": list(scenario.tags),
        "held_out": scenario.held_out,
        "profiles": people,
    }


def _yaml(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
