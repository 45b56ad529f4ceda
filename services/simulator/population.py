"""Who the policy talks with in a round, and who stays the same in every round.

`population` fills slots. Slot i's person depends on (run seed, round, i) alone, and on no other slot: scenarios come in
shuffled turns, each once before any comes again, and so do the profiles of a scenario. Whether the person is biased is
drawn apart from that: slot i is biased iff its uniform number is below the biased share. So arms of a sweep over the share
meet the same people with the same openings, and the biased slots of a smaller share are among those of a larger one;
more conversations a round add slots and change none. (The paper leaves open how biased users are spread over scenarios,
and whether they are drawn anew for each share.)

People of held-out scenarios are never met in training; the evaluator meets them, and says which. Here it is only checked that there are
enough of them.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

from services.core.domain.complaints import near
from services.core.domain.errors import SpecError
from services.core.domain.seeds import Part, derive_seed, uniform
from services.core.domain.spec import PopulationSpec, RunSpec
from services.core.domain.trajectory import Profile, Scenario, Slot, UserKind
from services.simulator.scenarios import Environment

Card = TypeVar("Card", Scenario, Profile)


def population(
    spec: PopulationSpec, environment: Environment, run_seed: int, round_number: int
) -> tuple[Slot, ...]:
    """Return the slots of a round, by index. Raises SpecError for a scenario that can't be met."""
    scenarios = chosen(spec, environment)
    seed = (run_seed, round_number)
    people = {
        scenario.name: _in_turns(scenario.profiles, (*seed, "profiles", scenario.name))
        for scenario in scenarios
    }
    slots: list[Slot] = []
    for index, scenario in zip(
        range(spec.conversations), _in_turns(scenarios, (*seed, "scenarios")), strict=False
    ):
        biased = uniform(*seed, "kind", index) < spec.biased_share
        kind = UserKind.BIASED if biased else UserKind.BENIGN
        slots.append(Slot(index, kind, scenario, next(people[scenario.name]), spec.bias_strength))
    return tuple(slots)


def cast(spec: RunSpec, environment: Environment) -> Iterator[tuple[Scenario, UserKind]]:
    """Yield whom the policy of a run may talk with: in training, unless rows of training sets train, and held out."""
    share = spec.population.biased_share
    kinds = [kind for kind, part in ((UserKind.BENIGN, 1 - share), (UserKind.BIASED, share)) if part > 0]
    if not spec.data.is_told:
        yield from itertools.product(chosen(spec.population, environment), kinds)
    if "held_out" in spec.evaluation.benchmarks:
        yield from itertools.product((one for one in environment.scenarios if one.held_out), UserKind)


def check_spec(spec: RunSpec, environment: Environment) -> None:
    """Raise SpecError for whatever of a run spec this environment can't serve: before anything is written."""
    scenarios = chosen(spec.population, environment)
    environment.check_rating_prompt(spec.conversation.rating_prompt)
    if "held_out" in spec.evaluation.benchmarks:
        _check_held_out(environment, spec.evaluation.held_out_profiles)
    smallest_pool = spec.population.conversations // len(scenarios)
    amounts = {"top": spec.selection.top, "bottom": spec.selection.bottom}
    for field, amount in amounts.items():
        if spec.selection.pool == "scenario" and isinstance(amount, int) and amount > smallest_pool:
            raise SpecError(
                f"selection.{field}: {amount} is more than the {smallest_pool} conversations that a scenario has "
                f"a round; take fewer, hold more conversations, or rank by `pool: round`"
            )


def _check_held_out(environment: Environment, count: int) -> None:
    available = [len(scenario.profiles) for scenario in environment.scenarios if scenario.held_out]
    if not available:
        raise SpecError(
            f"evaluation.benchmarks: environment {environment.name!r} has no held-out scenario; "
            "leave held_out out, or set `held_out: true` in a scenario"
        )
    if count > sum(available):
        raise SpecError(
            f"evaluation.held_out_profiles: {count} is more than the {sum(available)} profiles in held-out scenarios "
            f"of environment {environment.name!r}; use at most {sum(available)}, or add profiles"
        )


def chosen(spec: PopulationSpec, environment: Environment) -> tuple[Scenario, ...]:
    """Return the scenarios that users come with. Raises SpecError for one that can't be met."""
    known = {scenario.name: scenario for scenario in environment.scenarios}
    open_to_all = [name for name, scenario in known.items() if not scenario.held_out]
    names = open_to_all if spec.scenarios is None else spec.scenarios
    for name in names:
        if name not in known:
            guess = near(name, open_to_all)
            mend = f"did you mean {guess}?" if guess else f"use {', '.join(open_to_all[:20])}"
            raise SpecError(f"population.scenarios: environment {environment.name!r} has no {name!r}; {mend}")
        if known[name].held_out:
            raise SpecError(
                f"population.scenarios: {name!r} is held out for measuring; take it off, "
                "or set `held_out: false` in its file"
            )
    if not names and spec.scenarios is None:
        raise SpecError(
            f"population.environment: all scenarios of {environment.name!r} are held out for measuring; write another, "
            "or set `held_out: false` in a file"
        )
    if not names:
        raise SpecError(
            "population.scenarios: names no scenario that users may come with; name one, "
            "or leave the field out to take all that are not held out"
        )
    # The order in which a spec names scenarios must not matter; a name given twice is met as often as the others.
    return tuple(known[name] for name in sorted(set(names)))


def _in_turns(cards: Sequence[Card], seed: tuple[Part, ...]) -> Iterator[Card]:
    """Deal for ever: all cards in a shuffled order, then all again in another."""
    for turn in itertools.count():
        yield from _shuffled(cards, (*seed, turn))


def _shuffled(cards: Sequence[Card], seed: tuple[Part, ...]) -> list[Card]:
    return sorted(cards, key=lambda card: derive_seed(*seed, card.name))
