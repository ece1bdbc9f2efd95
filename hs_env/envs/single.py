"""The base class of the single environments, which decide one sentence at a time."""

from __future__ import annotations

import math
import operator
from typing import Any, ClassVar, SupportsIndex

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from hs_env.compute import isolated, to_array
from hs_env.envs.choice import checked_options, checked_seed, choose, draw
from hs_env.envs.columns import info_of
from hs_env.envs.episode_end import EpisodeEnd
from hs_env.envs.picture import RENDER_MODES, check_render_mode, picture
from hs_env.envs.resources import PLAIN_SPEC, NamedResources
from hs_env.envs.slots import STATE_LIMIT, Slots
from hs_env.errors import HsEnvError


class EncoderEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """An environment that decides the words of a sentence, one by one, for a frozen structured encoder."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": RENDER_MODES, "render_fps": 4}  # type: ignore[misc]
    spec = PLAIN_SPEC

    @isolated
    def __init__(self, resources: NamedResources, render_mode: str | None) -> None:
        check_render_mode(render_mode)
        self._resources, self.render_mode, self._problem = resources, render_mode, resources.encoder.problem
        self._slots = Slots(resources, 1)
        self._words: tuple[str, ...] = ()
        self._end_of_episode: EpisodeEnd | None = None
        self.observation_space = Box(-STATE_LIMIT, STATE_LIMIT, (resources.encoder.state_size,), np.float32)
        self.action_space = Discrete(self._problem.num_actions)
        self._only = torch.zeros(1, dtype=torch.int64, device=resources.device)
        self._actions = torch.arange(self._problem.num_actions, device=resources.device).split(1)

    @isolated
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin a sentence.

        Args:
            seed: Seed of the environment's generator; None continues it.
            options: `{"indices": 3}`, `{"text": "not very good"}` or `{"text": "not very good", "label": "negative"}`.

        Returns:
            Observation and info, see the class.

        Raises:
            HsEnvError: If options are unknown, contradictory or out of range, or a text has no words.
        """
        seed, chosen = checked_seed(seed), choose(self._resources, checked_options(options), [0], 1)
        super().reset(seed=seed)
        (words,), batch, _ = chosen or draw(self._resources, [self.np_random])
        with torch.inference_mode():
            self._slots.begin(self._only, batch)
            observation = self._slots.observe()
        self._words, self._end_of_episode = words, None
        return to_array(observation[0]), info_of(self._slots.columns(), 0)

    @isolated
    def step(self, action: SupportsIndex) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Apply the action to the current word and move to the next one.

        Args:
            action: An integer from 0 to k - 1.

        Returns:
            Observation, reward, terminated, truncated (never) and info, see the class.

        Raises:
            ResetNeeded: If there is no unfinished sentence.
            HsEnvError: If the action is no such integer, or the reward fails.
        """
        self._check_begun("step()")
        if self._end_of_episode is not None:
            raise ResetNeeded("The sentence has been read to its end: call reset() before the next step().")
        try:
            chosen = int(action) if isinstance(action, np.bool_) else operator.index(action)
        except TypeError:
            chosen = -1
        if not 0 <= chosen < len(self._actions):
            raise HsEnvError(f"The action is {action!r}, expected {self._problem.choices}, an integer.")
        with torch.inference_mode():
            self._slots.advance(self._actions[chosen])
            observation = to_array(self._slots.observe()[0])
        info, reward = info_of(self._slots.columns(), 0), self._slots.earned.item()
        terminated = info["position"] == info["length"]
        if terminated:
            with torch.no_grad():
                episodes = self._slots.episodes(self._only, info["length"])
                self._end_of_episode = EpisodeEnd.of(self._resources, episodes, [self._words])
                if self._resources.shaping:
                    self._end_of_episode = self._end_of_episode.shaped(self._slots.shaping)
            info |= info_of(self._end_of_episode.columns(self._problem), 0)
            reward = self._end_of_episode.reward.item()
        elif not math.isfinite(reward):
            raise HsEnvError(f"The reward {self._resources.reward.name!r} is {reward} at a step; it must be finite.")
        return observation, reward, terminated, False, info

    @property
    def resources(self) -> NamedResources:
        """Corpus, frozen classifier and reward of the environment; read-only."""
        return self._resources

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions, (k,) bool, for MaskablePPO of sb3-contrib.

        Raises:
            ResetNeeded: If there is no sentence yet.
        """
        self._check_begun("action_masks()")
        return to_array(self._slots.legal[0]).copy()

    def render(self) -> str | NDArray[np.uint8] | None:
        """Render the structure so far, the unread words, and after the last word the prediction.

        Returns:
            A line of text for "ansi", (288, 720, 3) uint8 for "rgb_array".

        Raises:
            ResetNeeded: If there is no sentence yet.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() draws nothing without a render mode: pass render_mode="ansi" to make().')
            return None
        self._check_begun("render()")
        log_probs = None if self._end_of_episode is None else self._end_of_episode.episodes.log_probs[0]
        return picture(self._resources, self._slots, 0, self._words, log_probs, self.render_mode)

    def _check_begun(self, call: str) -> None:
        if not self._words:
            raise ResetNeeded(f"There is no sentence yet: call reset() before {call}.")
