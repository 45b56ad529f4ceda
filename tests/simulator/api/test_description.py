"""The OpenAPI document: whole, and honest about what can go wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.api.service import Api


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
