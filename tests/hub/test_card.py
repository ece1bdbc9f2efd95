"""The model card of a run says what its record says, and its command repeats the training."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.hub import make_card
from hs_env.hub.card import command_of
from hs_env.hub.contents import without_paths
from hs_env.language import LMConfig, train_lm
from hs_env.shipped import shipped_language_models, shipped_runs
from hs_env.training import TrainConfig
from hs_env.training import run as runs

pytest.importorskip("huggingface_hub")
yaml = pytest.importorskip("yaml")


def front(card: str) -> dict[str, Any]:
    match = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert match is not None
    values: dict[str, Any] = yaml.safe_load(match[1])
    return values


def test_the_figures_are_those_of_the_evaluation(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["hub", "card", str(trained), "--repo", "ann/small"])
    card = capsys.readouterr().out
    accuracy = json.loads((trained / "evaluation-test.json").read_text())["rows"][0]["metrics"]["accuracy"]
    value, low, high = (f"{100 * accuracy[name]:.1f}%" for name in ("value", "low", "high"))
    assert f"| accuracy | test | {value} | {low} to {high} |" in card
    head = front(card)
    (result,) = head["model-index"]
    assert result["results"][0]["metrics"][0] == {"type": "accuracy", "value": round(accuracy["value"], 4)}
    assert result["results"][0]["dataset"] == {"name": "reviews.tsv", "type": "reviews.tsv", "split": "test"}
    assert (head["license"], head["library_name"]) == ("other", "hs-env")
    assert 'hs_env.load("hf:ann/small")' in card
    for section in ("Figures", "Training", "Licences", "Safety"):
        assert f"\n## {section}\n" in card
    assert str(trained.parent) not in card


CONFIGS = [
    TrainConfig(),
    TrainConfig(corpus="phrases:train=200", vectors="random:8", model_parameters={"hidden_size": 10, "dropout": 0.25}),
    TrainConfig(model="id_lstm", reward_dropout=False, agent="ppo", agent_parameters={"steps": 32}),
    TrainConfig(model="hm_lstm", model_parameters={"layers": 4, "layer_norm": False}, class_weights="balanced"),
    TrainConfig(reward="log_likelihood - 0.3 * phrases", seed=3, warm_epochs=2),
    TrainConfig(agent_parameters={"estimator": "ppo", "observe": False, "reader": "lstm"}, min_updates=0),
    TrainConfig(corpus="a file with spaces.csv:text=review,label=stars"),
    TrainConfig(reward="boundary_rate", reward_parameters={"target": 0.5, "tolerance": 0.1}),
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_command_repeats_the_training(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[TrainConfig] = []

    def stop(config: TrainConfig, *_: Any) -> None:
        given.append(config)
        raise HsEnvError("stopped")

    monkeypatch.setattr(runs, "train", stop)
    command = command_of(config.resolve().to_json())
    with pytest.raises(SystemExit):
        main(shlex.split(command)[1:])
    assert asdict(given[0].resolve()) == asdict(config.resolve()), command


def test_the_command_of_a_language_model_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[LMConfig] = []

    def stop(config: LMConfig, *_: Any) -> None:
        given.append(config)
        raise HsEnvError("stopped")

    monkeypatch.setattr("hs_env.cli.lm.train_lm", stop)
    config = LMConfig(core="lstm", equal_parameters=False, learning_rate=1e-3, text="movie_reviews", layers=2)
    with pytest.raises(SystemExit):
        main(shlex.split(command_of(config.to_json(), of_text=True))[1:])
    assert given == [config]


def test_a_language_model_has_a_card(tmp_path: Path) -> None:
    (tmp_path / "fox.txt").write_text("the quick brown fox jumps over the lazy dog. " * 60)
    sizes = {"hidden_size": 4, "embedding_size": 4, "output_size": 4, "batch_size": 8, "stretch": 20, "updates": 3}
    config = replace(LMConfig(threads=1, text=str(tmp_path / "fox.txt")), **sizes)
    run = train_lm(config, tmp_path / "run", Console(quiet=True))
    bits = run.evaluate("test")["bits_per_character"]
    card = make_card(run.folder, "ann/characters")
    assert f"| bits per character | test | {bits:.3f} | none was computed |" in card
    assert front(card)["pipeline_tag"] == "text-generation"
    assert 'local("hf:ann/characters")' in card
    assert str(tmp_path) not in card


@pytest.mark.parametrize("name", [*shipped_runs(), *shipped_language_models()])
def test_every_shipped_run_has_a_card(name: str) -> None:
    head = front(make_card(name))
    assert head["license"] == "mit"
    assert head["model-index"][0]["results"]


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("/home/ann/my data/reviews.csv:text=review", "reviews.csv:text=review"),
        ("/a/glove.npz,/b/x.npz+glove-6b-50d", "glove.npz,x.npz+glove-6b-50d"),
        ("hf:/home/ann/encoder@3", "hf:encoder@3"),
        ("--out=/home/ann/run", "--out=run"),
        ("C:\\Users\\ann\\run", "run"),
        ("~/run", "run"),
        ("~ann/corpora/x", "x"),
        ("/srv/x,y/ann/secret/corpus.csv", "x,corpus.csv"),
        ("/data/2024:03/ann/x.csv", "2024:x.csv"),
        ("\\\\server\\share\\ann\\x.csv", "x.csv"),
        ("file:///srv/ann/x", "x"),
        ("/a/x.npz,hf:ann/small@4", "x.npz,hf:ann/small@4"),
        ("https://huggingface.co/ann/small", "https://huggingface.co/ann/small"),
        ("hf:ann/small", "hf:ann/small"),
        ("[MAX 1/2 a / b", "[MAX 1/2 a / b"),
    ],
)
def test_absolute_paths_become_names(text: str, without: str) -> None:
    assert without_paths({"a": [text]}) == {"a": [without]}
    assert without_paths({"classes": {"labels": [text]}}) == {"classes": {"labels": [text]}}


def test_what_is_no_run_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="is no finished run: it holds neither"):
        make_card(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(HsEnvError, match="resume it first"):
        make_card(tmp_path)
