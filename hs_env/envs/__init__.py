"""The Gymnasium environments, and a checker for any vector environment."""

from hs_env.envs.checker import VectorEnvError, check_vector_env

__all__ = ["VectorEnvError", "check_vector_env"]
