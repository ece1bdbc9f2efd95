"""Train P-Net and C-Net jointly, in three stages (Zhang, Huang, Zhao, AAAI 2018)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from rich.console import Console

from hs_env import ranks
from hs_env.agents import (
    AGENTS,
    Agent,
    AgentSetting,
    Baseline,
    Heuristic,
    LearningAgent,
    Legality,
    load_agent,
    make_baseline,
    rollout,
)
from hs_env.compute import CPU, kept_generators, making_on, seed_for
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import policy_scores, segmented_examples
from hs_env.models import MODELS, StructuredEncoder
from hs_env.problems.problem import Problem
from hs_env.render import to_text
from hs_env.rewards import make_reward
from hs_env.shipped import AGENT
from hs_env.training.classifier_trainer import ClassifierTrainer, limited
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData
from hs_env.training.stages import Stage
from hs_env.types import Episodes, SentenceBatch

_COST: Final = 3.0
"""Rough time of an update of the P-Net, relative to one of the C-Net in the warm start."""


class Trainer(ClassifierTrainer):
    """Warm-starts the C-Net on a baseline policy, trains the P-Net with the C-Net frozen, then both in turn.

    Args:
        config: Configuration of the run.
        data: Corpus, vocabulary and word vectors.
        folder: Folder of the run.
        console: Console that shows progress.
    """

    def __init__(self, config: ResolvedConfig, data: TrainingData, folder: Path, console: Console) -> None:
        super().__init__(config, data, folder, console)
        self.reward = make_reward(config.reward, **config.reward_parameters)
        kind = MODELS.get(config.model)
        assert issubclass(kind, StructuredEncoder)
        self.warm_start = _warm_start(config.warm_start, data, kind.problem)
        agent_kind = AGENTS.get(config.agent)
        with kept_generators(seed=seed_for(config.seed, "weights")):
            model = self.new_model()
            assert isinstance(model, StructuredEncoder)
            if kind.penalised is not StructuredEncoder.penalised:
                ranks.require_one(f"{kind.title}, whose loss has a penalty,")
            self.classifier = self.optimizer(model)
            sentence = data.splits["train"].batch(torch.tensor([0], device=CPU))
            slow, name = self.classifier.slow, config.warm_start
            setting = AgentSetting(slow, sentence, self.reward, self.warm_start, name)
            with making_on():
                self.agent = agent_kind.make(setting, config.agent_settings)
        _check_saving(self.agent, config.agent)
        if not self.agent.shares:
            ranks.require_one(f"The agent {config.agent!r} of this configuration")
        if self.origin is not None:
            self.origin.give_policy(self.agent, data)
        self.learned, self.adapted = {"learner": self.classifier, "agent": self.agent}, {"reward": self.reward}
        joint_score = kind.problem.defaults.joint_score if agent_kind.learns else "log_likelihood"
        by_warm_start, by_agent = partial(self._scores, self.warm_start), partial(self._scores, self.agent)
        name, epochs = config.warm_start, config.pnet_epochs if agent_kind.learns else 0
        about = f"the classifier (C-Net) learns, with the decisions of {name}"
        warm = self.stage(
            "warm", config.warm_epochs, self._warm, by_warm_start, "log_likelihood", (), about, self.warm_cost
        )
        about = limited("the policy (P-Net) learns from rewards, the classifier is frozen", epochs)
        pnet = Stage("pnet", epochs, self._pnet, by_agent, "reward", about=about, cost=_COST)
        goes_on = f"the classifier continues to learn with the decisions of {name}"
        about = "policy and classifier learn in turn" if agent_kind.learns else goes_on
        joint = self.stage("joint", config.joint_epochs, self._joint, by_agent, joint_score, (warm, pnet), about, _COST)
        self.stages = (warm, pnet, joint)

    # Updates ---------------------------------------------------------------------------------------------------------

    def _warm(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        policy, problem = self.warm_start, self.classifier.fast.problem
        if isinstance(policy, Heuristic):
            actions = policy.checked_plan(batch)
        else:
            actions = rollout(Legality(problem), policy, batch, generator=generator).episodes.actions
        return _prefixed("c_net", self.classifier.update(self.config.learning_rate, batch.labels, batch, actions))

    def _pnet(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        return self._agent_update(batch, generator)[1]

    def _joint(self, batch: SentenceBatch, generator: torch.Generator) -> dict[str, float]:
        factor = self.rate_factor(self.stages[-1])
        self.agent.scale_rate(factor)
        episodes, metrics = self._agent_update(batch, generator)
        rate, kept = factor * self.config.joint_learning_rate, episodes.first(self.config.c_net_samples, len(batch))
        return metrics | _prefixed("c_net", self.classifier.update(rate, kept.sentences.labels, batch, kept.actions))

    def _agent_update(self, batch: SentenceBatch, generator: torch.Generator) -> tuple[Episodes, dict[str, float]]:
        self.reward.set_progress(self._policy_progress())
        slow = self.classifier.slow.train(self.config.reward_dropout)
        update = self.agent.update(slow, batch, self.reward, generator=generator)
        slow.eval()
        self.reward.adapt(self._of_all_ranks(update.episodes))
        return update.episodes, _prefixed("p_net", update.metrics)

    def _of_all_ranks(self, episodes: Episodes) -> Episodes:
        """Return the episodes of the whole batch from those of the share of this process."""
        if ranks.current() is None:
            return episodes
        sentences = self.data.splits["train"].batch(ranks.gathered(episodes.sentences.indices).cpu())
        measures = {name: ranks.gathered(values) for name, values in episodes.measures.items()}
        return Episodes(sentences, ranks.gathered(episodes.actions), ranks.gathered(episodes.log_probs), measures)

    def _policy_progress(self) -> float:
        """Return how much of the P-Net's training is done, from 0 to 1."""
        done, total = 0, 0
        for place, stage in enumerate(self.stages):
            updates = 0 if stage.name == "warm" else self.max_updates(stage)
            if place < self.progress.stage:
                done += updates
            elif place == self.progress.stage:
                done += min(updates, self.progress.epoch * self.updates_per_epoch + self.progress.batch)
            total += updates
        return done / max(total, 1)

    # Scores and results ----------------------------------------------------------------------------------------------

    def _scores(self, policy: Agent) -> tuple[dict[str, float], str]:
        """Score the slow copy on dev under a policy, and show the policy's decisions for a few sentences."""
        slow = self.classifier.slow
        self.reward.set_progress(self._policy_progress())
        scores = policy_scores(slow, policy, self.data.splits["dev"], self.reward, self.class_weights)
        shown = segmented_examples(slow, policy, *self.data.examples())
        return scores, "\n\n".join(to_text(sentence) for sentence in shown)

    def scale(self, stage: Stage) -> dict[str, Any] | None:
        """Return the state of the reward: rewards before and after it adapts cannot be compared."""
        return self.reward.state_dict() if stage.score == "reward" else None

    def save_result(self) -> None:
        """Save the slow copy and the P-Net."""
        self.save_classifier(self.classifier.settled())
        self.agent.save(self.folder / AGENT)


def _check_saving(agent: LearningAgent, name: str) -> None:
    """Save and load the new agent once, since an error after the training would lose it.

    Raises:
        HsEnvError: If the agent cannot be loaded again.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / AGENT
        try:
            agent.save(path)
            load_agent(path)
        except HsEnvError as error:
            raise HsEnvError(f"The agent {name!r} cannot be loaded after it is saved: {error}") from error


def _warm_start(name: str, data: TrainingData, problem: Problem) -> Baseline:
    """Make a baseline policy, and check that it does not observe the encoder and suits this problem and data."""
    policy = make_baseline(name, data.vocabulary, problem)
    if policy.observes:
        raise HsEnvError(
            f"The policy of the warm start does not observe the encoder, but {name!r} does. Choose another."
        )
    policy.begin(
        data.splits["train"].batch(torch.tensor([0], device=CPU))
    )  # raises at once if gold actions are missing
    return policy


def _prefixed(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": value for name, value in metrics.items()}
