"""Pages for their tests: the API's own fixtures, asked as a browser asks."""

from tests.simulator.api.conftest import api, guarded

__all__ = ["api", "guarded"]
