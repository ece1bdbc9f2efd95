"""The checker of vector environments: it takes any `gymnasium.vector.VectorEnv`, and knows nothing of ours."""

from hs_env.envs.checker.check import check_vector_env
from hs_env.envs.checker.contract import VectorEnvError

__all__ = ["VectorEnvError", "check_vector_env"]
