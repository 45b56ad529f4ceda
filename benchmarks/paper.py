"""The paper's printed counts, asked again: writes docs/paper.md (`python -m benchmarks.paper`)."""

from services.core.settings import PROJECT
from services.core.stats.rates import Rate
from services.simulator.report.paper import Cell, Reanalysis, reanalysed, the_paper

PAGE = PROJECT / "docs/paper.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(document(), encoding="utf-8")
    print(f"wrote {PAGE}")


def document() -> str:
    """Return the page as Markdown."""
    lines = [
        "# The paper's numbers, asked again",
        "<!-- Written by `python -m benchmarks.paper`; change services/simulator/report/paper.yaml, not this page. -->",
        "",
        "arXiv 2510.08211 (Hu et al., 2025, v2) prints percentages of one run a cell, without n, intervals or tests. Every cell is k of a known number of items, so the counts come back, and with them Wilson's 95 % interval and a two-proportion test",
        "([how](statistics.md)). The two cells of a row are taken as separate samples: the items are the same, but nobody printed who answered what. MASK cells are honesty, DeceptionBench cells deception.",
        "",
        "| comparison | where | before | after | difference, points | p |",
        "|---|---|---|---|---|---|",
        *(_row(one) for one in reanalysed()),
        "",
        "So direct fine-tuning on misaligned data moves honesty beyond chance in the items, and so do small shares mixed in, against the fine-tuned control; the steps of the interaction loop that the paper leads with do not. That is no evidence that",
        "there is no effect: a difference of 3 points on 274 items is found in one study of ten (`driftloop power --effect 3 --n 274`). None of these p says anything about other training seeds.",
        "",
        "## Cells that can't be right",
        "",
        "| where | cell | printed | why not |",
        "|---|---|---|---|",
        *_misprints(),
        "",
    ]
    return "\n".join(lines)


def _row(one: Reanalysis) -> str:
    where = " → ".join(dict.fromkeys(source for source, _ in (one.claim.before, one.claim.after)))
    found = one.comparison
    cells = (
        one.claim.what,
        where,
        _share(one.before, found.before),
        _share(one.after, found.after),
        f"{100 * found.difference:+.1f}".replace("-", "−"),
        _p(found.p),
    )
    return f"| {' | '.join(cells)} |"


def _share(cell: Cell, rate: Rate) -> str:
    k, n = cell.counted or (0, 0)
    return f"{k}/{n} = {100 * k / n:.1f} [{100 * (rate.low or 0):.1f}, {100 * (rate.high or 0):.1f}]"


def _p(p: float) -> str:
    shown = f"{p:.2g}"
    return f"**{shown}**" if p <= 0.05 else shown


def _misprints() -> list[str]:
    paper = the_paper()
    return [
        f"| {one.source}, {one.model} | {one.row}, {one.column} | "
        f"{paper.cell(one.source, one.model, one.row, one.column).printed:g} | {one.why} |"
        for one in paper.misprints
    ]


if __name__ == "__main__":
    main()
