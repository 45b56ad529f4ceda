"""The simulator's engine beside a bare loop, Inspect AI and LiteLLM, and its memory over a long round."""
