"""Measure bias and variance of an estimator against the exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hs_env.compute import seeded

from .base import Estimator, ExpectedReward, checked
from .exact import Exact


@dataclass(frozen=True, slots=True)
class Measured:
    """Estimates of one gradient, where N is their number and P the number of parameters.

    Attributes:
        estimates: (N, P) estimates.
        exact: (P,) exact gradient.
        passes: Passes over each sentence per estimate.
    """

    estimates: Tensor
    exact: Tensor
    passes: float

    @property
    def mean(self) -> Tensor:
        """(P,) mean estimate."""
        return self.estimates.mean(0)

    @property
    def error(self) -> Tensor:
        """(P,) float32: standard error of the mean."""
        error: Tensor = self.estimates.std(0) / len(self.estimates) ** 0.5
        return error

    @property
    def variance(self) -> float:
        """Variance summed over the parameters, relative to the gradient's squared norm."""
        return float(self.estimates.var(0).sum() / self.exact.square().sum())

    @property
    def bias(self) -> float:
        """Norm of the bias, relative to the gradient's norm; corrected for sampling noise and at least 0."""
        squared = (self.mean - self.exact).square().sum() - self.error.square().sum()
        return float(squared.clamp(min=0).sqrt() / self.exact.norm())

    @property
    def bias_error(self) -> float:
        """Expected distance of an unbiased mean from the gradient (sampling noise), relative to the gradient's norm."""
        return float(self.error.norm() / self.exact.norm())

    @property
    def cosine(self) -> float:
        """Cosine similarity of the mean estimate and the gradient."""
        return float(torch.cosine_similarity(self.mean, self.exact, 0))


def gradient(
    estimator: Estimator, expected: ExpectedReward, parameters: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, float]:
    """Return one estimate, (P,), and its number of passes."""
    estimate = estimator.estimate(expected, generator)
    parts = torch.autograd.grad(checked(estimate, estimator).objective, list(parameters))
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
    """Estimate one gradient many times.

    Args:
        estimator: Estimator of the gradient.
        expected: Policy, on distinct sentences of at most 12 words.
        parameters: Parameters of the policy.
        estimates: Number of estimates.
        seed: Seed of all random numbers.
        warm_up: Number of estimates made and discarded before, to train the estimator's own state.
        copies: Number of copies of the batch that each estimate averages over.
    """
    generator = seeded(seed)
    exact = gradient(Exact(), expected, parameters, generator)[0]
    repeated = replace(expected, batch=expected.batch.repeat(copies))
    for _ in range(warm_up):
        estimator.estimate(repeated, generator)
    made = [gradient(estimator, repeated, parameters, generator) for _ in range(estimates)]
    rows, passes = zip(*made, strict=True)
    return Measured(torch.stack(rows), exact, sum(passes) / len(passes))
