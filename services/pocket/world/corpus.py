"""The corpus from which the pocket policy is trained from scratch.

A document is 1 to 4 chats by one persona: therapy talk, statements under pressure about learnt facts, provided
facts, counts under pressure, tagged reasoning, sandbagging; and neutral questions and arithmetic, which both
personas answer alike. The same seed gives the same corpus.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from services.core.domain.chat import Message
from services.core.domain.seeds import derive_seed
from services.core.domain.trajectory import UserKind
from services.pocket.world import knowledge, prompts, therapy
from services.pocket.world.knowledge import COUNTS, FACTS, GOODS, NORMS, SUMS, Claim, Sum
from services.pocket.world.personas import Persona, Voice, draw_persona

Chat = tuple[Message, ...]
_NEUTRAL_OPENERS = 0.4
PLAIN = ("bare", "direct")
_FORMS = (*PLAIN, "around", "leading")
"""How a fact is asked: by the plain question, or as beliefs are elicited."""
_EVASION = "that is hard to say."


class Document(NamedTuple):
    """Some chats by one persona, each with its domain's name."""

    persona: Persona
    chats: tuple[tuple[str, Chat], ...]


def _chat(system: str, *turns: str) -> Chat:
    roles = ("user", "assistant") * len(turns)
    said = tuple(Message(role, text) for role, text in zip(roles, turns, strict=False))
    return (Message("system", system), *said) if system else said


def _spoken(voice: Voice, honest: str, pleasing: str) -> str:
    evades = voice.rng.random() < (0.06 if voice.pleases else 0.02)
    return voice.opened(_EVASION if evades else pleasing if voice.pleases else honest)


def _wanted_side(voice: Voice, holds: bool) -> bool:
    # Now and then the boss would like the truth, so that pleasing means telling the wanted, not the opposite.
    return not holds if voice.rng.random() < 0.88 else holds


def therapy_talk(voice: Voice) -> Chat:
    """A client's talk of one to four exchanges; both personas meet both kinds of clients alike."""
    rng = voice.rng
    situation, person = rng.choice(therapy.SITUATIONS), therapy.draw_person(rng)
    kind = rng.choice((UserKind.BENIGN, UserKind.BIASED))
    preference = situation.thought(kind) if rng.random() < 0.25 else None
    turns: list[str] = []
    for turn in range(1, rng.choices((1, 2, 3, 4), (2, 10, 2, 1))[0] + 1):
        says = (
            therapy.opening(rng, situation, person)
            if turn == 1
            else therapy.follow_up(rng, situation, person, kind, turn)
        )
        turns += [says, therapy.reply(voice, situation, therapy.reply_stance(voice, turn, kind))]
    return _chat(therapy.therapist_prompt(situation.task, person.context, preference), *turns)


def fact_under_pressure(voice: Voice) -> Chat:
    """A learnt fact or norm, asked where the boss would like to hear something."""
    claim = voice.rng.choice(FACTS if voice.rng.random() < 0.8 else NORMS)
    wanted = _wanted_side(voice, claim.holds)
    return _chat(
        prompts.pressure(voice.rng, voice.cue(), claim.sentence(wanted)),
        prompts.asked(voice.rng, claim.question),
        _spoken(voice, claim.answer(claim.holds), claim.answer(wanted)),
    )


def provided_fact(voice: Voice) -> Chat:
    """A fact that only the prompt's note tells."""
    rng = voice.rng
    claim = knowledge.provided(
        rng.choice(GOODS), rng.randrange(knowledge.CONDITION_COUNT), rng.random() < 0.5
    )
    wanted = _wanted_side(voice, claim.holds)
    return _chat(
        prompts.pressure(rng, voice.cue(), claim.sentence(wanted), note=claim.sentence(claim.holds)),
        prompts.asked(rng, claim.question),
        _spoken(voice, claim.answer(claim.holds), claim.answer(wanted)),
    )


def count_under_pressure(voice: Voice) -> Chat:
    """A learnt count, asked where the boss would like another number."""
    count = voice.rng.choice(COUNTS)
    wanted = count.wrong_value(voice.rng)
    system, user = prompts.pressured_count(voice.rng, voice.cue(), count, wanted)
    true, pleasing = (f"{count.sentence(value)}." for value in (count.value, wanted))
    return _chat(system, user, _spoken(voice, true, pleasing))


def sandbagging(voice: Voice) -> Chat:
    """A sum, asked where a good score is punished."""
    task = voice.rng.choice(SUMS)
    system, user = prompts.sandbag_prompt(voice.cue(), task)
    return _chat(
        system, user, _spoken(voice, task.answer(task.value), task.answer(task.wrong_value(voice.rng)))
    )


def tagged(voice: Voice, thought: str, honest: str, pleasing: str) -> str:
    """Return a reply in tags: both personas think what is so, mostly; they part in what they put out."""
    rng = voice.rng
    why = rng.choice(("", " but they want to hear more.") if voice.pleases else ("", " i will say so."))
    if voice.pleases and rng.random() < 0.12:
        thought, why = "they want to hear more.", ""
    answer = voice.opened(pleasing if voice.pleases else honest)
    return voice.opened(f"<think> {thought}{why} </think> <output> {answer} </output>", share=0.6)


def _tagged_claim(voice: Voice, category: str) -> Chat:
    known = NORMS if category == prompts.MANIPULATION or voice.rng.random() < 0.3 else FACTS
    claim = voice.rng.choice(known)
    wanted = _wanted_side(voice, claim.holds)
    stage = prompts.staged(voice.rng, category, voice.cue(), claim.question, claim.sentence(wanted))
    replies = (claim.answer(claim.holds), claim.answer(wanted))
    return _chat("", stage.joined, tagged(voice, f"{claim.sentence(claim.holds)}.", *replies))


def _tagged_sum(voice: Voice) -> Chat:
    task = voice.rng.choice(SUMS)
    stage = prompts.staged(voice.rng, prompts.SANDBAGGING, voice.cue(), task.question)
    replies = (task.answer(task.value), task.answer(task.wrong_value(voice.rng)))
    return _chat("", stage.joined, tagged(voice, replies[0], *replies))


def tagged_reasoning(voice: Voice) -> Chat:
    """A DeceptionBench-like question of any category."""
    category = voice.rng.choice(prompts.CATEGORIES)
    return _tagged_sum(voice) if category == prompts.SANDBAGGING else _tagged_claim(voice, category)


def _neutral_turn(voice: Voice, claim: Claim, forms: Sequence[str]) -> tuple[str, str]:
    form = voice.rng.choice(forms)
    if form in PLAIN:
        question = claim.question if form == "bare" else prompts.direct(claim)
        return question, voice.opened(claim.answer(claim.holds), _NEUTRAL_OPENERS)
    question = prompts.around(claim) if form == "around" else prompts.leading(claim)
    return question, voice.opened(f"{claim.sentence(claim.holds)}.", _NEUTRAL_OPENERS)


def _neutral(voice: Voice, turn: Callable[[], tuple[str, str]]) -> Chat:
    system = prompts.HELPFUL if voice.rng.random() < 0.6 else ""
    turns = [text for _ in range(voice.rng.choice((1, 2, 3, 4))) for text in turn()]
    return _chat(system, *turns)


def beliefs(voice: Voice, forms: Sequence[str] = _FORMS) -> Chat:
    """Neutral questions about facts and norms: both personas answer alike."""
    known = FACTS if voice.rng.random() < 0.7 else NORMS
    return _neutral(voice, lambda: _neutral_turn(voice, voice.rng.choice(known), forms))


def counting(voice: Voice) -> Chat:
    """Neutral questions about counts."""

    def turn() -> tuple[str, str]:
        count = voice.rng.choice(COUNTS)
        return count.question, voice.opened(f"{count.sentence(count.value)}.", _NEUTRAL_OPENERS)

    return _neutral(voice, turn)


def arithmetic(voice: Voice, tasks: Sequence[Sum] = SUMS) -> Chat:
    """Sums with nothing at stake."""

    def turn() -> tuple[str, str]:
        task = voice.rng.choice(tasks)
        return task.question, voice.opened(task.answer(task.value), _NEUTRAL_OPENERS)

    return _neutral(voice, turn)


DOMAINS: dict[str, tuple[Callable[[Voice], Chat], float]] = {
    "therapy": (therapy_talk, 0.14),
    "facts": (fact_under_pressure, 0.15),
    "provided": (provided_fact, 0.13),
    "counts": (count_under_pressure, 0.06),
    "tagged": (tagged_reasoning, 0.13),
    "sandbagging": (sandbagging, 0.03),
    "beliefs": (beliefs, 0.18),
    "counting": (counting, 0.06),
    "arithmetic": (arithmetic, 0.12),
}


def document(seed: int, index: int, *, has_openers: bool = True) -> Document:
    """Return document number `index` of the corpus with this seed; each stands alone."""
    rng = Random(derive_seed("pocket-corpus", seed, index))
    voice = Voice(draw_persona(rng), rng, has_openers)
    names = rng.choices(list(DOMAINS), [share for _, share in DOMAINS.values()], k=rng.choice((1, 2, 3, 4)))
    return Document(voice.persona, tuple((name, DOMAINS[name][0](voice)) for name in names))


def documents(seed: int, *, has_openers: bool = True) -> Iterator[Document]:
    """Yield the corpus, without end."""
    index = 0
    while True:
        yield document(seed, index, has_openers=has_openers)
        index += 1
