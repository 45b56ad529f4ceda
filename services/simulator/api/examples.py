"""Examples of answers and bodies, put together from what models say of their fields.

So every route has an example, and none is forgotten when a model changes: a field whose type does not tell what it may hold
names an example of its own (`Field(examples=[…])`), and a document cannot be made while one has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_MOMENT: Final = "2026-11-23T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Exemplar:
    """What makes examples of the schemas of one document."""

    schemas: Mapping[str, Schema]
    """The document's components, by name."""
    whole: Mapping[str, Any]
    """Examples of components that are more than the sum of their fields, by name."""

    def of(self, schema: Schema, field: str) -> Any:
        """Return an example; `field` says of what, to name it. Raises `LookupError` for a field that needs one of its own."""
        if "examples" in schema:
            return schema["examples"][0]
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.whole[name] if name in self.whole else self.of(self.schemas[name], name)
        if "anyOf" in schema:
            return self._of_one(schema, field)
        return self._of_type(schema, field)

    def _of_one(self, schema: Schema, field: str) -> Any:
        """Return an example of the first choice; nothing, where there may be nothing and that would need one of its own."""
        choices: list[Schema] = schema["anyOf"]
        try:
            return self.of(choices[0], field)
        except LookupError:
            if {"type": "null"} in choices:
                return None
            raise

    def _of_type(self, schema: Schema, field: str) -> Any:
        for only in ("const", "default"):
            if only in schema:
                return schema[only]
        if "enum" in schema:
            return schema["enum"][0]
        if "properties" in schema:
            return {name: self.of(inner, f"{field}.{name}") for name, inner in schema["properties"].items()}
        if schema.get("type") == "array":
            return [self.of(schema["items"], field)]
        if schema.get("type") == "boolean":
            return True
        if schema.get("format") == "date-time":
            return _MOMENT
        raise LookupError(f"{field}: needs an example; give the model's field one")
