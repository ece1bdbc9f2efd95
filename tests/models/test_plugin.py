"""The plug-in encoder of the documentation: it is saved and loaded by its name, and may have its own problem."""

from __future__ import annotations

import sys

import pytest
import torch

from hs_env.envs.classes import PhraseSegmentationEnv
from hs_env.envs.resources import ResourceNames, find_resources
from hs_env.errors import HsEnvError
from hs_env.models import HSLSTM, MODELS, Classifier
from hs_env.problems.distillation import InformationDistillation
from hs_env.training import TrainConfig
from tests.envs.builders import make_classifier
from tests.test_docs import DOCS, blocks


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install the distribution of the plug-in where this process finds it."""
    (module,) = (block for block in blocks(DOCS / "encoders.md", "python") if block.startswith("# mean_phrases.py"))
    (tmp_path / "mean_phrases.py").write_text(module)
    point = blocks(DOCS / "encoders.md", "toml")[0].splitlines()[-1].replace('"', "")
    info = tmp_path / "mean_phrases-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mean-phrases\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[hs_env.models]\n{point}\n")
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("mean_phrases", None)


def test_a_plugin_is_saved_and_loaded_by_its_name(plugin, tmp_path):
    assert "mean_phrases.v1" in MODELS
    assert "mean_phrases" not in sys.modules
    assert TrainConfig(model="mean_phrases").resolve().warm_start == "function_words"
    classifier = make_classifier(MODELS.get("mean_phrases"), "negative", "positive")
    classifier.save(tmp_path / "classifier.safetensors")
    again = Classifier.load(tmp_path / "classifier.safetensors")
    assert type(again.model).__name__ == "MeanPhrases"
    with pytest.warns(UserWarning, match="does not know 86% of the words of the corpus 'phrases'"):
        env = PhraseSegmentationEnv(classifier=str(tmp_path / "classifier.safetensors"))
    assert env.observation_space.shape == (again.model.state_size,)
    env.reset(options={"text": "not very good"})
    for action in (0, 1, 1):
        info = env.step(action)[4]
    batch = again.batch([again.sentence("not very good")])
    expected = again.model(batch, torch.tensor([[0, 1, 1]]))[0].detach()
    torch.testing.assert_close(torch.from_numpy(info["log_probs"]), expected)


def test_a_model_that_is_not_registered_cannot_be_saved(tmp_path):
    classifier = make_classifier(type("Nameless", (HSLSTM,), {}), "negative", "positive")
    with pytest.raises(HsEnvError, match=r"The model Nameless is not registered"):
        classifier.save(tmp_path / "classifier.safetensors")


class Summary(InformationDistillation):
    title = "summary"
    actions = ("SKIP", "READ")


def test_an_environment_of_a_plugin_problem_refuses_classifiers_of_other_problems():
    names = ResourceNames("phrases", "phrases")
    with pytest.raises(HsEnvError, match=r"this environment is for summary\. .*hs_env/PhraseSegmentation-v0"):
        find_resources(names, Summary())
