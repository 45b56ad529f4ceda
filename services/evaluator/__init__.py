"""The evaluator: MASK, DeceptionBench, capability questions and held-out conversations, judged into verdicts."""
