"""Skimming: decide after each word that is read whether to read the next one, to skip some, or to stop.

After Yu, Lee and Le, *Learning to Skim Text*, ACL 2017, with jumps of one length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor
from torch.nn.functional import pad

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
from hs_env.types import NEXT, SKIP, STOP, SentenceBatch

__all__ = ["NEXT", "SKIMMING", "SKIP", "SKIPPED", "STOP", "Skimming", "read_shares", "words_read"]

SKIPPED: Final = 3
"""Number of words that `SKIP` skips."""

_STOPPED: Final = -1
"""Progress after `STOP`."""


def words_read(actions: Tensor, lengths: Tensor) -> Tensor:
    """Return (R, T) bool: the words that legal actions (R, T) read in sentences of `lengths` (R,) words."""
    position = torch.arange(actions.shape[1], device=actions.device)
    earlier = pad(actions[:, :-1], (1, 0), value=NEXT)
    skip = torch.where(earlier == SKIP, position, -SKIPPED).cummax(1).values  # first word of the last skip
    stopped = (earlier == STOP).cummax(1).values
    return (position >= skip + SKIPPED) & ~stopped & (position < lengths[:, None])


def read_shares(weights: Tensor, lengths: Tensor) -> Tensor:
    """Return (R, T): the probability that each word is read, if actions are drawn with `weights` (R, T, k).

    A word is read if the word before it is read and its action is `NEXT`, or if a skip from an earlier word ends there.
    """
    shares = [torch.ones_like(weights[:, 0, 0])]
    for t in range(1, weights.shape[1]):
        share = shares[t - 1] * weights[:, t - 1, NEXT]
        if t > SKIPPED:
            start = t - 1 - SKIPPED
            share = share + shares[start] * weights[:, start, SKIP]
        shares.append(share)
    return torch.stack(shares, 1) * (torch.arange(len(shares), device=weights.device) < lengths[:, None])


class Skimming(Problem):
    """Reads a part of a sentence with the actions `NEXT`, `STOP` and `SKIP`. The first word is always read.

    Every word has an action, as in all problems. At a word that is skipped, the only legal action is `NEXT`, so it is
    forced and never enters a policy gradient. `STOP` and `SKIP` are legal only if they skip a word that `NEXT` reads
    or, for `SKIP`, if a word is left to be read after the skip. So no two legal sequences read the same words.

    Progress is the number of words that are still to be skipped, including the current one, or -1 after `STOP`.
    """

    title = "skimming"
    actions = ("NEXT", "STOP", "SKIP")
    span = ("word read", "read")
    covers = False
    closing_action = STOP
    columns: ClassVar[tuple[Column, ...]] = (
        Column("words_read", ("Words read /", "sentence"), "num_read", "sentences", decimals=1),
        Column("share_read", ("Words", "read %"), "num_read", "words", 100, 1),
    )
    # As for information distillation. STOP begins rare, because it decides about all words that follow.
    defaults = TrainingDefaults(
        warm_start="read_all",
        reward="log_likelihood - 0.15 * words_read",
        reward_dropout=True,
        warm_epochs=10,
        pnet_epochs=2,
        joint_learning_rate=1e-4,
        joint_score="reward",
        pnet_learning_rate=1e-3,
        initial_logits=(3.0, -1.0, 1.0),
    )
    environment = EnvironmentText(
        classifier="movie_reviews_skim_lstm",
        corpus="movie_reviews",
        reward="log_likelihood - 0.15 * words_read",
        summary="Read only the words of a sentence that matter, without having seen the others.",
        description=(
            "A frozen classifier, an LSTM, reads the first word of a sentence. After each word that it has read, the "
            "agent decides whether it reads the next word, skips three words, or reads no further. Neither the "
            "classifier nor the agent ever sees a skipped word. After the last word, the classifier predicts the "
            "class from its last state. The reward favours reading few words (after Yu, Lee and Le, 2017, whose jumps "
            "have several lengths)."
        ),
        meanings=(
            "go on to the next word; it is read unless it is skipped",
            "read no further word",
            "skip the next three words",
        ),
        legality=(
            "At a skipped word only NEXT is legal, so that there is one action per word. STOP is legal if a word "
            "follows, SKIP if at least four follow; it skips three of them. An illegal action is replaced by the "
            "nearest legal one, so a SKIP of all words that are left is taken as STOP."
        ),
        observation=(
            "For an LSTM with hidden size d and word vectors of width e, D = 2d + e: cell and hidden state after the "
            "words read so far, then the vector of the current word, which is 0 if the word is skipped and after the "
            "last word. The info `token` tells every word, also a skipped one, so a policy must not use it. "
            + LSTM_BOUNDS
        ),
        rewarded="`log P(gold | X) - 0.15 * r / L` for r words read out of L",
        potential="it changes where a word is read",
        information=(
            ("num_read", "int", "number of words read"),
            ("read", "tuple of str", 'the words read, such as `("not", "good")`'),
        ),
        references="A. Yu, H. Lee, Q. Le. *Learning to Skim Text.* ACL 2017.",
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; only `NEXT` is legal at a word that is skipped."""
        over, decided = left < 0, progress == 0
        stop, skip = decided & (left > 0), decided & (left > SKIPPED)
        return torch.stack([torch.ones_like(over), stop | over, skip | over], 1)

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """See `Problem.progress_after`."""
        later = progress - (progress > 0).long()
        return later.masked_fill(actions == STOP, _STOPPED).masked_fill(actions == SKIP, SKIPPED)

    def legalised(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """See `Problem.legalised`; checks whole sequences first, since most are legal."""
        left = lengths[:, None] - 1 - torch.arange(actions.shape[1], device=actions.device)
        progress = (~words_read(actions, lengths)).long()
        legal = self.legal(progress.flatten(), left.flatten()).gather(1, actions.reshape(-1, 1))
        return actions if bool(legal.all()) else super().legalised(actions, lengths)

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each word that is read is a span."""
        row, start = words_read(actions, lengths).nonzero().unbind(1)
        return Spans(row, start, start + 1, actions[row, start])

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """See `Problem.spans_by_row`."""
        found = []
        for row, length in zip(actions.tolist(), lengths.tolist(), strict=True):
            spans, at = [], 0
            while at < length:
                spans.append((at, at + 1))
                at += {NEXT: 1, STOP: length, SKIP: 1 + SKIPPED}[row[at]]
            found.append(spans)
        return found

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """See `Problem.counts`."""
        return {"num_read": words_read(actions, sentences.lengths).sum(1)}

    def parts(self, actions: Sequence[int], finished: bool) -> list[Part]:
        """See `Problem.parts`; groups runs of words that are read and of words that are skipped."""
        return selection_parts(words_read(*one_row(actions))[0].tolist()) if actions else []


SKIMMING: Final = Skimming()
