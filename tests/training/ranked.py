"""A process that trains together with others: `python -m tests.training.ranked FOLDER NAME...`.

Rank 0 saves the weights of all parts of a run after each evaluation, or the message of the error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from hs_env import ranks
from hs_env.compute import find_device
from hs_env.errors import HsEnvError
from hs_env.models import MODELS, FlatClassifier
from hs_env.training import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.flat import FlatTrainer
from hs_env.training.trainer import Trainer


def config(*, model: str = "hs_lstm", batch_size: int = 32, **others: Any) -> TrainConfig:
    return TrainConfig(
        corpus="phrases:train=97,dev=20,test=20",  # the last batch has one sentence, fewer than processes
        vectors="random:6",
        model=model,
        model_parameters={"hidden_size": 8} if model != "cnn" else {},
        batch_size=batch_size,
        warm_epochs=1,
        joint_epochs=1,
        threads=1,
        seed=3,
        **others,
    )


def agent(estimator: str, **others: Any) -> dict[str, Any]:
    return {"estimator": estimator, "samples": 3, "hidden_size": 4, **others}


def seldom(texts: list[str]) -> list[float | None]:
    """Return an opinion about few sentences, so that some shares of a batch have none."""
    return [1.0 if text.startswith("the") else None for text in texts]


CONFIGS = {
    "opinions": config(
        batch_size=8,
        pnet_epochs=1,
        agent_parameters=agent("rloo"),
        reward="log_likelihood + 0.1 * tests.training.ranked:seldom",
    ),
    "rloo": config(pnet_epochs=1, agent_parameters=agent("rloo"), class_weights="balanced"),
    "ppo": config(pnet_epochs=1, agent_parameters=agent("ppo", updates=3)),
    "grpo": config(model="phrase_modules", pnet_epochs=1, agent_parameters=agent("grpo", reader="lstm", reader_size=4)),
    "adaptive": config(  # rewards under dropout, and a weight that depends on all episodes of a batch
        model="id_lstm",
        pnet_epochs=1,
        agent_parameters=agent("moving_average", optimizer="adadelta"),
        reward="log_likelihood + deletion_rate(rate=0.5)",
        reward_dropout=True,
    ),
    "fixed": config(agent="fixed", warm_start="random"),
    "tree": config(model="tree_lstm", pnet_epochs=1, agent_parameters=agent("self_critical")),
    "cnn": config(model="cnn"),
    "hm": config(model="hm_lstm"),
}
REFUSED = {
    "sb3": config(agent="ppo", pnet_epochs=1),
    "rebar": config(agent_parameters=agent("rebar"), pnet_epochs=1),
    "h_net": config(model="h_net"),
    "rate": config(agent_parameters=agent("rloo", boundary_rate=0.3), pnet_epochs=1),
}


def main(folder: Path, *names: str) -> None:
    ranks.join()
    for name in names:
        resolved = (CONFIGS | REFUSED)[name].resolve()
        data = TrainingData.load(resolved, device=find_device("cpu"))
        place = folder / name
        place.mkdir(exist_ok=True, parents=True)
        kind = FlatTrainer if issubclass(MODELS.get(resolved.model), FlatClassifier) else Trainer
        try:
            trainer = kind(resolved, data, place, Console(quiet=True))
        except HsEnvError as error:
            (folder / f"{name}.txt").write_text(str(error))
            continue
        seen: list[dict[str, Any]] = []

        def keep(entry: Any, trainer: Any = trainer, seen: list[dict[str, Any]] = seen) -> None:
            parts = {key: part.state_dict() for key, part in {**trainer.learned, **trainer.adapted}.items()}
            training = {key: value for key, value in entry["training"].items() if not key.endswith("reward_std")}
            copied = torch.utils._pytree.tree_map(lambda each: each.clone() if torch.is_tensor(each) else each, parts)
            seen.append({"stage": entry["stage"], "training": training, **copied})

        trainer.callback = keep
        trainer.run()
        if ranks.rank() == 0:
            torch.save(seen, folder / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
