"""Use plain functions of episodes as rewards."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from hs_env.errors import HsEnvError, shown
from hs_env.problems import PROBLEMS
from hs_env.registry import unknown_name
from hs_env.text_units import to_text
from hs_env.types import RETAIN, Episodes, Originals, Sentence

from .base import Reward
from .rewarded import Term

if TYPE_CHECKING:
    from torch import Tensor

    from hs_env.problems.problem import Problem


def phrase_lengths(episodes: Episodes) -> Tensor:
    """Return (R, T) int64: the number of words of each phrase, at its last word; 0 elsewhere."""
    actions, lengths = episodes.detached().actions, episodes.sentences.lengths
    spans = _segmentation().spans(actions, lengths)
    return actions.new_zeros(actions.shape).index_put((spans.row, spans.stop - 1), spans.stop - spans.start)


def _segmentation() -> Problem:
    return PROBLEMS.get("phrase_segmentation.v0")  # imported here, since it needs torch


def _originals(episodes: Episodes) -> list[Sentence]:
    originals: Originals | None = episodes.sentences.originals
    if originals is None:
        raise HsEnvError(
            "A reward that takes texts, phrases, retained words or columns of the corpus needs the words, but these "
            "episodes hold token ids only. Make the batch with `Classifier.batch`, or set `SentenceBatch.originals`."
        )
    return originals.rows()


def _spans(episodes: Episodes) -> list[list[tuple[int, int]]]:
    return _segmentation().spans_by_row(episodes.actions, episodes.sentences.lengths)


def _texts(episodes: Episodes) -> list[str]:
    return [sentence.text for sentence in _originals(episodes)]


def _phrases(episodes: Episodes) -> list[list[str]]:
    rows = zip(_originals(episodes), _spans(episodes), strict=True)
    return [[to_text(each.words[start:stop], each.unit) for start, stop in spans] for each, spans in rows]


def _phrase_lengths(episodes: Episodes) -> list[list[int]]:
    return [[stop - start for start, stop in spans] for spans in _spans(episodes)]


def _retained(episodes: Episodes) -> list[list[str]]:
    rows = zip(_originals(episodes), _actions(episodes), strict=True)
    pairs = (zip(each.words, actions, strict=True) for each, actions in rows)
    return [[word for word, action in row if action == RETAIN] for row in pairs]


def _actions(episodes: Episodes) -> list[list[int]]:
    rows = zip(episodes.actions.tolist(), episodes.sentences.lengths.tolist(), strict=True)
    return [row[:length] for row, length in rows]


FIELDS: Final[Mapping[str, Callable[[Episodes], Sequence[Any]]]] = {
    "texts": _texts,
    "phrases": _phrases,
    "phrase_lengths": _phrase_lengths,
    "retained": _retained,
    "actions": _actions,
    "labels": lambda episodes: episodes.sentences.labels.tolist(),
    "log_probs": lambda episodes: episodes.log_probs.tolist(),
}
"""What a function may take, one value per episode: the text; the phrases, each as a text; the number of words of each
phrase; the words whose action is 1; the actions; the gold class; the C class log-probabilities. In a text, words are
joined by spaces and characters by nothing."""

PROGRESS: Final = "progress"
"""Argument of a function that takes the progress of the training, from 0 to 1; it is 1 outside of training."""


def is_reward_function(candidate: object) -> bool:
    """Return whether an object is a plain function of episodes: a callable that names a field or the progress."""
    if isinstance(candidate, type | Reward) or not callable(candidate):
        return False
    try:
        return bool({*FIELDS, PROGRESS} & inspect.signature(candidate).parameters.keys())
    except (ValueError, TypeError):  # a function that is not written in Python
        return False


def function_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function of episodes: its arguments with a default that are no fields."""
    arguments = inspect.signature(function).parameters.values()
    return [each for each in arguments if each.default is not each.empty and each.name not in (*FIELDS, PROGRESS)]


class FunctionReward(Reward):
    """A plain function as a reward with one term, which has the name of the function.

    The function gets keyword arguments, only those that it names: `FIELDS`, `progress`, and columns of the corpus. With
    `**columns` it gets all columns. It returns one number per episode, or None where it has no opinion. Other arguments
    need a default, and are parameters.

    Args:
        function: The function.
        name: Name in messages; by default that of the function.
        **parameters: Parameters of the function.

    Raises:
        HsEnvError: If the function takes positional arguments only, or has no such parameter.
    """

    _blamed = "the function"

    def __init__(self, function: Callable[..., Sequence[float | None]], name: str = "", /, **parameters: Any) -> None:
        self.function, self.parameters = function, parameters
        named = function.func if isinstance(function, partial) else function
        self.term: str = getattr(named, "__name__", type(named).__name__)
        self.name = name or self.term
        arguments = inspect.signature(function).parameters.values()
        if positional := [each.name for each in arguments if each.kind is each.POSITIONAL_ONLY]:
            raise HsEnvError(f"The reward {self.name!r} gets keyword arguments only; remove the / after {positional}.")
        known = [each.name for each in function_parameters(function)]
        if strange := sorted(parameters.keys() - set(known)):
            raise unknown_name(f"parameter of the reward {self.name!r}", strange[0], known)
        taken = [each.name for each in arguments if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
        self._fields = [name for name in taken if name in FIELDS]
        self._columns = [name for name in taken if name not in (*FIELDS, PROGRESS, *known)]
        self._taken = {*taken, *FIELDS, PROGRESS}
        self._all_columns = any(each.kind is each.VAR_KEYWORD for each in arguments)
        self._progress = 1.0 if PROGRESS in taken else None

    def terms(self, episodes: Episodes) -> dict[str, Term]:
        """See `Reward.terms`."""
        plain = episodes.detached()
        arguments: dict[str, Any] = {name: FIELDS[name](plain) for name in self._fields}
        arguments |= self._columns_of(plain) | self.parameters
        if self._progress is not None:
            arguments[PROGRESS] = self._progress
        values = self._numbers(self.function(**arguments), len(episodes))
        amounts = episodes.log_probs.new_tensor([value or 0.0 for value in values]).float()
        given = episodes.sentences.mask.new_tensor([value is not None for value in values])
        return {self.term: Term(amounts, None if all(value is not None for value in values) else given)}

    def set_progress(self, progress: float) -> None:
        """See `Reward.set_progress`."""
        if self._progress is not None:
            self._progress = progress

    def state_dict(self) -> dict[str, Any]:
        """See `Reward.state_dict`."""
        return {} if self._progress is None else {PROGRESS: self._progress}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Reward.load_state_dict`."""
        self._check_state(state, set(self.state_dict()))
        self.set_progress(state.get(PROGRESS, 1.0))

    def _columns_of(self, episodes: Episodes) -> dict[str, list[object]]:
        """Return the columns that the function takes. Texts that are in no split have None in all of them."""
        if not self._columns and not self._all_columns:
            return {}
        rows = [sentence.columns or {} for sentence in _originals(episodes)]
        known = list(dict.fromkeys(name for row in rows for name in row))
        in_split = (episodes.sentences.indices >= 0).tolist()
        for name in self._columns:
            if any(inside and name not in row for inside, row in zip(in_split, rows, strict=True)):
                taken = ", ".join((*FIELDS, PROGRESS))
                raise HsEnvError(
                    f"The reward {self.name!r} takes the argument {name!r}, which is neither one of {taken} nor a "
                    f"column of the corpus. Its further columns: {', '.join(known) or 'none'}. Rename the argument, "
                    "or give it a default."
                )
        others = [name for name in known if name not in self._taken] if self._all_columns else []
        return {name: [row.get(name) for row in rows] for name in (*self._columns, *others)}

    def _numbers(self, values: Any, count: int) -> list[float | None]:
        """Check and convert what the function has returned."""
        if hasattr(values, "tolist"):  # a tensor or a NumPy array
            values = values.tolist()
        if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
            came = f"{len(values)} values" if isinstance(values, Sequence) else shown(values)
            raise HsEnvError(f"The reward {self.name!r} must return a list of {count} numbers or None, got {came}.")
        return [None if value is None else self._number(value) for value in values]

    def _number(self, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise HsEnvError(
                f"The reward {self.name!r} must return numbers or None, got {shown(value)} in its list."
            ) from None
