"""Tokens as the REST API takes and answers them: the secret is seen once, when it is made."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from services.core.domain.access import Scope
from services.core.domain.complaints import NAME_PATTERN
from services.core.rest.models import Model


class NewToken(Model):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=NAME_PATTERN, examples=["notebook"])]
    """Who or what it is for."""
    scope: Scope
    """`read` looks at everything, `launch` also launches and stops runs, `admin` also deletes runs and makes tokens."""


class TokenView(Model):
    """A token as listed: never the secret."""

    name: str = Field(examples=["notebook"])
    scope: Scope
    created_at: datetime


class MadeToken(TokenView):
    """A token that was just made."""

    token: str = Field(examples=["dl_9f3N…"])
    """The secret. It is shown this once; only its hash is kept."""
