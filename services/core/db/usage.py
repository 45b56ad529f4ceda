"""What some runs' model calls took: tokens and cost by role and model, counted in the database.

Calls stand where their answers do: in conversations, and in the details of verdicts (a policy's replies, a judge's rulings). An
evaluation that several runs share counts once. Held-out conversations keep their words and not their calls: what those took is
in the run's budget alone.
"""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

# `strict`: the lax mode would find an array's members twice.
_CALLS = text("""
WITH made AS (
  SELECT 'conversations' AS phase, call->>'role' AS role, call->>'model' AS model, call
  FROM trajectories, jsonb_array_elements(calls) AS call
  WHERE run_id IN :runs
  UNION ALL
  SELECT 'evaluation',
         coalesce(call->>'role', CASE WHEN call ? 'seed' THEN 'assistant' ELSE 'judge' END),
         coalesce(call->>'model', CASE WHEN call ? 'seed' THEN evaluations.policy END),
         call
  FROM evaluations
  JOIN verdicts ON verdicts.evaluation_id = evaluations.id,
  jsonb_path_query(detail, 'strict $.** ? (exists(@.prompt_tokens))') AS call
  WHERE evaluations.id IN (SELECT evaluation_id FROM run_evaluations WHERE run_id IN :runs)
)
SELECT phase, role, model, count(*),
       sum((call->>'prompt_tokens')::bigint)::bigint,
       sum((call->>'completion_tokens')::bigint)::bigint,
       count(*) FILTER (WHERE call->>'prompt_tokens' IS NULL OR call->>'completion_tokens' IS NULL),
       sum((call->>'cost_usd')::float),
       count(*) FILTER (WHERE call->>'cost_usd' IS NULL)
FROM made GROUP BY phase, role, model ORDER BY phase, role, model
""").bindparams(bindparam("runs", expanding=True))


class Usage(NamedTuple):
    """The calls of one role to one model. Sums are over the calls that told; None if none did."""

    phase: str
    """`conversations` or `evaluation`."""
    role: str
    """`assistant`, `user`, `rating`, `veto` or `judge`."""
    model: str | None
    """None where a judge did not say."""
    calls: int
    prompt_tokens: int | None
    completion_tokens: int | None
    calls_without_tokens: int
    cost_usd: float | None
    calls_without_price: int


def usage_of(session: Session, runs: Collection[str]) -> tuple[Usage, ...]:
    """Return what the calls of some runs took, by phase, role and model."""
    return tuple(Usage(*row) for row in session.execute(_CALLS, {"runs": list(runs)}))
