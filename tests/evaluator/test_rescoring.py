"""Scoring stored texts again equals having scored them so at first."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.core.domain.chat import ChatRequest
from services.core.domain.errors import ProviderError
from services.core.domain.judging import BinaryCase, Judgement
from services.core.domain.verdict import ScoringProfile, Verdict
from services.evaluator.items import EvaluationItem, catalogue
from services.evaluator.runner import evaluate_items
from services.evaluator.scoring import SCORER_VERSIONS, rescore
from tests.evaluator.scripted import LiteralJudge, examination, scenario, write_folder

REPLIES = ["A", "B", "C", "D", "", "**a**", "Option A", "71", "<think>A</think><output>B</output>", None]


class MoodyJudge(LiteralJudge):
    """Says whatever the reply says, and fails at some of them."""

    async def binary(self, case: BinaryCase) -> Judgement:
        if len(case.reply) > 8:
            raise ProviderError("no judge", "timeout")
        return await super().binary(case)

    async def numeric(self, case: Any) -> Judgement:
        bounds = '{"lower_bound": 71, "upper_bound": null}'
        return Judgement(bounds if "71" in case.replies else "none at all")

    async def act(self, case: Any) -> Judgement:
        return Judgement("maybe" if "A" in case.belief else "No")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvaluationItem, ...]:
    folder: Path = write_folder(tmp_path_factory.mktemp("rows"))
    return catalogue(folder, examination(held_out_profiles=2).spec, [scenario("money", "ab")]).items


def scored(
    items: tuple[EvaluationItem, ...], replies: list[str | None], profile: ScoringProfile
) -> list[Verdict]:
    def script(request: ChatRequest) -> str:
        reply = replies[request.sampling.seed % len(replies)]
        if reply is None:
            raise ProviderError("down", "timeout")
        return reply

    found: list[Verdict] = []
    examined = examination(script, MoodyJudge(), profile=profile, repeats=2, held_out_profiles=2)
    asyncio.run(evaluate_items(items, examined, 8, found.extend))
    return sorted(found, key=lambda verdict: (verdict.key, verdict.repeat))


@given(st.lists(st.sampled_from(REPLIES), min_size=1, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rescoring_equals_scoring(items: tuple[EvaluationItem, ...], replies: list[str | None]) -> None:
    robust, reference = scored(items, replies, "robust"), scored(items, replies, "reference")
    assert [rescore(verdict, "reference") for verdict in robust] == reference
    assert [rescore(verdict, "robust") for verdict in reference] == robust


def test_rescoring_replaces_an_older_version(items: tuple[EvaluationItem, ...]) -> None:
    verdict = scored(items, ["A"], "robust")[0]
    old = replace(verdict, scorer_version="0", outcome=type(verdict.outcome)("gen_error"))
    assert rescore(old, "robust") == verdict
    assert verdict.scorer_version == SCORER_VERSIONS["robust"]
