"""Information distillation: decide at each word whether to keep it (ID-LSTM; Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor

from hs_env.problems.descriptions import LSTM_BOUNDS
from hs_env.problems.problem import (
    Column,
    EnvironmentText,
    Part,
    Problem,
    Spans,
    TrainingDefaults,
    one_row,
    selection_parts,
)
from hs_env.types import DELETE, RETAIN

__all__ = ["DELETE", "DISTILLATION", "RETAIN", "InformationDistillation", "retained_words"]


def retained_words(actions: Tensor, lengths: Tensor) -> Tensor:
    """Return (R, T) bool: the words that actions (R, T) keep, or the last word if they keep none."""
    last = lengths[:, None] - 1
    kept = (actions == RETAIN) & (torch.arange(actions.shape[1], device=actions.device) <= last)
    none = ~kept.any(1, keepdim=True)
    return kept.scatter_(1, last, kept.gather(1, last) | none) if none.any() else kept


class InformationDistillation(Problem):
    """Selects words of a sentence with the actions `DELETE` and `RETAIN`. At least one word is retained."""

    title = "information distillation"
    actions = ("DELETE", "RETAIN")
    span = ("retained word", "retained")
    covers = False
    closing_action = RETAIN
    columns: ClassVar[tuple[Column, ...]] = (
        Column("words_retained", ("Words kept /", "sentence"), "num_retained", "sentences", decimals=1),
        Column("share_retained", ("Words", "kept %"), "num_retained", "words", 100, 1),
    )
    # Deleting words costs least if the classifier is fully trained first and then changes slowly. The P-Net starts by
    # keeping nearly all words, because until then the classifier has read whole sentences.
    defaults = TrainingDefaults(
        warm_start="all_retain",
        reward="log_likelihood + deletion_rate(target=0.15, weight=0.12, rate=0.0005)",
        reward_dropout=True,
        warm_epochs=10,
        pnet_epochs=2,
        joint_learning_rate=1e-4,
        joint_score="reward",
        pnet_learning_rate=1e-3,
        initial_logits=(0.0, 2.0),
    )
    environment = EnvironmentText(
        classifier="phrases_id_lstm",
        corpus="phrases",
        reward="id_lstm",
        reward_parameters='{"gamma": 0.3}',
        summary="Keep the words of a sentence that matter, word by word.",
        description=(
            "At each word of a sentence, the agent decides whether to keep or delete it. A frozen classifier, ID-LSTM "
            "(Zhang, Huang and Zhao, 2018), reads only the words that are kept. After the last word it classifies the "
            "sentence. The reward favours deleting as many words as possible without harming the classification."
        ),
        meanings=("delete the word", "keep the word"),
        legality=(
            "At least one word is kept: if no earlier word was kept, DELETE is not legal at the last word and is taken "
            "as RETAIN."
        ),
        observation=(
            "For ID-LSTM with hidden size d and word vectors of width e, D = 2d + e: cell and hidden state after the "
            "words kept so far, then the vector of the current word. " + LSTM_BOUNDS
        ),
        rewarded="`log P(gold | X) + gamma * d / L` for d deleted words out of L, where gamma is 0.15",
        potential="it changes where a word is retained",
        information=(
            ("num_retained", "int", "number of words kept"),
            ("retained", "tuple of str", 'the words kept, such as `("not", "good")`'),
        ),
        references=(
            "T. Zhang, M. Huang, L. Zhao. *Learning Structured Representation for Text Classification via "
            "Reinforcement Learning.* AAAI 2018."
        ),
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; only `RETAIN` is legal at the last word if no word has been retained."""
        free = (left != 0) | (progress != 0)
        return torch.stack([free, torch.ones_like(free)], 1)

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """See `Problem.progress_after`; progress is 1 once a word has been retained."""
        return progress | actions

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each retained word is a span."""
        row, start = retained_words(actions, lengths).nonzero().unbind(1)
        return Spans(row, start, start + 1, torch.full_like(row, RETAIN))

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """See `Problem.spans_by_row`."""
        found = []
        for row, length in zip(actions.tolist(), lengths.tolist(), strict=True):
            kept = [at for at in range(length) if row[at] == RETAIN]
            found.append([(at, at + 1) for at in kept or [length - 1]])
        return found

    def parts(self, actions: Sequence[int], finished: bool) -> list[Part]:
        """See `Problem.parts`; groups runs of retained and of deleted words."""
        row, length = one_row(actions)
        kept = retained_words(row, length) if finished else row == RETAIN
        return selection_parts(kept[0].tolist(), RETAIN, DELETE)


DISTILLATION: Final = InformationDistillation()
