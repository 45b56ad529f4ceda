"""From what the database holds to what the API answers."""

from services.core.db.runs import RunRecord
from services.core.operations.progress import RunProgress
from services.core.rest.models import RunSummary, RunView


def run_summary(run: RunRecord) -> RunSummary:
    """Return a run as a list item."""
    spec = run.spec
    return RunSummary(
        id=run.id,
        name=run.name,
        status=run.status,
        biased_share=spec.population.biased_share,
        method=spec.training.method,
        rule=spec.selection.rule,
        seed=spec.seed,
        rounds=spec.rounds,
        error=run.error,
        created_at=run.created_at,
        finished_at=run.finished_at,
    )


def run_view(run: RunRecord, progress: RunProgress) -> RunView:
    """Return a whole run."""
    return RunView(
        **run_summary(run).model_dump(),
        spec=run.spec,
        spec_hash=run.spec_hash,
        repetition=run.repetition,
        fraction=progress.fraction,
    )
