"""A generation against a provider that writes people, some of them badly: who is kept, what it cost, when it ends."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from services.core.domain.chat import ChatReply, ChatRequest
from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import ProviderError, SpecError
from services.core.llm.hosted import WireModel
from services.core.llm.model import ChatModel
from services.core.settings import PROJECT
from services.simulator.lint import lint
from services.simulator.profiles.generate import DEAD_AFTER, TRIES, Generation, Order
from services.simulator.profiles.ledger import open_ledger
from services.simulator.profiles.lines import PersonLine, RejectedLine
from services.simulator.profiles.tally import Tally
from services.simulator.profiles.writer import Place, Writer, read_writer
from services.simulator.scenarios import load_environment
from tests.provider.people import CAUSES
from tests.provider.process import provider, seen

HOME = PROJECT / "scenarios/therapist"
THERAPIST = load_environment(HOME)
MODELS = ("one", "two", "three")
PRICES = {"input_usd_per_million": 1.0, "output_usd_per_million": 2.0}


def generate(order: Order, models: Mapping[str, ChatModel], folder: Path) -> Tally:
    async def to_its_end(generation: Generation) -> None:
        try:
            await generation.run(models, lambda _: None)
        finally:
            for model in models.values():
                if isinstance(model, WireModel):
                    await model.close()

    with open_ledger(folder) as ledger:
        generation = Generation(order, Writer(read_writer(HOME), 1), ledger, THERAPIST)
        asyncio.run(to_its_end(generation))
        return generation.tally


def order(**changes: object) -> Order:
    return replace(Order(THERAPIST.scenarios, 6, MODELS, in_flight=8), **changes)


def asked_of(url: str, order: Order, folder: Path, **endpoint: object) -> Tally:
    """Generate with models that all are one provider's."""
    models = {
        name: WireModel(Endpoint.model_validate({"model": name, "url": url, **endpoint}))
        for name in order.models
    }
    return generate(order, models, folder)


def kept(folder: Path) -> list[tuple[str, PersonLine]]:
    with open_ledger(folder) as ledger:
        return list(ledger.people())


def rejected(folder: Path) -> list[RejectedLine]:
    with open_ledger(folder) as ledger:
        return list(ledger.rejected())


def test_every_scenario_gets_its_people_and_every_refusal_has_its_cause(tmp_path: Path) -> None:
    with provider(person_fault_share=0.02) as url:
        tally = asked_of(url, order(), tmp_path, **PRICES)
        written = seen(url)["people"]
    lines = kept(tmp_path)
    assert tally.there == tally.wanted == len(lines) == 300
    places = Counter((scenario, line.made and line.made.place) for scenario, line in lines)
    assert places == Counter({(one.name, place): 1 for one in THERAPIST.scenarios for place in range(6)})
    assert Counter(line.made.model for _, line in lines if line.made) == dict.fromkeys(MODELS, 100)
    causes = Counter[str]()
    for fault, count in written.items():
        if fault != "none":
            causes[CAUSES[fault]] += count
    causes["duplicate"] -= 1  # the first of them is nobody's double
    assert min(causes[cause] for cause in ("leak", "no_json", "asks", "duplicate")) > 0
    assert tally.total.rejected == causes
    assert Counter(line.cause for line in rejected(tmp_path)) == causes
    assert tally.total.asked == sum(written.values())
    spent = sum(line.made.cost_usd or 0 for _, line in lines if line.made)
    assert tally.total.cost_usd > spent > 0
    assert tally.total.unpriced == 0
    then = {
        (line.made.input_usd_per_million, line.made.output_usd_per_million) for _, line in lines if line.made
    }
    assert then == {tuple(PRICES.values())}


def test_what_is_kept_is_what_a_run_meets_and_the_linter_passes(tmp_path: Path) -> None:
    with provider(person_fault_share=0.05) as url:
        asked_of(url, order(), tmp_path)
    people = {
        one.name: tuple(line.profile() for scenario, line in kept(tmp_path) if scenario == one.name)
        for one in THERAPIST.scenarios
    }
    grown = replace(
        THERAPIST,
        scenarios=tuple(
            replace(one, profiles=one.profiles + people[one.name]) for one in THERAPIST.scenarios
        ),
    )
    assert [str(finding) for finding in lint(grown)] == []


def test_a_second_command_asks_only_for_who_is_missing(tmp_path: Path) -> None:
    with provider(person_fault_share=0.02) as url:
        first = asked_of(url, order(per_scenario=4), tmp_path, **PRICES)
        before = kept(tmp_path)
        calls = seen(url)["requests"]
        again = asked_of(url, order(per_scenario=4), tmp_path, **PRICES)
        assert (again.total.rejected, again.total.accepted) == (first.total.rejected, 200)
        assert again.total.cost_usd == pytest.approx(first.total.cost_usd)
        assert seen(url)["requests"] == calls
        grown = asked_of(url, order(per_scenario=6), tmp_path, **PRICES)
    assert grown.there == 300
    assert grown.total.accepted == 300
    after = kept(tmp_path)
    assert [one for one in after if one in before] == before
    assert len(after) == 300


def test_a_place_is_asked_for_a_few_times_with_other_seeds_and_then_given_up(tmp_path: Path) -> None:
    few = order(scenarios=THERAPIST.scenarios[:2], per_scenario=1)
    silent = Answers("nothing that is JSON")
    tally = generate(few, dict.fromkeys(MODELS, silent), tmp_path)
    assert (tally.there, tally.given_up, tally.total.rejected) == (0, 2, Counter(no_json=2 * TRIES))
    again = generate(few, dict.fromkeys(MODELS, silent), tmp_path)
    assert (again.given_up, again.total.asked) == (2, 4 * TRIES)
    # No seed is drawn twice, by no command.
    assert len({request.sampling.seed for request in silent.requests}) == 4 * TRIES
    assert sorted(line.made.attempt for line in rejected(tmp_path))[::2] == list(range(2 * TRIES))


@pytest.mark.parametrize("budget_usd", [0.0, 0.02])
def test_a_budget_ends_new_calls_and_a_larger_one_goes_on(tmp_path: Path, budget_usd: float) -> None:
    with provider() as url:
        small = asked_of(url, order(budget_usd=budget_usd), tmp_path, **PRICES)
        a_call = 0.001
        assert budget_usd <= small.total.cost_usd < budget_usd + len(MODELS) * 8 * a_call
        assert small.there == len(kept(tmp_path)) < small.wanted
        whole = asked_of(url, order(budget_usd=5.0), tmp_path, **PRICES)
    assert whole.there == len(kept(tmp_path)) == 300
    assert whole.total.accepted == 300


def test_a_budget_needs_prices(tmp_path: Path) -> None:
    with provider() as url, pytest.raises(SpecError, match=r"^--budget-usd: what (one|two|three) costs is"):
        asked_of(url, order(budget_usd=1.0), tmp_path)
    assert len(kept(tmp_path)) <= len(MODELS) * 8


def test_a_model_that_always_fails_ends_it_and_what_others_wrote_is_kept(tmp_path: Path) -> None:
    with provider() as url:
        good = WireModel(Endpoint.model_validate({"model": "one", "url": url}))
        models: dict[str, ChatModel] = {"one": good, "two": Answers(ProviderError("no such key", "refused"))}
        with pytest.raises(
            ProviderError, match=rf"^two failed {DEAD_AFTER} times in a row \(refused: no such"
        ):
            generate(order(models=("one", "two")), models, tmp_path)
    assert DEAD_AFTER <= len(rejected(tmp_path)) < DEAD_AFTER + 8
    assert {line.made.model for _, line in kept(tmp_path) if line.made} <= {"one"}


def test_no_model_has_more_calls_at_once_than_were_ordered(tmp_path: Path) -> None:
    slow = {name: Answers("no") for name in MODELS}
    generate(order(per_scenario=2, in_flight=5), dict(slow), tmp_path)
    assert {one.most_at_once for one in slow.values()} == {5}


def test_within_a_scenario_every_attribute_is_dealt_evenly_and_a_repeat_asks_the_same() -> None:
    file = read_writer(HOME)
    writer = Writer(file, 1)
    asked = [writer.ask(Place(THERAPIST.scenarios[0], number), 0, "m") for number in range(400)]
    for name, values in file.attributes.items():
        counts = Counter(one.attributes[name] for one in asked)
        wanted = {value: 400 * share / len(values) for value, share in Counter(values).items()}
        assert all(abs(counts[value] - wanted[value]) <= values.count(value) for value in wanted), name
    assert len({one.prompt_sha256 for one in asked}) == 400
    assert len({one.request.sampling.seed for one in asked}) == 400
    assert asked == [Writer(file, 1).ask(Place(THERAPIST.scenarios[0], n), 0, "m") for n in range(400)]
    assert asked[0] != Writer(file, 2).ask(Place(THERAPIST.scenarios[0], 0), 0, "m")


class Answers:
    """A model that always says the same, or fails."""

    def __init__(self, answer: str | Exception):
        self._answer = answer
        self._now = 0
        self.most_at_once = 0
        self.requests: list[ChatRequest] = []

    async def chat(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return ChatReply(self._answer, "stop", 0.0)
