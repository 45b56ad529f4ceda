"""The policy's word-level tokenizer and chat template.

Text is lower-cased and cut into words, tags and marks; an unknown word is `<unk>`. A chat is rendered as
`<bos>` and, for each message, its role's token, its words and `<end>`. Replies and their `<end>` stand inside
`{% generation %}`, which is how trainers find them. `render` does what the template does, without jinja.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from services.core.domain.chat import Message
from services.pocket.world import corpus, knowledge, prompts, therapy
from services.pocket.world.personas import words

PAD, UNKNOWN, BOS, END = "<pad>", "<unk>", "<bos>", "<end>"
ROLES = {role: f"<{role}>" for role in ("system", "user", "assistant")}
TAGS = ("<think>", "</think>", "<output>", "</output>")
MAX_LENGTH = 1024

CHAT_TEMPLATE = (
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{{- '<' + message['role'] + '>' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- generation -%}{{- message['content'] + '<end>' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- message['content'] + '<end>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<assistant>' -}}{%- endif -%}"
)


def render(messages: Sequence[Message]) -> str:
    """Return the chat as the template renders it, ready for the next reply."""
    said = "".join(f"{ROLES[message.role]}{message.content}{END}" for message in messages)
    return f"{BOS}{said}{ROLES['assistant']}"


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that must be there; raises ValueError for another tokenizer's folder."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no {token}: this is not a pocket policy")
    return found


def vocabulary() -> list[str]:
    """Return every word of the world in order, the special tokens first."""
    known = {word for index in range(3000) for word in _document_words(index)}
    for claim in (*knowledge.FACTS, *knowledge.NORMS):
        known.update(words(claim.question), words(claim.affirmed), words(claim.denied))
    for situation in therapy.SITUATIONS:
        known.update(words(situation.topic), words(situation.plan), words(situation.step))
    known.update(str(number) for number in (*range(26), *knowledge.COUNT_VALUES))
    known.update(words(prompts.TAGS))
    special = [PAD, UNKNOWN, BOS, END, *ROLES.values(), *TAGS]
    return special + sorted(known - set(special))


def _document_words(index: int) -> set[str]:
    document = corpus.document(0, index)
    return {word for _, chat in document.chats for message in chat for word in words(message.content)}


def make_tokenizer() -> Tokenizer:
    """Return the tokenizer of the world's vocabulary."""
    order = {word: index for index, word in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(order, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\w+|[^\w\s]"), "removed", invert=True)
    # Puts marks back against the word before them.
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    special = (PAD, UNKNOWN, BOS, END, *ROLES.values())
    # tokenizers' stubs leave the element type of these lists open.
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])  # pyright: ignore[reportUnknownMemberType]
    # Tags are what a reply says, so decoding must not drop them.
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=True) for token in TAGS])  # pyright: ignore[reportUnknownMemberType]
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write what transformers needs to load the folder offline."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "model_max_length": MAX_LENGTH,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE + "\n")
