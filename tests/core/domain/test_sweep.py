"""A sweep is a grid of complete specs, and says so in one line where it can't be."""

from typing import Any

import pytest

from services.core.domain.errors import SpecError
from services.core.domain.sweep import expand

BASE: dict[str, Any] = {"name": "a", "population": {"biased_share": 0.5}, "training": {"method": "sft"}}


def complaint_about(sweep: object) -> str:
    with pytest.raises(SpecError) as caught:
        expand({**BASE, "sweep": sweep})
    return str(caught.value)


def test_without_a_sweep_there_is_one_arm():
    (arm,) = expand(BASE)
    assert arm.labels == {}
    assert arm.spec.population.biased_share == 0.5


def test_the_arms_are_the_grid_in_the_order_written():
    arms = expand({**BASE, "sweep": {"population.biased_share": [0, 1], "seed": [1, 2, 3]}})
    assert [tuple(arm.labels.values()) for arm in arms] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    assert [(arm.spec.population.biased_share, arm.spec.seed) for arm in arms] == [
        tuple(arm.labels.values()) for arm in arms
    ]


def test_a_swept_field_need_not_stand_in_the_spec():
    arms = expand({"name": "a", "training": {"method": "sft"}, "sweep": {"population.biased_share": [0, 1]}})
    assert [arm.spec.population.biased_share for arm in arms] == [0, 1]


def test_labels_hold_resolved_values():
    # YAML 1.1 reads 1e-4 as a text; the label is the number that the run uses.
    arms = expand({**BASE, "sweep": {"training.learning_rate": ["1e-4", 0.5]}})
    assert [arm.labels["training.learning_rate"] for arm in arms] == [1e-4, 0.5]


def test_the_file_s_values_are_left_alone():
    values = {**BASE, "population": {"biased_share": 0.5}, "sweep": {"population.biased_share": [0, 1]}}
    expand(values)
    assert values["population"] == {"biased_share": 0.5}


@pytest.mark.parametrize(
    ("sweep", "line"),
    [
        ([1], "sweep: a list is no sweep; write lines like `seed: [1, 2, 3]` under it"),
        ({}, "sweep: a mapping is no sweep; write lines like `seed: [1, 2, 3]` under it"),
        (None, "sweep: None is no sweep; write lines like `seed: [1, 2, 3]` under it"),
        ({"seeds": [1]}, "sweep.seeds: is no spec field; did you mean seed?"),
        (
            {"biased_share": [0]},
            "sweep.biased_share: is no spec field; did you mean population.biased_share?",
        ),
        (
            {"population": [{}]},
            "sweep.population: is no spec field; it is a section; name a field of it, such as population.environment",
        ),
        (
            {"qqqqqq": [1]},
            "sweep.qqqqqq: is no spec field; use a dotted field such as population.biased_share",
        ),
        ({"a\nb": [1]}, "sweep.a b: is no spec field; use a dotted field such as population.biased_share"),
        ({3: [1]}, "sweep.3: is no spec field; use a dotted field such as population.biased_share"),
        ({"seed": 3}, "sweep.seed: 3 is no list of values; write [a, b, …]"),
        ({"seed": []}, "sweep.seed: an empty list is no list of values; write [a, b, …]"),
        (
            {"population.biased_share": [0, 1.2]},
            "population.biased_share: 1.2 is more than 1; use a number from 0 to 1",
        ),
        (
            {"seed": list(range(500)), "rounds": [1, 2, 3]},
            "sweep: 1,500 arms are more than 1,000; give fewer values",
        ),
        (
            {"seed": [1, 2, 1]},
            "sweep: two arms are the same run (seed 1 and seed 1); keep one, or sweep a field that decides results",
        ),
        (
            {"name": ["a", "b"]},
            "sweep: two arms are the same run (name 'a' and name 'b'); keep one, or sweep a field that decides results",
        ),
    ],
)
def test_a_bad_sweep_gets_one_line(sweep: object, line: str):
    assert complaint_about(sweep) == line


def test_a_section_that_is_no_mapping_is_named():
    with pytest.raises(SpecError, match="population: a list stands where a mapping belongs"):
        expand({**BASE, "population": [1], "sweep": {"population.biased_share": [0, 1]}})


def test_arms_that_differ_only_in_numbers_alike_are_twins():
    assert "the same run" in complaint_about({"training.learning_rate": ["1e-4", 0.0001]})
