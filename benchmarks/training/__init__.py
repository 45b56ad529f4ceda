"""What a training step takes on a GPU."""
