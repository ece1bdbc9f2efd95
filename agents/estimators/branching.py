"""Estimators that compare an action with the others: local expectation, ARM and DisARM.

They estimate how the reward changes if one action is replaced. The actions before it stay the sampled ones; those after
it are drawn from the policy, in all branches with the same uniform numbers. Take two actions, with the difference
`D_t = f(a_t = 1) - f(a_t = 0)`, the probability theta of action 1, and the uniform number u, which selects action 1 if
u < theta. The gradient with respect to the logit is then the expectation over u and the later words of::

    local expectation   theta (1 - theta) D                                         (Titsias, Lazaro-Gredilla 2015)
    ARM                 |u - 1/2| D if u and 1 - u select different actions, else 0     (Yin, Zhou 2019)
    DisARM              sigmoid(|logit|) / 2 D in the same case, else 0                 (Dong, Mnih, Tucker 2020)

Local expectation supports k actions: for the logit of action a it is `pi_a (f(a) - sum_b pi_b f(b))`. Actions depend on
earlier ones, so ARM and DisARM use the pair (u, 1 - u) at one word at a time. The encoder runs the second branch only
where the two actions differ.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hs_env.models.state import EncoderState

from ..choice import choice_of
from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward, Walk, mean_objective, walk


class Branching(Estimator):
    """Runs the rest of the sentence again after other actions, at the words that the subclass selects."""

    unbiased = True

    @abstractmethod
    def branches(self, walked: Walk) -> Tensor:
        """Return (R, T) bool: the words where other actions are tried, a subset of `walked.choices.free`."""

    @abstractmethod
    def weights(self, walked: Walk, rewards: Tensor) -> Tensor:
        """Return the weights of the logits, in their shape, given the reward after each action, (R, T, k)."""

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        walked = walk(expected, generator)
        where = self.branches(walked)
        taken = one_hot(walked.actions, walked.choices.legal.shape[2]).bool()
        rewards, steps = branch_rewards(expected, walked, where[..., None] & walked.choices.legal & ~taken)
        rewards = torch.where(taken, walked.earned.total[:, None, None], rewards)
        weights = self.weights(walked, rewards).detach()
        weights = torch.where(where if weights.ndim == 2 else where[..., None], weights, 0.0)
        passes = expected.samples + steps / expected.words
        return Estimate(walked.rollout, walked.earned, mean_objective(weights, walked.choices.logits), passes)


@torch.no_grad()
def branch_rewards(expected: ExpectedReward, walked: Walk, where: Tensor) -> tuple[Tensor, int]:
    """Compute the rewards after other actions; the same uniform numbers select the later actions.

    Args:
        expected: Policy, encoder and reward.
        walked: Sampled episodes.
        where: (R, T, k) bool, the actions to try, one at a time.

    Returns:
        (R, T, k) rewards, 0 where nothing is tried; the number of encoder steps, one per branch and word.
    """
    encoder, width, logits = expected.encoder, where.shape[1], expected.policy.on(expected.batch)
    rows = where.new_empty(0, dtype=torch.long)  # row of the sampled episode of each branch
    actions = walked.actions.new_empty(0, width)
    steps = 0

    def open_branches(t: int, state: EncoderState) -> EncoderState:
        """Add the branches that differ from the sampled episodes at word t - 1."""
        nonlocal rows, actions, steps
        if t and len(found := where[:, t - 1].nonzero()):
            new, tried = found.unbind(1)
            opened = walked.actions[new].clone()
            opened[:, t - 1] = tried
            steps += len(new)
            rows, actions = torch.cat([rows, new]), torch.cat([actions, opened])
            state = state.joined(encoder.advance(walked.states[t - 1].select(new), tried))
        return state

    def decide(t: int, state: EncoderState) -> Tensor:
        nonlocal steps
        if len(state):
            choice = choice_of(logits(encoder.observe(state), state.index_at(state.position)), encoder.legal(state))
            actions[:, t] = choice.draw(walked.uniforms[rows, t]) * state.reading
            steps += int(state.reading.sum())
        return actions[:, t]

    state = encoder.unroll(walked.states[0].select(slice(0)), width, decide, open_branches, assume_legal=True)
    state = open_branches(width, state)
    rewards = walked.earned.total.new_zeros(where.shape)
    if len(state):
        earned = expected.earned(walked.sentences.select(rows), actions, state)[1].total
        rewards.transpose(0, 1)[where.transpose(0, 1)] = earned  # branches are ordered by word
    return rewards, steps


@ESTIMATORS.register("local_expectation.v1")
class LocalExpectation(Branching):
    """Tries all actions at every word."""

    title = "local expectation"

    def branches(self, walked: Walk) -> Tensor:
        """See `Branching.branches`."""
        return walked.choices.free

    def weights(self, walked: Walk, rewards: Tensor) -> Tensor:
        """See `Branching.weights`."""
        if walked.choices.logits.ndim == 2:
            theta = torch.sigmoid(walked.choices.logits)
            return theta * (1 - theta) * (rewards[..., 1] - rewards[..., 0])
        pi = walked.choices.logits.masked_fill(~walked.choices.legal, -torch.inf).softmax(2)
        return pi * (rewards - (pi * rewards).sum(2, keepdim=True))


class Antithetic(Branching):
    """Tries the other of two actions at some words.

    A uniform number u selects each action. The other action is tried where 1 - u would have selected it, and the two
    rewards are compared.
    """

    binary = True

    def branches(self, walked: Walk) -> Tensor:
        """See `Branching.branches`."""
        theta = torch.sigmoid(walked.choices.logits.detach())
        return walked.choices.free & ((walked.uniforms < theta) != (1 - walked.uniforms < theta))

    def weights(self, walked: Walk, rewards: Tensor) -> Tensor:
        """See `Branching.weights`."""
        return self.factor(walked) * (rewards[..., 1] - rewards[..., 0])

    @abstractmethod
    def factor(self, walked: Walk) -> Tensor:
        """Return the factor of the difference between the rewards of action 1 and action 0 at each word, (R, T)."""


@ESTIMATORS.register("arm.v1")
class ARM(Antithetic):
    """Implements augment-REINFORCE-merge (Yin and Zhou, ICLR 2019)."""

    title = "ARM"

    def factor(self, walked: Walk) -> Tensor:
        """See `Antithetic.factor`."""
        return (walked.uniforms - 0.5).abs()


@ESTIMATORS.register("disarm.v1")
class DisARM(Antithetic):
    """Averages ARM over all uniform numbers that select the same pair of actions (Dong, Mnih, Tucker, NeurIPS 2020)."""

    title = "DisARM"

    def factor(self, walked: Walk) -> Tensor:
        """See `Antithetic.factor`."""
        return torch.sigmoid(walked.choices.logits.abs()) / 2
