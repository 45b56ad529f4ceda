"""Where things are on this machine: the few settings that are not part of an experiment.

Everything is settable by environment (`DRIFTLOOP_…`; `DATABASE_URL` alone keeps its usual name) and has a default
that works on a fresh machine. What decides results is in the run spec, never here.
"""

import os
from pathlib import Path

from pydantic import AliasChoices, Field
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
