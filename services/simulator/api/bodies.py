"""What callers send: JSON objects with nothing in them that the database, a terminal or a recursive reader can't take.

What the fields of a spec hold is checked by `core.operations.planning`, in the same words as a spec file's.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Body, Depends
from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from services.core.domain.chat import clean
from services.core.domain.complaints import fit, one_line
from services.core.domain.errors import SpecError
from services.core.domain.spec import RunSpec
from services.core.rest.launches import Resumption
from services.simulator.api.paging import BIGGEST

DEEPEST: Final = 16
"""A spec is three levels deep."""
SPEC: Final[dict[str, Any]] = {
    "name": "half-biased",
    "rounds": 3,
    "population": {"biased_share": 0.5, "conversations": 320},
    "training": {"method": "sft", "learning_rate": 0.002, "epochs": 1, "batch_size": 16},
}
SWEEP: Final[dict[str, Any]] = SPEC | {
    "name": "dose",
    "sweep": {"population.biased_share": [0, 0.5, 1], "seed": [1, 2, 3]},
}
CHANGES: Final[dict[str, Any]] = {
    "name": "gentler",
    "training.learning_rate": 0.001,
    "population": {"biased_share": 0.2},
}
_SWEEP_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A run spec, without the fields that are swept if you like, and `sweep`: fields with lists of values.",
    "properties": {
        "sweep": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "array", "items": {}, "minItems": 1},
        }
    },
    "required": ["sweep"],
}
_CHANGES_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Spec fields with their new values, dotted (`training.method`) or nested.",
}


@dataclass(frozen=True)
class _SchemaOf:
    """Describes a body as a model, though it is read as a mapping, so that complaints are a spec file's."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self.model.__pydantic_core_schema__)


@dataclass(frozen=True)
class _Schema:
    """Describes a body by a schema of its own."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self.schema


def _spec(
    body: Annotated[
        dict[str, Any],
        _SchemaOf(RunSpec),
        Body(openapi_examples={"run": {"summary": "A run", "value": SPEC}}),
    ],
) -> dict[str, Any]:
    return fitting(body)


def _sweep(
    body: Annotated[
        dict[str, Any],
        _Schema(_SWEEP_SCHEMA),
        Body(openapi_examples={"sweep": {"summary": "Nine runs", "value": SWEEP}}),
    ],
) -> dict[str, Any]:
    return fitting(body)


def _any_spec(
    body: Annotated[
        dict[str, Any],
        _Schema({"type": "object", "description": "A run spec, with or without a `sweep`."}),
        Body(
            openapi_examples={
                "run": {"summary": "A run", "value": SPEC},
                "sweep": {"summary": "A sweep", "value": SWEEP},
            }
        ),
    ],
) -> dict[str, Any]:
    return fitting(body)


def _changes(
    body: Annotated[
        dict[str, Any],
        _Schema(_CHANGES_SCHEMA),
        Body(openapi_examples={"changes": {"summary": "Two fields and a name", "value": CHANGES}}),
    ],
) -> dict[str, Any]:
    return fitting(body)


def _resumption(body: Annotated[dict[str, Any] | None, _SchemaOf(Resumption), Body()] = None) -> Resumption:
    return fit(Resumption, fitting(body or {}))


SpecBody = Annotated[dict[str, Any], Depends(_spec)]
SweepBody = Annotated[dict[str, Any], Depends(_sweep)]
AnySpecBody = Annotated[dict[str, Any], Depends(_any_spec)]
ChangesBody = Annotated[dict[str, Any], Depends(_changes)]
ResumptionBody = Annotated[Resumption, Depends(_resumption)]


def fitting(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body that can be kept and shown. Raises `SpecError`, naming the field."""
    waiting: list[tuple[str, int, object]] = [("", 0, body)]
    while waiting:
        field, depth, value = waiting.pop()
        if complaint := _unfit(value, depth):
            raise SpecError(f"{one_line(field[1:61]) or 'body'}: {complaint}")
        if isinstance(value, dict):
            for name, inner in cast("dict[str, Any]", value).items():
                waiting += [(field, depth, name), (f"{field}.{name}", depth + 1, inner)]
        if isinstance(value, list):
            for place, inner in enumerate(cast("list[Any]", value)):
                waiting.append((f"{field}[{place}]", depth + 1, inner))
    return body


def _unfit(value: object, depth: int) -> str | None:
    if depth > DEEPEST:
        return "is nested too deeply; write it more plainly"
    if isinstance(value, str) and clean(value) != value:
        return "holds a control character or half of a character; remove it"
    if isinstance(value, float) and not math.isfinite(value):
        return "is no finite number; use one"
    if isinstance(value, int) and abs(value) > BIGGEST:
        return "is too large a number; use a smaller one"
    return None
