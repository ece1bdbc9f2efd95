"""Packed bits are the bits that went in."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hs_env.corpora.bits import PackedBits
from hs_env.corpora.encoded import EncodedSplit
from tests.builders import make_batch


@given(st.lists(st.integers(0, 1), max_size=70))
def test_every_bit_comes_back(bits):
    packed, tensor = PackedBits.pack(bits), PackedBits.pack(torch.tensor(bits, dtype=torch.long))
    assert len(packed) == len(bits)
    assert packed.data.tolist() == tensor.data.tolist() == np.packbits(np.array(bits, dtype=bool)).tolist()
    positions = torch.arange(len(bits)).flip(0)
    assert packed[positions].tolist() == bits[::-1]
    assert packed[positions[None]].shape == (1, len(bits))


def test_gold_phrases_take_a_64th_of_the_memory():
    batch = make_batch([7, 3, 12, 9])
    split = EncodedSplit.from_batch(batch)
    assert split.boundaries.data.nbytes == 4
    assert split.tokens.nbytes == 8 * 31
    again = split.batch(torch.arange(4))
    assert torch.equal(again.boundaries, batch.boundaries)
