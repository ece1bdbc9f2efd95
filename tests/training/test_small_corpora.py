"""Small and imbalanced corpora: class weights, the minimum number of updates, and warnings."""

from __future__ import annotations

import io
import json
import random
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.training import TrainConfig, train
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.training.classifier_trainer import balanced_weights
from hs_env.training.data import TrainingData
from hs_env.training.trainer import Trainer

QUIET = Console(file=io.StringIO())
SETTINGS = {
    "vectors": "random:8",
    "model": "plain_lstm",
    "model_parameters": {"hidden_size": 16},
    "threads": 1,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    """500 sentences of three classes, 80/15/5, each with words of all classes but more of its own."""
    draw = random.Random(0)
    rows = []
    for label, count in (("common", 400), ("seldom", 75), ("rare", 25)):
        for _ in range(count):
            words = [f"{label}{draw.randrange(9)}" for _ in range(3)] + [f"word{draw.randrange(40)}" for _ in range(5)]
            rows.append(f"{' '.join(draw.sample(words, len(words)))},{label}\n")
    path = tmp_path_factory.mktemp("corpus") / "small.csv"
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return str(path)


def epochs_of(folder: Path, stage: str) -> list[dict[str, float]]:
    """The evaluations of a stage."""
    history = json.loads((folder / "history.json").read_text("utf-8"))["epochs"]
    return [entry for entry in history if entry["stage"] == stage]


def test_balanced_weights(corpus: str) -> None:
    data = TrainingData.load(TrainConfig(corpus=corpus, **SETTINGS).resolve())
    labels = data.splits["train"].labels
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    np.testing.assert_allclose(balanced_weights(data), expected, rtol=1e-6)
    assert balanced_weights(data)[labels].mean() == pytest.approx(1)


def test_the_loss_has_the_weights_of_the_classes() -> None:
    inputs, labels, weights = torch.randn(6, 4), torch.tensor([0, 1, 1, 2, 0, 0]), torch.tensor([0.5, 1.0, 4.0])
    losses = {}
    for name, given in (("none", None), ("ones", torch.ones(3)), ("weights", weights)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(1))
        expected = -(weights[labels] * model(inputs).gather(1, labels[:, None])[:, 0]).mean()
        losses[name] = ClassifierOptimizer(model, 0.1, 5.0, class_weights=given).update(0.1, labels, inputs)["loss"]
    assert losses["ones"] == pytest.approx(losses["none"])
    assert losses["weights"] == pytest.approx(expected.item())


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 4.0])], ids=["even", "weighted"])
def test_the_loss_has_smoothed_targets(weights: torch.Tensor | None) -> None:
    inputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 1, 2, 0, 0])
    model = nn.Sequential(nn.Linear(4, 3), nn.LogSoftmax(1))
    expected = -(0.8 * torch.eye(3)[labels] + 0.2 / 3) * model(inputs)
    if weights is not None:
        expected = expected * weights[labels, None]
    optimizer = ClassifierOptimizer(model, 0.1, 5.0, class_weights=weights, label_smoothing=0.2)
    assert optimizer.update(0.1, labels, inputs)["loss"] == pytest.approx(expected.sum(1).mean().item())


def test_defaults_depend_on_the_epochs() -> None:
    assert TrainConfig().resolve().min_updates == 250
    assert TrainConfig(warm_epochs=5).resolve().min_updates == 0
    assert TrainConfig(joint_epochs=4).resolve().min_updates == 0
    assert TrainConfig(joint_epochs=4, min_updates=9).resolve().min_updates == 9
    assert TrainConfig().resolve().joint_epochs == 4
    with pytest.raises(HsEnvError, match=r"Unknown class weights .*'balance.*Did you mean 'balanced'"):
        TrainConfig(class_weights="balance")  # type: ignore[arg-type]


def test_stages_have_the_minimum_number_of_updates(corpus: str, tmp_path: Path) -> None:
    """An epoch has seven updates, and patience ends no stage before the minimum."""
    config = TrainConfig(corpus, **SETTINGS, warm_epochs=1, joint_epochs=0, patience=1, min_updates=15, tau=1e-6)
    train(config, tmp_path / "run", QUIET)
    assert [entry["updates"] for entry in epochs_of(tmp_path / "run", "warm")] == [0, 7, 14, 21]
    assert len(epochs_of(tmp_path / "run", "joint")) == 1


def test_a_curriculum_gets_more_epochs_for_the_minimum_number_of_updates(tmp_path: Path) -> None:
    corpus = "phrases:train=200,dev=20,test=20"
    config = TrainConfig(corpus, vectors="random:8", batch_size=16, warm_epochs=1, joint_epochs=1, pnet_epochs=0)
    full = replace(config, min_updates=26)
    short = replace(full, curriculum_epochs=4, curriculum_words=5)
    data = TrainingData.load(config.resolve())

    def trainer(config: TrainConfig) -> Trainer:
        return Trainer(config.resolve(), data, tmp_path, QUIET)

    assert [stage.epochs for stage in trainer(full).stages] == [2, 0, 2]  # of 13 updates
    made = trainer(short)
    warm, _, joint = made.stages
    for stage in (warm, joint):
        updates = [len(made.units(stage, epoch)) for epoch in range(stage.epochs)]
        assert sum(updates) == made.max_updates(stage)
        assert sum(updates[:-1]) < 26 <= sum(updates)
        assert stage.min_epochs == stage.epochs
    assert warm.epochs > 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_defaults_learn_from_500_sentences(corpus: str, tmp_path: Path) -> None:
    def macro_f1(**options: object) -> float:
        folder = tmp_path / "-".join(map(str, options.values()))
        train(TrainConfig(corpus, **SETTINGS, **options), folder, QUIET)  # type: ignore[arg-type]
        return max(entry["macro_f1"] for entry in epochs_of(folder, "joint"))

    assert macro_f1(min_updates=0) < 0.5
    assert macro_f1(class_weights="none") > 0.6
    assert macro_f1(class_weights="balanced") > 0.8


def test_one_class_alone_is_told(corpus: str, tmp_path: Path) -> None:
    config = TrainConfig(corpus, **SETTINGS, warm_epochs=1, joint_epochs=0)
    with pytest.warns(UserWarning, match="plain LSTM predicts one class alone on dev. Try class_weights='balanced'"):
        run = train(config, tmp_path / "run", QUIET)
    with pytest.warns(UserWarning, match=r"plain LSTM predicts the class '[a-z]+' for all 50 sentences of test"):
        comparison = compare(run, console=QUIET)
    assert comparison.classes is not None
    assert comparison.classes.only_class in comparison.classes.labels


def test_the_best_epoch_has_the_highest_weighted_likelihood(corpus: str, tmp_path: Path) -> None:
    config = TrainConfig(corpus, **SETTINGS, warm_epochs=2, joint_epochs=0, class_weights="balanced", tau=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(config, tmp_path / "run", QUIET)
    found = epochs_of(tmp_path / "run", "warm")
    best = [entry for entry in found if entry["best"]][-1]
    assert best["weighted_log_likelihood"] == max(entry["weighted_log_likelihood"] for entry in found)
