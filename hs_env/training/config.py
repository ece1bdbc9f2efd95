"""The configuration of a training run; the command line is generated from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from hs_env.agents import ESTIMATORS, LEARNERS, STRUCTURE, ReinforceConfig, SB3Config
from hs_env.errors import HsEnvError, check_ranges
from hs_env.models import MODELS, StructuredEncoder
from hs_env.models.classifier import Model
from hs_env.types import DISTILLATION, SEGMENTATION, Task
from hs_env.vectors.contextual import is_contextual

LATER: Final = {"reward_dropout": False, "weight_decay": 0.0, "encoder_rate": 0.0}
"""Fields that came later, each with the value under which a run is what it was without, so that older ones count on."""

_COMMON: dict[str, str | int | float] = {
    "warm_epochs": 5,
    "pnet_epochs": 1,
    "joint_learning_rate": 5e-4,
    "reward_dropout": False,
}
_DEFAULTS: dict[Task, dict[str, str | int | float]] = {
    SEGMENTATION: {"structure": "function_words", "reward": "hs_lstm"},
    # Words are deleted at least cost from a classifier that has learnt all it can and then follows the P-Net slowly.
    DISTILLATION: {
        "structure": "all_retain",
        "reward": "log_likelihood + deletion_rate(target=0.15, weight=0.12, rate=0.0005)",
        "reward_dropout": True,
        "warm_epochs": 10,
        "pnet_epochs": 2,
        "joint_learning_rate": 1e-4,
    },
}
"""What a model is trained with unless the configuration says something else, by its task."""


@dataclass(frozen=True)
class TrainConfig:
    """Train jointly: warm start of the C-Net, then the P-Net alone, then both in turn."""

    corpus: str = "movie_reviews"
    """Name of a corpus (see `hs-env corpora`), `hf:NAME`, or the path of a file or folder."""
    data_dir: Path | None = None
    """Folder that holds the data sets which are not built in, and perhaps files of word vectors."""
    vectors: str = "glove-6b-50d"
    """Word vectors: `glove-6b-50d`, a GloVe text, word2vec binary or npz file, or `random:WIDTH`; `A,B` takes from B
    what A has not, `A+B` puts them side by side. Or, alone, `hf:MODEL@LAYER`: a layer of a Hugging Face encoder, so
    that a word's vector depends on its sentence."""
    encoder_rate: float = 0.0
    """If not 0, the encoder of `hf:` vectors learns with the C-Net, at this share of its rate, such as 0.05, and is
    saved in the run's folder."""
    model: str = "hs_lstm"
    """Structured encoder of the C-Net: `hs_lstm`, `attentive_hs_lstm` or `id_lstm`; or, without P-Net and structure,
    `plain_lstm`, `bilstm`, `cnn`, `self_attentive` or `hm_lstm`, which learn in the epochs of the warm start and of
    joint training."""
    hidden_size: int = 300
    """Width of each LSTM level."""
    dropout: float = 0.6
    """On the word vectors and before the softmax."""
    word_dropout: float = 0.2
    """Probability that a whole word vector is dropped."""
    structure: str | None = None
    """Baseline policy that the C-Net is warm-started on; by default `function_words` for phrases, and `all_retain`."""
    reward: str | None = None
    """A reward, such as `log_likelihood - 0.3 * phrases` (`hs-env rewards`); by default that of HS-LSTM's
    paper; for ID-LSTM the log-likelihood and a bonus for deletions that adapts: with a fixed one the share that is
    deleted varies from seed to seed."""
    reward_parameters: dict[str, float] = field(default_factory=dict)
    """Keyword arguments of the reward, such as `gamma 0.2`, if it is but a name."""
    agent: str = "reinforce"
    """What learns to segment: `reinforce`, `ppo`, `a2c`, `dqn`, `maskable_ppo` or `recurrent_ppo`; or nothing does:
    with `structure` the phrases are those of the warm start throughout."""
    estimator: str = "rloo"
    """How `reinforce` estimates its gradient: `rloo`, `moving_average` or `self_critical` (REINFORCE),
    `local_expectation`, `arm`, `disarm`, `rebar`, `relax`, `st_identity`, `st_sigmoid`, `st_hard` or `st_gumbel`."""
    reinforce: ReinforceConfig = field(default_factory=ReinforceConfig)
    """How `reinforce` learns."""
    reward_dropout: bool | None = None
    """Whether `reinforce` learns from a classifier with its dropout, whose verdicts on the training sentences are then
    no better than those on others; by default for ID-LSTM alone, to which deleted words would otherwise seem to
    cost nothing."""
    sb3: SB3Config = field(default_factory=SB3Config)
    """How the other agents learn, which are algorithms of Stable-Baselines3 and sb3-contrib."""
    batch_size: int = 64
    """Sentences in a batch."""
    learning_rate: float = 2e-3
    """Of the C-Net's Adam in the warm start."""
    joint_learning_rate: float | None = None
    """Of the C-Net's Adam in joint training; by default 5e-4, for ID-LSTM 1e-4."""
    tau: float = 0.02
    """Share of the learning weights that the slow copy takes over after each update of the C-Net."""
    weight_decay: float = 0.0
    """Of the C-Net's matrices but for word vectors: each update takes the rate times this share away (AdamW)."""
    clip_norm: float = 5.0
    """Greatest norm of the C-Net's gradient, that of an encoder which learns included."""
    warm_epochs: int | None = None
    """Greatest number of epochs of the warm start; by default 5, for ID-LSTM 10."""
    pnet_epochs: int | None = None
    """Greatest number of epochs of the P-Net alone; by default 1, for ID-LSTM 2."""
    joint_epochs: int = 4
    """Greatest number of epochs of both in turn."""
    patience: int = 3
    """A stage ends after this many epochs without a better score on dev; of a reward that adapts, and so measures each
    epoch by another scale, the last epoch counts."""
    seed: int = 0
    """Of everything random."""
    slope_per_epoch: float = 0.04
    """Of `hm_lstm`: the slope of its boundary detectors is min(5, 1 + slope_per_epoch * epoch)."""
    threads: int = 0
    """Threads of torch; 0 leaves the choice to torch."""
    checkpoint_seconds: float = 60.0
    """A checkpoint is written this often, and after every epoch."""

    def __post_init__(self) -> None:
        """Fill in what the model decides, and refuse values that cannot work.

        Raises:
            HsEnvError: Naming the field, its value and its range; or what an unknown name is near to.
        """
        if not isinstance(self.reward_dropout, bool | None):
            raise HsEnvError(f"reward_dropout must be true or false, or left out; got {self.reward_dropout!r}.")
        self._resolve(MODELS.get(self.model))
        if self.weight_decay * self.learning_rate >= 1:
            most = f"1 / learning_rate = {1 / self.learning_rate:g}"
            raise HsEnvError(f"weight_decay must be below {most}, where nothing is left; got {self.weight_decay!r}.")
        if self.encoder_rate and not is_contextual(self.vectors):
            raise HsEnvError(
                f"encoder_rate is for contextual word vectors, hf:MODEL@LAYER, and these are {self.vectors!r}. Put hf: "
                "before the name of an encoder, or leave --encoder-rate out."
            )
        stages = {f"{stage}_epochs": (0, 1e6) for stage in ("warm", "pnet", "joint")}
        check_ranges(
            self,
            encoder_rate=(0, 1),
            hidden_size=(1, 1e5),
            dropout=(0, 0.99),
            word_dropout=(0, 0.99),
            batch_size=(1, 1e6),
            learning_rate=(1e-12, 10),
            joint_learning_rate=(1e-12, 10),
            tau=(1e-6, 1),
            weight_decay=(0, 1e9),
            clip_norm=(1e-12, 1e12),
            patience=(1, 1e9),
            slope_per_epoch=(0, 1e6),
            seed=(0, 2**63),
            threads=(0, 1e4),
            checkpoint_seconds=(0, 1e9),
            **stages,
        )

    def _resolve(self, kind: type[Model]) -> None:
        """Fill in what the kind of model decides."""
        defaults, task = dict(_COMMON), SEGMENTATION
        if issubclass(kind, StructuredEncoder):
            task = kind.task
            ESTIMATORS.resolve(self.estimator)
            defaults |= _DEFAULTS.get(task, {}) | ({} if self.by_reinforce else {"reward_dropout": False})
            if self.reward_dropout and not self.by_reinforce:
                raise HsEnvError(f"{self.agent!r} takes no rewards under dropout. Leave reward_dropout to it: None.")
            for name in ("structure", "reward"):
                if getattr(self, name) is None and name not in defaults:
                    raise HsEnvError(f"There is no default {name} for {task.name}. Give one: --{name} NAME")
        else:
            for name in ("structure", "reward", "reward_dropout"):
                if getattr(self, name) not in (None, False):
                    flag = f"--{name.replace('_', '-')}"
                    raise HsEnvError(f"The model {self.model!r} takes no actions and has no {name}. Leave {flag} out.")
        object.__setattr__(self, "reinforce", self.reinforce.for_task(task))
        for name, default in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)

    @property
    def by_reinforce(self) -> bool:
        """Whether our own P-Net learns."""
        return self.agent != STRUCTURE and LEARNERS.resolve(self.agent) == "reinforce.v1"

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self) | {"data_dir": None if self.data_dir is None else str(self.data_dir)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of `to_json`, which may be of a version without the fields of `LATER`.

        Raises:
            HsEnvError: If a field is unknown or out of range, or those that hold fields themselves are missing.
        """
        try:
            reinforce, sb3 = ReinforceConfig(**values["reinforce"]), SB3Config(**values["sb3"])
            data_dir = None if values["data_dir"] is None else Path(values["data_dir"])
            return cls(**LATER | values | {"reinforce": reinforce, "sb3": sb3, "data_dir": data_dir})
        except (KeyError, TypeError) as error:
            raise HsEnvError(f"This is no configuration of a run: {error}.") from error
