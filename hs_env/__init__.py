"""The structure of text as decision problems: Gymnasium environments, agents, rewards, models and a trainer.

Importing the package registers the environments of all installed problems. It does not import torch, which the first
environment does.
"""

import gymnasium

from hs_env.problems import PROBLEMS, class_stem, environment_id

__version__ = "0.2.0"

for _name in filter(PROBLEMS.is_versioned, PROBLEMS):
    if environment_id(_name) not in gymnasium.registry:  # after a reload it is
        gymnasium.register(
            environment_id(_name),
            entry_point=f"hs_env.envs.classes:{class_stem(_name)}Env",
            vector_entry_point=f"hs_env.envs.classes:{class_stem(_name)}VectorEnv",
        )
