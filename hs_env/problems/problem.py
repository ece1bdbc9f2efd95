"""The contract of a decision problem: the one definition of what actions mean.

An encoder defines what an action does to its memory. A problem defines everything else: the names of the actions, which
sequences are legal, which spans of words they give, and what tables, infos and pictures show of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from hs_env.errors import HsEnvError
from hs_env.types import SentenceBatch

LONGEST_ENUMERATION: Final = 2**16
"""Greatest number of action sequences that `Problem.sequences` enumerates."""


@dataclass(frozen=True, slots=True)
class Spans:
    """P groups of consecutive words, ordered by row and then by where they end.

    Attributes:
        row: (P,) int64, the row (episode) that each span is in.
        start: (P,) int64, its first word.
        stop: (P,) int64, the word after its last one.
        action: (P,) int64, the action that made it.
    """

    row: Tensor
    start: Tensor
    stop: Tensor
    action: Tensor

    def __len__(self) -> int:
        return len(self.row)

    def counts(self, rows: int) -> Tensor:
        """(rows,) int64: the number of spans in each row."""
        return torch.bincount(self.row, minlength=rows)

    def cover(self, mask: Tensor) -> Tensor:
        """(R, T) bool: the words in a span, given those that exist, (R, T) bool."""
        steps = torch.zeros(mask.shape[0], mask.shape[1] + 1, dtype=torch.int64, device=mask.device)
        one = torch.ones_like(self.row)
        steps.index_put_((self.row, self.start), one, accumulate=True)
        steps.index_put_((self.row, self.stop), -one, accumulate=True)
        return steps.cumsum(1)[:, :-1] > 0

    def by_row(self, rows: int) -> list[list[tuple[int, int]]]:
        """The `(start, stop)` pairs of each row."""
        found: list[list[tuple[int, int]]] = [[] for _ in range(rows)]
        for row, start, stop in zip(self.row.tolist(), self.start.tolist(), self.stop.tolist(), strict=True):
            found[row].append((start, stop))
        return found


class Part(NamedTuple):
    """Words `start` up to, not including, `stop`, as a picture shows them.

    Attributes:
        start: First word.
        stop: The word after the last one.
        state: "phrase" is a complete group of words, "open" one that the next word may join; "retained" and "deleted"
            words are kept and left out; "unread" words have no action yet.
        action: The action that made the part, or None.
    """

    start: int
    stop: int
    state: Literal["phrase", "open", "retained", "deleted", "unread"]
    action: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the comparison table: the ratio of two counts, summed over the sentences.

    Attributes:
        name: Key in files and logs.
        heading: The heading, on two lines.
        numerator: A count that `Problem.counts` gives, or "words" or "sentences".
        denominator: Likewise. The ratio is 1 where both sums are 0.
        factor: Factor of the printed figure: 100 for a percentage.
        decimals: Decimals of the printed figure.
        needs: A count that must not be 0 in all sentences, or the column is left out.
        agreement: The column compares with known structure, and is printed in a table of its own.
    """

    name: str
    heading: tuple[str, str]
    numerator: str
    denominator: str
    factor: float = 1
    decimals: int = 3
    needs: str = ""
    agreement: bool = False


@dataclass(frozen=True, slots=True)
class TrainingDefaults:
    """What a run of this problem uses where its configuration says nothing else.

    Attributes:
        warm_start: Baseline policy that the C-Net is warm-started on.
        reward: Reward, as an expression.
        reward_dropout: Whether the P-Net learns from rewards under the classifier's dropout.
        warm_epochs: Greatest number of epochs of the warm start.
        pnet_epochs: Greatest number of epochs of the P-Net alone.
        joint_learning_rate: Learning rate of the C-Net in joint training.
        joint_score: Score on dev that decides which epoch of joint training is best.
        pnet_learning_rate: Learning rate of the P-Net (REINFORCE).
        initial_logits: Logits that the P-Net starts near in every state, one an action; empty is 0 for all.
    """

    warm_start: str
    reward: str
    reward_dropout: bool = False
    warm_epochs: int = 5
    pnet_epochs: int = 1
    joint_learning_rate: float = 5e-4
    joint_score: Literal["log_likelihood", "reward"] = "log_likelihood"
    pnet_learning_rate: float = 5e-3
    initial_logits: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentText:
    """The environment of a problem: defaults of its arguments, and the paragraphs that its page has of its own.

    The page is made by `hs_env.problems.environment_page`; each text is Markdown.

    Attributes:
        classifier: Default classifier: one that ships with a package, its file, or the folder of a run.
        corpus: Default corpus.
        reward: Default reward.
        summary: One sentence in the imperative.
        description: What happens in an episode.
        meanings: What each action means, in the order of `Problem.actions`.
        legality: Which actions are legal where.
        observation: What the observation holds.
        rewarded: The default reward as a formula, with its symbols explained.
        potential: Where the potential of `shaping` changes.
        information: Rows of the table of infos after the last word: key, type, meaning.
        references: Papers.
        history: What each version changed.
    """

    classifier: str
    corpus: str
    reward: str
    summary: str
    description: str
    meanings: tuple[str, ...]
    legality: str
    observation: str
    rewarded: str
    potential: str
    information: tuple[tuple[str, str, str], ...]
    references: str
    history: str = "* v0: initial version"
    reward_parameters: str = "{}"


def nearest_legal(legal: Tensor, actions: Tensor) -> Tensor:
    """(R,) int64: each action (R,) if it is legal (R, k), else the legal action nearest to it, the lower of two."""
    allowed = legal.gather(1, actions[:, None]).squeeze(1)
    k = legal.shape[1]
    if k == 2:
        return torch.where(allowed, actions, 1 - actions)
    distance = torch.arange(k, device=actions.device) - actions[:, None]
    rank = (2 * distance.abs() + (distance > 0)).masked_fill(~legal, 2 * k)
    return rank.argmin(1)


class Problem(ABC):
    """What is decided at each word of a sentence.

    A subclass names its actions and says which spans they make. `legal` and `progress_after` restrict the sequences; a
    problem without them allows every action at every word. Problems have no state: two objects of one class are equal.

    Attributes:
        title: Name of the problem in messages and tables.
        actions: Names of its k actions, 2 or more; an action is its position here.
        span: What one span is called, in the singular and the plural; infos are `num_<plural>` and `<plural>`.
        columns: Columns of the comparison table, besides those of every classifier.
        defaults: Defaults of training.
        environment: Text and defaults of its environment.
        covers: Whether the spans of a finished sentence cover all its words, in order, without gaps.
        closing_action: The action after which a sentence may end: search tries it to judge an unfinished sentence.
        keeps_progress: Whether `legal` depends on the actions taken so far.
    """

    title: ClassVar[str]
    actions: ClassVar[tuple[str, ...]]
    span: ClassVar[tuple[str, str]]
    columns: ClassVar[tuple[Column, ...]] = ()
    defaults: ClassVar[TrainingDefaults]
    environment: ClassVar[EnvironmentText]
    covers: ClassVar[bool] = True
    closing_action: ClassVar[int]
    keeps_progress: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @property
    def num_actions(self) -> int:
        """k."""
        return len(self.actions)

    # Which sequences are legal ---------------------------------------------------------------------------------------

    def legal(self, progress: Tensor, left: Tensor) -> Tensor:
        """The actions that may be taken at a word.

        Args:
            progress: (R,) int64, what `progress_after` has made of the actions so far; 0 at the first word.
            left: (R,) int64, the words after this one; 0 at the last word, negative once the sentence is finished.

        Returns:
            (R, k) bool, at least one True in each row.
        """
        return torch.ones(len(left), self.num_actions, dtype=torch.bool, device=left.device)

    def progress_after(self, progress: Tensor, actions: Tensor) -> Tensor:
        """(R,) int64: the progress after legal actions (R,); called only if `keeps_progress`."""
        return progress

    def sequences(self, length: int) -> Tensor:
        """(P, L) int64: every legal sequence of actions for a sentence of `length` words.

        Raises:
            HsEnvError: If there are more than `LONGEST_ENUMERATION`.
        """
        made = torch.zeros(1, 0, dtype=torch.int64)
        progress = torch.zeros(1, dtype=torch.int64)
        for position in range(length):
            legal = self.legal(progress, torch.full((len(made),), length - 1 - position))
            if int(legal.sum()) > LONGEST_ENUMERATION:
                raise HsEnvError(
                    f"A sentence of {length} words has more than {LONGEST_ENUMERATION:,} legal sequences of actions, "
                    "too many to enumerate. Choose shorter sentences."
                )
            grown, reached = [], []
            for action in range(self.num_actions):  # the first word varies fastest
                rows = legal[:, action].nonzero().squeeze(1)
                taken = torch.full((len(rows),), action)
                grown.append(torch.cat([made[rows], taken[:, None]], 1))
                reached.append(self.progress_after(progress[rows], taken))
            made, progress = torch.cat(grown), torch.cat(reached)
        return made

    def first_fault(self, sequences: Sequence[Sequence[int]]) -> tuple[int, str] | None:
        """The first of some sequences of actions that is not legal, and why; None if all of them are.

        Args:
            sequences: The actions of one sentence each, at least one.
        """
        for place, sequence in enumerate(sequences):
            for position, action in enumerate(sequence):
                if action not in range(self.num_actions):
                    return place, f"action {position} is {action!r}, expected {self.choices}"
        actions = pad_sequence([torch.tensor(sequence) for sequence in sequences], batch_first=True)
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        progress, fault = torch.zeros_like(lengths), torch.full_like(lengths, -1)
        for position, taken in enumerate(actions.unbind(1)):
            left = lengths - 1 - position
            legal = self.legal(progress, left)
            allowed = legal.gather(1, taken[:, None]).squeeze(1) | (left < 0)
            fault = torch.where(allowed | (fault >= 0), fault, position)
            progress = self.progress_after(progress, nearest_legal(legal, taken))
        if (fault < 0).all():
            return None
        place = int((fault >= 0).long().argmax())
        position = int(fault[place])
        return place, f"action {position} is {self.expected(int(actions[place, position]))}, which is not legal there"

    # What they make of a sentence ------------------------------------------------------------------------------------

    @abstractmethod
    def spans(self, actions: Tensor, lengths: Tensor) -> Spans:
        """The spans that finished sequences of actions make.

        `parts` also asks for those of an unfinished sequence, which may have none.

        Args:
            actions: (R, T) int64; what is after the last word does not matter.
            lengths: (R,) int64.
        """

    def counts(self, actions: Tensor, sentences: SentenceBatch) -> dict[str, Tensor]:
        """Counts of each episode that `columns` are ratios of.

        Args:
            actions: (R, T) int64 legal actions.
            sentences: The R sentences.

        Returns:
            (R,) tensors by name; at least `num_<plural>`, the number of spans.
        """
        return {f"num_{self.span[1]}": self.spans(actions, sentences.lengths).counts(len(actions))}

    def infos(self, words: Sequence[Sequence[str]], actions: Tensor, lengths: Tensor) -> dict[str, Any]:
        """What an environment says of R finished episodes.

        Args:
            words: The words of each row; empty where they are unknown.
            actions: (R, T) int64.
            lengths: (R,) int64.

        Returns:
            `num_<plural>`, (R,) int64, the number of spans; `<plural>`, a list of R tuples with the words of each span,
            joined by blanks.
        """
        spans = self.spans(actions, lengths)
        rows = zip(words, spans.by_row(len(actions)), strict=True)
        texts = [tuple(" ".join(row[start:stop]) for start, stop in found) if row else () for row, found in rows]
        return {f"num_{self.span[1]}": spans.counts(len(actions)), self.span[1]: texts}

    def parts(self, actions: Sequence[int], finished: bool) -> list[Part]:
        """The words that have an action, in order, without gaps, as a picture groups them.

        Args:
            actions: The actions so far.
            finished: Whether every word of the sentence has its action.
        """
        if not actions:
            return []
        spans = self.spans(torch.tensor([list(actions)]), torch.tensor([len(actions)]))
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
        """Whether no later word can join the span of a word with this action."""
        return action != 0

    def describe(self, words: Sequence[str], actions: Sequence[int]) -> dict[str, Any]:
        """What a finished sequence of actions makes of a sentence, as JSON values."""
        (texts,) = self.infos([words], torch.tensor([list(actions)]), torch.tensor([len(words)]))[self.span[1]]
        return {self.span[1]: list(texts)}

    def expected(self, action: int) -> str:
        """How a message names an action: `END (1)`."""
        return f"{self.actions[action]} ({action})"

    @property
    def choices(self) -> str:
        """How a message lists the actions: `INSIDE (0) or END (1)`."""
        *first, last = map(self.expected, range(self.num_actions))
        return f"{', '.join(first)} or {last}"
