"""The composition root: CLI, workers, wiring. It alone imports every room."""
