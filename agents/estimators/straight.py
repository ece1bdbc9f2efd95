"""Gradients straight through the decisions: forward they are 0 or 1, backward something smooth. Biased.

The encoder reads relaxed actions (`StructuredEncoder.mix`), the reward sees them, and the policy sees the states that
they lead to: the gradient flows through all three.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.hm.boundary import annealed_slope, hard_sigmoid

from ..policy import binary_entropy
from ..rollout import Rollout
from .base import ESTIMATORS, Estimate, Estimator, Problem


class StraightThrough(Estimator):
    """Decides by drawing; subclasses say what the decision is backward."""

    unbiased = False

    def __init__(self, state_size: int = 0) -> None:
        """The width of the state does not matter."""

    @abstractmethod
    def decide(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """(R,) bool decisions, 1 with probability sigm(logit), and (R,) floats that have the gradient."""

    def estimate(self, problem: Problem, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`.

        Raises:
            HsEnvError: If a term of the reward does not depend smoothly on the actions.
        """
        encoder, samples = problem.encoder, problem.samples
        sentences = problem.batch.repeat(samples)
        uniforms = torch.rand(sentences.tokens.shape, generator=generator)
        state = encoder.start(problem.batch, samples)
        actions, log_probs, entropies = [], [], []
        for uniform in uniforms.unbind(1):
            legal, reading = encoder.legal(state), state.reading
            free = legal.all(1) & reading
            logits = problem.logits(encoder.observe(state))
            hard, smooth = self.decide(logits, uniform)
            own = hard.float() + (smooth - smooth.detach())
            action = torch.where(free, own, (legal[:, 1] & reading).float())
            log_prob = nn.functional.logsigmoid(torch.where(action.detach() > 0.5, logits, -logits))
            log_probs.append(log_prob * free)
            entropies.append(binary_entropy(logits) * free)
            state = encoder.advance(state, action)
            actions.append(action)
        episodes, earned = problem.earned(sentences, torch.stack(actions, 1), state)
        for name, term in earned.terms.items():
            if not term.requires_grad:
                raise HsEnvError(
                    f"The term {name!r} of the reward does not depend smoothly on the actions, so {self.title} learns "
                    "nothing from it. Take an estimator that needs rewards only, such as 'rloo' or 'disarm'."
                )
        rollout = Rollout(episodes.detached(), torch.stack(log_probs, 1), torch.stack(entropies, 1))
        return Estimate(rollout, earned, earned.total.mean(), samples)


@ESTIMATORS.register("st_identity.v1")
class STIdentity(StraightThrough):
    """Backward, the decision is the logit (Hinton 2012; Bengio, Leonard, Courville 2013)."""

    title = "straight-through, identity"

    def decide(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        return uniform < torch.sigmoid(logits), logits


@ESTIMATORS.register("st_sigmoid.v1")
class STSigmoid(StraightThrough):
    """Backward, the decision is its probability (Bengio, Leonard, Courville 2013)."""

    title = "straight-through, sigmoid"

    def decide(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        theta = torch.sigmoid(logits)
        return uniform < theta, theta


@ESTIMATORS.register("st_hard.v1")
class STHard(StraightThrough):
    """Backward, the decision is a hard sigmoid that grows steeper (Chung, Ahn, Bengio 2017).

    The slope is min(5, 1 + 0.04 n / 100) after n estimates.
    """

    title = "straight-through, hard sigmoid"

    def __init__(self, state_size: int = 0) -> None:
        self.estimates = 0

    def decide(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        return uniform < torch.sigmoid(logits), hard_sigmoid(logits, annealed_slope(self.estimates / 100))

    def estimate(self, problem: Problem, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        estimate = super().estimate(problem, generator)
        self.estimates += 1
        return estimate

    def state_dict(self) -> dict[str, Any]:
        """See `Estimator.state_dict`."""
        return {"estimates": self.estimates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Estimator.load_state_dict`."""
        super().load_state_dict(state)
        self.estimates = state["estimates"]


@ESTIMATORS.register("st_gumbel.v1")
class STGumbel(StraightThrough):
    """Backward, the decision is a binary Concrete variable (Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017)."""

    title = "ST-Gumbel"
    _TEMPERATURE = 1.0

    def decide(self, logits: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        noise = torch.logit(1 - uniform, eps=1e-6)  # 1 - u: a small uniform decides for 1, as everywhere here
        relaxed = torch.sigmoid((logits + noise) / self._TEMPERATURE)
        return relaxed > 0.5, relaxed
