"""The structure of text as decision problems: Gymnasium environments, agents, rewards, models and a trainer.

Importing the package registers the environments of all installed problems. It does not import torch, which the first
environment does.
"""

from pathlib import Path

import gymnasium

from hs_env.problems import PROBLEMS, class_stem, environment_id

__version__ = "0.2.0"

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
