"""Making sure that a published policy answers, and that a server is not asked to hold more adapters than it can.

A policy is needed while a shard that uses it is being worked; which are needed is read from the database, so all workers
agree. When a server is full, the adapter that was least recently needed, and is not needed now, is unloaded first; whoever needs
it again loads it again, under the same name and from the same folder.
"""

import contextlib
from dataclasses import dataclass

from sqlalchemy import Engine

from services.core.db import policies
from services.core.db.policies import PublishedPolicy
from services.core.db.session import transaction
from services.core.domain.errors import AdapterError
from services.core.llm.server import PolicyServer


@dataclass(frozen=True)
class Serving:
    """How this installation keeps policies served."""

    engine: Engine
    most_adapters: int
    """Adapters on one server at once."""

    async def ensure(self, server: PolicyServer, policy: PublishedPolicy) -> None:
        """Load the policy's adapter if the server does not serve it (another worker's, or restarted since).

        Raises `AdapterError` if it can't be loaded, or the name serves other weights there.
        """
        if policy.adapter is None:
            return
        with transaction(self.engine) as session:
            policies.need(session, policy.name)
        served = await server.served()
        if policy.name not in served:
            await self._make_room(server, served)
        await server.load(policy.name, policy.adapter)

    async def _make_room(self, server: PolicyServer, served: frozenset[str]) -> None:
        with transaction(self.engine) as session:
            spare = policies.spare(session, served)
            adapters = policies.count_adapters(session, served)
        for name in spare[: max(0, adapters + 1 - self.most_adapters)]:
            with contextlib.suppress(AdapterError):  # another worker was quicker
                await server.unload(name)
