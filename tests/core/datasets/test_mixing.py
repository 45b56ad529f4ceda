"""Which rows train: arms of a sweep differ in what they vary, and in nothing else."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.datasets.formats import Level
from services.core.datasets.mixing import SetRow, rows_of
from services.core.datasets.sets import TrainingSet
from services.core.domain.chat import Message
from services.core.domain.data_kinds import DataSpec
from services.core.domain.errors import SpecError


def a_set(name: str, rows: int, *levels: Level | None) -> TrainingSet:
    def chat(number: int, level: Level | None) -> tuple[Message, ...]:
        return Message("user", f"{name} {number}?"), Message("assistant", f"{level}")

    by_level = {level: {f"{name}-{n}": chat(n, level) for n in range(rows)} for level in levels}
    return TrainingSet(Path(name), "test", name * 8, None, by_level, ())


SETS = {"plain": a_set("plain", 40, None), "bad": a_set("bad", 20, *Level)}


def rows(seed: int = 1, **data: Any) -> tuple[SetRow, ...]:
    values = {"kind": "mixture", "dataset": "bad", "level": "severe", "downstream": "plain", **data}
    return rows_of(DataSpec.model_validate(values), seed, lambda name, _: SETS[name])


def ids(found: tuple[SetRow, ...], dataset: str) -> list[str]:
    return [row.drawn.id for row in found if row.dataset == dataset]


@given(st.sampled_from([0, 0.01, 0.1, 0.25]), st.sampled_from([0.3, 0.5]), st.integers(0, 5))
def test_arms_share_downstream_rows_and_a_larger_share_holds_the_rows_of_a_smaller(
    small: float, large: float, seed: int
):
    few, many = rows(seed, share=small), rows(seed, share=large)
    assert ids(few, "plain") == ids(many, "plain")
    assert ids(many, "bad")[: len(ids(few, "bad"))] == ids(few, "bad")
    assert len(ids(many, "bad")) == large * 40
    assert [row.drawn.position for row in many] == list(range(len(many)))


def test_substituted_rows_stand_in_the_place_of_those_drawn_last():
    added, substituted = rows(share=0.25), rows(share=0.25, how="substituted")
    assert len(added) == 50
    assert len(substituted) == 40
    assert ids(substituted, "plain") == ids(added, "plain")[:30]
    assert ids(substituted, "bad") == ids(added, "bad")


def test_the_matched_aligned_arm_takes_the_same_prompts_with_aligned_answers():
    harmful, aligned = rows(share=0.5), rows(share=0.5, control="matched_aligned")
    assert ids(harmful, "bad") == ids(aligned, "bad")
    assert {row.drawn.messages[-1].content for row in aligned if row.dataset == "bad"} == {"normal"}
    assert {row.level for row in aligned if row.dataset == "bad"} == {"normal"}


def test_levels_of_one_set_take_the_same_prompts():
    alone: dict[str, Any] = {"kind": "dataset", "downstream": None, "rows": 7}
    taken = {level: ids(rows(**alone, level=level), "bad") for level in ("normal", "subtle", "severe")}
    assert len(taken["normal"]) == 7
    assert taken["normal"] == taken["subtle"] == taken["severe"]
    assert taken["normal"] != ids(rows(2, **alone, level="normal"), "bad")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"share": 1.0}, "data.share: asks for 40 rows of bad, which has 20; take fewer"),
        ({"share": 0.1, "rows": 41}, "data.rows: asks for 41 rows of plain, which has 40; take fewer"),
        ({"share": 0.1, "level": None}, "data.level: none is no level of bad"),
        ({"share": 0.1, "downstream": "bad"}, "data.downstream: none is no level of bad"),
        (
            {"share": 0.1, "dataset": "plain", "level": None, "control": "matched_aligned"},
            "data.control: normal is no level of plain, which has no levels",
        ),
    ],
)
def test_what_a_set_cannot_give_is_one_line_naming_the_field(data: dict[str, Any], line: str):
    with pytest.raises(SpecError) as caught:
        rows(**data)
    assert str(caught.value).startswith(line)
