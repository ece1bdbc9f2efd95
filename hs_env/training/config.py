"""The configuration of a training run; the command line is generated from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from hs_env.agents import AGENTS
from hs_env.errors import HsEnvError, check_ranges
from hs_env.models import MODELS, StructuredEncoder
from hs_env.parameters import parse_parameters, plain_values
from hs_env.training.upgrade import upgraded
from hs_env.vectors import is_contextual

Value = int | float | bool | str

LATER: Final = {"reward_dropout": False, "weight_decay": 0.0, "encoder_rate": 0.0}
"""Fields added later, with the value that reproduces the old behaviour, so older configurations still load."""


@dataclass(frozen=True)
class TrainConfig:
    """Train jointly: warm start of the C-Net, then the P-Net alone, then both in turn."""

    corpus: str = "movie_reviews"
    """Name of a corpus (see `hs-env corpora`), `hf:NAME`, or the path of a file or folder."""
    data_dir: Path | None = None
    """Folder of the data sets that are not built in, and of files of word vectors."""
    vectors: str = "glove-6b-50d"
    """Word vectors: `glove-6b-50d`, a GloVe text, word2vec binary or npz file, or `random:WIDTH`. `A,B` falls back to B
    for words that A lacks; `A+B` concatenates the two. `hf:MODEL@LAYER`, alone, is a layer of a Hugging Face encoder,
    so that the vector of a word depends on its sentence."""
    encoder_rate: float = 0.0
    """If not 0, the encoder of `hf:` vectors learns with the C-Net. The value is its learning rate as a share of the
    C-Net's, such as 0.05. The encoder is saved in the run's folder."""
    model: str = "hs_lstm"
    """The C-Net. Structured encoders: `hs_lstm`, `attentive_hs_lstm`, `id_lstm`. Classifiers without a P-Net:
    `plain_lstm`, `bilstm`, `cnn`, `self_attentive`, `hm_lstm`; they learn in the epochs of the warm start and of joint
    training."""
    model_parameters: dict[str, Value] = field(default_factory=dict)
    """Parameters of the model, such as `{"hidden_size": 100}`. `hs-env models` lists them."""
    warm_start: str | None = None
    """Baseline policy that the C-Net is warm-started on; by default that of the decision problem: `function_words` for
    phrases, `all_retain` for ID-LSTM."""
    reward: str | None = None
    """A reward, such as `log_likelihood - 0.3 * phrases` (see `hs-env rewards`); by default that of the decision
    problem: for phrases the reward of HS-LSTM's paper, for ID-LSTM the log-likelihood and a bonus for deletions that
    adapts to a target share."""
    reward_parameters: dict[str, float] = field(default_factory=dict)
    """Parameters of a reward given by name, such as `gamma 0.2`."""
    agent: str = "reinforce"
    """The P-Net: `reinforce`, `ppo`, `a2c`, `dqn`, `maskable_ppo` or `recurrent_ppo`. With `fixed` nothing learns to
    decide: the policy of the warm start is kept throughout."""
    agent_parameters: dict[str, Value] = field(default_factory=dict)
    """Parameters of the agent, such as `{"estimator": "disarm", "samples": 3}`. `hs-env agents` lists them."""
    reward_dropout: bool | None = None
    """Whether `reinforce` learns from a classifier with dropout, whose predictions on the training sentences are then
    no better than on other sentences; by default only for ID-LSTM, to which deleted words would otherwise seem to cost
    nothing."""
    batch_size: int = 64
    """Sentences per batch."""
    learning_rate: float = 2e-3
    """Learning rate of the C-Net (Adam) in the warm start."""
    joint_learning_rate: float | None = None
    """Learning rate of the C-Net (Adam) in joint training; by default 5e-4, for ID-LSTM 1e-4."""
    tau: float = 0.02
    """Share of the learning weights that the slow copy takes over after each update of the C-Net."""
    weight_decay: float = 0.0
    """Decoupled weight decay (as in AdamW) of all matrices except word vectors."""
    clip_norm: float = 5.0
    """Greatest norm of the gradient of the C-Net, including an encoder that learns."""
    warm_epochs: int | None = None
    """Greatest number of epochs of the warm start; by default 5, for ID-LSTM 10."""
    pnet_epochs: int | None = None
    """Greatest number of epochs of the P-Net alone; by default 1, for ID-LSTM 2."""
    joint_epochs: int = 4
    """Greatest number of epochs of joint training."""
    patience: int = 3
    """A stage ends after this many epochs without a better score on dev. If the reward adapts, scores of different
    epochs cannot be compared, and the last epoch is kept."""
    seed: int = 0
    """Seed of all random generators."""
    threads: int = 0
    """Threads of torch; 0 leaves the choice to torch."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints; one is also written after every epoch."""

    def __post_init__(self) -> None:
        """Check all values.

        Raises:
            HsEnvError: Naming the field, its value and its range; for unknown names with the nearest spelling.
        """
        if not isinstance(self.reward_dropout, bool | None):
            raise HsEnvError(f"reward_dropout must be true or false, or left out; got {self.reward_dropout!r}.")
        optional = {
            name: bounds
            for name, bounds in {
                "joint_learning_rate": (1e-12, 10),
                "warm_epochs": (0, 1e6),
                "pnet_epochs": (0, 1e6),
            }.items()
            if getattr(self, name) is not None
        }
        check_ranges(
            self,
            encoder_rate=(0, 1),
            batch_size=(1, 1e6),
            learning_rate=(1e-12, 10),
            tau=(1e-6, 1),
            weight_decay=(0, 1e9),
            clip_norm=(1e-12, 1e12),
            joint_epochs=(0, 1e6),
            patience=(1, 1e9),
            seed=(0, 2**63),
            threads=(0, 1e4),
            checkpoint_seconds=(0, 1e9),
            **optional,
        )
        if self.weight_decay * self.learning_rate >= 1:
            most = f"1 / learning_rate = {1 / self.learning_rate:g}"
            raise HsEnvError(f"weight_decay must be below {most}, where nothing is left; got {self.weight_decay!r}.")
        if self.encoder_rate and not is_contextual(self.vectors):
            raise HsEnvError(
                f"encoder_rate is for contextual word vectors, hf:MODEL@LAYER, and these are {self.vectors!r}. Put hf: "
                "before the name of an encoder, or leave --encoder-rate out."
            )
        if not isinstance(self, ResolvedConfig):
            self.resolve()

    def resolve(self) -> ResolvedConfig:
        """The configuration with every default filled in.

        Raises:
            HsEnvError: If a name or parameter is unknown, or the model has no use for an option that is set.
        """
        given = {each.name: getattr(self, each.name) for each in fields(TrainConfig)}
        kind = MODELS.get(self.model)
        model = parse_parameters(kind.Parameters, self.model_parameters, f"the model {self.model!r}")
        given["model_parameters"] = plain_values(model)
        resolved = self._for_encoder(kind) if issubclass(kind, StructuredEncoder) else self._for_flat_classifier()
        return ResolvedConfig(**given | resolved)

    def _for_encoder(self, kind: type[StructuredEncoder]) -> dict[str, Any]:
        """The fields that depend on the decision problem."""
        agent, problem = AGENTS.get(self.agent), kind.problem
        default = problem.defaults
        parameters = parse_parameters(agent.parameters, self.agent_parameters, f"the agent {self.agent!r}")
        if self.reward_dropout and not agent.reward_dropout:
            raise HsEnvError(f"{self.agent!r} takes no rewards under dropout. Leave reward_dropout to it: None.")
        values = {
            "warm_start": default.warm_start,
            "reward": default.reward,
            "reward_dropout": default.reward_dropout and agent.reward_dropout,
            "joint_learning_rate": default.joint_learning_rate,
            "warm_epochs": default.warm_epochs,
            "pnet_epochs": default.pnet_epochs,
        }
        chosen = {name: value if getattr(self, name) is None else getattr(self, name) for name, value in values.items()}
        return chosen | {"agent_parameters": plain_values(agent.resolve(parameters, problem))}

    def _for_flat_classifier(self) -> dict[str, Any]:
        """The fields of a classifier without actions."""
        for name in ("warm_start", "reward", "reward_dropout", "agent_parameters"):
            if getattr(self, name):
                flag = f"--{name.replace('_', '-')}"
                raise HsEnvError(f"The model {self.model!r} takes no actions and has no {name}. Leave {flag} out.")
        return {
            "agent": "",
            "warm_start": "",
            "reward": "",
            "reward_dropout": False,
            "joint_learning_rate": 5e-4 if self.joint_learning_rate is None else self.joint_learning_rate,
            "warm_epochs": 5 if self.warm_epochs is None else self.warm_epochs,
            "pnet_epochs": 0,
        }


@dataclass(frozen=True)
class ResolvedConfig(TrainConfig):
    """A configuration in which nothing is left to defaults: what a run is trained with, and what its folder holds.

    `agent`, `warm_start` and `reward` are empty for a classifier without actions.
    """

    warm_start: str = ""
    reward: str = ""
    reward_dropout: bool = False
    joint_learning_rate: float = 5e-4
    warm_epochs: int = 5
    pnet_epochs: int = 1

    @property
    def model_settings(self) -> Any:
        """The parameters of the model, as its own dataclass."""
        return parse_parameters(MODELS.get(self.model).Parameters, self.model_parameters, f"the model {self.model!r}")

    @property
    def agent_settings(self) -> Any:
        """The parameters of the agent, as its own dataclass."""
        return parse_parameters(AGENTS.get(self.agent).parameters, self.agent_parameters, f"the agent {self.agent!r}")

    def resolve(self) -> ResolvedConfig:
        """The same."""
        return self

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"data_dir": None if self.data_dir is None else str(self.data_dir)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ResolvedConfig:
        """The inverse of `to_json`; also reads configurations of version 0.1.

        Raises:
            HsEnvError: If a field is unknown or out of range.
        """
        try:
            current = LATER | upgraded(values)
            data_dir = current.get("data_dir")
            config = cls(**current | {"data_dir": None if data_dir is None else Path(data_dir)})
        except (KeyError, TypeError) as error:
            raise HsEnvError(f"This is no configuration of a run: {error}.") from error
        agent = plain_values(config.agent_settings) if config.agent else {}
        return replace(config, model_parameters=plain_values(config.model_settings), agent_parameters=agent)
