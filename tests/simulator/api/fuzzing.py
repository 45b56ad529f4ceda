"""A generator of requests (schemathesis) let loose on the API: every operation of its own description, by one caller.

It knows what there is (a run, its rounds, conversations, evaluation …) and asks for it about as often as for what it
makes up: examples, the bounds of every value and just beyond, whatever fits a schema and whatever does not, methods
that a path does not have, and chains in which ids of one answer are asked for next. Its seed is fixed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from anyio import to_thread
from schemathesis import engine as generator
from schemathesis.checks import CheckContext
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.engine.recorder import ScenarioRecorder
from sqlalchemy import Engine
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from services.core.db.tables import Base

SEED: Final = 20_261_124
CASES: Final = 12
"""Made up for every operation, beside its examples and the bounds of its values."""
OFTEN: Final = 0.5
"""How often what is made up asks for something that is there."""
CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LEFT_OUT: Final = (
    *("use_after_free", "ensure_resource_availability"),  # nothing stays deleted or made here
    "ignored_auth",  # a walk over all routes tells that without a second request for each
    "positive_data_acceptance",  # a spec may fit its schema and still name a model that is not here
)
DRAWN: Final = "^/v1/compare/"
"""What draws takes a tenth of a second and the same parameters as `/v1/compare`, whose bounds are tried instead."""
ANY_HEADER: Final = "in header - object with unexpected properties"
"""The one thing that fits no description and is still no mistake."""

Known = Mapping[str, Sequence[str | int]]
"""What leads to something, by parameter: `path.run_id`, `query.run`. Each is an example too."""


@schemathesis.check
def failures_are_problems(_: CheckContext, response: schemathesis.Response, __: schemathesis.Case) -> None:
    """Hold every refusal to the one shape that they have."""
    if response.status_code >= 400:
        assert response.headers["content-type"] == ["application/problem+json"]
        assert response.json()["status"] == response.status_code


class Undone:
    """An application whose data can't be changed for long: as soon as a request has changed any, all are as they were.

    So what the generator knows is never gone, and no answer depends on the one before it.
    """

    def __init__(self, app: ASGIApp, engine: Engine):
        self._app = app
        self._engine = engine
        with engine.connect() as connection:
            self._rows = {
                table: [
                    {column.name: row[column] for column in table.columns if column.computed is None}
                    for row in connection.execute(table.select()).mappings()
                ]
                for table in Base.metadata.sorted_tables
            }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and put back."""
        has_changed = False

        async def send_noting(message: Message) -> None:
            nonlocal has_changed
            if message["type"] == "http.response.start":
                has_changed = scope["method"] in CHANGING and message["status"] < 300
            await send(message)

        await self._app(scope, receive, send_noting)
        if has_changed:
            await to_thread.run_sync(self._put_back)

    def _put_back(self) -> None:
        with self._engine.begin() as connection:
            for table in reversed(self._rows):
                connection.execute(table.delete())
            for table, rows in self._rows.items():
                if rows:
                    connection.execute(table.insert(), rows)


@dataclass(frozen=True)
class Found:
    """What became of the requests."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """How often an operation (`GET /v1/runs`) was answered by a status."""
    complaints: list[str] = field(default_factory=list[str])

    def answered(self, statuses: Iterable[int]) -> set[str]:
        """Return the operations that were ever answered by one of these."""
        return {label for (label, status) in self.answers if status in statuses}

    def add(self, asked: ScenarioRecorder) -> None:
        """Take in what became of one operation's requests, or of a chain of several'."""
        for case_id, interaction in asked.interactions.items():
            case = asked.cases[case_id].value
            if interaction.response is not None and case.method == case.operation.method.upper():
                self.answers[case.operation.label, interaction.response.status_code] += 1
        for check in (check for checks in asked.checks.values() for check in checks):
            if (info := check.failure_info) is not None and ANY_HEADER not in info.failure.message:
                said = f"{check.name}: {info.failure.title}: {info.failure.message}"
                self.complaints.append(f"{info.failure.operation}: {said}\n    {info.code_sample}")


def let_loose(
    app: ASGIApp,
    document: Mapping[str, Any],
    headers: Mapping[str, str],
    known: Known,
    phases: Sequence[str],
) -> Found:
    """Ask an application all that its document allows, and much that it does not."""
    schema = schemathesis.openapi.from_dict(_leading(document, known), config=_config(headers, known))
    schema.config.phases.update(phases=[*phases])
    schema.app = app
    found = Found()
    with capture_logs():  # to show the traceback of each failure would take longer than all else
        for event in generator.from_schema(schema).execute():
            if isinstance(event, ScenarioFinished):
                found.add(event.recorder)
            elif isinstance(event, NonFatalError):
                found.complaints.append(f"{event.label}: {event.value!r}")
            elif isinstance(event, FatalError):
                raise event.exception
    return found


def _leading(document: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """Return a document whose parameters have examples that lead to something."""
    leading = deepcopy(dict(document))
    for operations in leading["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                values = known.get(f"{parameter['in']}.{parameter['name']}")
                if values:
                    is_list = parameter["schema"].get("type") == "array"
                    shown = [[value] if is_list else value for value in values]
                    parameter["examples"] = {
                        str(place): {"value": value} for place, value in enumerate(shown)
                    }
    return leading


def _config(headers: Mapping[str, str], known: Known) -> schemathesis.Config:
    paths = {name: [*values] for name, values in known.items() if name.startswith("path.")}
    return schemathesis.Config.from_dict(
        {
            "seed": SEED,
            "generation": {"deterministic": True, "max-examples": CASES, "no-shrink": True},
            "continue-on-failure": True,
            "headers": dict(headers),
            "dictionaries": {name: {"values": values} for name, values in paths.items()},
            "parameters": {name: {"dictionary": name, "probability": OFTEN} for name in paths},
            "checks": {name: {"enabled": False} for name in LEFT_OUT},
            "operations": [{"include-path-regex": DRAWN, "phases": {"coverage": {"enabled": False}}}],
        }
    )
