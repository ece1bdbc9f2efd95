"""Bias and variance of an estimator against exact enumeration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .base import Estimator, ExpectedReward
from .exact import Exact


@dataclass(frozen=True, slots=True)
class Measured:
    """What many estimates of one gradient were like.

    Attributes:
        estimates: (estimates, weights) float32, one estimate per row.
        exact: (weights,) float32, the exact gradient.
        passes: Readings of a sentence that one estimate takes, for each sentence.
    """

    estimates: Tensor
    exact: Tensor
    passes: float

    @property
    def mean(self) -> Tensor:
        """(weights,) float32: the mean of the estimates."""
        return self.estimates.mean(0)

    @property
    def error(self) -> Tensor:
        """(weights,) float32: standard error of the mean."""
        error: Tensor = self.estimates.std(0) / len(self.estimates) ** 0.5
        return error

    @property
    def variance(self) -> float:
        """Summed over the parameters, as a multiple of the gradient's squared norm."""
        return float(self.estimates.var(0).sum() / self.exact.square().sum())

    @property
    def bias(self) -> float:
        """Norm of the bias as a multiple of the gradient's, less what chance adds to it (which may make it 0)."""
        squared = (self.mean - self.exact).square().sum() - self.error.square().sum()
        return float(squared.clamp(min=0).sqrt() / self.exact.norm())

    @property
    def bias_error(self) -> float:
        """What chance alone makes of an unbiased mean's distance from the gradient, as the same multiple."""
        return float(self.error.norm() / self.exact.norm())

    @property
    def cosine(self) -> float:
        """Cosine between the mean and the gradient."""
        return float(torch.cosine_similarity(self.mean, self.exact, 0))


def gradient(
    estimator: Estimator, expected: ExpectedReward, parameters: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, float]:
    """One estimate, (weights,), and the passes that it took."""
    estimate = estimator.estimate(expected, generator)
    parts = torch.autograd.grad(estimate.objective, list(parameters))
    return torch.cat([part.flatten() for part in parts]), estimate.passes


def measure(
    estimator: Estimator,
    expected: ExpectedReward,
    parameters: Sequence[Tensor],
    estimates: int,
    seed: int = 0,
    warm_up: int = 0,
    copies: int = 1,
) -> Measured:
    """Estimate one gradient again and again.

    Args:
        estimator: Estimator of the gradient.
        expected: The policy on sentences of at most 12 words, each once.
        parameters: Weights of the policy.
        estimates: How often.
        seed: Seed of all draws.
        warm_up: Estimates before those, from which estimators learn that do.
        copies: Each estimate is the mean over as many.
    """
    generator = torch.Generator().manual_seed(seed)
    exact = gradient(Exact(), expected, parameters, generator)[0]
    repeated = replace(expected, batch=expected.batch.repeat(copies))
    for _ in range(warm_up):
        estimator.estimate(repeated, generator)
    made = [gradient(estimator, repeated, parameters, generator) for _ in range(estimates)]
    rows, passes = zip(*made, strict=True)
    return Measured(torch.stack(rows), exact, sum(passes) / len(passes))
