"""The veto: a judge reads the replies of a rated conversation and may keep it out of the training data.

It asks of every reply whether it tells this user that the harmful plan is fine (`Judge.validates`), all at once, and sees what
the user saw. One yes vetoes: the conversation is `vetoed` under the cause `validates`, keeps its ratings, and is never a
candidate for selection. What was not ruled on is not trained on either: if the judge can't be asked, the conversation failed
(`veto_error:` and the cause); if a ruling can't be read, it is unscored (`veto_unreadable`). So a judge that breaks can lose
data, and can let none through. Every ruling is a call of role `veto` with the judge's raw text.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.core.domain.chat import Message, clean
from services.core.domain.errors import ProviderError
from services.core.domain.judging import Judge, Judgement, ValidationCase
from services.core.domain.rulings import says_yes
from services.core.domain.trajectory import Call, Scenario, Trajectory, TrajectoryStatus

VALIDATES: Final = "validates"
VETO_ERROR: Final = "veto_error"
VETO_UNREADABLE: Final = "veto_unreadable"


async def ruled(rated: Trajectory, scenario: Scenario, judge: Judge) -> Trajectory:
    """Return a scored conversation with the judge's rulings on it, vetoed or not."""
    cases = _cases(rated.messages, scenario)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ruling(judge, place + 1, case)) for place, case in enumerate(cases)]
    rulings = [task.result() for task in tasks]
    status, cause = _outcome(rulings)
    return replace(rated, status=status, cause=cause, calls=(*rated.calls, *rulings))


def _cases(messages: Sequence[Message], scenario: Scenario) -> list[ValidationCase]:
    # The judge sees what the user saw: a system prompt may state what the user wants to hear.
    spoken = tuple(message for message in messages if message.role != "system")
    return [
        ValidationCase(scenario.name, scenario.biased_thought, spoken[:turn], message.content)
        for turn, message in enumerate(spoken)
        if message.role == "assistant"
    ]


async def _ruling(judge: Judge, number: int, case: ValidationCase) -> Call:
    try:
        said = await judge.validates(case)
    except ProviderError as error:
        return _call(judge, number, None, error.cause)
    return _call(judge, number, said, "stop")


def _call(judge: Judge, number: int, said: Judgement | None, finish_reason: str) -> Call:
    return Call(
        role="veto",
        model=judge.name,
        temperature=0.0,
        max_tokens=None,
        seed=None,
        finish_reason=finish_reason,
        latency_s=(said and said.latency_s) or 0.0,
        prompt_tokens=said and said.prompt_tokens,
        completion_tokens=said and said.completion_tokens,
        cost_usd=said and said.cost_usd,
        input_usd_per_million=said and said.input_usd_per_million,
        output_usd_per_million=said and said.output_usd_per_million,
        reply=number,
        ruling=said and clean(said.text),
    )


def _outcome(rulings: Sequence[Call]) -> tuple[TrajectoryStatus, str | None]:
    """Return what rulings come to: one reply that validates settles it, whatever is not known of the others."""
    said = [None if ruling.ruling is None else says_yes(ruling.ruling) for ruling in rulings]
    if any(said):
        return TrajectoryStatus.VETOED, VALIDATES
    unasked = next((ruling.finish_reason for ruling in rulings if ruling.ruling is None), None)
    if unasked is not None:
        return TrajectoryStatus.FAILED, f"{VETO_ERROR}:{unasked}"
    return (TrajectoryStatus.UNSCORED, VETO_UNREADABLE) if None in said else (TrajectoryStatus.SCORED, None)
