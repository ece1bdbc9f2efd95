"""Make the run that ships with the package: a small HS-LSTM on the generated corpus, and its P-Net.

The C-Net learns on gold phrases, then the P-Net learns to find phrases on the frozen C-Net, from a random start, by its
reward alone. Prints how near its reward comes to the best there is, found by trying all segmentations.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
import tyro
from rich.console import Console

import hs_env
from hs_env.agents import Agent, ReinforceConfig, best_segmentation, make_baseline, rollout
from hs_env.models import HSLSTM, Classifier
from hs_env.models.classifier import FILE_NAME
from hs_env.rewards import HSLSTMReward
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.run import Run, train
from hs_env.training.trainer import AGENT

CONFIG = TrainConfig(
    corpus="phrases:train=20000,dev=1000,test=2000",
    vectors="random:32",
    hidden_size=64,
    dropout=0.1,
    word_dropout=0.0,
    structure="gold",
    learning_rate=4e-3,
    warm_epochs=12,
    patience=4,
    pnet_epochs=4,
    joint_epochs=0,
    reinforce=ReinforceConfig(samples=20, learning_rate=3e-3, entropy_bonus=0.3),
)
LONGEST, SEARCHED = 13, 300


def share_of_the_best(run: Run, data: TrainingData) -> dict[str, float]:
    """Mean rewards on test sentences short enough to search, and where the P-Net stands between random and best."""
    test, reward, encoder = data.splits["test"], HSLSTMReward(), run.classifier.model
    assert isinstance(encoder, HSLSTM)
    batch = test.batch((test.lengths <= LONGEST).nonzero().squeeze(1)[:SEARCHED])

    def earned(agent: Agent) -> float:
        with torch.no_grad():
            episodes = rollout(encoder, agent, batch, deterministic=True, generator=torch.Generator().manual_seed(0))
        return reward(episodes.episodes).total.mean().item()

    best = best_segmentation(encoder, batch, reward)[1].mean().item()
    random, learned = earned(make_baseline("random", data.vocabulary)), earned(run.agent)
    gold = earned(make_baseline("gold", data.vocabulary))
    share = (learned - random) / (best - random)
    return {"best": best, "gold phrases": gold, "P-Net": learned, "random": random, "share of best over random": share}


def main(out: Path = Path(hs_env.__file__).parent / "data" / "phrases", seed: int = 0) -> None:
    """Train, measure, and write the two files.

    Args:
        out: Folder of the result.
        seed: Of the training.
    """
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        run = train(replace(CONFIG, seed=seed), Path(folder) / "run", console)
        rewards = share_of_the_best(run, TrainingData.load(run.config))
        out.mkdir(parents=True, exist_ok=True)
        replace(
            run.classifier, notes=run.classifier.notes | {"made_by": "scripts/make_classifier.py", "rewards": rewards}
        ).save(out / FILE_NAME)
        shutil.copyfile(run.folder / AGENT, out / AGENT)
    for name, value in rewards.items():
        console.print(f"{name:>26} {value:8.4f}", highlight=False)
    loaded = Classifier.load(out)
    console.print(
        f"{out / FILE_NAME}: {(out / FILE_NAME).stat().st_size / 1024:.0f} kB, {len(loaded.vocabulary)} words"
    )


if __name__ == "__main__":
    tyro.cli(main)
