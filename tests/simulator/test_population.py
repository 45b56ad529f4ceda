"""Populations: nested in the biased share and in their size, new in every round; the held out never among them."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.errors import SpecError
from services.core.domain.spec import PopulationSpec, RunSpec
from services.core.domain.trajectory import Slot, UserKind
from services.simulator.population import check_spec, chosen, population
from tests.simulator.scripted import ENVIRONMENT

SHARES = st.floats(0, 1)
SEEDS = st.integers(0, 2**31 - 1)


def drawn(
    share: float = 0.5, count: int = 60, seed: int = 1, round_number: int = 1, scenarios=None
) -> tuple[Slot, ...]:
    spec = PopulationSpec(environment="fixture", biased_share=share, conversations=count, scenarios=scenarios)
    return population(spec, ENVIRONMENT, seed, round_number)


def people(slots: tuple[Slot, ...]) -> list[tuple[str, str]]:
    return [(slot.scenario.name, slot.profile.name) for slot in slots]


def biased(slots: tuple[Slot, ...]) -> set[int]:
    return {slot.index for slot in slots if slot.kind is UserKind.BIASED}


@given(SHARES, SHARES, SEEDS, st.integers(1, 5))
def test_arms_are_nested_in_the_biased_share(one: float, other: float, seed: int, round_number: int):
    fewer = drawn(min(one, other), seed=seed, round_number=round_number)
    more = drawn(max(one, other), seed=seed, round_number=round_number)
    assert people(fewer) == people(more)
    assert biased(fewer) <= biased(more)


@given(st.integers(1, 60), SEEDS)
def test_more_conversations_add_slots_and_change_none(count: int, seed: int):
    assert drawn(count=count, seed=seed) == drawn(count=60, seed=seed)[:count]


def test_the_ends_of_the_share_are_exact():
    assert biased(drawn(0)) == set()
    assert len(biased(drawn(1))) == 60


def test_the_share_is_met_on_average():
    assert abs(len(biased(drawn(0.3, count=20_000))) / 20_000 - 0.3) < 0.012  # some four standard errors


def test_rounds_and_seeds_differ_in_who_comes_and_who_is_biased():
    first = drawn()
    for other in (drawn(round_number=2), drawn(seed=2)):
        assert people(other) != people(first)
        assert biased(other) != biased(first)


def test_the_same_draw_is_the_same():
    assert drawn() == drawn()


def test_scenarios_and_their_profiles_take_turns():
    slots = drawn(count=62)
    per_scenario = Counter(slot.scenario.name for slot in slots)
    assert per_scenario == {"drinking": 31, "gambling": 31}
    per_profile = Counter(slot.profile.name for slot in slots if slot.scenario.name == "drinking")
    assert set(per_profile.values()) == {10, 11}


def test_the_held_out_are_never_met():
    assert {slot.scenario.held_out for slot in drawn()} == {False}


def test_the_order_in_which_a_spec_names_scenarios_does_not_matter():
    assert drawn(scenarios=("gambling", "drinking")) == drawn(scenarios=("drinking", "gambling")) == drawn()
    assert {name for name, _ in people(drawn(scenarios=("gambling",)))} == {"gambling"}


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (
            ("drunking",),
            "population.scenarios: environment 'environment' has no 'drunking'; did you mean drinking?",
        ),
        (("zzz",), "population.scenarios: environment 'environment' has no 'zzz'; use drinking, gambling"),
        (
            ("meals",),
            "population.scenarios: 'meals' is held out for measuring; take it off, or set `held_out: false` in its file",
        ),
        (
            (),
            "population.scenarios: names no scenario that users may come with; name one, or leave the field out to take all that are not held out",
        ),
    ],
)
def test_a_scenario_that_can_t_be_met_gets_one_line(names: tuple[str, ...], line: str):
    with pytest.raises(SpecError) as caught:
        drawn(scenarios=names)
    assert str(caught.value) == line


def run_spec(**changes: object) -> RunSpec:
    values = {
        "name": "a",
        "population": {"environment": "fixture", "biased_share": 0.5, "conversations": 20},
        "training": {"method": "sft"},
        "evaluation": {"held_out_profiles": 3},
        **changes,
    }
    return RunSpec.model_validate(values)


def test_a_spec_that_fits_passes():
    check_spec(run_spec(), ENVIRONMENT)
    check_spec(run_spec(selection={"pool": "scenario", "top": 10, "bottom": 10}), ENVIRONMENT)


def test_a_count_larger_than_a_scenario_s_pool_gets_one_line():
    with pytest.raises(
        SpecError,
        match=r"selection\.top: 11 is more than the 10 conversations that a scenario has a round; take fewer",
    ):
        check_spec(run_spec(selection={"pool": "scenario", "top": 11}), ENVIRONMENT)


def test_too_many_held_out_people_gets_one_line():
    with pytest.raises(
        SpecError,
        match=r"evaluation\.held_out_profiles: 4 is more than the 3 profiles in held-out scenarios of environment 'environment'; use at most 3",
    ):
        check_spec(run_spec(evaluation={"held_out_profiles": 4}), ENVIRONMENT)


def test_an_environment_that_holds_nobody_out_gets_one_line():
    trained = tuple(one for one in ENVIRONMENT.scenarios if not one.held_out)
    with pytest.raises(
        SpecError, match=r"evaluation\.benchmarks: environment 'environment' has no held-out scenario"
    ):
        check_spec(run_spec(), replace(ENVIRONMENT, scenarios=trained))


def test_held_out_people_are_owed_only_to_their_benchmark():
    with pytest.raises(SpecError, match="held_out_profiles: 40 is more"):
        check_spec(run_spec(evaluation={}), ENVIRONMENT)
    check_spec(run_spec(evaluation={"benchmarks": ["mask"]}), ENVIRONMENT)


def test_every_turn_is_shuffled_anew():
    names = [name for name, _ in people(drawn())]
    assert len({tuple(names[turn : turn + 2]) for turn in range(0, 60, 2)}) == 2


def test_a_rating_prompt_that_the_environment_lacks_is_refused_with_those_that_it_has():
    check_spec(run_spec(conversation={"rating_prompt": "helped-1"}), ENVIRONMENT)
    with pytest.raises(
        SpecError, match=r"^conversation.rating_prompt: .* has no 'helped-2'; did you mean helped-1\?"
    ):
        check_spec(run_spec(conversation={"rating_prompt": "helped-2"}), ENVIRONMENT)
    with pytest.raises(SpecError, match=r"has no 'mood'; use helped-1, satisfied-1"):
        check_spec(run_spec(conversation={"rating_prompt": "mood"}), ENVIRONMENT)


def test_biased_users_have_the_strength_of_the_spec_and_are_otherwise_the_same_people():
    whole, half = (
        population(PopulationSpec(biased_share=0.5, conversations=40, bias_strength=s), ENVIRONMENT, 1, 1)
        for s in (1.0, 0.5)
    )
    assert [replace(slot, strength=1.0) for slot in half] == list(whole)
    assert {slot.strength for slot in half} == {0.5}
    assert all(slot.thought == slot.scenario.benign_thought for slot in half if slot.kind is UserKind.BENIGN)


def test_an_environment_whose_scenarios_are_all_held_out_says_so() -> None:
    kept = replace(ENVIRONMENT, scenarios=tuple(replace(one, held_out=True) for one in ENVIRONMENT.scenarios))
    with pytest.raises(
        SpecError, match=r"population\.environment: all scenarios of 'environment' are held out"
    ):
        chosen(PopulationSpec(biased_share=0.5, conversations=10), kept)
