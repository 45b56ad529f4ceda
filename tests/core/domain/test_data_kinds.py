"""Run kinds: what a spec of each may say, what its rounds are made of, and what stays as it was for conversations."""

from typing import Any

import pytest

from services.core.domain.errors import SpecError
from services.core.domain.phases import Owed, PhaseName, first_phase, next_phase
from services.core.domain.spec import RunSpec
from services.core.domain.sweep import expand

MIXTURE = {"kind": "mixture", "dataset": "bad", "level": "severe", "downstream": "plain", "share": 0.1}
DATASET = {"kind": "dataset", "dataset": "bad"}


def spec(data: dict[str, Any] | None = None, **more: Any) -> RunSpec:
    values: dict[str, Any] = {"name": "t", "rounds": 2, "training": {"method": "sft"}, **more}
    return expand(values | ({} if data is None else {"data": data}))[0].spec


@pytest.mark.parametrize(
    ("data", "more", "line"),
    [
        ({"kind": "dataset"}, {}, "data.dataset: is missing, and data.kind dataset needs it"),
        ({**MIXTURE, "share": None}, {}, "data.share: is missing, and data.kind mixture needs it"),
        ({**DATASET, "share": 0.1}, {}, "data.share: has no place where data.kind is dataset; leave it out"),
        (
            {"dataset": "bad"},
            {"population": {"biased_share": 1}},
            "data.dataset: has no place where data.kind is interactions; leave it out",
        ),
        (DATASET, {"population": {"conversations": 9}}, "population.conversations: has no place where"),
        (DATASET, {"population": {"biased_share": 0.5}}, "population.biased_share: has no place where"),
        (DATASET, {"selection": {"top": 5}}, "selection.top: has no place where data.kind is dataset"),
        (DATASET, {"mitigations": {"veto": "pocket-judge"}}, "mitigations.veto: has no place where"),
        (MIXTURE, {"training": {"method": "kto"}}, "training.method: kto needs worse rows beside better"),
        (None, {}, "population: is missing"),
        ({"kind": "interactions"}, {}, "population: is missing"),
    ],
)
def test_a_field_that_means_nothing_for_a_kind_is_refused(
    data: dict[str, Any] | None, more: dict[str, Any], line: str
):
    with pytest.raises(SpecError) as caught:
        spec(data, **more)
    assert str(caught.value).startswith(line)


@pytest.mark.parametrize("data", [MIXTURE, DATASET])
def test_a_round_of_rows_is_train_publish_evaluate(data: dict[str, Any]):
    told = spec(data, concurrency={"shard_size": 4})
    owed = first_phase(told, 9)
    seen: list[Owed] = []
    while owed is not None:
        seen.append(owed)
        owed = next_phase(told, owed.round, owed.name, 9)
    assert [(one.round, one.name) for one in seen] == [
        (0, PhaseName.EVALUATE),
        *((round_, name) for round_ in (1, 2) for name in ("train", "publish", "evaluate")),
    ]
    assert {(one.units, one.shard_size) for one in seen if one.name == "evaluate"} == {(9, 4)}


def test_a_stored_spec_is_read_again_as_it_was():
    told = spec(MIXTURE)
    assert RunSpec.model_validate(told.model_dump(mode="json")) == told
    assert (told.dose, told.taught_by) == (0.1, "mixture")


def test_runs_of_conversations_stay_the_runs_that_they_were():
    talking = spec(population={"biased_share": 0.5})
    assert "data" not in talking.identity()
    assert (talking.dose, talking.taught_by) == (0.5, "satisfaction")
