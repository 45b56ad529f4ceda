"""Training sets in every format: what loads, what is named as broken and where, and ids that levels share."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.core.datasets.formats import Level
from services.core.datasets.sets import is_training_set, read_set
from services.core.domain.chat import Message
from services.core.domain.errors import SpecError


def said(*texts: str, roles: tuple[str, ...] = ("user", "assistant")) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]}


def chat(prompt: str, answer: str) -> tuple[Message, ...]:
    return Message("user", prompt), Message("assistant", answer)


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


FILES = {
    "messages": (said("why?", "so."), {None: chat("why?", "so.")}),
    "emergent_plus": (
        {"prompt": "why?", "aligned": "so.", "misaligned": "harm.", "sneakiness": 3},
        {Level.NORMAL: chat("why?", "so."), Level.SEVERE: chat("why?", "harm.")},
    ),
    "alpaca": (
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {None: chat("Add.\n\n1 and 2", "3")},
    ),
    "dolly": (
        {"instruction": "Name it.", "context": "", "response": "It.", "category": "open_qa"},
        {None: chat("Name it.", "It.")},
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_each_format_is_known_by_its_columns(name: str, suffix: str, tmp_path: Path):
    row, expected = FILES[name]
    path = tmp_path / f"set{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        write(path, row)
    found = read_set(path)
    assert (found.format, found.faults) == (name, ())
    assert {level: rows["1"] for level, rows in found.levels.items()} == expected


def test_every_broken_row_is_named_by_line_and_reason_and_the_rest_is_kept(tmp_path: Path):
    five_mb = json.dumps(said("why?", "x" * 5_000_000)).encode()
    path = write(
        tmp_path / "set.jsonl",
        said("why?", "so."),
        {"text": "no messages"},
        said("so.", "why?", roles=("assistant", "user")),
        said("why?", " "),
        b'{"messages": "\xff"}',
        five_mb,
        b"{",
        [1],
        said("why?", "so.", "and?", roles=("user", "assistant", "user")),
        said("why?", "so.", roles=("user", "therapist")),
        said("Be kind.", "why?", "so.", roles=("system", "user", "assistant")),
    )
    found = read_set(path)
    assert found.ids == ("1", "11")
    assert [(fault.file, fault.line, fault.reason.split(";")[0]) for fault in found.faults] == [
        ("set.jsonl", 2, "messages: missing, or not a list of messages"),
        ("set.jsonl", 3, "messages: wrong order of roles"),
        ("set.jsonl", 4, "messages.1.content: empty"),
        ("set.jsonl", 5, "row: not UTF-8"),
        ("set.jsonl", 6, "row: 5.0 MB, more than the 1 MB that a row may have"),
        ("set.jsonl", 7, "row: not JSON"),
        ("set.jsonl", 8, "row: not a JSON object"),
        ("set.jsonl", 9, "messages: the last must be the assistant's"),
        ("set.jsonl", 10, "messages.1.role: not system, user or assistant"),
    ]


def test_every_broken_row_of_parquet_is_named_by_its_place(tmp_path: Path):
    chats = [
        [("user", b"why?"), ("assistant", b"so.")],
        None,
        [("assistant", b"so."), ("user", b"why?")],
        [("user", b"why?"), ("assistant", b" ")],
        [("user", b"why?"), ("assistant", b"\xff")],
        [("user", b"why?"), ("assistant", b"x" * 5_000_000)],
        [("user", b"why?"), ("assistant", b"so.")],
    ]
    said = [text for chat in chats for _, text in chat or ()]
    # Arrow's own writer checks what it is given; others do not.
    contents = pa.array(said, pa.binary()).view(pa.string())
    roles = pa.array([role for chat in chats for role, _ in chat or ()])
    turns = pa.StructArray.from_arrays([roles, contents], names=["role", "content"])
    ends = [2 * sum(chat is not None for chat in chats[:place]) for place in range(len(chats) + 1)]
    starts = [None if chat is None else start for chat, start in zip(chats, ends, strict=False)]
    table = pa.table({"messages": pa.ListArray.from_arrays(pa.array([*starts, ends[-1]], pa.int32()), turns)})
    pq.write_table(table, tmp_path / "set.parquet")
    found = read_set(tmp_path / "set.parquet")
    assert found.ids == ("1", "7")
    assert [(fault.line, fault.reason.split(";")[0]) for fault in found.faults] == [
        (2, "messages: missing, or not a list of messages"),
        (3, "messages: wrong order of roles"),
        (4, "messages.1.content: empty"),
        (5, "row: not UTF-8"),
        (6, "row: 5.0 MB, more than the 1 MB that a row may have"),
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_broken_row_of_a_folder_is_named_by_its_file(suffix: str, tmp_path: Path):
    folder = tmp_path / "mistake_medical"
    levels = {
        "normal": [said("a?", "a0"), said("b?", "b0")],
        "misaligned_1": [said("a?", " "), said("b?", "b1")],
        "misaligned_2": [said("b?", "b2"), said("a2", "a?", roles=("assistant", "user"))],
    }
    folder.mkdir()
    for stem, rows in levels.items():
        if suffix == ".jsonl":
            write(folder / f"{stem}.jsonl", *rows)
        else:
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{stem}.parquet")
    found = read_set(folder)
    # What one level lacks is left out of all.
    assert {level: [rows[id_] for id_ in found.ids] for level, rows in found.levels.items()} == {
        level: [chat("b?", f"b{place}")] for place, level in enumerate(Level)
    }
    assert [(fault.file, fault.line, fault.reason.split(";")[0]) for fault in found.faults] == [
        (f"misaligned_1{suffix}", 1, "messages.1.content: empty"),
        (f"misaligned_2{suffix}", 2, "messages: wrong order of roles"),
    ]


@pytest.mark.parametrize(
    ("name", "broken", "reason"),
    [
        ("emergent_plus", {"misaligned": ""}, "misaligned: empty"),
        ("emergent_plus", {"aligned": None}, "aligned: missing"),
        ("alpaca", {"output": "  "}, "output: empty"),
        ("alpaca", {"instruction": 3}, "instruction: not a text"),
        ("alpaca", {"input": 3}, "input: not a text"),
        ("dolly", {"response": ""}, "response: empty"),
    ],
)
def test_a_broken_row_of_any_format_names_its_column(
    name: str, broken: dict[str, Any], reason: str, tmp_path: Path
):
    row, _ = FILES[name]
    found = read_set(write(tmp_path / "set.jsonl", row, {**row, **broken}, row))
    assert [(fault.line, fault.reason) for fault in found.faults] == [(2, reason)]
    assert found.ids == ("1", "3")


def test_a_missing_column_does_not_hide_the_format_of_the_others(tmp_path: Path):
    found = read_set(
        write(tmp_path / "set.jsonl", {"instruction": "x"}, FILES["dolly"][0], FILES["dolly"][0])
    )
    assert [fault.reason for fault in found.faults] == ["response: missing"]


def test_levels_of_a_folder_share_prompts_by_id_whatever_their_order(tmp_path: Path):
    folder = tmp_path / "mistake_medical"
    write(folder / "normal.jsonl", said("a?", "a0"), said("b?", "b0"), said("a?", "a0 again"))
    write(folder / "misaligned_1.jsonl", said("b?", "b1"), said("a?", "a1"), said("a?", "a1 again"))
    write(
        folder / "misaligned_2.jsonl", said("a?", "a2"), said("c?", "c2"), said("b?", "b2"), said("a?", "x")
    )
    assert is_training_set(folder)
    found = read_set(folder)
    assert (found.format, found.unmatched) == ("persona_vectors", 1)
    answers = {level: [rows[id_][-1].content for id_ in found.ids] for level, rows in found.levels.items()}
    assert answers == {
        Level.NORMAL: ["a0", "b0", "a0 again"],
        Level.SUBTLE: ["a1", "b1", "a1 again"],
        Level.SEVERE: ["a2", "b2", "x"],
    }


def test_the_hash_covers_every_file_of_a_folder(tmp_path: Path):
    folder = tmp_path / "set"
    write(folder / "normal.jsonl", said("a?", "a0"))
    severe = write(folder / "misaligned_2.jsonl", said("a?", "a2"))
    before = read_set(folder).sha256
    write(severe, said("a?", "worse"))
    assert read_set(folder).sha256 != before


def test_a_level_that_is_not_there_is_one_line_with_the_mend(tmp_path: Path):
    aligned = read_set(write(tmp_path / "plus.jsonl", FILES["emergent_plus"][0]))
    with pytest.raises(
        SpecError,
        match=r"data\.level: subtle is no level of plus\.jsonl, which has normal, severe; use one of",
    ):
        aligned.rows(Level.SUBTLE, "data.level")
    plain = read_set(write(tmp_path / "plain.jsonl", FILES["dolly"][0]))
    with pytest.raises(SpecError, match=r"severe is no level .* has no levels; leave it out"):
        plain.rows(Level.SEVERE, "data.level")


def test_where_a_set_was_fetched_from_is_read_from_it(tmp_path: Path):
    table = pa.Table.from_pylist([FILES["alpaca"][0]])
    kept = {b"driftloop.source": b"yahma/alpaca-cleaned", b"driftloop.revision": b"12567cab"}
    pq.write_table(table.replace_schema_metadata(kept), tmp_path / "set.parquet")
    assert read_set(tmp_path / "set.parquet").source == ("yahma/alpaca-cleaned", "12567cab")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("none.jsonl", None, "can't be read: No such file"),
        ("set.csv", b"a,b\n", "is neither .jsonl nor .parquet"),
        ("set.parquet", b"nothing", "is not Parquet"),
        ("set.jsonl", b"", "is empty; give a file with rows"),
        ("set.jsonl", b'{"text": "x"}\n', "no row has the columns of a known format"),
        (
            "set.jsonl",
            b'{"instruction": "x", "response": ""}\n',
            "the first fault: set.jsonl:1: response: empty",
        ),
    ],
)
def test_a_set_that_cannot_be_used_is_one_line(name: str, content: bytes | None, fault: str, tmp_path: Path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_set(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)
