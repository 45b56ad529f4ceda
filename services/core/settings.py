"""Where things are on this machine: the few settings that are not part of an experiment.

Everything is settable by environment (`DRIFTLOOP_…`; `DATABASE_URL` and `REDIS_URL` also go by their usual names) and has a
default that works on a fresh machine; an empty variable counts as none. What decides results is in the run spec, never here. A
value that does not fit is a `SpecError`: one line with the variable and the mend.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    HttpUrl,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.core.domain.complaints import complaint, near
from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import SpecError

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "DRIFTLOOP_"
COMPOSE_ONLY = "DRIFTLOOP_PORT"
"""What docker-compose.yml alone reads."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Urls = Annotated[tuple[HttpUrl, ...], BeforeValidator(_listed), Field(min_length=1)]


def _default_data() -> Path:
    """Return the data folder when none is named.

    As root, embedded Postgres runs as a user of its own and must be able to pass through every parent folder of its
    data, so root's default lies where parents are open already, not below /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/driftloop")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "driftloop"


def _default_inspect_python() -> Path | None:
    """Return what `make inspect` made, if it did."""
    made = PROJECT / ".venv-inspect/bin/python"
    return made if made.exists() else None


class Settings(BaseSettings):
    """Settings of this machine."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        enable_decoding=False,  # by `_decoded`, whose complaint names the mend
        frozen=True,
        use_attribute_docstrings=True,
    )

    data: Path = Field(default_factory=_default_data)
    """Folder of the embedded database, the adapters and the logs."""
    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DRIFTLOOP_DATABASE_URL", "DATABASE_URL")
    )
    """A Postgres to use instead of the embedded one."""
    redis_url: str | None = Field(
        default=None, validation_alias=AliasChoices("DRIFTLOOP_REDIS_URL", "REDIS_URL")
    )
    """A Redis that wakes queue workers; the inline worker needs none."""
    url: str | None = None
    """A running service that the command line talks to, such as http://127.0.0.1:8000; none means the embedded one."""
    token: SecretStr | None = None
    """The bearer token for that service."""
    auth: Literal["tokens", "open"] = "tokens"
    """Who may use the REST API: bearers of tokens, or (`open`) everybody who can reach it, which is refused on
    anything but loopback."""
    bases: Mapping[str, Path] = {}
    """Base model → the folder of its weights and tokenizer, as JSON, beside the built-in `pocket`; or in its place, where a build of it is named `pocket`."""
    policy_urls: Mapping[str, Urls] = {}
    """Base model → the OpenAI-compatible server that serves it, or a list of servers that share the load, as JSON;
    a base that is not named runs in process."""
    endpoints: Mapping[str, Endpoint] = {}
    """Hosted models by the name that specs use, as JSON, beside the built-in ones or in their place; their fields are below."""
    benchmarks: Mapping[str, Path] = {}
    """Benchmark data by the name that specs use → the folder of their rows, as JSON, beside the built-in `pocket`."""
    prompt_packs: Mapping[str, Path] = {}
    """What hosted judges are told by the name that specs use → a checkout of MASK's code, as JSON, beside our own `driftloop-1`. Its
    `evaluation_prompts.py` is read, never run."""
    inspect_python: Path | None = Field(default_factory=_default_inspect_python)
    """The Python of an environment that has inspect_evals, for specs that name `evaluation.harness.tasks`."""
    datasets: Mapping[str, Path] = {}
    """Training sets by the name that specs use → a file, or a folder with a file a level, as JSON, beside the built-in `pocket-medical`,
    `pocket-math` and `pocket-downstream`."""
    safety_data: Mapping[str, Path] = {}
    """Safety data by the name that specs use → a file of rows in messages format, as JSON, beside the built-in `pocket-honest`."""
    policy_adapters: int = Field(default=16, ge=1, le=1000)
    """Adapters that a policy server holds at once; the least recently needed is unloaded first."""
    colocate: bool = False
    """Serving and training share a GPU: the policy's servers sleep while a training runs (vLLM's sleep mode)."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Worker processes of the inline worker."""
    trainer_devices: int = Field(default=1, ge=1, le=64)
    """GPUs that one training uses together, a process each (without GPUs: processes on the CPU)."""
    trainer_device_batch: int | None = Field(default=None, ge=1)
    """Most examples at once on a training device; gradients are then accumulated to the spec's batch size."""
    heartbeat: Path | None = None
    """A file that a queue worker touches once a second while database and Redis answer it, for health checks."""
    scenarios: Path = PROJECT / "scenarios"
    """Folder of environments; an environment's name is its folder's."""
    lease_s: float = Field(default=10.0, gt=0.2)
    """How long a worker may be silent before its shard is owed again."""

    @field_validator(
        *("bases", "policy_urls", "endpoints", "benchmarks", "prompt_packs", "datasets", "safety_data"),
        mode="before",
    )
    @classmethod
    def _decoded(cls, value: object) -> object:
        """Read what is registered by name from JSON."""
        if not isinstance(value, str):
            return value
        try:
            decoded = json.loads(value)
        except ValueError as error:
            raise ValueError(f'is not JSON ({error}); write {{"name": …}}') from None
        if not isinstance(decoded, dict):
            raise ValueError('holds no names; write {"name": …}')
        return cast("dict[str, Any]", decoded)

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            line = complaint(error, cls)
            raise SpecError(re.sub(r"^\w+", lambda field: f"{PREFIX}{field[0].upper()}", line)) from None

    @property
    def adapters(self) -> Path:
        """Folder of the adapters."""
        return self.data / "adapters"

    @property
    def logs(self) -> Path:
        """Folder of training and worker logs."""
        return self.data / "logs"


def variables_set(environment: Mapping[str, str]) -> list[str]:
    """Return which of the environment's variables are meant for here, by name.

    Raises SpecError for one that sets nothing, which would go unheard otherwise.
    """
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    meant = sorted(name for name, value in environment.items() if value and name.startswith(PREFIX))
    for name in meant:
        if name not in {*known, COMPOSE_ONLY}:
            guess = near(name, known)
            raise SpecError(f"{name}: sets nothing; {f'did you mean {guess}?' if guess else 'unset it'}")
    return meant
