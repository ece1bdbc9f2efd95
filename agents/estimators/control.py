"""REINFORCE with a control variate on the relaxed action: REBAR and RELAX.

An action is `a = 1[z > 0]`, where z is logistic with the logit as its mean, and z~ is drawn from z given a. Let c be
any function of the state and z. Both z and z~ are differentiable functions of the logit. Then at each word ::

    (R - b - c(z~)) grad log pi(a) + grad c(z) - grad c(z~)

has the same expectation as `R grad log pi(a)` (Tucker et al. 2017; Grathwohl et al. 2018, section 3.3). The baseline b
is the mean reward of the sentence's other samples.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.compute import CPU, kept_generators, making_on, uniform

from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward, Walk, mean_objective, walk


class ControlVariate(Estimator):
    """Uses a control variate c, which subclasses define and train.

    Attributes:
        passes: Passes over the sentence per sample, those that c needs included.
    """

    passes: float = 1.0
    unbiased = True
    binary = True
    compares_samples = True

    @abstractmethod
    def variate(self, expected: ExpectedReward, walked: Walk, t: int, z: Tensor) -> Tensor:
        """Compute c, (R,), at word t; it is differentiable with respect to `z`, (R,)."""

    @abstractmethod
    def learn(self, plain: Tensor, correction: Tensor) -> Tensor:
        """Return the weights (R, T) of the logits, given those of REINFORCE and the correction, and train c."""

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        walked = walk(expected, generator)
        rewards = walked.earned.total.view(-1, expected.samples)
        others = (rewards.sum(1, keepdim=True) - rewards) / (expected.samples - 1)
        logits = walked.choices.logits.detach()
        score = (walked.actions - torch.sigmoid(logits)) * walked.choices.free
        plain = (rewards - others).flatten()[:, None] * score
        again = uniform(logits.shape, generator, logits.device)
        columns = [self._correction(expected, walked, t, logits[:, t], again[:, t]) for t in range(logits.shape[1])]
        correction = torch.stack(columns, 1) * walked.choices.free
        weights = self.learn(plain, correction)
        passes = expected.samples * self.passes
        return Estimate(walked.rollout, walked.earned, mean_objective(weights, walked.choices.logits), passes)

    def _correction(self, expected: ExpectedReward, walked: Walk, t: int, logit: Tensor, again: Tensor) -> Tensor:
        """Compute `-c(z~) grad log pi + grad c(z) - grad c(z~)`, (R,), for the logit of word t."""
        with torch.enable_grad():
            logit = logit.clone().requires_grad_()
            theta, one = torch.sigmoid(logit), walked.actions[:, t] == 1
            z = logit + _logistic(1 - walked.uniforms[:, t])
            # Given the action, the uniform number of z is above or below 1 - theta.
            given = torch.where(one, 1 - theta + again * theta, again * (1 - theta))
            conditional = logit + _logistic(given)
            first, second = self.variate(expected, walked, t, z), self.variate(expected, walked, t, conditional)
            slope = torch.autograd.grad((first - second).sum(), logit, create_graph=torch.is_grad_enabled())[0]
            return slope - second * (one.float() - theta.detach())


def _logistic(uniform: Tensor) -> Tensor:
    return torch.logit(uniform, eps=1e-6)


@ESTIMATORS.register("rebar.v1")
class REBAR(ControlVariate):
    """Sets c to the log-likelihood of the gold class after the relaxed action, times a learned factor.

    The factor minimises the variance of earlier estimates, so it is independent of the current one.
    """

    title = "REBAR"
    passes = 3.0  # one for the sample, and two encoder steps per word
    _TEMPERATURE, _DECAY = 0.5, 0.95

    def __init__(self, state_size: int = 0) -> None:
        self.covariance, self.variance = 0.0, 0.0

    def variate(self, expected: ExpectedReward, walked: Walk, t: int, z: Tensor) -> Tensor:
        """See `ControlVariate.variate`."""
        relaxed = torch.sigmoid(z / self._TEMPERATURE)
        log_probs = expected.encoder.finish(expected.encoder.advance(walked.states[t], relaxed))
        return log_probs.gather(1, walked.sentences.labels[:, None]).squeeze(1)

    def learn(self, plain: Tensor, correction: Tensor) -> Tensor:
        """See `ControlVariate.learn`."""
        correction = correction.detach()
        factor = -self.covariance / self.variance if self.variance else 0.0
        for name, now in (("covariance", plain * correction), ("variance", correction.square())):
            before = getattr(self, name)
            setattr(self, name, self._DECAY * before + (1 - self._DECAY) * now.mean().item())
        return plain + factor * correction

    def state_dict(self) -> dict[str, Any]:
        """See `Estimator.state_dict`."""
        return {"covariance": self.covariance, "variance": self.variance}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Estimator.load_state_dict`."""
        super().load_state_dict(state)
        self.covariance, self.variance = state["covariance"], state["variance"]


@ESTIMATORS.register("relax.v1")
class RELAX(ControlVariate):
    """Computes c with a small network of the observation and z, trained to minimise the variance."""

    title = "RELAX"
    _WIDTH, _LEARNING_RATE = 32, 1e-2

    def __init__(self, state_size: int) -> None:
        with kept_generators(seed=0):
            self.network = nn.Sequential(nn.Linear(state_size + 1, self._WIDTH), nn.Tanh(), nn.Linear(self._WIDTH, 1))
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)  # c is initially 0
        nn.init.zeros_(last.bias)
        self.to(CPU)

    def to(self, device: torch.device) -> None:
        """See `Estimator.to`."""
        self.network.to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), self._LEARNING_RATE)

    def variate(self, expected: ExpectedReward, walked: Walk, t: int, z: Tensor) -> Tensor:
        """See `ControlVariate.variate`."""
        seen = expected.encoder.observe(walked.states[t])
        value: Tensor = self.network(torch.cat([seen, torch.sigmoid(z)[:, None]], 1)).squeeze(1)
        return value

    def learn(self, plain: Tensor, correction: Tensor) -> Tensor:
        """See `ControlVariate.learn`."""
        weights = plain + correction
        self.optimizer.zero_grad(set_to_none=True)
        weights.square().sum(1).mean().backward()
        with making_on():
            self.optimizer.step()
        return weights.detach()

    def state_dict(self) -> dict[str, Any]:
        """See `Estimator.state_dict`."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Estimator.load_state_dict`."""
        super().load_state_dict(state)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
