"""A checker for any `gymnasium.vector.VectorEnv`, independent of the environments of this package."""

from hs_env.envs.checker.check import check_vector_env
from hs_env.envs.checker.contract import VectorEnvError

__all__ = ["VectorEnvError", "check_vector_env"]
