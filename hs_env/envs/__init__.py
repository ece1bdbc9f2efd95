"""The environments, and a checker for vector environments of any kind."""

from hs_env.envs.checker import VectorEnvError, check_vector_env

__all__ = ["VectorEnvError", "check_vector_env"]
