"""Train a P-Net with an estimate of its policy gradient: REINFORCE, or another estimator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hs_env.compute import isolated
from hs_env.errors import HsEnvError, check_ranges
from hs_env.models.encoder import StructuredEncoder
from hs_env.problems.problem import Problem
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, Agent, AgentKind, Decision, LearningAgent, PolicyInput, Update
from .estimators import ESTIMATORS, Estimate, ExpectedReward
from .policy import LogitPolicy, PNet


@dataclass(frozen=True)
class ReinforceParameters:
    """Parameters of a P-Net that learns from an estimate of its policy gradient."""

    estimator: str = "rloo"
    """Estimator of the gradient: `rloo`, `moving_average` or `self_critical` (REINFORCE), `local_expectation`, `arm`,
    `disarm`, `rebar`, `relax`, `st_identity`, `st_sigmoid`, `st_hard` or `st_gumbel`."""
    samples: int = 5
    """Episodes per sentence, at least 2."""
    learning_rate: float | None = None
    """Learning rate of Adam; the default depends on the decision problem (5e-3 for phrases, 1e-3 for ID-LSTM)."""
    entropy_bonus: float = 0.01
    """Weight of the entropy bonus: the mean entropy per word, in nats."""
    hidden_size: int = 64
    """Width of the P-Net's tanh layer; 0 gives the linear policy of the paper."""
    clip_norm: float = 5.0
    """Maximum norm of the gradient."""

    def __post_init__(self) -> None:
        ESTIMATORS.resolve(self.estimator)
        if self.samples < 2:
            raise HsEnvError(f"REINFORCE needs 2 or more samples per sentence for its baseline, got {self.samples}.")
        check_ranges(self, samples=(2, 1e6), entropy_bonus=(0, 1e6), hidden_size=(0, 1e5), clip_norm=(1e-12, 1e12))
        if self.learning_rate is not None:
            check_ranges(self, learning_rate=(1e-12, 10))

    def resolve(self, problem: Problem) -> ReinforceParameters:
        """Fill in the learning rate of the problem if none is set."""
        return replace(self, learning_rate=self.learning_rate or problem.defaults.pnet_learning_rate)


class Reinforce(LearningAgent):
    """Trains a P-Net with Adam on an estimate of the gradient of the undiscounted mean reward.

    The default estimator is REINFORCE, `E[sum_t (R - b) grad log pi(a_t|s_t)]`. The baseline b of a sample is the mean
    reward of the other samples of the sentence, so the estimate is unbiased.

    Raises:
        HsEnvError: If the estimator supports two actions only, and the problem has more.
    """

    @isolated
    def __init__(self, state_size: int, problem: Problem, parameters: ReinforceParameters | None = None) -> None:
        self.parameters = (parameters or ReinforceParameters()).resolve(problem)
        assert self.parameters.learning_rate is not None
        kind = ESTIMATORS.get(self.parameters.estimator)
        self.estimator = kind(state_size)
        if kind.binary and problem.num_actions > 2:
            raise HsEnvError(
                f"The estimator {self.parameters.estimator!r} supports only decisions between two actions, and "
                f"{problem.title} has {problem.num_actions}. Choose 'rloo', 'moving_average', 'self_critical', "
                "'local_expectation', 'st_gumbel', 'st_sigmoid' or 'st_identity'."
            )
        self.pnet = PNet(state_size, self.parameters.hidden_size, problem.num_actions, problem.defaults.initial_logits)
        self.optimizer = torch.optim.Adam(self.pnet.parameters(), self.parameters.learning_rate)

    @isolated
    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`."""
        return LogitPolicy(self.pnet).act(inputs)

    def loss(self, estimate: Estimate) -> Tensor:
        """Return the loss: minus the objective of the estimate, minus the entropy bonus."""
        words = estimate.sampled.episodes.sentences.lengths
        entropy = (estimate.sampled.entropy.sum(1) / words).mean()
        return -estimate.objective - self.parameters.entropy_bonus * entropy

    @isolated
    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """See `LearningAgent.update`; takes one step of Adam on `samples` episodes per sentence."""
        expected = ExpectedReward(encoder, self.pnet, batch, reward, self.parameters.samples)
        estimate = self.estimator.estimate(expected, generator)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(estimate).backward()
        norm = nn.utils.clip_grad_norm_(self.pnet.parameters(), self.parameters.clip_norm)
        if not torch.isfinite(norm):
            raise HsEnvError(
                f"The gradient that {self.estimator.title} estimates is no longer finite: the policy has diverged. "
                "Use a smaller learning rate or an unbiased estimator."
            )
        self.optimizer.step()
        metrics = estimate.sampled.metrics(estimate.earned)
        return Update(
            estimate.sampled.episodes, metrics | {"gradient_norm": norm.item(), "passes": float(estimate.passes)}
        )

    def start_from(self, agent: Agent) -> None:
        """See `LearningAgent.start_from`."""
        if not isinstance(agent, LogitPolicy) or not isinstance(agent.logits, PNet):
            return super().start_from(agent)
        self.pnet.load_state_dict(agent.logits.state_dict())

    def save(self, path: Path) -> None:
        """See `LearningAgent.save`."""
        state = {
            "agent": "reinforce.v1",
            "state_size": self.pnet.state_size,
            "num_actions": self.pnet.num_actions,
            "parameters": asdict(self.parameters),
            "pnet": self.pnet.state_dict(),
        }
        save_state(path, "agent", state)

    def state_dict(self) -> dict[str, Any]:
        """See `LearningAgent.state_dict`."""
        return {
            "pnet": self.pnet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "estimator": self.estimator.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `LearningAgent.load_state_dict`."""
        self.pnet.load_state_dict(state["pnet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.estimator.load_state_dict(state["estimator"])


def _load(state: dict[str, Any]) -> Agent:
    parameters = state["parameters"] if "parameters" in state else state["config"]  # in files of version 0.1
    pnet = PNet(state["state_size"], parameters["hidden_size"], state.get("num_actions", 2))
    pnet.load_state_dict(state["pnet"])
    return LogitPolicy(pnet)


AGENTS.register("reinforce.v1")(
    AgentKind(
        parameters=ReinforceParameters,
        make=lambda setting, parameters: Reinforce(setting.encoder.state_size, setting.encoder.problem, parameters),
        load=_load,
        title=lambda parameters: ESTIMATORS.get(parameters.estimator).title,
        resolve=lambda parameters, problem: parameters.resolve(problem),
        reward_dropout=True,
    )
)
