"""What a plan would take, as a person reads it in the terminal."""

from rich.table import Table

from services.app.cli.quantities import duration
from services.core.rest.launches import PlannedCalls, PlannedCost

UNKNOWN = "price unknown"


def cost_table(cost: PlannedCost) -> Table:
    """Return the calls by part, role and model."""
    table = Table(box=None, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("role", no_wrap=True)
    table.add_column("model", overflow="fold")
    for column in ("calls", "prompt\ntokens", "completion\ntokens"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("USD", justify="right")
    for calls in cost.calls:
        counts = (calls.calls, calls.prompt_tokens, calls.completion_tokens)
        table.add_row(calls.part, calls.role, calls.model, *(f"{count:,}" for count in counts), _usd(calls))
    return table


def cost_words(cost: PlannedCost) -> str:
    """Return the sums in two lines."""
    hours = cost.hours
    money = f"{cost.priced_usd:,.2f} USD"
    if cost.unpriced:
        money = f"{money} and what {', '.join(cost.unpriced)} costs, whose price is not known"
    return (
        f"about {cost.prompt_tokens + cost.completion_tokens:,} tokens, {money}\n"
        f"about {duration(hours.total)}, one run after the other: conversations {duration(hours.conversations)}, "
        f"training {duration(hours.training)}, evaluation {duration(hours.evaluation)}; "
        "rough, by the assumptions in docs/simulation.md"
    )


def _usd(calls: PlannedCalls) -> str:
    return UNKNOWN if calls.usd is None else f"{calls.usd:,.2f}"
