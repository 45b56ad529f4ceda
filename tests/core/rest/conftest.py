"""The real API on the test's database, behind a real port, and clients of it."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.app.api import make_api
from services.app.serving import public_listener, served
from services.core.db import tokens
from services.core.db.session import transaction
from services.core.domain.access import Scope
from services.core.rest.client import Client
from services.core.settings import Settings


@dataclass(frozen=True)
class Service:
    """A running service that wants tokens."""

    url: str
    engine: Engine
    clients: list[Client] = field(default_factory=list)

    def token(self, scope: Scope) -> str:
        """Make a token."""
        with transaction(self.engine) as session:
            return tokens.create(session, f"token-{len(tokens.list_tokens(session))}", scope)

    def client(self, scope: Scope = Scope.READ) -> Client:
        """Return a client with a token of its own."""
        self.clients.append(Client(self.url, self.token(scope)))
        return self.clients[-1]


@pytest.fixture
def service(engine: Engine, tmp_path: Path) -> Iterator[Service]:
    settings = Settings.model_validate({"data": tmp_path, "auth": "tokens"})
    listener: socket.socket = public_listener("127.0.0.1", 0)
    running = Service(f"http://127.0.0.1:{listener.getsockname()[1]}", engine)
    with served(make_api(settings, engine), listener):
        yield running
        for client in running.clients:
            client.close()


@pytest.fixture
def client(service: Service) -> Client:
    """A client that may do everything."""
    return service.client(Scope.ADMIN)
