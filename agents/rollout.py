"""Episodes of an agent on a structured encoder, many sentences and samples in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.rewards import Rewarded
from hs_env.types import Episodes, SentenceBatch

from .base import Agent


@dataclass(frozen=True, slots=True)
class Rollout:
    """Finished episodes and how they were decided.

    Attributes:
        episodes: R = B * S rows, S consecutive rows a sentence, in the order of the batch.
        log_probs: (R, T) log-probability of each action under the agent; 0 where forced and behind the end.
        entropy: (R, T) entropy of each decision in nats; 0 likewise.
    """

    episodes: Episodes
    log_probs: Tensor
    entropy: Tensor

    def metrics(self, earned: Rewarded) -> dict[str, float]:
        """Numbers to log: means over the episodes of the reward and its terms, and of the entropy of a decision."""
        words = self.episodes.sentences.lengths
        return {
            "reward": earned.total.mean().item(),
            "entropy": (self.entropy.sum(1) / words).mean().item(),
            **{f"reward/{key}": term.mean().item() for key, term in earned.terms.items()},
        }


def rollout(
    encoder: StructuredEncoder,
    agent: Agent,
    batch: SentenceBatch,
    *,
    samples: int = 1,
    deterministic: bool = False,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Read every sentence of `batch` to its end, `samples` times.

    The encoder runs without gradients, in eval mode unless its dropout is wanted; the agent's log-probabilities and
    entropy carry gradients if grad mode is on. Sentences are read longest first, so that finished ones leave the batch
    as a slice.
    """
    order = batch.lengths.argsort(descending=True, stable=True)
    ordered = batch.select(order)
    rows, width = len(batch) * samples, batch.tokens.shape[1]
    actions = batch.tokens.new_zeros(rows, width)
    decided, entropies, verdicts = [], [], []
    with torch.no_grad():
        state = encoder.start(ordered, samples)
    memory = agent.begin(ordered, samples)
    for t, reading in enumerate(_still_reading(ordered.lengths, samples)):
        if reading < len(state):
            verdicts.append(encoder.finish(state.select(slice(reading, None))))
            state, memory = state.select(slice(reading)), memory[:reading]
        with torch.no_grad():
            observation, legal = encoder.observe(state), encoder.legal(state)
        decision = agent.act(observation, legal, memory, deterministic=deterministic, generator=generator)
        memory = decision.memory
        _check(decision.actions, legal, agent)
        actions[:reading, t] = decision.actions
        decided.append(decision.log_probs)
        entropies.append(decision.entropy)
        with torch.no_grad():
            state = encoder.advance(state, decision.actions)
    with torch.no_grad():
        verdicts.append(encoder.finish(state))

    back = order.argsort().repeat_interleave(samples) * samples + torch.arange(samples, device=order.device).repeat(
        len(batch)
    )
    mask = ordered.mask.repeat_interleave(samples, 0)

    def padded(columns: list[Tensor]) -> Tensor:
        """Values word by word, each for the rows still reading, as an (R, T) table in the batch's order."""
        flat = torch.cat(columns)
        return flat.new_zeros(width, rows).masked_scatter(mask.t(), flat).t()[back]

    episodes = Episodes(batch.repeat(samples), actions[back], torch.cat(verdicts[::-1])[back])
    return Rollout(episodes, padded(decided), padded(entropies))


def _check(actions: Tensor, legal: Tensor, agent: Agent) -> None:
    """Refuse anything but a legal action for each row, so that what is recorded is what was done."""
    if actions.shape != legal.shape[:1] or actions.is_floating_point():
        expected = f"{len(legal)} whole numbers"
        raise HsEnvError(f"{type(agent).__name__} must decide {expected}, got {actions.dtype} {tuple(actions.shape)}.")
    if not ((actions == 1) & legal[:, 1] | (actions == 0) & legal[:, 0]).all():
        raise HsEnvError(f"{type(agent).__name__} took an action that `legal` does not allow.")


def _still_reading(lengths: Tensor, samples: int) -> list[int]:
    """For each word position, how many rows have a word there; `lengths` sorted, longest first."""
    counts: list[int] = torch.bincount(lengths).flip(0).cumsum(0).flip(0)[1:].mul(samples).tolist()
    return counts
