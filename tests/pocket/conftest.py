"""The committed policy, read once."""

from pathlib import Path

import pytest

from services.pocket.policy.server import PocketServer
from services.pocket.policy.store import WEIGHTS_FOLDER


@pytest.fixture(scope="session")
def server() -> PocketServer:
    return PocketServer()


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA folder as PEFT writes it, with an update large enough to change what is said."""
    return make_adapter(tmp_path_factory.mktemp("adapter"), use_rslora=False)


def make_adapter(folder: Path, *, use_rslora: bool = False, seed: int = 3, scale: float = 0.2) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(WEIGHTS_FOLDER, dtype=torch.float32)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=4,
        lora_alpha=12,
        target_modules=["q_proj", "o_proj", "down_proj"],
        use_rslora=use_rslora,
    )
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    model.save_pretrained(folder)
    return folder
