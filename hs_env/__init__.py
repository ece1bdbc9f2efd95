"""The structure of text as decision problems: Gymnasium environments, agents, rewards, models and a trainer.

Importing the package registers the environments of all installed problems. It does not import torch: the first
environment does, and so does the first use of `load`, `Predictor`, `TextPrediction` or `HSLSTMClassifier`.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium

from hs_env.problems import PROBLEMS, class_stem, environment_id

if TYPE_CHECKING:
    from hs_env.errors import HsEnvError as HsEnvError
    from hs_env.inference import Predictor as Predictor
    from hs_env.inference import TextPrediction as TextPrediction
    from hs_env.inference import load as load
    from hs_env.inference.scikit_learn import HSLSTMClassifier as HSLSTMClassifier

__version__ = "0.2.0"

_LATER = {
    "HsEnvError": "hs_env.errors",
    "load": "hs_env.inference",
    "Predictor": "hs_env.inference",
    "TextPrediction": "hs_env.inference",
    "HSLSTMClassifier": "hs_env.inference.scikit_learn",
}
"""Module of each name that is imported when it is first used."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


# Where git cannot write links, hs_env/agents is a file of text: look for the packages next to hs_env as well.
if (Path(__path__[0]) / "agents").is_file():
    __path__.append(str(Path(__path__[0]).parent))

for _name in filter(PROBLEMS.is_versioned, PROBLEMS):
    if environment_id(_name) not in gymnasium.registry:  # after a reload it is
        gymnasium.register(
            environment_id(_name),
            entry_point=f"hs_env.envs.classes:{class_stem(_name)}Env",
            vector_entry_point=f"hs_env.envs.classes:{class_stem(_name)}VectorEnv",
        )
