"""Examples and rows: every reply with its history, canonical bytes, interleaved labels."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.core.datasets.examples import Example, examples, interleave, kto_rows, sft_rows, training_data
from services.core.domain.chat import Message
from services.core.domain.selection import Label, Selected
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
    return Example(slot, 0, (Message("user", "hi"),), Message("assistant", "yes"), is_desirable)


def test_every_reply_is_an_example_with_the_history_before_it():
    first, second = examples([trajectory(3)], [chosen(3)], keep_system_prompt=True)
    assert [message.content for message in first.prompt] == ["Be kind.", "hello 3"]
    assert first.completion == Message("assistant", "first")
    assert [message.content for message in second.prompt] == ["Be kind.", "hello 3", "first", "so?"]
    assert (second.slot, second.turn) == (3, 1)


def test_the_system_prompt_can_be_stripped():
    stripped = examples([trajectory(3)], [chosen(3)], keep_system_prompt=False)
    assert all(message.role != "system" for item in stripped for message in item.prompt)
    assert [item.turn for item in stripped] == [0, 1]


def test_only_selected_slots_train_and_row_order_is_no_matter():
    held = [trajectory(slot) for slot in range(4)]
    one = examples(held, [chosen(2), chosen(0)], keep_system_prompt=True)
    other = examples(held[::-1], [chosen(0), chosen(2)], keep_system_prompt=True)
    assert one == other
    assert [item.slot for item in one] == [0, 0, 2, 2]


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
    assert sorted(item.slot for item in mixed) == list(range(len(rows)))
    share = sum(labels) / len(labels)
    for end in range(1, len(mixed) + 1):
        assert abs(sum(item.is_desirable for item in mixed[:end]) - share * end) <= 1


def test_the_shuffle_follows_the_seed_and_parts_the_turns_of_a_conversation():
    rows = [example(slot, is_desirable=True) for slot in range(30)]
    assert interleave(rows, (1, 1)) != interleave(rows, (1, 2))
    assert [item.slot for item in interleave(rows, (1, 1))] != list(range(30))
