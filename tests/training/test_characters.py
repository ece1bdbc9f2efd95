"""Runs on characters and bytes: they train, resume, predict, segment, and serve environments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest
from rich.console import Console

import hs_env
from hs_env.errors import HsEnvError
from hs_env.models import Classifier
from hs_env.training import Run, TrainConfig, resume, train
from tests.training.stopped import train_almost_to_the_end

QUIET = Console(quiet=True)
CORPUS = "phrases:train=60,dev=20,test=20,tokenisation={}"
CONFIG = TrainConfig(
    corpus=CORPUS.format("characters"),
    vectors="random:6",
    model_parameters={"hidden_size": 8},
    agent_parameters={"samples": 2, "hidden_size": 3},
    batch_size=16,
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=1,
    threads=1,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return train(CONFIG, tmp_path_factory.mktemp("characters") / "run", QUIET)


def test_new_text_is_read_as_the_corpus_is(run: Run) -> None:
    predictor = hs_env.load(run.folder)
    text, same = "The movie isn't good.", "the movie is n't good ."
    (found,) = predictor.segment([text])
    assert "".join(found.words) == same
    assert "".join(found.spans) == same  # phrases are shown as text
    assert found.unknown == pytest.approx(2 / len(same))  # no ' and no . in the corpus
    assert (predictor.predict_proba([text]) == predictor.predict_proba([same])).all()


def test_a_stopped_run_is_resumed_to_the_same_weights(run: Run, tmp_path: Path) -> None:
    train_almost_to_the_end(CONFIG, tmp_path / "stopped")
    again = resume(tmp_path / "stopped", QUIET)
    for name, weight in run.classifier.model.state_dict().items():
        assert weight.equal(again.classifier.model.state_dict()[name]), name


def test_environments_read_characters(run: Run) -> None:
    names = {"corpus": CONFIG.corpus, "classifier": str(run.folder)}
    env = gymnasium.make("hs_env/PhraseSegmentation-v0", **names)
    _, info = env.reset(options={"text": "a good film", "label": "positive"})
    steps, finished = 0, False
    while not finished:
        _, _, finished, _, info = env.step(int(steps == 5))
        steps += 1
    assert steps == len("a good film")
    assert info["phrases"] == ("a good", " film")
    with pytest.raises(HsEnvError, match=r"reads characters\. Write corpus='phrases:tokenisation=characters'"):
        gymnasium.make("hs_env/PhraseSegmentation-v0", corpus="phrases", classifier=str(run.folder))


@pytest.mark.parametrize("model", ["plain_lstm", "hm_lstm", "h_net", "cnn", "id_lstm"])
def test_other_models_read_bytes(model: str, tmp_path: Path) -> None:
    agent = CONFIG.agent_parameters if model == "id_lstm" else {}
    flat = {"pnet_epochs": 1 if model == "id_lstm" else None, "joint_epochs": 0}
    config = replace(CONFIG, corpus=CORPUS.format("bytes"), model=model, agent_parameters=agent, **flat)
    folder = train(config, tmp_path / model, QUIET).folder
    assert Classifier.load(folder).tokenisation == "glove_bytes"
    (found,) = hs_env.load(folder).segment(["caf\u00e9"])
    assert found.words == ("c", "a", "f", "<0xC3>", "<0xA9>")
    assert found.label in ("negative", "positive")


@pytest.mark.parametrize("vectors", ["glove-6b-50d", "random:5+glove-6b-50d", "hf:some/encoder@1"])
def test_vectors_of_words_do_not_fit(vectors: str, tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"consists of characters.*--vectors random:50"):
        train(replace(CONFIG, vectors=vectors), tmp_path / "run", QUIET)
