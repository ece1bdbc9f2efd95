"""Phrase modules: decide at each word whether the phrase ends, and which module of the classifier reads it.

A small neural module network (Andreas et al., *Neural Module Networks*, CVPR 2016): the policy lays out the modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor

from hs_env.problems.problem import Column, EnvironmentText, Problem, Spans, TrainingDefaults
from hs_env.problems.segmentation import END, INSIDE, SEGMENTATION, PhraseSegmentation, phrase_ends
from hs_env.types import ASSERT, CONTRAST, NEGATE, SCALE, SentenceBatch

__all__ = ["ASSERT", "CONTRAST", "LONGEST", "MODULES", "NEGATE", "SCALE", "PhraseModules"]

LONGEST: Final = 5
"""Maximum number of words of a phrase. In a longer one the word level could do the work of the modules."""


class PhraseModules(PhraseSegmentation):
    """Divides a sentence into phrases of at most five words and chooses one of four modules for each.

    `ASSERT` alone is a segmentation. Progress is the number of words of the phrase before the current one.
    """

    title = "phrase modules"
    actions = ("INSIDE", "ASSERT", "NEGATE", "SCALE", "CONTRAST")
    closing_action = ASSERT
    columns: ClassVar[tuple[Column, ...]] = (
        *PhraseSegmentation.columns,
        Column("module_agreement", ("Module", "agreement %"), "module_matches", "gold_phrases", 100, 1, agreement=True),
    )
    # The P-Net starts with phrases of about three words, most of them read by ASSERT as in the warm start.
    defaults = TrainingDefaults(
        warm_start="function_words", reward="hs_lstm", initial_logits=(2.0, 1.0, -1.0, -1.0, -1.0)
    )
    environment = EnvironmentText(
        classifier="phrases_modules",
        corpus="phrases_deep",
        reward="hs_lstm",
        reward_parameters='{"gamma": 0.2}',
        summary="Divide a sentence into phrases and choose the module that reads each, word by word.",
        description=(
            "At each word of a sentence, the agent decides whether the phrase continues or ends, and if it ends, which "
            "of four modules reads it. A frozen classifier reads each phrase with a word-level LSTM, as HS-LSTM does. "
            "The chosen module then changes the state of the sentence: it adds the phrase, negates, scales or replaces "
            "what was said before. After the last word the state is classified."
        ),
        meanings=(
            "continue the phrase with the next word",
            "end the phrase after this word, and add it to the state",
            "end the phrase after this word, and negate the state",
            "end the phrase after this word, and multiply the state by a factor that depends on the phrase",
            "end the phrase after this word, and replace the state by the phrase",
        ),
        legality=(
            "A phrase has at most five words, and the last word always ends a phrase: INSIDE is not legal at the "
            "fifth and at the last word, and is taken as ASSERT."
        ),
        observation=(
            "For hidden size d, D = 3d: state of the sentence before the phrase, then cell and hidden state of the "
            "word level after the word. Hidden states of the word level are in [-1, 1], and a cell grows in size by at "
            "most 1 per step. SCALE multiplies the state of the sentence by a factor of up to 4; the classifier keeps "
            "it between -1000 and 1000."
        ),
        rewarded=(
            "`log P(gold | X) - gamma * (n / L + 0.1 * L / n)` for n phrases in L words, where gamma is 0.1 times "
            "the number of classes"
        ),
        potential="it changes where a phrase ends",
        information=(
            ("num_phrases", "int", "number of phrases"),
            ("phrases", "tuple of str", 'the words of each phrase, such as `("is not very good", "far from it")`'),
        ),
        references=(
            "T. Zhang, M. Huang, L. Zhao. *Learning Structured Representation for Text Classification via "
            "Reinforcement Learning.* AAAI 2018.\n\n"
            "J. Andreas, M. Rohrbach, T. Darrell, D. Klein. *Neural Module Networks.* CVPR 2016."
        ),
    )

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """See `Problem.legal`; `INSIDE` is not legal at the last word, and at word `LONGEST` of a phrase."""
        legal = torch.ones(len(left), self.num_actions, dtype=torch.bool, device=left.device)
        legal[:, 0] = (left != 0) & (progress < LONGEST - 1)
        return legal

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """See `Problem.progress_after`."""
        return (progress + 1) * (actions == INSIDE)

    def translated(self, actions: Sequence[int], other: Problem) -> tuple[int, ...] | None:
        """See `Problem.translated`; a segmentation makes the same phrases, without their modules."""
        return tuple(min(action, END) for action in actions) if other == SEGMENTATION else None

    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """See `Problem.spans`; each phrase is a span, and its action chooses its module."""
        position = torch.arange(actions.shape[1], device=actions.device)
        ends = torch.nn.functional.pad(torch.where(actions != INSIDE, position, -1), (1, -1), value=-1)
        begun = position - ends.cummax(1).values  # words since the last chosen end
        actions = torch.where((actions == INSIDE) & (begun % LONGEST == 0), ASSERT, actions)
        spans = super().spans(actions, lengths)
        return Spans(spans.row, spans.start, spans.stop, actions[spans.row, spans.stop - 1].clamp(min=ASSERT))

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """See `Problem.spans_by_row`."""
        found: list[list[tuple[int, int]]] = []
        for row, length in zip(actions.tolist(), lengths.tolist(), strict=True):
            spans, start = [], 0
            for stop in range(1, length + 1):
                if row[stop - 1] != INSIDE or stop - start == LONGEST or stop == length:
                    spans.append((start, stop))
                    start = stop
            found.append(spans)
        return found

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Count as `PhraseSegmentation.counts` does, and compare the modules with gold ones.

        Returns:
            With gold actions also the number of "gold_phrases", and of those at whose last word a phrase with the same
            module ends, "module_matches".
        """
        counts = super().counts(actions, sentences)
        if sentences.gold_actions is None:
            return counts
        ends = phrase_ends(sentences.gold_actions, sentences.lengths)
        same = actions == sentences.gold_actions
        return counts | {"gold_phrases": ends.sum(1), "module_matches": (ends & same).sum(1)}


MODULES: Final = PhraseModules()
