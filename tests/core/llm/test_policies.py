"""The wire client against a server that misbehaves: what is asked again, what is not, and what a failure is called."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.core.domain.chat import ChatReply, ChatRequest, Message, Sampling
from services.core.domain.errors import AdapterError, ProviderError
from services.core.llm import wire
from services.core.llm.policies import WirePolicies
from services.core.llm.wire import Patience
from tests.core.llm.misbehaving import Act, Breaks, Drops, Misbehaving, Says, Waits, completion, misbehaving

QUESTION = ChatRequest("m", (Message("user", "Well?"),), Sampling(0.5, 8, seed=7, top_p=0.9))
HASTY = Patience(connect_s=5, answer_s=0.2, outage_s=1.5)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(wire, "LONGEST_PAUSE_S", 0.05)


def meet(
    *acts: Act, do: Callable[[WirePolicies], Awaitable[Any]], patience: Patience = HASTY
) -> tuple[Any, Misbehaving]:
    """Return what came of it, an exception too, and what the server saw."""

    async def story() -> tuple[Any, Misbehaving]:
        async with misbehaving(acts) as server:
            client = WirePolicies(f"{server.url}/v1/", patience)
            try:
                return await do(client), server
            except (ProviderError, AdapterError) as error:
                return error, server
            finally:
                await client.close()

    return asyncio.run(story())


def chat(client: WirePolicies) -> Awaitable[ChatReply]:
    return client.chat(QUESTION)


def test_the_request_says_how_to_draw():
    reply, server = meet(completion(), do=chat)
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == (
        "Yes.",
        "stop",
        3,
        2,
    )
    assert (reply.token_ids, reply.cost_usd, reply.reasoning) == (None, None, None)
    assert server.asked == [
        (
            "/v1/chat/completions",
            {
                "model": "m",
                "messages": [{"role": "user", "content": "Well?"}],
                "temperature": 0.5,
                "top_p": 0.9,
                "max_tokens": 8,
                "seed": 7,
                "return_token_ids": True,
            },
        )
    ]


@pytest.mark.parametrize(
    "act",
    [
        Says(429, "slow down"),
        Says(500, '{"error": {"message": "out of memory"}}'),
        Says(503, "<html>"),
        Drops(),
        Breaks(),
    ],
    ids=["429", "500", "503", "dropped", "broken off"],
)
def test_what_may_pass_is_asked_again(act: Act):
    reply, server = meet(act, act, completion("At last."), do=chat)
    assert reply.text == "At last."
    assert len(server.asked) == 3


def test_the_server_says_how_long_to_wait():
    async def timed(client: WirePolicies) -> float:
        started = asyncio.get_running_loop().time()
        await chat(client)
        return asyncio.get_running_loop().time() - started

    waited_s, _ = meet(Says(429, headers={"Retry-After": "0.4"}), completion(), do=timed)
    assert waited_s >= 0.39


def http_date(away: timedelta) -> str:
    return format_datetime(datetime.now(UTC) + away, usegmt=True)


@pytest.mark.parametrize("after", ["86400", http_date(timedelta(days=1))], ids=["seconds", "date"])
def test_a_wait_longer_than_the_patience_is_not_begun(after: str):
    error, server = meet(Says(429, "tomorrow", {"Retry-After": after}), completion(), do=chat)
    assert (error.cause, len(server.asked)) == ("rate_limited", 1)


@pytest.mark.parametrize(
    "after",
    ["-5", "soon", "", http_date(timedelta(days=-1))],
    ids=["less than none", "word", "empty", "date"],
)
def test_a_wait_that_makes_no_sense_is_none(after: str):
    reply, _ = meet(Says(503, "", {"Retry-After": after}), completion("Here."), do=chat)
    assert reply.text == "Here."


def test_an_outage_that_does_not_pass_is_a_failure():
    error, server = meet(do=chat)
    assert error.cause == "server_error"
    assert str(error).endswith("/v1/chat/completions: 500: there is no more")
    assert len(server.asked) > 3


def test_an_outage_is_one_line_of_the_log():
    async def many(client: WirePolicies) -> list[object]:
        return await asyncio.gather(*(chat(client) for _ in range(8)), return_exceptions=True)

    with capture_logs() as logged:
        errors, _ = meet(do=many)
    assert {error.cause for error in errors} == {"server_error"}
    assert [line["event"] for line in logged] == ["a model server does not answer; asking again"]


def test_a_server_that_is_not_there_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = WirePolicies(f"http://127.0.0.1:{port}", Patience(outage_s=0.1))

    async def story() -> None:
        try:
            await chat(client)
        finally:
            await client.close()

    with pytest.raises(ProviderError) as caught:
        asyncio.run(story())
    assert caught.value.cause == "unreachable"


def test_a_slow_answer_is_not_asked_for_again():
    error, server = meet(Waits(5), completion(), do=chat)
    assert (error.cause, len(server.asked)) == ("timeout", 1)


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (Says(400, '{"error": {"message": "bad temperature"}}'), "refused"),
        (Says(401, '{"detail": "who are you?"}'), "refused"),
        (Says(404, '{"detail": "Not Found"}'), "refused"),
        (Says(404, '{"error": {"message": "The model `m` does not exist.", "code": 404}}'), "unknown_model"),
        (Says(400, '{"object": "error", "message": "maximum context length is 9 tokens"}'), "context_length"),
        (Says(400, '{"error": {"message": "", "code": "context_length_exceeded"}}'), "context_length"),
        (Says(200, "<html>welcome</html>"), "garbled"),
        (Says(200, '{"choices": []}'), "garbled"),
        (Says(200, '{"choices": [{"message"'), "garbled"),
        (Says(200, ""), "garbled"),
    ],
)
def test_a_servers_last_word_is_a_failure_by_cause(act: Act, cause: str):
    error, server = meet(act, completion(), do=chat)
    assert isinstance(error, ProviderError)
    assert (error.cause, len(server.asked)) == (cause, 1)


@pytest.mark.parametrize("content", [None, ""])
def test_an_empty_answer_is_an_answer_with_a_cause(content: str | None):
    reply, _ = meet(completion(content, "length"), do=chat)
    assert (reply.text, reply.finish_reason) == ("", "length")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(key: str):
    reply, _ = meet(completion("No.", **{key: "They want a yes.\x1b"}), do=chat)
    assert (reply.text, reply.reasoning) == ("No.", "They want a yes.\ufffd")


def test_token_ids_are_kept():
    body = json.loads(completion().body)
    body["choices"][0]["token_ids"] = [5, 6]
    reply, _ = meet(Says(body=json.dumps(body)), do=chat)
    assert reply.token_ids == (5, 6)


def test_a_complaint_can_be_shown():
    error, _ = meet(Says(400, '{"error": {"message": "bad\x07\\u0000 ' + "x" * 9000 + '"}}'), do=chat)
    assert str(error).isprintable()
    assert len(str(error)) < 500


def test_one_connection_serves_many_calls():
    async def thrice(client: WirePolicies) -> None:
        for _ in range(3):
            await chat(client)

    _, server = meet(completion(), completion(), completion(), do=thrice)
    assert len(server.connections) == 1


def models(**roots: str) -> Says:
    return Says(body=json.dumps({"data": [{"id": name, "root": root} for name, root in roots.items()]}))


def test_a_load_that_another_did_first_is_a_load(tmp_path: Path):
    taken = Says(400, '{"error": {"message": "The lora adapter \'a\' has already been loaded."}}')
    acts = (models(m="base"), taken, models(m="base", a=str(tmp_path)))
    outcome, server = meet(*acts, do=lambda client: client.load("a", tmp_path))
    assert outcome is None
    assert server.asked[1] == ("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": str(tmp_path)})


def test_a_load_whose_answer_was_lost_is_a_load(tmp_path: Path):
    acts = (models(m="base"), Drops(), Says(400, "already loaded"), models(a=str(tmp_path)))
    outcome, _ = meet(*acts, do=lambda client: client.load("a", tmp_path))
    assert outcome is None


def test_plain_text_is_a_load(tmp_path: Path):
    added = Says(200, "Success: LoRA adapter 'a' added successfully.")
    outcome, server = meet(models(m="base"), added, do=lambda client: client.load("a", tmp_path))
    assert (outcome, len(server.asked)) == (None, 2)


def test_a_refused_load_names_adapter_and_folder(tmp_path: Path):
    acts = (models(m="base"), Says(400, '{"error": {"message": "rank 64 is too large"}}'), models(m="base"))
    error, _ = meet(*acts, do=lambda client: client.load("a", tmp_path))
    assert isinstance(error, AdapterError)
    assert str(error).startswith("a: ")
    assert str(error).endswith(f"does not load {tmp_path}: rank 64 is too large")


def test_a_server_that_lists_no_models_is_no_policy_server(tmp_path: Path):
    error, _ = meet(Says(200, "<html>"), do=lambda client: client.load("a", tmp_path))
    assert isinstance(error, AdapterError)
    assert "does not list its models: <html>" in str(error)


def probed(text: str) -> Says:
    said = json.loads(completion(text).body)
    said["choices"][0]["logprobs"] = {"content": [{"logprob": -0.5}]}
    return Says(body=json.dumps(said))


@pytest.mark.parametrize("ask", [chat, lambda client: client.probe("m")], ids=["chat", "probe"])
def test_a_forgotten_adapter_is_loaded_again(tmp_path: Path, ask: Callable[[WirePolicies], Awaitable[Any]]):
    gone = Says(404, '{"error": {"message": "The model `m` does not exist."}}')

    async def load_and_ask(client: WirePolicies) -> Any:
        await client.load("m", tmp_path)
        return await ask(client)

    acts = (models(m=str(tmp_path)), gone, models(b="base"), Says(), probed("Back."))
    reply, server = meet(*acts, do=load_and_ask)
    assert reply.text == "Back."
    paths = [path.removeprefix("/v1/") for path, _ in server.asked]
    assert paths == ["models", "chat/completions", "models", "load_lora_adapter", "chat/completions"]


def test_what_was_never_loaded_here_stays_unknown():
    error, server = meet(Says(404, '{"error": {"message": "The model `m` does not exist."}}'), do=chat)
    assert (error.cause, len(server.asked)) == ("unknown_model", 1)


def test_a_server_that_tells_no_logprobs_cannot_be_probed():
    error, _ = meet(completion(), do=lambda client: client.probe("m"))
    assert isinstance(error, AdapterError)
    assert "can't be probed" in str(error)


def test_a_sleeping_server_is_woken_and_an_awake_one_left_alone():
    asleep = meet(Says(body='{"is_sleeping":true}'), Says(), do=lambda client: client.wake())[1]
    awake = meet(Says(body='{"is_sleeping": false}'), do=lambda client: client.wake())[1]
    assert [path for path, _ in asleep.asked] == ["/is_sleeping", "/wake_up"]
    assert [path for path, _ in awake.asked] == ["/is_sleeping"]


def test_a_server_that_can_not_sleep_says_how_to_mend_it():
    error, _ = meet(Says(404, "Not Found"), do=lambda client: client.sleep())
    assert isinstance(error, AdapterError)
    assert "--enable-sleep-mode" in str(error)
