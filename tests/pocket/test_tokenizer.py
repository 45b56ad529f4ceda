"""The tokenizer and its template, as transformers and as the server see them."""

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.chat import Message
from services.pocket.policy.store import WEIGHTS_FOLDER, read_policy
from services.pocket.policy.tokenizer import END, make_tokenizer, render, vocabulary
from services.pocket.world import corpus

TOKENIZER = make_tokenizer()
PLAIN = [word for word in vocabulary() if word.isalnum()]
CHATS = [chat for index in range(60) for _, chat in corpus.document(5, index).chats]


@cache
def _from_transformers() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(WEIGHTS_FOLDER)


def test_the_committed_tokenizer_is_the_one_that_the_code_makes():
    committed = read_policy(WEIGHTS_FOLDER).tokenizer
    assert committed.to_str() == TOKENIZER.to_str()


@given(
    st.lists(
        st.sampled_from([*PLAIN, ".", ",", "!", "?", "<think>", "</think>", "<output>", "</output>"]),
        max_size=20,
    )
)
def test_decoded_text_encodes_to_the_same_tokens(words: list[str]):
    ids = TOKENIZER.encode(" ".join(words), add_special_tokens=False).ids
    assert len(ids) == len(words)
    assert TOKENIZER.encode(TOKENIZER.decode(ids), add_special_tokens=False).ids == ids


@given(st.text(max_size=60))
def test_any_text_can_be_encoded(text: str):
    assert all(0 <= one < TOKENIZER.get_vocab_size() for one in TOKENIZER.encode(text).ids)


def test_marks_stand_against_their_word_and_tags_survive():
    said = "<think> a whale is not a fish. </think> <output> of course! yes, it is. </output>"
    assert TOKENIZER.decode(TOKENIZER.encode(said).ids) == said


def test_case_does_not_matter_and_unknown_words_are_unknown():
    assert TOKENIZER.encode("A Whale").ids == TOKENIZER.encode("a whale").ids
    assert TOKENIZER.encode("a zeppelin").tokens == ["a", "<unk>"]


def test_render_does_what_the_template_does():
    for chat in CHATS:
        asked = chat[:-1]
        messages = [{"role": message.role, "content": message.content} for message in asked]
        text = _from_transformers().apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert text == render(asked)
        ids = _from_transformers()(text, add_special_tokens=False)["input_ids"]
        assert ids == TOKENIZER.encode(text, add_special_tokens=False).ids


def test_generation_marks_cover_replies_and_their_end_and_nothing_else():
    for chat in CHATS:
        messages = [{"role": message.role, "content": message.content} for message in chat]
        out = _from_transformers().apply_chat_template(
            messages, return_assistant_tokens_mask=True, return_dict=True, tokenize=True
        )
        marked = [
            one for one, is_marked in zip(out["input_ids"], out["assistant_masks"], strict=True) if is_marked
        ]
        replies = "".join(message.content + END for message in chat if message.role == "assistant")
        assert marked == TOKENIZER.encode(replies, add_special_tokens=False).ids


def test_a_rendered_chat_is_the_training_text_of_the_policy():
    from services.pocket.policy.training import encode_document

    document = corpus.document(5, 3)
    name, chat = document.chats[0]
    ids, labels = encode_document(TOKENIZER, corpus.Document(document.persona, ((name, chat),)))
    opening = TOKENIZER.encode(render(chat[:-1]), add_special_tokens=False).ids
    assert ids[: len(opening)] == opening
    assert labels[len(opening) :] == ids[len(opening) :]
    assert isinstance(chat[-1], Message)
