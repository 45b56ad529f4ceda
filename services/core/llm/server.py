"""How adapters reach the model server: load, unload, list, probe.

A `PolicyServer` serves a base model under its own name and any number of LoRA adapters under theirs. A name means
one set of weights for ever: servers cache by name, so loading other weights under a used name would silently
answer with the old ones. Loading a served name again from the same path does nothing; from another it raises.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

from services.core.domain.chat import Message

PROBE_CHAT = (Message("user", "What is 2 plus 2?"),)
PROBE_TOKENS = 12


class Probe(NamedTuple):
    """A sign of life of one served model: the greedy continuation of `PROBE_CHAT`, with its log-probabilities."""

    text: str
    logprobs: tuple[float, ...]


class PolicyServer(Protocol):
    """A server of one base model and its adapters. Its methods raise `AdapterError`, naming the adapter."""

    async def load(self, name: str, adapter: Path) -> None:
        """Serve the PEFT adapter folder under `name`."""
        ...

    async def unload(self, name: str) -> None:
        """Stop serving `name`; the base can't be unloaded."""
        ...

    async def served(self) -> frozenset[str]:
        """Return the names that answer now, the base's among them."""
        ...

    async def probe(self, name: str) -> Probe:
        """Continue a fixed chat greedily with the model served under `name`."""
        ...
