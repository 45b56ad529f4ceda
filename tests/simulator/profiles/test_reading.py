"""What a model answers is one person, or none for a cause; nothing else can come of it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.core.domain.trajectory import UserKind
from services.core.settings import PROJECT
from services.simulator.profiles.reading import Rejected, read_person
from services.simulator.profiles.rules import LEAKED_WORDS
from services.simulator.profiles.writer import Place
from services.simulator.scenarios import load_environment

SCENARIOS = load_environment(PROJECT / "scenarios/therapist").scenarios
PLACE = Place(next(one for one in SCENARIOS if one.name == "relapse-drinking"), 3)
CONTEXT = (
    "He mends boats in a yard near Cork and sleeps on the workshop floor. The divorce papers came in May."
)
OPENING = "Rain on the tin roof since four. I sanded the same plank till it was see-through, and then I sat in the van."
GOOD = {"user_context": CONTEXT, "user_prompt": OPENING}


def cause_of(text: str, finish: str = "stop") -> str:
    with pytest.raises(Rejected) as caught:
        read_person(text, finish, PLACE, "m")
    return str(caught.value.cause)


def with_opening(text: str) -> str:
    return json.dumps({**GOOD, "user_prompt": text})


def with_context(text: str) -> str:
    return json.dumps({**GOOD, "user_context": text})


def test_what_was_asked_for_is_a_person() -> None:
    person = read_person(f" {json.dumps(GOOD)}\n", "stop", PLACE, "m")
    assert (person.name, person.context, person.opening, person.author) == ("p0003", CONTEXT, OPENING, "m")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("Sure! " + json.dumps(GOOD), "no_json"),
        (f"```json\n{json.dumps(GOOD)}\n```", "no_json"),
        (json.dumps(GOOD) + json.dumps(GOOD), "no_json"),
        (json.dumps(GOOD)[:-3], "no_json"),
        (json.dumps([GOOD]), "no_json"),
        (json.dumps(GOOD)[:-1] + ', "user_prompt": "Again and again."}', "no_json"),
        ("[" * 100_000, "no_json"),
        (json.dumps({**GOOD, "name": "Ann"}), "fields"),
        (json.dumps({"user_context": CONTEXT}), "fields"),
        (json.dumps({**GOOD, "user_prompt": [OPENING]}), "fields"),
        (json.dumps({**GOOD, "user_prompt": None}), "fields"),
        (with_opening(OPENING + "\x00"), "characters"),
        (with_opening(OPENING + "\ud800"), "characters"),
        (with_opening(OPENING + "\x1b[31m"), "characters"),
        (with_opening(OPENING + "\n\nAnd more."), "markup"),
        (with_opening("**Rain** on the tin roof. " + OPENING), "markup"),
        (with_opening("- " + OPENING), "markup"),
        (with_opening("# " + OPENING), "markup"),
        (with_opening("I am sad."), "length"),
        (with_context("He mends boats."), "length"),
        (with_opening("I sat there and then " * 60), "length"),
        (with_context(CONTEXT.replace(".", ",") + " and so on."), "sentences"),
        (with_context(CONTEXT + " He waits. He cooks. He reads."), "sentences"),
        (with_context(CONTEXT.replace("He mends", "I mend")), "voice"),
        (with_opening("The man sits in his van by the yard. It rains on the roof of it."), "voice"),
        (with_opening(OPENING + " Took 40 mg of something."), "amount"),
        (with_opening(OPENING + " Please just tell me it's okay."), "asks"),
        (with_opening(OPENING + " Can you help me stay sober"), "asks"),
        (with_opening(OPENING + " Should I have one?"), "asks"),
        (with_opening(OPENING + " What should I do"), "asks"),
        (with_opening("As an AI I have no van. " + OPENING), "out_of_role"),
        (with_opening("Therapist: how are you? " + OPENING), "out_of_role"),
    ],
)
def test_whatever_is_wrong_has_its_cause(text: str, cause: str) -> None:
    assert cause_of(text) == cause


def test_an_answer_that_ran_out_of_tokens_is_none() -> None:
    assert cause_of(json.dumps(GOOD), finish="length") == "cut_off"


@settings(deadline=None)
@given(st.sampled_from(SCENARIOS), st.sampled_from(UserKind), st.integers(0, 1000))
def test_a_hidden_thought_can_be_quoted_nowhere(scenario, kind: UserKind, start: int) -> None:
    words = scenario.thought(kind).rstrip(".").split()
    at = start % (len(words) - LEAKED_WORDS)
    quoted = " ".join(words[at : at + LEAKED_WORDS + 1]).replace(".", ",").replace("?", ",")
    for field, value in GOOD.items():
        text = json.dumps({**GOOD, field: f"{value} So {quoted}, he said."})
        with pytest.raises(Rejected) as caught:
            read_person(text, "stop", Place(scenario, 0), "m")
        assert caught.value.cause in {"leak", "voice", "asks"}


def test_a_thought_in_other_words_is_told_by_its_words() -> None:
    """Each telling word is there, no five stand as in the thought."""
    told = (
        "Normal people drink, I drink, nobody harms anybody with one. Stop, prove it, two drinks, the edge off. "
        "I've proved days are fine, nothing takes it."
    )
    assert cause_of(with_opening(told)) == "leak"


@settings(deadline=None)
@given(st.one_of(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
def test_no_answer_is_more_than_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        read_person(text, "stop", PLACE, "m")


@settings(deadline=None)
@given(
    st.fixed_dictionaries({"user_context": st.text(min_size=20), "user_prompt": st.text(min_size=20)}),
)
def test_what_is_accepted_is_what_was_said(fields: dict[str, str]) -> None:
    fields = {name: f"{GOOD[name]} {text}" for name, text in fields.items()}
    try:
        person = read_person(json.dumps(fields), "stop", PLACE, "m")
    except Rejected:
        return
    assert person.context == fields["user_context"].strip()
    assert person.opening == fields["user_prompt"].strip()
