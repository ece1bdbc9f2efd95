"""Phrase segmentation: decide at each word whether the phrase ends (HS-LSTM; Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor

from hs_env.problems.descriptions import LSTM_BOUNDS
from hs_env.problems.problem import Column, EnvironmentText, Problem, Spans, TrainingDefaults
from hs_env.types import END, INSIDE, SentenceBatch

__all__ = ["END", "INSIDE", "SEGMENTATION", "PhraseSegmentation", "phrase_ends"]


def phrase_ends(actions: Tensor, lengths: Tensor) -> Tensor:
    """Return (R, T) bool: the words where actions (R, T) end a phrase; the last word always ends one."""
    last = lengths[:, None] - 1
    position = torch.arange(actions.shape[1], device=actions.device)
    return (actions != INSIDE).scatter_(1, last, True) & (position <= last)


class PhraseSegmentation(Problem):
    """Divides a sentence into phrases with the actions `INSIDE` and `END`. The last word always ends a phrase."""

    title = "phrase segmentation"
    actions: ClassVar[tuple[str, ...]] = ("INSIDE", "END")
    span = ("phrase", "phrases")
    closing_action = END
    columns: ClassVar[tuple[Column, ...]] = (
        Column("phrases_per_sentence", ("Phrases /", "sentence"), "num_phrases", "sentences", decimals=1),
        Column("words_per_phrase", ("Words /", "phrase"), "words", "num_phrases", decimals=2),
        Column(
            "boundary_precision", ("Boundary", "precision %"), "matches", "proposed", 100, 1, "proposed", agreement=True
        ),
        Column("boundary_recall", ("Boundary", "recall %"), "matches", "gold", 100, 1, agreement=True),
        Column("boundary_f1", ("Boundary", "F1 %"), "matches", "mean_boundaries", 100, 1, agreement=True),
        Column("phrase_f1", ("Phrase", "F1 %"), "phrase_matches", "mean_phrases", 100, 1, agreement=True),
    )
    defaults = TrainingDefaults(warm_start="function_words", reward="hs_lstm")
    environment = EnvironmentText(
        classifier="phrases",
        corpus="phrases",
        reward="hs_lstm",
        reward_parameters='{"gamma": 0.5}',
        summary="Divide a sentence into phrases, word by word.",
        description=(
            "At each word of a sentence, the agent decides whether the phrase ends or continues. A frozen hierarchical "
            "classifier, HS-LSTM (Zhang, Huang and Zhao, 2018), reads each phrase with a word-level LSTM and the "
            "sequence of phrases with a phrase-level LSTM. After the last word it classifies the sentence. The reward "
            "favours phrases that make the gold class probable."
        ),
        meanings=("continue the phrase with the next word", "end the phrase after this word"),
        legality="The last word always ends a phrase: INSIDE is not legal there and is taken as END.",
        observation=(
            "For HS-LSTM with hidden size d, D = 4d: cell and hidden state of the phrase level before the word, then "
            "cell and hidden state of the word level after it. " + LSTM_BOUNDS
        ),
        rewarded=(
            "`log P(gold | X) - gamma * (n / L + 0.1 * L / n)` for n phrases in L words, where gamma is 0.1 times "
            "the number of classes"
        ),
        potential="it changes where a phrase ends",
        information=(
            ("num_phrases", "int", "number of phrases"),
            ("phrases", "tuple of str", 'the words of each phrase, such as `("the movie", "is not", "very good")`'),
        ),
        references=(
            "T. Zhang, M. Huang, L. Zhao. *Learning Structured Representation for Text Classification via "
            "Reinforcement Learning.* AAAI 2018."
        ),
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; only `END` is legal at the last word."""
        inside = left != 0
        return torch.stack([inside, torch.ones_like(inside)], 1)

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each phrase is a span."""
        row, last = phrase_ends(actions, lengths).nonzero().unbind(1)
        stop = last + 1
        start = torch.zeros_like(stop)
        start[1:] = stop[:-1] * (row[1:] == row[:-1])
        return Spans(row, start, stop, torch.full_like(row, END))

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """See `Problem.spans_by_row`."""
        found = []
        for row, length in zip(actions.tolist(), lengths.tolist(), strict=True):
            stops = [at for at in range(1, length) if row[at - 1] != INSIDE]
            found.append(list(zip([0, *stops], [*stops, length], strict=True)))
        return found

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Count phrases, and their agreement with gold phrases if there are any.

        Boundaries exclude the last word, which always ends a phrase. A phrase matches if both its ends match.

        Returns:
            (R,) "num_phrases". With gold phrases also the numbers of boundaries "proposed", "gold" and "matches"; the
            mean of the first two, "mean_boundaries"; "phrase_matches"; and the mean number of phrases, "mean_phrases".
        """
        ends = phrase_ends(actions, sentences.lengths)
        phrases = ends.sum(1)
        if sentences.gold_actions is None:
            return {"num_phrases": phrases}
        gold_ends = phrase_ends(sentences.gold_actions, sentences.lengths)
        both = ends & gold_ends
        proposed, gold = phrases - 1, gold_ends.sum(1) - 1
        return {
            "num_phrases": phrases,
            "proposed": proposed,
            "gold": gold,
            "matches": both.sum(1) - 1,
            "mean_boundaries": (proposed + gold) / 2,
            "phrase_matches": (both & (_starts(ends) == _starts(gold_ends))).sum(1),
            "mean_phrases": (phrases + gold + 1) / 2,
        }


def _starts(ends: Tensor) -> Tensor:
    """Return (R, T) int64: the first word of the phrase that contains each word."""
    starts = ends.new_zeros(ends.shape, dtype=torch.int64)
    starts[:, 1:] = torch.arange(1, ends.shape[1], device=ends.device) * ends[:, :-1]
    return starts.cummax(1).values


SEGMENTATION: Final = PhraseSegmentation()
