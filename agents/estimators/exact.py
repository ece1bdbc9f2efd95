"""The gradient itself, by summing over all decisions: the yardstick of the other estimators."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.types import Episodes, SentenceBatch

from ..policy import BinaryPolicy
from ..rollout import rollout
from ..search import every_segmentation
from .base import ESTIMATORS, Estimate, Estimator, Problem

LONGEST = 12
"""Words of the longest sentence whose decisions are enumerated."""


@ESTIMATORS.register("exact.v1")
class Exact(Estimator):
    """`sum_a pi(a) R(a)` over all decisions on each sentence; the episodes it shows are sampled ones."""

    title = "exact enumeration"
    unbiased = True

    def __init__(self, state_size: int = 0) -> None:
        """The width of the state does not matter."""

    def estimate(self, problem: Problem, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`.

        Raises:
            HsEnvError: If a sentence is longer than `LONGEST` words.
        """
        longest = int(problem.batch.lengths.max())
        if longest > LONGEST:
            raise HsEnvError(
                f"Enumerating all decisions takes sentences of at most {LONGEST} words, got one of {longest}. "
                "Choose another estimator."
            )
        width, task = problem.batch.tokens.shape[1], problem.encoder.task
        plans = [every_segmentation(length, task) for length in problem.batch.lengths.tolist()]
        actions = torch.cat([nn.functional.pad(plan, (0, width - plan.shape[1])) for plan in plans])
        counts = torch.tensor([len(plan) for plan in plans])
        sentences = problem.batch.select(torch.arange(len(plans)).repeat_interleave(counts))
        log_probs, verdicts = self._read(problem, sentences, actions)
        rewards = problem.reward(Episodes(sentences, actions, verdicts)).total
        objective = (log_probs.sum(1).exp() * rewards).sum() / len(plans)
        agent = BinaryPolicy(problem.logits)
        sampled = rollout(problem.encoder, agent, problem.batch, samples=problem.samples, generator=generator)
        passes = problem.samples + len(actions) / len(plans)
        return Estimate(sampled, problem.reward(sampled.episodes), objective, passes)

    @staticmethod
    def _read(problem: Problem, sentences: SentenceBatch, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (R, T) of given actions, and verdicts (R, C)."""
        encoder, columns = problem.encoder, []
        with torch.no_grad():
            state = encoder.start(sentences)
        for action in actions.unbind(1):
            with torch.no_grad():
                free = encoder.legal(state).all(1) & state.reading
                observation = encoder.observe(state)
            logits = problem.logits(observation)
            columns.append(nn.functional.logsigmoid(torch.where(action == 1, logits, -logits)) * free)
            with torch.no_grad():
                state = encoder.advance(state, action)
        with torch.no_grad():
            verdicts = encoder.finish(state)
        return torch.stack(columns, 1), verdicts
