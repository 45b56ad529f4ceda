"""What Hugging Face and PEFT answer, greedily: the reference that vLLM's replies are held to."""

from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from services.core.domain.chat import Message
from tests.vllm.serving import WEIGHTS


def greedy_tokens(
    chats: Sequence[tuple[Message, ...]], adapter: Path | None, max_tokens: int
) -> list[tuple[int, ...]]:
    """Return each reply's tokens, its end token included."""
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32, local_files_only=True)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    model.eval()
    return [_reply(model, tokenizer, chat, max_tokens) for chat in chats]


def _reply(model, tokenizer, chat: tuple[Message, ...], max_tokens: int) -> tuple[int, ...]:
    said = [{"role": message.role, "content": message.content} for message in chat]
    prompt = tokenizer.apply_chat_template(
        said, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        all_tokens = model.generate(**prompt, max_new_tokens=max_tokens, do_sample=False)
    return tuple(all_tokens[0, prompt["input_ids"].shape[1] :].tolist())
