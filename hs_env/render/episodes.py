"""Finished episodes for display."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hs_env.render.segmented import Segmented
from hs_env.types import SEGMENTATION, Episodes, Sentence, Task


def segmented(
    episodes: Episodes,
    sentences: Sequence[Sentence],
    labels: Sequence[str],
    *,
    gold: bool = True,
    task: Task = SEGMENTATION,
) -> Iterator[Segmented]:
    """The episodes, row by row, for display.

    Args:
        episodes: R rows.
        sentences: What the episodes' `indices` count.
        labels: Names of the classes.
        gold: Whether the sentences' labels are known.
        task: What the actions decide: `StructuredEncoder.task`.
    """
    probability, prediction = episodes.log_probs.exp().max(1)
    for row, index in enumerate(episodes.sentences.indices.tolist()):
        sentence = sentences[index]
        yield Segmented(
            words=sentence.words,
            actions=tuple(episodes.actions[row, : len(sentence.words)].tolist()),
            label=labels[sentence.label] if gold else None,
            prediction=labels[int(prediction[row])],
            probability=float(probability[row]),
            task=task,
        )
