"""The reward protocol: a batch of finished episodes in, named terms and their sum out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hs_env.registry import Registry
from hs_env.types import Episodes, HsEnvError

REWARDS: Registry[Callable[..., Reward]] = Registry("reward")
"""Makers of rewards by versioned name; keyword arguments are the reward's parameters."""


@dataclass(frozen=True, slots=True)
class Rewarded:
    """What a batch of R episodes earned.

    Attributes:
        total: (R,) float32, the sum of the terms.
        terms: Each term's contribution, (R,) float32.
    """

    total: Tensor
    terms: dict[str, Tensor]


class Reward(ABC):
    """A function of a batch of finished episodes.

    Subclasses define `terms`; rewards add up and scale: `LogLikelihood() + 0.1 * Accuracy()`.

    Attributes:
        name: For messages and logs; the class's own name unless it sets another.
    """

    name: str

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Name the class after itself."""
        super().__init_subclass__(**arguments)
        cls.name = cls.__dict__.get("name", cls.__name__)

    @abstractmethod
    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """Named contributions, each (R,), that add up to the reward."""

    def __call__(self, episodes: Episodes) -> Rewarded:
        """The reward of each episode.

        Raises:
            HsEnvError: If a term has a wrong shape or is not finite; the message names reward, term and sentence.
        """
        terms = {key: self._checked(key, value, episodes) for key, value in self.terms(episodes).items()}
        if not terms:
            raise HsEnvError(f"The reward {self.name!r} returned no term; it must return at least one.")
        total = torch.stack(list(terms.values())).sum(0)
        return Rewarded(self._checked("total", total, episodes), terms)

    def __add__(self, other: Reward) -> Reward:
        return _Sum(self, other) if isinstance(other, Reward) else NotImplemented

    def __mul__(self, factor: float) -> Reward:
        return _Multiple(self, float(factor)) if isinstance(factor, int | float) else NotImplemented

    __rmul__ = __mul__

    def _checked(self, key: str, value: Any, episodes: Episodes) -> Tensor:
        where = f"The term {key!r} of the reward {self.name!r}"
        if not isinstance(value, Tensor) or value.shape != (len(episodes),):
            came = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise HsEnvError(f"{where} must be a tensor of shape ({len(episodes)},), one value an episode; got {came}.")
        amounts: Tensor = value.float()
        if not (good := torch.isfinite(amounts)).all():
            row = int((~good).nonzero()[0])
            raise HsEnvError(
                f"{where} is {amounts[row].item()} for sentence {int(episodes.sentences.indices[row])} of its split "
                f"({int(episodes.sentences.lengths[row])} words, {int(episodes.num_phrases[row])} phrases); "
                "it must be finite."
            )
        return amounts


class _Sum(Reward):
    def __init__(self, left: Reward, right: Reward) -> None:
        self.left, self.right = left, right
        self.name = f"{left.name} + {right.name}"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        terms = dict(self.left(episodes).terms)
        for key, value in self.right(episodes).terms.items():
            terms[key] = terms[key] + value if key in terms else value
        return terms


class _Multiple(Reward):
    def __init__(self, reward: Reward, factor: float) -> None:
        self.reward, self.factor = reward, factor
        self.name = f"{factor:g} * {reward.name}" if not isinstance(reward, _Sum) else f"{factor:g} * ({reward.name})"

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        return {key: self.factor * value for key, value in self.reward(episodes).terms.items()}


def make_reward(name: str, **parameters: Any) -> Reward:
    """The reward registered as `name` ("hs_lstm.v1", or "hs_lstm" for its newest version).

    Raises:
        HsEnvError: If the name is unknown, with the nearest spelling, or a parameter does not fit.
    """
    full = REWARDS.resolve(name)
    try:
        return REWARDS.get(full)(**parameters)
    except TypeError as error:
        raise HsEnvError(f"The reward {full!r} does not take these parameters: {error}.") from error
