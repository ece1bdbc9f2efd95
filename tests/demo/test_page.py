"""The page as a file: its parts, its size, its errors. No browser is needed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hs_env.agents import FixedPolicy, LogitPolicy, make_baseline
from hs_env.agents.policy import PNet
from hs_env.cli import main
from hs_env.demo import make_demo
from hs_env.demo.pack import packed
from hs_env.demo.page import page_of
from hs_env.demo.rewards import described
from hs_env.demo.source import _check_agent, load_source
from hs_env.errors import HsEnvError
from hs_env.models.rounded import to_float32
from hs_env.rewards import make_reward
from hs_env.training import TrainConfig, train
from tests.demo.builders import with_few_sentences

DEMO = Path(__file__).parents[2] / "docs" / "demo.html"
TINY = {
    "vectors": "random:4",
    "corpus": "phrases:train=60,dev=20,test=20",
    "model_parameters": {"hidden_size": 6},
    "warm_epochs": 1,
    "joint_epochs": 1,
    "threads": 1,
}


def unpacked(page: str) -> tuple[dict, bytes]:
    """The JSON values of a page, and the bytes of its tensors."""
    (text,) = re.findall(r'<script id="data" type="text/plain">([A-Za-z0-9+/=]*)</script>', page)
    content = gzip.decompress(base64.b64decode(text))
    size = int.from_bytes(content[:4], "little")
    return json.loads(content[4 : 4 + size]), content[4 + size :]


def test_it_loads_nothing_and_admits_its_own_script_and_style_only(reviews, files):
    page = files(reviews).read_text(encoding="utf-8")
    assert not re.search(r"\b(src|href)=|url\(|@import|https?://", page)
    ((policy,)) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    for kind, text in (("script", script), ("style", style)):
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "<!--" not in script


def test_sizes_are_below_their_limits_and_pages_repeat(reviews, phrases, files):
    assert files(reviews).stat().st_size <= 3e6
    assert files(phrases).stat().st_size <= 5e5
    again = with_few_sentences(load_source("phrases"), 240)
    assert page_of([again]).encode() == files(phrases).read_bytes()


def test_values_and_tensors_are_packed():
    value = {
        "a": torch.tensor([[1.5, -2.0]]),
        "b": [torch.tensor([-3, 4], dtype=torch.int8), "</script> é\ud800", None],
    }
    text = packed(value)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
    assert packed(value) == text
    found, body = unpacked(f'<script id="data" type="text/plain">{text}</script>')
    assert found["a"] == {"dtype": "float32", "shape": [1, 2], "start": 0}
    assert found["b"] == [{"dtype": "int8", "shape": [2], "start": 8}, "</script> é\ud800", None]
    assert body == torch.tensor([1.5, -2.0]).numpy().tobytes() + bytes([253, 4])


def test_the_last_words_are_left_out_and_weights_are_rounded(phrases):
    few = load_source("phrases", words=50, int8=True)
    assert few.known == 118
    assert few.classifier.vocabulary.words == phrases.classifier.vocabulary.words[:52]
    assert few.weights["words.weight"]["int8"].shape == (52, 32)
    for name, weight in few.classifier.model.state_dict().items():
        assert torch.equal(weight, to_float32(few.weights)[name])
    assert load_source("phrases", words=5000).known == len(load_source("phrases", words=5000).classifier.vocabulary) - 2


def test_examples_are_of_the_test_split_and_take_turns_by_class(phrases):
    (run,) = unpacked(page_of([phrases]))[0]["runs"]
    texts = {" ".join(each.words): each for each in phrases.corpus.splits["test"]}
    assert [each["label"] for each in run["examples"]].count(0) == 6
    for each in run["examples"]:
        assert texts[each["text"]].label == each["label"]
        assert list(texts[each["text"]].gold_actions) == each["gold"]
        assert len(each["text"].split()) in range(5, 15)
    assert run["accuracy"] > 0.97


def test_the_committed_page_is_what_make_docs_makes():
    made, committed = make_demo(["movie_reviews", "phrases_id_lstm"], words=8000), DEMO.read_text(encoding="utf-8")
    (values, tensors), (old, old_tensors) = unpacked(made), unpacked(committed)
    for run in (*values["runs"], *old["runs"]):  # they depend on the last bit of floats
        del run["accuracy"], run["examples"]
    assert (values, tensors) == (old, old_tensors), "run: make docs"
    frame = re.compile(r'(?<="text/plain">)[^<]*')
    assert frame.sub("", made) == frame.sub("", committed), "run: make docs"
    assert len(committed) < 1.5e6


def test_runs_are_shown_with_their_own_reward(tmp_path):
    config = TrainConfig(
        **TINY, pnet_epochs=1, reward="log_likelihood - 0.3 * phrases", agent_parameters={"samples": 2}
    )
    train(config, tmp_path / "run")
    out = tmp_path / "demo.html"
    main(["demo", str(tmp_path / "run"), "--out", str(out), "--int8"])
    (run,) = unpacked(out.read_text())[0]["runs"]
    assert run["name"] == "run"
    assert run["reward"] == {
        "sum": [{"name": "log_likelihood"}, {"times": -1.0, "of": {"times": 0.3, "of": {"name": "phrases"}}}]
    }
    assert run["policy"]["layers"]["0.weight"]["dtype"] == "float32"


def test_a_file_is_not_overwritten(tmp_path, capsys):
    out = tmp_path / "demo.html"
    main(["demo", "phrases", "--out", str(out)])
    assert capsys.readouterr().out == f"The demo is in {out} (0.5 MB)\n"
    before = out.read_bytes()
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "phrases", "--out", str(out)])
    assert stopped.value.code == 1
    assert "exists already. Remove it, or write to another file." in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "needs one run or more"),
        (["listops"], "cannot show Tree-LSTM, the model of listops. It shows: HS-LSTM, ID-LSTM, plain LSTM, HM-LSTM"),
        (["phrases_modules"], "A demo cannot show phrase modules"),
        (["movie_review"], "Did you mean 'movie_reviews'"),
        (["runs/nothing"], "is not the folder of a run: it does not exist"),
    ],
)
def test_other_runs_are_explained(names, message):
    with pytest.raises(HsEnvError, match=message):
        make_demo(names)


def test_a_negative_number_of_words_is_an_error():
    with pytest.raises(HsEnvError, match="must be 0 or more, got -1"):
        make_demo(["phrases"], words=-1)


def test_a_language_model_is_no_classifier(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"text": "phrases"}))
    with pytest.raises(HsEnvError, match="is one of a language model: use `hs-env lm"):
        make_demo([str(tmp_path)])


def test_policies_that_the_page_cannot_compute_are_explained(phrases):
    classifier = phrases.classifier
    rule = make_baseline("every_k", classifier.vocabulary, classifier.model.problem)
    _check_agent("run", FixedPolicy("every_k.v1", rule))
    reader = PNet(256, reader="lstm", vocabulary_size=120)
    gold = FixedPolicy("gold.v1", make_baseline("gold", classifier.vocabulary, classifier.model.problem))
    for agent in (LogitPolicy(reader), rule, gold):
        with pytest.raises(HsEnvError, match="A demo shows the P-Nets of `--agent reinforce` without a reader"):
            _check_agent("run", agent)


def test_rewards_that_the_page_cannot_compute_are_explained():
    with pytest.raises(
        HsEnvError, match=r"cannot compute the reward 'boundary_f1.v1'; it knows log_likelihood, accuracy"
    ):
        described(make_reward("log_likelihood + boundary_f1"))


def test_a_fixed_policy_is_a_rule(phrases):
    rule = make_baseline("punctuation", phrases.classifier.vocabulary, phrases.classifier.model.problem)
    source = replace(phrases, agent=FixedPolicy("punctuation.v1", rule))
    assert unpacked(page_of([source]))[0]["runs"][0]["policy"] == {"rule": "punctuation"}
