"""A distribution of somebody else, built from the documentation, adds a reward that is found by its name."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from hs_env import cli
from hs_env.errors import HsEnvError
from hs_env.rewards import REWARDS, Reward, make_reward
from tests.test_docs import REWARDS_PAGE, blocks
from tests.test_packaging import ROOT, run

CODE = """
import sys
from hs_env.rewards import REWARDS, make_reward
make_reward("accuracy")
assert "my_rewards" not in sys.modules
assert "probability.v1" in REWARDS
for text in ("probability.v1", "accuracy - 0.5 * probability(power=2.0)", "my_rewards:Probability"):
    reward = make_reward(text)
    print(reward.name)
import gymnasium, hs_env
env = gymnasium.make("hs_env/PhraseSegmentation-v0", reward="log_likelihood + probability")
env.reset(options={"text": "good"})
assert set(env.step(1)[4]["reward_terms"]) == {"log_likelihood", "probability"}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An otherwise empty folder with the distribution."""
    source, folder = tmp_path_factory.mktemp("my-rewards"), tmp_path_factory.mktemp("installed")
    (module,) = (block for block in blocks(REWARDS_PAGE, "python") if block.startswith("# my_rewards.py"))
    (source / "my_rewards.py").write_text(module)
    (source / "pyproject.toml").write_text(blocks(REWARDS_PAGE, "toml")[0])
    run("-m", "build", "--no-isolation", "--wheel", "--outdir", source / "dist", source, cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")
    run("-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    return folder


def test_it_is_found_in_a_fresh_interpreter(installed, tmp_path):
    run("-c", CODE, cwd=tmp_path, PYTHONPATH=f"{ROOT}:{installed}")


@pytest.fixture
def plugin(installed, tmp_path, monkeypatch):
    """The distribution, and one that is broken, where this process finds them."""
    info = tmp_path / "broken_rewards-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-rewards\nVersion: 1.0\n")
    points = ["broken.v1 = no_such_module:Broken", "text.v1 = string:digits", "number.v1 = builtins:dict"]
    (info / "entry_points.txt").write_text("\n".join(["[hs_env.rewards]", *points]))
    monkeypatch.setattr(REWARDS, "_entries", dict(REWARDS._entries))
    monkeypatch.syspath_prepend(installed)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_rewards", None)


def test_it_stands_in_the_list_also_beside_a_broken_one(plugin, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    cli.main(["rewards"])
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert re.split(r"\s{2,}", lines["probability.v1"].strip()) == [
        "probability.v1",
        "P(gold | X) to a power.",
        "power=1.0",
    ]
    assert "'broken-rewards' cannot be loaded" in lines["broken.v1"]
    assert {"hs_lstm.v1", "text.v1", "number.v1", "MODULE:NAME"} <= lines.keys()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", r"'broken\.v1' of the distribution 'broken-rewards' cannot be loaded"),
        ("text", r"'text\.v1' is '0123456789'\. Expected a subclass"),
        ("number", r"'number\.v1' made \{\}\. Expected an instance"),
    ],
)
def test_a_broken_one_is_an_error_of_its_own(plugin, name, message):
    with pytest.raises(HsEnvError, match=message):
        make_reward(f"accuracy + {name}")
    assert isinstance(make_reward("accuracy + probability"), Reward)
