"""Describe a reward as JSON values, which reward.js computes."""

from __future__ import annotations

from typing import Any, Final

from hs_env.errors import HsEnvError
from hs_env.rewards import (
    Accuracy,
    BoundaryRate,
    DeletionRate,
    Deletions,
    HSLSTMReward,
    IDLSTMReward,
    LogLikelihood,
    Margin,
    Multiple,
    PhraseLength,
    Phrases,
    Reward,
    Sum,
    Transitions,
)

_PARAMETERS: Final[dict[type[Reward], tuple[str, ...]]] = {
    LogLikelihood: (),
    Accuracy: (),
    Margin: (),
    Phrases: (),
    Deletions: (),
    Transitions: (),
    HSLSTMReward: ("gamma",),
    IDLSTMReward: ("gamma",),
    DeletionRate: ("multiplier",),
    BoundaryRate: ("multiplier", "target"),
    PhraseLength: ("multiplier", "target"),
}
"""Rewards that reward.js computes, each with the attributes that it needs."""


def described(reward: Reward) -> dict[str, Any]:
    """Return a reward as JSON values: `{"sum": [...]}`, `{"times": 0.5, "of": ...}`, or a name with its parameters.

    Raises:
        HsEnvError: If the page cannot compute the reward.
    """
    if isinstance(reward, Sum):
        return {"sum": [described(reward.left), described(reward.right)]}
    if isinstance(reward, Multiple):
        return {"times": reward.factor, "of": described(reward.reward)}
    if type(reward) not in _PARAMETERS:
        known = ", ".join(kind.name.partition(".")[0] for kind in _PARAMETERS)
        raise HsEnvError(
            f"A demo cannot compute the reward {reward.name!r}; it knows {known}, and sums and multiples of these."
        )
    values = {name: getattr(reward, name) for name in _PARAMETERS[type(reward)]}
    return {"name": reward.name.partition(".")[0], **values}
