"""Decisions of 0 and 1, eight to a byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PackedBits:
    """A sequence of bits that is read at any positions: a 64th of the memory of int64.

    Attributes:
        data: (ceil(n / 8),) uint8, the first bit of each byte the most significant, as `numpy.packbits` has it.
        length: n.
    """

    data: Tensor
    length: int

    @classmethod
    def pack(cls, bits: Iterable[int] | Tensor) -> PackedBits:
        """Pack zeros and ones."""
        flat = bits.numpy() if isinstance(bits, Tensor) else np.fromiter(bits, dtype=np.uint8)
        return cls(torch.from_numpy(np.packbits(flat.astype(bool))), len(flat))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, positions: Tensor) -> Tensor:
        """int64 bits at `positions`, of any shape, each from 0 to n - 1."""
        return self.data[positions >> 3].long() >> (7 - (positions & 7)) & 1
