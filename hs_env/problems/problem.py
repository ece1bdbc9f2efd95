"""The interface of a decision problem, which defines the meaning of actions.

An encoder defines the effect of an action on its memory. A problem defines everything else: the names of the actions,
the legal sequences, the spans of words that they make, and the contents of tables, infos and pictures.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hs_env.compute import CPU
from hs_env.errors import HsEnvError
from hs_env.problems.descriptions import Column, EnvironmentText, TrainingDefaults
from hs_env.problems.spans import Part, PartState, Spans, outermost_parts, selection_parts
from hs_env.text_units import to_text
from hs_env.types import SentenceBatch

__all__ = [
    "LONGEST_ENUMERATION",
    "Column",
    "EnvironmentText",
    "Part",
    "PartState",
    "Problem",
    "Spans",
    "TrainingDefaults",
    "nearest_legal",
    "one_row",
    "selection_parts",
]

LONGEST_ENUMERATION: Final = 2**16
"""Maximum number of action sequences that `Problem.sequences` enumerates."""


def nearest_legal(legal: Tensor, actions: Tensor) -> Tensor:
    """Replace illegal actions (R,) by the nearest legal one, the lower of two, given `legal` (R, k)."""
    allowed = legal.gather(1, actions[:, None]).squeeze(1)
    k = legal.shape[1]
    if k == 2:
        return torch.where(allowed, actions, 1 - actions)
    distance = torch.arange(k, device=actions.device) - actions[:, None]
    rank = (2 * distance.abs() + (distance > 0)).masked_fill(~legal, 2 * k)
    return rank.argmin(1)


def one_row(actions: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the actions of one sentence, (1, T) int64, and their number, (1,) int64, on the CPU."""
    return torch.tensor([list(actions)], device=CPU), torch.tensor([len(actions)], device=CPU)


class Problem(ABC):
    """The decision at each word of a sentence.

    A subclass names its actions and defines the spans that they make. It may restrict the sequences with `legal` and
    `progress_after`; by default every action is legal. Problems have no state: two objects of one class are equal.

    Attributes:
        title: Name in messages and tables.
        actions: Names of the k >= 2 actions; an action is an index of this tuple.
        span: Noun for a span, singular and plural; infos are `num_<plural>` and `<plural>`.
        columns: Additional columns of the comparison table.
        defaults: Default training settings.
        environment: Defaults and documentation of the environment.
        covers: Whether the spans of a finished sentence cover all words.
        nested: Whether spans contain spans. They are then ordered by row, end and size, and drawn as a tree.
        closing_action: Action that ends a sentence when search scores an unfinished one.
        keeps_progress: Whether the problem defines `progress_after`, so that `legal` may depend on earlier actions.
    """

    title: ClassVar[str]
    actions: ClassVar[tuple[str, ...]]
    span: ClassVar[tuple[str, str]]
    columns: ClassVar[tuple[Column, ...]] = ()
    defaults: ClassVar[TrainingDefaults]
    environment: ClassVar[EnvironmentText]
    covers: ClassVar[bool] = True
    nested: ClassVar[bool] = False
    closing_action: ClassVar[int]
    keeps_progress: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.keeps_progress = cls.progress_after is not Problem.progress_after

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @property
    def num_actions(self) -> int:
        """Number of actions k."""
        return len(self.actions)

    # Which sequences are legal ---------------------------------------------------------------------------------------

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """Return the legal actions at a word, (R, k) bool with at least one True in each row.

        Args:
            progress: (R,) int64 from `progress_after`; 0 at the first word.
            left: (R,) int64 number of words after this one; negative once the sentence is finished.
        """
        return torch.ones(len(left), self.num_actions, dtype=torch.bool, device=left.device)

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """Return the progress, (R,) int64, after legal actions (R,)."""
        return progress

    def legalised(self, actions: Tensor, lengths: Tensor) -> Tensor:
        """Replace illegal actions by the nearest legal one, word by word, as an environment does.

        Args:
            actions: (R, T) int64; values after the last word do not change.
            lengths: (R,) int64 numbers of words.
        """
        progress, taken = torch.zeros_like(lengths), []
        for position, action in enumerate(actions.unbind(1)):
            left = lengths - 1 - position
            nearest = nearest_legal(self.legal(progress, left), action)
            progress = self.progress_after(progress, nearest)
            taken.append(torch.where(left < 0, action, nearest))
        return torch.stack(taken, 1)

    def sequences(self, length: int) -> Tensor:
        """Enumerate all legal sequences of actions for a sentence of `length` words, on the CPU: (rows, L) int64.

        Raises:
            HsEnvError: If there are more than `LONGEST_ENUMERATION` sequences.
        """
        made = torch.zeros(1, 0, dtype=torch.int64, device=CPU)
        progress = torch.zeros(1, dtype=torch.int64, device=CPU)
        for position in range(length):
            legal = self.legal(progress, torch.full((len(made),), length - 1 - position, device=CPU))
            if int(legal.sum()) > LONGEST_ENUMERATION:
                raise HsEnvError(
                    f"A sentence of {length} words has more than {LONGEST_ENUMERATION:,} legal sequences of actions, "
                    "too many to enumerate. Choose shorter sentences."
                )
            grown, reached = [], []
            for action in range(self.num_actions):  # the first word varies fastest
                rows = legal[:, action].nonzero().squeeze(1)
                taken = torch.full((len(rows),), action, device=CPU)
                grown.append(torch.cat([made[rows], taken[:, None]], 1))
                reached.append(self.progress_after(progress[rows], taken))
            made, progress = torch.cat(grown), torch.cat(reached)
        return made

    def first_fault(self, sequences: Sequence[Sequence[int]]) -> tuple[int, str] | None:
        """Return index and fault of the first illegal sequence of actions, or None if all sequences are legal."""
        for place, sequence in enumerate(sequences):
            for position, action in enumerate(sequence):
                if type(action) in (bool, float) or action not in range(self.num_actions):
                    return place, f"action {position} is {action!r}, expected {self.choices}"
        if not sequences:
            return None
        actions = pad_sequence([torch.tensor(sequence, device=CPU) for sequence in sequences], batch_first=True)
        lengths = torch.tensor([len(sequence) for sequence in sequences], device=CPU)
        changed = self.legalised(actions, lengths) != actions
        faulty = changed.any(1)
        if not faulty.any():
            return None
        place = int(faulty.long().argmax())
        position = int(changed[place].long().argmax())
        return place, f"action {position} is {self.expected(int(actions[place, position]))}, which is not legal there"

    def translated(self, actions: Sequence[int], other: Problem) -> tuple[int, ...] | None:
        """Return the actions of `other` that make the same spans as legal actions, or None if it has none."""
        return None

    # Spans and their display ----------------------------------------------------------------------------------------

    @abstractmethod
    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """Return the spans of finished sequences of actions.

        `parts` also asks for those of an unfinished sequence, which may have none.

        Args:
            actions: (R, T) int64; values after the last word are ignored.
            lengths: (R,) int64 numbers of words.
        """

    def spans_by_row(self, actions: Tensor, lengths: Tensor) -> list[list[tuple[int, int]]]:
        """Return the `(start, stop)` pairs of `spans` for each row; see there for the arguments.

        Environments call it for the few episodes that end in a step. Lists are faster than tensors there, so a problem
        may override it with a route to the same pairs.
        """
        return self.spans(actions, lengths).by_row(len(actions))

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Return the counts of each episode for `columns`, (R,) by name; at least `num_<plural>`, the number of spans.

        Args:
            actions: (R, T) int64 legal actions.
            sentences: R sentences.
        """
        return {f"num_{self.span[1]}": self.spans(actions, sentences.lengths).counts(len(actions))}

    def infos(
        self, words: Sequence[Sequence[str]], actions: Tensor, lengths: Tensor, unit: str = "words"
    ) -> dict[str, Any]:
        """Return the infos of R finished episodes.

        Args:
            words: Words of each row; empty where they are unknown.
            actions: (R, T) int64.
            lengths: (R,) int64.
            unit: What the words are: "words", "characters" or "bytes".

        Returns:
            `num_<plural>`, (R,) int64 numbers of spans; `<plural>`, R tuples of the spans' texts.
        """
        spans = self.spans_by_row(actions, lengths)
        rows = zip(words, spans, strict=True)
        texts = [tuple(to_text(row[start:stop], unit) for start, stop in found) if row else () for row, found in rows]
        return {f"num_{self.span[1]}": np.array([*map(len, spans)]), self.span[1]: texts}

    def spans_of(self, actions: Sequence[int]) -> list[tuple[int, int]]:
        """Return the `(start, stop)` pairs of the spans of one sequence of actions, finished or not."""
        (found,) = self.spans_by_row(*one_row(actions))
        return found

    def bracketed(self, words: Sequence[str], actions: Sequence[int]) -> list[str]:
        """Return the words with brackets around the spans, such as `["((the", "movie)", "ends)"]`."""
        texts = list(words)
        for start, stop in self.spans_of(actions) if actions else []:
            texts[start], texts[stop - 1] = f"({texts[start]}", f"{texts[stop - 1]})"
        return texts

    def parts(self, actions: Sequence[int], finished: bool) -> list[Part]:
        """Group the words that have an action, in order and without gaps, for a picture.

        Args:
            actions: Actions so far.
            finished: Whether all words of the sentence have actions.
        """
        if not actions:
            return []
        if self.nested:
            return outermost_parts(self.spans_of(actions), len(actions))
        spans = self.spans(*one_row(actions))
        found: list[Part] = []
        at = 0
        for start, stop, action in zip(spans.start.tolist(), spans.stop.tolist(), spans.action.tolist(), strict=True):
            if start > at:
                found.append(Part(at, start, "deleted"))
            found.append(Part(start, stop, "phrase" if finished or self.closes(actions[stop - 1]) else "open", action))
            at = stop
        if at < len(actions):  # words of a span that is not complete, if spans cover the sentence
            found.append(Part(at, len(actions), "open" if self.covers else "deleted"))
        return found

    def closes(self, action: int) -> bool:
        """Return whether the span of a word with this action is complete."""
        return action != 0

    def describe(self, words: Sequence[str], actions: Sequence[int], unit: str = "words") -> dict[str, Any]:
        """Return the spans of a finished sentence as JSON values; for k > 2 also the name of each action."""
        (texts,) = self.infos([words], *one_row(actions), unit)[self.span[1]]
        names = {} if self.num_actions == 2 else {"actions": [self.actions[action] for action in actions]}
        return {self.span[1]: list(texts), **names}

    def expected(self, action: int) -> str:
        """Return an action as text for messages: `END (1)`."""
        return f"{self.actions[action]} ({action})"

    @property
    def choices(self) -> str:
        """List of the actions for messages: `INSIDE (0) or END (1)`."""
        *first, last = map(self.expected, range(self.num_actions))
        return f"{', '.join(first)} or {last}"
