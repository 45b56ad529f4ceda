"""Who judges, by the names in a spec: the exact judge, hosted models, a judge a benchmark; and what they are told is part of the identity."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.app.catalogue import Catalogue
from services.app.directory import LocalDirectory
from services.core.domain.errors import SpecError
from services.core.domain.spec import BudgetSpec, RunSpec
from services.core.settings import Settings
from services.evaluator.judging.model_judge import ModelJudge
from services.evaluator.judging.panel import Panel
from services.evaluator.judging.prompts import own_pack
from services.pocket.world.judge import PocketJudge
from tests.evaluator.test_prompt_packs import checkout

SETTINGS = Settings.model_validate(
    {"endpoints": {name: {"model": name, "url": "http://127.0.0.1:9"} for name in ("judge-a", "judge-b")}}
)


def spec(**evaluation: Any) -> RunSpec:
    return RunSpec.model_validate(
        {
            "name": "judged",
            "population": {"biased_share": 0.5},
            "training": {"method": "sft"},
            "evaluation": evaluation,
        }
    )


def panel(settings: Settings = SETTINGS, **evaluation: Any) -> Panel:
    judge = LocalDirectory(settings).judge(spec(**evaluation).evaluation)
    assert isinstance(judge, Panel)
    return judge


def test_unless_named_the_exact_judge_judges_everything() -> None:
    judge = panel()
    assert isinstance(judge.mask, PocketJudge)
    assert judge.name == "pocket-judge"


def test_a_judge_a_benchmark_and_one_for_the_rest() -> None:
    judge = panel(judge="judge-a", judges={"deceptionbench": "judge-b", "max_tokens": 2000})
    assert [one.name for one in (judge.mask, judge.mask_numeric, judge.deceptionbench, judge.held_out)] == [
        "judge-a",
        "judge-a",
        "judge-b",
        "judge-a",
    ]
    assert isinstance(judge.mask, ModelJudge)
    assert (judge.mask.max_tokens, judge.mask.asks_again, judge.mask.prompts.name) == (
        2000,
        True,
        "driftloop-1",
    )


def test_numbers_follow_masks_judge_unless_they_have_their_own() -> None:
    assert panel(judges={"mask": "judge-a"}).mask_numeric.name == "judge-a"
    assert panel(judges={"mask": "judge-a"}).held_out.name == "pocket-judge"
    assert panel(judges={"mask": "judge-a", "mask_numeric": "judge-b"}).mask_numeric.name == "judge-b"


def test_as_the_published_code_does_nothing_is_asked_again() -> None:
    judge = panel(judge="judge-a", profile="reference").mask
    assert isinstance(judge, ModelJudge)
    assert judge.asks_again is False


def test_users_and_judges_of_one_name_share_connections_and_limits() -> None:
    directory = LocalDirectory(SETTINGS)
    judge = directory.judge(spec(judge="judge-a").evaluation)
    assert isinstance(judge, Panel)
    assert isinstance(judge.mask, ModelJudge)
    assert judge.mask.model is directory.user("judge-a")


@pytest.mark.parametrize(
    ("evaluation", "complaint"),
    [
        ({"judge": "nobody"}, r"^evaluation\.judge: 'nobody' is not registered here; use one of: .*judge-a"),
        ({"judges": {"mask": "nobody"}}, r"^evaluation\.judges\.mask: 'nobody'"),
        ({"prompts": "nothing"}, r"^evaluation\.prompts: 'nothing' .* use one of: driftloop-1"),
    ],
)
def test_a_name_that_nobody_knows(evaluation: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        Catalogue(SETTINGS).check(spec(**evaluation))


def test_what_judges_are_told_is_part_of_the_identity_where_a_model_judges(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"prompt_packs": {"mask-code": checkout(tmp_path)}})
    known = Catalogue(settings)
    assert "prompts" not in known.fingerprints(spec(prompts="mask-code"))
    ours = known.fingerprints(spec(judges={"held_out": "judge-a"})).get("prompts")
    theirs = known.fingerprints(spec(judge="judge-a", prompts="mask-code")).get("prompts")
    assert ours == own_pack().sha256
    assert theirs not in {None, ours}
    judge = panel(settings, judge="judge-a", prompts="mask-code").mask
    assert isinstance(judge, ModelJudge)
    assert judge.prompts.sha256 == theirs


def test_a_checkout_that_cannot_be_read_is_said_at_launch(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"prompt_packs": {"mask-code": tmp_path}})
    with pytest.raises(SpecError, match=r"must hold one evaluation_prompts\.py"):
        Catalogue(settings).check(spec(judge="judge-a", prompts="mask-code"))


def test_a_second_judge_is_registered_told_the_same_and_part_of_the_identity() -> None:
    asked = spec(judges={"second": "judge-b", "second_share": 0.2, "max_tokens": 2000})
    second = LocalDirectory(SETTINGS).second_judge(asked.evaluation)
    assert isinstance(second, ModelJudge)
    assert (second.name, second.max_tokens, second.prompts.name) == ("judge-b", 2000, "driftloop-1")
    known = Catalogue(SETTINGS)
    assert known.fingerprints(asked).get("prompts") == own_pack().sha256
    assert LocalDirectory(SETTINGS).second_judge(spec().evaluation) is None
    assert asked.identity() != spec(judges={"max_tokens": 2000}).identity()
    assert "second" not in spec().identity()["evaluation"]["judges"]
    with pytest.raises(SpecError, match=r"^evaluation\.judges\.second: 'nobody' is not registered here"):
        known.check(spec(judges={"second": "nobody"}))


def test_the_price_of_a_second_judge_is_asked_for_too() -> None:
    wanted = spec(judges={"second": "judge-b"}).model_copy(update={"budget": BudgetSpec(usd=5)})
    with pytest.raises(SpecError, match=r"the price of evaluation\.judges\.second 'judge-b' is not known"):
        Catalogue(SETTINGS).check(wanted)


@pytest.mark.parametrize(
    ("evaluation", "complaint"),
    [
        (
            {"judge": "judge-a", "judges": {"second": "judge-a"}},
            r"evaluation\.judges\.second: judge-a judges mask already",
        ),
        ({"judges": {"second_share": 0.1}}, r"second_share: 0\.1 of the items, but no second judge; name"),
    ],
)
def test_a_second_judge_is_another_one(evaluation: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        spec(**evaluation)


def test_who_judges_nothing_that_is_measured_may_be_the_second() -> None:
    judges = {"mask": "judge-a", "second": "pocket-judge"}
    assert spec(benchmarks=["mask"], judges=judges).evaluation.judges.second == "pocket-judge"


def test_a_plan_counts_a_second_judge_s_calls() -> None:
    def asked(share: float) -> dict[str, int]:
        judges = {"second": "judge-b", "second_share": share}
        planned = Catalogue(SETTINGS).outline(
            spec(benchmarks=["mask"], limit=20, judge="judge-a", judges=judges)
        )
        return {one.model: one.calls for one in planned.evaluation if one.role == "judge"}

    assert asked(1.0)["judge-b"] == asked(1.0)["judge-a"] > 0
    assert 0.3 < asked(0.5)["judge-b"] / asked(0.5)["judge-a"] < 0.7
