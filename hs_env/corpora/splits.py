"""Cutting one list of sentences into splits, always the same way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from hs_env.types import Sentence

SHARES: Final[Mapping[str, float]] = {"test": 0.1, "dev": 0.1, "train": 0.8}
"""How a corpus that comes in one piece is cut."""
DEV_SHARES: Final[Mapping[str, float]] = {"dev": 0.1, "train": 0.9}
"""How the dev split is taken from a train split that comes without one."""

_SEED: Final = 3435


def stratified_split(sentences: Sequence[Sentence], shares: Mapping[str, float]) -> dict[str, tuple[Sentence, ...]]:
    """Cut sentences into splits with the same share of every label.

    Equal sentences stay together, so that none is in two splits. The same sentences give the same splits on every
    machine; within a split they keep their order.

    Args:
        sentences: All sentences.
        shares: The share of each split; the last split takes what is left, the others at least one sentence of every
            label that has enough of them.

    Returns:
        The sentences of each split.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, sentence in enumerate(sentences):
        groups[sentence.words].append(index)
    by_label: dict[int, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        by_label[sentences[group[0]].label].append(group)

    generator = np.random.default_rng(_SEED)
    *parts, rest = shares
    chosen: dict[str, list[int]] = {split: [] for split in shares}
    for label in sorted(by_label):
        pool = by_label[label]
        shuffled = [pool[at] for at in generator.permutation(len(pool))]
        for split in parts:
            count = max(round(shares[split] * len(pool)), int(len(pool) >= len(shares)))
            taken, shuffled = shuffled[:count], shuffled[count:]
            chosen[split] += [index for group in taken for index in group]
        chosen[rest] += [index for group in shuffled for index in group]
    return {split: tuple(sentences[index] for index in sorted(indices)) for split, indices in chosen.items()}


def fold_splits(sentences: Sequence[Sentence], folds: Sequence[int], fold: int) -> dict[str, tuple[Sentence, ...]]:
    """Cross-validation: `fold` is the test split, the next one (cyclically) dev, the others train.

    Args:
        sentences: All sentences.
        folds: The fold of each sentence, from 0.
        fold: The fold to test on.
    """
    role = {fold: "test", (fold + 1) % (max(folds) + 1): "dev"}
    chosen: dict[str, list[Sentence]] = {"train": [], "dev": [], "test": []}
    for sentence, its_fold in zip(sentences, folds, strict=True):
        chosen[role.get(its_fold, "train")].append(sentence)
    return {split: tuple(members) for split, members in chosen.items()}
