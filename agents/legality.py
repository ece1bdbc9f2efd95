"""An encoder that reads nothing, for policies that do not observe the encoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hs_env.models.encoder import StructuredEncoder
from hs_env.models.state import EncoderState
from hs_env.problems.problem import Problem
from hs_env.types import SentenceBatch


class Legality(StructuredEncoder):
    """Knows which actions of a problem are legal, and nothing else: it has no memory, and its observations are 0.

    The actions of a policy that observes nothing do not depend on the encoder. They are chosen on this one, and the
    encoder itself then reads each sentence once, under known actions, by its fastest route.

    Args:
        problem: Decision problem.
        state_size: Width D of the observations.
    """

    def __init__(self, problem: Problem, state_size: int = 0) -> None:
        super().__init__()
        self.problem, self.state_size = problem, state_size  # type: ignore[misc]

    def start(self, batch: SentenceBatch, samples: int = 1) -> EncoderState:
        """See `StructuredEncoder.start`."""
        index = torch.zeros_like(batch.tokens).repeat_interleave(samples, 0)
        return self.begin((), index, batch.lengths.repeat_interleave(samples))

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Return no tables."""
        return ()

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return an empty memory, (R, 0) float32."""
        return torch.zeros(len(first), 0, device=first.device)

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Return the empty memory for each action."""
        return (state.memory,) * self.problem.num_actions

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Return the empty memory."""
        return state.memory

    def observe(self, state: EncoderState) -> Tensor:
        """Return zeros, (R, D) float32, which take no memory."""
        return state.memory.new_zeros(1, 1).expand(len(state), self.state_size)

    def finish(self, state: EncoderState) -> Tensor:
        """Return no class log-probabilities, (R, 0) float32."""
        return state.memory

    def config(self) -> dict[str, Any]:
        """See `StructuredEncoder.config`."""
        return {"problem": self.problem, "state_size": self.state_size}
