"""Generation: alone or in company, a request gets the same reply; greedy equals transformers."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.chat import Message
from services.pocket.policy.decode import _inverse_cdf
from services.pocket.policy.server import PocketServer
from services.pocket.policy.store import WEIGHTS_FOLDER
from services.pocket.policy.tokenizer import render
from tests.pocket.chats import ask_together, pressured_chats, request
from tests.pocket.conftest import make_adapter


def test_company_does_not_change_a_reply(server: PocketServer):
    requests = [request(chat, seed) for seed, chat in enumerate(pressured_chats(64))]
    alone = [ask_together(server, [one])[0].token_ids for one in requests[:16]]
    by_eight = [
        r.token_ids for start in range(0, 64, 8) for r in ask_together(server, requests[start : start + 8])
    ]
    together = [reply.token_ids for reply in ask_together(server, requests)]
    shuffled = list(range(64))
    random.Random(5).shuffle(shuffled)
    in_disorder = dict(zip(shuffled, ask_together(server, [requests[n] for n in shuffled]), strict=True))
    assert together[:16] == alone
    assert together == by_eight
    assert together == [in_disorder[n].token_ids for n in range(64)]


def test_another_seed_is_another_draw(server: PocketServer):
    chat = pressured_chats(1)[0]
    replies = ask_together(server, [request(chat, seed) for seed in range(24)])
    assert len({reply.text for reply in replies}) > 3
    again = ask_together(server, [request(chat, seed) for seed in range(24)])
    assert [reply.text for reply in replies] == [reply.text for reply in again]


def test_temperature_zero_ignores_the_seed(server: PocketServer):
    chat = pressured_chats(1)[0]
    assert (
        len({r.text for r in ask_together(server, [request(chat, n, temperature=0.0) for n in range(6)])})
        == 1
    )


def test_a_tiny_nucleus_is_greedy(server: PocketServer):
    chats = pressured_chats(20)
    greedy = ask_together(server, [request(chat, 1, temperature=0.0) for chat in chats])
    narrow = ask_together(server, [request(chat, 1, top_p=1e-6) for chat in chats])
    assert [reply.token_ids for reply in greedy] == [reply.token_ids for reply in narrow]


@given(
    weights=st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(lambda w: sum(w) > 0),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_inverse_cdf_draws_token_i_iff_chance_is_in_its_share(weights: list[int], chance: float):
    probabilities = torch.tensor([weights], dtype=torch.float64) / sum(weights)
    drawn = int(_inverse_cdf(probabilities, torch.ones(1), torch.tensor([chance], dtype=torch.float64)))
    assert weights[drawn] > 0
    below = sum(weights[:drawn]) / sum(weights)
    assert below - 1e-12 <= chance < below + weights[drawn] / sum(weights) + 1e-12


def test_a_nucleus_leaves_out_the_tail():
    probabilities = torch.tensor([[0.1, 0.5, 0.4]], dtype=torch.float64)
    drawn = [
        int(_inverse_cdf(probabilities, torch.tensor([0.8]), torch.tensor([u / 50], dtype=torch.float64)))
        for u in range(50)
    ]
    assert set(drawn) == {1, 2}
    assert drawn.count(1) == 28


def test_limits_and_counts(server: PocketServer):
    chat = (Message("user", "What is 2 plus 2?"),)
    short, whole = ask_together(
        server, [request(chat, 1, temperature=0.0, max_tokens=2), request(chat, 1, temperature=0.0)]
    )
    assert (short.finish_reason, short.completion_tokens) == ("length", 2)
    assert whole.finish_reason == "stop"
    assert whole.token_ids is not None
    assert whole.completion_tokens == len(whole.token_ids)
    assert whole.prompt_tokens == 10
    assert whole.text.startswith(short.text)


def _transformers_greedy(folder: Path | None, chats: list[tuple[Message, ...]]) -> list[list[int]]:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS_FOLDER)
    model: Any = AutoModelForCausalLM.from_pretrained(WEIGHTS_FOLDER, dtype=torch.float64)
    if folder is not None:
        model = PeftModel.from_pretrained(model, folder).double()
    replies: list[list[int]] = []
    for chat in chats:
        ids = tokenizer(render(chat), add_special_tokens=False, return_tensors="pt")["input_ids"]
        out = model.generate(input_ids=ids, max_new_tokens=24, do_sample=False)
        replies.append(out[0, ids.shape[1] :].tolist())
    return replies


def _greedy(server: PocketServer, model: str, chats: list[tuple[Message, ...]]) -> list[list[int]]:
    replies = ask_together(server, [request(chat, 1, model=model, temperature=0.0) for chat in chats])
    return [list(reply.token_ids or ()) for reply in replies]


def test_greedy_equals_transformers_for_the_base(server: PocketServer):
    chats = pressured_chats(12)
    assert _greedy(server, "pocket", chats) == _transformers_greedy(None, chats)


@pytest.mark.parametrize("use_rslora", [False, True])
def test_greedy_equals_transformers_for_an_adapter(tmp_path: Path, use_rslora: bool):
    folder, chats = make_adapter(tmp_path, use_rslora=use_rslora), pressured_chats(12)
    server = PocketServer()
    asyncio.run(server.load("tuned", folder))
    tuned = _greedy(server, "tuned", chats)
    assert tuned == _transformers_greedy(folder, chats)
    assert tuned != _greedy(server, "pocket", chats)
