"""Environments, agents and classifiers in processes with other settings of torch and NumPy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hs_env

ROOT = Path(hs_env.__file__).parents[1]

USE = """
import gymnasium
import numpy as np
import torch
{settings}
import hs_env
from hs_env.agents import Reinforce, load_agent, rollout
from hs_env.models import Classifier, shipped_runs
from hs_env.rewards import make_reward

for name in ("PhraseSegmentation", "InformationDistillation"):
    env = gymnasium.make(f"hs_env/{{name}}-v0", split="test", shaping=True)
    observation, info = env.reset(seed=0)
    terminated, earned = False, 0.0
    while not terminated:
        assert observation.dtype == np.float32
        observation, reward, terminated, _, info = env.step(1)
        earned += reward
    print(name, earned, info["log_probs"].dtype, info["log_probs"])
    envs = gymnasium.make_vec(f"hs_env/{{name}}-v0", 3, split="test", shaping=True)
    envs.reset(seed=0)
    for _ in range(20):
        observations, rewards, *_ = envs.step(np.ones(3, np.int64))
        assert (observations.dtype, rewards.dtype) == (np.float32, np.float64)
        print(rewards)

folder = shipped_runs()["phrases"]
classifier, agent = Classifier.load("phrases"), load_agent(folder / "agent.safetensors")
batch = classifier.batch([classifier.sentence("the movie is not very good"), classifier.sentence("good")])
print(rollout(classifier.model, agent, batch, deterministic=True).episodes.log_probs.tolist())
if not torch.is_inference_mode_enabled():
    generator = torch.Generator(device="cpu").manual_seed(0)
    learner = Reinforce(classifier.model.state_size, classifier.model.problem)
    print(learner.update(classifier.model, batch, make_reward("log_likelihood"), generator=generator).metrics)
{after}
"""


def output(settings: str = "", after: str = "") -> str:
    code = USE.format(settings=f"torch.manual_seed(0)\n{settings}", after=after)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def usual() -> str:
    return output()


@pytest.mark.slow
def test_settings_of_the_host_change_no_number_and_stay(usual: str) -> None:
    settings = "torch.set_default_dtype(torch.float64); torch.set_default_device('meta'); np.seterr(all='raise')"
    stay = """
assert torch.get_default_dtype() == torch.float64
assert torch.empty(0).device.type == "meta"
assert set(np.geterr().values()) == {"raise"}
"""
    assert output(settings, stay) == usual


def test_environments_and_classifiers_work_in_inference_mode(usual: str) -> None:
    lines = output("mode = torch.inference_mode()\nmode.__enter__()").splitlines()
    assert lines == usual.splitlines()[: len(lines)]
    assert len(lines) == len(usual.splitlines()) - 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork by default")
def test_a_forked_child_may_be_the_first_to_import_the_package() -> None:
    code = """
import multiprocessing, torch
torch.set_num_threads(2)
torch.rand(1000, 1000) @ torch.rand(1000, 1000)

def use():
    import gymnasium, hs_env
    envs = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", 64, split="test")
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())

child = multiprocessing.get_context("fork").Process(target=use)
child.start()
child.join(40)
assert child.exitcode == 0, child.exitcode
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
