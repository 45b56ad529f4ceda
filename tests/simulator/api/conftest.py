"""The API for its tests: `api` is open, `guarded` wants tokens; both are on the test's empty database."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.simulator.api.service import Api, open_api


@pytest.fixture
def api(engine: Engine, tmp_path: Path) -> Api:
    """An open API: every caller may do everything."""
    return open_api(engine, tmp_path, "open")


@pytest.fixture
def guarded(engine: Engine, tmp_path: Path) -> Api:
    """An API that wants a token; `guarded.bearer(Scope.READ)` makes one."""
    return open_api(engine, tmp_path, "tokens")
