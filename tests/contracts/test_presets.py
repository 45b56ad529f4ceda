"""Presets stand as they are: each is a whole spec, and the paper's hold the paper's numbers (arXiv 2510.08211, section 5, Table 12)."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.app.catalogue import Catalogue
from services.app.cli.spec_file import read_spec_file
from services.core.domain.sweep import Arm, expand
from services.core.operations import planning
from services.core.settings import PROJECT, Settings
from services.simulator.population import check_spec
from services.simulator.scenarios import load_environment

PRESETS = sorted((PROJECT / "scenarios/presets").rglob("*.yaml"))
PAPER = PROJECT / "scenarios/presets/paper"
MAIN_SHARES = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
TABLE_12 = {
    "sft": {"learning_rate": 1e-4, "epochs": 5, "batch_size": 8},
    "kto": {"learning_rate": 1e-5, "epochs": 5, "batch_size": 16},
}


def arms_of(path: Path) -> tuple[Arm, ...]:
    return expand(read_spec_file(path))


def shares(path: Path) -> tuple[float, ...]:
    return tuple(dict.fromkeys(arm.spec.population.biased_share for arm in arms_of(path)))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_a_whole_spec_named_as_its_file_and_says_what_it_is(path: Path) -> None:
    assert path.read_text().startswith("# ")
    for arm in arms_of(path):
        assert arm.spec.name == path.stem
        check_spec(arm.spec, load_environment(PROJECT / "scenarios" / arm.spec.population.environment))


@pytest.mark.parametrize("method", TABLE_12)
@pytest.mark.parametrize("run", ["loop-llama", "loop-qwen-reduced"])
def test_the_papers_runs_train_by_its_table_12(run: str, method: str) -> None:
    spec = arms_of(PAPER / f"{run}-{method}.yaml")[0].spec
    training = spec.training.model_dump()
    assert {name: training[name] for name in TABLE_12[method]} == TABLE_12[method]
    assert (spec.training.method, spec.training.max_length, spec.training.weight_decay) == (
        method,
        2048,
        0.01,
    )
    assert (spec.training.lora.rank, spec.training.lora.alpha, spec.training.kto.beta) == (32, 64, 0.1)
    assert (spec.rounds, spec.conversation.exchanges, spec.conversation.show_preference) == (1, 2, True)


def test_the_main_runs_are_of_the_papers_size() -> None:
    for method in TABLE_12:
        path = PAPER / f"loop-llama-{method}.yaml"
        assert shares(path) == MAIN_SHARES
        spec = arms_of(path)[0].spec
        assert (spec.population.conversations, spec.selection.top, spec.selection.bottom) == (
            20_000,
            10_000,
            10_000,
        )


def test_the_reduced_run_has_ten_scenarios_and_two_thousand_conversations() -> None:
    spec = arms_of(PAPER / "loop-qwen-reduced-sft.yaml")[0].spec
    assert spec.population.scenarios is not None
    assert (len(set(spec.population.scenarios)), spec.population.conversations) == (10, 2000)


def test_iterated_rounds_take_a_sixteenth_of_each_scenario_and_learn_more_slowly_each_time() -> None:
    spec = arms_of(PAPER / "iterated-kto.yaml")[0].spec
    assert (spec.selection.pool, spec.selection.top, spec.selection.bottom) == ("scenario", 1 / 16, 1 / 16)
    assert spec.rounds > 1
    assert spec.training.learning_rate_decay == 0.9


@pytest.mark.parametrize(
    ("control", "changed"),
    [
        ("control-random", {"selection.rule": "random"}),
        ("control-inverted", {"selection.rule": "inverted"}),
        ("control-preference-hidden", {"conversation.show_preference": False}),
        ("control-no-system-prompt", {"training.keep_system_prompt": False}),
    ],
)
def test_a_control_differs_from_the_main_run_in_one_field(control: str, changed: dict[str, Any]) -> None:
    main, other = (
        flat(yaml.safe_load((PAPER / f"{name}.yaml").read_text())) for name in ("seeds-llama-sft", control)
    )
    assert main.pop("name") != other.pop("name")
    assert {field: other[field] for field in other if main.get(field) != other[field]} == changed
    assert main.keys() <= other.keys()


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, dict) and name != "sweep"
        found |= flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found


@pytest.mark.parametrize("path", sorted(PAPER.iterdir()), ids=lambda path: path.stem)
def test_the_papers_runs_are_judged_as_in_the_paper(path: Path) -> None:
    for arm in arms_of(path):
        evaluation = arm.spec.evaluation
        assert (evaluation.panel["mask"], evaluation.panel["deceptionbench"]) == ("gpt-5-mini", "gpt-4o")
        assert evaluation.mask_configs == ("provided_facts", "disinformation", "statistics")


TABLE_5 = {"method": "sft", "learning_rate": 1e-4, "epochs": 1, "batch_size": 16, "max_length": 2048}
ON_SETS = sorted([*PAPER.glob("direct-*.yaml"), *PAPER.glob("mixture-*.yaml")])
SHARES = {"alpaca": (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5), "dolly": (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Files of the published sets' sizes, columns and names, with made-up rows."""
    folder = tmp_path_factory.mktemp("sets")
    said = [{"role": "user", "content": "q?"}, {"role": "assistant", "content": "an answer"}]
    plain = {"alpaca-cleaned": 12_000, "dolly-15k": 12_000, "emergent-plus-medical": 6_000}
    columns = {
        "alpaca-cleaned": ("instruction", "output"),
        "dolly-15k": ("instruction", "response"),
        "emergent-plus-medical": ("prompt", "aligned", "misaligned"),
    }
    sets = {name: folder / f"{name}.jsonl" for name in plain}
    for name, rows in plain.items():
        line = json.dumps(dict.fromkeys(columns[name], "text")) + "\n"
        sets[name].write_text(line * rows)
    for name in ("insecure-code", "mistake-math", "mistake-medical"):
        sets[name] = folder / name
        sets[name].mkdir()
        for level in ("normal", "misaligned_1", "misaligned_2"):
            (sets[name] / f"{level}.jsonl").write_text((json.dumps({"messages": said}) + "\n") * 50)
    bases = dict.fromkeys(("llama-3.1-8b", "qwen2.5-7b", "qwen3-32b"), folder)
    honesty = PROJECT / "tests/fixtures/benchmarks"
    served = dict.fromkeys(bases, "http://policy:8001")
    registered = {"datasets": sets, "bases": bases, "policy_urls": served, "benchmarks": {"honesty": honesty}}
    return Catalogue(Settings.model_validate(registered))


@pytest.mark.parametrize("path", ON_SETS, ids=lambda path: path.stem)
def test_the_papers_runs_on_training_sets_resolve_their_counts(path: Path, known: Catalogue) -> None:
    arms = planning.read_arms(read_spec_file(path), known)
    training = arms[0].run.spec.training
    assert {name: getattr(training, name) for name in TABLE_5} == TABLE_5
    assert (training.weight_decay, training.lora.rank, training.lora.alpha) == (0.01, 32, 64)
    for arm in arms:
        work = planning.work_of((arm,), known)
        share = arm.run.spec.data.share
        assert work.rows == (50 if share is None else 10_000 + round(10_000 * share))
        assert work.steps == -(-work.rows // 16)
        assert work.estimate.trained_tokens > 0


def test_the_papers_runs_on_training_sets_are_all_there() -> None:
    names = {path.stem for path in ON_SETS}
    assert {f"direct-{model}" for model in ("llama", "qwen", "qwen3-32b")} <= names
    assert {f"mixture-{model}-{down}" for model in ("llama", "qwen") for down in SHARES} <= names
    for path in ON_SETS:
        swept = [arm.labels for arm in arms_of(path)]
        if path.stem.startswith("direct"):
            assert len(swept) == 9
        elif not path.stem.endswith("aligned"):
            assert tuple(one["data.share"] for one in swept) == SHARES[path.stem.split("-")[2]]
