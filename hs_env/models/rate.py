"""Control the rate of binary decisions: three losses that move the share of boundaries to a target.

Each loss is a function of the decisions b of one level, and pi is the target. With F = mean b and G = mean p:

* `ratio` (Hwang, Wang, Gu 2025, equation 10), N = 1 / pi::

      N / (N - 1) ((N - 1) F G + (1 - F) (1 - G))

  F is a constant, so p is pushed down while F > pi, and up while F < pi. The loss is 1 where F = G = pi.
* `binomial` (Nawrot et al. 2023): `-log Binomial(sum b; n, pi) / n` for each sequence of n decisions, averaged over the
  sequences. The gradient of b goes straight through to p.
* `controller` (after Dauncey and Wattenhofer 2026): `mean(score) (F - pi)` with the second factor constant. Its
  gradient with respect to a score does not vanish where p saturates. They have G in the place of F, which is the same
  in expectation where boundaries are drawn. Where b is 1 at p above 1/2, F is the rate that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from hs_env.errors import check_choices, check_ranges

Control = Literal["ratio", "binomial", "controller"]
"""Name of a loss that controls a rate."""


DEFAULT_RATE: Final = 0.2
"""Target of the boundary rate of models that cannot do without one."""
RATE_FIELDS: Final = ("boundary_rate", "rate_control", "rate_weight")
"""Names of the fields of `RateParameters`."""


@dataclass(frozen=True)
class RateParameters:
    """Parameters of the control of a boundary rate."""

    boundary_rate: float | None = None
    """Target share of boundaries; that of a higher level is a share of the boundaries below it."""
    rate_control: Control = "ratio"
    """Loss that moves the share of boundaries to `boundary_rate`: `ratio`, `binomial` or `controller`."""
    rate_weight: float | None = None
    """Weight of this loss; by default that of its paper: 0.03 for `ratio`, 1 for `binomial`, 0.01 for `controller`.
    With 0 there is no such loss, so the rate has no target."""

    @property
    def has_target(self) -> bool:
        """Whether a loss moves the rate to a target."""
        return self.boundary_rate is not None and self.rate_weight != 0

    def check_rate(self) -> None:
        """Check the values.

        Raises:
            HsEnvError: If a value is out of range; names the field, the value and the range.
        """
        if self.boundary_rate is not None:
            check_ranges(self, boundary_rate=(0.001, 0.999))
        if self.rate_weight is not None:
            check_ranges(self, rate_weight=(0, 1e6))
        check_choices(self)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The binary decisions of one level on a batch, without forced ones.

    Attributes:
        boundaries: (words,) floats, 1 for a boundary, else 0; between them if soft.
        p: (words,) floats, with gradient: the probability of a boundary, or what stands for it.
        scores: (words,) floats, with gradient: p is a rising function of them.
        sequence: (words,) int64, number of the sequence that each decision belongs to.
    """

    boundaries: Tensor
    p: Tensor
    scores: Tensor
    sequence: Tensor

    @property
    def rate(self) -> float:
        """Share of boundaries; 0 without decisions."""
        return self.boundaries.mean().item() if len(self.boundaries) else 0.0


def ratio_loss(decisions: Decisions, target: float) -> Tensor:
    """Return the ratio loss of H-Net; see the module's docstring."""
    n, chosen, probable = 1 / target, decisions.boundaries.detach().mean(), decisions.p.mean()
    return n / (n - 1) * ((n - 1) * chosen * probable + (1 - chosen) * (1 - probable))


def binomial_loss(decisions: Decisions, target: float) -> Tensor:
    """Return the negative log-likelihood of the number of boundaries; see the module's docstring."""
    straight = decisions.p + (decisions.boundaries - decisions.p).detach()
    _, sequence, lengths = decisions.sequence.unique(return_inverse=True, return_counts=True)
    n = lengths.to(straight.dtype)
    counts = torch.zeros_like(n).index_add(0, sequence, straight)
    binomial = torch.distributions.Binomial(n, n.new_tensor(target), validate_args=False)  # soft counts are no integers
    losses: Tensor = -binomial.log_prob(counts) / n
    return losses.mean()


def controller_loss(decisions: Decisions, target: float) -> Tensor:
    """Return the loss that moves all scores alike, towards the target; see the module's docstring."""
    return decisions.scores.mean() * (decisions.boundaries.mean() - target).detach()


_LOSSES: Final[dict[str, tuple[Callable[[Decisions, float], Tensor], float]]] = {
    "ratio": (ratio_loss, 0.03),
    "binomial": (binomial_loss, 1.0),
    "controller": (controller_loss, 0.01),
}
"""Each loss with its default weight."""


def rate_loss(parameters: RateParameters, levels: list[Decisions]) -> Tensor | None:
    """Return the weighted loss of all levels that decide anything; None without a target or decisions."""
    if not parameters.has_target:
        return None
    assert parameters.boundary_rate is not None
    loss, default = _LOSSES[parameters.rate_control]
    weight = default if parameters.rate_weight is None else parameters.rate_weight
    losses = [loss(decisions, parameters.boundary_rate) for decisions in levels if len(decisions.boundaries)]
    return weight * torch.stack(losses).sum() if losses else None
