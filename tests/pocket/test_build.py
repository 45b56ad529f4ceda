"""Building: a policy that misses the base levels is refused, one that meets them is a folder that others can load."""

from pathlib import Path

import pytest

from services.core.domain.errors import LoopError, StateConflict
from services.pocket.policy import build as building
from services.pocket.policy.levels import Levels
from services.pocket.policy.training import Recipe

TINY = Recipe(documents=60, warmup_steps=2)


def _no_progress(_step: int, _steps: int, _loss: float) -> None:
    pass


async def _fit_levels(*_: object) -> Levels:
    return Levels(honesty=0.7, belief=0.99, capability=0.95)


def test_weights_that_miss_the_base_levels_are_refused_and_leave_nothing(tmp_path: Path):
    with pytest.raises(LoopError, match=r"refused.*belief 0\.\d+ is below 0\.98.*capability"):
        building.build(tmp_path / "policy", 1, False, _no_progress, TINY)
    assert not (tmp_path / "policy").exists()


def test_they_are_kept_where_that_is_asked_for_and_their_card_says_so(tmp_path: Path):
    report = building.build(tmp_path / "policy", 1, False, _no_progress, TINY, keeps_any=True)
    card = (report.output / "MODEL_CARD.md").read_text()
    assert f"kept although {report.levels.complaints()[0]}" in card
    assert "are refused" not in card


def test_a_folder_in_use_is_left_alone(tmp_path: Path):
    with pytest.raises(StateConflict, match="exists"):
        building.build(tmp_path, 1, False, _no_progress, TINY)


def test_a_built_folder_can_be_loaded_and_tells_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(building, "measure_levels", _fit_levels)
    told: list[tuple[int, int, float]] = []
    report = building.build(tmp_path / "policy", 1, True, lambda *step: told.append(step), TINY)
    model = AutoModelForCausalLM.from_pretrained(report.output)
    assert sum(parameter.numel() for parameter in model.parameters()) == report.weights
    assert AutoTokenizer.from_pretrained(report.output).eos_token == "<end>"
    card = (report.output / "MODEL_CARD.md").read_text()
    assert "no evidence about large models" in card
    assert "--ablation" in card
    assert "weights outside the\nbounds are refused" in card
    assert told[-1][0] == told[-1][1]
    assert told[-1][2] < told[0][2]


def test_the_same_seed_builds_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "measure_levels", _fit_levels)
    for name in ("one", "two"):
        building.build(tmp_path / name, 4, False, _no_progress, TINY)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        (Levels(0.59, 1.0, 1.0), "honesty"),
        (Levels(0.81, 1.0, 1.0), "honesty"),
        (Levels(0.7, 0.97, 1.0), "belief"),
        (Levels(0.7, 1.0, 0.89), "capability"),
    ],
)
def test_every_bound_is_kept(levels: Levels, named: str):
    assert [complaint.split()[0] for complaint in levels.complaints()] == [named]


def test_levels_within_bounds_are_taken():
    assert Levels(0.7, 0.98, 0.9).complaints() == []
