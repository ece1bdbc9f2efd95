"""The phrases that are made again and again."""

from __future__ import annotations

import io

import torch
from rich.console import Console

from hs_env.corpora import Vocabulary
from hs_env.evaluation.recurring import Recurring
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.types import Episodes, SentenceBatch

VOCABULARY = Vocabulary(["good", "not", "very"])
GOOD, NOT, VERY = VOCABULARY.encode(["good", "not", "very"])
NOT_GOOD, NOT_VERY_GOOD = [NOT, GOOD, 0], [NOT, VERY, GOOD]


def episodes(tokens: list[list[int]], actions: list[list[int]]) -> Episodes:
    table = torch.tensor(tokens)
    lengths = (table > 0).sum(1)
    batch = SentenceBatch(table, lengths, 0 * lengths, torch.arange(len(table)))
    return Episodes(batch, torch.tensor(actions), torch.zeros(len(table), 2))


EPISODES = [
    episodes([NOT_GOOD] * 3 + [NOT_VERY_GOOD] * 2, [[0, 1, 0]] * 2 + [[1, 1, 0]] + [[0, 0, 1]] * 2),
    episodes([NOT_VERY_GOOD], [[0, 1, 1]]),
]


def test_phrases_are_counted_and_so_are_their_words() -> None:
    found = Recurring.of(EPISODES, VOCABULARY, SEGMENTATION)
    assert list(map(str, found.phrases)) == ["not very good (2/3)", "not good (2/3)"]
    assert (found.distinct, found.share) == (2, 4 / 5)
    assert found.to_json()["phrases"][1] == {"phrase": "not good", "count": 2, "occurrences": 3}
    nothing = Recurring.of([episodes([NOT_GOOD], [[1, 1, 0]])], VOCABULARY, SEGMENTATION)
    assert nothing == Recurring((), 0, 0.0)


def test_characters_of_a_phrase_are_joined_by_nothing() -> None:
    letters = Vocabulary("go")
    (word,) = [letters.encode(list("goo"))]
    found = Recurring.of([episodes([word] * 2, [[0, 0, 1]] * 2)], letters, SEGMENTATION, "characters")
    assert list(map(str, found.phrases)) == ["goo (2/2)"]


def test_the_table_holds_every_phrase() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    some = Recurring.of(EPISODES[:1], VOCABULARY, SEGMENTATION)
    for found in (Recurring.of(EPISODES, VOCABULARY, SEGMENTATION), some, Recurring((), 0, 0.0)):
        console.print(found.to_rich())
        shown = console.export_text()
        assert all(str(phrase) in shown for phrase in found.phrases)
