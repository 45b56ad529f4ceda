"""The reference page of spec fields and settings, from the models that read them.

`python -m services.app.reference > docs/spec.md` writes it; a test holds the page to this.
"""

import inspect
import json
import re
from collections.abc import Iterator

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from services.core.domain.complaints import allowed_values
from services.core.domain.endpoint import Endpoint
from services.core.domain.section import Section
from services.core.domain.spec import RunSpec
from services.core.settings import Settings

INTRODUCTION = """# Spec fields and settings
<!-- Written by `python -m services.app.reference > docs/spec.md`; change the models, not this page. -->

A spec is a YAML file. Whatever is left out gets its default, and the complete spec is stored with the run. Unknown keys are errors. All fields but `name`,
`concurrency` and `budget` decide results and are, with the contents of what they name, the run's identity: the same spec again is the same run.

A *name* is made of lower-case letters, digits and . _ - (at most 63, the first a letter or digit).

`sweep` turns a spec into several runs: it maps fields to lists of values, and every combination is a run.

```yaml
name: dose
population: {biased_share: 0.5, conversations: 320}
training: {method: sft, learning_rate: 0.002, epochs: 1, batch_size: 16, lora: {rank: 16, alpha: 32}}
sweep:
  population.biased_share: [0.0, 0.5, 1.0]
  seed: [1, 2, 3]
```

The defaults of `training` are the paper's for a model of 8 billion weights. The default policy, `pocket`, has a million and needs a larger learning rate and fewer passes: take this line for it.
"""
SETTINGS = """## Settings
What belongs to the machine and not to the experiment: environment variables.

| variable | default | meaning |
|---|---|---|
"""
ENDPOINTS = """
### `DRIFTLOOP_ENDPOINTS`
Each name's value is an object; [an example](therapist.md#who-plays-the-users).

| field | default | meaning |
|---|---|---|
"""
MACHINE_DEFAULTS = {
    "data": "`driftloop` in `XDG_DATA_HOME`, or in `~/.local/share`; as root `/var/lib/driftloop`",
    "database_url": "none: the embedded one",
    "workers": "one a core",
    "scenarios": "the project's `scenarios`",
    "redis_url": "none",
    "heartbeat": "none",
    "trainer_device_batch": "none: the whole batch",
    "inspect_python": "what `make inspect` made",
    "url": "none: the embedded service",
    "token": "none",
}
"""Defaults that are another value on every machine."""


def reference() -> str:
    """Return the page as Markdown."""
    machine = "".join([SETTINGS, *_settings(), ENDPOINTS, *_endpoints()])
    return "\n".join([INTRODUCTION, *_sections(RunSpec, ""), machine])


def _sections(model: type[Section], prefix: str) -> Iterator[str]:
    fields = {f"{prefix}{name}": info for name, info in model.model_fields.items()}
    inner = {field: info.annotation for field, info in fields.items() if _is_section(info)}
    words = allowed_values(RunSpec)
    rows = [_row(field, words[field], info) for field, info in fields.items() if field not in inner]
    title = f"`{prefix.rstrip('.')}`" if prefix else "A run"
    table = ["| field | takes | default | meaning |", "|---|---|---|---|", *rows]
    yield "\n".join([f"## {title}", f"{inspect.cleandoc(model.__doc__ or '')}\n", *table, ""])
    for field, section in inner.items():
        assert isinstance(section, type)
        assert issubclass(section, Section)
        yield from _sections(section, f"{field}.")


def _is_section(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, Section)


def _row(field: str, words: str, info: FieldInfo) -> str:
    default = "**required**" if info.is_required() else f"`{json.dumps(info.default)}`"
    words = re.sub(r"a name of [^)]*\)", "a name", words)
    return f"| `{field}` | {words} | {default} | {_said(info)} |"


def _said(info: FieldInfo) -> str:
    return " ".join((info.description or "").split())


def _plain(value: object) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _settings() -> Iterator[str]:
    for name, info in Settings.model_fields.items():
        alias = info.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [f"DRIFTLOOP_{name.upper()}"]
        default = MACHINE_DEFAULTS.get(name) or f"`{_plain(info.default)}`"
        yield f"| {' or '.join(f'`{variable}`' for variable in names)} | {default} | {_said(info)} |\n"


def _endpoints() -> Iterator[str]:
    for name, info in Endpoint.model_fields.items():
        default = "**required**" if info.is_required() else f"`{json.dumps(info.default)}`"
        yield f"| `{name}` | {default} | {_said(info)} |\n"


if __name__ == "__main__":
    print(reference(), end="")
