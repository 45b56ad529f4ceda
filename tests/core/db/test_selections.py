"""Selections of any size are written once."""

from dataclasses import replace

from sqlalchemy import Engine, text

from services.core.db import phases, selections
from services.core.db.session import transaction
from services.core.domain.phases import PhaseName
from services.core.domain.selection import Label, Selected
from tests.core.db.builders import a_run

MANY = 10_000
"""More values than one statement takes."""


def test_a_large_selection_is_written_and_a_repeat_changes_nothing(engine: Engine) -> None:
    run = a_run(engine)
    with transaction(engine) as session:
        session.execute(
            text(
                """INSERT INTO trajectories (run_id, round, slot, scenario, profile, user_kind, policy, status,
                                             satisfaction, messages, ratings, calls, schema_version)
                   SELECT :run, 1, slot, 's', 'p', 'benign', 'pocket', 'scored', 5, '[]', '[]', '[]', 1
                   FROM generate_series(0, :many - 1) AS slot"""
            ),
            {"run": run, "many": MANY},
        )
    chosen = [Selected(slot, slot + 1, 5.0, Label.DESIRABLE, "why") for slot in range(MANY)]
    with transaction(engine) as session:
        claim = phases.claim_next(session, list(PhaseName), "w", 60)
        assert claim is not None
        claim = replace(claim, round=1)
        selections.save(session, claim, chosen)
        selections.save(session, claim, [])
        selections.save(session, claim, [Selected(0, 7, 1.0, Label.UNDESIRABLE, "other")])
        assert selections.of_round(session, run, 1) == tuple(chosen)
