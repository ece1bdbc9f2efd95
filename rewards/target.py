"""Define rewards that keep a share or a length near a target, with a fixed weight or one that adapts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from hs_env.errors import check_ranges
from hs_env.types import Episodes

from .base import REWARDS, Reward
from .counts import deleted_share, phrase_share

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class _Adaptive(Reward):
    """A term with a weight lambda. If `rate` is above 0, lambda is the multiplier of a constraint, by dual ascent.

    `adapt` sets lambda <- clip(lambda + rate * violation, 0, max_weight). Add such a term to other rewards and never
    subtract it: subtracted, it would reward violations.

    Attributes:
        target: Target value of the constraint.
        weight: Initial lambda.
        rate: Step size of lambda; 0 keeps lambda fixed.
        max_weight: Greatest lambda.
    """

    target: float
    weight: float = 1.0
    rate: float = 0.0
    _: KW_ONLY
    max_weight: float = 10.0
    multiplier: float = field(init=False)

    def __post_init__(self) -> None:
        check_ranges(self, rate=(0, 1e9), max_weight=(0, 1e9))
        check_ranges(self, weight=(0, self.max_weight))
        self.multiplier = float(self.weight)

    @abstractmethod
    def amounts(self, episodes: Episodes) -> Tensor:
        """Return the (R,) amounts that lambda multiplies."""

    @abstractmethod
    def violation(self, episodes: Episodes) -> float:
        """Return by how much a batch violates the constraint; negative if the constraint has slack."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        return {self.name.partition(".")[0]: self.multiplier * self.amounts(episodes)}

    def adapt(self, episodes: Episodes) -> None:
        """Raise lambda if the batch violates the constraint, else lower it."""
        raised = self.multiplier + self.rate * self.violation(episodes)
        self.multiplier = min(max(raised, 0.0), float(self.max_weight))

    def state_dict(self) -> dict[str, Any]:
        """See `Reward.state_dict`."""
        return {"multiplier": self.multiplier}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Reward.load_state_dict`."""
        self._check_state(state, {"multiplier"})
        self.multiplier = state["multiplier"]
        check_ranges(self, multiplier=(0, self.max_weight))


@dataclass
class _Near(_Adaptive):
    """R = -lambda * |x - target|; the constraint is |mean x - target| <= tolerance.

    Each episode is penalised for its own distance. The mean of these distances is at least the distance of the mean.

    Attributes:
        tolerance: Greatest distance of the mean from the target that the constraint allows.
    """

    _: KW_ONLY
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, tolerance=(0, 1e9))
        super().__post_init__()

    @abstractmethod
    def measure(self, episodes: Episodes) -> Tensor:
        """Return the (R,) values x."""

    def amounts(self, episodes: Episodes) -> Tensor:
        """Return (R,) -|x - target|."""
        return -(self.measure(episodes) - self.target).abs()

    def violation(self, episodes: Episodes) -> float:
        """Return |mean x - target| - tolerance."""
        return abs(self.measure(episodes).mean().item() - self.target) - self.tolerance


@REWARDS.register("boundary_rate.v1")
@dataclass
class BoundaryRate(_Near):
    """R = -lambda * |n/L - target| for n phrases in L words; lambda is `weight`, or adapts at `rate`.

    n/L is the share of words that end a phrase, or that ID-LSTM retains. The default target, 0.316, maximises the
    structure term of HS-LSTM.

    Attributes:
        target: Target of n/L, 0 to 1.
        tolerance: Distance of the batch's mean n/L from the target that is no violation.
    """

    target: float = 0.316
    tolerance: float = 0.02
    name = "boundary_rate.v1"

    def __post_init__(self) -> None:
        check_ranges(self, target=(0, 1))
        super().__post_init__()

    def measure(self, episodes: Episodes) -> Tensor:
        """Return (R,) n/L."""
        return phrase_share(episodes)


@REWARDS.register("phrase_length.v1")
@dataclass
class PhraseLength(_Near):
    """R = -lambda * |L/n - target| for n phrases in L words.

    lambda starts at `weight`, and adapts if `rate` is above 0.
    """

    target: float = 3.16
    tolerance: float = 0.2
    name = "phrase_length.v1"

    def __post_init__(self) -> None:
        check_ranges(self, target=(1, 1e9))
        super().__post_init__()

    def measure(self, episodes: Episodes) -> Tensor:
        """Return (R,) L/n."""
        return episodes.sentences.lengths / episodes.closing.sum(1)


@REWARDS.register("deletion_rate.v1")
@dataclass
class DeletionRate(_Adaptive):
    """R = lambda * d/L for d deleted words of L words; the constraint is that the mean of d/L is at least `target`.

    Each deleted word earns lambda / L, independent of its position, so lambda is the loss of log-likelihood that
    deleting all words may cost. The policy decides which sentences lose more words than the target, and which fewer.
    """

    target: float = 0.3
    weight: float = 0.1
    rate: float = 5e-4
    name = "deletion_rate.v1"

    def __post_init__(self) -> None:
        check_ranges(self, target=(0, 1))
        super().__post_init__()

    def amounts(self, episodes: Episodes) -> Tensor:
        """Return (R,) d/L."""
        return deleted_share(episodes)

    def violation(self, episodes: Episodes) -> float:
        """Return target - mean of d/L."""
        return self.target - deleted_share(episodes).mean().item()
