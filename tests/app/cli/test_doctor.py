"""`driftloop doctor` says what is wrong, and with which setting."""

import re
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from services.app.cli import doctor
from services.core.db import migrate
from services.core.db.session import open_engine
from services.core.settings import Settings
from tests.e2e.installation import fresh


def test_a_data_folder_that_is_a_file_is_wrong() -> None:
    with fresh() as installation:
        (installation.home / "file").write_text("")
        done = installation.run("doctor", DRIFTLOOP_DATA=installation.home / "file")
    assert done.code == 1
    assert re.search(r"WRONG +database: .*DRIFTLOOP_DATA", done.out)


def test_a_database_elsewhere_needs_no_postgres_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def looked_at(**settings: object) -> set[str]:
        return {found.what for found in doctor.examine(Settings(data=tmp_path, **settings))}

    monkeypatch.setattr(doctor, "_database", lambda _settings: "not looked at")
    assert doctor.EMBEDDED in looked_at(database_url=None)
    assert doctor.EMBEDDED not in looked_at(database_url="postgresql://nobody@127.0.0.1:1/none")


def test_a_schema_that_is_behind_is_named_and_left_to_those_who_use_it(
    empty_database: str, tmp_path: Path
) -> None:
    def looked_at() -> doctor.Finding:
        settings = Settings(data=tmp_path, database_url=empty_database)
        return next(found for found in doctor.examine(settings) if found.what == "database")

    config = migrate.alembic_config()
    engine = open_engine(empty_database)
    with engine.begin() as config.attributes["connection"]:
        command.upgrade(config, "0005")
    mend = f"the schema is 0005, this version needs {migrate.newest()}; run `driftloop migrate`"
    assert looked_at() == ("database", False, mend)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0005"
    migrate.upgrade(engine)
    engine.dispose()
    assert looked_at() == ("database", True, f"DATABASE_URL, schema {migrate.newest()}")


def test_a_variable_that_sets_nothing_is_named() -> None:
    with fresh() as installation:
        done = installation.run("doctor", DRIFTLOOP_BENCHMARK="{}", DRIFTLOOP_WORKERS=1)
    assert done.code == 1
    assert (
        "WRONG  environment: DRIFTLOOP_BENCHMARK: sets nothing; did you mean DRIFTLOOP_BENCHMARKS?"
        in done.out
    )
