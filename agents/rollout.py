"""Sample episodes of an agent on a structured encoder, for many sentences in one batch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from hs_env import ranks
from hs_env.compute import isolated
from hs_env.errors import HsEnvError
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.rate import Decisions
from hs_env.models.state import EncoderState
from hs_env.rewards import Rewarded
from hs_env.types import Episodes, SentenceBatch

from .base import Agent, Decision, PolicyInput
from .legality import Legality


@dataclass(frozen=True, slots=True, eq=False)
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

    def padded(self, values: Tensor, shape: torch.Size) -> Tensor:
        """Return values of all decisions, (decisions,), in an array (R, T) of the given shape, 0 elsewhere."""
        return values.new_zeros(shape).index_put((self.row, self.word), values)


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Finished episodes and the agent's decisions in them.

    Attributes:
        episodes: R = B * S rows, S consecutive rows per sentence, in the order of the batch.
        log_probs: (R, T) log-probabilities of the actions; 0 for forced actions and after the last word.
        entropy: (R, T) entropies of the decisions in nats; 0 likewise.
        trajectories: Inputs of the decisions, if they were recorded.
        decisions: Free decisions between two actions, with gradients, if an estimator made the episodes.
    """

    episodes: Episodes
    log_probs: Tensor
    entropy: Tensor
    trajectories: Trajectories | None = None
    decisions: Decisions | None = None

    def metrics(self, earned: Rewarded) -> dict[str, float]:
        """Return mean and standard deviation of the reward, the means of its terms, and the entropy per word."""
        words = self.episodes.sentences.lengths
        return {
            "reward": earned.total.mean().item(),
            "reward_std": earned.total.std(correction=0).item(),
            "entropy": (self.entropy.sum(1) / words).mean().item(),
            **{f"reward/{key}": mean for key, mean in ranks.quotients(earned.sums()).items()},
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
    order = _LongestFirst(batch, samples)
    walked = encoder if agent.observes else Legality(encoder.problem, encoder.state_size)
    seen: list[PolicyInput] = []
    decisions: list[Decision] = []
    finished: list[tuple[Tensor, Tensor]] = []  # log-probabilities and measures
    checks: list[Tensor] = []
    memory = agent.begin(order.batch, samples)
    gradients = torch.is_grad_enabled()

    def leave(t: int, state: EncoderState) -> EncoderState:
        nonlocal memory
        reading = order.counts[t]
        if order.some_finish(t):
            left = state.select(slice(reading, None))
            with order.drawing_finished(t):
                finished.append((walked.finish(left), left.measured))
            state, memory = state.select(slice(reading)), memory[:reading]
        return state

    def decide(t: int, state: EncoderState) -> Tensor:
        nonlocal memory
        inputs = PolicyInput(walked.observe(state), walked.legal(state), memory, deterministic, generator)
        with torch.set_grad_enabled(gradients), order.drawing_unfinished(t):
            decision = agent.act(inputs)
        checks.append(_are_legal(decision.actions, inputs.legal, agent))
        if decision.actions.is_cpu:  # elsewhere this would wait for the device at each word
            _require(checks.pop(), agent)
        memory = decision.memory
        decisions.append(decision)
        if record:
            seen.append(inputs)
        return decision.actions

    with torch.no_grad():
        with ranks.within(order.share):
            start = walked.start(order.batch, samples)
        state = walked.unroll(start, len(order.counts), decide, leave, assume_legal=True)
        if checks:
            _require(torch.stack(checks).all(), agent)
        actions = order.padded([decision.actions for decision in decisions])
        if agent.observes:
            with order.drawing_finished(len(order.counts)):
                finished.append((walked.finish(state), state.measured))
            log_probs, measured = (torch.cat(parts[::-1])[order.back] for parts in zip(*finished, strict=True))
            episodes = Episodes(batch.repeat(samples), actions, log_probs, walked.named(measured))
        else:
            episodes = encoder.read(batch, actions)
    return Rollout(
        episodes,
        order.padded([decision.log_probs for decision in decisions]),
        order.padded([decision.entropy for decision in decisions]),
        order.trajectories(seen, decisions, agent.observes) if record else None,
    )


class _LongestFirst:
    """The order of the rows in a rollout: longest sentences first, so that finished rows are a slice at the end.

    Attributes:
        batch: Sentences in this order.
        counts: Number of rows that have a word at each position.
        row: (R,) int64, row in the order of the given batch, of each row in this order.
        back: (R,) int64, the inverse.
        share: Share of this process in all sentences in this order, or None.
    """

    def __init__(self, batch: SentenceBatch, samples: int) -> None:
        order = batch.lengths.argsort(descending=True, stable=True)
        self.batch, self._given, self._samples = batch.select(order), batch, samples
        self.counts: list[int] = torch.bincount(batch.lengths).flip(0).cumsum(0).flip(0)[1:].mul(samples).tolist()
        sample = torch.arange(samples, device=order.device).repeat(len(batch))
        self.row = order.repeat_interleave(samples) * samples + sample
        self.back = self.row.argsort()
        whole = ranks.current()
        self.share = None if whole is None else whole.longest_first()
        if self.share is not None:
            self._size, self._places = self.share.rows_along("episodes", len(self.row))
            self._whole_counts: list[int] = (
                torch.bincount(self.share.lengths).flip(0).cumsum(0).flip(0)[1:].mul(samples).tolist()
            )
            self.counts += [0] * (len(self._whole_counts) - len(self.counts))

    def some_finish(self, t: int) -> bool:
        """Return whether some sentences of the batch have `t` words, so that they are finished at this word."""
        counts = self.counts if self.share is None else self._whole_counts
        return t > 0 and counts[t] < counts[t - 1]

    def drawing_unfinished(self, t: int) -> AbstractContextManager[None]:
        """Return a context that draws random numbers for the rows that have a word at `t`."""
        if self.share is None:
            return nullcontext()
        return ranks.drawing(self._whole_counts[t], self._places[: self.counts[t]])

    def drawing_finished(self, t: int) -> AbstractContextManager[None]:
        """Return a context that draws random numbers for the rows that have `t` words."""
        if self.share is None:
            return nullcontext()
        counts, whole = [*self.counts, 0], [*self._whole_counts, 0]
        return ranks.drawing(whole[t - 1] - whole[t], self._places[counts[t] : counts[t - 1]] - whole[t])

    def padded(self, columns: list[Tensor]) -> Tensor:
        """Put the columns of all words, each of the unfinished rows, into (R, T) in the order of the given batch."""
        flat, mask = torch.cat(columns), self.batch.mask.repeat_interleave(self._samples, 0).t()
        return flat.new_zeros(mask.shape).masked_scatter(mask, flat).t()[self.back]

    def trajectories(self, seen: list[PolicyInput], decisions: list[Decision], observes: bool) -> Trajectories:
        """Join the inputs and decisions of all words."""
        device, lengths = self.row.device, self._given.lengths
        row = torch.cat([self.row[:count] for count in self.counts])
        word = torch.arange(len(self.counts), device=device).repeat_interleave(torch.tensor(self.counts, device=device))
        start = (lengths.cumsum(0) - lengths).repeat_interleave(self._samples)
        observed = [inputs.observation for inputs in seen]
        return Trajectories(
            torch.cat(observed) if observes else observed[0][:1].expand(len(row), -1),
            torch.cat([inputs.legal for inputs in seen]),
            torch.cat([decision.actions for decision in decisions]),
            row,
            word,
            start[row] + word,
        )


def _are_legal(actions: Tensor, legal: Tensor, agent: Agent) -> Tensor:
    """Return whether each row has a legal action, so the recorded actions are those taken, as a bool tensor."""
    if actions.shape != legal.shape[:1] or actions.is_floating_point():
        expected = f"{len(legal)} whole numbers"
        raise HsEnvError(f"{type(agent).__name__} must return {expected}, got {actions.dtype} {tuple(actions.shape)}.")
    inside = actions.clamp(0, legal.shape[1] - 1)
    return (legal.gather(1, inside[:, None]).squeeze(1) & (inside == actions)).all()


def _require(fine: Tensor, agent: Agent) -> None:
    if not fine:
        raise HsEnvError(f"{type(agent).__name__} took an action that `legal` does not allow.")
