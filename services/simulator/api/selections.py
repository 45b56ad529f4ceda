"""Selections over REST: which conversations trained a round's policy, why, and as which rows."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.core.db.selections import RankPlace
from services.core.domain.selection import Label
from services.core.operations.selected import Chosen, selection_page
from services.core.rest.models import Page
from services.core.rest.selections import SelectionItem, TrainingRow
from services.simulator.api import paging
from services.simulator.api.auth import Reader
from services.simulator.api.naming import Round
from services.simulator.api.paging import Cursor, Limit
from services.simulator.api.problems import documented
from services.simulator.api.state import Database

router = APIRouter(tags=["selections"])


@router.get(
    "/runs/{run_id}/rounds/{round}/selection", summary="A round's selection", responses=documented(404)
)
def list_selection(
    _: Reader,
    session: Database,
    run_id: str,
    round_: Annotated[Round, Path(alias="round")],
    label: Annotated[
        tuple[Label, ...], Query(description="Only those chosen under one of these labels.")
    ] = (),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[SelectionItem]:
    """Return a page of the chosen conversations by rank, each with its reason and its training rows.

    Empty until the round has selected. `GET /v1/exports/selections` gives all rows in the order of training.
    """
    after = RankPlace(*paging.decode(cursor, paging.small, paging.small)) if cursor else None
    found = selection_page(session, run_id, round_, label, limit + 1, after)
    last = found[limit - 1].selected if len(found) > limit else None
    following = paging.encode(last.rank, last.slot) if last else None
    return Page(items=tuple(_item(chosen) for chosen in found[:limit]), next_cursor=following)


def _item(chosen: Chosen) -> SelectionItem:
    why = chosen.selected
    return SelectionItem(
        trajectory=chosen.trajectory_id,
        slot=why.slot,
        rank=why.rank,
        score=why.score,
        label=why.label,
        reason=why.reason,
        rows=tuple(TrainingRow.model_validate(row) for row in chosen.rows),
    )
