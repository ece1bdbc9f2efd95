"""One sentence at a time: the mechanics of the single environments."""

from __future__ import annotations

import operator
from typing import Any, ClassVar, Final, SupportsIndex

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from hs_env.envs.choice import choose
from hs_env.envs.columns import info_of
from hs_env.envs.outcome import Outcome
from hs_env.envs.picture import RENDER_MODES, check_render_mode, picture
from hs_env.envs.resources import NamedResources
from hs_env.envs.slots import STATE_LIMIT, Slots
from hs_env.errors import HsEnvError

_ACTIONS: Final = {0: torch.tensor([0]), 1: torch.tensor([1])}
_ONLY: Final = torch.tensor([0])


class EncoderEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Decide the words of a sentence for a frozen structured encoder, one after the other.

    Args:
        resources: What its episodes are made of.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": RENDER_MODES, "render_fps": 4}  # type: ignore[misc]

    def __init__(self, resources: NamedResources, render_mode: str | None) -> None:
        check_render_mode(render_mode)
        self._resources, self.render_mode = resources, render_mode
        self._slots = Slots(resources, 1)
        self._words: tuple[str, ...] = ()
        self._outcome: Outcome | None = None
        self.observation_space = Box(-STATE_LIMIT, STATE_LIMIT, (resources.encoder.state_size,), np.float32)
        self.action_space = Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin a sentence.

        Args:
            seed: Starts the environment's own generator anew; None goes on with it.
            options: `{"indices": 3}`, `{"text": "not very good"}` or `{"text": "not very good", "label": "negative"}`.

        Returns:
            Observation and info, see the class.

        Raises:
            HsEnvError: Options that are unknown, contradict each other or are out of range; a text without words.
        """
        super().reset(seed=seed)
        (words,), batch = choose(self._resources, options or {}, [0], [self.np_random], 1)
        with torch.inference_mode():
            self._slots.begin(_ONLY, batch)
            observation = self._slots.observe()
        self._words, self._outcome = words, None
        return observation[0].numpy(), info_of(self._slots.columns(), 0)

    def step(self, action: SupportsIndex) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Decide the word and move to the next one.

        Args:
            action: 0 or 1, an integer.

        Returns:
            Observation, reward, terminated, truncated (never) and info, see the class.

        Raises:
            ResetNeeded: There is no sentence to read.
            HsEnvError: The action is neither 0 nor 1; or what the reward raises.
        """
        self._check_begun("step()")
        if self._outcome is not None:
            raise ResetNeeded("The sentence has been read to its end: call reset() before the next step().")
        try:
            decided = _ACTIONS[operator.index(action)]
        except (TypeError, KeyError):
            zero, one = self._resources.encoder.task.actions
            raise HsEnvError(f"The action is {action!r}, expected {zero} (0) or {one} (1), an integer.") from None
        with torch.inference_mode():
            self._slots.advance(decided)
            observation = self._slots.observe()[0].numpy()
        info, reward = info_of(self._slots.columns(), 0), self._slots.shaping.item()
        terminated = info["position"] == info["length"]
        if terminated:
            with torch.no_grad():
                self._outcome = Outcome.of(self._resources.reward, self._slots.episodes(_ONLY), [self._words])
                if self._resources.shaping:
                    self._outcome = self._outcome.shaped(self._slots.shaping)
            info |= info_of(self._outcome.columns(self._resources.encoder.task), 0)
            reward = self._outcome.reward.item()
        return observation, reward, terminated, False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """(2,) bool: the legal actions, as MaskablePPO of sb3-contrib asks for them.

        Raises:
            ResetNeeded: There is no sentence yet.
        """
        self._check_begun("action_masks()")
        return self._slots.legal[0].numpy().copy()

    def render(self) -> str | NDArray[np.uint8] | None:
        """The sentence as far as it has been read: its structure, the words to come, at the end the prediction.

        Returns:
            A line of text for "ansi", (288, 720, 3) uint8 for "rgb_array".

        Raises:
            ResetNeeded: There is no sentence yet.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() draws nothing without a render mode: pass render_mode="ansi" to make().')
            return None
        self._check_begun("render()")
        log_probs = None if self._outcome is None else self._outcome.episodes.log_probs[0]
        return picture(self._resources, self._slots, 0, self._words, log_probs, self.render_mode)

    def _check_begun(self, call: str) -> None:
        if not self._words:
            raise ResetNeeded(f"There is no sentence yet: call reset() before {call}.")
