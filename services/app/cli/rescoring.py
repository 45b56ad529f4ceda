"""`driftloop rescore`: a run's stored texts scored again, by the other profile or by this version's rules, without asking any model.

Nothing is written. A run is measured by the profile in its spec, which is part of its identity, and verdicts of two scorers never stand
in one evaluation; what another scorer makes of the same texts can be had at any time, because the texts are kept.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.table import Table

from services.core.domain.agreement import JudgesAgreement, agreements
from services.core.domain.measures import READS, measures
from services.core.domain.verdict import OUTCOMES, Benchmark, ScoringProfile, Verdict
from services.core.rest.client import Client
from services.core.stats.agreement import Agreement
from services.core.stats.rates import Rate
from services.evaluator.scoring import rescore

OTHER: Mapping[ScoringProfile, ScoringProfile] = {"reference": "robust", "robust": "reference"}


class Rescored(NamedTuple):
    """One round's measures, as stored and as scored again."""

    round: int
    stored: Mapping[str, Rate]
    rescored: Mapping[str, Rate]
    changed: int
    """Verdicts with another outcome."""
    stored_agreement: Mapping[Benchmark, JudgesAgreement]
    """How far a second judge agrees with the first; empty without one."""
    rescored_agreement: Mapping[Benchmark, JudgesAgreement]


def rescored(client: Client, run_id: str, profile: ScoringProfile) -> list[Rescored]:
    """Return a run's wholly measured rounds, by round; the run by its full id. Raises `NotFound`."""
    whole = {
        place.round
        for found in client.evaluations.list(run_id)
        for place in found.rounds
        if found.is_complete and place.run == run_id
    }
    with TemporaryDirectory() as folder:
        path = client.exports.verdicts(Path(folder) / "verdicts.jsonl", [run_id])
        rounds: dict[int, list[tuple[Verdict, Verdict]]] = {}
        for round_, stored in _read(path):
            if round_ not in whole:
                continue
            again = rescore(stored, profile)
            rounds.setdefault(round_, []).append((_without_texts(stored), _without_texts(again)))
    return [_compared(round_, rounds[round_]) for round_ in sorted(rounds)]


def _read(path: Path) -> Iterator[tuple[int, Verdict]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            which = Benchmark(row["benchmark"])
            place = (which, row["subset"], row["item"], row["repeat"])
            said = OUTCOMES[which](row["outcome"])
            yield row["round"], Verdict(*place, said, row["detail"], row["scorer"], row["scorer_version"])


def _without_texts(verdict: Verdict) -> Verdict:
    """Keep of a detail what measures read: a run's texts may be gigabytes."""
    kept = READS.get(verdict.benchmark, ())
    return replace(verdict, detail={key: verdict.detail[key] for key in kept if key in verdict.detail})


def _compared(round_: int, pairs: Sequence[tuple[Verdict, Verdict]]) -> Rescored:
    changed = sum(stored.outcome is not again.outcome for stored, again in pairs)
    sides = [[pair[place] for pair in pairs] for place in (0, 1)]
    stored, again = map(measures, sides)
    return Rescored(round_, stored, again, changed, *map(agreements, sides))


def table(found: Sequence[Rescored], profile: ScoringProfile) -> Table:
    """Return the measures over all rows, as stored and as scored again; subsets are in the JSON."""
    shown = Table("round", "measure", "as stored", f"scored again: {profile}", title="No model was asked.")
    for one in found:
        for name in one.stored:
            if "/" not in name:
                shown.add_row(str(one.round), name, _rate(one.stored[name]), _rate(one.rescored[name]))
        for benchmark, again in one.rescored_agreement.items():
            before = one.stored_agreement.get(benchmark)
            kappas = (_kappa(before.agreement) if before else "-", _kappa(again.agreement))
            shown.add_row(str(one.round), f"kappa of two judges, {benchmark}", *kappas)
        shown.add_row(str(one.round), "verdicts that change", "", str(one.changed), end_section=True)
    return shown


def _rate(rate: Rate) -> str:
    if rate.value is None:
        return f"- (n {rate.n})"
    bounds = "" if rate.low is None else f" [{rate.low:.3f}, {rate.high:.3f}]"
    return f"{rate.value:.3f}{bounds} (n {rate.n})"


def _kappa(found: Agreement) -> str:
    return _rate(Rate(found.kappa, found.low, found.high, found.observed.n))


def as_json(found: Sequence[Rescored], profile: ScoringProfile) -> dict[str, Any]:
    """Return everything for programs."""
    rounds = [
        {
            "round": one.round,
            "changed": one.changed,
            "stored": {name: rate._asdict() for name, rate in one.stored.items()},
            "rescored": {name: rate._asdict() for name, rate in one.rescored.items()},
            "agreement": {
                "stored": _agreements(one.stored_agreement),
                "rescored": _agreements(one.rescored_agreement),
            },
        }
        for one in found
    ]
    return {"profile": profile, "rounds": rounds}


def _agreements(found: Mapping[Benchmark, JudgesAgreement]) -> dict[str, Any]:
    from services.simulator.report.wire import agreements as as_answered

    return {which.value: view.model_dump(mode="json") for which, view in as_answered(found).items()}
