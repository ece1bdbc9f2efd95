"""Straight-through estimators: actions are hard in the forward pass and smooth in the backward pass. They are biased.

The gradient flows through the relaxed actions of the encoder (`StructuredEncoder.mix`), the reward, and the states that
the policy observes later.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hs_env.compute import uniform
from hs_env.errors import HsEnvError
from hs_env.models.hm.boundary import annealed_slope, hard_sigmoid
from hs_env.models.state import EncoderState

from ..choice import Choice
from ..rollout import Rollout
from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward, Trace


class StraightThrough(Estimator):
    """Draws hard actions; subclasses define their value in the backward pass."""

    unbiased = False

    @abstractmethod
    def decide(self, choice: Choice, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Draw hard actions.

        Args:
            choice: Distributions of R rows.
            uniform: Uniform random numbers, (R,) for two actions, (R, k) for more.

        Returns:
            (R,) int64 actions; and floats in the shape of the logits, whose gradient the actions have in the backward
            pass.
        """

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`.

        Raises:
            HsEnvError: If a term of the reward does not depend smoothly on the actions.
        """
        encoder, samples = expected.encoder, expected.samples
        sentences, k = expected.batch.repeat(samples), encoder.problem.num_actions
        shape = sentences.tokens.shape if k == 2 else (*sentences.tokens.shape, k)
        uniforms = uniform(shape, generator, sentences.tokens.device)
        trace, relaxed = Trace(expected), []

        def decide(t: int, state: EncoderState) -> Tensor:
            choice = trace.choice(state)
            drawn, smooth = self.decide(choice, uniforms[:, t])
            forced = choice.best() * state.reading  # the only legal action, and 0 after the last word
            actions = torch.where(choice.free, drawn, forced)
            trace.take(actions)
            hard = actions.float() if k == 2 else one_hot(actions, k) * state.reading[:, None].float()
            straight = torch.where(_like(choice.free, smooth), hard + (smooth - smooth.detach()), hard)
            relaxed.append(straight)
            return straight

        state = encoder.unroll(encoder.start(expected.batch, samples), shape[1], decide)
        episodes, earned = expected.earned(sentences, torch.stack(relaxed, 1), state)
        for name, term in earned.terms.items():
            if not term.requires_grad and name not in earned.unweighted:
                raise HsEnvError(
                    f"The term {name!r} of the reward does not depend smoothly on the actions, so {self.title} learns "
                    "nothing from it. Choose an estimator that needs only rewards, such as 'rloo'."
                )
        rollout = Rollout(episodes.detached(), trace.log_probs, trace.entropy, decisions=trace.decisions)
        return Estimate(rollout, earned, earned.total.mean(), samples)


def _like(rows: Tensor, values: Tensor) -> Tensor:
    """Reshape (R,) to broadcast to values (R,) or (R, k)."""
    return rows if values.ndim == 1 else rows[:, None]


def _draw(choice: Choice, uniform: Tensor) -> Tensor:
    """Draw actions (R,) int64 with the first uniform number of each row."""
    return choice.draw(uniform if uniform.ndim == 1 else uniform[:, 0])


def _probabilities(choice: Choice) -> Tensor:
    """Return the probability (R,) of action 1, or (R, k) of the legal actions."""
    if choice.logits.ndim == 1:
        return torch.sigmoid(choice.logits)
    return choice.logits.masked_fill(~choice.legal, -torch.inf).softmax(1)


def _centred_logits(choice: Choice) -> Tensor:
    """Return the logit (R,) of action 1, or logits (R, k) with mean 0 over the legal actions and 0 elsewhere."""
    if choice.logits.ndim == 1:
        return choice.logits
    logits = choice.logits * choice.legal
    return (logits - logits.sum(1, keepdim=True) / choice.legal.sum(1, keepdim=True)) * choice.legal


@ESTIMATORS.register("st_identity.v1")
class STIdentity(StraightThrough):
    """Uses the logit in the backward pass (Hinton 2012; Bengio, Leonard, Courville 2013).

    The k logits of more than two actions are centred, so that their gradient does not depend on a constant added to
    all the outcomes.
    """

    title = "straight-through, identity"

    def decide(self, choice: Choice, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        return _draw(choice, uniform), _centred_logits(choice)


@ESTIMATORS.register("st_sigmoid.v1")
class STSigmoid(StraightThrough):
    """Uses the probability in the backward pass (Bengio, Leonard, Courville 2013)."""

    title = "straight-through, sigmoid"

    def decide(self, choice: Choice, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        return _draw(choice, uniform), _probabilities(choice)


@ESTIMATORS.register("st_hard.v1")
class STHard(StraightThrough):
    """Uses a hard sigmoid with increasing slope in the backward pass (Chung, Ahn, Bengio 2017).

    The slope is min(5, 1 + 0.04 n / 100) after n estimates.
    """

    title = "straight-through, hard sigmoid"
    binary = True

    def __init__(self, state_size: int = 0) -> None:
        super().__init__(state_size)
        self.estimates = 0

    def decide(self, choice: Choice, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        return _draw(choice, uniform), hard_sigmoid(choice.logits, annealed_slope(self.estimates / 100))

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        estimate = super().estimate(expected, generator)
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
    """Uses a Concrete variable in the backward pass (Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017).

    The variable is binary Concrete for two actions and Gumbel-softmax for more.
    """

    title = "ST-Gumbel"
    _TEMPERATURE = 1.0

    def decide(self, choice: Choice, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """See `StraightThrough.decide`."""
        if choice.logits.ndim == 1:
            noise = torch.logit(1 - uniform, eps=1e-6)  # 1 - u, as small numbers select action 1 in `Choice.draw`
            relaxed = torch.sigmoid((choice.logits + noise) / self._TEMPERATURE)
            return (relaxed > 0.5).long(), relaxed
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))
        perturbed = (choice.logits + gumbel).masked_fill(~choice.legal, -torch.inf)
        return perturbed.argmax(1), (perturbed / self._TEMPERATURE).softmax(1)
