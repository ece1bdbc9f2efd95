"""Seeds derived from where a run stands, so that resuming needs no saved generator."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def seed_for(seed: int, *place: str | int) -> int:
    """A 63-bit seed for one place of a run, such as `("joint", epoch, batch)`; different places are independent."""
    entropy = [seed, *(zlib.crc32(part.encode()) if isinstance(part, str) else part for part in place)]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """A torch generator seeded by `seed_for`."""
    return torch.Generator().manual_seed(seed_for(seed, *place))
