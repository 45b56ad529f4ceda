"""The protocols by which models are asked and adapters served."""
