"""Compute the mean reward of a policy over a whole split of an environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

import hs_env
from hs_env.agents import Agent, Decision, PolicyInput
from hs_env.compute import CPU, from_array, to_array
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.metrics.scores import greedy_episodes, reward_means
from hs_env.problems.problem import nearest_legal

gymnasium.register_envs(hs_env)

Act = Callable[[NDArray[np.float32], NDArray[np.bool_]], ArrayLike]
"""Function from (N, D) observations and (N, k) bool masks of the legal actions to (N,) actions."""


_ID = "hs_env/PhraseSegmentation-v0"
_OF_STEPS = ("shaping", "max_episode_steps")
"""Arguments of an environment that change the rewards of single steps, and so are refused."""


class _Function(Agent):
    """Takes the actions of a function. An illegal action is replaced by the most similar legal one."""

    def __init__(self, function: Act) -> None:
        self.function = function

    def act(self, inputs: PolicyInput) -> Decision:
        returned = self.function(to_array(inputs.observation), to_array(inputs.legal))
        if isinstance(returned, tuple) and len(returned) == 2 and not isinstance(returned[1], int | np.integer):
            raise HsEnvError(
                "The policy must return actions, got a tuple. The `predict` of Stable-Baselines3 also returns a state: "
                "take its first element, or give SB3Agent(model)."
            )
        actions = np.asarray(returned)
        if actions.shape != (len(inputs.legal),) or actions.dtype.kind not in "iub":
            raise HsEnvError(
                f"The policy must return {len(inputs.legal)} whole numbers, one action for each row of observations; "
                f"got {actions.dtype} of shape {actions.shape}."
            )
        k = inputs.legal.shape[1]
        if (wrong := np.flatnonzero((actions < 0) | (actions >= k))).size:
            raise HsEnvError(f"The policy returns the action {actions[wrong[0]]}; actions are from 0 to {k - 1}.")
        chosen = from_array(actions.astype(np.int64), inputs.legal.device)
        nothing = torch.zeros(len(chosen), device=inputs.legal.device)
        return Decision(nearest_legal(inputs.legal, chosen), nothing, nothing, inputs.memory)


def mean_reward(
    agent: Agent | Act,
    split: str = "test",
    *,
    env: str = _ID,
    sentences: int | None = None,
    **arguments: Any,
) -> float:
    """Compute the mean reward of a greedy policy over every sentence of a split, once each.

    Args:
        agent: Agent, such as `SB3Agent(model)`, or a function of observations and masks without memory, which are those
            of all unfinished sentences.
        split: "train", "dev" or "test".
        env: Id of the environment.
        sentences: Number of sentences, counted from the first; None is all.
        **arguments: Arguments of the environment, such as `corpus`, `classifier` and `reward`; but not `shaping` and
            `max_episode_steps`.

    Raises:
        HsEnvError: If an argument is wrong, or the policy returns no actions.
    """
    from hs_env.envs.single import EncoderEnv  # slow to import, and no other metric needs environments

    if other := next((name for name in _OF_STEPS if arguments.pop(name, None)), None):
        raise HsEnvError(
            f"The mean reward is that of whole sentences, so mean_reward has no argument {other!r}. Leave it out."
        )
    if not str(gymnasium.spec(env).entry_point).startswith("hs_env."):
        raise HsEnvError(f"Expected the id of one of hs-env's environments, such as {_ID}; got {env!r}.")
    made = gymnasium.make(env, split=split, **arguments).unwrapped
    assert isinstance(made, EncoderEnv)
    encoder, encoded, reward = made.resources.encoder, made.resources.encoded, made.resources.reward
    if sentences is not None:
        if not isinstance(sentences, int | np.integer) or not 1 <= sentences <= len(encoded):
            raise HsEnvError(f"The split has {len(encoded)} sentences, asked for {sentences!r}.")
        encoded = EncodedSplit.from_batch(encoded.batch(torch.arange(sentences, device=CPU)))
    if not isinstance(agent, Agent) and not callable(agent):
        raise HsEnvError(f"Expected an agent, such as SB3Agent(model), or a function; got a {type(agent).__name__}.")
    policy = agent if isinstance(agent, Agent) else _Function(agent)
    return reward_means(reward, greedy_episodes(encoder, policy, encoded))["reward"]
