"""The contract of a structured encoder: the one definition of what an action does to a sentence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.words import WordVectorLayer
from hs_env.types import SentenceBatch, Task


@dataclass(frozen=True, slots=True)
class EncoderState:
    """Where R sentences stand while they are read.

    Attributes:
        tables: What the rows share, such as the projected words of the batch; see `StructuredEncoder.tables`.
        words: (R, T) int64, the row of `tables` that holds each word.
        lengths: (R,) int64.
        position: (R,) int64, the word that is being decided; equal to the length once a sentence is finished.
        memory: (R, M) float32, the encoder's own state.
    """

    tables: tuple[Tensor, ...]
    words: Tensor
    lengths: Tensor
    position: Tensor
    memory: Tensor

    def __len__(self) -> int:
        return self.words.shape[0]

    def select(self, rows: slice | Tensor) -> EncoderState:
        """The state of some rows; a slice copies nothing."""
        return replace(
            self,
            words=self.words[rows],
            lengths=self.lengths[rows],
            position=self.position[rows],
            memory=self.memory[rows],
        )

    def word_at(self, position: Tensor) -> Tensor:
        """(R,) where the words at `position` (R,) stand in the tables; the last word behind the end."""
        return self.words.gather(1, torch.minimum(position, self.lengths - 1)[:, None]).squeeze(1)

    @property
    def at_last_word(self) -> Tensor:
        """(R,) bool."""
        return self.position + 1 == self.lengths

    @property
    def reading(self) -> Tensor:
        """(R,) bool: there is a word to decide."""
        return self.position < self.lengths


class StructuredEncoder(nn.Module, ABC):
    """A classifier that reads a sentence under a sequence of binary actions.

    Step by step::

        state = encoder.start(batch)
        while state.reading.any():
            actions = policy(encoder.observe(state), encoder.legal(state))
            state = encoder.advance(state, actions)
        log_probs = encoder.finish(state)

    and in one differentiable call, equal to the above: `log_probs = encoder(batch, actions)`.

    A subclass says what it computes of a word (`tables`), what it remembers at first (`initial`) and after either
    action (`outcomes`), what a policy sees (`observe`) and how it classifies (`finish`). The rest follows from these;
    `move` and `encode` may be overridden by something faster, `legal` where other actions are legal.
    `hs_env.models.check_encoder` checks all of it.

    Attributes:
        title: What it is called in tables.
        task: What its actions decide.
        num_classes: C.
        state_size: D, width of what a policy sees.
        words: Looks up word vectors.
    """

    title: ClassVar[str] = "structured encoder"
    task: ClassVar[Task]
    num_classes: int
    state_size: int
    words: WordVectorLayer

    # What every encoder defines --------------------------------------------------------------------------------------

    @abstractmethod
    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """What is computed once for each word, whoever reads it: (n, e) vectors to tables of n rows."""

    @abstractmethod
    def initial(self, tables: tuple[Tensor, ...], words: Tensor) -> Tensor:
        """(R, M) float32 memory before the first decision of sentences whose first words are the rows `words`, (R,)."""

    @abstractmethod
    def outcomes(self, state: EncoderState) -> tuple[Tensor, Tensor]:
        """(R, M) memory after action 0 at this word, and (R, M) after action 1; anything for finished rows."""

    @abstractmethod
    def observe(self, state: EncoderState) -> Tensor:
        """(R, D) float32: what the policy sees at this word."""

    @abstractmethod
    def finish(self, state: EncoderState) -> Tensor:
        """(R, C) class log-probabilities: the verdict on finished rows, and on others of what has been read so far."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's keyword arguments, as JSON values."""

    # What some encoders define ---------------------------------------------------------------------------------------

    def legal(self, state: EncoderState) -> Tensor:
        """(R, 2) bool: the actions that may be taken at this word; both, but only action 1 at the last word."""
        return torch.stack([~state.at_last_word, torch.ones_like(state.at_last_word)], 1)

    def move(self, state: EncoderState, actions: Tensor) -> Tensor:
        """(R, M) memory after hard actions; override it to compute only what the actions ask for."""
        return self.mix(state, actions.to(state.memory.dtype))

    def mix(self, state: EncoderState, actions: Tensor) -> Tensor:
        """(R, M) memory after relaxed actions: both outcomes, mixed; the legal one where only one is."""
        zero, one = self.legal(state).unbind(1)
        share = torch.where(zero & one, actions, one.to(actions.dtype))
        mixed = torch.lerp(*self.outcomes(state), share[:, None])
        return torch.where(state.reading[:, None], mixed, state.memory)

    def encode(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """(R, C) log-probabilities for known hard actions (R, T), R a multiple of B; override it by a faster route."""
        return self._read(batch, actions)

    # What follows ----------------------------------------------------------------------------------------------------

    def start(self, batch: SentenceBatch, samples: int = 1) -> EncoderState:
        """State before the first decision, `samples` consecutive rows for each sentence."""
        vectors, where = self.words(batch)
        lengths = batch.lengths.repeat_interleave(samples)
        return self.begin(self.tables(vectors), where.repeat_interleave(samples, 0), lengths)

    def begin(self, tables: tuple[Tensor, ...], words: Tensor, lengths: Tensor) -> EncoderState:
        """State before the first decision of sentences whose words, (R, T) int64, are rows of `tables`."""
        return EncoderState(tables, words, lengths, torch.zeros_like(lengths), self.initial(tables, words[:, 0]))

    def lexicon(self) -> tuple[Tensor, ...] | None:
        """The tables of the whole vocabulary, whose rows are token ids; true in eval mode, where nothing is dropped.

        None if a word's vector depends on its sentence.
        """
        vectors = self.words.lexicon()
        return None if vectors is None else self.tables(vectors)

    def advance(self, state: EncoderState, actions: Tensor) -> EncoderState:
        """Apply an action to each row and move to the next word.

        Rows that are finished stay as they are. An action that is not legal is replaced by the legal one.

        Args:
            state: R rows.
            actions: (R,) integers 0 or 1, or relaxed actions in [0, 1] as floats, which mix the two outcomes.
        """
        memory = (self.mix if actions.is_floating_point() else self.move)(state, actions)
        return replace(state, memory=memory, position=state.position + state.reading)

    def forward(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """Class log-probabilities under known actions, differentiable.

        Args:
            batch: B sentences.
            actions: (R, T) with R = B * S, S consecutive rows a sentence. Integers take the fastest route; floats in
                [0, 1] are relaxed actions and take the step-by-step route, through which their gradient flows.

        Returns:
            (R, C) float32.

        Raises:
            HsEnvError: If the shape of the actions does not fit the batch.
        """
        rows, width = actions.shape
        if width != batch.tokens.shape[1] or not rows or rows % len(batch):
            raise HsEnvError(
                f"Actions need a multiple of the batch's {len(batch)} rows, and its {batch.tokens.shape[1]} columns; "
                f"got {tuple(actions.shape)}."
            )
        if not actions.is_floating_point():
            return self.encode(batch, actions)
        return self._read(batch, actions)

    def _read(self, batch: SentenceBatch, actions: Tensor) -> Tensor:
        """`forward` step by step."""
        state = self.start(batch, actions.shape[0] // len(batch))
        for column in actions.unbind(1):
            state = self.advance(state, column)
        return self.finish(state)
