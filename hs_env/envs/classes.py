"""The classes of the environments: `<Problem>Env` and `<Problem>VectorEnv` for each problem.

They are attributes of this module, created on first access: `phrase_segmentation.v0` has the classes
`PhraseSegmentationEnv` and `PhraseSegmentationVectorEnv`. Gymnasium and pickle find them here by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from hs_env.envs.resources import NamedResources, ResourceNames, find_resources
from hs_env.envs.single import EncoderEnv
from hs_env.envs.vector import EncoderVectorEnv
from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS, class_stem, environment_id
from hs_env.problems.page import environment_page
from hs_env.problems.problem import Problem
from hs_env.registry import unknown_name
from hs_env.rewards import RewardLike

_ARGUMENTS = [each.name for each in fields(ResourceNames)]


def __getattr__(name: str) -> Any:
    """Return the class called `name`."""
    suffixes = ("Env", "VectorEnv")
    found = [(problem, kind) for problem in PROBLEMS for kind in (0, 1) if class_stem(problem) + suffixes[kind] == name]
    if len(found) > 1:
        raise HsEnvError(f"{name} may be of the problems {' and '.join(problem for problem, _ in found)}. Rename one.")
    for problem, kind in found:
        return environment_classes(problem)[kind]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def environment_classes(name: str) -> tuple[type[EncoderEnv], type[EncoderVectorEnv]]:
    """Return the classes of the single and the vector environment of a problem.

    Args:
        name: Name in `PROBLEMS`; without a version it is the newest one.

    Raises:
        HsEnvError: If there is no such problem, or the registered object is no `Problem`.
    """
    return _classes(PROBLEMS.resolve(name))


@cache
def _classes(name: str) -> tuple[type[EncoderEnv], type[EncoderVectorEnv]]:
    registered: object = PROBLEMS.get(name)
    if not isinstance(registered, Problem):
        raise HsEnvError(
            f"The problem {name!r} is {registered!r}. Register an object, as in PROBLEMS.register({name!r})(Own()), "
            "not its class."
        )
    problem = registered
    default = problem.environment

    def resources(
        corpus: str = default.corpus,
        classifier: str | None = None,
        *,
        split: str = "train",
        data_dir: str | None = None,
        reward: RewardLike = default.reward,
        reward_parameters: Mapping[str, Any] | None = None,
        shaping: bool = False,
        device: str = "cpu",
        **unknown: Any,
    ) -> NamedResources:
        if unknown:
            raise unknown_name(f"argument of {environment_id(name)}", next(iter(unknown)), _ARGUMENTS)
        parameters = {} if reward_parameters is None else reward_parameters
        names = ResourceNames(corpus, classifier, split, data_dir, reward, parameters, shaping, device)
        return find_resources(names, problem)

    # skrl, for one, looks for Gymnasium's class among the direct bases.
    class Single(EncoderEnv, gymnasium.Env[NDArray[np.float32], np.int64]):
        __doc__ = environment_page(name, problem)

        def __init__(self, *args: Any, render_mode: str | None = None, **kwargs: Any) -> None:
            super().__init__(resources(*args, **kwargs), render_mode)

    class Vector(EncoderVectorEnv, VectorEnv[NDArray[np.float32], NDArray[np.int64], Any]):
        def __init__(
            self,
            num_envs: int = 1,
            *args: Any,
            autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
            render_mode: str | None = None,
            max_episode_steps: int | None = None,
            **kwargs: Any,
        ) -> None:
            super().__init__(resources(*args, **kwargs), num_envs, autoreset_mode, render_mode, max_episode_steps)

    stem = class_stem(name)
    Vector.__doc__ = f"N slots in one environment, each like `{stem}Env`; see there."
    for made, suffix in ((Single, "Env"), (Vector, "VectorEnv")):
        made.__name__ = made.__qualname__ = stem + suffix
        made.__module__ = __name__
    return Single, Vector
