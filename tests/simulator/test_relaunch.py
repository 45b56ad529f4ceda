"""A report's spec is called what makes its runs again only where it does."""

from typing import Any

import pytest
import yaml

from services.core.domain.sweep import expand
from services.simulator.report.relaunch import Labelled, relaunch
from tests.core.db.builders import a_spec
from tests.simulator.presets import PRESETS

SHARE = "population.biased_share"
FILES = sorted(path.relative_to(PRESETS).with_suffix("").as_posix() for path in PRESETS.rglob("*.yaml"))


def of_file(name: str) -> dict[str, Any]:
    return yaml.safe_load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8"))


def swept(sweep: dict[str, list[Any]], **changes: object) -> list[Labelled]:
    values = a_spec(**changes).model_dump(mode="json") | {"sweep": sweep}
    return [(arm.spec, arm.labels) for arm in expand(values)]


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_s_runs_are_made_by_what_is_printed(name: str):
    arms = expand(of_file(name))
    again = relaunch([(arm.spec, arm.labels) for arm in arms])
    assert again.is_of_all
    printed = yaml.safe_load(yaml.safe_dump(dict(again.spec), sort_keys=False))
    assert [arm.spec for arm in expand(printed)] == [arm.spec for arm in arms]


def test_two_sweeps_that_are_one_together_are_printed_as_one():
    both = swept({SHARE: [0.0, 1.0], "seed": [1]}) + swept({SHARE: [0.0, 1.0], "seed": [2]})
    assert relaunch(both) == (relaunch(both).spec, True)
    assert relaunch(both).spec["sweep"] == {SHARE: [0.0, 1.0], "seed": [1, 2]}


def test_swept_lists_are_printed():
    lists = [["mask"], ["mask", "capability"]]
    assert relaunch(swept({"evaluation.benchmarks": lists})).spec["sweep"] == {"evaluation.benchmarks": lists}


@pytest.mark.parametrize(
    "found",
    [
        swept({SHARE: [0.0, 1.0]}) + swept({SHARE: [0.0, 1.0]}, training={"method": "kto"}),
        swept({SHARE: [0.0, 1.0]}) + swept({SHARE: [0.5], "seed": [2]}),
        swept({SHARE: [0.0, 1.0], "seed": [1]}) + swept({SHARE: [0.5], "seed": [2]}),
        [*swept({SHARE: [0.0, 1.0]}), (a_spec(seed=3), {})],
        [(a_spec(), {}), (a_spec(), {})],
    ],
    ids=["another method", "other fields", "no grid", "one by itself", "a repetition"],
)
def test_else_it_is_the_first_run_s_and_is_said_to_be(found: list[Labelled]):
    first, _ = found[0]
    assert relaunch(found) == (first.model_dump(mode="json"), False)
