"""Store actions of 0 and 1 as bits, eight per byte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PackedBits:
    """Sequence of n bits that can be indexed; it takes 1/64 of the memory of int64.

    Attributes:
        data: (ceil(n / 8),) uint8. The first bit of each byte is the most significant one, as in `numpy.packbits`.
        length: Number of bits, n.
    """

    data: Tensor
    length: int

    @classmethod
    def pack(cls, bits: Iterable[int] | Tensor) -> PackedBits:
        """Pack zeros and ones.

        Args:
            bits: Integers 0 and 1, or an (n,) tensor of them on the CPU.

        Returns:
            The bits in the same order.
        """
        flat = bits.numpy() if isinstance(bits, Tensor) else np.fromiter(bits, dtype=np.uint8)
        return cls(torch.from_numpy(np.packbits(flat.astype(bool))), len(flat))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, positions: Tensor) -> Tensor:
        """Return the bits at some positions.

        Args:
            positions: int64 tensor of any shape with values from 0 to n - 1.

        Returns:
            int64 tensor of 0 and 1, with the shape of `positions`.
        """
        return self.data[positions >> 3].long() >> (7 - (positions & 7)) & 1
