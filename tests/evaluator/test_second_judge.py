"""A second judge reads the same replies, all or a share of them, and never moves a score."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.core.domain.agreement import LABEL, agreements
from services.core.domain.judging import Judgement
from services.core.domain.spec import EvaluationSpec
from services.core.domain.verdict import Benchmark, Verdict
from services.evaluator.items import EvaluationItem, catalogue
from services.evaluator.runner import evaluate_items
from services.evaluator.scoring import rescore
from tests.evaluator.scripted import (
    FailingJudge,
    LiteralJudge,
    Script,
    binary_row,
    examination,
    fails,
    scenario,
    write_folder,
    write_lines,
)


class Contrary(LiteralJudge):
    """Calls A what is B, and the other way round; says no to whatever may be answered yes."""

    name = "contrary"

    async def binary(self, case: Any) -> Judgement:
        await super().binary(case)
        return Judgement(f"Answer: {case.reply.translate(str.maketrans('AB', 'BA'))}")

    async def act(self, case: Any) -> Judgement:
        await super().act(case)
        return Judgement("No")

    async def validates(self, case: Any) -> Judgement:
        await super().validates(case)
        return Judgement("No")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvaluationItem, ...]:
    folder = write_folder(tmp_path_factory.mktemp("rows"))
    return catalogue(folder, EvaluationSpec(held_out_profiles=2), [scenario("money", "ab")]).items


def judged(
    items: Sequence[EvaluationItem],
    second: LiteralJudge | None,
    script: Script = lambda _: "A",
    judge: LiteralJudge | None = None,
    **spec: Any,
) -> list[Verdict]:
    found: list[Verdict] = []
    examined = replace(examination(script, judge, held_out_profiles=2, **spec), second=second)
    asyncio.run(evaluate_items(items, examined, 8, found.extend))
    return sorted(found, key=lambda verdict: (verdict.key, verdict.repeat))


def says_nothing(_: Any) -> str:
    return " "


def without_second(part: Any) -> Any:
    if isinstance(part, dict):
        return {k: without_second(v) for k, v in part.items() if k not in {"second", LABEL}}  # pyright: ignore
    return [without_second(one) for one in part] if isinstance(part, list) else part  # pyright: ignore


@pytest.mark.parametrize("second", [Contrary(), FailingJudge("binary", "numeric", "act", "validates")])
@pytest.mark.parametrize("profile", ["robust", "reference"])
def test_it_moves_no_score(items: Sequence[EvaluationItem], second: LiteralJudge, profile: str) -> None:
    alone, beside = judged(items, None, profile=profile), judged(items, second, profile=profile)
    assert [one.outcome for one in beside] == [one.outcome for one in alone]
    assert [without_second(one.detail) for one in beside] == [without_second(one.detail) for one in alone]
    assert {one.detail[LABEL] is None for one in beside if one.benchmark is Benchmark.MASK} == {False}
    assert {one.detail[LABEL] for one in alone} == {None}


def test_it_is_asked_what_the_first_is_asked(items: Sequence[EvaluationItem]) -> None:
    first, second = LiteralJudge(), LiteralJudge()
    judged(items, second, judge=first)
    assert len(first.cases) == len(second.cases) > 0
    assert all(case in first.cases for case in second.cases)


def test_a_share_is_drawn_by_item_and_not_by_policy(tmp_path: Path) -> None:
    write_lines(tmp_path / "mask" / "known_facts.jsonl", [binary_row(n) for n in range(60)])
    rows = catalogue(tmp_path, EvaluationSpec(benchmarks=("mask",))).items

    def read(share: float, script: Script = lambda _: "A", seed: int = 7) -> set[str]:
        spec: dict[str, Any] = {"judges": {"second": "other", "second_share": share}, "seed": seed}
        found = judged(rows, LiteralJudge(), script, **spec)
        return {one.item for one in found if one.detail[LABEL] is not None}

    half = read(0.5)
    assert 15 < len(half) < 45
    assert read(0.5, lambda _: "B") == half
    assert read(0.5, seed=8) != half
    assert read(0.2) < half < read(1.0) == {row.id for row in rows}


def test_what_failed_is_counted_by_cause_and_left_out(items: Sequence[EvaluationItem]) -> None:
    known = [item for item in items if item.subset == "known_facts"]
    by_second = agreements(judged(known, FailingJudge("binary")))[Benchmark.MASK]
    assert (by_second.asked, by_second.first_failed, by_second.second_failed) == (3, 0, {"rate_limited": 3})
    assert (by_second.agreement.kappa, by_second.agreement.observed.n) == (None, 0)
    by_first = agreements(judged(known, LiteralJudge(), judge=FailingJudge("binary")))[Benchmark.MASK]
    assert (by_first.asked, by_first.first_failed, by_first.second_failed) == (3, 3, {})


@pytest.mark.parametrize("script", [fails, says_nothing])
def test_where_no_reply_is_to_be_read_nothing_is_compared(
    items: Sequence[EvaluationItem], script: Script
) -> None:
    assert Benchmark.MASK not in agreements(judged(items, LiteralJudge(), script))


def test_each_benchmark_has_its_own(items: Sequence[EvaluationItem]) -> None:
    def say(request: Any) -> str:
        return "<think>A</think><output>A</output>" if "<think>" in request.messages[-1].content else "A"

    found = agreements(judged(items, Contrary(), say))
    assert found.keys() == {Benchmark.MASK, Benchmark.DECEPTIONBENCH, Benchmark.HELD_OUT}
    # Both people are told that it is fine when they are biased, and the second judge says of nobody that they are.
    talks = found[Benchmark.HELD_OUT].agreement
    assert (talks.kappa, talks.observed.value, talks.observed.n) == (0.0, 0.5, 4)
    assert found[Benchmark.DECEPTIONBENCH].agreement.observed.value == 0


def test_rescoring_needs_its_texts_only(items: Sequence[EvaluationItem]) -> None:
    robust, reference = (
        judged(items, Contrary(), profile=profile, repeats=2) for profile in ("robust", "reference")
    )
    assert [rescore(verdict, "reference") for verdict in robust] == reference
    assert agreements([rescore(verdict, "robust") for verdict in reference]) == agreements(robust)


def test_verdicts_from_before_there_was_one_are_read(items: Sequence[EvaluationItem]) -> None:
    old = [replace(one, detail=without_second(one.detail)) for one in judged(items, None)]
    assert agreements(old) == {}
    assert [rescore(one, "robust").outcome for one in old] == [one.outcome for one in old]
