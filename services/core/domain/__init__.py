"""Pure: what runs, phases, trajectories, selections, verdicts and measures are. No I/O, no framework."""
