"""What a service has and whom it lets in: scenarios and tokens, as a client asks for them."""

from collections.abc import Iterator

from services.core.domain.access import Scope
from services.core.domain.trajectory import UserKind
from services.core.rest.client.connection import Connection, part
from services.core.rest.scenarios import PreviewView, ScenarioSummary, ScenarioView
from services.core.rest.tokens import MadeToken, NewToken, TokenView


class Scenarios:
    """The scenarios of a service."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def list(self) -> Iterator[ScenarioSummary]:
        """Yield all scenarios."""
        return self._connection.pages(ScenarioSummary, "/v1/scenarios")

    def get(self, environment: str, name: str) -> ScenarioView:
        """Return a whole scenario. Raises `NotFound`."""
        return self._connection.get(ScenarioView, f"/v1/scenarios/{part(environment)}/{part(name)}")

    def preview(
        self,
        environment: str,
        name: str,
        *,
        profile: str | None = None,
        user_kind: UserKind = UserKind.BIASED,
        show_preference: bool = False,
        bias_strength: float = 1.0,
        rating_prompt: str | None = None,
    ) -> PreviewView:
        """Return what each side of a conversation is told. Raises `NotFound`, `SpecError`."""
        query = {
            "profile": profile,
            "user_kind": user_kind,
            "show_preference": show_preference,
            "bias_strength": bias_strength,
            "rating_prompt": rating_prompt,
        }
        path = f"/v1/scenarios/{part(environment)}/{part(name)}/preview"
        return self._connection.get(PreviewView, path, query)


class Tokens:
    """The tokens of a service."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def create(self, name: str, scope: Scope) -> MadeToken:
        """Make a token; its secret is answered this once. Raises `StateConflict` for a name in use."""
        return self._connection.post(MadeToken, "/v1/tokens", NewToken(name=name, scope=scope).model_dump())

    def list(self) -> tuple[TokenView, ...]:
        """Return all tokens, oldest first, without their secrets."""
        return self._connection.whole(TokenView, "/v1/tokens")

    def revoke(self, name: str) -> None:
        """Revoke a token. Raises `NotFound`."""
        self._connection.delete(f"/v1/tokens/{part(name)}")
