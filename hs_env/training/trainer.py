"""Joint training of P-Net and C-Net in three stages (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from hs_env.agents import (
    LEARNERS,
    STRUCTURE,
    Agent,
    FixedStructure,
    Heuristic,
    LearningAgent,
    make_baseline,
)
from hs_env.compute import seed_for
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import dev_scores, segmented_examples
from hs_env.models import MODELS, StructuredEncoder
from hs_env.render import to_text
from hs_env.rewards import make_reward
from hs_env.training.classifier import Learner
from hs_env.training.classifier_trainer import ClassifierTrainer
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData
from hs_env.training.stages import Stage
from hs_env.types import Episodes, SentenceBatch, Task

AGENT = "agent.safetensors"


class Trainer(ClassifierTrainer):
    """Warm-starts the C-Net on a heuristic structure, trains the P-Net with the rest frozen, then both in turn.

    Args:
        config: What to train.
        data: What to train on.
        folder: The run's folder.
        console: Where progress is shown.
    """

    def __init__(self, config: TrainConfig, data: TrainingData, folder: Path, console: Console) -> None:
        super().__init__(config, data, folder, console)
        assert config.reward is not None  # the configuration has filled it in
        assert config.structure is not None
        assert config.warm_epochs is not None
        assert config.pnet_epochs is not None
        self.reward = make_reward(config.reward, **config.reward_parameters)
        kind = MODELS.get(config.model)
        assert issubclass(kind, StructuredEncoder)
        structure = self.structure = _fixed_structure(config.structure, data, kind.task)
        with torch.random.fork_rng():
            torch.manual_seed(seed_for(config.seed, "weights"))
            model = data.new_model(kind, config)
            self.learner = Learner(model, config.tau, config.clip_norm, config.weight_decay, config.encoder_rate)
            self.agent = self._new_agent()
        self.learned, self.adapted = {"learner": self.learner, "agent": self.agent}, {"reward": self.reward}
        fixed = isinstance(self.agent, FixedStructure)
        # Phrases serve the classification. That words are left out is a purpose of its own, which the reward weighs.
        aim = "reward" if kind.task.structure == "selection" and not fixed else "log_likelihood"
        pnet_epochs = 0 if fixed else config.pnet_epochs
        by_structure, by_agent = partial(self._look, structure), partial(self._look, self.agent)
        self.stages = (
            Stage("warm", config.warm_epochs, self._warm, by_structure, "log_likelihood"),
            Stage("pnet", pnet_epochs, self._pnet, by_agent, "reward"),
            Stage("joint", config.joint_epochs, self._joint, by_agent, aim),
        )

    def _new_agent(self) -> LearningAgent:
        config = self.config
        if config.agent == STRUCTURE:
            assert config.structure is not None
            return FixedStructure(config.structure, self.structure)
        sentence = self.data.splits["train"].batch(torch.tensor([0]))
        return LEARNERS.get(config.agent)(self.learner.slow, sentence, self.reward, config)

    # What an update is -----------------------------------------------------------------------------------------------

    def _warm(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        plan = self.structure.plan(batch)
        return _prefixed("c_net", self.learner.update(self.config.learning_rate, batch.labels, batch, plan))

    def _pnet(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        return self._agent_update(batch, generator)[1]

    def _joint(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        episodes, metrics = self._agent_update(batch, generator)
        rate, labels = self.config.joint_learning_rate, episodes.sentences.labels
        assert rate is not None
        return metrics | _prefixed("c_net", self.learner.update(rate, labels, batch, episodes.actions))

    def _agent_update(self, batch: SentenceBatch, generator: torch.Generator) -> tuple[Episodes, dict[str, float]]:
        assert self.config.reward_dropout is not None  # the configuration has filled it in
        slow = self.learner.slow.train(self.config.reward_dropout)
        with torch.no_grad():
            batch = slow.words.read(batch)
        update = self.agent.update(slow, batch, self.reward, generator=generator)
        slow.eval()
        self.reward.adapt(update.episodes)
        return update.episodes, _prefixed("p_net", update.metrics)

    # Scores and results ----------------------------------------------------------------------------------------------

    def _look(self, policy: Agent) -> tuple[dict[str, float], str]:
        """How the slow copy does on dev under a policy, and what the policy makes of a few sentences."""
        scores = dev_scores(self.learner.slow, policy, self.data.splits["dev"], self.reward)
        shown = segmented_examples(self.learner.slow, policy, *self.data.examples())
        return scores, "\n\n".join(to_text(sentence) for sentence in shown)

    def scale(self, stage: Stage) -> dict[str, Any] | None:
        """A reward that has adapted measures by another scale."""
        return self.reward.state_dict() if stage.score == "reward" else None

    def save_result(self) -> None:
        """Save the slow copy and the P-Net."""
        self.save_classifier(self.learner.slow)
        self.agent.save(self.folder / AGENT)


def _fixed_structure(name: str, data: TrainingData, task: Task) -> Heuristic:
    """The baseline `name`, which must decide `task` on this data, and always in the same way."""
    structure = make_baseline(name, data.vocabulary, task)
    if not isinstance(structure, Heuristic):
        raise HsEnvError(f"The structure of the warm start must be fixed, got {name!r}. Leave it out, or take another.")
    structure.plan(data.splits["train"].batch(torch.tensor([0])))  # gold phrases may be missing: say so at once
    return structure


def _prefixed(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in metrics.items()}
