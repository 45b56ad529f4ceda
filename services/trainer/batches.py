"""How a step's examples are shared: per-device batch × accumulation × devices = the spec's batch, for any machine.

`training.batch_size` is part of what a run is; how many devices there are, and how many examples fit into one, is not.
"""

from typing import NamedTuple

from services.core.domain.errors import SpecError


class Share(NamedTuple):
    """What each device does for one optimiser step."""

    per_device: int
    """Examples at once."""
    accumulation: int
    """Passes whose gradients are added up."""


def share(batch_size: int, devices: int, most_at_once: int | None = None, least_at_once: int = 1) -> Share:
    """Return the largest per-device batch that fits, and how often.

    Args:
        batch_size: examples per optimiser step over all devices.
        devices: processes that train together, one a device.
        most_at_once: how many examples fit into a device's memory; None means any number.
        least_at_once: 2 for KTO, whose KL term pairs each prompt with its neighbour's reply.

    Raises:
        SpecError: the batch can't be shared equally in that way.
    """
    each, rest = divmod(batch_size, devices)
    if rest:
        raise SpecError(
            f"training.batch_size: {batch_size} examples can't be shared equally by {devices} devices; "
            f"use a multiple of {devices}"
        )
    for at_once in range(min(each, most_at_once or each), least_at_once - 1, -1):
        if each % at_once == 0:
            return Share(at_once, each // at_once)
    raise SpecError(
        f"training.batch_size: {each} examples a device can't be trained in passes of {least_at_once} to "
        f"{most_at_once or each}; use another batch size, fewer devices, or more DRIFTLOOP_TRAINER_DEVICE_BATCH"
    )
