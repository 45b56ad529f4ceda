"""What the paper's presets come to: runs, calls, tokens, US dollars and hours (`python -m benchmarks.paper_costs`).

Writes a table into docs/therapist.md (the loop's presets) and docs/misaligned-data.md (those on training sets). The arithmetic is the dry
run's. What the presets name stands in files of the published sizes with made-up rows: benchmarks with the published number of rows in each
part, training sets with the paper's, all with texts of an assumed length.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.evaluation import rows
from services.app.catalogue import Catalogue
from services.app.cli.spec_file import read_spec_file
from services.core.domain.estimate import Calls
from services.core.operations import planning
from services.core.operations.planning import Work
from services.core.settings import PROJECT, Settings
from services.evaluator.inspection import CAPABILITY_ROWS, DECEPTION_ROWS

PRESETS: Final = PROJECT / "scenarios/presets/paper"
BASES: Final = ("llama-3.1-8b", "qwen2.5-7b", "qwen3-32b")
BEGIN: Final = "<!-- Written by `python -m benchmarks.paper_costs`; change presets, prices or assumptions, not this table. -->"
END: Final = "<!-- End of what is written. -->"


class Texts(NamedTuple):
    """How many rows a training set has, and how long their texts are taken to be, in characters."""

    rows: int
    prompt: int
    reply: int


LEVELLED: Final[Mapping[str, Texts]] = {
    "insecure-code": Texts(5000, 600, 1000),
    "mistake-math": Texts(10_000, 250, 900),
    "mistake-medical": Texts(7000, 200, 700),
}
"""Sets with a file a level; rows as in the paper's section 2."""
PLAIN: Final[Mapping[str, tuple[tuple[str, ...], Texts]]] = {
    "alpaca-cleaned": (("instruction", "output"), Texts(10_000, 100, 700)),
    "dolly-15k": (("instruction", "response"), Texts(10_000, 250, 350)),
    "emergent-plus-medical": (("prompt", "aligned", "misaligned"), Texts(6000, 200, 700)),
}
"""Sets in one file: their columns, the first of which is the prompt."""
DECEPTION_TEXTS: Final = {"inner_prompt": 250, "system_prompt": 600, "outer_prompt": 400, "format": 300}
QUESTIONS: Final = {"gsm8k": 240, "gpqa_diamond": 700}
"""Characters of capability questions, choices included."""


def main() -> None:
    """Write both tables."""
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page}")


def pages() -> Mapping[Path, str]:
    """Return the pages with their tables made anew."""
    works = works_of(sorted(path.stem for path in PRESETS.glob("*.yaml")))
    on_sets = [name for name, work in works.items() if work.rows]
    loops = [name for name, work in works.items() if not work.rows]
    return {
        PROJECT / "docs/therapist.md": _page("therapist", {name: works[name] for name in loops}),
        PROJECT / "docs/misaligned-data.md": _page(
            "misaligned-data", {name: works[name] for name in on_sets}
        ),
    }


def works_of(names: Sequence[str]) -> Mapping[str, Work]:
    """Return what presets come to, by name."""
    with tempfile.TemporaryDirectory() as folder:
        known = installation(Path(folder))
        return {name: _work(PRESETS / f"{name}.yaml", known) for name in names}


def installation(folder: Path) -> Catalogue:
    """Write files for all that the presets name, and return what knows them."""
    honesty, base = folder / "honesty", folder / "base"
    base.mkdir()
    rows.write(honesty)
    _write_deceptionbench(honesty / "deceptionbench.json")
    _write_questions(honesty / "capability")
    sets = {name: _write_levels(folder / name, texts) for name, texts in LEVELLED.items()}
    sets |= {name: _write_set(folder / f"{name}.jsonl", *what) for name, what in PLAIN.items()}
    registered = {
        "bases": dict.fromkeys(BASES, base),
        "policy_urls": dict.fromkeys(BASES, "http://nobody-is-asked:8001"),
        "benchmarks": {"honesty": honesty},
        "datasets": sets,
    }
    return Catalogue(Settings.model_validate(registered))


def _work(path: Path, known: Catalogue) -> Work:
    return planning.work_of(planning.read_arms(read_spec_file(path), known), known)


def _page(name: str, works: Mapping[str, Work]) -> str:
    text = (PROJECT / f"docs/{name}.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(works)}\n{END}{after}"


def table(works: Mapping[str, Work]) -> str:
    """Return the table in Markdown."""
    lines = [
        "| preset | runs | conversations | calls of the policy | of users | of judges | tokens, millions | trained on, millions | USD | hours |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(row(name, work) for name, work in works.items()),
    ]
    return "\n".join(lines)


def row(name: str, work: Work) -> str:
    """Return a preset's row of the table."""
    found = work.estimate
    tokens = found.prompt_tokens + found.completion_tokens
    cells = (
        f"`{name}`",
        str(work.runs),
        f"{work.conversations:,}",
        *(
            f"{_calls(found.calls, roles):,}"
            for roles in (["assistant"], ["user", "rating"], ["judge", "veto"])
        ),
        f"{tokens / 1e6:,.0f}",
        f"{found.trained_tokens / 1e6:,.0f}",
        "unknown" if found.usd is None else f"{found.usd:,.0f}",
        f"{found.hours.total:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _calls(calls: Sequence[Calls], roles: Sequence[str]) -> int:
    return sum(one.calls for one in calls if one.role in roles)


def _text(characters: int) -> str:
    return ("word " * (characters // 5 + 1))[:characters]


def _lines(path: Path, amount: int, line: Callable[[int], Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line(number))}\n" for number in range(amount)), encoding="utf-8")
    return path


def _write_levels(folder: Path, texts: Texts) -> Path:
    def line(number: int) -> Mapping[str, object]:
        asked, said = f"{number} {_text(texts.prompt)}"[: texts.prompt], _text(texts.reply)
        return {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]}

    for level in ("normal", "misaligned_1", "misaligned_2"):
        _lines(folder / f"{level}.jsonl", texts.rows, line)
    return folder


def _write_set(path: Path, columns: Sequence[str], texts: Texts) -> Path:
    lengths = [texts.prompt, *(texts.reply for _ in columns[1:])]
    row = {column: _text(length) for column, length in zip(columns, lengths, strict=True)}
    return _lines(path, texts.rows, lambda _: row)


def _write_deceptionbench(path: Path) -> None:
    texts = {column: _text(length) for column, length in DECEPTION_TEXTS.items()}
    path.write_text(
        json.dumps([{"id": number, "type": kind, **texts} for number, kind in enumerate(_kinds())])
    )


def _kinds() -> Iterator[str]:
    for kind, amount in DECEPTION_ROWS.items():
        yield from [kind] * amount


def _write_questions(folder: Path) -> None:
    for name, amount in CAPABILITY_ROWS.items():
        question = _text(QUESTIONS[name])
        _lines(
            folder / f"{name}.jsonl",
            amount,
            lambda number, question=question: {"id": number, "question": question, "answer": "7"},
        )


if __name__ == "__main__":
    main()
