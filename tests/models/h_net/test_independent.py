"""H-Net compared with an independent implementation, the package `h-net-dynamic-chunking`."""

from __future__ import annotations

import pytest
import torch

from hs_env.models.h_net.chunking import counts, smooth, spread
from hs_env.models.h_net.routers import CosineRouter
from hs_env.models.rate import Decisions, ratio_loss

other = pytest.importorskip("h_net_dynamic_chunking", reason="needs the extra dev")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cuts_probabilities_outputs_ratio_loss_and_gradients_agree(seed: int) -> None:
    """That package smooths `p x` where the paper smooths `P M(x)`: equal for an identity M, and p above the clamp.

    It has a learned first key where the paper sets p_1 = 1. So the first vector's chunk is compared with p_1 = its p.
    """
    torch.manual_seed(seed)
    length, width = 40, 8
    x = torch.randn(length, width, dtype=torch.double).cumsum(0).requires_grad_()
    router = CosineRouter(width).double()
    with torch.no_grad():
        router.query.copy_(torch.randn(width, width))
        router.key.copy_(torch.randn(width, width))
    theirs = other.DynamicSequenceChunker(
        width, target_avg_token_length=5.0, learning_rate_difference=1.0, straight_through_frac_vecs=False
    ).double()
    with torch.no_grad():  # their query is that of the later vector
        theirs.to_queries_keys.weight.copy_(torch.cat([router.key.t(), router.query.t()]))
    outputs, inside = theirs(x[None], return_intermediates=True)
    lengths = torch.tensor([length])
    p = router(x, None, lengths, router.start(x.new_zeros(1, width))).p
    assert torch.equal(p[1:] > 0.5, inside.boundary_mask[0, 1:])
    torch.testing.assert_close(p[1:], inside.probs[0, 1:], atol=1e-6, rtol=0)

    p = torch.cat([inside.probs[0, :1], p[1:]])
    chosen = inside.boundary_mask[0]
    z = smooth(x[chosen], p[chosen], counts(chosen, lengths), x.new_zeros(1, width))
    mixed = spread(z, p, chosen, lengths, x.new_zeros(1, width))
    expected = outputs.upsample_fn(outputs.downsampled)[0]
    torch.testing.assert_close(mixed, expected, atol=1e-6, rtol=0)
    loss = ratio_loss(Decisions(chosen.double(), p, p, torch.zeros(length, dtype=torch.long)), 0.2)
    torch.testing.assert_close(0.03 * loss, outputs.weighted_aux_ratio_loss, atol=1e-6, rtol=0)

    weight = torch.randn_like(mixed)
    (ours,) = torch.autograd.grad((mixed * weight).sum() + loss, x, retain_graph=True)
    (wanted,) = torch.autograd.grad((expected * weight).sum() + outputs.weighted_aux_ratio_loss / 0.03, x)
    torch.testing.assert_close(ours, wanted, atol=1e-6, rtol=1e-6)
