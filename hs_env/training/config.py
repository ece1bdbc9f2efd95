"""The configuration of a training run; the command line is generated from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

from hs_env.agents import AGENTS
from hs_env.compute import Precision, check_device, check_precision
from hs_env.corpora import CORPORA
from hs_env.errors import HsEnvError, check_decay, check_ranges, shown
from hs_env.models import MODELS, StructuredEncoder
from hs_env.parameters import make_plain, parse_parameters, plain_values
from hs_env.registry import unknown_name
from hs_env.training.paths import absolute, located, located_vectors
from hs_env.training.upgrade import upgraded
from hs_env.vectors import is_contextual

PRESETS: Final = Path(__file__).with_name("presets.toml")
"""Configurations by name."""

MIN_UPDATES: Final = 250
"""Default minimum number of updates of the warm start and of joint training."""

Value = int | float | bool | str


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of joint training: warm start of the C-Net, then the P-Net alone, then both in turn."""

    MAIN: ClassVar[tuple[str, ...]] = ("corpus", "data_dir", "vectors", "model", "reward", "agent", "seed")
    """Fields that `hs-env train --help` shows; `--help-all` shows all of them."""

    corpus: str = "movie_reviews"
    """Name of a corpus (see `hs-env corpora`), `hf:NAME`, or path of a file or folder, perhaps with settings
    (`mr:fold=3`, `reviews.csv:text=review,label=stars`)."""
    data_dir: Path | None = None
    """Folder that contains the data sets which are not built in, and files of word vectors."""
    vectors: str = "glove-6b-50d"
    """Word vectors: `glove-6b-50d`, a GloVe text, word2vec binary or npz file, or `random:WIDTH`. `A,B` falls back to B
    for words that A lacks; `A+B` concatenates the two. `hf:MODEL@LAYER`, not combined with others, is a layer of a
    Hugging Face encoder; the vector of a word then depends on its sentence."""
    encoder_rate: float = 0.0
    """Learning rate of the encoder of `hf:` vectors as a share of the C-Net's, such as 0.05; 0 freezes the encoder. It
    learns in the warm start, and is frozen after that. The trained encoder is saved in the run's folder."""
    encoder_decay: float = 1.0
    """Learning rate of each layer of the encoder as a share of that of the layer above, such as 0.8."""
    model: str = "hs_lstm"
    """C-Net. Structured encoders: `hs_lstm`, `attentive_hs_lstm`, `phrase_modules`, `id_lstm`, `skim_lstm`, `tree_lstm`
    and `chunk_lstm`. Classifiers without a P-Net: `plain_lstm`, `bilstm`, `cnn`, `self_attentive`, `hm_lstm`,
    `h_net`; they train for the epochs of the warm start and of joint training."""
    model_parameters: dict[str, Value] = field(default_factory=dict)
    """Parameters of the model, such as `{"hidden_size": 100}`. `hs-env models` lists them."""
    warm_start: str | None = None
    """Baseline policy that the C-Net is warm-started on; by default `function_words` for phrases, `all_retain` for
    ID-LSTM, `read_all` for skimming, `random` for trees and chunks."""
    reward: str | None = None
    """Reward, such as `log_likelihood - 0.3 * phrases` (see `hs-env rewards`). Default for phrases: the reward of
    HS-LSTM's paper. Default for ID-LSTM: the log-likelihood and a bonus for deletions that adapts to a target share."""
    reward_parameters: dict[str, float] = field(default_factory=dict)
    """Parameters of a reward given by name, such as `gamma 0.2`."""
    agent: str = "reinforce"
    """P-Net: `reinforce`, `ppo`, `a2c`, `dqn`, `maskable_ppo` or `recurrent_ppo`. `fixed` learns no policy: it keeps
    that of the warm start."""
    agent_parameters: dict[str, Value] = field(default_factory=dict)
    """Parameters of the agent, such as `{"estimator": "disarm", "samples": 3}`. `hs-env agents` lists them."""
    reward_dropout: bool | None = None
    """Whether the rewards of `reinforce` come from a classifier with dropout, so that it predicts training sentences no
    better than other ones. Default: only for ID-LSTM and skimming, where deleted words would otherwise seem to cost
    nothing."""
    init_from: str | None = None
    """Folder of a finished run to start from: the weights of its classifier and its agent. Then joint training comes
    first, unless `warm_epochs` or `pnet_epochs` is set. On the command line, its options are the defaults."""
    c_net_samples: int | None = None
    """Number of the sampled episodes per sentence that the C-Net trains on in joint training, at most `agent.samples`;
    by default all of them."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weights of the classes in the loss of the C-Net, in every stage. `balanced` gives all classes the same total
    weight, so that rare ones are learned. Rewards have no weights."""
    label_smoothing: float = 0.0
    """Share of each target's probability that is spread evenly over all classes in the loss of the C-Net, such as 0.1.
    The C-Net then becomes less certain. Rewards and scores are not smoothed."""
    batch_size: int = 64
    """Sentences per batch."""
    learning_rate: float = 2e-3
    """Learning rate of the C-Net (Adam) in the warm start."""
    joint_learning_rate: float | None = None
    """Learning rate of the C-Net (Adam) in joint training; by default 5e-4, for ID-LSTM and skimming 1e-4, for
    trees 1e-3."""
    decay_share: float = 0.0
    """Share of the updates of joint training, at the end, in which the learning rates of C-Net and `reinforce` decrease
    linearly to 1/50; 0 keeps them constant."""
    tau: float = 0.02
    """Share of the trained weights that the slow copy takes over after each update of the C-Net."""
    weight_decay: float = 0.0
    """Decoupled weight decay (as in AdamW) of all matrices except word vectors."""
    clip_norm: float = 5.0
    """Maximum norm of the gradient of the C-Net, including a fine-tuned encoder."""
    warm_epochs: int | None = None
    """Maximum number of epochs of the warm start; by default 5, for ID-LSTM and skimming 10, for trees 1."""
    pnet_epochs: int | None = None
    """Maximum number of epochs of the P-Net alone; by default 1, for ID-LSTM and skimming 2, for trees 0. A classifier
    without a P-Net has none, whatever is given, so that a grid can set it for all models."""
    joint_epochs: int | None = None
    """Maximum number of epochs of joint training; by default 4."""
    min_updates: int | None = None
    """Minimum number of updates of the warm start, and of joint training. Small corpora and curricula get more epochs
    until it is reached. By default 250, or 0 if `warm_epochs` or `joint_epochs` is given."""
    curriculum_epochs: int = 0
    """Epochs, counted from the start of the run, in which training leaves out sentences that are too long: the limit
    grows from `curriculum_words` words to the longest sentence. 0 uses all sentences from the start."""
    curriculum_words: int = 10
    """Number of words of the longest sentence in the first epoch of the curriculum."""
    patience: int = 3
    """Number of epochs without a better score on dev after which a stage ends. If the reward adapts, scores of
    different epochs cannot be compared, and the last epoch is kept."""
    seed: int = 0
    """Seed of all random generators."""
    threads: int = 0
    """Number of threads of PyTorch; 0 keeps its default."""
    precision: Precision | None = None
    """Precision of the products of matrices in training: `highest` (float32), `high` (TF32 or the like) or `medium`
    (bfloat16), which are faster on hardware that has them. By default that of PyTorch, which is `highest`. With
    `medium`, an encoder of words that learns computes in bfloat16 throughout."""
    device: str = field(default="auto", compare=False)
    """Device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for a CUDA GPU if there is one. A run made on one device can be
    resumed and used on another."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints within an epoch; one is also written after every epoch. The time grows if writing
    one takes more than a twentieth of it. 0 writes one after every update."""

    def __post_init__(self) -> None:
        """Check all values.

        Raises:
            HsEnvError: If a value is out of range, a name or parameter is unknown, or an option does not apply to the
                model or agent. The message names the field, its value and its range, or the nearest known name.
        """
        make_plain(self)
        optional = {
            name: bounds
            for name, bounds in {
                "joint_learning_rate": (1e-12, 10),
                "warm_epochs": (0, 1e6),
                "pnet_epochs": (0, 1e6),
                "joint_epochs": (0, 1e6),
                "min_updates": (0, 1e9),
                "c_net_samples": (1, 1e6),
            }.items()
            if getattr(self, name) is not None
        }
        check_ranges(
            self,
            encoder_rate=(0, 1),
            encoder_decay=(0, 1),
            label_smoothing=(0, 0.99),
            batch_size=(1, 1e6),
            learning_rate=(1e-12, 10),
            decay_share=(0, 1),
            tau=(1e-6, 1),
            weight_decay=(0, 1e9),
            clip_norm=(1e-12, 1e12),
            curriculum_epochs=(0, 1e6),
            curriculum_words=(1, 1e6),
            patience=(1, 1e9),
            seed=(0, 2**63 - 1),
            threads=(0, 1e4),
            checkpoint_seconds=(0, 1e9),
            **optional,
        )
        check_device(self.device)
        check_precision(self.precision)
        if self.class_weights not in ("none", "balanced"):
            raise unknown_name("class weights", shown(self.class_weights), ("none", "balanced"))
        check_decay(self.weight_decay, learning_rate=self.learning_rate, joint_learning_rate=self.joint_learning_rate)
        if self.encoder_decay != 1 and not self.encoder_rate:
            raise HsEnvError("encoder_decay is for an encoder that learns. Give --encoder-rate, or leave it out.")
        if self.encoder_rate and not is_contextual(self.vectors):
            raise HsEnvError(
                f"encoder_rate is for contextual word vectors, hf:MODEL@LAYER, got {self.vectors!r}. Put hf: before "
                "the name of an encoder, or leave --encoder-rate out."
            )
        if not isinstance(self, ResolvedConfig):
            self.resolve()

    def located(self) -> Self:
        """Return the configuration with absolute paths of corpus, data and word vectors."""
        data_dir = None if self.data_dir is None else Path(absolute(self.data_dir))
        vectors = located_vectors(self.vectors, data_dir)
        init_from = None if self.init_from is None else absolute(self.init_from)
        corpus = located(self.corpus, CORPORA)
        return replace(self, corpus=corpus, data_dir=data_dir, vectors=vectors, init_from=init_from)

    def resolve(self) -> ResolvedConfig:
        """Return the configuration with every default filled in.

        Raises:
            HsEnvError: If a name or parameter is unknown, or the model has no use for an option that is set.
        """
        given = plain_values(self)
        kind = MODELS.get(self.model)
        model = parse_parameters(kind.Parameters, self.model_parameters, f"the model {self.model!r}")
        given["model_parameters"] = plain_values(model)
        if self.min_updates is None:
            given["min_updates"] = MIN_UPDATES if self.warm_epochs is None and self.joint_epochs is None else 0
        given["joint_epochs"] = 4 if self.joint_epochs is None else self.joint_epochs
        resolved = self._for_encoder(kind) if issubclass(kind, StructuredEncoder) else self._for_flat_classifier()
        if self.encoder_rate and not resolved["warm_epochs"]:
            raise HsEnvError("An encoder learns in the warm start. Give --warm-epochs 1 or more, or --encoder-rate 0.")
        return ResolvedConfig(**given | resolved)

    def _for_encoder(self, kind: type[StructuredEncoder]) -> dict[str, Any]:
        """Return the fields that depend on the decision problem."""
        agent, problem = AGENTS.get(self.agent), kind.problem
        default = problem.defaults
        parameters = parse_parameters(agent.parameters, self.agent_parameters, f"the agent {self.agent!r}")
        if self.reward_dropout and not agent.reward_dropout:
            raise HsEnvError(f"{self.agent!r} takes no rewards under dropout. Leave --reward-dropout out.")
        sampled = getattr(parameters, "samples", 1)
        if self.c_net_samples is not None and self.c_net_samples > sampled:
            raise HsEnvError(
                f"c_net_samples must be at most the episodes per sentence of {self.agent!r}, which are {sampled}; got "
                f"{self.c_net_samples}."
            )
        fresh = self.init_from is None
        values = {
            "warm_start": default.warm_start,
            "reward": default.reward,
            "reward_dropout": default.reward_dropout and agent.reward_dropout,
            "joint_learning_rate": default.joint_learning_rate,
            "warm_epochs": default.warm_epochs if fresh else 0,
            "pnet_epochs": default.pnet_epochs if fresh else 0,
        }
        chosen = {name: value if getattr(self, name) is None else getattr(self, name) for name, value in values.items()}
        return chosen | {"agent_parameters": plain_values(agent.resolve(parameters, problem))}

    def _for_flat_classifier(self) -> dict[str, Any]:
        """Return the fields of a classifier without actions."""
        policy = ("agent", "agent_parameters", "warm_start", "c_net_samples")
        for name in (*policy, "reward", "reward_parameters", "reward_dropout"):
            if (given := getattr(self, name)) and given != getattr(TrainConfig, name, None):
                flag = f"--{name.replace('_', '-')}"
                raise HsEnvError(f"The model {self.model!r} takes no actions and has no {name}. Leave {flag} out.")
        return {
            "agent": "",
            "warm_start": "",
            "reward": "",
            "reward_dropout": False,
            "joint_learning_rate": 5e-4 if self.joint_learning_rate is None else self.joint_learning_rate,
            "warm_epochs": (0 if self.init_from else 5) if self.warm_epochs is None else self.warm_epochs,
            "pnet_epochs": 0,
        }


@dataclass(frozen=True)
class ResolvedConfig(TrainConfig):
    """A configuration with all defaults filled in, as a run uses it and saves it in its folder.

    `agent`, `warm_start` and `reward` are "" for a classifier without actions.
    """

    warm_start: str = ""
    reward: str = ""
    reward_dropout: bool = False
    joint_learning_rate: float = 5e-4
    warm_epochs: int = 5
    pnet_epochs: int = 1
    joint_epochs: int = 4
    min_updates: int = 0

    @property
    def foreign_code(self) -> str | None:
        """Name the code outside of hs-env that training imports and executes, or None."""
        return f"the reward {self.reward!r}" if ":" in self.reward else None

    @property
    def model_settings(self) -> Any:
        """Return the parameters of the model as an instance of its dataclass."""
        return parse_parameters(MODELS.get(self.model).Parameters, self.model_parameters, f"the model {self.model!r}")

    @property
    def agent_settings(self) -> Any:
        """Return the parameters of the agent as an instance of its dataclass."""
        return parse_parameters(AGENTS.get(self.agent).parameters, self.agent_parameters, f"the agent {self.agent!r}")

    def resolve(self) -> ResolvedConfig:
        """Return this configuration: it has no defaults to fill in."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self) | {"data_dir": None if self.data_dir is None else str(self.data_dir)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ResolvedConfig:
        """Build a configuration from the values of `to_json`, or from those of version 0.1.

        Raises:
            HsEnvError: If a field is unknown or out of range.
        """
        try:
            current = upgraded(values)
            data_dir = current.get("data_dir")
            config = cls(**current | {"data_dir": None if data_dir is None else Path(data_dir)})
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HsEnvError(f"This is not the configuration of a run: {error}.") from error
        agent = plain_values(config.agent_settings) if config.agent else {}
        return replace(config, model_parameters=plain_values(config.model_settings), agent_parameters=agent)
