"""Sample episodes of an agent on a structured encoder, for many sentences in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.models.encoder import EncoderState, StructuredEncoder
from hs_env.rewards import Rewarded
from hs_env.types import Episodes, SentenceBatch

from .base import Agent, Decision, PolicyInput


@dataclass(frozen=True, slots=True)
class Rollout:
    """Finished episodes and the agent's decisions in them.

    Attributes:
        episodes: R = B * S rows, S consecutive rows per sentence, in the order of the batch.
        log_probs: (R, T) log-probabilities of the actions; 0 for forced actions and after the last word.
        entropy: (R, T) entropies of the decisions in nats; 0 likewise.
    """

    episodes: Episodes
    log_probs: Tensor
    entropy: Tensor

    def metrics(self, earned: Rewarded) -> dict[str, float]:
        """Return the means of the reward, its terms and the entropy per word, for the log."""
        words = self.episodes.sentences.lengths
        return {
            "reward": earned.total.mean().item(),
            "entropy": (self.entropy.sum(1) / words).mean().item(),
            **{f"reward/{key}": mean for key, mean in earned.means().items()},
        }


@isolated
def rollout(
    encoder: StructuredEncoder,
    agent: Agent,
    batch: SentenceBatch,
    *,
    samples: int = 1,
    deterministic: bool = False,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Run `samples` episodes of each sentence, on the encoder in its current mode (eval, unless dropout is wanted).

    Only the agent's log-probabilities and entropies have gradients, and only if grad mode is on.
    """
    order = batch.lengths.argsort(descending=True, stable=True)  # finished rows are then a slice at the end
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
        state = encoder.unroll(encoder.start(ordered, samples), len(still_reading), decide, leave, assume_legal=True)
        finished.append(encoder.finish(state))

    place = torch.arange(samples, device=order.device).repeat(len(batch))
    back = order.argsort().repeat_interleave(samples) * samples + place
    mask = ordered.mask.repeat_interleave(samples, 0)

    def padded(columns: list[Tensor]) -> Tensor:
        """Put the columns of all words, each of the unfinished rows, into (R, T) in the order of the batch."""
        flat = torch.cat(columns)
        return flat.new_zeros(width, rows).masked_scatter(mask.t(), flat).t()[back]

    episodes = Episodes(batch.repeat(samples), actions[back], torch.cat(finished[::-1])[back])
    log_probs, entropy = ([getattr(each, name) for each in decisions] for name in ("log_probs", "entropy"))
    return Rollout(episodes, padded(log_probs), padded(entropy))


def _check(actions: Tensor, legal: Tensor, agent: Agent) -> None:
    """Raise an error unless each row has a legal action, so the recorded actions are those taken."""
    if actions.shape != legal.shape[:1] or actions.is_floating_point():
        expected = f"{len(legal)} whole numbers"
        raise HsEnvError(f"{type(agent).__name__} must return {expected}, got {actions.dtype} {tuple(actions.shape)}.")
    inside = actions.clamp(0, legal.shape[1] - 1)
    if not (legal.gather(1, inside[:, None]).squeeze(1) & (inside == actions)).all():
        raise HsEnvError(f"{type(agent).__name__} took an action that `legal` does not allow.")


def _still_reading(lengths: Tensor, samples: int) -> list[int]:
    """Return the number of rows that have a word at each position."""
    counts: list[int] = torch.bincount(lengths).flip(0).cumsum(0).flip(0)[1:].mul(samples).tolist()
    return counts
