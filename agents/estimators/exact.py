"""The exact gradient, summed over all legal sequences of actions, to test the other estimators."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.state import EncoderState
from hs_env.types import Episodes, SentenceBatch

from ..rollout import rollout
from .base import ESTIMATORS, Estimate, Estimator, ExpectedReward, Trace

LONGEST = 12
"""Maximum number of words of a sentence."""


@ESTIMATORS.register("exact.v1")
class Exact(Estimator):
    """Differentiates `sum_a pi(a) R(a)` over all legal sequences a; the episodes that it returns are sampled."""

    title = "exact enumeration"
    unbiased = True

    def estimate(self, expected: ExpectedReward, generator: torch.Generator | None = None) -> Estimate:
        """See `Estimator.estimate`.

        Raises:
            HsEnvError: If a sentence is longer than `LONGEST` words.
        """
        longest = int(expected.batch.lengths.max())
        if longest > LONGEST:
            raise HsEnvError(
                f"The exact gradient needs sentences of at most {LONGEST} words, got one of {longest}. "
                "Choose another estimator."
            )
        width, problem = expected.batch.tokens.shape[1], expected.encoder.problem
        sequences = [problem.sequences(length) for length in expected.batch.lengths.tolist()]
        actions = torch.cat([nn.functional.pad(each, (0, width - each.shape[1])) for each in sequences])
        actions, counts = actions.to(expected.batch.tokens.device), [len(each) for each in sequences]
        rows = [row for row, count in enumerate(counts) for _ in range(count)]
        sentences = expected.batch.select(torch.tensor(rows, device=actions.device))
        log_probs, episodes = _read(expected, sentences, actions)
        objective = (log_probs.sum(1).exp() * expected.reward(episodes).total).sum() / len(sequences)
        agent = expected.policy.agent()
        sampled = rollout(expected.encoder, agent, expected.batch, samples=expected.samples, generator=generator)
        passes = expected.samples + len(actions) / len(sequences)
        return Estimate(sampled, expected.reward(sampled.episodes), objective, passes)


def _read(expected: ExpectedReward, sentences: SentenceBatch, actions: Tensor) -> tuple[Tensor, Episodes]:
    """Return the log-probabilities (R, T) of given actions, and the finished episodes."""
    encoder, trace = expected.encoder, Trace(expected, batch=sentences)

    def decide(t: int, state: EncoderState) -> Tensor:
        trace.choice(state)
        trace.take(actions[:, t])
        return actions[:, t]

    with torch.no_grad():
        state = encoder.unroll(encoder.start(sentences), actions.shape[1], decide)
        episodes = encoder.episodes(sentences, actions, state)
    return trace.log_probs, episodes
