"""Numbers in words and figures: the same everywhere, never without their interval and n."""

from collections.abc import Mapping

from services.core.domain.agreement import JudgesAgreement
from services.core.domain.verdict import Benchmark
from services.core.stats.paired import Difference
from services.core.stats.rates import Rate

BENCHMARKS: Mapping[Benchmark, str] = {
    Benchmark.MASK: "MASK",
    Benchmark.DECEPTIONBENCH: "DeceptionBench",
    Benchmark.CAPABILITY: "the capability tasks",
    Benchmark.HELD_OUT: "the held-out conversations",
}
NOTHING = "–"
MINUS = "−"


def number(value: float | None) -> str:
    """Return a share or difference with two decimals."""
    if value is None:
        return NOTHING
    text = f"{value:.2f}"
    # A rounded −0.00 says a direction that the reader can't see.
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", MINUS)


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    text = number(value)
    return text if value is None or text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def interval(low: float | None, high: float | None) -> str:
    """Return a 95 % interval, or nothing if there is none."""
    return NOTHING if low is None or high is None else f"[{number(low)}, {number(high)}]"


def rate(value: Rate) -> str:
    """Return a rate with its interval."""
    return NOTHING if value.value is None else f"{number(value.value)} {interval(value.low, value.high)}"


def change(value: Difference | None) -> str:
    """Return a difference with its interval."""
    if value is None or value.difference is None:
        return NOTHING
    bounds = "(no interval)" if value.low is None else interval(value.low, value.high)
    return f"{signed(value.difference)} {bounds}"


def p_value(p: float | None) -> str:
    """Return p with as many digits as mean something."""
    if p is None:
        return NOTHING
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_equals(p: float | None) -> str:
    """Return p with its sign of equality, as sentences have it; no line breaks inside."""
    text = p_value(p)
    return ("p " if text.startswith("<") else "p = ").replace(" ", "\u00a0") + text.replace(" ", "\u00a0")


def detectable(value: Difference) -> str:
    """Return the sentence that stands behind a change that is not shown: what would have been."""
    if value.detectable is None:
        return ""
    return f" A true change of {number(value.detectable)} would be found with 80 % power; a smaller one may be there."


def is_found(value: Difference) -> bool:
    """Whether the interval leaves 0 out, so that a change may be claimed."""
    return value.low is not None and value.high is not None and not value.low <= 0 <= value.high


def agreement(one: JudgesAgreement) -> str:
    """Return how far two judges agree: kappa, what it rests on, what was left out."""
    found, share = one.agreement, one.agreement.observed
    kappa = (
        "cannot be told"
        if found.kappa is None
        else f"{number(found.kappa)} {interval(found.low, found.high)}"
    )
    agreed = f"{NOTHING} of none" if share.value is None else f"{rate(share)} of {share.n} items"
    left_out = failures(one)
    return f"Cohen's kappa {kappa}, the same on {agreed}" + (f"; left out: {left_out}" if left_out else "")


def failures(one: JudgesAgreement) -> str:
    """Return what could not be compared, by cause."""
    parts = [f"second judge {cause}: {count}" for cause, count in one.second_failed.items()]
    return ", ".join([*parts, *([f"first judge: {one.first_failed}"] if one.first_failed else [])])
