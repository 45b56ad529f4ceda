"""The OpenAPI document: whole, honest about what can go wrong, and with examples that are true to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.app.catalogue import Catalogue
from services.core.db.session import open_engine
from services.core.settings import Settings
from services.simulator.api.app import create_api
from services.simulator.api.examples import Exemplar
from services.simulator.api.state import ApiState
from tests.simulator.api.service import Api


def described() -> dict[str, Any]:
    """The document as it is made before any request, so that tests can be one an operation."""
    settings = Settings.model_validate({"data": Path("nowhere"), "auth": "tokens"})
    engine = open_engine("postgresql://nowhere.invalid/none")
    return create_api(ApiState(engine, settings, Catalogue(settings), lambda _: None)).openapi()


DESCRIBED = described()
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, operations in DESCRIBED["paths"].items()
    for method, operation in operations.items()
]


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.client.get("/v1/openapi.json").json()
    return found


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield str(inner)
            else:
                yield from references(inner)
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/Problem" in found
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in node, reference
            node = node[part]


def test_every_guarded_route_documents_what_its_guard_may_answer(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            common = {"422", "401", "403", "503"} if path.startswith("/v1") else {"403", "422"}
            assert common <= operation["responses"].keys(), path


def test_whatever_goes_wrong_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if status >= "4":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def spoken(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What an operation takes as JSON, and what it answers when all goes well."""
    parts = {"body": operation.get("requestBody", {})} | operation["responses"]
    for name, part in parts.items():
        for kind, content in part.get("content", {}).items():
            if (name == "body" or name < "3") and kind == "application/json":
                yield name, content


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_said_in_json_has_examples_that_fit_its_schema(operation: dict[str, Any]) -> None:
    for name, content in spoken(operation):
        several = [each["value"] for each in content.get("examples", {}).values()]
        examples = [content["example"]] if "example" in content else several
        assert examples, f"{name} has no example"
        whole = Draft202012Validator(content["schema"] | {"components": DESCRIBED["components"]})
        for example in examples:
            assert [error.message for error in whole.iter_errors(example)] == [], name


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_answered_when_all_goes_well_is_described(operation: dict[str, Any]) -> None:
    answers = {status: answer for status, answer in operation["responses"].items() if status < "3"}
    assert answers
    assert all(status == "204" or answer["content"] for status, answer in answers.items())


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "integer", "examples": [7, 8]}, 7),
        ({"$ref": "#/components/schemas/Pair", "examples": [None]}, None),
        ({"$ref": "#/components/schemas/Pair"}, {"kind": "a", "at": "2026-11-23T10:00:00Z"}),
        ({"$ref": "#/components/schemas/Whole"}, {"all": "told"}),
        ({"type": "array", "items": {"const": 3}}, [3]),
        ({"type": "number", "default": 1.5}, 1.5),
        (
            {"anyOf": [{"$ref": "#/components/schemas/Pair"}, {"type": "null"}]},
            {"kind": "a", "at": "2026-11-23T10:00:00Z"},
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
    ],
)
def test_an_example_is_made_of_what_a_schema_tells(schema: dict[str, Any], example: object) -> None:
    properties = {"kind": {"enum": ["a", "b"]}, "at": {"type": "string", "format": "date-time"}}
    schemas = {"Pair": {"type": "object", "properties": properties}, "Whole": {"type": "object"}}
    assert Exemplar(schemas, {"Whole": {"all": "told"}}).of(schema, "x") == example


def test_a_field_that_tells_nothing_of_itself_is_named() -> None:
    schema = {"type": "object", "properties": {"seed": {"type": "integer"}}}
    with pytest.raises(LookupError, match=r"x\.seed: needs an example"):
        Exemplar({}, {}).of(schema, "x")
