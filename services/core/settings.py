"""Where things are on this machine: the few settings that are not part of an experiment.

Everything is settable by environment (`DRIFTLOOP_…`; `DATABASE_URL` alone keeps its usual name) and has a default
that works on a fresh machine. What decides results is in the run spec, never here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[2]


def _default_data() -> Path:
    """Return the data folder when none is named.

    As root, embedded Postgres runs as a user of its own and must be able to pass through every parent folder of its
    data, so root's default lies where parents are open already, not below /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/driftloop")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "driftloop"


class Settings(BaseSettings):
    """Settings of this machine."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_", frozen=True, use_attribute_docstrings=True)

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
    policy_urls: Mapping[str, HttpUrl] = {}
    """Base model → the OpenAI-compatible server that serves it, as JSON; a base that is not named runs in process."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Worker processes of the inline worker."""
    scenarios: Path = PROJECT / "scenarios"
    """Folder of environments; an environment's name is its folder's."""
    lease_s: float = Field(default=10.0, gt=0.2)
    """How long a worker may be silent before its shard is owed again."""

    @property
    def adapters(self) -> Path:
        """Folder of the adapters."""
        return self.data / "adapters"

    @property
    def logs(self) -> Path:
        """Folder of training and worker logs."""
        return self.data / "logs"
