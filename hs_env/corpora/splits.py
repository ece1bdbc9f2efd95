"""Divide sentences into splits, always the same way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from hs_env.types import Sentence

SHARES: Final[Mapping[str, float]] = {"test": 0.1, "dev": 0.1, "train": 0.8}
"""Shares of the splits of a corpus that has none."""
DEV_SHARES: Final[Mapping[str, float]] = {"dev": 0.1, "train": 0.9}
"""Shares of the two splits into which a train split is divided if there is no dev split."""

_SEED: Final = 3435


def stratified_split(sentences: Sequence[Sentence], shares: Mapping[str, float]) -> dict[str, tuple[Sentence, ...]]:
    """Divide sentences into splits with the same share of every label.

    Sentences with the same words go to the same split. Within a split the sentences keep their order. The same
    sentences give the same splits on every machine.

    The last split of `shares` gets the rest. Each other split gets at least one sentence per label, if that label has
    at least as many distinct sentences as there are splits.
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
        shuffled = [pool[index] for index in generator.permutation(len(pool))]
        for split in parts:
            count = max(round(shares[split] * len(pool)), int(len(pool) >= len(shares)))
            taken, shuffled = shuffled[:count], shuffled[count:]
            chosen[split] += [index for group in taken for index in group]
        chosen[rest] += [index for group in shuffled for index in group]
    return {split: tuple(sentences[index] for index in sorted(indices)) for split, indices in chosen.items()}


def ten_folds(sentences: Sequence[Sentence]) -> list[int]:
    """Assign one of ten folds to each sentence, with the same share of every label; equal words get the same fold.

    Groups of sentences with equal words are shuffled and sorted by size. Each goes to the fold with the fewest
    sentences of its label. The same sentences get the same folds on every machine.
    """
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, sentence in enumerate(sentences):
        groups[sentence.words].append(at)
    order = list(groups.values())
    order = [order[at] for at in np.random.RandomState(_SEED).permutation(len(order))]
    folds = [0] * len(sentences)
    filled: list[Counter[int]] = [Counter() for _ in range(10)]
    for group in sorted(order, key=len, reverse=True):
        label = Counter(sentences[at].label for at in group).most_common(1)[0][0]
        fold = min(range(10), key=lambda k: (filled[k][label], filled[k].total(), k))
        for at in group:
            folds[at] = fold
            filled[fold][sentences[at].label] += 1
    return folds


def fold_splits(sentences: Sequence[Sentence], folds: Sequence[int], fold: int) -> dict[str, tuple[Sentence, ...]]:
    """Divide sentences for cross-validation; `folds` has the fold of each sentence, from 0.

    The test fold becomes the test split, the next fold (cyclically) the dev split, and the others the train split.

    Raises:
        ValueError: If there is not one fold per sentence.
    """
    role = {fold: "test", (fold + 1) % (max(folds) + 1): "dev"}
    chosen: dict[str, list[Sentence]] = {"train": [], "dev": [], "test": []}
    for sentence, its_fold in zip(sentences, folds, strict=True):
        chosen[role.get(its_fold, "train")].append(sentence)
    return {split: tuple(members) for split, members in chosen.items()}
