"""Updates of the word vectors of a large vocabulary, done when they are read, are those of Adam on all rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor

from hs_env.models import HSLSTM, PlainLSTM, TreeLSTM
from hs_env.models.words import WordEmbedding
from hs_env.training import Run, TrainConfig, classifier_optimizer, resume, train
from hs_env.training import deferred as deferred_module
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.types import SentenceBatch

QUIET = Console(quiet=True)
WORDS = 40


@contextmanager
def large_from(words: int) -> Iterator[None]:
    """Context in which a vocabulary of so many words is large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier_optimizer, "LARGE", words)
        yield


def pair(kind: type, tau: float = 0.02, clip_norm: float = 5.0) -> list[ClassifierOptimizer]:
    """The same optimiser with all rows updated at once, and when they are read."""
    made = []
    for large in (WORDS + 1, WORDS):
        with torch.random.fork_rng(), large_from(large):
            torch.manual_seed(0)
            model = kind(WORDS, 3, embedding_size=5, hidden_size=6, dropout=0.0)
            made.append(ClassifierOptimizer(model, tau, clip_norm))
    assert made[0].rows is None and made[1].rows is not None  # noqa: PT018
    return made


def batch_of(number: int, words: range = range(2, WORDS)) -> tuple[SentenceBatch, Tensor]:
    """A batch of two sentences with few of the words, and actions."""
    generator = torch.Generator().manual_seed(number)
    tokens = torch.randint(words.start, words.stop, (2, 4), generator=generator)
    tokens[1, 3] = 0
    labels = torch.randint(0, 3, (2,), generator=generator)
    actions = torch.randint(0, 2, (2, 4), generator=generator)
    return SentenceBatch(tokens, torch.tensor([4, 3]), labels, torch.arange(2)), actions


def update(optimizer: ClassifierOptimizer, number: int, rate: float = 0.01, words: range = range(2, WORDS)) -> None:
    batch, actions = batch_of(number, words)
    inputs = (batch,) if isinstance(optimizer.fast, PlainLSTM) else (batch, actions)
    optimizer.update(rate, batch.labels, *inputs)


def weights(optimizer: ClassifierOptimizer) -> dict[str, Tensor]:
    optimizer.settled()
    state = optimizer.state_dict()
    moments = {
        f"{at} {name}": value for at, each in state["optimizer"]["state"].items() for name, value in each.items()
    }
    both = {f"{copy} {name}": value for copy in ("fast", "slow") for name, value in state[copy].items()}
    return {name: value.clone() for name, value in (moments | both).items()}


def assert_close(one: ClassifierOptimizer, two: ClassifierOptimizer, atol: float = 2e-6) -> None:
    left, right = weights(one), weights(two)
    assert left.keys() == right.keys()
    for name, value in left.items():
        torch.testing.assert_close(
            right[name], value, atol=atol, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize(("kind", "tau"), [(PlainLSTM, 0.02), (PlainLSTM, 1.0), (HSLSTM, 0.5), (TreeLSTM, 0.1)])
def test_rows_move_as_under_adam(kind: type, tau: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The learning rate falls to 0, the gradient is clipped, and some words are not read for long."""
    monkeypatch.setattr(deferred_module, "_KEPT", 25)
    dense, deferred = pair(kind, tau, clip_norm=0.5)
    for number in range(40):
        words = range(2, 8) if 5 < number < 35 else range(2, WORDS)
        for each in (dense, deferred):
            update(each, number, 0.01 * (1 - number / 39), words)
        if number == 30:
            assert int((deferred.rows.done == 25).sum()) > 10
    assert_close(dense, deferred)


def test_rows_that_wait_for_hundreds_of_updates() -> None:
    dense, deferred = pair(PlainLSTM)
    for number in range(150):
        for each in (dense, deferred):
            update(each, number, 0.002, range(2, 4) if number > 3 else range(2, WORDS))
    words = [each.settled().words.weight[4:] for each in (dense, deferred)]
    torch.testing.assert_close(*words, atol=2e-6, rtol=1e-4)
    trained = [each.fast.words.weight[4:] for each in (dense, deferred)]
    torch.testing.assert_close(*trained, atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("first", "scale", "tolerance"),
    [(1, 1.0, 1e-6), (1, 1e-4, 1e-6), (1, 1e-6, 1e-3), (1, 1e-9, 0.2), (1000, 1e-6, 1e-4), (1000, 1e-9, 1e-3)],
)
def test_the_closed_form_is_the_sum_of_the_steps(first: int, scale: float, tolerance: float) -> None:
    """The move of a row in missed updates, beside Adam step by step in float64. Tiny gradients are less exact."""
    rows, missed, rate, (beta_1, beta_2), eps = pair(PlainLSTM, tau=0.1)[1].rows, 300, 0.01, (0.9, 0.999), 1e-8
    state, gradient = rows._state(), scale * torch.linspace(0.5, 1, 5, dtype=torch.float64)
    m, v = gradient * 0.1, gradient**2 * 0.001
    state["step"].fill_(first + missed)
    rows.rates = [rate] * missed
    rows.done.fill_(first + missed)
    rows.done[7] = first
    state["exp_avg"][7], state["exp_avg_sq"][7] = m, v
    with torch.no_grad():
        rows._slow[7] += 0.5
    fast, slow = rows.weight[7].detach().double(), rows._slow[7].double()
    before = fast
    for t in range(first + 1, first + missed + 1):
        m, v = beta_1 * m, beta_2 * v
        fast = fast - rate * m / (1 - beta_1**t) / ((v / (1 - beta_2**t)).sqrt() + eps)
        slow = slow.lerp(fast, 0.1)
    rows.catch_up(torch.tensor([7]))
    error = tolerance * float((fast - before).abs().max()) + 1e-7
    torch.testing.assert_close(rows.weight[7].double(), fast, atol=error, rtol=0)
    torch.testing.assert_close(rows._slow[7].double(), slow, atol=error, rtol=0)
    assert int(rows.done[7]) == first + missed


def test_it_goes_on_from_its_state_and_from_that_of_dense_updates() -> None:
    dense, deferred = pair(PlainLSTM)
    for number in range(12):
        for each in (dense, deferred):
            update(each, number)
    later = {name: pair(PlainLSTM)[1] for name in ("own", "dense")}
    later["own"].load_state_dict(copy.deepcopy(deferred.state_dict()))
    later["dense"].load_state_dict(copy.deepcopy(dense.state_dict()))
    back = pair(PlainLSTM)[0]
    back.load_state_dict(copy.deepcopy(deferred.state_dict()))
    for each in (dense, deferred, back, *later.values()):
        for number in range(12, 20):
            update(each, number)
    own = weights(later["own"])
    assert all(torch.equal(value, own[name]) for name, value in weights(deferred).items())
    assert_close(dense, later["dense"])
    assert_close(dense, back)
    assert isinstance(back.fast.words, WordEmbedding) and back.fast.words.deferred is None  # noqa: PT018


@pytest.mark.parametrize(
    "fault",
    [
        {"done": torch.zeros(3, dtype=torch.int32)},
        {"done": torch.full((WORDS,), 2, dtype=torch.int32)},
        {"rates": torch.zeros(0)},
        {"rates": torch.tensor([float("nan")])},
    ],
)
def test_a_damaged_state_is_refused(fault: dict[str, object]) -> None:
    _, deferred = pair(PlainLSTM)
    update(deferred, 0)
    state = copy.deepcopy(deferred.state_dict())
    state["rows"] |= fault
    with pytest.raises(ValueError, match="updates of word vectors"):
        deferred.load_state_dict(state)


def test_the_default_device_does_not_matter() -> None:
    """On the device `meta` a tensor has no values."""
    one, two = (pair(PlainLSTM)[1] for _ in range(2))
    batches = [batch_of(number)[0] for number in range(6)]
    for batch in batches:
        one.update(0.01, batch.labels, batch)
    torch.set_default_device("meta")
    try:
        for batch in batches:
            two.update(0.01, batch.labels, batch)
        state = copy.deepcopy(two.state_dict())
        two.load_state_dict(state)
        two.settled()
    finally:
        torch.set_default_device(None)
    found = weights(two)
    assert all(torch.equal(value, found[name]) for name, value in weights(one).items())


def test_a_stopped_run_goes_on_alike_and_ends_as_with_dense_updates(tmp_path: Path) -> None:
    config = TrainConfig(
        corpus="phrases:train=48,dev=16,test=16",
        vectors="random:6",
        model_parameters={"hidden_size": 8, "dropout": 0.0, "word_dropout": 0.0},
        agent_parameters={"samples": 2, "hidden_size": 4},
        batch_size=8,
        warm_epochs=1,
        pnet_epochs=1,
        joint_epochs=1,
        threads=1,
        checkpoint_seconds=0,
    )
    dense = train(config, tmp_path / "dense", QUIET)
    calls, original = [], ClassifierOptimizer.update

    def interrupted(self: ClassifierOptimizer, *arguments: object) -> dict[str, float]:
        calls.append(self.rows)
        if len(calls) == 12 + 10:  # the second run, in its joint stage
            raise KeyboardInterrupt
        return original(self, *arguments)  # type: ignore[arg-type]

    with large_from(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifierOptimizer, "update", interrupted)
        steady = train(config, tmp_path / "steady", QUIET)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "stopped", QUIET)
        resumed = resume(tmp_path / "stopped", QUIET)
    assert all(rows is not None for rows in calls)
    one, two, three = (run.classifier.model.state_dict() for run in (steady, resumed, dense))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    for name, value in three.items():
        torch.testing.assert_close(one[name], value, atol=1e-3, rtol=1e-3)
    saved = Run.load(steady.folder).classifier.model
    assert saved.words.deferred is None
