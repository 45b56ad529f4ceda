"""The API's own description: FastAPI's OpenAPI document, completed with what every route has in common.

A route names what only it may answer (`documented(404, 409)`); what any route may answer is added here once, so that no
answer is undocumented: a missing or too weak token, a caller who may not ask, a value that doesn't fit, a database that is
away, a long body. What is answered or sent as JSON has an example.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from fastapi import FastAPI

from services.core.domain.spec import RunSpec
from services.core.rest.models import Problem
from services.simulator.api.bodies import SPEC
from services.simulator.api.examples import Exemplar
from services.simulator.api.problems import documented

_JSON = "application/json"
_SCHEMAS = "#/components/schemas/"


class DescribedApi(FastAPI):
    """An application whose OpenAPI document is complete."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=_SCHEMAS + "{model}")
    schemas |= problem.pop("$defs") | {"Problem": problem}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    exemplar = Exemplar(schemas, {"RunSpec": RunSpec.model_validate(SPEC).model_dump(mode="json")})
    for operations in document["paths"].values():
        for operation in cast("dict[str, dict[str, Any]]", operations).values():
            operation["responses"].pop("422", None)  # FastAPI's own, which is never answered
            for status, response in documented(*_common(operation)).items():
                operation["responses"].setdefault(str(status), response)
            for content in _spoken(operation):
                if not content.keys() & {"example", "examples"}:
                    content["example"] = exemplar.of(content["schema"], operation["operationId"])
    return document


def _spoken(operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what an operation takes and answers as JSON."""
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        if _JSON in part.get("content", {}):
            yield part["content"][_JSON]


def _common(operation: dict[str, Any]) -> list[int]:
    statuses = [403, 422]
    if "security" in operation:
        statuses += [401, 503]
    if "requestBody" in operation:
        statuses += [413]
    return statuses
