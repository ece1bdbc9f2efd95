"""Hold the rewards of episodes: their total, their terms, and what each step earns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Rewarded:
    """Holds the rewards of a batch of R episodes.

    Attributes:
        total: (R,) float32, sum of the terms.
        terms: (R,) float32 contribution of each term, by name.
        given: (R,) bool for each term that has no opinion on some episodes: whether it has one. It contributes 0 to
            the others.
        unweighted: (R,) float32 values of the terms of weight 0, which contribute 0 and are only logged.
        steps: (R, T) float32 parts of `total` by step, if the reward is dense; None if all comes at the last word.
    """

    total: Tensor
    terms: dict[str, Tensor]
    given: dict[str, Tensor] = field(default_factory=dict)
    unweighted: dict[str, Tensor] = field(default_factory=dict)
    steps: Tensor | None = None

    def last(self, lengths: Tensor) -> Tensor:
        """Return the reward of the last step, (R,), of episodes of `lengths` (R,) words."""
        return self.total if self.steps is None else self.steps.gather(1, lengths[:, None] - 1).squeeze(1)

    def by_step(self, mask: Tensor) -> Tensor:
        """Return the rewards of all steps, (R, T) float32, given the mask (R, T) of the words."""
        if self.steps is not None:
            return self.steps
        last = mask.sum(1, keepdim=True) - 1
        return self.total.new_zeros(mask.shape).scatter(1, last, self.total[:, None])

    def sums(self) -> dict[str, tuple[float, int]]:
        """Return the sum of each term for the log, and over how many episodes: those that it has an opinion on.

        Terms of weight 0 are summed before weighting.
        """
        return {
            name: (
                self.unweighted.get(name, term).sum().item(),
                int(self.given[name].sum()) if name in self.given else len(term),
            )
            for name, term in self.terms.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A term of a reward for R episodes, with what a tensor of contributions does not say.

    Attributes:
        values: (R,) floats, the contributions; 0 where the term has no opinion.
        given: (R,) bool, whether the term has an opinion; None if it has one on all episodes.
        unweighted: (R,) floats before weighting, if the weight is 0, else None.
    """

    values: Tensor
    given: Tensor | None = None
    unweighted: Tensor | None = None

    def __add__(self, other: Term) -> Term:
        given = None if self.given is None or other.given is None else self.given | other.given
        logged = None
        if self.unweighted is not None and other.unweighted is not None:
            logged = self.unweighted + other.unweighted
        return Term(self.values + other.values, given, logged)

    def times(self, factor: float) -> Term:
        """Multiply the contributions."""
        logged = self.values if factor == 0 and self.unweighted is None else self.unweighted
        return Term(factor * self.values, self.given, logged)
