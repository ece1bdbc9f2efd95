"""Phrase modules: legal actions, spans and their modules, agreement with gold ones."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.corpora import load_corpus
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.modules import LONGEST, MODULES
from hs_env.problems.problem import nearest_legal
from hs_env.problems.segmentation import SEGMENTATION
from tests.builders import make_batch

ACTIONS = torch.tensor([[0, 2, 0, 3, 4], [1, 0, 0, 4, 2]])
LENGTHS = torch.tensor([5, 3])


def test_only_the_last_word_must_end_a_phrase() -> None:
    assert MODULES.legal(torch.tensor([0, 0, 4]), torch.tensor([1, 0, 1])).tolist() == [
        [True] * 5,
        [False, True, True, True, True],
        [False, True, True, True, True],
    ]
    assert len(MODULES.sequences(3)) == 5 * 5 * 4
    assert MODULES.first_fault([[0, 4], [2, 0]]) == (1, "action 1 is INSIDE (0), which is not legal there")


def test_each_phrase_has_the_action_that_ends_it() -> None:
    spans = MODULES.spans(ACTIONS, LENGTHS)
    assert spans.by_row(2) == [[(0, 2), (2, 4), (4, 5)], [(0, 1), (1, 3)]]
    assert spans.action.tolist() == [2, 3, 4, 1, 1]  # an illegal INSIDE at the last word is taken as ASSERT


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]), min_size=1, max_size=40))
def test_a_phrase_has_at_most_five_words(asked: list[int]) -> None:
    """Illegal actions make the spans of the nearest legal ones, taken word by word."""
    progress, taken = torch.zeros(1, dtype=torch.int64), []
    for position, action in enumerate(asked):
        legal = MODULES.legal(progress, torch.tensor([len(asked) - 1 - position]))
        taken.append(nearest_legal(legal, torch.tensor([action])))
        progress = MODULES.progress_after(progress, taken[-1])
    spans, legal_spans = (
        MODULES.spans(actions, torch.tensor([len(asked)])) for actions in (torch.tensor([asked]), torch.stack(taken, 1))
    )
    assert spans.by_row(1) == legal_spans.by_row(1)
    assert torch.equal(spans.action, legal_spans.action)
    assert spans.by_row(1) == MODULES.spans_by_row(torch.tensor([asked]), torch.tensor([len(asked)]))
    assert max(stop - start for start, stop in spans.by_row(1)[0]) <= LONGEST


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
