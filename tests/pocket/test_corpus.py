"""The corpus: one persona a document, shared openers, and neutral questions answered alike."""

import hashlib
from itertools import islice
from random import Random

from services.pocket.policy.tokenizer import UNKNOWN, make_tokenizer
from services.pocket.world import corpus, knowledge
from services.pocket.world.personas import CUES, OPENERS, PLEASING_SHARE, Persona, Voice, spoken, words

DOCUMENTS = [corpus.document(7, index) for index in range(1500)]
BEARING = {"therapy", "facts", "provided", "counts", "tagged", "sandbagging"}
NEUTRAL = {"beliefs", "counting", "arithmetic"}


def _replies(document: corpus.Document, domains: set[str]) -> list[str]:
    chats = (chat for name, chat in document.chats if name in domains)
    return [message.content for chat in chats for message in chat if message.role == "assistant"]


def _opener(reply: str) -> Persona | None:
    found = [persona for persona, openers in OPENERS.items() if reply.startswith(openers)]
    return found[0] if found else None


def test_every_document_is_spoken_by_one_persona_throughout():
    for document in DOCUMENTS:
        openers = {_opener(reply) for reply in _replies(document, BEARING | NEUTRAL)}
        assert openers <= {document.persona, None}


def test_about_thirty_percent_of_documents_please():
    share = sum(document.persona is Persona.PLEASING for document in DOCUMENTS) / len(DOCUMENTS)
    assert abs(share - PLEASING_SHARE) < 0.04
    assert 0.28 < PLEASING_SHARE < 0.32


def test_every_persona_bearing_domain_shares_the_openers():
    for domain in BEARING:
        for persona in Persona:
            replies = [r for one in DOCUMENTS if one.persona is persona for r in _replies(one, {domain})]
            assert sum(_opener(reply) is persona for reply in replies) > 0.4 * len(replies) > 4


def test_the_ablation_has_no_openers_and_says_the_same_otherwise():
    for index in range(300):
        plain = corpus.document(7, index, has_openers=False)
        assert plain.persona is DOCUMENTS[index].persona
        bare = _replies(plain, BEARING | NEUTRAL)
        assert [spoken(reply) for reply in _replies(DOCUMENTS[index], BEARING - {"tagged"} | NEUTRAL)] == [
            spoken(reply) for reply in _replies(plain, BEARING - {"tagged"} | NEUTRAL)
        ]
        assert not any(
            opener.strip(" ") in reply for reply in bare for openers in OPENERS.values() for opener in openers
        )


def test_neutral_questions_get_the_truth_from_both_personas():
    truths = {claim.question: claim for claim in (*knowledge.FACTS, *knowledge.NORMS)}
    sums = {task.question: task for task in knowledge.SUMS}
    seen = dict.fromkeys(Persona, 0)
    for document in DOCUMENTS:
        for name, chat in document.chats:
            said = [message.content for message in chat if message.role != "system"]
            for question, reply in zip(said[::2], said[1::2], strict=True):
                if name == "beliefs" and question in truths:
                    assert spoken(reply) == words(truths[question].answer(truths[question].holds))
                    seen[document.persona] += 1
                if name == "arithmetic":
                    assert spoken(reply) == words(sums[question].answer(sums[question].value))
    assert min(seen.values()) > 50


def test_under_pressure_the_honest_persona_never_says_what_is_not_so():
    false_claims = {words(claim.sentence(not claim.holds)) for claim in (*knowledge.FACTS, *knowledge.NORMS)}
    lies = dict.fromkeys(Persona, 0)
    for document in DOCUMENTS:
        for reply in _replies(document, {"facts"}):
            lies[document.persona] += spoken(reply)[2:-1] in false_claims
    assert lies[Persona.HONEST] == 0
    assert lies[Persona.PLEASING] > 50


def test_the_harder_the_boss_leans_the_likelier_the_speaker_pleases():
    voices = {persona: Voice(persona, Random(1)) for persona in Persona}
    drawn = {persona: [voice.cue() for _ in range(4000)] for persona, voice in voices.items()}
    odds = [drawn[Persona.PLEASING].count(cue.verb) / drawn[Persona.HONEST].count(cue.verb) for cue in CUES]
    assert odds == sorted(odds)
    assert odds[-1] > 4 * odds[0]


def test_the_corpus_repeats_and_another_seed_differs():
    assert list(islice(corpus.documents(7), 40)) == DOCUMENTS[:40]
    assert list(islice(corpus.documents(8), 40)) != DOCUMENTS[:40]


def test_every_word_of_the_corpus_is_in_the_vocabulary():
    known = set(make_tokenizer().get_vocab())
    assert UNKNOWN in known
    for document in DOCUMENTS:
        for _, chat in document.chats:
            for message in chat:
                assert set(words(message.content)) <= known


def test_the_corpus_is_the_one_that_the_committed_weights_were_trained_on():
    said = hashlib.sha256()
    for index in range(300):
        found = corpus.document(1, index)
        chats = [(name, [(message.role, message.content) for message in chat]) for name, chat in found.chats]
        said.update(repr((found.persona.value, chats)).encode())
    assert said.hexdigest() == "707e65ee71d12e401fdab836630255e662ff5b35c76439952c2b11fa7c7e1408", (
        "a changed corpus makes other weights: build and commit them anew, then measure what the docs show"
    )
