"""People of a scenario that models write: how they are asked for, what is accepted, how they are kept."""
