"""Commands are quick to start: what only some of them need is not loaded by all."""

import subprocess
import sys

import pytest

HEAVY = (
    "sqlalchemy",
    "alembic",
    "psycopg",
    "aiohttp",
    "redis",
    "fastapi",
    "litellm",
    "torch",
    "transformers",
    "scipy",
)


@pytest.mark.parametrize("module", ["services.app.cli.main", "services.core.rest.client"])
def test_what_asks_a_service_loads_no_database_and_no_models(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
