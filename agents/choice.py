"""A policy's distribution over the legal actions at one word: Bernoulli for two actions, categorical for more.

An action is drawn as a function of one uniform random number, which estimators can reuse and reflect.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import accumulate

import torch
from torch import Tensor, nn

from hs_env.compute import uniform
from hs_env.errors import HsEnvError
from hs_env.models.rate import Decisions

_LARGEST = 1e30  # bound of a logit, so that differences of logits are finite


class Choice(ABC):
    """Distributions over the k actions, one per row. R stands for the batch shape, which may have several axes.

    Attributes:
        logits: Output of the policy, illegal actions included: (R,) of action 1 if k = 2, else (R, k).
        legal: (R, k) bool, at least one True in each row.
        free: (R,) bool, whether more than one action is legal.
    """

    def __init__(self, logits: Tensor, legal: Tensor, free: Tensor) -> None:
        self.logits, self.legal, self.free = logits, legal, free

    @abstractmethod
    def best(self) -> Tensor:
        """Return the most probable legal actions, (R,) int64."""

    @abstractmethod
    def draw(self, uniform: Tensor) -> Tensor:
        """Return the legal actions (R,) int64 that uniform numbers (R,) select; small ones select the last action."""

    @abstractmethod
    def log_prob(self, actions: Tensor) -> Tensor:
        """Return the log-probabilities (R,) of legal actions; 0 where only one is legal."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Return the entropies (R,) in nats; 0 where only one action is legal."""

    def decisions(self, actions: Tensor, row: Tensor) -> Decisions | None:
        """Return the free decisions between two actions, to control their rate; None for more than two.

        Args:
            actions: (R,) int64, actions taken; action 1 counts as a boundary.
            row: (R,) int64, number of the episode of each decision.
        """
        return None

    def sample(self, generator: torch.Generator | None) -> Tensor:
        """Draw legal actions, (R,) int64."""
        return self.draw(uniform(len(self.logits), generator, self.logits.device))


class BinaryChoice(Choice):
    """A Bernoulli distribution; `logits` (R,) are those of action 1 relative to action 0."""

    def __init__(self, logits: Tensor, legal: Tensor) -> None:
        super().__init__(logits, legal, legal.all(-1))

    def best(self) -> Tensor:
        """See `Choice.best`."""
        return torch.where(self.free, self.logits.detach() > 0, self.legal[..., 1]).long()

    def draw(self, uniform: Tensor) -> Tensor:
        """See `Choice.draw`; selects action 1 where the number is below its probability."""
        wanted = uniform < torch.sigmoid(self.logits.detach())
        return torch.where(self.free, wanted, self.legal[..., 1]).long()

    def log_prob(self, actions: Tensor) -> Tensor:
        """See `Choice.log_prob`."""
        chosen = nn.functional.logsigmoid(torch.where(actions == 1, self.logits, -self.logits))
        return torch.where(self.free, chosen, 0.0)

    def decisions(self, actions: Tensor, row: Tensor) -> Decisions:
        """See `Choice.decisions`."""
        logits = self.logits[self.free]
        return Decisions(actions[self.free].to(logits.dtype), torch.sigmoid(logits), logits, row[self.free])

    def entropy(self) -> Tensor:
        """See `Choice.entropy`; finite for any logit."""
        size = self.logits.abs().clamp(max=_LARGEST)
        return (nn.functional.softplus(-size) + size * torch.sigmoid(-size)) * self.free


class CategoricalChoice(Choice):
    """A categorical distribution over any number of actions; `logits` are (R, k)."""

    def __init__(self, logits: Tensor, legal: Tensor) -> None:
        super().__init__(logits, legal, legal.sum(-1) > 1)
        self.log_probs = logits.clamp(-_LARGEST, _LARGEST).masked_fill(~legal, -torch.inf).log_softmax(-1)

    def best(self) -> Tensor:
        """See `Choice.best`."""
        return self.log_probs.detach().argmax(-1)

    def draw(self, uniform: Tensor) -> Tensor:
        """See `Choice.draw`; inverts the cumulative distribution, summed from the last action down."""
        probabilities = self.log_probs.detach().exp()
        above = _sums(probabilities.flip(-1))[..., :-1]
        drawn = above.shape[-1] - (uniform[..., None] >= above).sum(-1)
        possible = probabilities.gather(-1, drawn[..., None]).squeeze(-1) > 0  # rounding may select another one
        return torch.where(possible, drawn, self.best())

    def log_prob(self, actions: Tensor) -> Tensor:
        """See `Choice.log_prob`."""
        chosen = self.log_probs.gather(-1, actions[..., None]).squeeze(-1)
        return torch.where(self.free, chosen, 0.0)

    def entropy(self) -> Tensor:
        """See `Choice.entropy`."""
        finite = torch.where(self.legal, self.log_probs, 0.0)
        return -(finite.exp() * finite * self.legal).sum(-1) * self.free


def choice_of(logits: Tensor, legal: Tensor) -> Choice:
    """Return the distribution of a policy over the legal actions.

    Args:
        logits: (R,) of action 1, for two actions, or (R, k).
        legal: (R, k) bool, at least one True in each row. A row with a single one has no free choice: its action is
            drawn with probability 1, and its log-probability and entropy are 0.

    Raises:
        HsEnvError: If the policy is for another number of actions.
    """
    binary, k = logits.ndim < legal.ndim, legal.shape[-1]
    if (2 if binary else logits.shape[-1]) != k:
        raise HsEnvError(
            f"The policy chooses among {2 if binary else logits.shape[-1]} actions, and the decision problem has {k}. "
            "Use a policy that was made for this problem."
        )
    return (BinaryChoice if binary else CategoricalChoice)(logits, legal)


def _sums(values: Tensor) -> Tensor:
    """Return the sums of all values up to each along the last axis; `cumsum` is not deterministic on a GPU."""
    return values.cumsum(-1) if values.is_cpu else torch.stack([*accumulate(values.unbind(-1))], -1)
