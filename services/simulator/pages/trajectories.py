"""Conversations: a run's list by any filter, and one transcript under a link that stays.

A transcript opened from a list keeps the list's filter in its address, so that previous and next go along it; the link without it
shows the same conversation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BeforeValidator, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from services.core.db import runs, trajectories
from services.core.db.runs import RunRecord
from services.core.db.trajectories import Stored
from services.core.db.trajectory_lists import Filter, Place, Sort, Summary, has_words, ids, summaries
from services.core.domain.errors import SpecError
from services.core.domain.selection import Label
from services.core.domain.trajectory import Profile, Scenario, Slot, TrajectoryStatus, UserKind
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.paging import BIGGEST, Cursor
from services.simulator.api.state import ApiState, Database, State
from services.simulator.pages.look import page
from services.simulator.pages.transcript import turns

router = APIRouter(include_in_schema=False)
_A_PAGE: Final = 50
_REVERSED: Final = {
    Sort.OLDEST: Sort.NEWEST,
    Sort.NEWEST: Sort.OLDEST,
    Sort.BEST: Sort.WORST,
    Sort.WORST: Sort.BEST,
}
SORTS: Final = {
    Sort.OLDEST: "as they were stored",
    Sort.NEWEST: "newest first",
    Sort.BEST: "best first",
    Sort.WORST: "worst first",
}


def _nothing(value: object) -> object:
    return None if value == "" else value


# What a form leaves blank comes as an empty text.
Blank: Final = BeforeValidator(_nothing)
Whole = Annotated[Annotated[int, Field(ge=0, le=BIGGEST >> 32)] | None, Blank]
Score = Annotated[Annotated[float, Field(ge=0, le=BIGGEST >> 32, allow_inf_nan=False)] | None, Blank]
Word = Annotated[Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]+$")] | None, Blank]


@dataclass(frozen=True)
class Asked:
    """What the list's form asks for."""

    round: Whole = None
    scenario: Word = None
    user_kind: Annotated[UserKind | None, Blank] = None
    status: Annotated[TrajectoryStatus | None, Blank] = None
    label: Annotated[Label | None, Blank] = None
    score_from: Score = None
    score_to: Score = None
    q: Word = None
    sort: Annotated[Sort, BeforeValidator(lambda value: value or Sort.OLDEST)] = Sort.OLDEST

    @property
    def fields(self) -> Mapping[str, Any]:
        """What is asked for, without what is left blank."""
        return {name: value for name, value in vars(self).items() if value not in (None, Sort.OLDEST)}

    @property
    def query(self) -> str:
        """The same as an address has it."""
        return urlencode(self.fields)

    @property
    def sieve(self) -> str:
        """The filter alone, which exports take too."""
        return urlencode({name: value for name, value in self.fields.items() if name != "sort"})

    def filter(self, run_id: str) -> Filter:
        """Return the filter of the lists."""
        return Filter(
            runs=(run_id,),
            rounds=_some(self.round),
            scenarios=_some(self.scenario),
            user_kinds=_some(self.user_kind),
            statuses=_some(self.status),
            labels=_some(self.label),
            score_from=self.score_from,
            score_to=self.score_to,
            words=self.q,
        )


def _some(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


Form = Annotated[Asked, Depends()]


@router.get("/runs/{run_id}/trajectories")
def show_list(
    request: Request,
    caller: Reader,
    session: Database,
    state: State,
    run_id: str,
    asked: Form,
    cursor: Cursor = None,
) -> Response:
    """Return a run's conversations."""
    run = runs.get_run(session, run_id)
    found = _listed(session, run, asked, cursor)
    last = found[_A_PAGE - 1] if len(found) > _A_PAGE else None
    return page(
        request,
        caller,
        "trajectories",
        run=run,
        asked=asked,
        items=found[:_A_PAGE],
        is_silent=_is_silent(session, asked),
        scenarios=_scenario_names(state, run),
        user_kinds=tuple(UserKind),
        statuses=tuple(TrajectoryStatus),
        labels=tuple(Label),
        sorts=SORTS,
        is_first=cursor is None,
        following=paging.encode(asked.sort.value, *last.place) if last else None,
    )


@router.get("/trajectories/{trajectory_id}")
def show_one(
    request: Request,
    caller: Reader,
    session: Database,
    state: State,
    trajectory_id: Annotated[int, Path(ge=1, le=BIGGEST)],
    asked: Form,
) -> Response:
    """Return one conversation."""
    stored = trajectories.get(session, trajectory_id)
    run = runs.get_run(session, stored.run_id)
    scenario, profile = _person(state, run, stored)
    place = Place(stored.trajectory.satisfaction, stored.id)
    return page(
        request,
        caller,
        "trajectory",
        run=run,
        stored=stored,
        held=stored.trajectory,
        asked=asked,
        turns=turns(stored.trajectory.messages, stored.trajectory.ratings),
        system=next((said.content for said in stored.trajectory.messages if said.role == "system"), ""),
        thought=_thought(run, stored, scenario, profile),
        task=scenario and scenario.task,
        context=profile and profile.context,
        before=_before(session, asked, run, place),
        after=_after(session, asked, run, place),
    )


def _thought(
    run: RunRecord, stored: Stored, scenario: Scenario | None, profile: Profile | None
) -> str | None:
    if scenario is None or profile is None:
        return None
    held = stored.trajectory
    return Slot(held.slot, held.user_kind, scenario, profile, run.spec.population.bias_strength).thought


def _listed(session: Session, run: RunRecord, asked: Asked, cursor: str | None) -> tuple[Summary, ...]:
    if _is_silent(session, asked):
        return ()

    def same(part: object) -> object:
        if part != asked.sort.value:
            raise ValueError(part)
        return part

    after = Place(*paging.decode(cursor, same, paging.score_or_none, paging.whole)[1:]) if cursor else None
    return summaries(session, asked.filter(run.id), _A_PAGE + 1, asked.sort, after)


def _is_silent(session: Session, asked: Asked) -> bool:
    """Whether a search has only words that are not searched for."""
    return asked.q is not None and not has_words(session, asked.q)


def _after(session: Session, asked: Asked, run: RunRecord, place: Place) -> int | None:
    """Return the conversation that follows in the list."""
    if _is_silent(session, asked):
        return None
    return _first(session, asked.filter(run.id), asked.sort, place)


def _before(session: Session, asked: Asked, run: RunRecord, place: Place) -> int | None:
    """Return the conversation that comes before in the list: by score, those without one are last either way."""
    if _is_silent(session, asked):
        return None
    which, back = asked.filter(run.id), _REVERSED[asked.sort]
    if not back.is_by_score:
        return _first(session, which, back, place)
    scored = replace(which, score_from=which.score_from or 0)
    if place.satisfaction is not None:
        return _first(session, scored, back, place)
    return _first(session, which, back, place) or _first(session, scored, back, None)


def _first(session: Session, which: Filter, sort: Sort, after: Place | None) -> int | None:
    return next(iter(ids(session, which, 1, sort, after)), None)


def _scenario_names(state: ApiState, run: RunRecord) -> tuple[str, ...]:
    """Return the scenarios that a run may have met; none if its environment is not installed here any more."""
    try:
        known = state.catalogue.environment(run.spec.population.environment).scenarios
    except SpecError:
        return ()
    chosen = run.spec.population.scenarios
    return tuple(one.name for one in known if (one.name in chosen if chosen else not one.held_out))


def _person(state: ApiState, run: RunRecord, stored: Stored) -> tuple[Scenario | None, Profile | None]:
    """Return who was met, if the environment is still the one that the run was launched on."""
    held = stored.trajectory
    name = run.spec.population.environment
    try:
        if state.catalogue.environment_sha256(name) != run.fingerprints["environment"]:
            return None, None
        known = state.catalogue.environment(name).scenarios
    except SpecError:
        return None, None
    scenario = next((one for one in known if one.name == held.scenario), None)
    profiles = scenario.profiles if scenario else ()
    return scenario, next((one for one in profiles if one.name == held.profile), None)
