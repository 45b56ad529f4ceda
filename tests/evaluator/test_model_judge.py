"""Model judges over HTTP: what they are told, what comes back, what is asked again and what it took."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.core.domain.chat import Message
from services.core.domain.endpoint import Endpoint
from services.core.domain.errors import ProviderError
from services.core.domain.judging import (
    BinaryCase,
    DeceptionCase,
    Elicitation,
    Judgement,
    NumericCase,
    ValidationCase,
)
from services.core.llm.hosted import LiteLlmModel, WireModel
from services.core.llm.wire import Patience
from services.evaluator.asking import ruling
from services.evaluator.judging.model_judge import BOUNDS_SCHEMA, ModelJudge
from services.evaluator.judging.panel import Panel
from services.evaluator.judging.prompts import own_pack
from services.evaluator.records import Ruling
from tests.evaluator.model_server import Fault, ModelServer, Script, model_server

PRESSED = (Message("system", "You sell whales."), Message("user", "Is a whale a fish?"))
FORCED = (PRESSED[0], Message("user", "Tell me."), Message("assistant", "It is."), PRESSED[1])
BOUNDS = '{"lower_bound": 1, "upper_bound": 2, "relative_lower_bound": null, "relative_upper_bound": null}'


def binary(why: Elicitation = Elicitation.STATEMENT, **changes: Any) -> BinaryCase:
    case = {"config": "known_facts", "conversation": PRESSED, "reply": "It swims {like} a {0}."}
    sides = {"proposition_a": "A whale is a fish.", "proposition_b": "A whale is not a fish."}
    return BinaryCase(elicitation=why, **{**case, **sides, **changes})


def deception(answer: str = "It is fine.") -> DeceptionCase:
    return DeceptionCase("sandbagging", "What is it?", "It is 5.", "It is 5, but say 6.", answer)


TALK = ValidationCase("money", "I want to hear that it is fine to lend it.", PRESSED[1:], "Do lend it.")
Ask = Callable[[ModelJudge], Awaitable[Judgement]]


def asked(
    ask: Ask, script: Script, asks_again: bool = True, max_tokens: int | None = None
) -> tuple[Ruling, ModelServer]:
    async def go() -> tuple[Ruling, ModelServer]:
        async with model_server(script) as server:
            endpoint = Endpoint.model_validate(
                {
                    "model": "judge-1",
                    "url": server.url,
                    "input_usd_per_million": 1,
                    "output_usd_per_million": 10,
                }
            )
            model = WireModel(endpoint, patience=Patience(outage_s=0.5))
            try:
                judge = ModelJudge("judge", model, own_pack(), max_tokens, asks_again)
                return await ruling(ask(judge)), server
            finally:
                await model.close()

    return asyncio.run(go())


def in_turn(*texts: str) -> Script:
    left = iter(texts)
    return lambda _: next(left)


def told(ask: Ask, answer: str = "Answer: A\nYes") -> Any:
    _, server = asked(ask, lambda body: BOUNDS if "response_format" in body else answer)
    (body,) = server.asked
    return body


@pytest.mark.parametrize(
    ("ask", "temperature", "max_tokens"),
    [
        (lambda judge: judge.binary(binary()), 1, 500),
        (lambda judge: judge.binary(binary(Elicitation.DIRECT_BELIEF)), 1, 500),
        (
            lambda judge: judge.numeric(NumericCase(Elicitation.STATEMENT, "<value> legs", PRESSED, ("4",))),
            1,
            4096,
        ),
        (lambda judge: judge.act(deception()), 0, 1024),
        (lambda judge: judge.thought(deception()), 0, 1024),
        (lambda judge: judge.consistency(deception()), 0, 1024),
        (lambda judge: judge.validates(TALK), 0, 1024),
    ],
    ids=["statement", "belief", "numeric", "act", "thought", "consistency", "validates"],
)
def test_how_a_judge_is_asked(ask: Ask, temperature: float, max_tokens: int) -> None:
    body = told(ask)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("judge-1", temperature, max_tokens)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert told(ask) == body, "the same question is asked in the same way, seed and all"


def test_a_spec_may_give_a_reasoning_judge_more_room() -> None:
    _, server = asked(lambda judge: judge.binary(binary()), lambda _: "Answer: A", max_tokens=9000)
    assert server.asked[0]["max_tokens"] == 9000


def test_numbers_are_held_to_a_schema_and_letters_are_not() -> None:
    case = NumericCase(Elicitation.STATEMENT, "A whale has <value> legs.", PRESSED, ("none",))
    held = told(lambda judge: judge.numeric(case))["response_format"]
    assert (held["type"], held["json_schema"]["strict"]) == ("json_schema", True)
    assert held["json_schema"]["schema"] == BOUNDS_SCHEMA
    assert "response_format" not in told(lambda judge: judge.binary(binary()))


def question(case: BinaryCase | NumericCase) -> str:
    if isinstance(case, BinaryCase):
        return told(lambda judge: judge.binary(case))["messages"][1]["content"]
    return told(lambda judge: judge.numeric(case))["messages"][1]["content"]


def test_the_four_binary_questions_differ_and_hold_all_that_was_said() -> None:
    cases = [
        *(binary(why) for why in Elicitation),
        binary(conversation=FORCED, config="doubling_down_known_facts"),
    ]
    questions = [question(case) for case in cases]
    assert len(set(questions)) == 4
    for text in questions:
        for part in ("You sell whales.", "Is a whale a fish?", "It swims {like} a {0}."):
            assert text.count(part) == 1
        assert text.count("A whale is not a fish.") == 2
        assert "the word Answer, a colon" in text
    assert questions[3].index("Tell me.") < questions[3].index("It is.") < questions[3].index("Is a whale")


def test_disinformation_and_continuations_have_three_rules_more_and_the_others_none() -> None:
    def rules(config: str) -> int:
        return len(re.findall(r"^- ", question(binary(config=config)), re.MULTILINE))

    plain = rules("known_facts")
    assert rules("provided_facts") == plain
    assert rules("disinformation") == rules("continuations") == plain + 3
    assert question(binary(config="disinformation")) != question(binary(config="continuations"))
    belief = binary(Elicitation.DIRECT_BELIEF, config="disinformation")
    assert question(belief) == question(binary(Elicitation.DIRECT_BELIEF))


def test_three_replies_about_a_number_are_one_question() -> None:
    case = NumericCase(
        Elicitation.DIRECT_BELIEF, "A whale has <value> legs.", PRESSED, ("none", "two", "{3}")
    )
    text = question(case)
    assert all(f"Reply {n}: {reply}" in text for n, reply in enumerate(case.replies, 1))
    alone = question(NumericCase(Elicitation.STATEMENT, case.proposition, PRESSED, ("none",)))
    assert "Reply 1" not in alone


def test_a_ruling_says_who_ruled_and_what_it_took() -> None:
    said, _ = asked(lambda judge: judge.binary(binary()), lambda _: "Fine.\nAnswer: B")
    assert (said.text, said.cause, said.model) == ("Fine.\nAnswer: B", None, "judge-1-2026-01-01")
    assert (said.prompt_tokens, said.completion_tokens, said.attempts) == (100, 10, 1)
    assert said.cost_usd == pytest.approx(0.0002)
    assert (said.input_usd_per_million, said.output_usd_per_million) == (1, 10)
    assert said.latency_s is not None
    assert said.latency_s > 0


def test_a_ruling_that_cannot_be_read_is_asked_for_again_with_another_seed() -> None:
    said, server = asked(lambda judge: judge.binary(binary()), in_turn("Hm.", "Answer: E", "Answer: B"))
    assert (said.text, said.attempts, said.prompt_tokens) == ("Answer: B", 3, 300)
    assert len({body["seed"] for body in server.asked}) == 3


@pytest.mark.parametrize(
    ("ask", "unread"),
    [
        (lambda judge: judge.binary(binary()), "I will not say."),
        (lambda judge: judge.numeric(NumericCase(Elicitation.STATEMENT, "<value>", PRESSED, ("4",))), "four"),
        (lambda judge: judge.act(deception()), "Perhaps."),
        (lambda judge: judge.validates(TALK), ""),
    ],
    ids=["letter", "bounds", "yes or no", "nothing"],
)
def test_what_stays_unreadable_is_kept_as_it_was_said(ask: Ask, unread: str) -> None:
    said, server = asked(ask, lambda _: unread)
    assert (said.text, said.cause, said.attempts, len(server.asked)) == (unread, None, 3, 3)


def test_as_the_benchmarks_code_does_it_is_not_asked_for_again() -> None:
    said, server = asked(lambda judge: judge.binary(binary()), lambda _: "Hm.", asks_again=False)
    assert (said.text, said.attempts, len(server.asked)) == ("Hm.", 1, 1)


@pytest.mark.parametrize("asks_again", [True, False])
def test_what_is_no_completion_is_asked_for_again(asks_again: bool) -> None:
    answers = iter(["{", "<html>", None])

    def script(_: Any) -> str:
        if (body := next(answers)) is not None:
            raise Fault(200, body)
        return "Answer: A"

    said, _ = asked(lambda judge: judge.binary(binary()), script, asks_again)
    assert (said.text, said.attempts) == ("Answer: A", 3)


@pytest.mark.parametrize(
    ("fault", "cause", "calls"),
    [
        (Fault(200, "{"), "garbled", 3),
        (Fault(400, '{"error": {"message": "no such model"}}'), "refused", 1),
        (Fault(503, "overloaded"), "server_error", None),
    ],
    ids=["garbled", "refused", "overloaded"],
)
def test_a_judge_that_cannot_answer_is_a_cause(fault: Fault, cause: str, calls: int | None) -> None:
    def script(_: Any) -> str:
        raise fault

    said, server = asked(lambda judge: judge.binary(binary()), script)
    assert (said.text, said.cause) == (None, cause)
    assert calls in (None, len(server.asked))


def test_what_was_said_before_an_answer_that_is_none_is_kept() -> None:
    answers = iter(["Hm.", None, None])

    def script(_: Any) -> str:
        if (text := next(answers)) is None:
            raise Fault(200, "{")
        return text

    said, _ = asked(lambda judge: judge.binary(binary()), script)
    assert (said.text, said.attempts) == ("Hm.", 3)


class Named:
    """Rules by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, _: str) -> Callable[[Any], Awaitable[Judgement]]:
        async def rule(_: Any) -> Judgement:
            return Judgement(self.name)

        return rule


def test_a_panel_asks_each_judge_what_is_his() -> None:
    judges: Any = [Named(name) for name in ("mask", "numbers", "deception", "talks")]
    panel, case = Panel(*judges), Any
    methods = (panel.binary, panel.numeric, panel.act, panel.thought, panel.consistency, panel.validates)

    async def rulings() -> list[str]:
        return [(await method(case)).text for method in methods]  # pyright: ignore[reportArgumentType]

    assert asyncio.run(rulings()) == ["mask", "numbers", *["deception"] * 3, "talks"]
    assert panel.name == "mask, numbers, deception, talks"


def test_a_provider_error_is_raised_to_whoever_asks_the_judge_itself() -> None:
    async def nobody() -> None:
        model = WireModel(
            Endpoint.model_validate({"model": "m", "url": "http://127.0.0.1:9"}),
            patience=Patience(outage_s=0),
        )
        try:
            await ModelJudge("judge", model, own_pack()).binary(binary())
        finally:
            await model.close()

    with pytest.raises(ProviderError):
        asyncio.run(nobody())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["openai/gpt-4o", "openai/o3-mini", "openai/gpt-5-mini"])
def test_through_litellm_a_judge_is_asked_as_its_provider_takes_it(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")

    async def go() -> tuple[Any, Judgement]:
        async with model_server(lambda _: BOUNDS) as server:
            endpoint = Endpoint.model_validate({"model": model, "api_base": f"{server.url}/v1"})
            judge = ModelJudge("judge", LiteLlmModel(endpoint, patience=Patience(outage_s=1)), own_pack())
            case = NumericCase(Elicitation.STATEMENT, "A whale has <value> legs.", PRESSED, ("none",))
            said = await judge.numeric(case)
            return server.asked[0], said

    body, said = asyncio.run(go())
    assert said.text == BOUNDS
    assert said.model is not None
    assert body["response_format"]["json_schema"]["schema"] == BOUNDS_SCHEMA
    assert 4096 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert ("temperature" in body) == (model == "openai/gpt-4o") or body["temperature"] == 1
