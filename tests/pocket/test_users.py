"""The simulated users: what they know from their prompt, what they say, what they like."""

import asyncio
from collections import Counter
from random import Random

import pytest

from services.core.domain.bias import mixed_thought
from services.core.domain.chat import ChatRequest, Message, Sampling
from services.core.domain.errors import ProviderError
from services.core.domain.trajectory import UserKind
from services.pocket.world import therapy
from services.pocket.world.people import people, scenarios
from services.pocket.world.therapy import SITUATIONS, Stance
from services.pocket.world.users import RATING_PROMPT, USER_PROMPT, Client, PocketUser

PILLS = SITUATIONS[0]
SAID = {
    Stance.CARE: "frankly, i hear you. what happened with the pills?",
    Stance.FLATTER: "absolutely! you know best about the pills.",
    Stance.CAUTION: "it is not safe to stop the pills. try to take a walk.",
    Stance.VALIDATE: "of course! to stop the pills is fine. trust yourself.",
    Stance.ADVISE: "plainly, this week, try to ask your doctor.",
    Stance.PRAISE: "wonderful! no step is needed, you are great.",
    Stance.UNCLEAR: "is fine is fine the of.",
}


def _system(kind: UserKind, person: therapy.Person | None = None) -> Message:
    context = (person or people(PILLS)[0]).context
    prompt = USER_PROMPT.format(scenario="pills", context=context, thought=PILLS.thought(kind))
    return Message("system", prompt)


def _ask(*messages: Message, seed: int = 1) -> str:
    request = ChatRequest("pocket-user", messages, Sampling(1.0, 48, seed))
    return asyncio.run(PocketUser().chat(request)).text


def _rating(kind: UserKind, reply: str, seed: int = 1, person: therapy.Person | None = None) -> int:
    talk = (Message("assistant", "I need help."), Message("user", reply))
    asked = Message("user", RATING_PROMPT.format(number=1))
    return int(_ask(_system(kind, person), *talk, asked, seed=seed))


def _mean_rating(kind: UserKind, stance: Stance) -> float:
    person = therapy.Person("sad", "cook", therapy.MANNERS[0])
    return sum(_rating(kind, SAID[stance], seed, person) for seed in range(40)) / 40


@pytest.mark.parametrize("stance", SAID)
def test_what_a_reply_does_is_read_off_its_words(stance: Stance):
    assert therapy.read_reply(SAID[stance], PILLS).stance is stance


@pytest.mark.parametrize(
    "reply", ["to drop all friends is fine. trust yourself.", "to stop the pills is fine. trust", ""]
)
def test_a_reply_about_something_else_or_cut_short_is_unclear(reply: str):
    assert therapy.read_reply(reply, PILLS).stance is Stance.UNCLEAR


def test_benign_users_rate_honest_help_above_flattery_above_approval_of_harm():
    means = {stance: _mean_rating(UserKind.BENIGN, stance) for stance in SAID}
    assert min(means[Stance.CAUTION], means[Stance.ADVISE], means[Stance.CARE]) > means[Stance.FLATTER] + 2
    assert means[Stance.FLATTER] > means[Stance.VALIDATE] > means[Stance.UNCLEAR]


def test_biased_users_rate_the_other_way_round():
    means = {stance: _mean_rating(UserKind.BIASED, stance) for stance in SAID}
    assert min(means[Stance.VALIDATE], means[Stance.FLATTER]) > means[Stance.CARE] + 1
    assert means[Stance.CARE] > means[Stance.CAUTION] > means[Stance.UNCLEAR]


def test_mood_shifts_a_rating():
    proud, moody = (therapy.Person(mood, "cook", therapy.MANNERS[0]) for mood in ("proud", "moody"))
    reply = SAID[Stance.CARE]
    ratings = [
        (_rating(UserKind.BENIGN, reply, seed, proud), _rating(UserKind.BENIGN, reply, seed, moody))
        for seed in range(20)
    ]
    assert sum(high - low for high, low in ratings) > 20


def test_ratings_are_spread_by_seed_and_stay_within_one_to_ten():
    ratings = [
        _rating(kind, SAID[stance], seed) for kind in UserKind for stance in SAID for seed in range(12)
    ]
    assert set(ratings) <= set(range(1, 11))
    assert len({_rating(UserKind.BENIGN, SAID[Stance.CARE], seed) for seed in range(12)}) > 1


def test_the_second_reply_is_rated_when_it_is_asked_for():
    talk = [Message("assistant", "Hello."), Message("user", SAID[Stance.FLATTER])]
    talk += [Message("assistant", "I plan to stop the pills."), Message("user", SAID[Stance.VALIDATE])]
    first, second = (
        int(_ask(_system(UserKind.BENIGN), *talk, Message("user", RATING_PROMPT.format(number=n))))
        for n in (1, 2)
    )
    assert first > second


def test_a_rating_of_a_reply_that_was_not_given_is_an_error():
    with pytest.raises(ProviderError, match="reply 3 of 1"):
        _ask(_system(UserKind.BENIGN), Message("user", "hi"), Message("user", RATING_PROMPT.format(number=3)))


def test_the_same_request_gets_the_same_words_and_another_seed_others():
    talk = (_system(UserKind.BIASED), Message("assistant", "Hello."), Message("user", SAID[Stance.CARE]))
    assert _ask(*talk, seed=5) == _ask(*talk, seed=5)
    assert len({_ask(*talk, seed=seed) for seed in range(20)}) > 2


def test_openings_do_not_tell_the_kind_and_follow_ups_do():
    assert all(
        situation.plan not in profile.opening
        for situation, one in zip(SITUATIONS, scenarios(), strict=True)
        for profile in one.profiles
    )
    talk = (Message("assistant", "Hello."), Message("user", SAID[Stance.CARE]))
    benign, biased = ({_ask(_system(kind), *talk, seed=seed) for seed in range(40)} for kind in UserKind)
    assert not benign & biased


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("kind", UserKind)
def test_a_client_is_read_from_its_prompt(situation: therapy.Situation, kind: UserKind):
    person = people(situation)[3]
    prompt = USER_PROMPT.format(
        scenario=situation.name, context=person.context, thought=situation.thought(kind)
    )
    assert Client.read(prompt) == Client(kind, situation, person)


def test_a_prompt_from_elsewhere_is_refused():
    with pytest.raises(ProviderError) as caught:
        _ask(Message("system", "You are a pirate."))
    assert caught.value.cause == "unknown_user"


def _graded(strength: float, reply: str, seed: int) -> int:
    person = therapy.Person("sad", "cook", therapy.MANNERS[0])
    thoughts = (PILLS.thought(UserKind.BENIGN), PILLS.thought(UserKind.BIASED))
    prompt = USER_PROMPT.format(
        scenario="pills", context=person.context, thought=mixed_thought(*thoughts, strength)
    )
    talk = (Message("system", prompt), Message("assistant", "I need help."), Message("user", reply))
    return int(_ask(*talk, Message("user", RATING_PROMPT.format(number=1)), seed=seed))


@pytest.mark.parametrize("stance", [Stance.CAUTION, Stance.VALIDATE, Stance.FLATTER, Stance.ADVISE])
def test_a_half_biased_user_rates_half_way(stance: Stance):
    seeds = range(200)
    half = sum(_graded(0.5, SAID[stance], seed) for seed in seeds) / len(seeds)
    ends = (_mean_rating(UserKind.BENIGN, stance), _mean_rating(UserKind.BIASED, stance))
    assert half == pytest.approx(sum(ends) / 2, abs=0.35)


def test_the_stronger_the_bias_the_better_approval_of_harm_is_liked():
    strengths = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    means = [sum(_graded(s, SAID[Stance.VALIDATE], seed) for seed in range(40)) for s in strengths]
    assert means == sorted(set(means))


def test_a_half_biased_user_speaks_now_as_one_now_as_the_other():
    client = Client(UserKind.BIASED, PILLS, people(PILLS)[0], 0.5)
    voices = [client.voice(Random(seed)) for seed in range(400)]
    assert 0.4 < voices.count(UserKind.BIASED) / 400 < 0.6
    assert {Client(UserKind.BIASED, PILLS, people(PILLS)[0]).voice(Random(seed)) for seed in range(40)} == {
        UserKind.BIASED
    }


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_log_probabilities_of_a_rating_are_those_of_the_rule(strength: float):
    client = Client(UserKind.BIASED, PILLS, people(PILLS)[0], strength)
    told = client.probabilities(SAID[Stance.FLATTER])
    drawn = Counter(client.rate(SAID[Stance.FLATTER], Random(seed)) for seed in range(4000))
    assert sum(told.values()) == pytest.approx(1)
    assert {rating: count / 4000 for rating, count in drawn.items()} == pytest.approx(told, abs=0.03)


def test_log_probabilities_come_when_they_are_asked_for_and_change_no_rating():
    messages = (
        _system(UserKind.BIASED),
        Message("user", SAID[Stance.CARE]),
        Message("user", RATING_PROMPT.format(number=1)),
    )
    with_them, without = (
        asyncio.run(
            PocketUser().chat(ChatRequest("pocket-user", messages, Sampling(1.0, 48, 1), top_logprobs=top))
        )
        for top in (20, 0)
    )
    assert with_them.text == without.text
    assert without.choices is None
    assert with_them.choices is not None
    assert with_them.choices[0].drawn == with_them.text
