"""Rewards written as text."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hs_env.errors import HsEnvError
from hs_env.rewards import Accuracy, BoundaryF1, HSLSTMReward, LogLikelihood, Reward, Transitions, make_reward
from tests.rewards.builders import make_episodes

EPISODES = make_episodes([7, 1, 4, 9, 2])


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_words").mkdir()
    (tmp_path / "my_words" / "rewards.py").write_text(
        textwrap.dedent("""
        from hs_env.rewards import Reward

        class Tagged(Reward):
            def __init__(self, tag="none"):
                self.name = tag

            def terms(self, episodes):
                return {"tagged": episodes.log_probs[:, 0]}

        class Outer:
            class Inner(Tagged):
                pass

        class Unfinished(Reward):
            pass

        def make():
            raise AssertionError("called")
        """)
    )
    (tmp_path / "my_words" / "broken.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_words.rewards"
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_words"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        ("log_likelihood", LogLikelihood()),
        (" log_likelihood.v1 ", LogLikelihood()),
        ("hs_lstm.v1(gamma = 0.2)", HSLSTMReward(0.2)),
        ("hs_lstm(gamma=-2e-1)", HSLSTMReward(-0.2)),
        ("hs_lstm(gamma=None)", HSLSTMReward()),
        ("accuracy()", Accuracy()),
        ("accuracy - 0.01 * transitions", Accuracy() - 0.01 * Transitions()),
        ("log_likelihood + 0.1*hs_lstm(gamma=0.2)", LogLikelihood() + 0.1 * HSLSTMReward(0.2)),
        ("2 * (accuracy - transitions.v1) * 3", 6 * Accuracy() - 6 * Transitions()),
        ("accuracy + 0.1 * boundary_f1", Accuracy() + 0.1 * BoundaryF1()),
        ("--accuracy", Accuracy()),
        ("-+accuracy * -(1 - 3) * .5e0", -1 * Accuracy()),
        ("accuracy - transitions - transitions", Accuracy() - 2 * Transitions()),
        ("accuracy - (transitions - transitions)", Accuracy() + 0 * Transitions()),
    ],
)
def test_expressions(text, reward):
    got, expected = make_reward(text)(EPISODES), reward(EPISODES)
    torch.testing.assert_close(got.total, expected.total)
    assert set(got.terms) == set(expected.terms)


def test_a_single_name_takes_parameters():
    assert make_reward("hs_lstm", gamma=0.4) == make_reward("hs_lstm.v1(gamma=0.4)") == HSLSTMReward(0.4)
    for text in ("hs_lstm(gamma=0.1)", "hs_lstm + accuracy", "2 * hs_lstm", "-hs_lstm"):
        with pytest.raises(HsEnvError, match="write the parameters gamma in parentheses after a reward's name"):
            make_reward(text, gamma=0.4)


def test_references(module):
    assert make_reward(f"{module}:Tagged", tag="a:b").name == "a:b"
    both = make_reward(f"accuracy+{module}:Tagged(tag='a:b, \"c\"')*2 - {module}:Outer.Inner(tag='ß:é')")
    assert both.name == 'accuracy.v1 + 2 * a:b, "c" - ß:é'
    torch.testing.assert_close(both(EPISODES).total, Accuracy()(EPISODES).total + EPISODES.log_probs[:, 0])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "no.such.module:Reward",
            r"'no.such.module:Reward' cannot be loaded: ModuleNotFoundError: No module named 'no'",
        ),
        (
            "my_words.rewards:Taged",
            r"cannot be loaded: AttributeError: .*has no attribute 'Taged'.*package\.module:name",
        ),
        ("my_words.broken:Reward", r"No module named 'no_such_module'.*PYTHONPATH"),
        ("my_words.rewards:make", r"is <function make.*Expected a subclass of hs_env\.rewards\.Reward"),
        ("my_words.rewards:Unfinished", r"cannot be made: Can't instantiate abstract class"),
        ("hs_env.types:END", r"is 1\. Expected a subclass"),
        ("os:system(command='exit 1')", r"Expected a subclass"),
        ("my_words.rewards:Tagged(gamma=1)", r"unexpected keyword argument 'gamma'. It takes tag='none'"),
    ],
)
def test_bad_references(module, reference, message):
    with pytest.raises(HsEnvError, match=message):
        make_reward(f"accuracy + {reference}")


@pytest.mark.parametrize(
    ("text", "reason", "marked"),
    [
        ("accuracy + * margin", "invalid syntax", "*"),
        ("accuracy margin", "invalid syntax", "margin"),
        ("(accuracy", "was never closed", "("),
        ("accuracy * margin", "rewards can only be added to rewards, and multiplied by numbers", "accuracy * margin"),
        ("margin + (accuracy + 0.1)", "added to rewards", "accuracy + 0.1"),
        ("accuracy / 2", "is not allowed here", "accuracy / 2"),
        ("accuracy if True else margin", "is not allowed here", "accuracy if True else margin"),
        ("2 * True", "is not allowed here", "True"),
        ("2 * 'accuracy'", "is not allowed here", "'accuracy'"),
        ("2j * accuracy", "is not allowed here", "2j"),
        ("0.1 + 2", "a number, not a reward", "0.1 + 2"),
        ("1e999 * accuracy", "too large", "1e999"),
        ("hs_lstm(0.2)", "given by name", "0.2"),
        ("hs_lstm(**{'gamma': 1})", "given once, by name", "**{'gamma': 1}"),
        ("hs_lstm(gamma=1, gamma=2)", "given once, by name", "gamma=2"),
        ("hs_lstm(gamma=accuracy)", "a parameter must be a number", "accuracy"),
        ("hs_lstm(gamma=a:b)", "a parameter must be a number", "a:b"),
        ("hs_lstm(gamma='é', x=y)", "a parameter must be a number", "y"),
    ],
)
def test_what_is_wrong_is_marked(text, reason, marked):
    with pytest.raises(HsEnvError, match=reason) as raised:
        make_reward(text)
    _, shown, marks, expected = str(raised.value).split("\n")
    assert shown.strip() == text
    begin = marks.index("^") - 4
    assert text[begin : begin + marks.count("^")] == marked
    assert "Expected names of rewards" in expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "This is not a reward"),
        ("accuracy\n+ margin", "one line"),
        ("(accuracy\n+ margin)", "one line"),
        ("accuracy + hs_lstn", r"Unknown reward 'hs_lstn'\. Did you mean 'hs_lstm\.v1'"),
        ("accuracy + hs_lstm.v9", r"Unknown reward 'hs_lstm\.v9'"),
        ("hs_lstm(gamma=0.1)(gamma=0.2)", "is not allowed here"),
        ("hs_lstm(gama=1)", r"'hs_lstm.v1' does not take these parameters: .*'gama'\. It takes gamma=None"),
        ("hs_lstm(gamma='a')", r"'hs_lstm.v1' does not take these parameters: gamma must be a number from"),
        ("accuracy(x=1)", "It takes no parameters"),
        ("a\0b", "null"),
        ("(" * 500 + "accuracy" + ")" * 500, "nested"),
        ("-" * 100_000 + "accuracy", "nested"),
        ("+".join(["accuracy"] * 5000), "nested"),
        ("__import__('os').system('exit 1')", "given by name"),
        ("accuracy:", "This is not a reward"),
        (":accuracy", "This is not a reward"),
    ],
)
def test_what_cannot_be_read(text, message):
    with pytest.raises(HsEnvError, match=message) as raised:
        make_reward(text)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("thing", [None, 1.0, ["accuracy"]], ids=repr)
def test_other_things_are_no_reward(thing):
    with pytest.raises(HsEnvError, match=r"Expected a reward as text, .* as a function, or a callable that makes one"):
        make_reward(thing)


def test_a_reward_may_be_an_object_or_what_makes_one():
    made = LogLikelihood()
    assert make_reward(made) is made
    assert make_reward(HSLSTMReward, gamma=0.4) == make_reward(lambda: HSLSTMReward(0.4)) == HSLSTMReward(0.4)
    with pytest.raises(HsEnvError, match=r"'log_likelihood\.v1' is made already; give gamma to its class"):
        make_reward(made, gamma=0.4)
    with pytest.raises(HsEnvError, match=r"made 3\. Expected an instance of hs_env\.rewards\.Reward"):
        make_reward(lambda: 3)


@given(st.text(alphabet="ac()+-*.:=,'\"0 1v_ßé\\#\n", max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        reward = make_reward(text)
    except HsEnvError:
        return
    assert isinstance(reward, Reward)
