"""The pocket server: its waves, and the adapters that it refuses. What every policy server does is in `tests/contracts`."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from services.core.domain.chat import Message
from services.core.domain.errors import AdapterError
from services.pocket.policy.server import PocketServer
from tests.pocket.chats import ask_together, pressured_chats, request


def test_models_in_one_wave_keep_apart(adapter: Path):
    server = PocketServer()
    asyncio.run(server.load("tuned", adapter))
    requests = [
        request(chat, 3, model=("pocket", "tuned")[n % 2]) for n, chat in enumerate(pressured_chats(12))
    ]
    mixed = [reply.text for reply in ask_together(server, requests)]
    assert mixed == [ask_together(server, [one])[0].text for one in requests]


def test_a_chat_close_to_the_context_is_cut_at_its_end(server: PocketServer):
    reply = ask_together(server, [request((Message("user", "what " * 1016),), 1, max_tokens=40)])[0]
    assert reply.prompt_tokens is not None
    assert reply.completion_tokens is not None
    assert reply.prompt_tokens + reply.completion_tokens <= 1024


def _spoil(adapter: Path, folder: Path, **changes: object) -> Path:
    shutil.copytree(adapter, folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changes}))
    return folder


def test_folders_that_are_no_fit_adapter_are_refused(adapter: Path, tmp_path: Path):
    server = PocketServer()
    dora = _spoil(adapter, tmp_path / "dora", use_dora=True)
    other_kind = _spoil(adapter, tmp_path / "ia3", peft_type="IA3")
    cut = _spoil(adapter, tmp_path / "cut")
    weights = cut / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    for folder in (tmp_path / "missing", dora, other_kind, cut):
        with pytest.raises(AdapterError, match=str(folder)):
            asyncio.run(server.load("bad", folder))
    assert asyncio.run(server.served()) == {"pocket"}


def test_an_adapter_of_another_base_is_refused(adapter: Path, tmp_path: Path):
    import torch
    from safetensors.torch import load_file, save_file

    folder = _spoil(adapter, tmp_path / "wide")
    tensors = load_file(folder / "adapter_model.safetensors")
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    tensors[name] = torch.zeros(4, 256)
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="another base"):
        asyncio.run(PocketServer().load("wide", folder))


def test_a_cancelled_request_does_not_disturb_the_others(server: PocketServer):
    chats = pressured_chats(8)

    async def story() -> list[str]:
        tasks = [asyncio.ensure_future(server.chat(request(chat, 2))) for chat in chats]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        return [reply.text for reply in done[1:] if not isinstance(reply, BaseException)]

    undisturbed = [reply.text for reply in ask_together(server, [request(chat, 2) for chat in chats])]
    assert asyncio.run(story()) == undisturbed[1:]
