"""Joint training of P-Net and C-Net in three stages (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from rich.console import Console

from hs_env.agents import LEARNERS, Agent, Heuristic, make_baseline
from hs_env.models import MODELS, Classifier, StructuredEncoder
from hs_env.models.classifier import FILE_NAME
from hs_env.render import to_text
from hs_env.rewards import make_reward
from hs_env.storage import load_state, save_state, write_json
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData, training_batches
from hs_env.training.learner import Learner
from hs_env.training.monitor import Monitor
from hs_env.training.scores import dev_scores, segmented_examples
from hs_env.training.seeds import generator_for, seed_for
from hs_env.types import Episodes, HsEnvError, SentenceBatch, Task

HISTORY = "history.json"
CHECKPOINT, AGENT = "checkpoint.safetensors", "agent.safetensors"


@dataclass(frozen=True)
class Stage:
    """One of the three stages.

    Attributes:
        name: "warm", "pnet" or "joint".
        epochs: Greatest number of epochs.
        update: Learns from a batch; returns numbers to log.
        policy: Segments the sentences of dev when the stage is scored.
        score: Name of the score on dev that decides which epoch was best.
    """

    name: str
    epochs: int
    update: Callable[[SentenceBatch, torch.Generator], dict[str, float]]
    policy: Agent
    score: str


@dataclass
class Progress:
    """Where a run stands: the next batch is `batch` of `epoch` of the stage number `stage`.

    Attributes:
        updates: Updates done in all.
        warm_updates: Those of the C-Net in the warm start.
        joint_updates: Those of the C-Net in joint training.
        waited: Epochs of this stage since the best one.
        best: Score of the best epoch of this stage; None before the stage's start is scored.
        scale: State of the reward when that epoch was scored.
        history: Every scored epoch, with the seconds since its process began to train.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    updates: int = 0
    warm_updates: int = 0
    joint_updates: int = 0
    waited: int = 0
    best: float | None = None
    scale: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """Warm-starts the C-Net on a heuristic structure, trains the P-Net with the rest frozen, then both in turn.

    Everything random in an update is seeded by the place of the update in the run. A checkpoint thus holds weights,
    optimisers and the place, and a run that goes on from one repeats an uninterrupted run bit for bit (on the same
    machine with the same number of threads).

    Args:
        config: What to train.
        data: What to train on.
        folder: The run's folder.
        console: Where progress is shown.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, folder: Path, console: Console) -> None:
        self.config, self.data, self.folder, self.console = config, data, folder, console
        assert config.reward is not None  # the configuration has filled it in
        assert config.structure is not None
        self.reward = make_reward(config.reward, **config.reward_parameters)
        sentence = data.splits["train"].batch(torch.tensor([0]))
        with torch.random.fork_rng():
            torch.manual_seed(seed_for(config.seed, "weights"))
            encoder = data.new_model(MODELS.get(config.model), config)
            assert isinstance(encoder, StructuredEncoder)
            self.learner = Learner(encoder, config.tau, config.clip_norm)
            self.agent = LEARNERS.get(config.agent)(self.learner.slow, sentence, self.reward, config)
        structure = self.structure = _fixed_structure(config.structure, data, encoder.task)
        self.progress = Progress()
        self._best: dict[str, Any] = {}
        self._begun = self._saved = monotonic()
        # Phrases serve the classification. That words are left out is a purpose of its own, which the reward weighs.
        aim = "reward" if encoder.task.structure == "selection" else "log_likelihood"
        self.stages = (
            Stage("warm", config.warm_epochs, self._warm, structure, "log_likelihood"),
            Stage("pnet", config.pnet_epochs, self._pnet, self.agent, "reward"),
            Stage("joint", config.joint_epochs, self._joint, self.agent, aim),
        )

    # What an update is -----------------------------------------------------------------------------------------------

    def _warm(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        plan = self.structure.plan(batch)
        self.progress.warm_updates += 1
        return _prefixed("c_net", self.learner.update(self.config.learning_rate, batch.labels, batch, plan))

    def _pnet(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        return self._agent_update(batch, generator)[1]

    def _joint(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        episodes, metrics = self._agent_update(batch, generator)
        rate, labels = self.config.joint_learning_rate, episodes.sentences.labels
        self.progress.joint_updates += 1
        return metrics | _prefixed("c_net", self.learner.update(rate, labels, batch, episodes.actions))

    def _agent_update(self, batch: SentenceBatch, generator: torch.Generator) -> tuple[Episodes, dict[str, float]]:
        update = self.agent.update(self.learner.slow, batch, self.reward, generator=generator)
        self.reward.adapt(update.episodes)
        return update.episodes, _prefixed("p_net", update.metrics)

    # The run ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train from where the run stands to the end, then save classifier, agent and history."""
        progress, batches = self.progress, -(-len(self.data.splits["train"]) // self.config.batch_size)
        self._begun = monotonic()
        with torch.random.fork_rng(), Monitor(self.folder, self.console, progress.updates) as monitor:
            while progress.stage < len(self.stages):
                stage = self.stages[progress.stage]
                monitor.stage(stage.name, stage.epochs * batches, progress.epoch * batches + progress.batch)
                self._run_stage(stage, monitor)
                progress.stage, progress.epoch, progress.batch = progress.stage + 1, 0, 0
                progress.waited, progress.best = 0, None
                self.save_checkpoint()
        self._save_result()

    def _run_stage(self, stage: Stage, monitor: Monitor) -> None:
        """The epochs of one stage; ends with the weights of the best one."""
        progress = self.progress
        if progress.best is None:
            self._score(stage, monitor)
        while progress.epoch < stage.epochs and progress.waited < self.config.patience:
            self._run_epoch(stage, monitor)
            progress.epoch, progress.batch = progress.epoch + 1, 0
            self._score(stage, monitor)
            self.save_checkpoint()
        self.learner.load_state_dict(self._best["learner"])
        self.agent.load_state_dict(self._best["agent"])

    def _run_epoch(self, stage: Stage, monitor: Monitor) -> None:
        train, progress, seed = self.data.splits["train"], self.progress, self.config.seed
        batches = training_batches(train, self.config.batch_size, seed, stage.name, progress.epoch)
        for indices in batches[progress.batch :]:
            place = (stage.name, progress.epoch, progress.batch)
            torch.manual_seed(seed_for(seed, *place, "dropout"))
            metrics = stage.update(train.batch(indices), generator_for(seed, *place))
            progress.batch += 1
            progress.updates += 1
            monitor.update(progress.updates, metrics, len(indices))
            if monotonic() - self._saved > self.config.checkpoint_seconds:
                self.save_checkpoint()

    def _score(self, stage: Stage, monitor: Monitor) -> None:
        """Score the slow copy on dev and remember the best epoch."""
        progress = self.progress
        scores = dev_scores(self.learner.slow, stage.policy, self.data.splits["dev"], self.reward)
        score, scale = scores[stage.score], self.reward.state_dict()
        # A reward that has adapted measures by another scale than the one of the best epoch: then the newer one counts.
        adapted = stage.score == "reward" and scale != progress.scale
        better = progress.best is None or adapted or score > progress.best
        progress.waited = 0 if better else progress.waited + 1
        if better:
            progress.best, progress.scale = score, scale
            self._best = copy.deepcopy({"learner": self.learner.state_dict(), "agent": self.agent.state_dict()})
        place = {"stage": stage.name, "epoch": progress.epoch, "updates": progress.updates}
        progress.history.append({**place, "seconds": monotonic() - self._begun, **scores, "best": better})
        shown = segmented_examples(self.learner.slow, stage.policy, self.data)
        examples = "\n\n".join(to_text(sentence) for sentence in shown)
        monitor.epoch(progress.updates, stage.name, progress.epoch, scores, better, examples)

    # What is saved ---------------------------------------------------------------------------------------------------

    def save_checkpoint(self) -> None:
        """Save all that the run needs to go on from here."""
        state = {
            "data": self.data.digest,
            "progress": asdict(self.progress),
            "learner": self.learner.state_dict(),
            "agent": self.agent.state_dict(),
            "reward": self.reward.state_dict(),
            "best": self._best,
        }
        save_state(self.folder / CHECKPOINT, "checkpoint", state)
        self._saved = monotonic()

    def load_checkpoint(self) -> None:
        """Go on from the last checkpoint; from the start if the run was stopped before its first."""
        if not (self.folder / CHECKPOINT).exists():
            return
        state = load_state(self.folder / CHECKPOINT, "checkpoint")
        if state["data"] != self.data.digest:
            raise HsEnvError(
                f"The corpus {self.config.corpus!r} has other words or labels than when this run began. "
                "Bring the old data back, or start a new run."
            )
        self.progress = Progress(**state["progress"])
        self.learner.load_state_dict(state["learner"])
        self.agent.load_state_dict(state["agent"])
        self.reward.load_state_dict(state["reward"])
        self._best = state["best"]

    def _save_result(self) -> None:
        self.classifier(self.learner.slow, {"stage": "joint", **self.progress.history[-1]}).save(
            self.folder / FILE_NAME
        )
        self.agent.save(self.folder / AGENT)
        progress = self.progress
        updates = {"warm": progress.warm_updates, "joint": progress.joint_updates}
        write_json(self.folder / HISTORY, {"classifier_updates": updates, "epochs": progress.history})

    def classifier(self, model: StructuredEncoder, notes: dict[str, Any]) -> Classifier:
        """`model` with the words and labels of this run."""
        corpus = self.data.corpus
        return Classifier(model, self.data.vocabulary, corpus.labels, corpus.tokenisation, notes)


def _fixed_structure(name: str, data: TrainingData, task: Task) -> Heuristic:
    """The baseline `name`, which must decide `task` on this data, and always in the same way."""
    structure = make_baseline(name, data.vocabulary, task)
    if not isinstance(structure, Heuristic):
        raise HsEnvError(f"The structure of the warm start must be fixed, got {name!r}. Leave it out, or take another.")
    structure.plan(data.splits["train"].batch(torch.tensor([0])))  # gold phrases may be missing: say so at once
    return structure


def _prefixed(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in metrics.items()}
