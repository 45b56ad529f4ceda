"""MASK, DeceptionBench, capability, held-out conversations, and the rules that score them."""
