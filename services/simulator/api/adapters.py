"""Adapters and policies over REST: what was trained, on what, from what."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.core.db import policies, runs
from services.core.db.policies import AdapterRecord, PolicyFacts
from services.core.rest.models import Page
from services.core.rest.policies import AdapterSummary, AdapterView, Ancestor, PolicyView
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Name
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database

router = APIRouter(tags=["policies"])


@router.get("/runs/{run_id}/adapters", summary="A run's adapters", responses=documented(404))
def list_adapters(_: Reader, session: Database, run_id: str) -> Page[AdapterSummary]:
    """Return the adapters that a run has trained, by round."""
    found = policies.adapters_of_run(session, runs.get_run(session, run_id).id)
    return Page(items=tuple(_summary(adapter) for adapter in found))


@router.get("/adapters/{key}", summary="Get an adapter with its lineage", responses=documented(404))
def get_adapter(_: Reader, session: Database, key: Annotated[Name, Path()]) -> AdapterView:
    """Return how an adapter came about, and what it was built on, down to the first."""
    adapter, *ancestors = policies.lineage(session, key)
    return AdapterView(
        **_summary(adapter).model_dump(),
        hyperparameters=adapter.hyperparameters,
        threads=adapter.threads,
        lineage=tuple(_ancestor(one) for one in ancestors),
    )


@router.get("/policies", summary="List policies", responses=documented(404))
def list_policies(
    _: Reader,
    session: Database,
    run: Annotated[tuple[Name, ...], Query(description="Runs, by id or an unambiguous beginning.")] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[PolicyView]:
    """Return a page of published policies by name."""
    (after,) = paging.decode(cursor, paging.text) if cursor else ("",)
    which = [runs.get_run(session, run_id).id for run_id in run]
    found = policies.list_policies(session, which, limit + 1, after)
    following = paging.encode(found[limit - 1].name) if len(found) > limit else None
    return Page(items=tuple(_policy(policy) for policy in found[:limit]), next_cursor=following)


def _ancestor(adapter: AdapterRecord) -> Ancestor:
    return Ancestor(
        key=adapter.key,
        run=adapter.run_id,
        round=adapter.round,
        sha256=adapter.sha256,
        data_hash=adapter.data_hash,
    )


def _summary(adapter: AdapterRecord) -> AdapterSummary:
    return AdapterSummary(
        **_ancestor(adapter).model_dump(),
        base=adapter.base,
        parent=adapter.parent_key,
        steps=adapter.steps,
        train_loss=adapter.train_loss,
        wall_s=adapter.wall_s,
        examples=adapter.examples,
        examples_cut=adapter.examples_cut,
        examples_dropped=adapter.examples_dropped,
    )


def _policy(policy: PolicyFacts) -> PolicyView:
    return PolicyView(
        name=policy.name,
        base=policy.base,
        run=policy.run_id,
        round=policy.round,
        adapter=policy.adapter,
        published_at=policy.published_at,
    )
