"""Counts and times as a person says them: `1 run`, `3 runs`, `13 s`, `2 h 5 min`."""

_EXACT_TO_H = 100


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the singular for one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(hours: float) -> str:
    """Return hours in the two largest units that say something: `13 s`, `2 min 5 s`, `2 h 5 min`, `333 h`."""
    seconds = round(3600 * hours)
    if seconds < 1:
        return "less than 1 s" if hours > 0 else "0 s"
    whole, minutes = divmod(round(60 * hours), 60)
    if whole >= _EXACT_TO_H:
        return f"{round(hours):,} h"
    if seconds >= 3600:
        return _both(whole, "h", minutes, "min")
    return _both(seconds // 60, "min", seconds % 60, "s")


def _both(large: int, unit: str, small: int, smaller: str) -> str:
    parts = [f"{count} {name}" for count, name in ((large, unit), (small, smaller)) if count]
    return " ".join(parts)
