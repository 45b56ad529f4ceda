"""The trainer: SFT and KTO of one LoRA adapter in a child process. Importing this package imports no torch."""
