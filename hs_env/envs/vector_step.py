"""A step of a vector environment as tensors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from hs_env.envs.episode_end import EpisodeEnd


@dataclass(frozen=True, slots=True)
class Ended:
    """The episodes that ended in a step.

    Attributes:
        slots: (R,) int64 slots.
        end: Rewards and infos of the terminated episodes; None if all were truncated before their last word.
        observation: (R, D) float32 last observations.
        info_tensors: Tensors of the infos of every step, at the last step (see `Slots.info_tensors`).
        terminated: Slots of the terminated episodes, int64.
    """

    slots: Tensor
    end: EpisodeEnd | None
    observation: Tensor
    info_tensors: tuple[Tensor, ...]
    terminated: Tensor


@dataclass(frozen=True, slots=True)
class TensorStep:
    """A step of a vector environment as tensors, which share no memory with it.

    Attributes:
        observation: (N, D) float32.
        legal: (N, k) bool, the next legal actions.
        reward: (N,) float32.
        terminated: (N,) bool.
        ended: Episodes that ended, or None.
        truncated: (N,) bool, whether the episode reached the limit of steps. At the last word, `terminated` and
            `truncated` may both be True.
    """

    observation: Tensor
    legal: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Ended | None
    truncated: Tensor
