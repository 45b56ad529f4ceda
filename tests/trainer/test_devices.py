"""Two processes train as one would: the same steps on the same examples, up to the order of sums."""

import pytest
import torch
from safetensors.torch import load_file

from services.core.domain.errors import TrainingError
from services.trainer.adapters import WEIGHTS
from tests.trainer.conftest import KTO_ROWS, SFT_ROWS

pytestmark = pytest.mark.slow


def weights(done):
    return torch.cat([tensor.flatten() for _, tensor in sorted(load_file(done.path / WEIGHTS).items())])


@pytest.mark.parametrize(("method", "rows"), [("sft", SFT_ROWS), ("kto", KTO_ROWS)])
def test_several_devices_and_passes_take_the_same_steps(job, trained, method, rows):
    alone = trained(job(rows, name="alone", method=method))
    passes = trained(job(rows, name="passes", method=method, device_batch=2))
    together = trained(job(rows, name="together", method=method, devices=2))
    assert alone.steps == passes.steps == together.steps
    if method == "sft":
        torch.testing.assert_close(weights(passes), weights(alone), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-4)


def test_a_batch_that_devices_cannot_share_fails_with_its_reason(job, trained):
    with pytest.raises(TrainingError, match=r"failed \(rank: exit code\)"):
        trained(job(devices=2, training={"batch_size": 3}))
