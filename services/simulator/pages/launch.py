"""Launching from a form: a spec as YAML, checked in the words of the command line, planned before it is started.

The form starts from a preset, or from the spec of a run that is to be varied. What is wrong is said beside it, and what was typed
stays.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

import yaml
from fastapi import APIRouter, Depends, Form, Request
from pydantic.fields import FieldInfo
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from services.core.db import runs
from services.core.domain.complaints import allowed_values, read_mapping
from services.core.domain.errors import NotFound, SpecError
from services.core.domain.section import Section
from services.core.domain.spec import RunSpec
from services.core.operations import launching, planning
from services.core.operations.launching import NewArm
from services.core.operations.planning import Work
from services.core.queue.rounds import Launched
from services.simulator.api.auth import Caller, Launcher
from services.simulator.api.bodies import fitting
from services.simulator.api.state import ApiState, Database, State
from services.simulator.pages.entrance import Sender
from services.simulator.pages.look import page

router = APIRouter(prefix="/launch", include_in_schema=False)
_FIRST_PRESET: Final = "demo"
_LONGEST: Final = 1 << 16
"""A spec is a few kilobytes."""


@dataclass(frozen=True)
class Sent:
    """What the form sends."""

    spec: Annotated[str, Form(max_length=_LONGEST)] = ""
    again: Annotated[bool, Form()] = False
    plan: Annotated[bool, Form()] = False
    """Say what it would come to, and start nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What launching would come to."""

    work: Work
    arms: tuple[tuple[NewArm, Launched], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a spec, as the form explains it."""

    name: str
    takes: str
    default: str | None
    """None if it has to be given."""
    meaning: str


@router.get("")
def show(
    request: Request,
    caller: Launcher,
    session: Database,
    state: State,
    preset: str | None = None,
    run: str | None = None,
) -> Response:
    """Return the form, with a preset or a run's spec in it."""
    presets = _presets(state)
    if run is not None:
        text = _variant(session, run)
    else:
        name = preset or (_FIRST_PRESET if _FIRST_PRESET in presets else next(iter(presets), ""))
        text = _read(presets, name) if name else ""
    return _form(request, caller, state, Sent(text))


@router.post("")
def send(
    request: Request, caller: Sender, session: Database, state: State, sent: Annotated[Sent, Depends()]
) -> Response:
    """Launch what the form holds, or say what it would come to."""
    try:
        arms = planning.read_arms(fitting(read_mapping(_plain(sent.spec))), state.catalogue)
    except SpecError as error:
        return _form(request, caller, state, sent, complaint=str(error))
    if sent.plan:
        found = planning.foretell(session, arms, sent.again)
        work = planning.work_to_do(arms, found, state.catalogue)
        plan = Plan(work, tuple(zip(arms, found, strict=True)))
        return _form(request, caller, state, sent, plan=plan)
    launched = launching.launch(session, arms[0].run.spec.name, arms, sent.again)
    state.ring_after(session, launched.run_ids)
    target = f"/compare?sweep={launched.sweep_id}" if launched.sweep_id else f"/runs/{launched.run_ids[0]}"
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def _form(
    request: Request,
    caller: Caller,
    state: ApiState,
    sent: Sent,
    complaint: str = "",
    plan: Plan | None = None,
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if complaint else HTTPStatus.OK
    return page(
        request,
        caller,
        "launch",
        status,
        sent=sent,
        complaint=complaint,
        plan=plan,
        presets={name: _about(path) for name, path in _presets(state).items()},
        fields=_fields(),
    )


def _presets(state: ApiState) -> Mapping[str, Path]:
    folder = state.settings.scenarios / "presets"
    # Those at the top first: they run anywhere.
    paths = sorted(folder.rglob("*.yaml"), key=lambda path: (path.parent != folder, path))
    return {str(path.relative_to(folder).with_suffix("")): path for path in paths}


def _read(presets: Mapping[str, Path], name: str) -> str:
    if name not in presets:
        raise NotFound(f"there is no preset {name!r}; there are {', '.join(presets)}")
    return presets[name].read_text(encoding="utf-8")


def _about(preset: Path) -> str:
    """Return what a preset says of itself in its first line."""
    first = preset.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _variant(session: Session, run_id: str) -> str:
    """Return a run's spec without what is the default anyway."""
    run = runs.get_run(session, run_id)
    spec = run.spec.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    return (
        f"# The spec of run {run.id}. Change what you want to vary; as it stands it is the same run.\n{text}"
    )


def _plain(text: str) -> bytes:
    """Return a text in which nothing stands for something else: a few lines of aliases could be gigabytes. Raises `SpecError`."""
    try:
        for event in yaml.parse(text):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # untyped
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1
                raise SpecError(f"line {line}: *{event.anchor} repeats another part; write it out")
    except yaml.YAMLError:
        pass  # is told by who reads it
    return text.encode("utf-8", "replace")


@cache
def _fields() -> tuple[tuple[str, tuple[Field, ...]], ...]:
    """Return the spec's fields by section."""
    return tuple(_sections(RunSpec, "", allowed_values(RunSpec)))


def _sections(
    model: type[Section], prefix: str, takes: Mapping[str, str]
) -> Iterator[tuple[str, tuple[Field, ...]]]:
    inner = {name: info.annotation for name, info in model.model_fields.items() if _is_section(info)}
    leaves = {f"{prefix}{name}": info for name, info in model.model_fields.items() if name not in inner}
    yield prefix.rstrip("."), tuple(_field(name, takes[name], info) for name, info in leaves.items())
    for name, section in inner.items():
        assert isinstance(section, type)
        assert issubclass(section, Section)
        yield from _sections(section, f"{prefix}{name}.", takes)


def _is_section(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, Section)


def _field(name: str, takes: str, info: FieldInfo) -> Field:
    default = None if info.is_required() else yaml.safe_dump(info.default).removesuffix("...\n").strip()
    takes = re.sub(r"a name of [^)]*\)", "a name", takes)
    return Field(name, takes, default, " ".join((info.description or "").split()))
