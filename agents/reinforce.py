"""Train a P-Net with an estimate of its policy gradient: REINFORCE, or another estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from hs_env import ranks
from hs_env.compute import Device, device_of, find_device, isolated, making_on
from hs_env.errors import HsEnvError, check_decay, check_ranges
from hs_env.models.encoder import StructuredEncoder
from hs_env.models.rate import RateParameters, rate_loss
from hs_env.parameters import parse_parameters
from hs_env.problems.composition import Composition
from hs_env.problems.problem import Problem
from hs_env.rewards import Reward
from hs_env.storage import save_state
from hs_env.types import SentenceBatch

from .base import AGENTS, Agent, AgentKind, AgentSetting, Decision, LearningAgent, PolicyInput, Update
from .distances import DistanceNet, TreePolicy, WordWeightNet
from .estimators import ESTIMATORS, Estimate, ExpectedReward, ScoreFunction
from .estimators.base import checked
from .estimators.score import BaselineName, RatioName, ScaleName
from .policy import LogitPolicy, PNet, PolicyNet

_OPTIMIZERS: Final[dict[str, Callable[..., torch.optim.Optimizer]]] = {
    "adam": torch.optim.AdamW,
    "adadelta": torch.optim.Adadelta,
}


@dataclass(frozen=True)
class ReinforceParameters(RateParameters):
    """Parameters of a P-Net that learns from an estimate of its policy gradient."""

    estimator: str = "rloo"
    """Estimator of the gradient: `rloo`, `moving_average` or `self_critical` (REINFORCE), `grpo`, `ppo`,
    `local_expectation`, `arm`, `disarm`, `rebar`, `relax`, `st_identity`, `st_sigmoid`, `st_hard` or `st_gumbel`."""
    samples: int = 5
    """Episodes per sentence. Estimators that compare the samples of a sentence need at least 2."""
    baseline: BaselineName | None = None
    """Baseline of the first five estimators: `leave_one_out`, `group_mean`, `batch_mean`, `moving_average` or
    `self_critical`. This and the next five parameters replace the estimator's own settings."""
    scale: ScaleName | None = None
    """Divisor of the advantages: `none`, `group` (standard deviation of the sentence's rewards) or `running` (moving
    average of the standard deviation of all advantages, at least 1)."""
    updates: int | None = None
    """Steps of the optimiser on the same episodes; `ppo` takes 15, the others 1."""
    clip: float | None = None
    """Distance from 1 at which probability ratios are clipped, 0.2 for `grpo` and `ppo`; 0 never clips."""
    ratio: RatioName | None = None
    """Whether a ratio is that of a whole `sequence` of actions (`ppo`) or of a `word` (`grpo`)."""
    discount: float | None = None
    """Factor per step, 0 to 1, of later rewards: each word then has an advantage of its own, for rewards that come at
    each step. Without it, every word has that of the whole episode."""
    optimizer: Literal["adam", "adadelta"] = "adam"
    """Optimiser: `adam` or `adadelta`."""
    learning_rate: float | None = None
    """Learning rate; the default for Adam depends on the decision problem (5e-3 for phrases, 1e-3 for ID-LSTM), that
    for Adadelta is 0.1."""
    entropy_bonus: float = 0.01
    """Weight of the entropy bonus: the mean entropy per word, in nats."""
    hidden_size: int = 64
    """Width of the P-Net's tanh layer; 0 gives the linear policy of the paper."""
    policy: Literal["actions", "distances", "word_weights"] = "actions"
    """What the P-Net computes: logits of the `actions`, or, for trees, `distances` between neighbouring words, of which
    the near ones are reduced first, or `word_weights`, whose sum over a constituent decides whether it is reduced.
    The last two come from a reader alone."""
    reader: Literal["none", "words", "lstm", "bilstm"] = "none"
    """Reader of the P-Net, which has word vectors of its own: `words` sees one word, `lstm` reads the words so far,
    `bilstm` the whole sentence."""
    reader_size: int = 64
    """Width of the reader's word vectors and of its LSTM."""
    observe: bool = True
    """Whether the P-Net observes the encoder's state. Without it, it decides from its reader alone."""
    clip_norm: float = 5.0
    """Maximum norm of the gradient."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW) of all matrices of the P-Net; only for `adam`."""

    def __post_init__(self) -> None:
        self.check_rate()
        kind, changes = ESTIMATORS.get(self.estimator), self.score_settings
        score = replace(kind.preset, **changes) if issubclass(kind, ScoreFunction) else None
        if changes and score is None:
            raise HsEnvError(
                f"The estimator {self.estimator!r} has no setting {next(iter(changes))!r}. Choose 'rloo', "
                "'moving_average', 'self_critical', 'grpo' or 'ppo', or leave it out."
            )
        if self.samples < 2 and (kind if score is None else score).compares_samples:
            raise HsEnvError(
                f"The estimator {self.estimator!r} compares the samples of a sentence, so it needs 2 or more, got "
                f"{self.samples}."
            )
        if self.reader == "none" and not self.observe:
            raise HsEnvError(
                "A P-Net that does not observe the encoder needs a reader: choose 'words', 'lstm' or 'bilstm'."
            )
        if self.policy != "actions" and (self.reader == "none" or self.observe or not self.hidden_size):
            raise HsEnvError(
                f"The policy {self.policy!r} has a reader and a tanh layer, and does not observe the encoder. Set "
                "`reader` to 'words', 'lstm' or 'bilstm', `observe` to False, and `hidden_size` to 1 or more."
            )
        if self.policy != "actions" and score is None:
            raise HsEnvError(
                f"The estimator {self.estimator!r} cannot train the policy {self.policy!r}. Choose 'rloo', "
                "'moving_average', 'self_critical', 'grpo' or 'ppo'."
            )
        if self.weight_decay and self.optimizer != "adam":
            raise HsEnvError(f"The optimiser {self.optimizer!r} has no decoupled weight decay. Choose 'adam'.")
        ranges = {"updates": (1, 1e6), "clip": (0, 1), "discount": (0, 1), "learning_rate": (1e-12, 10)}
        optional = {name: bounds for name, bounds in ranges.items() if getattr(self, name) is not None}
        check_ranges(
            self,
            samples=(1, 1e6),
            entropy_bonus=(0, 1e6),
            hidden_size=(0, 1e5),
            reader_size=(1, 1e5),
            clip_norm=(1e-12, 1e12),
            weight_decay=(0, 10),
            **optional,
        )
        check_decay(self.weight_decay, learning_rate=self.learning_rate)

    @property
    def score_settings(self) -> dict[str, Any]:
        """Return the settings of a score-function estimator that replace its own."""
        names = ("baseline", "scale", "updates", "clip", "ratio", "discount")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def resolve(self, problem: Problem) -> ReinforceParameters:
        """Fill in the learning rate if none is set."""
        default = problem.defaults.pnet_learning_rate if self.optimizer == "adam" else 0.1
        return replace(self, learning_rate=self.learning_rate or default)

    def make_pnet(
        self, state_size: int, num_actions: int, vocabulary_size: int, initial_logits: tuple[float, ...] = ()
    ) -> PolicyNet:
        """Make the P-Net that these parameters describe.

        Args:
            state_size: Width D of an observation; of no use to a policy of trees.
            num_actions: Number k of actions.
            vocabulary_size: V, number of token ids, for a reader.
            initial_logits: Initial logits of the k actions; empty for zeros.
        """
        if self.policy != "actions":
            trees = DistanceNet if self.policy == "distances" else WordWeightNet
            return trees(self.hidden_size, self.reader, self.reader_size, vocabulary_size)
        return PNet(
            state_size,
            self.hidden_size,
            num_actions,
            initial_logits,
            reader=self.reader,
            reader_size=self.reader_size,
            vocabulary_size=vocabulary_size,
            observe=self.observe,
        )


class Reinforce(LearningAgent):
    """Trains a P-Net on an estimate of the gradient of the undiscounted mean reward.

    The default estimator is REINFORCE, `E[sum_t (R - b) grad log pi(a_t|s_t)]`. The baseline b of a sample is the mean
    reward of the other samples of the sentence, so the estimate is unbiased.

    Args:
        state_size: Width D of an observation.
        problem: Decision problem.
        parameters: Parameters.
        vocabulary_size: V, number of token ids, for a reader.
        device: Device of the encoders that it will act on.

    Raises:
        HsEnvError: If the estimator supports two actions only, and the problem has more; or the policy is one of
            trees, and the problem is not composition.
    """

    @isolated
    def __init__(
        self,
        state_size: int,
        problem: Problem,
        parameters: ReinforceParameters | None = None,
        *,
        vocabulary_size: int = 0,
        device: Device = "cpu",
    ) -> None:
        device = find_device(device)
        self.parameters = (parameters or ReinforceParameters()).resolve(problem)
        self.vocabulary_size = vocabulary_size
        self.actions = problem.actions
        kind = ESTIMATORS.get(self.parameters.estimator)
        with making_on():
            self.estimator = kind(state_size, **self.parameters.score_settings)
        self.estimator.to(device)
        if kind.binary and problem.num_actions > 2:
            raise HsEnvError(
                f"The estimator {self.parameters.estimator!r} supports only decisions between two actions, and "
                f"{problem.title} has {problem.num_actions}. Choose 'rloo', 'moving_average', 'self_critical', 'grpo', "
                "'ppo', 'local_expectation', 'st_gumbel', 'st_sigmoid' or 'st_identity'."
            )
        if self.parameters.boundary_rate is not None and problem.num_actions > 2:
            raise HsEnvError(f"boundary_rate is for decisions between two actions, and {problem.title} has more.")
        k, initial = problem.num_actions, problem.defaults.initial_logits
        if self.parameters.policy != "actions" and not isinstance(problem, Composition):
            raise HsEnvError(
                f"The policy {self.parameters.policy!r} makes trees, and {problem.title} has none. Use `policy` "
                "'actions'."
            )
        with making_on():
            self.pnet = self.parameters.make_pnet(state_size, k, vocabulary_size, initial)
        self.pnet.to(device)
        self._policy = self.pnet.agent()
        self.observes = self._policy.observes
        self.shares = isinstance(self.estimator, ScoreFunction) and self.parameters.boundary_rate is None
        self._state_size, self._num_actions = state_size, k
        weights = list(self.pnet.parameters())
        matrices, others = [w for w in weights if w.ndim > 1], [w for w in weights if w.ndim < 2]
        groups = [{"params": matrices, "weight_decay": self.parameters.weight_decay}, {"params": others}]
        make = _OPTIMIZERS[self.parameters.optimizer]
        self.optimizer = make(groups, lr=self.parameters.learning_rate, weight_decay=0.0)

    def begin(self, batch: SentenceBatch, samples: int = 1) -> Tensor:
        """See `Agent.begin`."""
        return self._policy.begin(batch, samples)

    def act(self, inputs: PolicyInput) -> Decision:
        """See `Agent.act`."""
        return self._policy.act(inputs)

    def loss(self, estimate: Estimate) -> Tensor:
        """Return the loss: the control of the rate, minus the objective of the estimate and the entropy bonus."""
        words = estimate.sampled.episodes.sentences.lengths
        entropy = (estimate.sampled.entropy.sum(1) / words).mean()
        decisions = estimate.sampled.decisions
        penalty = rate_loss(self.parameters, [] if decisions is None else [decisions])
        return (0.0 if penalty is None else penalty) - estimate.objective - self.parameters.entropy_bonus * entropy

    @isolated
    def update(
        self,
        encoder: StructuredEncoder,
        batch: SentenceBatch,
        reward: Reward,
        *,
        generator: torch.Generator | None = None,
    ) -> Update:
        """See `LearningAgent.update`; takes the steps of the estimator on `samples` episodes per sentence."""
        expected = ExpectedReward(encoder, self.pnet, batch, reward, self.parameters.samples)
        metrics: list[dict[str, float]] = []
        for estimate in self.estimator.steps(expected, generator):
            now = estimate.sampled.metrics(estimate.earned) | estimate.metrics
            metrics.append(now | {"gradient_norm": self._step(estimate), "passes": float(estimate.passes)})
        means = {name: sum(each[name] for each in metrics) / len(metrics) for name in metrics[0]}
        return Update(estimate.sampled.episodes, means)

    def _step(self, estimate: Estimate) -> float:
        """Take one step of the optimiser, and return the norm of the gradient."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(checked(estimate, self.estimator)).backward()
        ranks.reduce_gradients(self.pnet.parameters())
        norm = nn.utils.clip_grad_norm_(self.pnet.parameters(), self.parameters.clip_norm)
        if not torch.isfinite(norm):
            raise HsEnvError(
                f"The gradient that {self.estimator.title} estimates is no longer finite: the policy has diverged. "
                "Use a smaller learning rate or an unbiased estimator."
            )
        with making_on():
            self.optimizer.step()
        return norm.item()

    def scale_rate(self, factor: float) -> None:
        """See `LearningAgent.scale_rate`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.optimizer.defaults["lr"] * factor

    def start_from(self, agent: Agent) -> None:
        """See `LearningAgent.start_from`."""
        if not isinstance(agent, LogitPolicy | TreePolicy):
            return super().start_from(agent)
        self.pnet.load_state_dict(agent.pnet.state_dict())

    def save(self, path: Path) -> None:
        """See `LearningAgent.save`."""
        state = {
            "agent": "reinforce.v1",
            "state_size": self._state_size,
            "num_actions": self._num_actions,
            "vocabulary_size": self.vocabulary_size,
            "parameters": asdict(self.parameters),
            "pnet": self.pnet.state_dict(),
        } | self.named_actions()
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
    saved = state["parameters"] if "parameters" in state else state["config"]  # in files of version 0.1
    parameters = parse_parameters(ReinforceParameters, saved, "a saved agent")
    pnet = parameters.make_pnet(state["state_size"], state.get("num_actions", 2), state.get("vocabulary_size", 0))
    pnet.load_state_dict(state["pnet"])
    return pnet.agent()


def _make(setting: AgentSetting, parameters: ReinforceParameters) -> Reinforce:
    encoder = setting.encoder
    size, device = encoder.words.vocabulary_size if parameters.reader != "none" else 0, device_of(encoder)
    return Reinforce(encoder.state_size, encoder.problem, parameters, vocabulary_size=size, device=device)


AGENTS.register("reinforce.v1")(
    AgentKind(
        parameters=ReinforceParameters,
        make=_make,
        load=_load,
        title=lambda parameters: ESTIMATORS.get(parameters.estimator).title,
        resolve=lambda parameters, problem: parameters.resolve(problem),
        reward_dropout=True,
    )
)
