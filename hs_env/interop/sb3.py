"""Adapt Gymnasium vector environments to Stable-Baselines3 and sb3-contrib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

from hs_env.errors import HsEnvError
from hs_env.interop.infos import unpack_infos

_HOW_TO_MAKE_ONE: Final = (
    "Create a native one with `gymnasium.make_vec(id, num_envs=8, autoreset_mode=AutoresetMode.SAME_STEP)`, any other "
    'with `gymnasium.make_vec(id, num_envs=8, vectorization_mode="sync", '
    'vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP})`.'
)


class SB3VecEnv(VecEnv):
    """Adapts a Gymnasium vector environment in the autoreset mode SAME_STEP to a `VecEnv` of Stable-Baselines3.

    ```python
    import gymnasium
    import hs_env
    from gymnasium.vector import AutoresetMode
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.vec_env import VecMonitor
    from hs_env.interop.sb3 import SB3VecEnv

    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    env = gymnasium.make_vec("hs_env/PhraseSegmentation-v0", 8, vectorization_mode="sync", vector_kwargs=same_step)
    MaskablePPO("MlpPolicy", VecMonitor(SB3VecEnv(env)), gamma=1.0).learn(10_000)
    ```

    It returns the same as `DummyVecEnv` does for the same single environments. At the end of an episode, `infos[i]` is
    the last info of this episode, with `terminal_observation`; `reset_infos[i]` is the first info of the next episode.
    Numbers in infos are Python numbers.

    In a `SyncVectorEnv` or `AsyncVectorEnv`, the single environments answer `get_attr`, `set_attr` and `env_method`. A
    native vector environment has no single environments: each of its attributes has one value for all slots. Unknown
    attributes raise `AttributeError`.

    Action masks come from a method `action_masks()` of the vector environment or of its single environments, otherwise
    from `action_mask` in the infos. To log returns, wrap the adapter in `VecMonitor`; `Monitor` is for single
    environments.

    Args:
        env: Vector environment, or a vector wrapper around one. Closing the adapter closes it.

    Attributes:
        env: The vector environment given.

    Raises:
        HsEnvError: If `env` is not a vector environment, has another autoreset mode, or has a discrete space that does
            not start at 0.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        if not isinstance(env, VectorEnv):
            raise HsEnvError(f"SB3VecEnv expects a gymnasium.vector.VectorEnv, got {env!r}. {_HOW_TO_MAKE_ONE}")
        mode = env.metadata.get("autoreset_mode")
        if mode not in (AutoresetMode.SAME_STEP, AutoresetMode.SAME_STEP.value):
            raise HsEnvError(
                "Stable-Baselines3 needs environments that reset in the step that ends an episode: expected "
                f"metadata['autoreset_mode'] to be AutoresetMode.SAME_STEP, but {env} has {mode}. {_HOW_TO_MAKE_ONE}"
            )
        for space in (env.single_observation_space, env.single_action_space):
            _check_starts(space)
        self.env = env
        self._layers = [env]
        while isinstance(layer := self._layers[-1], VectorWrapper):
            self._layers.append(layer.env)
        base = self._layers[-1]
        self._singles = base if isinstance(base, (SyncVectorEnv, AsyncVectorEnv)) else None
        self._mask_method = self._find_mask_method()
        self._shown_masks: Any = None
        self._seen = False
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self.metadata = dict(env.metadata)

    # Episodes

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Store options for the next reset.

        Args:
            options: Options in the form that the vector environment takes, or a list of N equal ones.

        Raises:
            HsEnvError: If the list does not have one entry per slot, or its entries differ.
        """
        if isinstance(options, list) and len(options) != self.num_envs:
            raise HsEnvError(
                f"Expected options for {self.num_envs} environments, got {len(options)}. Pass one dict for all of them."
            )
        if isinstance(options, list) and not all(data_equivalence(options[0], each) for each in options):
            raise HsEnvError(
                "A vector environment is reset with one dict of options for all of its slots, got a list of different "
                f"ones: {options}. Pass one dict in the form that {self.env} takes."
            )
        super().set_options(options)

    def reset(self) -> VecEnvObs:
        """Start an episode in every slot, with the stored seeds and options.

        Returns:
            Observations of all slots. The infos are in `reset_infos`.
        """
        # The stored seeds are consecutive, so the first one means the same as the list, which not every env accepts.
        seed = None if self._seeds[0] is None else int(self._seeds[0])
        observations, infos = self.env.reset(seed=seed, options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = self._read(infos)
        # SB3 keeps the last observations, and a vector environment may write the next ones into the same array.
        return deepcopy(observations)  # type: ignore[no-any-return]

    def step_async(self, actions: NDArray[Any]) -> None:
        """Store the actions for `step_wait`."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Step all slots with the stored actions.

        Returns:
            Observations, (N,) float32 rewards, (N,) bool ends of episodes, and one info per slot.

        Raises:
            HsEnvError: If an episode ended without `final_obs`, or infos do not have the form of a vector environment.
        """
        observations, rewards, terminations, truncations, infos = self.env.step(self._actions)
        dones = np.logical_or(terminations, truncations)
        rows = self._read(infos)
        for i in np.flatnonzero(dones).tolist():
            self.reset_infos[i], rows[i] = rows[i], self._last_info(rows[i])
        for row, truncated in zip(rows, (dones & np.logical_not(terminations)).tolist(), strict=True):
            row["TimeLimit.truncated"] = truncated
        # SB3 adds to the rewards in place.
        return deepcopy(observations), np.array(rewards, dtype=np.float32), dones, rows

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return one frame per slot, or Nones if the render mode is not "rgb_array"."""
        frames: Any = self.env.render() if self.render_mode == "rgb_array" else [None] * self.num_envs
        return list(frames)

    # Action masks

    def action_masks(self) -> NDArray[np.bool_]:
        """Return an (N, k) bool mask of the legal actions; MaskablePPO of sb3-contrib calls this method.

        Raises:
            HsEnvError: If there are no masks, or they have a wrong shape.
        """
        masks = self._shown_masks if self._mask_method is None else self._mask_method()
        if masks is None:
            raise HsEnvError(
                f"No action masks: expected a method action_masks() in {self.env} or in its single environments, or "
                "'action_mask' in the infos of all slots after every reset and step. Add one of them, or call reset() "
                "first."
            )
        array = np.array(masks)
        if array.dtype == object or array.ndim < 2 or len(array) != self.num_envs:
            raise HsEnvError(
                f"Action masks must have the shape ({self.num_envs}, number of actions), got {array.dtype} of shape "
                f"{array.shape}. Return one mask per slot."
            )
        return array.astype(np.bool_)

    # Attributes

    def has_attr(self, attr_name: str) -> bool:
        """Return whether `get_attr` knows the attribute; unlike the inherited method, call and copy nothing."""
        if attr_name == "action_masks":
            return self._has_masks()
        return self._singles_have(attr_name) or any(hasattr(layer, attr_name) for layer in self._layers)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return the attribute of each environment.

        Raises:
            AttributeError: If neither the vector environment nor its single environments have it.
        """
        chosen = list(self._get_indices(indices))
        if attr_name == "action_masks" and self._has_masks():
            return [lambda i=i: self.action_masks()[i] for i in chosen]
        if self._singles is not None and self._singles_have(attr_name):
            # Returns methods as they are; get_attr() of the vector environment would call them.
            values = self._singles.call("get_wrapper_attr", attr_name)
            return [values[i] for i in chosen]
        name = f"single_{attr_name}" if attr_name in ("observation_space", "action_space") else attr_name
        return [getattr(self._owner(name), name)] * len(chosen)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute that exists already.

        Raises:
            AttributeError: If the attribute does not exist, or has one value for all environments and `indices` names
                only some of them.
        """
        chosen = set(self._get_indices(indices))
        everywhere = chosen == set(range(self.num_envs))
        if self._singles is not None and self._singles_have(attr_name):
            values = [value] * self.num_envs if everywhere else self.get_attr(attr_name)
            for i in chosen:
                values[i] = value
            self._singles.set_attr(attr_name, values)
            return
        owner = self._owner(attr_name)
        if not everywhere:
            raise AttributeError(f"{attr_name!r} of {owner} has one value for all environments: leave out `indices`.")
        setattr(owner, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of each single environment. `render` and `action_masks` also work if there are none.

        Raises:
            AttributeError: If any other method is called and there are no single environments, or they lack it.
            HsEnvError: If `indices` selects only some environments of an `AsyncVectorEnv`, which can only call all.
        """
        chosen = list(self._get_indices(indices))
        if method_name in ("action_masks", "render"):
            answers: Any = self.action_masks() if method_name == "action_masks" else self.env.render()
            return [None if answers is None else answers[i] for i in chosen]
        if self._singles is None or not self._singles_have(method_name):
            reason = "runs no single environments" if self._singles is None else "has no environments with this method"
            raise AttributeError(
                f"{method_name!r} cannot be called for each environment: {self.env} {reason}. To call a method of the "
                "vector environment itself, use the attribute `env` of this adapter."
            )
        if isinstance(self._singles, SyncVectorEnv):
            envs = self._singles.envs
            return [envs[i].get_wrapper_attr(method_name)(*method_args, **method_kwargs) for i in chosen]
        if chosen != list(range(self.num_envs)):
            raise HsEnvError(
                f"AsyncVectorEnv calls {method_name!r} in all of its {self.num_envs} environments or in none, got "
                f"indices {chosen}. Omit `indices`, or use SyncVectorEnv."
            )
        return list(self._singles.call(method_name, *method_args, **method_kwargs))

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return whether each environment is wrapped; in other processes, the wrapper is found by its class name."""
        if isinstance(self._singles, SyncVectorEnv):
            wrapped = [is_wrapped(env, wrapper_class) for env in self._singles.envs]
        elif isinstance(self._singles, AsyncVectorEnv):
            # The texts look like "<Monitor<TimeLimit<...>>>".
            wrapped = [f"<{wrapper_class.__name__}<" in text for text in self._singles.call("__str__")]
        else:
            wrapped = [False] * self.num_envs
        return [wrapped[i] for i in self._get_indices(indices)]

    def _singles_have(self, name: str) -> bool:
        """Return whether all single environments have the attribute; an error would stop AsyncVectorEnv's workers."""
        return self._singles is not None and all(self._singles.call("has_wrapper_attr", name))

    def _owner(self, name: str) -> VectorEnv[Any, Any, Any]:
        """Return the outermost of the vector wrappers and the vector environment that has the attribute."""
        for layer in self._layers:
            if hasattr(layer, name):
                return layer
        raise AttributeError(
            f"Neither {self.env} nor a single environment in it has the attribute {name!r}. Check its name."
        )

    def _find_mask_method(self) -> Callable[[], Any] | None:
        for layer in self._layers:
            if hasattr(layer, "action_masks"):
                return layer.action_masks  # type: ignore[no-any-return]
        if self._singles is not None and self._singles_have("action_masks"):
            return partial(self._singles.call, "action_masks")
        return None

    def _has_masks(self) -> bool:
        if self._mask_method is None and not self._seen:
            # sb3-contrib asks before its first reset, and only a reset shows infos. This one uses up no stored seeds.
            self._read(self.env.reset()[1])
        return self._mask_method is not None or self._shown_masks is not None

    def _read(self, infos: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Split infos into one info per slot; store the action masks if every slot has one."""
        rows = unpack_infos(infos, self.num_envs)
        self._seen = True
        self._shown_masks = infos.get("action_mask") if np.all(infos.get("_action_mask", True)) else None
        return rows

    def _last_info(self, row: dict[str, Any]) -> dict[str, Any]:
        """Remove from a slot's info what belongs to the episode that ended, and return it as this episode's info."""
        if row.get("final_obs") is None:
            raise HsEnvError(
                f"An episode of {self.env} ended without 'final_obs' in the infos. In the mode SAME_STEP, return the "
                "last observation there, and the last info in 'final_info'."
            )
        info: dict[str, Any] = row.pop("final_info", {})
        info["terminal_observation"] = row.pop("final_obs")
        if "episode" in row:  # the vector wrapper RecordEpisodeStatistics adds it to the infos of the next episode
            info["episode"] = row.pop("episode")
        return info


def _check_starts(space: gymnasium.Space[Any]) -> None:
    """Refuse discrete spaces that do not start at 0: SB3 would silently count them from 0."""
    if isinstance(space, spaces.Dict):
        for part in space.values():
            _check_starts(part)
    elif isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)) and np.any(space.start):
        raise HsEnvError(
            f"Stable-Baselines3 counts discrete actions and observations from 0, got {space}. Wrap the environment so "
            "that it does the same, for example with gymnasium.wrappers.TransformAction."
        )
