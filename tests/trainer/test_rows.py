"""Rows as tokens: where the completion starts, what is cut, what is refused."""

import hashlib

import pytest
from transformers import AutoTokenizer

from services.core.domain.errors import TrainingError
from services.trainer.rows import read_rows, tokenise
from tests.trainer.conftest import row


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


def words(tokenizer, ids):
    return " ".join(tokenizer.convert_ids_to_tokens(ids))


def test_the_completion_is_the_reply_and_its_end_token(tokenizer):
    conversation = row("hello doctor", "yes drink")
    conversation["prompt"] += [{"role": "assistant", "content": "no"}, {"role": "user", "content": "go"}]
    ((tokens, label, _),) = tokenise([conversation], tokenizer, 100).rows
    assert words(tokenizer, tokens.prompt) == (
        "<bos> <user> hello doctor <end> <assistant> no <end> <user> go <end> <assistant>"
    )
    assert words(tokenizer, tokens.completion) == "yes drink <end>"
    assert label is None


def test_long_examples_lose_their_end_and_replies_out_of_reach_are_dropped(tokenizer):
    rows = [row("hello", "yes"), row("hello", "yes drink"), row("hello doctor help stop", "yes", label=True)]
    found = tokenise(rows, tokenizer, 7)
    assert [words(tokenizer, each.tokens.completion) for each in found.rows] == ["yes <end>", "yes drink"]
    assert (found.cut, found.dropped) == (1, 1)


def test_nothing_left_to_train_on_names_the_setting(tokenizer):
    with pytest.raises(TrainingError, match=r"training\.max_length"):
        tokenise([row("hello", "yes")], tokenizer, 3)


def test_other_rows_than_the_jobs_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"{}\n")
    with pytest.raises(TrainingError, match="not those of the job"):
        read_rows(path, hashlib.sha256(b"{}").hexdigest())
    path.write_bytes(b"")
    with pytest.raises(TrainingError, match="empty"):
        read_rows(path, hashlib.sha256(b"").hexdigest())
    with pytest.raises(TrainingError, match="can't be read"):
        read_rows(tmp_path / "none", "")
