"""A full MASK pass through the evaluate phase, beside inspect_evals' MASK task on the same server."""
