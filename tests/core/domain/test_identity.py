"""What two measurements must share: how conversations are held, and not how they are rated."""

import pytest

from services.core.domain.identity import Fingerprints, evaluation_key, run_hash, setting_hash
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


def test_runs_of_one_setting_differ_in_seed_and_dose_only() -> None:
    def setting(fingerprints: Fingerprints = FINGERPRINTS, share: float = 0.5, **changes: object) -> str:
        population = {"biased_share": share, "conversations": 10}
        return setting_hash(a_spec(population=population, **changes), fingerprints)

    assert setting(seed=2, name="other", share=1.0) == setting()
    assert setting(rounds=7) != setting()
    assert setting({**FINGERPRINTS, "data": "another"}) != setting()


def test_the_dose_of_a_mixture_is_its_share_of_rows() -> None:
    data = {"kind": "mixture", "dataset": "narrow", "downstream": "plain"}
    one, other, aligned = (
        setting_hash(a_spec(population={}, data={**data, **more}), FINGERPRINTS)
        for more in ({"share": 0.1}, {"share": 0.5}, {"share": 0.5, "control": "matched_aligned"})
    )
    assert one == other != aligned
