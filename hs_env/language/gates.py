"""Policy gradient of the boundaries of a language model (Dauncey and Wattenhofer 2026).

A boundary is an action. Its reward is what the network over chunks adds to a prediction from below the gate, the early
exit, with cross-entropies CE in nats and a mean over the B streams at the same step::

    r_t = CE_early(t) - CE_late(t);   A_t = r_t - mean over the streams of r_t
    R_t = sum over k >= t of gamma^(k-t) A_k
    loss = 0.9 mean CE_late + 0.1 mean CE_early - 0.01 mean(R_t log pi(b_t))

The sum ends with the characters of the update. The control of the boundary rate is `hs_env.models.rate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor

from hs_env.agents.estimators.score import discounted
from hs_env.errors import check_choices, check_ranges
from hs_env.models.chunk_lstm import EARLY_WEIGHT
from hs_env.models.h_net.routers import RouterName

GATE_WEIGHT: Final = 0.01
"""Weight of the loss of the boundaries."""


@dataclass(frozen=True)
class GateParameters:
    """How H-Net decides boundaries, and parameters of the policy gradient."""

    router: RouterName = "cosine"
    """How H-Net decides boundaries. Learned: `cosine` compares neighbours; `straight_through`, `gumbel` and `reinforce`
    (sampled, policy gradient) use a linear unit. Fixed: `spaces`, `every` (every k-th character, k = 1 / boundary_rate)
    and `random` (at boundary_rate)."""
    discount: float = 0.99
    """Discount of later rewards of the router `reinforce`."""
    early_exit: bool = True
    """Reward of the router `reinforce`: compare with a prediction from the characters alone."""
    baseline: bool = True
    """Subtract from each reward of the router `reinforce` the mean over the streams at the same step."""

    def check_gates(self) -> None:
        """Check the values.

        Raises:
            HsEnvError: If a value is out of range; names the field, the value and the range.
        """
        check_choices(self)
        check_ranges(self, discount=(0, 1))


def gate_loss(parameters: GateParameters, rewards: Tensor, log_probs: Tensor) -> Tensor:
    """Return the loss of the boundaries without its weight, a scalar.

    Args:
        parameters: Discount and baseline.
        rewards: (T, B) rewards r_t; no gradient flows into them.
        log_probs: (T, B) log-probabilities of the boundaries.
    """
    advantages = rewards.detach()
    if parameters.baseline:
        advantages = advantages - advantages.mean(1, keepdim=True)
    return -(discounted(advantages.t(), parameters.discount).t() * log_probs).mean()


def policy_loss(parameters: GateParameters, late: Tensor, early: Tensor | None, log_probs: Tensor) -> Tensor:
    """Return the loss of the whole model, a scalar; without the control of the boundary rate.

    Args:
        parameters: Discount and baseline.
        late: (T, B) cross-entropies of the whole network, in nats.
        early: (T, B) cross-entropies of the early exit; None without one, and the reward is then -CE_late.
        log_probs: (T, B) log-probabilities of the boundaries.
    """
    if early is None:
        return late.mean() + GATE_WEIGHT * gate_loss(parameters, -late, log_probs)
    predictions = (1 - EARLY_WEIGHT) * late.mean() + EARLY_WEIGHT * early.mean()
    return predictions + GATE_WEIGHT * gate_loss(parameters, early - late, log_probs)
