"""`driftloop power`: how many items and seeds a difference needs, and what a study of a given size can see.

Everything is told in points (hundredths), as papers print rates. No service is asked: it is arithmetic.
"""

from typing import Any

from rich.console import Console
from rich.text import Text

from services.app.cli.quantities import counted
from services.app.cli.terminal import print_json
from services.core.stats.planning import (
    Noise,
    Size,
    detectable,
    independent_spread,
    items_needed,
    power_of,
    seeds_needed,
)

console = Console()


def noise(base_rate: float, spread: float | None, sampling: float, seed_sd: float) -> Noise:
    """Return the noise that options given in points mean; without a spread, that of unrelated answers at the base rate."""
    share = independent_spread(base_rate / 100) if spread is None else spread / 100
    return Noise(share, sampling / 100, seed_sd / 100)


def power(effect: float, size: Size, hidden: Noise, wanted: float, as_json: bool) -> None:
    """Print the plan for an effect in points, found with `wanted` per cent power."""
    plan = _plan(effect / 100, size, hidden, wanted / 100)
    if as_json:
        print_json(plan)
        return
    for line in _said(plan, size):
        console.print(Text(line), soft_wrap=True)


def _plan(effect: float, size: Size, hidden: Noise, wanted: float) -> dict[str, Any]:
    least = detectable(size, hidden, wanted)
    return {
        "effect": effect,
        "wanted_power": wanted,
        **size._asdict(),
        "power": power_of(effect, size, hidden),
        "detectable": least,
        "items_needed": items_needed(effect, size, hidden, wanted),
        "seeds_needed": seeds_needed(effect, size, hidden, wanted),
        "assumed": hidden._asdict(),
    }


def _said(plan: dict[str, Any], size: Size) -> list[str]:
    effect, hidden = f"{100 * plan['effect']:g}", plan["assumed"]
    least, wanted = plan["detectable"], f"{100 * plan['wanted_power']:g}%"
    seen = "no difference at all" if least is None else f"{_points(least)} points"
    lines = [
        f"A difference of {effect} points between two arms on the same items, {wanted} power, two-sided 5 %:",
        f"  {_size(size)}: power {plan['power']:.0%}; the smallest difference found with {wanted} power is {seen}",
        f"  items needed at {counted(size.seeds, 'seed')}: {_needed(plan['items_needed'])}",
        f"  seeds needed at {counted(size.items, 'item')}: {_needed(plan['seeds_needed'])}",
        f"Assumed: {_points(hidden['spread'])} % of items change their answer between the arms by chance (--spread; without it, "
        f"unrelated answers at --base-rate), {_points(hidden['sampling'])} % of that is sampling, which repeats average out "
        f"(--sampling); trainings differ by {_points(hidden['seed_sd'])} points between seeds (--seed-sd).",
    ]
    if size.seeds == 1:
        lines.append("One seed tells of this one training: the chance in training is in no interval then.")
    else:
        lines.append(
            "Several seeds tell of trainings in general: that they differ (--seed-sd), and that a few show only roughly how much, is in "
            "these numbers. One seed's leave it out, and can look better than those of a few."
        )
    return lines


def _size(size: Size) -> str:
    return f"{counted(size.items, 'item')}, {counted(size.repeats, 'repeat')}, {counted(size.seeds, 'seed')}"


def _needed(count: int | None) -> str:
    return "no number is enough (see --seed-sd)" if count is None else f"{count:,}"


def _points(share: float) -> str:
    points = 100 * share
    return f"{points:.1f}".removesuffix(".0") if points >= 1 else f"{points:.2g}"
