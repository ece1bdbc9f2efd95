"""The contract of a structured encoder: what an action does to the memory of a classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.sentence import SentenceParameters
from hs_env.models.words import WordVectorLayer
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.types import SentenceBatch


@dataclass(frozen=True, slots=True)
class EncoderState:
    """The state of R sentences while they are read.

    Attributes:
        tables: Tensors with one row per word, shared by the R sentences; see `StructuredEncoder.tables`.
        table_index: (R, T) int64, the row of `tables` that each word has.
        lengths: (R,) int64.
        position: (R,) int64, the word to be decided; equal to the length once a sentence is finished.
        progress: (R,) int64, what `Problem.legal` needs to know of the actions so far.
        memory: (R, M) float32, the encoder's own state.
    """

    tables: tuple[Tensor, ...]
    table_index: Tensor
    lengths: Tensor
    position: Tensor
    progress: Tensor
    memory: Tensor

    def __len__(self) -> int:
        return self.table_index.shape[0]

    def select(self, rows: slice | Tensor) -> EncoderState:
        """The state of some rows; a slice copies nothing."""
        return EncoderState(
            self.tables,
            self.table_index[rows],
            self.lengths[rows],
            self.position[rows],
            self.progress[rows],
            self.memory[rows],
        )

    def joined(self, other: EncoderState) -> EncoderState:
        """The rows of this state, then those of another with the same tables."""
        return EncoderState(
            self.tables,
            torch.cat([self.table_index, other.table_index]),
            torch.cat([self.lengths, other.lengths]),
            torch.cat([self.position, other.position]),
            torch.cat([self.progress, other.progress]),
            torch.cat([self.memory, other.memory]),
        )

    def index_at(self, position: Tensor) -> Tensor:
        """(R,) int64: the rows of `tables` of the words at `position` (R,); of the last word after the end."""
        return self.table_index.gather(1, torch.minimum(position, self.lengths - 1)[:, None]).squeeze(1)

    @property
    def left(self) -> Tensor:
        """(R,) int64: the words after the one to be decided; negative once a sentence is finished."""
        return self.lengths - self.position - 1

    @property
    def at_last_word(self) -> Tensor:
        """(R,) bool."""
        return self.position + 1 == self.lengths

    @property
    def reading(self) -> Tensor:
        """(R,) bool: there is a word to decide."""
        return self.position < self.lengths


Decide = Callable[[int, EncoderState], Tensor]
"""Chooses the actions at word t of R sentences: hard ones (R,), or relaxed ones."""


class StructuredEncoder(nn.Module, ABC):
    """A classifier that reads a sentence under a sequence of actions, one of k at each word.

    Step by step::

        state = encoder.start(batch)
        while state.reading.any():
            actions = policy(encoder.observe(state), encoder.legal(state))
            state = encoder.advance(state, actions)
        log_probs = encoder.finish(state)

    and in one differentiable call with the same result: `log_probs = encoder(batch, actions)`.

    A subclass defines what it computes of each word (`tables`), its memory before the first word (`initial`) and after
    each of the k actions (`outcomes`), what a policy observes (`observe`) and how it classifies (`finish`). Everything
    else follows from these. `move` and `encode` may be overridden by faster code, `legal` to forbid more actions.
    `hs_env.models.check_encoder` checks the contract.

    Actions are hard, integers from 0 to k - 1, or relaxed: (R, k) weights of the k outcomes. For k = 2 the weight of
    action 1, (R,), is a relaxed action too.

    Attributes:
        title: Name in tables.
        problem: The decision problem that its actions solve.
        Parameters: Dataclass of the parameters that a user chooses (`TrainConfig.model_parameters`). A new encoder is
            made by `kind(vocabulary_size, num_classes, embedding_size, **parameters)`.
        num_classes: C.
        state_size: D, width of an observation.
        words: Looks up word vectors.
    """

    title: ClassVar[str] = "structured encoder"
    problem: ClassVar[Problem]
    Parameters: ClassVar[type[Any]] = SentenceParameters
    num_classes: int
    state_size: int
    words: WordVectorLayer

    # What every encoder defines --------------------------------------------------------------------------------------

    @abstractmethod
    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Precompute per-word tables, shared by all rows that read the word: (n, e) vectors to tensors of n rows."""

    @abstractmethod
    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """(R, M) float32: memory before the first decision. `first` (R,) is the table row of each first word."""

    @abstractmethod
    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """k tensors (R, M): the memory after each action at this word; any values for finished rows."""

    @abstractmethod
    def observe(self, state: EncoderState) -> Tensor:
        """(R, D) float32: what the policy observes at this word."""

    @abstractmethod
    def finish(self, state: EncoderState) -> Tensor:
        """(R, C) class log-probabilities: of the sentence for finished rows, else of the words read so far."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as JSON values."""

    # What some encoders define ---------------------------------------------------------------------------------------

    def legal(self, state: EncoderState) -> Tensor:
        """(R, k) bool: the actions that may be taken at this word, at least one in each row."""
        return self.problem.legal(state.progress, state.left)

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """(R, M) memory after hard actions (R,); override it to compute only what the actions need."""
        taken = nearest_legal(self.legal(state), actions)
        chosen = torch.stack(self.outcomes(state), 1)[torch.arange(len(taken), device=taken.device), taken]
        return torch.where(state.reading[:, None], chosen, state.memory)

    def mix(self, state: EncoderState, actions: Tensor) -> Tensor:
        """(R, M) memory after relaxed actions: the weighted sum of the outcomes of the legal actions."""
        legal, outcomes = self.legal(state), self.outcomes(state)
        if len(outcomes) == 2:
            zero, one = legal.unbind(1)
            share = actions if actions.ndim == 1 else actions[:, 1]
            mixed = torch.lerp(*outcomes, torch.where(zero & one, share, one.to(share.dtype))[:, None])
        else:
            weights = torch.where(legal, actions, 0.0)
            total = weights.sum(1, keepdim=True)
            weights = torch.where(total > 0, weights / total.clamp(min=1e-12), legal / legal.sum(1, keepdim=True))
            mixed = (torch.stack(outcomes, 1) * weights[:, :, None]).sum(1)
        return torch.where(state.reading[:, None], mixed, state.memory)

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """(R, C) log-probabilities for known hard actions (R, T), R a multiple of B; override it by a faster route."""
        return self._step_by_step(batch, actions)

    # What follows ----------------------------------------------------------------------------------------------------

    def start(self, batch: SentenceBatch, samples: int = 1) -> EncoderState:
        """State before the first decision, `samples` consecutive rows for each sentence."""
        vectors, index = self.words(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        return self.begin(self.tables(vectors), index.repeat_interleave(samples, 0), lengths)

    def begin(self, tables: tuple[Tensor, ...], table_index: Tensor, lengths: Tensor) -> EncoderState:
        """State before the first decision of sentences whose words are the rows `table_index` (R, T) of `tables`."""
        nothing = torch.zeros_like(lengths)
        return EncoderState(tables, table_index, lengths, nothing, nothing, self.initial(tables, table_index[:, 0]))

    def lexicon(self) -> tuple[Tensor, ...] | None:
        """Tables of the whole vocabulary, indexed by token id. Valid only in eval mode (no dropout).

        None if the vector of a word depends on its sentence.
        """
        vectors = self.words.lexicon()
        return None if vectors is None else self.tables(vectors)

    def advance(self, state: EncoderState, actions: Tensor) -> EncoderState:
        """Apply an action to each row and move to the next word.

        Finished rows do not change. An action that is not legal is replaced by the nearest one that is. After relaxed
        actions, `Problem.legal` counts the last action with a positive weight as taken.

        Args:
            state: R rows.
            actions: Hard (R,) or relaxed actions, see the class.
        """
        relaxed, progress = actions.is_floating_point(), state.progress
        if self.problem.keeps_progress:
            taken = nearest_legal(self.legal(state), _last_weighted(actions) if relaxed else actions)
            progress = torch.where(state.reading, self.problem.progress_after(progress, taken), progress)
            actions = actions if relaxed else taken
        memory = self.mix(state, actions) if relaxed else self.move(state, actions)
        return replace(state, memory=memory, progress=progress, position=state.position + state.reading)

    def unroll(
        self,
        state: EncoderState,
        words: int,
        decide: Decide,
        before: Callable[[int, EncoderState], EncoderState] | None = None,
    ) -> EncoderState:
        """Read word after word: the only loop over the words of a sentence.

        Args:
            state: Where to start.
            words: The number of words to read.
            decide: Chooses the actions at word t. It may record what it is given.
            before: Called before `decide`; returns the state with rows added, removed or reordered.
        """
        for t in range(words):
            if before is not None:
                state = before(t, state)
            state = self.advance(state, decide(t, state))
        return state

    def forward(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """Class log-probabilities under known actions, differentiable.

        Args:
            batch: B sentences.
            actions: R = B * S rows, S consecutive ones for each sentence. Hard actions, (R, T) integers, take the
                fastest route. Relaxed actions, (R, T) or (R, T, k) floats, are taken step by step, and the result has a
                gradient by them.

        Returns:
            (R, C) float32.

        Raises:
            HsEnvError: If the shape of the actions does not fit the batch.
        """
        rows, width = actions.shape[:2]
        if width != batch.tokens.shape[1] or not rows or rows % len(batch):
            raise HsEnvError(
                f"Actions need a multiple of the batch's {len(batch)} rows, and its {batch.tokens.shape[1]} columns; "
                f"got {tuple(actions.shape)}."
            )
        return (self._step_by_step if actions.is_floating_point() else self.encode)(batch, actions)

    def _step_by_step(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """`forward` by `advance`."""
        state = self.start(batch, actions.shape[0] // len(batch))
        return self.finish(self.unroll(state, actions.shape[1], lambda t, _: actions[:, t]))


def _last_weighted(actions: Tensor) -> Tensor:
    """(R,) int64: the last action with a positive weight, of relaxed actions (R,) or (R, k)."""
    if actions.ndim == 1:
        return (actions > 0).long()
    return ((actions > 0) * torch.arange(actions.shape[1], device=actions.device)).amax(1)
