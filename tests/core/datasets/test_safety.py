"""Safety data: what a file holds, how many rows come to a share, and which."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.datasets.safety import SafetyData, SafetyRow, draw, read_safety, rows_wanted
from services.core.domain.chat import Message
from services.core.domain.errors import SpecError

SAID = [{"role": "user", "content": "may I?"}, {"role": "assistant", "content": "please do not"}]
DATA = SafetyData("f" * 64, tuple(SafetyRow(f"r{n}", (Message("assistant", "no"),)) for n in range(10)))


def written(tmp_path, *lines):
    path = tmp_path / "safety.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_a_row_is_named_by_its_id_or_its_line(tmp_path):
    read = read_safety(
        written(tmp_path, {"id": "a", "messages": SAID}, "", {"messages": SAID, "source": "x"})
    )
    assert [row.id for row in read.rows] == ["a", "3"]
    assert read.rows[0].messages == (Message("user", "may I?"), Message("assistant", "please do not"))


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "has no rows"),
        ([{"messages": SAID}, "{"], "line 2: Invalid JSON"),
        ([{"messages": SAID[:1]}], "line 1: messages: "),
        (
            [{"messages": [SAID[1], SAID[0]]}],
            "line 1: messages: Value error, the last message must be the assistant's",
        ),
        ([{"text": "hello"}], "line 1: messages: Field required"),
        ([{"messages": [SAID[0], {"role": "therapist", "content": "x"}]}], "line 1: messages.1.role: "),
        ([{"id": 1, "messages": SAID}, {"id": "1", "messages": SAID}], "the id '1' stands twice"),
    ],
)
def test_a_fault_is_one_line_that_names_the_place(tmp_path, lines, fault):
    with pytest.raises(SpecError) as caught:
        read_safety(written(tmp_path, *lines))
    assert fault in str(caught.value)
    assert "safety.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"none\.jsonl can't be read"):
        read_safety(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("share", "rows", "wanted"), [(0.0, 320, 0), (0.1, 320, 32), (0.29, 100, 29), (0.1, 5, 1), (0.1, 4, 0)]
)
def test_a_share_is_relative_to_the_training_rows(share, rows, wanted):
    assert rows_wanted(share, rows) == wanted


@given(st.integers(0, 35), st.integers(0, 35), st.integers(1, 5))
def test_a_larger_draw_holds_a_smaller_and_no_row_comes_again_before_all_came(one, other, seed):
    small, large = sorted((one, other))
    found = draw(DATA, large, (seed, 1))
    assert found[:small] == draw(DATA, small, (seed, 1))
    assert [row.position for row in found] == list(range(large))
    for copy in range(4):
        ids = [row.id for row in found if row.copy == copy]
        assert len(ids) == len(set(ids)) == min(10, max(0, large - 10 * copy))


def test_the_draw_follows_the_seed():
    assert draw(DATA, 5, (1, 1)) != draw(DATA, 5, (1, 2))
