"""Read the attributes that a vector environment declares; define the error for one that breaks its contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gymnasium import Space
from gymnasium.spaces.utils import is_space_dtype_shape_equiv
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from hs_env.errors import HsEnvError


class VectorEnvError(HsEnvError, AssertionError):
    """A vector environment breaks its contract.

    The message says in which call and slot, what was expected, what came and what to do.
    """


@dataclass(frozen=True, slots=True)
class Contract:
    """The attributes of a vector environment that the other checks need.

    Attributes:
        num_envs: Number of slots, N.
        mode: Autoreset mode, which says when a finished slot is reset.
        observation_space: Space of the observations of all slots.
        single_observation_space: Space of the observations of one slot.
        single_action_space: Space of the actions of one slot.
        uniform: Whether the single observation space holds for all slots. It does not in Gymnasium's own vector
            environments if their `observation_mode` is not "same".
        copies: Whether each call returns new arrays of observations. Gymnasium's own vector environments do not if
            they are created with `copy=False`.
    """

    num_envs: int
    mode: AutoresetMode
    observation_space: Space[Any]
    single_observation_space: Space[Any]
    single_action_space: Space[Any]
    uniform: bool
    copies: bool


def read_contract(env: VectorEnv[Any, Any, Any]) -> Contract:
    """Read and check the attributes of a vector environment.

    Raises:
        VectorEnvError: If an attribute is missing or contradicts another one.
    """
    if not isinstance(env, VectorEnv):
        raise VectorEnvError(
            f"Expected a gymnasium.vector.VectorEnv, got {env!r}. "
            "Check a single environment with gymnasium.utils.env_checker.check_env."
        )
    if env.unwrapped.closed:
        raise VectorEnvError("`closed` is True before the first call, expected False; pass a new environment.")
    num_envs = getattr(env, "num_envs", None)
    if not isinstance(num_envs, int) or num_envs < 1:
        raise VectorEnvError(f"`num_envs` is {num_envs!r}, expected the number of slots; set it to an int above 0.")
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
    """Return the space of one slot and the space of all slots."""
    single, batched = _space(env, f"single_{name}"), _space(env, name)
    expected = batch_space(single, num_envs)
    if not (batched == expected if uniform else is_space_dtype_shape_equiv(batched, expected)):
        raise VectorEnvError(
            f"`{name}` is {batched}, expected {expected}; create it with "
            f"gymnasium.vector.utils.batch_space(single_{name}, num_envs)."
        )
    return single, batched


def _space(env: VectorEnv[Any, Any, Any], name: str) -> Space[Any]:
    space = getattr(env, name, None)
    if not isinstance(space, Space):
        raise VectorEnvError(f"`{name}` is {space!r}, expected a gymnasium.Space; set it in __init__().")
    return space


def _mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    mode = (env.metadata or {}).get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise VectorEnvError(
            f"`metadata['autoreset_mode']` is {mode!r}, expected a member of gymnasium.vector.AutoresetMode; set it, "
            "because wrappers and learning libraries look it up there."
        )
    attribute = getattr(env.unwrapped, "autoreset_mode", mode)
    if attribute != mode:
        raise VectorEnvError(
            f"The attribute `autoreset_mode` is {attribute!r}, expected {mode!r} as in `metadata['autoreset_mode']`; "
            "set both to the same member of AutoresetMode."
        )
    return mode
