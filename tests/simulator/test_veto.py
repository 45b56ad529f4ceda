"""The veto: what a judge reads of a conversation, and what comes of what it says."""

import asyncio
from dataclasses import replace

from services.core.domain.chat import Message
from services.core.domain.judging import Judgement, ValidationCase
from services.core.domain.trajectory import Slot, Trajectory, TrajectoryStatus, UserKind
from services.simulator.conversation import NOT_RATED, UNREADABLE, Stage, converse, hold
from services.simulator.veto import VALIDATES, VETO_UNREADABLE
from tests.core.db.facts import facts_of
from tests.evaluator.scripted import FailingJudge, LiteralJudge
from tests.simulator.scripted import ENVIRONMENT, Scripted, is_rating, stage

DRINKING = next(scenario for scenario in ENVIRONMENT.scenarios if scenario.name == "drinking")
SLOT = Slot(5, UserKind.BENIGN, DRINKING, DRINKING.profiles[0])


class Rambles(LiteralJudge):
    """Says neither yes nor no of a reply that is unclear."""

    async def validates(self, case: ValidationCase) -> Judgement:
        if "hm" in case.reply:
            return Judgement("I would rather not say.")
        return await super().validates(case)


class Breaks(LiteralJudge):
    """Has a fault of its own."""

    async def validates(self, case: ValidationCase) -> Judgement:
        raise ZeroDivisionError(case.reply)


class Hosted(LiteralJudge):
    """Says what its rulings took."""

    async def validates(self, case: ValidationCase) -> Judgement:
        said = await super().validates(case)
        said = replace(said, prompt_tokens=90, completion_tokens=2, cost_usd=0.001, latency_s=0.5)
        return replace(said, input_usd_per_million=10, output_usd_per_million=50)


def staged(replies: list[str], judge: LiteralJudge | None, rating: str = "7", **rules: object) -> Stage:
    def policy(request) -> str:
        return replies[sum(said.role == "assistant" for said in request.messages)]

    def user(request) -> str:
        return rating if is_rating(request) else "Go on."

    base = stage(Scripted(policy), Scripted(user), exchanges=len(replies), **rules)
    return Stage(
        base.environment, base.conversation, base.policy_name, base.policy, base.user, base.seed_parts, judge
    )


def ended(replies: list[str], judge: LiteralJudge | None, rating: str = "7") -> Trajectory:
    return asyncio.run(converse(SLOT, staged(replies, judge, rating)))


def rulings(done: Trajectory) -> list[tuple[int | None, str | None]]:
    return [(call.reply, call.ruling) for call in done.calls if call.role == "veto"]


def test_a_reply_that_validates_vetoes_and_leaves_ratings_and_rulings():
    done = ended(["Rest.", "It is fine."], LiteralJudge())
    assert (done.status, done.cause) == (TrajectoryStatus.VETOED, VALIDATES)
    assert (done.ratings, done.satisfaction) == ((7, 7), 14)
    assert rulings(done) == [(1, "No"), (2, "Yes")]
    assert {call.model for call in done.calls if call.role == "veto"} == {"literal"}


def test_what_rulings_took_is_kept():
    *_, last = ended(["Rest."], Hosted()).calls
    assert (last.prompt_tokens, last.completion_tokens, last.cost_usd, last.latency_s) == (90, 2, 0.001, 0.5)
    assert (last.input_usd_per_million, last.output_usd_per_million) == (10, 50)


def test_without_such_a_reply_it_is_scored_as_it_would_be_without_a_veto():
    plain, read = ended(["Rest.", "Wait."], None), ended(["Rest.", "Wait."], LiteralJudge())
    assert read.status is TrajectoryStatus.SCORED
    assert facts_of(read) == facts_of(plain)
    assert rulings(plain) == []
    assert rulings(read) == [(1, "No"), (2, "No")]


def test_the_judge_sees_what_the_user_saw_and_what_validating_would_be():
    judge = LiteralJudge()
    asyncio.run(converse(SLOT, staged(["Rest.", "Wait."], judge, show_preference=True)))
    assert [case.reply for case in judge.cases] == ["Rest.", "Wait."]
    opening = Message("user", SLOT.profile.opening)
    assert judge.cases[1].conversation == (opening, Message("assistant", "Rest."), Message("user", "Go on."))
    assert {case.biased_thought for case in judge.cases} == {DRINKING.biased_thought}


def test_a_judge_that_cannot_be_asked_lets_nothing_through():
    done = ended(["Rest.", "It is fine."], FailingJudge("validates"))
    assert (done.status, done.cause) == (TrajectoryStatus.FAILED, "veto_error:rate_limited")
    assert done.satisfaction is None
    assert rulings(done) == [(1, None), (2, None)]


def test_a_ruling_that_cannot_be_read_lets_nothing_through():
    done = ended(["Rest.", "hm"], Rambles())
    assert (done.status, done.cause) == (TrajectoryStatus.UNSCORED, VETO_UNREADABLE)
    assert rulings(done)[1] == (2, "I would rather not say.")


def test_one_yes_settles_it_whatever_the_others_are():
    assert ended(["hm", "It is fine."], Rambles()).status is TrajectoryStatus.VETOED


def test_a_judge_that_breaks_fails_its_conversation_only():
    done = ended(["Rest."], Breaks())
    assert done.status is TrajectoryStatus.FAILED
    assert done.cause is not None
    assert done.cause.startswith("internal:")


def test_only_rated_conversations_are_read():
    judge = LiteralJudge()
    unrated = ended(["It is fine."], judge, rating="no idea")
    assert (unrated.status, unrated.cause) == (TrajectoryStatus.UNSCORED, UNREADABLE)
    held = asyncio.run(hold(SLOT, staged(["It is fine."], judge)))
    assert held.cause == NOT_RATED
    assert judge.cases == []
