"""Decision problems against naive Python: legal sequences, spans, counts, parts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.envs.classes import environment_classes
from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS
from hs_env.problems.distillation import DISTILLATION
from hs_env.problems.problem import Problem, nearest_legal
from hs_env.problems.segmentation import SEGMENTATION
from tests.builders import make_batch, phrases_of
from tests.ternary import STRESSED, StressedPhrases

BOTH = [SEGMENTATION, DISTILLATION]
ALL = [*BOTH, STRESSED]
every_problem = pytest.mark.parametrize("problem", ALL, ids=lambda problem: problem.title)
both_problems = pytest.mark.parametrize("problem", BOTH, ids=lambda problem: problem.title)


def first_illegal(problem: Problem, sequence: Sequence[int]) -> int | None:
    """The position of the first action that is not legal, found by one step a word."""
    progress = torch.zeros(1, dtype=torch.int64)
    for position, action in enumerate(sequence):
        left = torch.tensor([len(sequence) - 1 - position])
        if not problem.legal(progress, left)[0, action]:
            return position
        progress = problem.progress_after(progress, torch.tensor([action]))
    return None


def brute_force(problem: Problem, length: int) -> list[tuple[int, ...]]:
    everything = itertools.product(range(problem.num_actions), repeat=length)
    return [each for each in everything if first_illegal(problem, each) is None]


def naive_spans(problem: Problem, sequence: Sequence[int]) -> list[tuple[int, int]]:
    """The spans of one finished sequence of actions."""
    if problem == DISTILLATION:
        retained = [at for at, action in enumerate(sequence) if action == 1] or [len(sequence) - 1]
        return [(at, at + 1) for at in retained]
    lengths = [len(phrase) for phrase in phrases_of(["w"] * len(sequence), [min(action, 1) for action in sequence])]
    stops = list(itertools.accumulate(lengths))
    return list(zip([0, *stops], stops, strict=False))


@every_problem
@pytest.mark.parametrize("length", range(1, 7))
def test_sequences_are_all_that_is_legal(problem: Problem, length: int) -> None:
    sequences = problem.sequences(length)
    assert sequences.shape[1] == length
    assert sequences.dtype == torch.int64
    assert sorted(map(tuple, sequences.tolist())) == brute_force(problem, length)


def test_how_many_sequences_are_legal() -> None:
    for length in range(1, 7):
        assert len(SEGMENTATION.sequences(length)) == 2 ** (length - 1)
        assert len(DISTILLATION.sequences(length)) == 2**length - 1
        assert len(STRESSED.sequences(length)) == 2 * 3 ** (length - 1)


@every_problem
@pytest.mark.parametrize("length", range(1, 7))
def test_spans_of_every_sequence(problem: Problem, length: int) -> None:
    sequences = problem.sequences(length)
    lengths = torch.full((len(sequences),), length)
    spans = problem.spans(sequences, lengths)
    found = spans.by_row(len(sequences))
    assert found == [naive_spans(problem, sequence) for sequence in sequences.tolist()]
    assert found == problem.spans_by_row(sequences, lengths)
    assert spans.counts(len(sequences)).tolist() == list(map(len, found))
    assert torch.equal(spans.action, sequences[spans.row, spans.stop - 1])
    covered = spans.cover(torch.ones_like(sequences, dtype=torch.bool))
    if problem.covers:
        for row in found:
            assert [at for start, stop in row for at in range(start, stop)] == list(range(length))
        assert covered.all()
    else:
        assert torch.equal(covered, sequences == 1)


@pytest.mark.parametrize("problem", [*map(PROBLEMS.get, PROBLEMS), STRESSED], ids=lambda problem: problem.title)
@pytest.mark.parametrize("junk", [0, 1])
def test_spans_as_lists_are_those_of_the_tensors(problem: Problem, junk: int) -> None:
    rows = [row for length in range(1, 8) for row in problem.sequences(length)[:2000]]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=junk)
    lengths = torch.tensor([len(row) for row in rows])
    found = problem.spans_by_row(padded, lengths)
    assert found == problem.spans(padded, lengths).by_row(len(rows))
    assert found[::97] == [problem.spans_of(row.tolist()) for row in rows[::97]]


@both_problems
@pytest.mark.parametrize("junk", [0, 1])
def test_padding_changes_nothing(problem: Problem, junk: int) -> None:
    lengths = [3, 1, 5, 2]
    sequences = [[0, 1, 1], [1], [0, 0, 1, 0, 1], [0, 1]]
    padded = torch.tensor([[*sequence, *[junk] * (7 - len(sequence))] for sequence in sequences])
    spans = problem.spans(padded, torch.tensor(lengths))
    assert spans.by_row(4) == [naive_spans(problem, sequence) for sequence in sequences]
    assert spans.by_row(4) == problem.spans_by_row(padded, torch.tensor(lengths))
    batch = make_batch(lengths)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    assert torch.equal(spans.cover(mask)[:, :5], problem.spans(padded[:, :5], batch.lengths).cover(batch.mask))
    counts = problem.counts(padded[:, :5], batch)
    for name, column in problem.counts(padded[:, :5] * batch.mask, batch).items():
        assert torch.equal(counts[name], column), name


@every_problem
@pytest.mark.parametrize("length", range(1, 5))
def test_parts_joined_are_all_words_read(problem: Problem, length: int) -> None:
    for sequence in problem.sequences(length).tolist():
        for read in range(length + 1):
            finished = read == length
            parts = problem.parts(sequence[:read], finished)
            assert [at for part in parts for at in range(part.start, part.stop)] == list(range(read))
            if problem.covers:
                states = ["phrase"] * len(parts)
                if parts and sequence[read - 1] == 0:
                    states[-1] = "open"
                assert [part.state for part in parts] == states
                closed = [part for part in parts if part.state == "phrase"]
                assert [part.action for part in closed] == [sequence[part.stop - 1] for part in closed]
            else:
                for part in parts:
                    assert part.state == ("retained" if sequence[part.start] else "deleted")
                    assert {sequence[at] for at in range(part.start, part.stop)} == {part.action}
                assert all(one.state != two.state for one, two in itertools.pairwise(parts))


@every_problem
@pytest.mark.parametrize("length", range(1, 5))
def test_every_illegal_sequence_is_found(problem: Problem, length: int) -> None:
    legal = problem.sequences(length).tolist()
    longer = problem.sequences(length + 1).tolist()
    assert problem.first_fault([*longer, *legal]) is None
    for sequence in itertools.product(range(problem.num_actions), repeat=length):
        position = first_illegal(problem, sequence)
        if position is not None:
            found = problem.first_fault([*longer, sequence, *legal, sequence])
            named = problem.expected(sequence[position])
            assert found == (len(longer), f"action {position} is {named}, which is not legal there")


@every_problem
def test_the_first_fault_is_that_of_the_first_sequence(problem: Problem) -> None:
    bad = (0, 0, 0)
    assert first_illegal(problem, bad) == 2
    found = problem.first_fault([(1, 1), bad, (0,)])
    assert found == (1, f"action 2 is {problem.expected(0)}, which is not legal there")


@pytest.mark.parametrize("action", [-1, 2, 0.5, 1.0, True, "1", None])
def test_what_is_no_action_is_found(action: object) -> None:
    found = SEGMENTATION.first_fault([[0, 1], [0, action, 1], [0]])  # type: ignore[list-item]
    assert found == (1, f"action 1 is {action!r}, expected INSIDE (0) or END (1)")
    assert SEGMENTATION.first_fault([]) is None
    assert STRESSED.choices == "INSIDE (0), END_PLAIN (1) or END_STRESSED (2)"


@pytest.mark.parametrize("k", [2, 4])
@settings(deadline=None)
@given(data=st.data())
def test_the_nearest_legal_action(k: int, data: st.DataObject) -> None:
    """The action itself if it is legal, else the nearest one, the lower of two."""
    row = st.tuples(st.lists(st.booleans(), min_size=k, max_size=k).filter(any), st.integers(0, k - 1))
    rows = data.draw(st.lists(row, min_size=1, max_size=8))
    legal, actions = (torch.tensor(each) for each in zip(*rows, strict=True))
    expected = [
        min((action for action in range(k) if allowed[action]), key=lambda action: (abs(action - asked), action))
        for allowed, asked in rows
    ]
    taken = nearest_legal(legal, actions)
    assert taken.dtype == torch.int64
    assert taken.tolist() == expected


@every_problem
@pytest.mark.parametrize("length", range(1, 7))
def test_counts_are_those_of_the_spans(problem: Problem, length: int) -> None:
    sequences = problem.sequences(length)
    batch = make_batch([length]).repeat(len(sequences))
    counts = problem.counts(sequences, batch)
    assert counts[f"num_{problem.span[1]}"].tolist() == [
        len(naive_spans(problem, sequence)) for sequence in sequences.tolist()
    ]
    assert {each for column in problem.columns for each in (column.numerator, column.denominator)} <= {
        *counts,
        "words",
        "sentences",
    }


@pytest.mark.parametrize("length", range(1, 6))
def test_counts_of_agreement(length: int) -> None:
    """Every segmentation against every other, counted on sets."""
    sequences = SEGMENTATION.sequences(length)
    for gold in sequences:
        batch = make_batch([length]).repeat(len(sequences))
        batch.gold_actions[:] = gold  # type: ignore[index]
        counts = SEGMENTATION.counts(sequences, batch)
        right = set(naive_spans(SEGMENTATION, gold.tolist()))
        inner = {stop for _, stop in right} - {length}
        for row, sequence in enumerate(sequences.tolist()):
            spans = set(naive_spans(SEGMENTATION, sequence))
            ends = {stop for _, stop in spans} - {length}
            assert {name: column[row].item() for name, column in counts.items()} == {
                "num_phrases": len(spans),
                "proposed": len(ends),
                "gold": len(inner),
                "matches": len(ends & inner),
                "mean_boundaries": (len(ends) + len(inner)) / 2,
                "phrase_matches": len(spans & right),
                "mean_phrases": (len(spans) + len(right)) / 2,
            }


@both_problems
def test_infos_hold_the_words_of_the_spans(problem: Problem) -> None:
    words = [["the", "movie", "is", "good"], ["fine"], []]
    actions, lengths = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]]), torch.tensor([4, 1, 2])
    infos = problem.infos(words, actions, lengths)
    texts = [("the movie", "is good") if problem.covers else ("movie", "good"), ("fine",), ()]
    assert infos[problem.span[1]] == texts
    assert infos[f"num_{problem.span[1]}"].tolist() == [2, 1, 2]
    assert problem.describe(words[0], [0, 1, 0, 1]) == {problem.span[1]: list(texts[0])}


def test_problems_of_one_class_are_equal() -> None:
    assert type(SEGMENTATION)() == SEGMENTATION
    assert hash(type(SEGMENTATION)()) == hash(SEGMENTATION)
    assert SEGMENTATION != DISTILLATION


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_a_problem_with_a_progress_says_so_by_defining_it(name: str) -> None:
    assert PROBLEMS.get(name).keeps_progress == (not name.startswith("phrase_segmentation"))
    assert not StressedPhrases.keeps_progress

    class Progressing(StressedPhrases):
        def progress_after(self, progress, actions):
            return progress + actions

    class Derived(Progressing):
        keeps_progress = False

    assert Derived.keeps_progress


def test_a_registered_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROBLEMS._entries, "stressed.v3", StressedPhrases)
    with pytest.raises(HsEnvError, match=r"'stressed\.v3' is <class .*Register an object, as in .*, not its class"):
        environment_classes("stressed.v3")


def test_a_name_without_a_version_gives_the_newest_environment() -> None:
    assert environment_classes("phrase_segmentation") == environment_classes("phrase_segmentation.v0")
