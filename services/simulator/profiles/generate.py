"""Ask models for people until every scenario has as many as are wanted.

Place i of a scenario is asked of one model, models in turn, so their shares are what was ordered, however often each is refused. Every model
goes at its own pace, with so many calls in flight; limits are its endpoint's. An answer that is not accepted is kept with its cause and
the place asked for again with another seed, at most `TRIES` times a command; then the place is given up and told, and the same command tries it
anew. Between an answer and its line nothing is awaited: likeness is checked and the line written before another answer is looked at.

New calls end when the budget is spent or a model fails `DEAD_AFTER` times in a row; calls in flight end by themselves, and what they bring is kept.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.core.domain.chat import ChatReply, clean
from services.core.domain.errors import LoopError, ProviderError, SpecError
from services.core.domain.seeds import derive_seed
from services.core.domain.trajectory import Profile, Scenario
from services.core.llm.model import ChatModel
from services.simulator.profiles.ledger import Ledger
from services.simulator.profiles.likeness import Likeness
from services.simulator.profiles.lines import Made, PersonLine, RejectedLine
from services.simulator.profiles.reading import Form, Rejected, read_person
from services.simulator.profiles.tally import Tally
from services.simulator.profiles.writer import Asked, Place, Writer
from services.simulator.scenarios import Environment

TRIES: Final = 8
DEAD_AFTER: Final = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted."""

    scenarios: tuple[Scenario, ...]
    per_scenario: int
    models: tuple[str, ...]
    """Endpoints, in the order of their turns."""
    in_flight: int
    """Calls at once, of each model."""
    budget_usd: float | None = None
    """Of everything that was asked into the folder."""

    def places(self) -> Iterator[tuple[Place, str]]:
        """Yield every wanted person and who writes it: all scenarios' first, then all scenarios' second …"""
        for number in range(self.per_scenario):
            for scenario in self.scenarios:
                # By the name, so that whose turn it is does not depend on which other scenarios were chosen.
                turn = derive_seed("turn", scenario.name) + number
                yield Place(scenario, number), self.models[turn % len(self.models)]


class Generation:
    """A generation under way into one folder."""

    def __init__(self, order: Order, writer: Writer, ledger: Ledger, environment: Environment):
        self.tally = Tally(wanted=len(order.scenarios) * order.per_scenario)
        self._order = order
        self._writer = writer
        self._ledger = ledger
        self._said = Likeness()
        self._in_a_row: dict[str, int] = {}
        self._failure: LoopError | None = None
        self._read(environment)

    @property
    def is_spent(self) -> bool:
        """Tell whether the budget is."""
        budget = self._order.budget_usd
        return budget is not None and self.tally.total.cost_usd >= budget

    async def run(self, models: Mapping[str, ChatModel], tell: Callable[[Tally], None]) -> None:
        """Fill the folder; `tell` is called after every answer.

        Raises:
            ProviderError: a model fails all the time.
            SpecError: a budget is to be kept, and a call's price is not known.
        """
        owed = {name: self._owed(name) for name in self._order.models}
        async with asyncio.TaskGroup() as group:
            for name, places in owed.items():
                for _ in range(self._order.in_flight):
                    group.create_task(self._work(models[name], name, places, tell))
        if self._failure:
            raise self._failure

    def _read(self, environment: Environment) -> None:
        """Take in who is there already, and what that took."""
        for scenario in environment.scenarios:
            for profile in scenario.profiles:
                self._said.add(f"{scenario.name}/{profile.name}", profile.context, profile.opening)
        self._filled: set[tuple[str, str]] = set()
        for scenario, line in self._ledger.people():
            self._filled.add((scenario, line.name))
            self._said.add(f"{scenario}/{line.name}", line.context, line.opening)
            if line.made:
                self.tally.add(line.made, None)
        for line in self._ledger.rejected():
            self.tally.add(line.made, line.cause)
        self.tally.there = sum(self._is_filled(place) for place, _ in self._order.places())

    def _is_filled(self, place: Place) -> bool:
        return (place.scenario.name, place.name) in self._filled

    def _owed(self, model: str) -> Iterator[Place]:
        return (
            place for place, writer in self._order.places() if writer == model and not self._is_filled(place)
        )

    async def _work(
        self, model: ChatModel, name: str, places: Iterator[Place], tell: Callable[[Tally], None]
    ) -> None:
        for place in places:
            for _ in range(TRIES):
                if self._failure or self.is_spent:
                    return
                is_filled = await self._try(model, name, place)
                tell(self.tally)
                if is_filled:
                    break
            else:
                self.tally.given_up += 1

    async def _try(self, model: ChatModel, name: str, place: Place) -> bool:
        attempt = self._ledger.tries(place.scenario.name, place.number)
        asked = self._writer.ask(place, attempt, name)
        try:
            reply = await model.chat(asked.request)
        except ProviderError as error:
            self._reject(place, self._made(asked, place, attempt, None), error.cause, str(error), "")
            self._note_failure(name, error)
            return False
        self._in_a_row[name] = 0
        made = self._made(asked, place, attempt, reply)
        if self._order.budget_usd is not None and made.cost_usd is None:
            mend = f"give {name} its prices in DRIFTLOOP_ENDPOINTS"
            self._failure = SpecError(
                f"--budget-usd: what {name} costs is not known; {mend}, or leave it out"
            )
        try:
            person = self._accepted(reply, place, name)
        except Rejected as refusal:
            self._reject(place, made, refusal.cause, refusal.complaint, clean(reply.text))
            return False
        self._keep(place, person, made)
        return True

    def _accepted(self, reply: ChatReply, place: Place, model: str) -> Profile:
        person = read_person(reply.text, reply.finish_reason, place, model)
        if echo := self._said.echo(_full_name(place), person.context, person.opening):
            raise Rejected(Form.DUPLICATE, f"says “{echo.words}”, as {echo.who} does")
        return person

    def _keep(self, place: Place, person: Profile, made: Made) -> None:
        line = PersonLine(name=person.name, context=person.context, opening=person.opening, made=made)
        self._ledger.accept(place.scenario.name, line)
        self._said.add(_full_name(place), person.context, person.opening)
        self._filled.add((place.scenario.name, place.name))
        self.tally.there += 1
        self.tally.add(made, None)

    def _reject(self, place: Place, made: Made, cause: str, complaint: str, text: str) -> None:
        line = RejectedLine(
            scenario=place.scenario.name, cause=cause, complaint=clean(complaint), text=text, made=made
        )
        self._ledger.reject(line)
        self.tally.add(made, cause)

    def _made(self, asked: Asked, place: Place, attempt: int, reply: ChatReply | None) -> Made:
        return Made(
            model=asked.request.model,
            place=place.number,
            attempt=attempt,
            seed=asked.request.sampling.seed,
            prompt_version=self._writer.version,
            prompt_sha256=asked.prompt_sha256,
            attributes=asked.attributes,
            prompt_tokens=reply and reply.prompt_tokens,
            completion_tokens=reply and reply.completion_tokens,
            cost_usd=reply and reply.cost_usd,
            input_usd_per_million=reply and reply.input_usd_per_million,
            output_usd_per_million=reply and reply.output_usd_per_million,
        )

    def _note_failure(self, model: str, error: ProviderError) -> None:
        self._in_a_row[model] = self._in_a_row.get(model, 0) + 1
        if self._in_a_row[model] >= DEAD_AFTER and not self._failure:
            line = (
                f"{model} failed {DEAD_AFTER} times in a row ({error.cause}: {error}); mend that and go on "
                f"by the same command, or leave it out of --models. {self.tally.there} people are kept"
            )
            self._failure = ProviderError(line, error.cause)


def _full_name(place: Place) -> str:
    return f"{place.scenario.name}/{place.name}"
