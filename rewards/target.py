"""Rewards that hold the segmentation near a target, with a fixed weight or with one that adapts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from hs_env.types import Episodes, check_ranges

from .base import REWARDS, Reward
from .counts import phrase_share


@dataclass
class _Target(Reward):
    """R = -lambda * |x - target| for an x of each episode.

    With a rate above 0, `adapt` makes lambda the multiplier of the constraint |mean x - target| <= tolerance, by dual
    ascent: lambda <- clip(lambda + rate * (|mean x - target| - tolerance), 0, max_weight). An episode pays for its own
    distance, which on average is at least that of the mean.

    Attributes:
        target: Where x should be.
        weight: The first lambda.
        rate: Step of lambda; 0 leaves it as it is.
        tolerance: How far the mean may be from the target.
        max_weight: Greatest lambda.
    """

    target: float
    weight: float = 1.0
    rate: float = 0.0
    tolerance: float = 0.0
    max_weight: float = 10.0
    multiplier: float = field(init=False)

    def __post_init__(self) -> None:
        check_ranges(self, rate=(0, 1e9), tolerance=(0, 1e9), max_weight=(0, 1e9))
        check_ranges(self, weight=(0, self.max_weight))
        self.multiplier = float(self.weight)

    @abstractmethod
    def measure(self, episodes: Episodes) -> Tensor:
        """(R,) x."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """See `Reward.terms`."""
        distance = (self.measure(episodes) - self.target).abs()
        return {self.name.partition(".")[0]: -self.multiplier * distance}

    def adapt(self, episodes: Episodes) -> None:
        """Raise lambda if the mean is too far from the target, else lower it."""
        violation = abs(self.measure(episodes).mean().item() - self.target) - self.tolerance
        self.multiplier = min(max(self.multiplier + self.rate * violation, 0.0), float(self.max_weight))

    def state_dict(self) -> dict[str, Any]:
        """See `Reward.state_dict`."""
        return {"multiplier": self.multiplier}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Reward.load_state_dict`."""
        self._check_state(state, {"multiplier"})
        self.multiplier = state["multiplier"]
        check_ranges(self, multiplier=(0, self.max_weight))


@REWARDS.register("boundary_rate.v1")
@dataclass
class BoundaryRate(_Target):
    """-lambda * |n/L - target| for n phrases in L words; lambda is `weight`, or adapts at `rate`.

    n/L is the share of words that end a phrase, or in ID-LSTM that are retained. The target of 0.316 is where the
    structure term of HS-LSTM is best.
    """

    target: float = 0.316
    tolerance: float = 0.02
    name = "boundary_rate.v1"

    def __post_init__(self) -> None:
        check_ranges(self, target=(0, 1))
        super().__post_init__()

    def measure(self, episodes: Episodes) -> Tensor:
        """n/L."""
        return phrase_share(episodes)


@REWARDS.register("phrase_length.v1")
@dataclass
class PhraseLength(_Target):
    """-lambda * |L/n - target| for a mean length L/n of the phrases; lambda is `weight`, or adapts at `rate`."""

    target: float = 3.16
    tolerance: float = 0.2
    name = "phrase_length.v1"

    def __post_init__(self) -> None:
        check_ranges(self, target=(1, 1e9))
        super().__post_init__()

    def measure(self, episodes: Episodes) -> Tensor:
        """L/n."""
        return episodes.sentences.lengths / episodes.num_phrases
