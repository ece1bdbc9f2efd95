"""The base class of the native vector environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hs_env.compute import from_array, isolated, to_array
from hs_env.envs.choice import Chosen, checked_options, choose, draw
from hs_env.envs.columns import Columns, infos_of
from hs_env.envs.episode_end import EpisodeEnd
from hs_env.envs.picture import LIST_RENDER_MODES, RENDER_MODES, check_render_mode, picture
from hs_env.envs.resources import PLAIN_SPEC, NamedResources, Resources
from hs_env.envs.slots import STATE_LIMIT, Slots, columns_of
from hs_env.envs.vector_arguments import checked_actions, masked_slots, mode_of, seeds_of, slot_count, step_limit
from hs_env.envs.vector_step import Ended, TensorStep
from hs_env.errors import HsEnvError

Observations = NDArray[np.float32]
Bools = NDArray[np.bool_]

_MASK: Final = "reset_mask"
_RENDER_MODES: Final = [*RENDER_MODES, *LIST_RENDER_MODES]


class EncoderVectorEnv(VectorEnv[Observations, NDArray[np.int64], Any]):
    """A vector environment that decides the words of N sentences; a step calls the frozen structured encoder once.

    One call of the reward covers all episodes that end in a step. Each slot has its own generator. For the same seeds
    and actions, N slots return the same as N single environments. Returned arrays share no memory with the environment.

    Args:
        resources: Resources of its episodes.
        num_envs: Number of slots N.
        autoreset_mode: Start of a slot's next sentence: "NextStep", "SameStep", "Disabled", or an `AutoresetMode`.
        render_mode: None, "ansi", "rgb_array", "ansi_list" or "rgb_array_list".
        max_episode_steps: Steps after which an episode is truncated, as by `TimeLimit`; None or -1 for no limit.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": _RENDER_MODES, "render_fps": 4}  # type: ignore[misc]
    spec = PLAIN_SPEC

    def __init__(
        self,
        resources: Resources,
        num_envs: int,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
    ) -> None:
        check_render_mode(render_mode, _RENDER_MODES)
        self.autoreset_mode, self.num_envs = mode_of(autoreset_mode), slot_count(num_envs)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}  # type: ignore[misc]
        if render_mode is not None and not isinstance(resources, NamedResources):
            raise HsEnvError("Rendering needs an environment made by name; this one does not know the words.")
        self.render_mode = render_mode
        self._limit = step_limit(max_episode_steps)
        self.single_observation_space = Box(-STATE_LIMIT, STATE_LIMIT, (resources.encoder.state_size,), np.float32)
        self.single_action_space = Discrete(resources.encoder.problem.num_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._seeds = [-1] * num_envs
        self.load(resources)

    @isolated
    def load(self, resources: Resources) -> None:
        """Replace the resources, for example by a newer snapshot of a classifier; call `reset` afterwards.

        Raises:
            HsEnvError: If the states have another width, or the problem has another number of actions.
        """
        problem, space = resources.encoder.problem, self.single_action_space
        if space != Discrete(problem.num_actions):
            raise HsEnvError(
                f"The environment has the actions {space}, but {problem.title} has {problem.num_actions} actions. Make "
                "another environment for it."
            )
        if (resources.encoder.state_size,) != self.single_observation_space.shape:
            raise HsEnvError(
                f"The environment observes states of the shape {self.single_observation_space.shape}, but those of the "
                f"encoder have width {resources.encoder.state_size}. Make another environment for it."
            )
        self._resources = resources
        self._slots = Slots(resources, self.num_envs)
        self._words: list[tuple[str, ...]] = [()] * self.num_envs
        self._done = np.zeros(self.num_envs, np.bool_)
        self._taken, self._lengths = np.zeros((2, self.num_envs), np.int64)  # of the current episodes: steps and words
        self._predictions: list[Tensor | None] = [None] * self.num_envs
        self._frames: list[list[Any]] = [[] for _ in range(self.num_envs)]
        self._begun = False

    # The Gymnasium interface -----------------------------------------------------------------------------------------

    @isolated
    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin a sentence in every slot, or in some.

        Args:
            seed: Seeds of the slots' generators: an integer s means s, s + 1, ...; a sequence has one per slot, and
                None continues a generator.
            options: `{"reset_mask": (N,) bool}` resets only the slots where it is True. `indices`, `text` and `label`
                are as in the single environment; each is one value for all slots or a sequence of one per slot.

        Returns:
            (N, D) observations; infos of the slots that were reset.

        Raises:
            HsEnvError: If options are unknown or wrong, a text has no words, or seeds are not N integers.
            ResetNeeded: If the mask leaves out a slot that has no sentence yet.
        """
        rows = self._begin_anew(seed, checked_options(options))
        return to_array(self._observe()), infos_of(self._slots.columns(self._at(rows)), rows, self.num_envs)

    @isolated
    def step(self, actions: ArrayLike) -> tuple[Observations, NDArray[np.float64], Bools, Bools, dict[str, Any]]:
        """Decide a word in every slot and move to the next ones.

        Args:
            actions: (N,) integers from 0 to k - 1.

        Returns:
            Observations (N, D), rewards (N,), terminations (N,), truncations (N,) and infos.

        Raises:
            ResetNeeded: If a slot has no unfinished sentence.
            HsEnvError: If an action is wrong, or the reward fails.
        """
        chosen = checked_actions(actions, self.num_envs, self._resources.encoder.problem)
        step = self.step_tensors(self._at(chosen))
        infos = infos_of(self._slots.columns(), np.arange(self.num_envs), self.num_envs)
        if (ended := step.ended) is not None:
            last = {}
            if ended.end is not None:
                columns = ended.end.columns(self._resources.encoder.problem)
                last = infos_of(columns, to_array(ended.terminated), self.num_envs)
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                final_info = columns_of(ended.info_tensors)
                final: Columns = {"final_obs": [*to_array(ended.observation)], "final_info": final_info}
                infos |= infos_of(final, to_array(ended.slots), self.num_envs)
                infos["final_info"] |= last
            else:
                infos |= last
        rewards = to_array(step.reward).astype(np.float64)
        if (wrong := np.flatnonzero(~np.isfinite(rewards))).size:
            name, found = self._resources.reward.name, rewards[wrong[0]]
            raise HsEnvError(f"The reward {name!r} is {found} at a step of slot {wrong[0]}; it must be finite.")
        return to_array(step.observation), rewards, to_array(step.terminated), to_array(step.truncated), infos

    # As tensors ------------------------------------------------------------------------------------------------------

    @isolated
    def reset_tensors(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Reset without infos; return observations (N, D) float32 and legal actions (N, k) bool."""
        self._begin_anew(seed, checked_options(options))
        return self._observe(), self._slots.legal.clone()

    @isolated
    def step_tensors(self, actions: Tensor) -> TensorStep:
        """Step without infos, with unchecked actions (N,) int64 on the environment's device.

        Which episodes end in a step follows from the lengths of their sentences. No step therefore waits for the
        device, unless the reward does.
        """
        if not self._begun:
            raise ResetNeeded("There are no sentences yet: call reset() before step().")
        before, ended = self._done, None
        if self.autoreset_mode == AutoresetMode.DISABLED and before.any():
            raise ResetNeeded(
                f"The episodes in the slots {np.flatnonzero(before).tolist()} have ended: reset them, "
                'options={"reset_mask": terminated | truncated}, before the next step().'
            )
        if self._limit is not None:  # a truncated slot ignores its action, which thus moves no other row by a rounding
            actions = actions.masked_fill(self._at(before), 0)
        with torch.inference_mode():
            self._slots.advance(actions)
        with torch.no_grad():  # returned tensors are ordinary, not inference tensors
            observation = self._slots.observe()
        self._taken += 1
        terminated = (self._taken >= self._lengths) & ~before  # beyond it if the reward failed at the last word
        reward, done, truncated = self._slots.earned, terminated, np.zeros_like(terminated)
        if self._limit is not None:  # a truncated episode earns no reward of the last word, as with `TimeLimit`
            truncated = (self._taken >= self._limit) & ~before
            reward.masked_fill_(self._at(before), 0.0)
            done = terminated | truncated
        if len(rows := np.flatnonzero(done)):
            ended = self._end(rows, rows if self._limit is None else rows[terminated[rows]], observation)
            if ended.end is not None:
                reward[ended.terminated] = ended.end.reward
        same_step = self.autoreset_mode == AutoresetMode.SAME_STEP
        if len(rows := np.flatnonzero(done if same_step else before)):
            begun = self._begin(rows)
            with torch.no_grad():
                observation[begun] = self._slots.observe(begun)
        self._done = np.zeros_like(done) if same_step else done.copy()
        self._collect(rows.tolist())
        legal, flags = self._slots.legal.clone(), (self._at(terminated), self._at(truncated))
        return TensorStep(observation, legal, reward, flags[0], ended, flags[1])

    # Masks, pictures, generators -------------------------------------------------------------------------------------

    def action_masks(self) -> Bools:
        """Return the legal actions, (N, k) bool, for MaskablePPO of sb3-contrib.

        Raises:
            ResetNeeded: If there are no sentences yet.
        """
        if not self._begun:
            raise ResetNeeded("There are no sentences yet: call reset() before action_masks().")
        return to_array(self._slots.legal).copy()

    def render(self) -> tuple[Any, ...] | None:
        """Render each slot, as in the single environment.

        Returns:
            One picture per slot, or None without a render mode. The modes "ansi_list" and "rgb_array_list" return one
            list per slot: the pictures of its episode that no earlier call has returned.

        Raises:
            ResetNeeded: If there are no sentences yet.
        """
        if self.render_mode is None:
            gymnasium.logger.warn('render() draws nothing without a render mode: pass render_mode="ansi" to make().')
            return None
        if not self._begun:
            raise ResetNeeded("There are no sentences yet: call reset() before render().")
        if self.render_mode in LIST_RENDER_MODES:
            frames, self._frames = self._frames, [[] for _ in range(self.num_envs)]
            return tuple(frames)
        return tuple(self._picture(row, self.render_mode) for row in range(self.num_envs))

    @property
    def nbytes(self) -> int:
        """Memory of all slots in bytes, without the lexicon, which they share."""
        return self._slots.nbytes

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Generators of the slots."""
        return tuple(map(self._generator, range(self.num_envs)))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """Seeds of the slots' generators."""
        self.np_random  # noqa: B018
        return tuple(self._seeds)

    # Internals -------------------------------------------------------------------------------------------------------

    def _seed(self, slot: int, seed: int | None) -> np.random.Generator:
        self._generators[slot], self._seeds[slot] = generator, _ = np_random(seed)
        return generator

    def _generator(self, slot: int) -> np.random.Generator:
        return self._generators[slot] or self._seed(slot, None)

    def _at(self, values: NDArray[Any]) -> Tensor:
        """Return values of slots on the device of the environment."""
        return from_array(values, self._resources.device)

    def _begin_anew(self, seed: int | Sequence[int | None] | None, options: Mapping[str, Any]) -> NDArray[np.int64]:
        """Seed and begin the slots that the options select; return them, (R,)."""
        count = self.num_envs
        rows = masked_slots(options[_MASK], count, self._begun) if _MASK in options else np.arange(count)
        seeds = seeds_of(seed, rows, count)
        wanted = {key: value for key, value in options.items() if key != _MASK}
        chosen = choose(self._resources, wanted, rows.tolist(), count)
        for slot, one in zip(rows.tolist(), seeds, strict=True):
            if one is not None:
                self._seed(slot, one)
        self._begin(rows, chosen)
        self._done[rows] = False
        self._begun = True
        self._collect(rows.tolist(), others=False)
        return rows

    def _begin(self, rows: NDArray[np.int64], chosen: Chosen | None = None) -> Tensor:
        """Begin the chosen sentences, or drawn ones, in the slots `rows`; return these as a tensor."""
        slots, begun = rows.tolist(), self._at(rows)
        words, batch, lengths = chosen or draw(self._resources, [self._generator(slot) for slot in slots])
        for slot, each in zip(slots, words, strict=True):
            self._words[slot], self._predictions[slot] = each, None
        self._taken[rows], self._lengths[rows] = 0, lengths
        with torch.inference_mode():
            self._slots.begin(begun, batch, slots)
        return begun

    def _end(self, rows: NDArray[np.int64], read: NDArray[np.int64], observation: Tensor) -> Ended:
        """End the episodes in the slots `rows`; those in the slots `read` have been read to their last word."""
        end, slots, ended, terminated = None, read.tolist(), self._at(rows), self._at(read)
        if slots:
            with torch.no_grad():
                episodes = self._slots.episodes(terminated, int(self._lengths[read].max()), slots)
                end = EpisodeEnd.of(self._resources, episodes, [self._words[slot] for slot in slots])
                if self._resources.shaping:
                    end = end.shaped(self._slots.shaping[terminated])
            if self.render_mode is not None:
                for slot, log_probs in zip(slots, episodes.log_probs, strict=True):
                    self._predictions[slot] = log_probs
        return Ended(ended, end, observation[ended], self._slots.info_tensors(ended), terminated)

    def _picture(self, row: int, mode: str) -> Any:
        assert isinstance(self._resources, NamedResources)
        return picture(self._resources, self._slots, row, self._words[row], self._predictions[row], mode)

    def _collect(self, begun: list[int], others: bool = True) -> None:
        """Begin new lists of pictures in the slots `begun`, and extend those of the others."""
        if self.render_mode not in LIST_RENDER_MODES:
            return
        for row in begun:
            self._frames[row] = []
        for row in range(self.num_envs) if others else begun:
            self._frames[row].append(self._picture(row, self.render_mode.removesuffix("_list")))

    def _observe(self) -> Tensor:
        with torch.no_grad():
            return self._slots.observe()
