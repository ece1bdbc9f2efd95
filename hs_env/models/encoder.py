"""Define the contract of a structured encoder: how an action changes the memory of a classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from hs_env.errors import HsEnvError
from hs_env.models.sentence import SentenceParameters
from hs_env.models.state import EncoderState
from hs_env.models.words import WordVectorLayer
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.types import PADDING, Episodes, SentenceBatch

Decide = Callable[[int, EncoderState], Tensor]
"""Function that chooses the actions at word t of R sentences: hard ones (R,), or relaxed ones."""


class StructuredEncoder(nn.Module, ABC):
    """A classifier that processes a sentence under a sequence of actions, one of k at each word.

    Step by step::

        state = encoder.start(batch)
        while state.reading.any():
            actions = policy(encoder.observe(state), encoder.legal(state))
            state = encoder.advance(state, actions)
        log_probs = encoder.finish(state)

    and in one differentiable call with the same result: `log_probs = encoder(batch, actions)`.

    A subclass defines its per-word tables (`tables`), its memory before the first word (`initial`) and after each of
    the k actions (`outcomes`), the observation of a policy (`observe`) and the classification (`finish`). Everything
    else follows. It may override `move` and `encode` by faster code.
    `hs_env.models.check_encoder` checks the contract.

    Hard actions are integers from 0 to k - 1. Relaxed actions are (R, k) weights of the k outcomes; for k = 2 they may
    be the (R,) weights of action 1.

    An encoder may also measure something at each word, such as the loss of its prediction of the next word, for rewards
    that come at each step (`hs_env.rewards.DenseReward`). It then names its `measures` and defines `measure`.

    Attributes:
        title: Name in tables.
        problem: Decision problem that the actions solve.
        measures: Names of the numbers that it measures at each word; most encoders have none.
        Parameters: Dataclass of the parameters that a user chooses (`TrainConfig.model_parameters`). The call
            `kind(vocabulary_size, num_classes, embedding_size, **parameters)` makes a new encoder.
        num_classes: C, number of classes.
        state_size: D, width of an observation.
        words: Layer of word vectors.
    """

    title: ClassVar[str] = "structured encoder"
    problem: ClassVar[Problem]
    measures: ClassVar[tuple[str, ...]] = ()
    Parameters: ClassVar[type[Any]] = SentenceParameters
    num_classes: int
    state_size: int
    words: WordVectorLayer

    # Every encoder defines -------------------------------------------------------------------------------------------

    @abstractmethod
    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Precompute per-word tables, shared by all rows with the word: (n, e) vectors to tensors of n rows."""

    @abstractmethod
    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Return the memory before the first decision, (R, M) float32; `first` (R,) is the first word's table row."""

    @abstractmethod
    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """Return the memory after each of the k actions at this word, (R, M) each; finite, also for finished rows."""

    @abstractmethod
    def observe(self, state: EncoderState) -> Tensor:
        """Return the observation of the policy at this word, (R, D) float32."""

    @abstractmethod
    def finish(self, state: EncoderState) -> Tensor:
        """Return the class log-probabilities, (R, C), given the words so far; for finished rows, the whole sentence."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the keyword arguments of the constructor as JSON values."""

    # Some encoders override ------------------------------------------------------------------------------------------

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Return the memory after hard actions (R,), (R, M); override it to compute only the needed outcomes.

        Which outcomes are needed depends on the actions. On other devices than the CPU that would mean to wait for them
        at each word, so `advance` calls `choose` there.
        """
        return self.choose(state, actions)

    @final
    def choose(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Return the memory after hard actions (R,), (R, M), from the outcomes of all actions."""
        taken = nearest_legal(self.legal(state), actions)
        chosen = torch.stack(self.outcomes(state), 1)[torch.arange(len(taken), device=taken.device), taken]
        return torch.where(state.reading[:, None], chosen, state.memory)

    def mix(self, state: EncoderState, actions: Tensor) -> Tensor:
        """Return the (R, M) memory after relaxed actions: the sum of the outcomes, weighted by `legal_weights`."""
        legal, outcomes = self.legal(state), self.outcomes(state)
        if actions.ndim == 1:
            (zero, one), (after_zero, after_one) = legal.unbind(1), outcomes
            share = torch.where(zero & one, actions, one.to(actions.dtype))
            mixed = torch.lerp(after_zero, after_one, share[:, None])
        else:
            mixed = (torch.stack(outcomes, 1) * legal_weights(legal, actions)[:, :, None]).sum(1)
        return torch.where(state.reading[:, None], mixed, state.memory)

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """Return class log-probabilities, (R, C), for hard actions (R, T), R = B * S; override it by faster code."""
        return self._step_by_step(batch, actions)

    def penalised(self, batch: SentenceBatch, actions: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what `forward` returns, and a scalar that training adds to the loss, or None."""
        return self(batch, actions), None

    def tables_of(self, vectors: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """Return `tables`; override it if they also depend on the token ids (words,) int64."""
        return self.tables(vectors)

    def measure(self, memory: Tensor) -> Tensor:
        """Return what was measured in the last step, (R, measures) float32, from the (R, M) memory after it."""
        return memory[:, :0]

    def encode_measured(self, batch: SentenceBatch, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `encode` returns, and the measures, (R, T, measures) float32; override it by faster code."""
        if not self.measures:
            return self.encode(batch, actions), torch.zeros(*actions.shape, 0, device=actions.device)
        state = self._unrolled(batch, actions)
        return self.finish(state), state.measured

    # All the rest ---------------------------------------------------------------------------------------------------

    @final
    def legal(self, state: EncoderState) -> Tensor:
        """Return which actions are legal at this word, (R, k) bool, at least one per row: the rule of the problem."""
        return self.problem.legal(state.progress, state.left)

    def start(self, batch: SentenceBatch, samples: int = 1) -> EncoderState:
        """Return the state before the first decision, with `samples` consecutive rows per sentence."""
        vectors, index = self.words(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        tables = self.tables_of(vectors, batch.tokens[batch.mask])
        return self.begin(tables, index.repeat_interleave(samples, 0), lengths)

    def begin(self, tables: tuple[Tensor, ...], table_index: Tensor, lengths: Tensor) -> EncoderState:
        """Return the state before the first decision; `table_index` (R, T) is the row of each word in `tables`."""
        nothing = torch.zeros_like(lengths)
        memory = self.initial(tables, table_index[:, 0])
        measured = memory.new_zeros(*table_index.shape, len(self.measures))
        return EncoderState(tables, table_index, lengths, nothing, nothing, memory, measured)

    def lexicon(self, tokens: Tensor | None = None) -> tuple[Tensor, ...] | None:
        """Return the tables of the vocabulary, indexed by token id. Valid only in eval mode (no dropout).

        With `tokens`, int64 of any shape, only their rows and that of `PADDING` are computed; the others are undefined.
        The result is None if the vector of a word depends on its sentence.
        """
        needed = None if tokens is None else pad(tokens.flatten(), (0, 1), value=PADDING).unique()
        vectors = self.words.lexicon(needed)
        if vectors is None:
            return None
        if needed is None:
            return self.tables_of(vectors, torch.arange(len(vectors), device=vectors.device))
        rows = self.tables_of(vectors[needed], needed)
        return tuple(row.new_empty(len(vectors), row.shape[1]).index_copy_(0, needed, row) for row in rows)

    def advance(self, state: EncoderState, actions: Tensor, *, assume_legal: bool = False) -> EncoderState:
        """Apply an action to each row and move to the next word.

        The memory and position of finished rows do not change. An illegal action is replaced by the nearest legal one.
        If the problem keeps a progress, relaxed actions advance it as the action with the highest index does, of those
        with a positive weight.

        Args:
            state: State of R rows.
            actions: Hard (R,) or relaxed actions (see the class).
            assume_legal: Skip the replacement, which costs a call of `legal` where the problem keeps a progress.

        Returns:
            State of the same rows at the next word.
        """
        relaxed, progress = actions.is_floating_point(), state.progress
        if self.problem.keeps_progress:
            if relaxed:
                actions = actions if actions.ndim == 1 else legal_weights(self.legal(state), actions)
                taken = nearest_legal(self.legal(state), _last_weighted(actions))
            else:
                taken = actions if assume_legal else nearest_legal(self.legal(state), actions)
            progress = self.problem.progress_after(progress, taken)
            actions = actions if relaxed else taken
        memory = (self.mix if relaxed else self.move if actions.is_cpu else self.choose)(state, actions)
        position = state.position + state.reading
        measured = self._measured(state, memory) if self.measures else state.measured
        return EncoderState(state.tables, state.table_index, state.lengths, position, progress, memory, measured)

    def _measured(self, state: EncoderState, memory: Tensor) -> Tensor:
        """Return the measures of all words, (R, T, measures), given the memory after the action at this word."""
        width, values = state.measured.shape[1], self.measure(memory)[:, None]
        at = state.position.clamp(max=width - 1)[:, None, None].expand_as(values)
        kept = torch.where(state.reading[:, None, None], values, state.measured.gather(1, at))
        return state.measured.scatter(1, at, kept)

    def unroll(
        self,
        state: EncoderState,
        words: int,
        decide: Decide,
        before: Callable[[int, EncoderState], EncoderState] | None = None,
        *,
        assume_legal: bool = False,
    ) -> EncoderState:
        """Advance word by word. This is the only loop over the words of a sentence.

        Args:
            state: State to start from.
            words: Number of words to advance.
            decide: Function that chooses the actions at word t. It may also record the states.
            before: Function that is called before `decide` and may add, remove or reorder rows of the state.
            assume_legal: Whether all actions are legal; see `advance`.
        """
        for t in range(words):
            if before is not None:
                state = before(t, state)
            state = self.advance(state, decide(t, state), assume_legal=assume_legal)
        return state

    def forward(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """Compute differentiable class log-probabilities, (R, C) float32, under given actions.

        Args:
            batch: Padded batch of B sentences.
            actions: R = B * S rows, S consecutive ones per sentence. Hard actions, (R, T) integers, use `encode`.
                Relaxed actions, (R, T) or (R, T, k) floats, are applied word by word, and gradients reach them.

        Raises:
            HsEnvError: If the shape of the actions does not fit the batch.
        """
        k, relaxed = self.problem.num_actions, actions.is_floating_point()
        words, shape = batch.tokens.shape[1], tuple(actions.shape)
        fits = len(shape) == 2 or (len(shape) == 3 and relaxed and shape[2] == k)
        if not fits or shape[1] != words or not shape[0] or shape[0] % len(batch):
            raise HsEnvError(
                f"Actions need {words} columns and a multiple of {len(batch)} rows, as the batch has: (R, {words}) "
                f"integers or floats, or (R, {words}, {k}) floats; got {shape} {actions.dtype}."
            )
        if relaxed and len(shape) == 2 and k != 2:
            raise HsEnvError(f"Relaxed actions of {k} actions need shape (R, {words}, {k}); got {shape}.")
        return (self._step_by_step if relaxed else self.encode)(batch, actions)

    @final
    def read(self, batch: SentenceBatch, actions: Tensor) -> Episodes:
        """Return the episodes of legal hard actions, (R, T) int64, by the fastest route; R = B * S as in `forward`."""
        log_probs, measured = self.encode_measured(batch, actions)
        return Episodes(batch.repeat(len(actions) // len(batch)), actions, log_probs, self.named(measured))

    @final
    def episodes(self, sentences: SentenceBatch, actions: Tensor, state: EncoderState) -> Episodes:
        """Return episodes of R sentences, with their actions so far and their state."""
        return Episodes(sentences, actions, self.finish(state), self.named(state.measured[:, : actions.shape[1]]))

    @final
    def named(self, measured: Tensor) -> dict[str, Tensor]:
        """Return measures, (..., measures), by name."""
        return dict(zip(self.measures, measured.unbind(-1), strict=True)) if self.measures else {}

    def _step_by_step(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """Compute `forward` word by word."""
        return self.finish(self._unrolled(batch, actions))

    def _unrolled(self, batch: SentenceBatch, actions: Tensor) -> EncoderState:
        """Return the state after given actions."""
        state = self.start(batch, actions.shape[0] // len(batch))
        return self.unroll(state, actions.shape[1], lambda t, _: actions[:, t])


def legal_weights(legal: Tensor, weights: Tensor) -> Tensor:
    """Return weights (R, k) in which each illegal action has given its weight to the nearest legal one."""
    k = legal.shape[1]
    nearest = torch.stack(
        [nearest_legal(legal, torch.full_like(legal[:, 0], action, dtype=torch.int64)) for action in range(k)], 1
    )
    return torch.zeros_like(weights).scatter_add(1, nearest, weights)


def _last_weighted(actions: Tensor) -> Tensor:
    """Return the last action with a positive weight, (R,) int64, of relaxed actions (R,) or (R, k)."""
    if actions.ndim == 1:
        return (actions > 0).long()
    return ((actions > 0) * torch.arange(actions.shape[1], device=actions.device)).amax(1)
