"""Episodes of an agent on a structured encoder, many sentences and samples in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.rewards import Rewarded
from hs_env.types import Episodes, SentenceBatch

from .base import Agent, Decision, PolicyInput


@dataclass(frozen=True, slots=True)
class Rollout:
    """Finished episodes and the agent's decisions in them.

    Attributes:
        episodes: R = B * S rows, S consecutive rows a sentence, in the order of the batch.
        log_probs: (R, T) log-probability of each action under the agent; 0 of forced actions and after the last word.
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

    Neither the encoder nor the classification has gradients; the encoder is in eval mode unless its dropout is wanted.
    The agent's log-probabilities and entropy have gradients if grad mode is on. Sentences are read longest first, so
    that finished ones leave the batch as a slice.
    """
    order = batch.lengths.argsort(descending=True, stable=True)
    ordered = batch.select(order)
    rows, width = len(batch) * samples, batch.tokens.shape[1]
    actions = batch.tokens.new_zeros(rows, width)
    decisions: list[Decision] = []
    finished: list[Tensor] = []
    still_reading = _still_reading(ordered.lengths, samples)
    memory = agent.begin(ordered, samples)
    gradients = torch.is_grad_enabled()

    def leave(t: int, state: EncoderState) -> EncoderState:
        nonlocal memory
        reading = still_reading[t]
        if reading < len(state):
            finished.append(encoder.finish(state.select(slice(reading, None))))
            state, memory = state.select(slice(reading)), memory[:reading]
        return state

    def decide(t: int, state: EncoderState) -> Tensor:
        nonlocal memory
        inputs = PolicyInput(encoder.observe(state), encoder.legal(state), memory, deterministic, generator)
        with torch.set_grad_enabled(gradients):
            decision = agent.act(inputs)
        _check(decision.actions, inputs.legal, agent)
        memory = decision.memory
        actions[: len(state), t] = decision.actions
        decisions.append(decision)
        return decision.actions

    with torch.no_grad():
        state = encoder.unroll(encoder.start(ordered, samples), len(still_reading), decide, leave)
        finished.append(encoder.finish(state))

    place = torch.arange(samples, device=order.device).repeat(len(batch))
    back = order.argsort().repeat_interleave(samples) * samples + place
    mask = ordered.mask.repeat_interleave(samples, 0)

    def padded(columns: list[Tensor]) -> Tensor:
        """(R, T) in the batch's order, from a column for each word, each for the rows still reading."""
        flat = torch.cat(columns)
        return flat.new_zeros(width, rows).masked_scatter(mask.t(), flat).t()[back]

    episodes = Episodes(batch.repeat(samples), actions[back], torch.cat(finished[::-1])[back])
    log_probs, entropy = ([getattr(each, name) for each in decisions] for name in ("log_probs", "entropy"))
    return Rollout(episodes, padded(log_probs), padded(entropy))


def _check(actions: Tensor, legal: Tensor, agent: Agent) -> None:
    """Refuse anything but a legal action for each row, so that what is recorded is what was done."""
    if actions.shape != legal.shape[:1] or actions.is_floating_point():
        expected = f"{len(legal)} whole numbers"
        raise HsEnvError(f"{type(agent).__name__} must decide {expected}, got {actions.dtype} {tuple(actions.shape)}.")
    inside = actions.clamp(0, legal.shape[1] - 1)
    if not (legal.gather(1, inside[:, None]).squeeze(1) & (inside == actions)).all():
        raise HsEnvError(f"{type(agent).__name__} took an action that `legal` does not allow.")


def _still_reading(lengths: Tensor, samples: int) -> list[int]:
    """For each word position, how many rows have a word there; `lengths` sorted, longest first."""
    counts: list[int] = torch.bincount(lengths).flip(0).cumsum(0).flip(0)[1:].mul(samples).tolist()
    return counts
