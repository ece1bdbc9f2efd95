"""Define the reward protocol: a reward maps a batch of finished episodes to named terms and their sum."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from hs_env.errors import HsEnvError, shown
from hs_env.registry import Registry
from hs_env.types import Episodes, Steps

from .rewarded import Rewarded, Term

if TYPE_CHECKING:
    from torch import Tensor

    from hs_env.problems.problem import Problem

REWARDS: Registry[Callable[..., Any]] = Registry("reward", group="hs_env.rewards")
"""Registry of rewards by versioned name: plain functions of episodes (see `FunctionReward`), and classes or functions
that make a `Reward` and whose keyword arguments are its parameters."""


class Reward(ABC):
    """A reward maps a batch of finished episodes to one number per episode.

    Subclasses define `terms`. Rewards can be added and scaled: `LogLikelihood() - 0.1 * Transitions()`. A reward that
    changes during training changes only in `adapt` and `set_progress`, never in a call.

    Attributes:
        name: Name in messages and logs, by default the name of the class.
        dense: Whether it gives a part of the reward at each step, `at_steps`; other rewards come at the last word.
        sparse: Whether it gives a part of the reward at the last word; only a dense reward may give none there.
    """

    name: str
    dense: bool = False
    sparse: bool = True
    _blamed: ClassVar[str] = "its method terms()"
    """Part of the user's code that messages about errors name."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Name the class after itself, unless it sets `name`."""
        super().__init_subclass__(**arguments)
        cls.name = cls.__dict__.get("name", cls.__name__)
        if cls.adapt is not Reward.adapt and cls.state_dict is Reward.state_dict:
            raise HsEnvError(
                f"The reward {cls.name!r} changes in adapt(), so it needs the methods state_dict() and "
                "load_state_dict(): without them a resumed run would lose what it has learned. If adapt() changes "
                "nothing, let state_dict() return {}."
            )

    @abstractmethod
    def terms(self, episodes: Episodes) -> Mapping[str, Tensor | Term]:
        """Return named contributions, (R,) floats each, whose sum is the reward."""

    def __call__(self, episodes: Episodes) -> Rewarded:
        """Compute the reward of each episode.

        Raises:
            HsEnvError: If `terms` fails or changes the episodes, or a term has a wrong shape or dtype or is not finite.
                The message names the reward, the term and the sentence.
        """
        from torch import stack

        terms = self.checked_terms(episodes)
        total = stack([term.values for term in terms.values()]).sum(0)
        total = self._checked("total", total, episodes)
        return Rewarded(
            total,
            {name: term.values for name, term in terms.items()},
            {name: term.given for name, term in terms.items() if term.given is not None},
            {name: term.unweighted for name, term in terms.items() if term.unweighted is not None},
            self._steps(total, episodes) if self.dense else None,
        )

    def _steps(self, total: Tensor, episodes: Episodes) -> Tensor:
        """Return (R, T): what each step earns; the last one also earns what the others leave of the total (R,)."""
        sentences = episodes.sentences
        steps = self.checked_steps(episodes.steps, sentences.mask)
        if not self.sparse:
            return steps
        return steps.scatter_add(1, sentences.lengths[:, None] - 1, (total - steps.sum(1))[:, None])

    def checked_terms(self, episodes: Episodes) -> dict[str, Term]:
        """Return `terms`, checked as in a call."""
        terms: dict[str, Term] = {}
        for key, value in self._attempted(episodes).items():
            term = value if isinstance(value, Term) else Term(value)
            terms[key] = replace(term, values=self._checked(key, term.values, episodes))
        return terms

    def at_steps(self, steps: Steps) -> Tensor:
        """Return the part of the reward that each step gives by itself, (R, T) float32; only if `dense`."""
        raise NotImplementedError(f"{self.name} is not dense")

    def checked_steps(self, steps: Steps, mask: Tensor) -> Tensor:
        """Return `at_steps`, and 0 where the mask, (R, T) bool, is False.

        Raises:
            HsEnvError: If `at_steps` fails, or does not return a float tensor (R, T). The message names the reward.
        """
        from torch import Tensor

        try:
            values: Any = self.at_steps(steps)
        except HsEnvError:
            raise
        except Exception as error:
            raise self._failure(error) from error
        if not isinstance(values, Tensor) or values.shape != mask.shape or not values.is_floating_point():
            came = f"{tuple(values.shape)} of {values.dtype}" if isinstance(values, Tensor) else type(values).__name__
            raise HsEnvError(
                f"The reward {self.name!r} must give each step one value, a float tensor of shape {tuple(mask.shape)}; "
                f"got {came}."
            )
        return values.masked_fill(~mask, 0.0)

    def check_problem(self, problem: Problem) -> None:  # noqa: B027  # most rewards are for all problems
        """Check that the reward understands the actions of a decision problem; called before it sees any episode.

        Raises:
            HsEnvError: If it does not.
        """

    def adapt(self, episodes: Episodes) -> None:  # noqa: B027  # most rewards have nothing to do here
        """Update the reward from a batch of episodes; called once after each update of the policy."""

    def set_progress(self, progress: float) -> None:  # noqa: B027  # most rewards do not depend on it
        """Say how much of the policy's training is done, from 0 to 1; called before each update of the policy."""

    def state_dict(self) -> dict[str, Any]:
        """Return what `adapt` and `set_progress` have changed, as JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned.

        Raises:
            HsEnvError: If it is the state of another reward.
        """
        self._check_state(state, set())

    def __add__(self, other: Reward) -> Reward:
        return Sum(self, other) if isinstance(other, Reward) else NotImplemented

    def __sub__(self, other: Reward) -> Reward:
        return self + -other if isinstance(other, Reward) else NotImplemented

    def __neg__(self) -> Reward:
        return -1 * self

    def __mul__(self, factor: float) -> Reward:
        return Multiple(self, float(factor)) if isinstance(factor, int | float) else NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"<Reward {self.name}>"

    def _check_state(self, state: Mapping[str, Any], keys: set[str]) -> None:
        if set(state) != keys:
            raise HsEnvError(
                f"This is not a state of the reward {self.name!r}: expected the keys {sorted(keys)}, got "
                f"{sorted(state)}. Load it into the reward that saved it."
            )

    def _attempted(self, episodes: Episodes) -> Mapping[str, Any]:
        """Call `terms` and check what it returns, as a plug-in may return anything."""
        before = _versions(episodes)
        try:
            terms: Any = self.terms(episodes)
        except HsEnvError:  # already names the reward, which may be a part of this one
            raise
        except Exception as error:
            raise self._failure(error) from error
        if _versions(episodes) != before:
            raise HsEnvError(
                f"The reward {self.name!r} changes its episodes in place, but the policy learns from them. Change "
                "copies, such as episodes.actions.clone()."
            )
        if not isinstance(terms, Mapping) or not terms:
            came = type(terms).__name__ if not isinstance(terms, Mapping) else "none"
            raise HsEnvError(f"The reward {self.name!r} must return a dict of at least one named term, got {came}.")
        return terms

    def _failure(self, error: Exception) -> HsEnvError:
        return HsEnvError(f"The reward {self.name!r} failed: {type(error).__name__}: {error}. Correct {self._blamed}.")

    def _checked(self, key: str, value: Any, episodes: Episodes) -> Tensor:
        from torch import Tensor, strided

        where = f"The term {key!r} of the reward {self.name!r}"
        device = episodes.log_probs.device
        good_kind = isinstance(value, Tensor) and value.is_floating_point() and value.layout == strided
        if not good_kind or value.shape != (len(episodes),) or value.device != device:
            came = type(value).__name__
            if isinstance(value, Tensor):
                layout = "" if value.layout == strided else f", {value.layout}"
                came = f"{tuple(value.shape)} of {value.dtype} on {value.device}{layout}"
            raise HsEnvError(
                f"{where} must be a dense float tensor of shape ({len(episodes)},) on {device}, one value per episode; "
                f"got {came}."
            )
        amounts: Tensor = value.float()
        if not (good := amounts.isfinite()).all():
            row = int((~good).nonzero()[0])
            index, words = int(episodes.sentences.indices[row]), int(episodes.sentences.lengths[row])
            which = "the text given to reset" if index < 0 else f"sentence {index} of its split"
            raise HsEnvError(f"{where} is {amounts[row].item()} for {which} ({words} words); it must be finite.")
        return amounts


def _versions(episodes: Episodes) -> list[int]:
    """Return how often torch changed each tensor of the episodes in place.

    Changes through NumPy are not counted. Tensors made in inference mode have no counter and are left out.
    """
    sentences = episodes.sentences
    tensors = [sentences.tokens, sentences.lengths, sentences.labels, sentences.indices, sentences.gold_actions]
    tensors += [episodes.actions, episodes.log_probs, *episodes.measures.values()]
    return [each._version for each in tensors if each is not None and not each.is_inference()]


class DenseReward(Reward):
    """A reward that comes at each step: a sum over the words of what `step_terms` returns.

    The environments give it step by step, so that an agent can discount it.
    """

    dense = True
    sparse = False
    _blamed = "its method step_terms()"

    @abstractmethod
    def step_terms(self, steps: Steps) -> Mapping[str, Tensor]:
        """Return named contributions of each step, (R, T) floats each, that depend on this step alone."""

    def terms(self, episodes: Episodes) -> dict[str, Tensor]:
        """Sum `step_terms` over the words of each episode, in their order, so that padding changes nothing."""
        last = episodes.sentences.lengths[:, None] - 1
        terms = self._checked_step_terms(episodes.steps)
        return {name: values.cumsum(1).gather(1, last).squeeze(1) for name, values in terms.items()}

    def _checked_step_terms(self, steps: Steps) -> Mapping[str, Tensor]:
        """Return `step_terms`, which must be a dict of float tensors (R, T)."""
        from torch import Tensor

        terms: Any = self.step_terms(steps)
        shape = tuple(steps.actions.shape[:2])
        if not isinstance(terms, Mapping) or not terms:
            raise HsEnvError(f"step_terms() of {self.name!r} must return a dict of named terms, got {shown(terms)}.")
        for name, values in terms.items():
            tensor = isinstance(values, Tensor)
            if not tensor or tuple(values.shape) != shape or not values.is_floating_point():
                came = f"{values.dtype} {tuple(values.shape)}" if tensor else shown(values)
                raise HsEnvError(
                    f"The term {name!r} of step_terms() of {self.name!r} must be a float tensor of shape {shape}, one "
                    f"value per step; got {came}."
                )
        return terms

    def at_steps(self, steps: Steps) -> Tensor:
        """See `Reward.at_steps`."""
        from torch import stack

        return stack([*self._checked_step_terms(steps).values()]).sum(0).float()


class Sum(Reward):
    """The sum of two rewards: terms of the same name are added."""

    def __init__(self, left: Reward, right: Reward) -> None:
        self.left, self.right = left, right
        self.dense, self.sparse = left.dense or right.dense, left.sparse or right.sparse
        self.name = f"{left.name} + {right.name}".replace(" + -", " - ")

    def terms(self, episodes: Episodes) -> dict[str, Term]:
        """See `Reward.terms`."""
        terms = self.left.checked_terms(episodes)
        for key, term in self.right.checked_terms(episodes).items():
            terms[key] = terms[key] + term if key in terms else term
        return terms

    def at_steps(self, steps: Steps) -> Tensor:
        """See `Reward.at_steps`."""
        dense = [each.at_steps(steps) for each in (self.left, self.right) if each.dense]
        return dense[0] if len(dense) == 1 else dense[0] + dense[1]

    def check_problem(self, problem: Problem) -> None:
        """See `Reward.check_problem`."""
        self.left.check_problem(problem)
        self.right.check_problem(problem)

    def adapt(self, episodes: Episodes) -> None:
        """See `Reward.adapt`."""
        self.left.adapt(episodes)
        self.right.adapt(episodes)

    def set_progress(self, progress: float) -> None:
        """See `Reward.set_progress`."""
        self.left.set_progress(progress)
        self.right.set_progress(progress)

    def state_dict(self) -> dict[str, Any]:
        """See `Reward.state_dict`."""
        return {"left": self.left.state_dict(), "right": self.right.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Reward.load_state_dict`."""
        self._check_state(state, {"left", "right"})
        self.left.load_state_dict(state["left"])
        self.right.load_state_dict(state["right"])


class Multiple(Reward):
    """A multiple of a reward: each of its terms is multiplied by a finite number."""

    def __init__(self, reward: Reward, factor: float) -> None:
        if not math.isfinite(factor):
            raise HsEnvError(f"A reward can only be multiplied by a finite number, got {factor} * {reward.name}.")
        self.reward, self.factor = reward, factor
        self.dense, self.sparse = reward.dense, reward.sparse
        multiplied = f"({reward.name})" if isinstance(reward, Sum) else reward.name
        self.name = f"-{multiplied}" if factor == -1 else f"{factor:g} * {multiplied}"

    def terms(self, episodes: Episodes) -> dict[str, Term]:
        """See `Reward.terms`."""
        return {key: term.times(self.factor) for key, term in self.reward.checked_terms(episodes).items()}

    def at_steps(self, steps: Steps) -> Tensor:
        """See `Reward.at_steps`."""
        return self.factor * self.reward.at_steps(steps)

    def check_problem(self, problem: Problem) -> None:
        """See `Reward.check_problem`."""
        self.reward.check_problem(problem)

    def adapt(self, episodes: Episodes) -> None:
        """See `Reward.adapt`."""
        self.reward.adapt(episodes)

    def set_progress(self, progress: float) -> None:
        """See `Reward.set_progress`."""
        self.reward.set_progress(progress)

    def state_dict(self) -> dict[str, Any]:
        """See `Reward.state_dict`."""
        return self.reward.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Reward.load_state_dict`."""
        self.reward.load_state_dict(state)
