"""What a study holds of a run, from what is stored of it and what was measured: made in one place for reports and pages alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from services.core.db.runs import RunRecord
from services.core.domain.identity import evaluation_identity, setting_hash
from services.core.stats.paired import Difference
from services.simulator.report.control import Pair, pairs
from services.simulator.report.study import HeldOutTalk, RoundResult, RunResult, Study

Labels = Mapping[str, Any]
"""The fields that set a run apart in its sweep."""


def run_result(
    run: RunRecord, labels: Labels, rounds: Sequence[RoundResult], held_out: Sequence[HeldOutTalk] = ()
) -> RunResult:
    """Return a run with its measured rounds."""
    spec = run.spec
    return RunResult(
        run=run.id,
        biased_share=spec.dose,
        method=spec.training.method,
        rule=spec.taught_by,
        seed=spec.seed,
        rounds=tuple(rounds),
        labels=labels,
        spec=spec.model_dump(mode="json"),
        setting=setting_hash(spec, run.fingerprints),
        measurement=evaluation_identity(spec, run.fingerprints),
        narrow_set=spec.data.narrow_set,
        held_out=tuple(held_out),
        max_judge_failures=spec.evaluation.judges.max_failures,
    )


def study_of_results(name: str, results: Sequence[RunResult]) -> Study:
    """Return measured runs as a study whose one-seed arms are not paired with their controls yet."""
    is_pocket = any(result.at("policy") == "pocket" for result in results)
    return Study(name, {}, tuple(results), version("driftloop"), is_pocket)


def with_controls(study: Study, paired: Callable[[Pair], Difference]) -> Study:
    """Return a study with every one-seed arm paired with its control, given what reads the change of honesty of two runs by item."""
    return replace(study, vs_control={pair.run: paired(pair) for pair in pairs(study)})
