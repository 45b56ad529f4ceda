"""Judges that are language models, and what they are told."""
