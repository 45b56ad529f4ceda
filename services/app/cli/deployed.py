"""The commands that a deployment's containers run: the API, the workers, the migrations.

Every image holds only its own extra, so what a command needs is imported when it is called.
"""

import os
import socket

from services.core.domain.errors import SpecError
from services.core.domain.phases import WorkerKind
from services.core.queue.stop import Stop, stop_on_signals
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
    from services.app.logs import log_as_json

    log_as_json("api")
    settings = Settings()
    serve_api(settings, _database_url(settings), host, port)


def worker(kind: WorkerKind, name: str | None) -> None:
    """Work a queue until told to stop."""
    stop_on_signals()  # before the slow imports, so that a worker that is only starting ends in order too
    try:
        from services.app.logs import log_as_json
        from services.app.queue_worker import work_queue

        name = name or f"{kind}-{socket.gethostname()}-{os.getpid()}"
        log_as_json(name)
        work_queue(Settings(), kind, name)
    except Stop:
        return


def _database_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise SpecError("DATABASE_URL: this needs a Postgres; set it to postgresql://…")
    return settings.database_url
