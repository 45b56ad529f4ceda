"""What the pocket policy's wire can do that the wire client does not ask for, and what it refuses."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from services.core.llm.policies import WirePolicies
from services.pocket.policy.server import PocketServer
from services.pocket.policy.wire import create_app
from tests.e2e.serving import serving
from tests.pocket.chats import pressured_chats, request

CHAT = {"model": "pocket", "messages": [{"role": "user", "content": "What is 2 plus 2?"}], "seed": 3}


@pytest.fixture(scope="module")
def folder(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one adapter, `a`, in it."""
    made = tmp_path_factory.mktemp("adapters")
    shutil.copytree(adapter, made / "a")
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(PocketServer(), folder)) as opened:
        yield opened


def ask(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/chat/completions", json=CHAT | changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_several_choices_start_with_the_one(client: TestClient):
    alone, several = ask(client), ask(client, n=6)
    texts = [choice["message"]["content"] for choice in several["choices"]]
    assert texts[0] == alone["choices"][0]["message"]["content"]
    assert len(set(texts)) > 1
    assert texts == [choice["message"]["content"] for choice in ask(client, n=6)["choices"]]
    assert [choice["index"] for choice in several["choices"]] == list(range(6))


def test_without_a_seed_one_is_drawn(client: TestClient):
    def choices() -> list[Any]:
        return ask(client, seed=None, n=8)["choices"]

    assert choices() != choices()


def test_a_reply_ends_before_a_stop(client: TestClient):
    whole = ask(client, return_token_ids=True, logprobs=True)
    text = whole["choices"][0]["message"]["content"]
    stop = text.split()[2]
    cut = ask(client, stop=["never said", stop], return_token_ids=True, logprobs=True)
    choice = cut["choices"][0]
    assert choice["message"]["content"] == text[: text.index(stop)]
    assert choice["finish_reason"] == "stop"
    count = cut["usage"]["completion_tokens"]
    assert count < whole["usage"]["completion_tokens"]
    assert choice["token_ids"] == whole["choices"][0]["token_ids"][:count]
    assert len(choice["logprobs"]["content"]) == count


def test_usage_and_logprobs_count_every_token(client: TestClient):
    body = ask(client, logprobs=True, return_token_ids=True)
    choice, usage = body["choices"][0], body["usage"]
    assert len(choice["token_ids"]) == len(choice["logprobs"]["content"]) == usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert all(one["logprob"] <= 0 for one in choice["logprobs"]["content"])


def test_what_was_not_asked_for_is_not_told(client: TestClient):
    choice = ask(client)["choices"][0]
    assert choice["logprobs"] is None
    assert "token_ids" not in choice


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n:"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ""}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"stream": True}, "stream"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"top_logprobs": 5}, "top_logprobs"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(client: TestClient, changes: dict[str, Any], says: str):
    answer = client.post("/v1/chat/completions", json=CHAT | changes)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model": "nobody"}, 404, "model_not_found"),
        ({"messages": [{"role": "user", "content": "what " * 1100}]}, 400, "context_length_exceeded"),
    ],
)
def test_refusals_carry_openais_codes(client: TestClient, changes: dict[str, Any], status: int, code: str):
    answer = client.post("/v1/chat/completions", json=CHAT | changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_adapters_outside_the_folder_are_refused(client: TestClient, adapter: Path, folder: Path):
    (folder / "link").symlink_to(adapter)
    for path in (adapter, folder / ".." / adapter.name, folder / "link"):
        answer = client.post("/v1/load_lora_adapter", json={"lora_name": "evil", "lora_path": str(path)})
        assert answer.status_code == 400
        assert "where adapters are loaded from" in answer.json()["error"]["message"]
    listed = client.get("/v1/models").json()["data"]
    assert [card["id"] for card in listed] == ["pocket"]


def test_models_tell_where_weights_came_from(client: TestClient, folder: Path):
    load = {"lora_name": "a", "lora_path": str(folder / "a")}
    assert client.post("/v1/load_lora_adapter", json=load).status_code == 200
    base, tuned = client.get("/v1/models").json()["data"]
    assert (base["id"], base["max_model_len"]) == ("pocket", 1024)
    assert (tuned["id"], tuned["root"], tuned["parent"]) == ("a", str(folder / "a"), "pocket")
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "a"}).status_code == 200


def test_wrong_paths_are_openai_shaped_too(client: TestClient):
    answer = client.get("/v1/engines")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Not Found")


def test_it_is_healthy(client: TestClient):
    assert client.get("/health").status_code == 200


def test_a_restarted_server_gets_its_adapters_back(folder: Path):
    asked = [request(chat, 4, model="run-1-r1") for chat in pressured_chats(6)]

    async def story(client: WirePolicies, restart: Any) -> None:
        async def texts() -> list[str]:
            return [reply.text for reply in await asyncio.gather(*map(client.chat, asked))]

        await client.load("run-1-r1", folder / "a")
        before = await texts()
        restart()
        assert await client.served() == {"pocket"}
        assert await texts() == before
        await client.close()

    with serving("pocket", "serve", "--adapters", str(folder), health="/health") as server:

        def restart() -> None:
            server.kill()
            server.start()

        asyncio.run(story(WirePolicies(server.url), restart))


def test_openais_own_client_shape_is_understood(client: TestClient):
    body = CHAT | {"stream": False, "user": "somebody", "stop": None}
    answer: httpx2.Response = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
