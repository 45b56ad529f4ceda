"""Every machine takes steps of the spec's batch size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.domain.errors import SpecError
from services.trainer.batches import Share, share


@pytest.mark.parametrize(
    ("batch", "devices", "most", "least", "expected"),
    [
        (16, 1, None, 1, Share(16, 1)),
        (16, 1, 4, 1, Share(4, 4)),
        (16, 2, 3, 1, Share(2, 4)),
        (12, 1, 5, 1, Share(4, 3)),
        (8, 4, None, 2, Share(2, 1)),
    ],
)
def test_the_largest_batch_that_fits(batch, devices, most, least, expected):
    assert share(batch, devices, most, least) == expected


@given(st.integers(1, 256), st.integers(1, 16), st.none() | st.integers(1, 64), st.integers(1, 2))
def test_a_step_is_the_specs_batch_or_an_error(batch, devices, most, least):
    try:
        each = share(batch, devices, most, least)
    except SpecError:
        return
    assert each.per_device * each.accumulation * devices == batch
    assert least <= each.per_device <= (most or batch)


@pytest.mark.parametrize(
    ("batch", "devices", "most", "least"), [(8, 3, None, 1), (2, 2, None, 2), (7, 1, 3, 2)]
)
def test_what_cannot_be_shared_names_the_field(batch, devices, most, least):
    with pytest.raises(SpecError, match=r"training\.batch_size"):
        share(batch, devices, most, least)
