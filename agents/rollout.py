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
from .choice import Choice, choice_of
from .legality import Legality
from .policy import Logits


@dataclass(frozen=True, slots=True)
class Trajectories:
    """The inputs and actions of a policy in sampled episodes, so another policy can be evaluated without the encoder.

    Attributes:
        observation: (decisions, D) observations.
        legal: (decisions, k) bool, legal actions.
        actions: (decisions,) int64, actions taken.
        row: (decisions,) int64, row of the episode.
        word: (decisions,) int64, position in the sentence.
        place: (decisions,) int64, place of the word among all words of the batch.
    """

    observation: Tensor
    legal: Tensor
    actions: Tensor
    row: Tensor
    word: Tensor
    place: Tensor

    def choices(self, logits: Logits) -> Choice:
        """Compute the distributions of a policy at all decisions, in one pass."""
        return choice_of(logits(self.observation, self.place), self.legal)

    def padded(self, values: Tensor, shape: torch.Size) -> Tensor:
        """Return values of all decisions, (decisions,), in an array (R, T) of the given shape, 0 elsewhere."""
        return values.new_zeros(shape).index_put((self.row, self.word), values)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Finished episodes and the agent's decisions in them.

    Attributes:
        episodes: R = B * S rows, S consecutive rows per sentence, in the order of the batch.
        log_probs: (R, T) log-probabilities of the actions; 0 for forced actions and after the last word.
        entropy: (R, T) entropies of the decisions in nats; 0 likewise.
        trajectories: Inputs of the decisions, if they were recorded.
    """

    episodes: Episodes
    log_probs: Tensor
    entropy: Tensor
    trajectories: Trajectories | None = None

    def metrics(self, earned: Rewarded) -> dict[str, float]:
        """Return mean and standard deviation of the reward, the means of its terms, and the entropy per word."""
        words = self.episodes.sentences.lengths
        return {
            "reward": earned.total.mean().item(),
            "reward_std": earned.total.std(correction=0).item(),
            "entropy": (self.entropy.sum(1) / words).mean().item(),
            **{f"reward/{key}": term.mean().item() for key, term in earned.terms.items()},
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
    record: bool = False,
) -> Rollout:
    """Run `samples` episodes of each sentence, on the encoder in its current mode (eval, unless dropout is wanted).

    Only the agent's log-probabilities and entropies have gradients, and only if grad mode is on. `record` keeps
    the inputs of all decisions.
    """
    order = batch.lengths.argsort(descending=True, stable=True)  # finished rows are then a slice at the end
    ordered = batch.select(order)
    rows, width = len(batch) * samples, batch.tokens.shape[1]
    actions = batch.tokens.new_zeros(rows, width)
    decisions: list[Decision] = []
    recorded: list[PolicyInput] = []
    finished: list[Tensor] = []
    still_reading = _still_reading(ordered.lengths, samples)
    memory = agent.begin(ordered, samples)
    gradients = torch.is_grad_enabled()
    walked = encoder if agent.observes else Legality(encoder.problem, encoder.state_size)

    def leave(t: int, state: EncoderState) -> EncoderState:
        nonlocal memory
        reading = still_reading[t]
        if reading < len(state):
            finished.append(walked.finish(state.select(slice(reading, None))))
            state, memory = state.select(slice(reading)), memory[:reading]
        return state

    def decide(t: int, state: EncoderState) -> Tensor:
        nonlocal memory
        inputs = PolicyInput(walked.observe(state), walked.legal(state), memory, deterministic, generator)
        with torch.set_grad_enabled(gradients):
            decision = agent.act(inputs)
        _check(decision.actions, inputs.legal, agent)
        memory = decision.memory
        actions[: len(state), t] = decision.actions
        decisions.append(decision)
        if record:
            recorded.append(inputs)
        return decision.actions

    with torch.no_grad():
        state = walked.unroll(walked.start(ordered, samples), len(still_reading), decide, leave, assume_legal=True)
        finished.append(walked.finish(state))

    sample = torch.arange(samples, device=order.device).repeat(len(batch))
    row = order.repeat_interleave(samples) * samples + sample  # row in the order of the batch, of each ordered one
    back = row.argsort()
    mask = ordered.mask.repeat_interleave(samples, 0)

    def padded(columns: list[Tensor]) -> Tensor:
        """Put the columns of all words, each of the unfinished rows, into (R, T) in the order of the batch."""
        flat = torch.cat(columns)
        return flat.new_zeros(width, rows).masked_scatter(mask.t(), flat).t()[back]

    actions = actions[back]
    with torch.no_grad():
        classes = torch.cat(finished[::-1])[back] if agent.observes else encoder(batch, actions)
    episodes = Episodes(batch.repeat(samples), actions, classes)
    log_probs, entropy = ([getattr(each, name) for each in decisions] for name in ("log_probs", "entropy"))
    rows_at = [row[:reading] for reading in still_reading]
    trajectories = _trajectories(batch, recorded, decisions, rows_at, agent.observes) if record else None
    return Rollout(episodes, padded(log_probs), padded(entropy), trajectories)


def _trajectories(
    batch: SentenceBatch,
    recorded: list[PolicyInput],
    decisions: list[Decision],
    rows_at: list[Tensor],
    observes: bool,
) -> Trajectories:
    """Join the inputs and decisions of all words; `rows_at` are the unfinished rows of each word."""
    first = recorded[0].observation
    row, counts = torch.cat(rows_at), torch.tensor([len(rows) for rows in rows_at], device=batch.tokens.device)
    word = torch.arange(len(counts), device=row.device).repeat_interleave(counts)
    start = (batch.lengths.cumsum(0) - batch.lengths).repeat_interleave(len(rows_at[0]) // len(batch))
    return Trajectories(
        torch.cat([inputs.observation for inputs in recorded]) if observes else first[:1].expand(len(row), -1),
        torch.cat([inputs.legal for inputs in recorded]),
        torch.cat([decision.actions for decision in decisions]),
        row,
        word,
        start[row] + word,
    )


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
