"""What SFT learns from: replies and their end, never prompts; the paper's numbers reach TRL."""

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.sft_config import SFTConfig

from services.trainer.policy import Base, with_adapter
from services.trainer.recipe import Progress
from services.trainer.rows import tokenise
from services.trainer.sft import sft_trainer
from tests.trainer.conftest import row


def test_the_loss_is_on_the_reply_alone_and_the_settings_reach_trl(job, base, trained, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(base)
    start = trained(job(epochs=1)).path
    model = with_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), start)
    rows = tokenise([row("hello doctor", "yes drink"), row("help", "no")], tokenizer, 64).rows
    settings = {"learning_rate": 0.008, "learning_rate_decay": 0.5, "weight_decay": 0.03, "batch_size": 2}
    wanted = job(epochs=3, round=3, training=settings)
    trainer = sft_trainer(wanted, Base(model, tokenizer), model, rows, tmp_path, Progress(lambda *_: None))
    batch = next(iter(trainer.get_train_dataloader()))
    learnt = [
        tokenizer.convert_ids_to_tokens(ids[labels != -100])
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True)
    ]
    assert sorted(learnt) == [["no", "<end>"], ["yes", "drink", "<end>"]]
    assert bool(
        (batch["labels"][batch["labels"] != -100] == batch["input_ids"][batch["labels"] != -100]).all()
    )
    args = trainer.args
    assert isinstance(args, SFTConfig)
    assert (args.learning_rate, args.weight_decay, args.per_device_train_batch_size) == (0.002, 0.03, 2)
    assert (args.num_train_epochs, args.gradient_accumulation_steps, args.max_length) == (3, 1, 2048)
