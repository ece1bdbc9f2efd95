"""Resources: shared, frozen, read again when they change, checked against each other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from hs_env.envs.classes import PhraseSegmentationEnv
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM
from tests.envs.builders import PHRASES, PROBLEMS, Problem, make_classifier, write_corpus


@pytest.fixture
def problem() -> Problem:
    return PHRASES


def test_environments_share(names: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = PhraseSegmentationEnv(**names), PhraseSegmentationEnv(**names, reward="accuracy", split="dev")
    assert first._resources.encoder is second._resources.encoder
    assert first._resources.encoded is PhraseSegmentationEnv(**names)._resources.encoded
    assert len(first._resources.sentences) == 30
    assert len(second._resources.sentences) == 20
    monkeypatch.chdir(folder)
    relative = PhraseSegmentationEnv("./corpus", "HSLSTM.safetensors")
    assert relative._resources.encoder is first._resources.encoder


def test_what_changes_on_disk_is_read_again(tmp_path: Path, names: dict[str, Any]) -> None:
    shutil.copytree(names["corpus"], tmp_path / "corpus")
    path = tmp_path / "classifier.safetensors"
    arguments = (str(tmp_path / "corpus"), str(path))
    make_classifier(HSLSTM, "negative", "positive").save(path)
    before = PhraseSegmentationEnv(*arguments)
    encoder = before._resources.encoder
    make_classifier(HSLSTM, "negative", "positive").save(path)
    write_corpus(tmp_path / "corpus" / "train.jsonl", 7, 9)
    os.utime(path, ns=(1, 1))
    after = PhraseSegmentationEnv(*arguments)
    assert before._resources.encoder is encoder is not after._resources.encoder
    assert (len(before._resources.sentences), len(after._resources.sentences)) == (30, 7)


@pytest.mark.parametrize(("corpus", "data_dir"), [("{}/mr:fold=1", None), ("mr:fold=1", "{}")])
def test_a_changed_corpus_with_settings_is_read_again(
    tmp_path: Path, names: dict[str, Any], corpus: str, data_dir: str | None
) -> None:
    (tmp_path / "mr").mkdir()
    write_corpus(tmp_path / "mr" / "all.jsonl", 30, 1)
    (tmp_path / "mr" / "folds.json").write_text(json.dumps({"fold": [number % 3 for number in range(30)]}))
    (tmp_path / "mr" / "broken").symlink_to(tmp_path / "none")
    folder = data_dir and data_dir.format(tmp_path)

    def sentences() -> int:
        env = PhraseSegmentationEnv(corpus.format(tmp_path), names["classifier"], split="test", data_dir=folder)
        return len(env._resources.sentences)

    assert sentences() == 10
    (tmp_path / "mr" / "folds.json").write_text(json.dumps({"fold": [*[0] * 5, *[1] * 18, *[2] * 7]}))
    assert sentences() == 18


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"classifier": "phases"}, "Unknown classifier 'phases'"),
        ({"classifier": "/no/such.safetensors"}, "There is no classifier at /no/such.safetensors"),
        ({"corpus": "phrasess"}, "Unknown corpus 'phrasess'. Did you mean 'phrases.v1'?"),
        ({"split": "tset"}, "Unknown split 'tset'. Did you mean 'test'?"),
        ({"reward": "hs_lsm"}, "Unknown reward 'hs_lsm'. Did you mean 'hs_lstm.v1'?"),
        ({"reward_parameters": {"gama": 1}}, "The reward 'hs_lstm.v1' does not take these parameters"),
        ({"reward": "log_likelihood - words_read"}, "counts the words that skimming reads, but the problem is phrase"),
        ({"render_mode": "rgb_aray"}, "Unknown render mode 'rgb_aray'. Did you mean 'rgb_array'?"),
    ],
)
def test_bad_names(names: dict[str, Any], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(HsEnvError, match=message.replace("?", r"\?")):
        PhraseSegmentationEnv(**{**names, **changed})


def test_reward_parameters(names: dict[str, Any]) -> None:
    rewards = []
    for gamma in (0.0, 1.0):
        env = PhraseSegmentationEnv(**names, reward_parameters={"gamma": gamma})
        env.reset(options={"text": "good"})
        rewards.append(env.step(1)[1])
    assert rewards[0] - rewards[1] == pytest.approx(1.1)


def test_a_classifier_without_actions(names: dict[str, Any], folder: Path) -> None:
    with pytest.raises(HsEnvError, match="is a PlainLSTM, which takes no actions; expected a structured encoder"):
        PhraseSegmentationEnv(names["corpus"], str(folder / "PlainLSTM.safetensors"))


def test_a_corpus_of_characters_for_a_classifier_of_words(names: dict[str, Any]) -> None:
    with pytest.raises(HsEnvError, match=r"consists of characters, but the classifier .* reads words\. Write corpus="):
        PhraseSegmentationEnv(f"{names['corpus']}:tokenisation=characters", names["classifier"])


@pytest.mark.parametrize(("mine", "other"), [PROBLEMS, PROBLEMS[::-1]])
@pytest.mark.parametrize("kind", ["single", "vector"])
def test_a_classifier_of_the_other_problem(folder: Path, mine: Problem, other: Problem, kind: str) -> None:
    path = folder / f"{other.encoder.__name__}.safetensors"
    with pytest.raises(HsEnvError, match=f"{mine.id} is for .* Use the environment {other.id}, or choose"):
        getattr(mine, kind)(corpus=str(folder / "corpus"), classifier=str(path))


@pytest.mark.parametrize("labels", [("negative", "neutral", "positive"), ("positive", "negative")])
def test_labels_that_do_not_fit(tmp_path: Path, names: dict[str, Any], labels: tuple[str, ...]) -> None:
    make_classifier(HSLSTM, *labels).save(tmp_path / "other.safetensors")
    with pytest.raises(HsEnvError, match=f"has the classes {', '.join(labels)}; choose two that fit"):
        PhraseSegmentationEnv(names["corpus"], str(tmp_path / "other.safetensors"))


def test_other_label_names_fit_with_a_warning(tmp_path: Path, names: dict[str, Any]) -> None:
    make_classifier(HSLSTM, "bad", "good").save(tmp_path / "other.safetensors")
    with pytest.warns(UserWarning, match="taken in their order: negative as bad, positive as good"):
        env = PhraseSegmentationEnv(names["corpus"], str(tmp_path / "other.safetensors"))
    env.reset(options={"text": "good", "label": "bad"})


@pytest.mark.parametrize("corpus", ["phrases", "movie_reviews"])
@pytest.mark.parametrize("mine", PROBLEMS)
def test_the_default_classifier_knows_the_corpus(corpus: str, mine: Problem) -> None:
    resources = mine.single(corpus=corpus, split="test")._resources
    assert resources.names.classifier == mine.classifier.replace("phrases", corpus)
    assert resources.classifier.notes["corpus"] == corpus


def test_a_corpus_that_no_classifier_knows(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    rows = [{"text": f"quuxly{n} brillig the", "label": ("negative", "positive")[n % 2]} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(HsEnvError, match=r"'phrases' does not know 67% .*; 'movie_reviews' does not know 67%"):
        PhraseSegmentationEnv(str(path))
    with pytest.warns(UserWarning, match="does not know 67% of the words of the corpus"):
        PhraseSegmentationEnv(str(path), "movie_reviews")


def test_a_corpus_with_other_classes(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus.jsonl", 30, 0, ("bad", "good"))
    with pytest.raises(HsEnvError, match=r"with the classes bad, good: 'phrases' has the classes negative, positive;"):
        PhraseSegmentationEnv(str(tmp_path / "corpus.jsonl"))
    PhraseSegmentationEnv(str(tmp_path / "corpus.jsonl"), "phrases")


def test_an_empty_split(tmp_path: Path, names: dict[str, Any]) -> None:
    write_corpus(tmp_path / "all.jsonl", 3, 0)
    with pytest.raises(HsEnvError, match=r"The split 'dev' of the corpus .* holds no sentences"):
        PhraseSegmentationEnv(str(tmp_path / "all.jsonl"), names["classifier"], split="dev")
