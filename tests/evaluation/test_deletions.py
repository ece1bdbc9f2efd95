"""The words that are deleted most and least."""

from __future__ import annotations

import io

import torch
from rich.console import Console

from hs_env.corpora import Vocabulary
from hs_env.evaluation.deletions import Deletions
from hs_env.problems.distillation import DISTILLATION
from hs_env.types import Episodes, SentenceBatch

VOCABULARY = Vocabulary(["good", "rare", "the", "very"])
GOOD, RARE, THE, VERY = VOCABULARY.encode(["good", "rare", "the", "very"])


def batch(sentences: list[list[int]], actions: list[list[int]]) -> Episodes:
    """Sentences of three words or two, with padding."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    tokens = torch.tensor([[*sentence, 0][:3] for sentence in sentences])
    indices = torch.arange(len(sentences))
    return Episodes(
        SentenceBatch(tokens, lengths, 0 * lengths, indices), torch.tensor(actions), torch.zeros(len(sentences), 2)
    )


EPISODES = [
    batch([[THE, VERY, GOOD]] * 8, [[0, 1, 1]] * 6 + [[0, 0, 1]] * 2),
    batch([[THE, GOOD], [THE, VERY, GOOD], [THE, VERY, RARE]], [[0, 1, 0], [1, 1, 1], [0, 0, 1]]),
    batch([[VERY, GOOD]], [[0, 1, 0]]),
]


def test_words_are_ranked_by_the_share_that_is_deleted() -> None:
    deletions = Deletions.of(EPISODES, VOCABULARY, DISTILLATION)
    assert list(map(str, deletions.most)) == ["the 91% (10/11)", "very 36% (4/11)", "good 0% (0/11)"]
    assert [each.word for each in deletions.least] == ["good", "very", "the"]
    assert deletions.to_json()["most"][0] == {"word": "the", "deleted": 10, "count": 11}
    assert deletions.to_json()["min_count"] == 10


def test_the_table_has_a_row_for_each_pair() -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(Deletions.of(EPISODES, VOCABULARY, DISTILLATION).to_rich())
    shown = console.export_text()
    assert [word in shown for word in ("the 91% (10/11)", "good 0% (0/11)", "rare")] == [True, True, False]
