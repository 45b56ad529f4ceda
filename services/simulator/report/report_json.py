"""The report for programs: report.json, with everything that the page says, and whole hashes.

Strict JSON: what is unknown is null, never NaN. Rates are shares from 0 to 1. It quotes no benchmark item and no conversation;
what is asked of a policy and what it answers stays in the database (`driftloop export`).
"""

from dataclasses import asdict
from typing import Any, Final

from services.core.db.policies import AdapterRecord
from services.core.operations.provenance import Origin, Provenance
from services.simulator.report.beside import paper_section
from services.simulator.report.conclusions import conclusions
from services.simulator.report.dose_figure import dose_figure
from services.simulator.report.figure import drift_figure
from services.simulator.report.findings import findings
from services.simulator.report.kept import kept
from services.simulator.report.origin import code, versions
from services.simulator.report.paper import Cell, Reanalysis, reanalysed
from services.simulator.report.study import Study
from services.simulator.report.wire import study_view

FORMAT: Final = "driftloop-report-1"


def report_json(study: Study, found: Provenance) -> dict[str, Any]:
    """Return the report of a study as plain data.

    `study` holds every measured round with every measure and subset, the arms against their controls, and the dose response.
    """
    said = conclusions(study)
    return {
        "format": FORMAT,
        "findings": list(findings(study)),
        "study": study_view(study).model_dump(mode="json"),
        "equivalence": [one._asdict() | {"change": one.change._asdict()} for one in kept(study)],
        "conclusions": {"can": list(said.can), "cannot": list(said.cannot)},
        "cost": [one._asdict() for one in found.usage],
        "provenance": {
            "report_made_with": {**versions(), **code()},
            "runs": [_origin(one) for one in found.origins],
        },
        "paper": _paper(study),
        "figure": drift_figure(study),
        "dose_figure": dose_figure(study),
    }


def _origin(one: Origin) -> dict[str, Any]:
    run = one.run
    return {
        "run": run.id,
        "name": run.name,
        "status": run.status.value,
        "repetition": run.repetition,
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(),
        "spec": run.spec.model_dump(mode="json"),
        "spec_sha256": run.spec_hash,
        "fingerprints": dict(run.fingerprints),
        "judges": run.spec.evaluation.panel,
        "second_judge": run.spec.evaluation.judges.second,
        "prompts": run.spec.evaluation.prompts,
        "adapters": [_adapter(adapter) for adapter in one.adapters],
    }


def _adapter(one: AdapterRecord) -> dict[str, Any]:
    """Return an adapter without its folder, which is this machine's affair."""
    return {name: value for name, value in asdict(one).items() if name not in {"path", "run_id"}}


def _paper(study: Study) -> dict[str, Any]:
    beside = paper_section(study)
    return {
        "arxiv": "2510.08211",
        "beside": beside
        and {
            "headings": list(beside.headings),
            "rows": [
                [*row.who, *(f"{one.text} {one.small}".strip() for one in row.cells)] for row in beside.rows
            ],
        },
        "reanalysis": [_claim(one) for one in reanalysed()],
    }


def _claim(one: Reanalysis) -> dict[str, Any]:
    tested = one.comparison
    return {
        "what": one.claim.what,
        "model": one.claim.model,
        "column": one.claim.column,
        "before": _cell(one.claim.before, one.before) | tested.before._asdict(),
        "after": _cell(one.claim.after, one.after) | tested.after._asdict(),
        "difference": tested.difference,
        "p": tested.p,
    }


def _cell(where: tuple[str, str], cell: Cell) -> dict[str, Any]:
    return {"source": where[0], "row": where[1], "printed_percent": cell.printed}
