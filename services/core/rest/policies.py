"""Adapters and policies as the REST API answers them. An adapter is known by its key and content hash, not by a place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from services.core.rest.models import Model

_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Ancestor(Model):
    """An adapter by name and contents."""

    key: str = Field(examples=["run-3f2a91bc-r1"])
    run: str | None = Field(examples=["3f2a91bc"])
    round: int = Field(examples=[1])
    sha256: str = Field(examples=[_SHA])
    """Of its weights and configuration."""
    data_hash: str | None = Field(examples=[_SHA])
    """sha256 of the rows that it was trained on, as `GET /v1/exports/selections` gives them."""


class AdapterSummary(Ancestor):
    """An adapter in a list."""

    base: str = Field(examples=["pocket"])
    parent: str | None = Field(examples=["run-3f2a91bc-r1"])
    """The adapter that it was trained on; null means the untrained step-0 adapter."""
    steps: int = Field(examples=[200])
    """Optimiser steps."""
    train_loss: float | None = Field(examples=[0.41])
    wall_s: float = Field(examples=[3.2])
    examples: int | None = Field(examples=[640])
    """Rows that trained; null if the adapter was made before this was counted."""
    examples_cut: int | None = Field(examples=[0])
    """Of them, those that lost their end to `training.max_length`."""
    examples_dropped: int | None = Field(examples=[0])
    """Rows that stand in the data and did not train: their prompt alone fills `max_length`, or (KTO) the last, alone in its batch."""


class AdapterView(AdapterSummary):
    """An adapter and how it came about."""

    hyperparameters: Mapping[str, Any] = Field(examples=[{"method": "sft", "learning_rate": 0.0001}])
    threads: int = Field(examples=[1])
    """CPU threads of its training: sums of floats depend on them."""
    lineage: tuple[Ancestor, ...]
    """Its parent, the parent's parent and so on; the last was trained on the untrained step-0 adapter."""


class PolicyView(Model):
    """A published policy: a base and at most one adapter, under one serving name for ever."""

    name: str = Field(examples=["run-3f2a91bc-r2"])
    base: str = Field(examples=["pocket"])
    run: str | None = Field(examples=["3f2a91bc"])
    """Null for a base, which belongs to no run."""
    round: int = Field(examples=[2])
    adapter: str | None = Field(examples=["run-3f2a91bc-r2"])
    published_at: datetime
