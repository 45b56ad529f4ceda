"""From a YAML text that a person wrote to a frozen model, or to one clear line.

Whatever is wrong, `SpecError` carries one line: where (dotted field, in `naming` the file before it), what stands there, and the mend. Of several
problems the most telling one is named: an unknown key comes before the missing field that its typo caused, and the number of
others is told.

YAML is read with the safe loader, made stricter in one point: a key that stands twice is an error, not a silent
overwrite.
"""

import difflib
import math
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from services.core.domain.chat import clean
from services.core.domain.errors import SpecError

_MAX_BYTES: Final = 4 * 1024 * 1024
# The pattern of every name in a spec or scenario.
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"

Schema = Mapping[str, Any]
Model = TypeVar("Model", bound=BaseModel)


def read_mapping(data: bytes) -> dict[str, Any]:
    """Return the YAML mapping in `data`.

    Raises:
        SpecError: not UTF-8 text, empty, a syntax error (with its line), a key twice, or no mapping.
    """
    if len(data) > _MAX_BYTES:
        raise SpecError(f"is larger than {_MAX_BYTES // 2**20} MiB; this is no spec or scenario file")
    try:
        value = _load(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SpecError("is not a text file (UTF-8); give a YAML file") from None
    except yaml.YAMLError as error:
        raise SpecError(_yaml_complaint(error)) from None
    except (RecursionError, ValueError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else f"cannot be read ({error})"
        raise SpecError(f"{why}; write it more plainly") from None
    if value is None:
        raise SpecError("is empty; write `field: value` lines")
    if not isinstance(value, dict):
        raise SpecError(f"{shown(value)} stands where a mapping belongs; write `field: value` lines")
    return cast("dict[str, Any]", value)


def fit(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return `values` as `model`, or raise `SpecError` with `complaint`'s line."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SpecError(complaint(error, model)) from None


@contextmanager
def naming(source: object) -> Generator[None]:
    """Begin the complaint of whatever is wrong inside with the file that it is about."""
    try:
        yield
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from None


def complaint(error: ValidationError, model: type[BaseModel]) -> str:
    """Return one line for the most telling problem in `error`: field, what stands there, mend."""
    details = error.errors(include_url=False)
    root = model.model_json_schema()
    best = min(details, key=_urgency)
    path, schema = _locate(best["loc"], root)
    line = _line(best, path, schema, root)
    others = len({_locate(other["loc"], root)[0] for other in details} - {path})
    return one_line(line) + (f" (and {others} more to mend)" if others else "")


def near(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be."""
    matches = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def one_line(text: str) -> str:
    """Return a complaint as one printable line, whatever a stranger's keys in it hold."""
    return clean(" ".join(text.split()))


def shown(value: object) -> str:
    """Return a value as a short one-line text, safe to print."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else _kind(value)
    return text if len(text) <= 60 else text[:57] + "…'"


class _StrictLoader(yaml.SafeLoader):
    """The safe loader, refusing a key that stands twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {shown(key.value)} stands twice; keep one of them", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def _load(text: str) -> object:
    return yaml.load(text, Loader=_StrictLoader)  # a subclass of SafeLoader


def _yaml_complaint(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return "is not a text file (it holds control characters); give a YAML file"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        twice = "stands twice" in error.problem
        return f"{where}{error.problem}" + ("" if twice else "; mend the YAML there")
    return "is not valid YAML; mend its syntax"


def _urgency(detail: ErrorDetails) -> tuple[int, int]:
    """Unknown keys first (they explain missing ones), then by depth, so that the outermost problem leads."""
    order = {"extra_forbidden": 0, "invalid_key": 0, "missing": 2}
    return order.get(detail["type"], 1), len(detail["loc"])


def _locate(loc: Sequence[int | str], root: Schema) -> tuple[str, Schema]:
    """Return the dotted path of an error and the schema of the field it ends at; union tags are left out."""
    path, schema = "", root
    for part in loc:
        inner = _child(part, schema, root)
        if inner is None and path and _alternatives(schema):
            break  # the name of a union's alternative, not of a field
        path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part[:60]}"
        schema = inner or {}
    return path, schema


def _child(part: int | str, schema: Schema, root: Schema) -> Schema | None:
    if isinstance(part, int):
        for option in _alternatives(schema) or [schema]:
            if "items" in option:
                return _resolved(option["items"], root)
        return None
    found = cast(
        "Schema | bool | None",
        schema.get("properties", {}).get(part) or schema.get("additionalProperties"),
    )
    return None if found is None or isinstance(found, bool) else _resolved(found, root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = cast("str | None", schema.get("$ref"))
    return schema if reference is None else cast("Schema", root["$defs"][reference.rpartition("/")[2]])


def _alternatives(schema: Schema) -> list[Schema]:
    return cast("list[Schema]", schema.get("anyOf", []))


def _line(detail: ErrorDetails, path: str, schema: Schema, root: Schema) -> str:
    value, wanted = cast("object", detail["input"]), _wanted(schema, root)
    match detail["type"]:
        case "value_error":
            said = str(detail.get("ctx", {}).get("error", detail["msg"]))
            return f"{path}: {said}" if path else said  # a whole spec's check names its fields itself
        case "extra_forbidden":
            return _unknown_key(path, detail["loc"], root)
        case "invalid_key":
            return f"the key {shown(detail['loc'][-1])} is not a text; put it in quotes, or mend it"
        case "missing":
            return f"{path}: is missing; add {wanted}"
        case "literal_error":
            return f"{path}: {shown(value)} is not known; {_guess(value, schema)}use {wanted}"
        case _:
            return f"{path}: {_misfit(value, schema)}; use {wanted}"


def _guess(value: object, schema: Schema) -> str:
    guess = near(value, map(str, schema.get("enum", []))) if isinstance(value, str) else None
    return f"did you mean {guess}? " if guess else ""


def _unknown_key(path: str, loc: Sequence[int | str], root: Schema) -> str:
    *_, key = loc
    _, parent = _locate(loc[:-1], root)
    if guess := near(key, parent.get("properties", {})):
        return f"{path}: unknown key; did you mean {guess}?"
    for field in _leaves(root, root):
        if field.split(".")[-1] == key:
            return f"{path}: unknown key; {key} belongs at {field}"
    return f"{path}: unknown key; the keys here are {', '.join(parent.get('properties', {}))}"


def leaf_fields(model: type[BaseModel]) -> list[str]:
    """Return the dotted names of a model's fields, sections opened up."""
    root = model.model_json_schema()
    return list(_leaves(root, root))


def allowed_values(model: type[BaseModel]) -> dict[str, str]:
    """Return in words what each of a model's fields takes, by dotted name."""
    root = model.model_json_schema()
    return {field: _wanted(schema, root) for field, schema in _leaves(root, root).items()}


def _leaves(schema: Schema, root: Schema, prefix: str = "") -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for name, value in schema.get("properties", {}).items():
        field = _resolved(value, root)
        inner = _leaves(field, root, f"{prefix}{name}.") if "properties" in field else {}
        found |= inner or {f"{prefix}{name}": field}
    return found


def _misfit(value: object, schema: Schema) -> str:
    """Say what is wrong with a value: too small, too large, or of the wrong kind."""
    kind = schema.get("type")
    text = shown(value)
    if value is None:
        return "has no value"
    if kind in ("integer", "number") and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{text} {_misfit_number(value, schema)}"
    if kind in ("object", "array") and text != _NOUNS[kind]:
        return f"{text} stands where {_NOUNS[kind]} belongs"
    return f"{text} does not fit"


_FORMATS = {"path": "a path", "uri": "an address such as http://127.0.0.1:8000"}
_NOUNS = {"object": "a mapping", "array": "a list", "string": "a text", "boolean": "true or false"}


def _misfit_number(value: float, schema: Schema) -> str:
    low, high = _bounds(schema)
    if low is not None and value < low:
        return f"is less than {_plain(low)}"
    if high is not None and value > high:
        return f"is more than {_plain(high)}"
    if schema["type"] == "integer" and math.isfinite(value) and value != int(value):
        return "is not a whole number"
    return "does not fit"


def _bounds(schema: Schema) -> tuple[float | None, float | None]:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return low, high


def _plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _wanted(schema: Schema, root: Schema) -> str:
    """Return a field's allowed values in words, from its JSON schema."""
    kind = schema.get("type")
    words = _FORMATS.get(str(schema.get("format"))) or _NOUNS.get(str(kind), "another value")
    if alternatives := _alternatives(schema):
        words = " or ".join(_wanted(one, root) for one in alternatives if one.get("type") != "null")
    elif "enum" in schema:
        words = f"one of {', '.join(map(str, schema['enum']))}"
    elif kind in ("integer", "number"):
        words = _wanted_number(schema)
    elif schema.get("pattern") == NAME_PATTERN:
        words = "a name of lower-case letters, digits and . _ - (at most 63, the first a letter or digit)"
    elif kind == "array" and "items" in schema:
        words = f"a list, each {_wanted(_resolved(schema['items'], root), root)}"
    elif kind == "object":
        required = ", ".join(schema.get("required", []))
        words = f"`field: value` lines under it{f' (at least {required})' if required else ''}"
    return words


def _wanted_number(schema: Schema) -> str:
    noun = "a whole number" if schema["type"] == "integer" else "a number"
    low, high = _bounds(schema)
    parts = [noun]
    if low is not None:
        parts.append(f"{'above' if 'exclusiveMinimum' in schema else 'from'} {_plain(low)}")
    if high is not None:
        inclusive = "to" if "minimum" in schema else "up to"
        parts.append(f"{'below' if 'exclusiveMaximum' in schema else inclusive} {_plain(high)}")
    return " ".join(parts)


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
