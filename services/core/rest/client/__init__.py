"""The client of a driftloop service: what the command line speaks, and what a notebook can.

    with Client("http://127.0.0.1:8000", token="dl_…") as client:
        for run in client.runs.list():
            print(run.id, run.status)

Nouns are attributes; lists are iterators that page by themselves; answers are the frozen models of `core.rest`; what goes
wrong is the `LoopError` that the service raised.
"""

from pathlib import Path

import httpx2

from services.core.domain.errors import SpecError
from services.core.rest.client.connection import TIMEOUT, Connection
from services.core.rest.client.exports import Exports
from services.core.rest.client.installation import Scenarios, Tokens
from services.core.rest.client.measures import Evaluations, Measures
from services.core.rest.client.runs import Runs
from services.core.rest.client.studies import Studies
from services.core.rest.client.sweeps import Sweeps
from services.core.rest.client.training import Adapters, Policies, Selections
from services.core.rest.client.trajectories import Trajectories


class Client:
    """A service, by its nouns. Safe to use from several threads; close it, or use it in a `with`."""

    def __init__(self, url: str, token: str | None = None):
        if not url.startswith(("http://", "https://")):
            raise SpecError(f"DRIFTLOOP_URL: {url!r} is no address of a service; write http://host:port")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._begin(httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT), url)

    @classmethod
    def over_socket(cls, path: Path) -> "Client":
        """Return the client of a service that listens on a Unix socket."""
        client = cls.__new__(cls)
        transport = httpx2.HTTPTransport(uds=str(path), verify=False)
        http = httpx2.Client(base_url="http://localhost", transport=transport, timeout=TIMEOUT)
        client._begin(http, str(path))
        return client

    def _begin(self, http: httpx2.Client, place: str) -> None:
        self._connection = Connection(http, place)
        self.runs = Runs(self._connection)
        self.trajectories = Trajectories(self._connection)
        self.selections = Selections(self._connection)
        self.adapters = Adapters(self._connection)
        self.policies = Policies(self._connection)
        self.evaluations = Evaluations(self._connection)
        self.measures = Measures(self._connection)
        self.exports = Exports(self._connection)
        self.sweeps = Sweeps(self._connection)
        self.studies = Studies(self._connection)
        self.scenarios = Scenarios(self._connection)
        self.tokens = Tokens(self._connection)

    def close(self) -> None:
        """End its connections."""
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
