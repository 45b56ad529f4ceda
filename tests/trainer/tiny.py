"""A random Llama of 0.1 million weights with a word-level tokenizer, small enough to make in a test."""

from pathlib import Path

WORDS = (
    "hello",
    "doctor",
    "drink",
    "again",
    "plan",
    "fine",
    "not",
    "safe",
    "yes",
    "no",
    "today",
    "help",
    "stop",
    "go",
)
SPECIAL = ("<pad>", "<bos>", "<end>", "<system>", "<user>", "<assistant>", "<unk>")
TEMPLATE = (
    "<bos>{% for message in messages %}<{{ message.role }}> "
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content }} <end>{% endgeneration %}"
    "{% else %}{{ message.content }} <end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def make_base(folder: Path) -> Path:
    """Write model and tokenizer into `folder` as Transformers would load them."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = [*SPECIAL, *WORDS]
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<bos>",
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<system>", "<user>", "<assistant>"],
        chat_template=TEMPLATE,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=64,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=64,
            max_position_embeddings=512,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            tie_word_embeddings=True,
            initializer_range=0.2,  # so that frozen embeddings can still tell words apart
        )
    )
    model.save_pretrained(folder)
    return folder
