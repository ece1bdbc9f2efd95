"""Estimators that compare an action with the other one: ARM, DisARM, and local expectation.

All three weigh the difference that flipping one action makes, `D_t = f(a_t = 1) - f(a_t = 0)`: what comes before is the
sampled prefix, what comes after is drawn from the policy, on both sides with the same uniforms. With theta the
probability of action 1, u the uniform that decided (1 if u < theta), and expectations over u and what follows::

    local expectation   theta (1 - theta) D                                             (Titsias, Lazaro-Gredilla 2015)
    ARM                 |u - 1/2| D where u and 1 - u decide differently, else 0        (Yin, Zhou 2019)
    DisARM              sigm(|logit|) / 2 D where they do, else 0: the mean of ARM given that they do
                                                                                        (Dong, Mnih, Tucker 2020)

The decisions of a sentence depend on those before, so ARM and DisARM take the pair (u, 1 - u) at one word at a time:
only where the two differ is the other branch read to its end.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from hs_env.models.encoder import EncoderState

from .base import ESTIMATORS, Estimate, Estimator, Problem, Walk, decided, mean_objective, walk


class Branching(Estimator):
    """Reads on from the flipped action where the subclass asks for it."""

    unbiased = True

    def __init__(self, state_size: int = 0) -> None:
        """The width of the state does not matter."""

    @abstractmethod
    def branches(self, walked: Walk) -> Tensor:
        """(R, T) bool: where the other action is tried; a subset of `walked.free`."""

    @abstractmethod
    def weight(self, walked: Walk) -> Tensor:
        """(R, T): what the difference is multiplied by."""

    def estimate(self, problem: Problem, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`."""
        walked = walk(problem, generator)
        where = self.branches(walked)
        flipped, steps = flipped_rewards(problem, walked, where)
        difference = torch.where(
            walked.actions == 1, walked.earned.total[:, None] - flipped, flipped - walked.earned.total[:, None]
        )
        weights = torch.where(where, self.weight(walked).detach() * difference, 0.0)
        passes = problem.samples + steps / problem.words
        return Estimate(walked.rollout, walked.earned, mean_objective(weights, walked.logits), passes)


@torch.no_grad()
def flipped_rewards(problem: Problem, walked: Walk, where: Tensor) -> tuple[Tensor, int]:
    """The reward that the other action leads to, drawn with the same uniforms from there on.

    Args:
        problem: What is decided.
        walked: Sampled episodes.
        where: (R, T) bool, the actions that are flipped, one at a time.

    Returns:
        (R, T) rewards, 0 where nothing is flipped; the steps that were read for it.
    """
    encoder, width = problem.encoder, where.shape[1]
    rows = where.new_empty(0, dtype=torch.long)  # of the walk, for each branch
    actions = walked.actions.new_empty(0, width)
    state: EncoderState | None = None
    steps = 0
    for t in range(width):
        if state is not None:  # the branches that have been opened read on
            legal = encoder.legal(state)
            free = legal.all(1) & state.reading
            logit = problem.logits(encoder.observe(state))
            actions[:, t] = decided(logit, walked.uniforms[rows, t], free, legal, state.reading)
            steps += int(state.reading.sum())
            state = encoder.advance(state, actions[:, t])
        if len(new := where[:, t].nonzero().squeeze(1)):
            opened = walked.actions[new].clone()
            opened[:, t] = 1 - opened[:, t]
            steps += len(new)
            begun = encoder.advance(walked.states[t].select(new), opened[:, t])
            rows, actions = torch.cat([rows, new]), torch.cat([actions, opened])
            state = begun if state is None else _joined(state, begun)
    rewards = torch.zeros(where.shape)
    if state is not None:
        earned = problem.earned(walked.sentences.select(rows), actions, state)[1].total
        rewards.t()[where.t()] = earned  # branches stand in the order of their words
    return rewards, steps


def _joined(one: EncoderState, other: EncoderState) -> EncoderState:
    """Rows of both, which share their tables."""
    return replace(
        one,
        words=torch.cat([one.words, other.words]),
        lengths=torch.cat([one.lengths, other.lengths]),
        position=torch.cat([one.position, other.position]),
        memory=torch.cat([one.memory, other.memory]),
    )


@ESTIMATORS.register("local_expectation.v1")
class LocalExpectation(Branching):
    """Both actions are tried at every word."""

    title = "local expectation"

    def branches(self, walked: Walk) -> Tensor:
        """See `Branching.branches`."""
        return walked.free

    def weight(self, walked: Walk) -> Tensor:
        """See `Branching.weight`."""
        theta = torch.sigmoid(walked.logits)
        return theta * (1 - theta)


def _antithetic(walked: Walk) -> Tensor:
    """(R, T) bool: u and 1 - u decide differently."""
    theta = torch.sigmoid(walked.logits.detach())
    return walked.free & ((walked.uniforms < theta) != (1 - walked.uniforms < theta))


@ESTIMATORS.register("arm.v1")
class ARM(Branching):
    """Augment, reinforce, merge."""

    title = "ARM"

    def branches(self, walked: Walk) -> Tensor:
        """See `Branching.branches`."""
        return _antithetic(walked)

    def weight(self, walked: Walk) -> Tensor:
        """See `Branching.weight`."""
        return (walked.uniforms - 0.5).abs()


@ESTIMATORS.register("disarm.v1")
class DisARM(Branching):
    """ARM, averaged over all uniforms that give the same pair of actions."""

    title = "DisARM"

    def branches(self, walked: Walk) -> Tensor:
        """See `Branching.branches`."""
        return _antithetic(walked)

    def weight(self, walked: Walk) -> Tensor:
        """See `Branching.weight`."""
        return torch.sigmoid(walked.logits.abs()) / 2
