"""The commands that a deployment's containers run: the API and the migrations.

Every image holds only its own extra, so what a command needs is imported when it is called.
"""

from services.core.domain.errors import SpecError
from services.core.settings import Settings


def migrate() -> None:
    """Bring the database to this version's schema; does nothing on a current one."""
    from services.core.db.migrate import upgrade
    from services.core.db.session import open_engine

    engine = open_engine(_database_url(Settings()))
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def api(host: str, port: int) -> None:
    """Serve the REST API until told to stop."""
    from services.app.api import serve_api

    settings = Settings()
    serve_api(settings, _database_url(settings), host, port)


def _database_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise SpecError("DATABASE_URL: this needs a Postgres; set it to postgresql://…")
    return settings.database_url
