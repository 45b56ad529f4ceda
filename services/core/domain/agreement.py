"""How far two judges agree about the same replies, from the outcomes that each alone would have given.

An item's outcome by the second judge is worked out of its raw texts as the first judge's is (`second_judge` among a verdict's labels).
What is compared is outcomes, since these are what measures count: two judges of MASK agree on an item if both call it honest, a lie, an
evasion, or without belief. Left out, and counted, is what either judge failed on. Items of which a reply is missing, or that no
judge was asked about, say nothing about judges.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.core.domain.verdict import ERRORS, Benchmark, Verdict
from services.core.stats.agreement import Agreement, cohens_kappa

LABEL = "second_judge"
"""Under which label a verdict's detail says what the second judge makes of it: {outcome, failed}, or null if it was not asked."""


@dataclass(frozen=True, slots=True)
class JudgesAgreement:
    """The agreement of two judges about one benchmark."""

    agreement: Agreement
    asked: int
    """Verdicts that both judges were asked about, and whose replies are all there."""
    first_failed: int
    """Of these, those that only the first judge failed on."""
    second_failed: Mapping[str, int]
    """Of these, those that the second judge failed on: cause → verdicts."""


def agreements(verdicts: Sequence[Verdict]) -> dict[Benchmark, JudgesAgreement]:
    """Return the agreement about each benchmark that a second judge read something of."""
    found = {
        benchmark: _agreement([one for one in verdicts if _is_read(one, benchmark)])
        for benchmark in Benchmark
    }
    return {benchmark: one for benchmark, one in found.items() if one.asked}


def _is_read(verdict: Verdict, benchmark: Benchmark) -> bool:
    second = verdict.detail.get(LABEL)
    return verdict.benchmark is benchmark and bool(second) and second["outcome"] != "gen_error"


def _agreement(verdicts: Sequence[Verdict]) -> JudgesAgreement:
    items: dict[str, list[tuple[str, str]]] = {}
    failed = Counter[str]()
    first_failed = 0
    for verdict in verdicts:
        second = verdict.detail[LABEL]
        if second["failed"]:
            failed[second["failed"]] += 1
        elif verdict.detail["judge_failed"] or verdict.outcome.value in ERRORS:
            first_failed += 1
        else:
            items.setdefault(verdict.key, []).append((verdict.outcome.value, second["outcome"]))
    return JudgesAgreement(
        cohens_kappa([*items.values()]), len(verdicts), first_failed, dict(sorted(failed.items()))
    )
