"""The one path from a run's seed to every random number.

A seed is a hash of names, so it depends on what is drawn and never on when, where or in which order: the same slot
of the same round draws the same numbers at any concurrency, on any worker, after any kill.
"""

import hashlib

Part = str | int


def derive_seed(*parts: Part) -> int:
    """Return a 63-bit seed from names such as (run seed, round, slot, role, turn)."""
    # The type is part of the text, so that 1 and "1" can't meet.
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def uniform(*parts: Part) -> float:
    """Return a number in [0, 1) drawn by names."""
    return (derive_seed(*parts) >> 10) / float(1 << 53)
