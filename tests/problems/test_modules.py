"""Phrase modules: legal actions, spans and their modules, agreement with gold ones."""

from __future__ import annotations

import torch

from hs_env.corpora import load_corpus
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.modules import MODULES
from hs_env.problems.segmentation import SEGMENTATION
from tests.builders import make_batch

ACTIONS = torch.tensor([[0, 2, 0, 3, 4], [1, 0, 0, 4, 2]])
LENGTHS = torch.tensor([5, 3])


def test_only_the_last_word_must_end_a_phrase() -> None:
    assert MODULES.legal(torch.zeros(2), torch.tensor([1, 0])).tolist() == [[True] * 5, [False, True, True, True, True]]
    assert len(MODULES.sequences(3)) == 5 * 5 * 4
    assert MODULES.first_fault([[0, 4], [2, 0]]) == (1, "action 1 is INSIDE (0), which is not legal there")


def test_each_phrase_has_the_action_that_ends_it() -> None:
    spans = MODULES.spans(ACTIONS, LENGTHS)
    assert spans.by_row(2) == [[(0, 2), (2, 4), (4, 5)], [(0, 1), (1, 3)]]
    assert spans.action.tolist() == [2, 3, 4, 1, 1]  # an illegal INSIDE at the last word is taken as ASSERT


def test_phrases_are_those_of_a_segmentation() -> None:
    plain = SEGMENTATION.spans(ACTIONS.clamp(max=1), LENGTHS)
    assert MODULES.spans(ACTIONS, LENGTHS).by_row(2) == plain.by_row(2)
    assert MODULES.describe("not so good at all".split(), [0, 2, 0, 3, 4]) == {
        "phrases": ["not so", "good at", "all"],
        "actions": ["INSIDE", "NEGATE", "INSIDE", "SCALE", "CONTRAST"],
    }


def test_module_agreement_counts_gold_phrases_with_the_same_end_and_module() -> None:
    batch = make_batch([5, 3])
    batch.gold_actions[:] = torch.tensor([[0, 2, 3, 0, 4], [0, 1, 2, 0, 0]])  # type: ignore[index]
    counts = MODULES.counts(torch.tensor([[0, 2, 0, 3, 4], [1, 0, 2, 0, 0]]), batch)
    assert counts["gold_phrases"].tolist() == [3, 2]
    assert counts["module_matches"].tolist() == [2, 1]
    assert counts["matches"].tolist() == [1, 0]
    assert MODULES.counts(batch.gold_actions, batch)["module_matches"].tolist() == [3, 2]  # type: ignore[arg-type]


def test_gold_actions_serve_a_segmentation_too() -> None:
    corpus = load_corpus("phrases_deep:train=8,dev=4,test=4")
    plain = corpus.for_problem(SEGMENTATION).splits["test"][0].gold_actions
    gold = corpus.splits["test"][0].gold_actions
    assert gold is not None
    assert plain == tuple(min(action, 1) for action in gold)
    assert corpus.for_problem(DISTILLATION).splits["test"][0].gold_actions is None
    assert load_corpus("phrases:train=8,dev=4,test=4").for_problem(MODULES).splits["test"][0].gold_actions is None
