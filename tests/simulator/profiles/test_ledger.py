"""A folder of people loses no whole line and keeps no broken one, wherever a kill cut it off."""

from pathlib import Path

import pytest

from services.core.domain.errors import SpecError, StateConflict
from services.simulator.profiles.ledger import REJECTED_FILE, open_ledger
from services.simulator.profiles.lines import Made, PersonLine, RejectedLine

MADE = Made(
    model="m",
    place=0,
    attempt=0,
    seed=1,
    prompt_version=1,
    prompt_sha256="0" * 64,
    attributes={"age": "40"},
    prompt_tokens=10,
    completion_tokens=None,
    cost_usd=None,
)


def person(number: int) -> PersonLine:
    return PersonLine(name=f"p{number:04d}", context="She waits — still.", opening="Né, I wait.", made=MADE)


def names(folder: Path) -> list[str]:
    with open_ledger(folder) as ledger:
        return [line.name for _, line in ledger.people()]


def test_a_file_cut_anywhere_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        for number in range(3):
            ledger.accept("drinking", person(number))
    file = tmp_path / "drinking.jsonl"
    whole = file.read_bytes()
    length = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        file.write_bytes(whole[:cut])
        # A line without its end is whole, too, if it can be read.
        kept = (cut + 1) // length
        assert names(tmp_path) == [f"p{number:04d}" for number in range(kept)], cut
        with open_ledger(tmp_path) as ledger:
            ledger.accept("drinking", person(kept))
        assert file.read_bytes() == whole[: kept * length] + whole[kept * length :][:length] or kept == 3


def test_what_was_rejected_counts_as_tried(tmp_path: Path) -> None:
    line = RejectedLine(scenario="drinking", cause="leak", complaint="x", text="{}", made=MADE)
    with open_ledger(tmp_path) as ledger:
        ledger.reject(line)
        ledger.reject(line)
        assert ledger.tries("drinking", 0) == 2
    with (tmp_path / REJECTED_FILE).open("ab") as file:
        file.write(b'{"scenario": "dri')
    with open_ledger(tmp_path) as ledger:
        assert list(ledger.rejected()) == [line, line]
        assert ledger.tries("drinking", 0) == 2
        assert list(ledger.people()) == []


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with open_ledger(tmp_path), pytest.raises(StateConflict, match="another generation writes here"):
        names(tmp_path)
    assert names(tmp_path) == []


def test_a_line_that_is_no_person_is_named(tmp_path: Path) -> None:
    (tmp_path / "drinking.jsonl").write_text(
        person(0).model_dump_json() + '\n{"name": "x", "context": "y"}\n'
    )
    with pytest.raises(SpecError, match=r"drinking\.jsonl:2: opening: is missing"):
        names(tmp_path)
