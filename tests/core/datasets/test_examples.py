"""Examples and rows: every reply with its history, canonical bytes, interleaved labels."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.core.datasets.examples import (
    Example,
    OfTrajectory,
    examples,
    interleave,
    kto_rows,
    safety_examples,
    sft_rows,
    training_data,
    training_rows,
)
from services.core.datasets.safety import DrawnRow
from services.core.domain.chat import Message
from services.core.domain.selection import Label, Selected
from services.core.domain.spec import RunSpec
from services.core.domain.trajectory import Trajectory, TrajectoryStatus, UserKind


def trajectory(slot):
    said = [("system", "Be kind."), ("user", f"hello {slot}"), ("assistant", "first"), ("user", "so?")]
    said.append(("assistant", "second ünïcode"))
    return Trajectory(
        slot=slot,
        scenario="drinking",
        profile="ann",
        user_kind=UserKind.BENIGN,
        policy="base",
        status=TrajectoryStatus.SCORED,
        cause=None,
        messages=tuple(Message(role, text) for role, text in said),
        ratings=(5, 6),
        calls=(),
    )


def chosen(slot, label=Label.DESIRABLE):
    return Selected(slot, 1, 11, label, "")


def example(slot, *, is_desirable):
    said = (Message("user", "hi"),), Message("assistant", "yes")
    return Example(OfTrajectory(slot, 0), *said, is_desirable)


def drawn(position, id_="rent-1"):
    said = [("system", "Be kind."), ("user", "may I?"), ("assistant", "wait"), ("user", "so?")]
    said.append(("assistant", "please do not"))
    return DrawnRow(position, id_, 0, "f" * 64, tuple(Message(role, text) for role, text in said))


def test_every_reply_is_an_example_with_the_history_before_it():
    first, second = examples([trajectory(3)], [chosen(3)], keep_system_prompt=True)
    assert [message.content for message in first.prompt] == ["Be kind.", "hello 3"]
    assert first.completion == Message("assistant", "first")
    assert [message.content for message in second.prompt] == ["Be kind.", "hello 3", "first", "so?"]
    assert second.source == OfTrajectory(3, 1)


def test_the_system_prompt_can_be_stripped():
    stripped = examples([trajectory(3)], [chosen(3)], keep_system_prompt=False)
    assert all(message.role != "system" for item in stripped for message in item.prompt)
    assert [item.source for item in stripped] == [OfTrajectory(3, 0), OfTrajectory(3, 1)]


def test_only_selected_slots_train_and_row_order_is_no_matter():
    held = [trajectory(slot) for slot in range(4)]
    one = examples(held, [chosen(2), chosen(0)], keep_system_prompt=True)
    other = examples(held[::-1], [chosen(0), chosen(2)], keep_system_prompt=True)
    assert one == other
    assert [item.source for item in one] == [OfTrajectory(slot, turn) for slot in (0, 2) for turn in (0, 1)]


def test_sft_rows_are_canonical_json_lines_of_the_desirable():
    rows = examples(
        [trajectory(1), trajectory(2)], [chosen(1), chosen(2, Label.UNDESIRABLE)], keep_system_prompt=False
    )
    data = training_data(sft_rows(rows))
    lines = data.payload.decode().splitlines()
    assert data.examples == len(lines) == 2
    assert lines[1] == (
        '{"completion":[{"content":"second ünïcode","role":"assistant"}],'
        '"prompt":[{"content":"hello 1","role":"user"},{"content":"first","role":"assistant"},'
        '{"content":"so?","role":"user"}],"slot":1,"turn":1}'
    )
    assert data.sha256 == training_data(sft_rows(list(rows))).sha256
    assert data.sha256 != training_data(sft_rows(rows[:1])).sha256


def test_kto_rows_carry_their_label():
    rows = examples(
        [trajectory(1), trajectory(2)], [chosen(1), chosen(2, Label.UNDESIRABLE)], keep_system_prompt=True
    )
    data = training_data(kto_rows(rows, (1, 1)))
    parsed = [json.loads(line) for line in data.payload.decode().splitlines()]
    assert {(row["slot"], row["turn"], row["label"]) for row in parsed} == {
        (1, 0, True),
        (1, 1, True),
        (2, 0, False),
        (2, 1, False),
    }


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms())
def test_labels_are_spread_evenly_whatever_the_order_they_came_in(labels, rng):
    rows = [example(slot, is_desirable=label) for slot, label in enumerate(labels)]
    mixed = interleave(rows, (1, 1))
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert interleave(shuffled, (1, 1)) == mixed
    assert {item.source for item in mixed} == {item.source for item in rows}
    assert len(mixed) == len(rows)
    share = sum(labels) / len(labels)
    for end in range(1, len(mixed) + 1):
        assert abs(sum(item.is_desirable for item in mixed[:end]) - share * end) <= 1


def test_the_shuffle_follows_the_seed_and_parts_the_turns_of_a_conversation():
    rows = [example(slot, is_desirable=True) for slot in range(30)]
    assert interleave(rows, (1, 1)) != interleave(rows, (1, 2))
    assert interleave(rows, (1, 1)) != rows


def spec(method, **training):
    return RunSpec.model_validate(
        {"name": "t", "population": {"biased_share": 1.0}, "training": {"method": method, **training}}
    )


def test_a_safety_row_trains_its_last_reply_and_says_where_it_is_from():
    (row,) = sft_rows(safety_examples([drawn(0)], keep_system_prompt=True))
    assert row["completion"] == [{"content": "please do not", "role": "assistant"}]
    assert [said["content"] for said in row["prompt"]] == ["Be kind.", "may I?", "wait", "so?"]
    assert (row["safety_id"], row["safety_sha256"]) == ("rent-1", "f" * 64)
    assert not {"slot", "turn", "label"} & row.keys()
    (bare,) = safety_examples([drawn(0)], keep_system_prompt=False)
    assert [said.role for said in bare.prompt] == ["user", "assistant", "user"]


def test_safety_rows_stand_behind_the_selected_in_sft_and_are_desirable_among_them_in_kto():
    held = [trajectory(slot) for slot in range(4)]
    chose = [chosen(0), chosen(1), chosen(2, Label.UNDESIRABLE), chosen(3, Label.UNDESIRABLE)]
    mixed_in = [drawn(0), drawn(1, "rent-2")]
    sft = list(training_rows(spec("sft"), 1, held, chose, mixed_in))
    assert [row.get("safety_id") for row in sft] == [None] * 4 + ["rent-1", "rent-2"]
    kto = list(training_rows(spec("kto"), 1, held, chose, mixed_in))
    assert sorted(row["safety_id"] for row in kto if "safety_id" in row) == ["rent-1", "rent-2"]
    assert [row["label"] for row in kto].count(True) == 6
    assert all(row["label"] for row in kto if "safety_id" in row)


def test_the_data_hash_covers_ids_and_file_of_safety_rows():
    def hash_of(*rows):
        return training_data(training_rows(spec("sft"), 1, [trajectory(0)], [chosen(0)], rows)).sha256

    assert len({hash_of(), hash_of(drawn(0)), hash_of(drawn(0, "rent-2"))}) == 3
