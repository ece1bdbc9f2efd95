"""A decision problem with three actions, and a small encoder for it."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor

from hs_env.models.encoder import StructuredEncoder
from hs_env.models.sentence import SentenceClassifier
from hs_env.models.state import EncoderState
from hs_env.problems.problem import Column, Problem, Spans, TrainingDefaults

INSIDE: Final = 0
END_PLAIN: Final = 1
END_STRESSED: Final = 2


class StressedPhrases(Problem):
    """Phrases that are plain or stressed. The last word of a sentence ends a phrase."""

    title = "stressed phrases"
    actions = ("INSIDE", "END_PLAIN", "END_STRESSED")
    span = ("phrase", "phrases")
    closing_action = END_PLAIN
    columns: ClassVar[tuple[Column, ...]] = (
        Column("phrases_per_sentence", ("Phrases /", "sentence"), "num_phrases", "sentences"),
    )
    defaults = TrainingDefaults(warm_start="random", reward="log_likelihood", initial_logits=(0.5, 0.0, 0.0))

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """(R, 3) bool: not `INSIDE` at the last word."""
        inside = left != 0
        return torch.stack([inside, torch.ones_like(inside), torch.ones_like(inside)], 1)

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """The phrases, each with the action at its last word."""
        found = [
            (row, start, stop, taken[stop - 1])
            for row, (taken, length) in enumerate(zip(actions.tolist(), lengths.tolist(), strict=True))
            for start, stop in _phrases(taken[:length])
        ]
        return Spans(*torch.tensor(found, dtype=torch.int64).view(-1, 4).unbind(1))


def _phrases(actions: list[int]) -> list[tuple[int, int]]:
    stops = [position + 1 for position, action in enumerate(actions) if action != INSIDE]
    return list(zip([0, *stops], stops, strict=False))


STRESSED: Final = StressedPhrases()


class StressedEncoder(SentenceClassifier, StructuredEncoder):
    """Two vectors of width d: of the phrase so far, and of the sentence. A stressed phrase counts twice."""

    title, problem = "stressed encoder", STRESSED

    def build(self, embedding_size: int, hidden_size: int) -> None:
        """See `SentenceClassifier.build`."""
        self.state_size = 2 * hidden_size + embedding_size
        self.word = torch.nn.Linear(embedding_size, hidden_size)
        self.phrase = torch.nn.Linear(hidden_size, hidden_size, bias=False)

    def tables(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """The word's projection, (n, d), and its vector, (n, e)."""
        return self.word(vectors), vectors

    def initial(self, tables: tuple[Tensor, ...], first: Tensor) -> Tensor:
        """Zeros."""
        return tables[0].new_zeros(len(first), 2 * self.hidden_size)

    def outcomes(self, state: EncoderState) -> tuple[Tensor, ...]:
        """The word joins the phrase; the phrase, once or twice, joins the sentence."""
        phrase, sentence = state.memory.chunk(2, 1)
        word = state.tables[0].index_select(0, state.index_at(state.position))
        phrase = torch.tanh(self.phrase(phrase) + word)
        ended = [torch.cat([0 * phrase, torch.tanh(sentence + times * phrase)], 1) for times in (1, 2)]
        return torch.cat([phrase, sentence], 1), *ended

    def observe(self, state: EncoderState) -> Tensor:
        """(R, 2d + e): the memory and the word's vector."""
        vectors = state.tables[1].index_select(0, state.index_at(state.position))
        return torch.cat([state.memory, vectors], 1)

    def finish(self, state: EncoderState) -> Tensor:
        """(R, C) from the vector of the sentence."""
        return self.classify(state.memory[:, self.hidden_size :])


def make_stressed_encoder(seed: int = 0) -> StressedEncoder:
    """An encoder with random weights, in eval mode, on which the actions matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = StressedEncoder(30, 3, embedding_size=3, hidden_size=4, dropout=0.0).eval()
        with torch.no_grad():
            encoder.output.weight *= 4
            encoder.words.weight[1:] += torch.randn_like(encoder.words.weight[1:])
    return encoder
