"""Making sure that a published policy answers, wherever this worker's server is and whatever it forgot."""

from services.core.db.policies import PublishedPolicy
from services.core.llm.server import PolicyServer


async def ensure_served(server: PolicyServer, policy: PublishedPolicy) -> None:
    """Load the policy's adapter if the server does not serve it (another worker's, or restarted since).

    Raises `AdapterError` if the name serves other weights there.
    """
    if policy.adapter is not None:
        await server.load(policy.name, policy.adapter)
