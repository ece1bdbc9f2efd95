"""What a vector environment says about itself, and the error for one that does not keep to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymnasium import Space
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from hs_env.errors import HsEnvError


class VectorEnvError(HsEnvError, AssertionError):
    """A vector environment breaks its contract: what was expected, what came, at which step and slot, what to do."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The attributes of a vector environment that its other checks rest on.

    Attributes:
        num_envs: Slots.
        mode: When a finished slot is reset.
        observation_space: Of all slots.
        single_observation_space: Of one.
        single_action_space: Of one.
        uniform: Whether all slots have the single observation space. `observation_mode` of Gymnasium's own vector
            environments may be another than "same".
        copies: Whether returned observations are the caller's own. Gymnasium's vector environments have `copy=False`.
    """

    num_envs: int
    mode: AutoresetMode
    observation_space: Space[Any]
    single_observation_space: Space[Any]
    single_action_space: Space[Any]
    uniform: bool
    copies: bool


def read_contract(env: VectorEnv[Any, Any, Any]) -> Contract:
    """Check the attributes of `env`.

    Raises:
        VectorEnvError: One is missing, or two of them contradict each other.
    """
    if not isinstance(env, VectorEnv):
        raise VectorEnvError(
            f"Expected a gymnasium.vector.VectorEnv, got {env!r}. "
            "For a single environment there is gymnasium.utils.env_checker.check_env."
        )
    if env.unwrapped.closed:
        raise VectorEnvError("`closed` is True before the first call; give the checker a new environment.")
    num_envs = getattr(env, "num_envs", None)
    if not isinstance(num_envs, int) or num_envs < 1:
        raise VectorEnvError(f"`num_envs` is {num_envs!r}, expected the number of slots, an integer from 1.")
    uniform = getattr(env.unwrapped, "observation_mode", "same") == "same"
    single_observation_space, observation_space = _spaces(env, "observation_space", num_envs, uniform)
    single_action_space, _ = _spaces(env, "action_space", num_envs, True)
    return Contract(
        num_envs=num_envs,
        mode=_mode(env),
        observation_space=observation_space,
        single_observation_space=single_observation_space,
        single_action_space=single_action_space,
        uniform=uniform,
        copies=bool(getattr(env.unwrapped, "copy", True)),
    )


def _spaces(env: VectorEnv[Any, Any, Any], name: str, num_envs: int, uniform: bool) -> tuple[Space[Any], Space[Any]]:
    """The space of one slot and that of all."""
    single, batched = _space(env, f"single_{name}"), _space(env, name)
    expected = batch_space(single, num_envs)
    if not (batched == expected if uniform else is_space_dtype_shape_equiv(batched, expected)):
        raise VectorEnvError(
            f"`{name}` is {batched}, expected {expected}: make it by "
            f"gymnasium.vector.utils.batch_space(single_{name}, num_envs)."
        )
    return single, batched


def _space(env: VectorEnv[Any, Any, Any], name: str) -> Space[Any]:
    space = getattr(env, name, None)
    if not isinstance(space, Space):
        raise VectorEnvError(f"`{name}` is {space!r}, expected a gymnasium.Space.")
    return space


def _mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    mode = (env.metadata or {}).get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise VectorEnvError(
            f"`metadata['autoreset_mode']` is {mode!r}, expected a gymnasium.vector.AutoresetMode; wrappers and "
            "learning libraries read it there."
        )
    attribute = getattr(env.unwrapped, "autoreset_mode", mode)
    if attribute != mode:
        raise VectorEnvError(
            f"The attribute `autoreset_mode` is {attribute!r}, but `metadata['autoreset_mode']` is {mode!r}; "
            "set both to the same member of AutoresetMode."
        )
    return mode
