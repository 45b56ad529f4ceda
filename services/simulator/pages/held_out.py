"""The same held-out people with two of a run's policies, side by side, those that changed first.

Outcomes of all are read, which is little; transcripts only of those that are shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from services.core.db import evaluations, runs
from services.core.db.verdicts import VerdictPlace, get_verdict
from services.core.domain.chat import Message
from services.core.domain.errors import NotFound
from services.core.domain.phases import policy_name
from services.core.domain.trajectory import UserKind
from services.core.domain.verdict import Benchmark, HeldOutOutcome, Verdict
from services.simulator.api.auth import Reader
from services.simulator.api.state import Database
from services.simulator.pages.look import page
from services.simulator.pages.memory import Memory
from services.simulator.pages.trajectories import Blank, Whole, Word
from services.simulator.pages.transcript import Turn, turns
from services.simulator.report.sections import TARGETING

router = APIRouter(include_in_schema=False)
_A_PAGE: Final = 20


class Turned(StrEnum):
    """How a person's conversation with the later policy stands to the one with the earlier."""

    NEWLY = "newly validates"
    NO_LONGER = "no longer validates"
    SAME = "as before"
    UNKNOWN = "not judged"


_RANK: Final = {turned: place for place, turned in enumerate(Turned)}


@dataclass(frozen=True, slots=True)
class Person:
    """A held-out person, met as one kind of user by both policies."""

    scenario: str
    item: str
    kind: UserKind
    turned: Turned


@dataclass(frozen=True, slots=True)
class Side:
    """A person's conversation with one policy."""

    outcome: str
    turns: tuple[Turn, ...]
    cause: str | None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A person with both policies."""

    person: Person
    system: str
    a: Side
    b: Side


@dataclass(frozen=True)
class Asked:
    """What the page is asked for."""

    a: Annotated[int, Query(ge=0, le=1000)] = 0
    b: Whole = None
    turned: Annotated[Turned | None, Blank] = None
    user_kind: Annotated[UserKind | None, Blank] = None
    scenario: Word = None
    page: Annotated[int, Query(ge=1, le=10_000)] = 1

    def query(self, **changes: Any) -> str:
        """Return the address's query, changed."""
        fields = {**vars(self), "page": 1, **changes}
        return urlencode({name: value for name, value in fields.items() if value is not None})

    def wants(self, person: Person) -> bool:
        """Tell whether a person is asked for."""
        wanted = (
            (self.turned, person.turned),
            (self.user_kind, person.kind),
            (self.scenario, person.scenario),
        )
        return all(given is None or given == found for given, found in wanted)


@router.get("/runs/{run_id}/held-out")
def show(
    request: Request,
    caller: Reader,
    session: Database,
    measured: Memory,
    run_id: str,
    asked: Annotated[Asked, Depends()],
) -> Response:
    """Return two rounds' held-out conversations."""
    run = runs.get_run(session, run_id)
    complete = measured.complete(session, [run])[run.id]
    rounds = {one.round: one for one in measured.rounds(session, complete)}
    later = max(rounds, default=0) if asked.b is None else asked.b
    for round_ in (asked.a, later):
        if round_ not in rounds:
            raise NotFound(
                f"round {round_} of run {run.id} is not measured yet; its page lists the rounds that are"
            )
    first, second = complete[asked.a], complete[later]
    people = _people(session, first, second)
    chosen = [person for person in people if asked.wants(person)]
    shown = chosen[_A_PAGE * (asked.page - 1) : _A_PAGE * asked.page]
    return page(
        request,
        caller,
        "held_out",
        run=run,
        is_pocket=run.spec.policy == "pocket",
        asked=asked,
        later=later,
        rounds=list(rounds),
        policies=[policy_name(run.id, run.spec.policy, round_) for round_ in (asked.a, later)],
        names=TARGETING,
        before=rounds[asked.a],
        after=rounds[later],
        change=measured.change(session, first, second),
        counts={kind: Counter(one.turned for one in people if one.kind == kind) for kind in UserKind},
        turned=tuple(Turned),
        user_kinds=tuple(UserKind),
        scenarios=sorted({person.scenario for person in people}),
        found=len(chosen),
        has_more=len(chosen) > _A_PAGE * asked.page,
        meetings=[_meeting(session, first, second, person) for person in shown],
    )


def _people(session: Session, first: int, second: int) -> Sequence[Person]:
    """Return who was met by both policies: the changed first, then by scenario and name."""
    read = evaluations.outcomes_of(session, {first, second}, Benchmark.HELD_OUT)
    now = {verdict.key: verdict for verdict in read[second]}
    both = ((verdict, now[verdict.key]) for verdict in read[first] if verdict.key in now)
    people = [
        Person(before.subset, before.item, UserKind(before.item.rpartition("/")[2]), _turned(before, after))
        for before, after in both
    ]
    return sorted(
        people, key=lambda one: (_RANK[one.turned], one.kind is UserKind.BENIGN, one.scenario, one.item)
    )


def _turned(before: Verdict, after: Verdict) -> Turned:
    if before.is_error or after.is_error:
        return Turned.UNKNOWN
    if before.outcome is after.outcome:
        return Turned.SAME
    return Turned.NEWLY if after.outcome is HeldOutOutcome.VALIDATES else Turned.NO_LONGER


def _meeting(session: Session, first: int, second: int, person: Person) -> Meeting:
    place = VerdictPlace(Benchmark.HELD_OUT, person.scenario, person.item, 0)
    before, after = (get_verdict(session, evaluation, place) for evaluation in (first, second))
    system = next((said.content for said in _messages(before.detail) if said.role == "system"), "")
    return Meeting(person, system, _side(before), _side(after))


def _side(verdict: Verdict) -> Side:
    said = verdict.detail.get("validating_replies") or ()
    shown = turns(_messages(verdict.detail), validates=said)
    return Side(verdict.outcome.value.replace("_", " "), shown, verdict.detail.get("cause"))


def _messages(detail: Mapping[str, Any]) -> Iterator[Message]:
    return (Message(**message) for message in detail["transcript"]["messages"])
