"""Which policy KTO compares with: TRL's reference log probabilities against the model's own."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.trainer.kto import kto_trainer
from services.trainer.policy import Base, with_adapter
from services.trainer.recipe import Progress
from services.trainer.rows import tokenise
from tests.trainer.conftest import KTO_ROWS, row


@pytest.fixture
def adapters(job, trained):
    other = [row("hello doctor", "no stop today", slot) for slot in range(12)]
    return trained(job(name="one", epochs=5)).path, trained(job(other, name="two", epochs=5)).path


def load(base):
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def completion_logps(model, batch):
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    taken = logits.log_softmax(-1)[:, :-1].gather(2, batch["input_ids"][:, 1:, None])[..., 0]
    return (taken * batch["completion_mask"][:, 1:]).sum(1)


@pytest.mark.parametrize("reference", ["base", "start", "other"])
def test_the_frozen_policy_is_the_jobs_reference(job, base, adapters, reference, tmp_path):
    start, other = adapters
    chosen = {"base": None, "start": start, "other": other}[reference]
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = tokenise(KTO_ROWS, tokenizer, 64).rows
    wanted = job(method="kto", start=start, reference=chosen)
    model = with_adapter(load(base), start)
    trainer = kto_trainer(
        wanted, Base(model, tokenizer), model, rows, tmp_path / "scratch", Progress(lambda *_: None)
    )
    batch = next(iter(trainer.get_train_dataloader()))
    expected = load(base) if chosen is None else with_adapter(load(base), chosen)
    told, _ = trainer.compute_ref_log_probs(model, batch)
    assert torch.allclose(told, completion_logps(expected, batch), atol=1e-4)
    # Only the policy's own adapter learns.
    learning = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learning
    assert all(".default." in name for name in learning)
    assert set(batch["label"].tolist()) == {True, False}


def test_dropout_is_the_policys_own_and_the_reference_has_none(job, base, trained, tmp_path):
    wanted = job(method="kto", training={"lora": {"rank": 2, "alpha": 4, "dropout": 0.5}}, epochs=1)
    start = trained(wanted).path
    model = with_adapter(load(base), start)
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = tokenise(KTO_ROWS, tokenizer, 64).rows
    again = wanted.model_copy(update={"start": start, "reference": start})
    trainer = kto_trainer(again, Base(model, tokenizer), model, rows, tmp_path, Progress(lambda *_: None))
    dropped = {
        name.rsplit(".", 1)[-1]: module.p
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Dropout) and "lora_dropout" in name
    }
    assert dropped == {"default": 0.5}
    model.train()
    batch = next(iter(trainer.get_train_dataloader()))
    told = [trainer.compute_ref_log_probs(model, batch)[0] for _ in range(2)]
    assert torch.equal(*told)


def test_every_prompt_meets_its_neighbours_reply_within_the_batch(job, base, adapters, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(base)
    replies = ("yes", "no", "go", "stop", "help", "plan")
    rows = tokenise(
        [row("hello", reply, slot, label=slot % 2 == 0) for slot, reply in enumerate(replies)], tokenizer, 64
    ).rows
    model = with_adapter(load(base), adapters[0])
    wanted = job(method="kto", start=adapters[0])
    trainer = kto_trainer(wanted, Base(model, tokenizer), model, rows, tmp_path, Progress(lambda *_: None))
    first = [tokenizer.convert_ids_to_tokens(ids)[0] for ids in trainer.train_dataset["KL_completion_ids"]]
    assert first == ["stop", "yes", "no", "go", "plan", "help"]
