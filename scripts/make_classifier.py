"""Make a run that ships with the package: a small classifier and its P-Net.

On generated corpora an HS-LSTM, an ID-LSTM, a Tree-LSTM or a network of phrase modules. HS-LSTM: first the C-Net is
trained on gold phrases. Then a randomly initialised P-Net learns to find phrases for the frozen C-Net, from its reward
alone. ID-LSTM: first the C-Net is trained on whole sentences, then the P-Net on the frozen C-Net, then both
alternately. Tree-LSTM: first the C-Net is trained on random trees, then both alternately. Phrase modules: the C-Net is
trained on gold modules, and the P-Net imitates them (docs/modules.md says why). The script prints how close the P-Net's
reward is to the best possible one, which an exhaustive search finds.

On `movie_reviews` also a plain LSTM and a skim LSTM, all for new texts: see `review_classifier.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from command import run_script
from review_classifier import best_of_seeds
from rich.console import Console
from torch import Tensor

import hs_env
from hs_env.agents import Agent, Reinforce, baselines_for, best_actions, make_baseline, rollout
from hs_env.errors import HsEnvError
from hs_env.models import Classifier, EncoderState, StructuredEncoder
from hs_env.registry import stem_of
from hs_env.rewards import make_reward
from hs_env.shipped import AGENT, CLASSIFIER
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.run import Run, train

_COMMON = TrainConfig(
    corpus="phrases:train=20000,dev=1000,test=2000",
    vectors="random:32",
    model_parameters={"hidden_size": 64, "dropout": 0.1, "word_dropout": 0.0},
    learning_rate=4e-3,
    warm_epochs=12,
    patience=4,
    pnet_epochs=4,
    joint_epochs=0,
)
CONFIGS = {
    "hs_lstm": replace(
        _COMMON,
        warm_start="gold",
        agent_parameters={"samples": 20, "learning_rate": 3e-3, "entropy_bonus": 0.3},
    ),
    "phrase_modules": replace(
        _COMMON,
        corpus="phrases_deep:train=4000,dev=500,test=500,test_depth=0",
        model="phrase_modules",
        model_parameters={"hidden_size": 64, "dropout": 0.0, "word_dropout": 0.0},
        warm_start="gold",
        pnet_epochs=0,
    ),
    "id_lstm": replace(
        _COMMON,
        corpus="phrases:train=10000,dev=1000,test=2000",
        model="id_lstm",
        model_parameters={"hidden_size": 64, "dropout": 0.1, "word_dropout": 0.2},
        warm_start="all_retain",
        reward="id_lstm",
        warm_epochs=7,
        pnet_epochs=3,
        joint_epochs=12,
        joint_learning_rate=2e-3,
        tau=0.1,
    ),
    "tree_lstm": replace(
        _COMMON,
        corpus="listops",
        vectors="random:64",
        model="tree_lstm",
        model_parameters={"hidden_size": 128, "dropout": 0.0, "word_dropout": 0.0},
        warm_start="random",
        learning_rate=1e-3,
        clip_norm=1.0,
        warm_epochs=1,
        pnet_epochs=0,
        joint_epochs=10,
        patience=20,
        curriculum_epochs=5,
        curriculum_words=12,
        joint_learning_rate=1e-3,
        agent_parameters={
            "policy": "word_weights",
            "reader": "words",
            "observe": False,
            "reader_size": 32,
            "hidden_size": 32,
            "estimator": "ppo",
            "baseline": "leave_one_out",
            "scale": "none",
            "ratio": "word",
            "samples": 4,
            "updates": 2,
            "learning_rate": 5e-3,
            "weight_decay": 0.1,
            "entropy_bonus": 0.005,
        },
    ),
}
OUT = {
    "hs_lstm": "phrases",
    "id_lstm": "phrases_id_lstm",
    "tree_lstm": "listops",
    "phrase_modules": "phrases_modules",
}
"""Name of each result's folder in hs_env/data."""
OUT_OF_REVIEWS = {
    "hs_lstm": "movie_reviews",
    "id_lstm": "movie_reviews_id_lstm",
    "plain_lstm": "movie_reviews_plain_lstm",
    "skim_lstm": "movie_reviews_skim_lstm",
}
LONGEST = {2: 13, 3: 9, 5: 5}
"""Number of words of the longest sentences that are searched exhaustively, by number of actions."""
SEARCHED = 300


def share_of_the_best(run: Run, data: TrainingData) -> dict[str, float]:
    """Compute mean rewards on short sentences, and the P-Net's position between random (0) and best (1).

    They are test sentences, or training sentences if no test sentence is short.
    """
    encoder = run.classifier.model
    assert isinstance(encoder, StructuredEncoder) and run.agent is not None  # noqa: PT018
    reward = make_reward(run.config.reward)
    longest = LONGEST[encoder.problem.num_actions]
    split = next(each for each in map(data.splits.get, ("test", "train")) if each and each.lengths.min() <= longest)
    batch = split.batch((split.lengths <= longest).nonzero().squeeze(1)[:SEARCHED])

    def earned(agent: Agent) -> float:
        with torch.no_grad():
            episodes = rollout(encoder, agent, batch, deterministic=True, generator=torch.Generator().manual_seed(0))
        return reward(episodes.episodes).total.mean().item()

    names = (stem_of(name) for name in baselines_for(encoder.problem))
    baselines = {name: earned(make_baseline(name, data.vocabulary, encoder.problem)) for name in names}
    best, learned = best_actions(encoder, batch, reward)[1].mean().item(), earned(run.agent)
    share = (learned - baselines["random"]) / (best - baselines["random"])
    return {"best": best, "P-Net": learned, **baselines, "share of best over random": share}


def imitate(run: Run, data: TrainingData, steps: int = 600) -> Reinforce:
    """Train a P-Net on the gold actions, in the states that they lead to."""
    encoder, train, generator = (
        run.classifier.model,
        data.splits["train"],
        torch.Generator().manual_seed(run.config.seed),
    )
    assert isinstance(encoder, StructuredEncoder)
    agent = Reinforce(encoder.state_size, encoder.problem)
    for _ in range(steps):
        batch = train.batch(torch.randint(len(train), (run.config.batch_size,), generator=generator))
        gold = batch.gold_actions
        assert gold is not None
        seen: list[Tensor] = []

        def decide(t: int, state: EncoderState, gold: Tensor = gold, seen: list[Tensor] = seen) -> Tensor:
            seen.append(encoder.observe(state))
            return gold[:, t]

        with torch.no_grad():
            encoder.unroll(encoder.start(batch), gold.shape[1], decide)
        logits = agent.pnet(torch.stack(seen, 1)[batch.mask])
        agent.optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, gold[batch.mask]).backward()
        agent.optimizer.step()
    return agent


def generated(model: str, seed: int, folder: Path, console: Console) -> tuple[Run, dict[str, Any]]:
    """Train on a generated corpus; return the run and what its notes say of it."""
    run = train(replace(CONFIGS[model], seed=seed), folder / "run", console)
    if model == "phrase_modules":
        agent = imitate(run, run.data())
        agent.save(run.folder / AGENT)
        run = replace(run, agent=agent)
    rewards = share_of_the_best(run, run.data())
    for name, value in rewards.items():
        console.print(f"{name:>26} {value:8.4f}", highlight=False)
    return run, {"rewards": rewards}


def main(
    model: tyro.conf.Positional[
        Literal["hs_lstm", "id_lstm", "tree_lstm", "phrase_modules", "plain_lstm", "skim_lstm"]
    ],
    reviews: bool = False,
    out: Path | None = None,
    seed: int = 0,
    runs: Path = Path("runs/shipped"),
) -> None:
    """Train a run, measure it, and write its files.

    Args:
        model: Name of the model to make.
        reviews: Whether to train on `movie_reviews` instead of a generated corpus.
        out: Folder of the result; by default, the folder that ships with the package.
        seed: Seed of the training on a generated corpus.
        runs: Folder of the runs on `movie_reviews`, one per seed; finished ones are not trained again.
    """
    console, names = Console(stderr=True), OUT_OF_REVIEWS if reviews else OUT
    if model not in names:
        raise HsEnvError(f"On generated corpora the models are {', '.join(OUT)}; {model} needs --reviews.")
    out = out or Path(hs_env.__file__).parent / "data" / names[model]
    with tempfile.TemporaryDirectory() as folder:
        run, notes = best_of_seeds(model, runs, console) if reviews else generated(model, seed, Path(folder), console)
        origin = {
            "corpus": run.config.corpus.partition(":")[0],
            "made_by": f"scripts/make_classifier.py {model}{' --reviews' if reviews else ''}",
        }
        out.mkdir(parents=True, exist_ok=True)
        replace(run.classifier, notes=run.classifier.notes | origin | notes).save(
            out / CLASSIFIER, int8=reviews or model == "tree_lstm"
        )
        if run.agent is not None:
            shutil.copyfile(run.folder / AGENT, out / AGENT)
    size = sum(path.stat().st_size for path in out.glob("*.safetensors")) / 1024
    console.print(f"{out}: {size:.0f} kB, {len(Classifier.load(out).vocabulary)} words")


if __name__ == "__main__":
    run_script(main)
