"""Scenarios and the spec's schema over REST: what a spec may say in this installation."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from services.core.domain.complaints import near
from services.core.domain.errors import NotFound, SpecError
from services.core.domain.spec import ConversationSpec, RunSpec
from services.core.domain.trajectory import Scenario, Slot, UserKind
from services.core.rest.models import Page
from services.core.rest.scenarios import PreviewView, ProfileView, ScenarioSummary, ScenarioView
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.bodies import SPEC
from services.simulator.api.naming import Name
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import ApiState, State

router = APIRouter(tags=["scenarios"])

_SCHEMA_EXAMPLE = {"title": "RunSpec", "type": "object", "properties": {"name": {"type": "string"}}}
EnvironmentName = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True)
class PreviewQuery:
    """Who is met, and as which settings have it."""

    profile: Annotated[
        Name | None, Query(description="Who comes with it; the first of its people unless named.")
    ] = None
    user_kind: Annotated[UserKind, Query(description="As which kind of user.")] = UserKind.BIASED
    show_preference: Annotated[bool, Query(description="As with `conversation.show_preference`.")] = False
    bias_strength: Annotated[float, Query(gt=0, le=1, description="As with `population.bias_strength`.")] = (
        1.0
    )
    rating_prompt: Annotated[
        Name | None, Query(description="As with `conversation.rating_prompt`; its default unless named.")
    ] = None


@router.get("/scenarios", summary="List scenarios")
def list_scenarios(
    _: Reader,
    state: State,
    environment: Annotated[
        tuple[EnvironmentName, ...], Query(description="Only of these environments.")
    ] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ScenarioSummary]:
    """Return a page of scenarios by environment and name.

    An environment that can't be read is left out, unless it is named: then it is said what is wrong with it.
    """
    after = paging.decode(cursor, paging.text, paging.text) if cursor else ("", "")
    wanted = sorted(set(environment) & set(state.catalogue.environments) if environment else _readable(state))
    found = [one for one in _scenarios(state, wanted) if (one[0], one[1].name) > after]
    last = found[limit - 1] if len(found) > limit else None
    return Page(
        items=tuple(_summary(*one) for one in found[:limit]),
        next_cursor=last and paging.encode(last[0], last[1].name),
    )


@router.get(
    "/scenarios/{environment}/{name}", summary="Get a scenario with its people", responses=documented(404)
)
def get_scenario(_: Reader, state: State, environment: str, name: str) -> ScenarioView:
    """Return what both kinds of user think and do not say, and everybody who may come with it."""
    return _view(environment, _scenario(state, environment, name))


@router.get(
    "/scenarios/{environment}/{name}/preview",
    summary="See what each side sees",
    responses=documented(404),
)
def get_preview(
    _: Reader,
    state: State,
    environment: str,
    name: str,
    asked: Annotated[PreviewQuery, Depends()],
) -> PreviewView:
    """Return the prompts that a conversation would begin with, word for word."""
    scenario = _scenario(state, environment, name)
    people = [one for one in scenario.profiles if asked.profile in {None, one.name}]
    if not people:
        raise NotFound(f"nobody called {asked.profile!r} comes with {environment}/{name}")
    slot = Slot(0, asked.user_kind, scenario, people[0], asked.bias_strength)
    prompts = state.catalogue.environment(environment)
    version = asked.rating_prompt or ConversationSpec().rating_prompt
    prompts.check_rating_prompt(version)
    return PreviewView(
        policy_prompt=prompts.policy_prompt(slot, show_preference=asked.show_preference),
        user_prompt=prompts.user_prompt(slot),
        opening=slot.profile.opening,
        rating_prompt=prompts.rating_prompt(slot, 1, version),
        profiles=len(scenario.profiles),
        generated=_generated(scenario),
    )


@router.get(
    "/spec-schema",
    summary="The JSON Schema of a run spec",
    response_model=dict[str, Any],
    responses={200: {"content": {"application/json": {"example": _SCHEMA_EXAMPLE}}}},
)
def get_spec_schema(_: Reader) -> dict[str, Any]:
    """Return the schema by which an editor or a form can check a spec while it is written."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RunSpec.model_json_schema(),
        "examples": [SPEC],
    }


def _scenario(state: ApiState, environment: str, name: str) -> Scenario:
    known = [environment] if environment in state.catalogue.environments else []
    for _environment, scenario in _scenarios(state, known):
        if scenario.name == name:
            return scenario
    # By the name alone: what scenarios of one environment share would make any of them look near.
    everywhere = _scenarios(state, _readable(state))
    there = {scenario.name: f"{one}/{scenario.name}" for one, scenario in everywhere}
    meant = near(name, there)
    mend = f"did you mean {there[meant]}?" if meant else "`driftloop scenarios list` shows those that exist"
    raise NotFound(f"there is no scenario {environment}/{name}; {mend}")


def _readable(state: ApiState) -> list[str]:
    """Return the environments that can be read: one that somebody is still writing keeps nobody from the others."""
    found: list[str] = []
    for name in state.catalogue.environments:
        with suppress(SpecError):
            state.catalogue.environment(name)
            found.append(name)
    return found


def _scenarios(state: ApiState, environments: list[str]) -> Iterator[tuple[str, Scenario]]:
    for name in environments:
        for scenario in state.catalogue.environment(name).scenarios:
            yield name, scenario


def _summary(environment: str, scenario: Scenario) -> ScenarioSummary:
    return ScenarioSummary(
        environment=environment,
        name=scenario.name,
        task=scenario.task,
        tags=scenario.tags,
        is_held_out=scenario.held_out,
        profiles=len(scenario.profiles),
        generated=_generated(scenario),
    )


def _generated(scenario: Scenario) -> int:
    return sum(profile.author is not None for profile in scenario.profiles)


def _view(environment: str, scenario: Scenario) -> ScenarioView:
    return ScenarioView(
        environment=environment,
        name=scenario.name,
        task=scenario.task,
        benign_thought=scenario.benign_thought,
        biased_thought=scenario.biased_thought,
        tags=scenario.tags,
        is_held_out=scenario.held_out,
        profiles=tuple(ProfileView(**asdict(profile)) for profile in scenario.profiles),
    )
