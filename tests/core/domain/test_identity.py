"""What two measurements must share: how conversations are held, and not how they are rated."""

import pytest

from services.core.domain.identity import arm_hash, evaluation_key, run_hash
from tests.core.db.builders import FINGERPRINTS, a_spec


@pytest.mark.parametrize(
    ("conversation", "is_measured_alike"),
    [
        ({"rating": "expected"}, True),
        ({"rating_prompt": "helped-1"}, True),
        ({"user_temperature": 0.5}, False),
    ],
)
def test_ratings_make_another_run_and_no_other_measurement(
    conversation: dict[str, object], is_measured_alike: bool
):
    one, other = a_spec(), a_spec(conversation=conversation)
    assert run_hash(one, FINGERPRINTS) != run_hash(other, FINGERPRINTS)
    same = evaluation_key(one, FINGERPRINTS) == evaluation_key(other, FINGERPRINTS)
    assert same is is_measured_alike


def test_runs_of_one_arm_differ_in_their_seed_only() -> None:
    one = arm_hash(a_spec(seed=1), FINGERPRINTS)
    assert arm_hash(a_spec(seed=2, name="other"), FINGERPRINTS) == one
    assert arm_hash(a_spec(seed=1, rounds=7), FINGERPRINTS) != one
    assert arm_hash(a_spec(seed=1), {**FINGERPRINTS, "data": "another"}) != one
