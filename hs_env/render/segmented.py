"""What is drawn: a sentence, what has been decided about its words, the prediction, and the palette."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS

if TYPE_CHECKING:
    from hs_env.problems.problem import Problem


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of every rendering, as `#rrggbb`.

    Text keeps a contrast of at least 4.5 to the paper or the box behind it, and `muted` 4 to a nearly black page too.
    The phrases alternate between a blue and a sand that stay apart for colour-blind readers, what is retained is blue,
    and a wrong prediction is told by words too.
    """

    paper: str = "#ffffff"
    ink: str = "#17212b"
    muted: str = "#757575"
    track: str = "#c3c9d1"
    phrases: tuple[str, str] = ("#c0dcf7", "#f8dfb2")
    on_colour: str = "#ffffff"
    neutral: str = "#3b5b8c"
    right: str = "#1a7f4b"
    wrong: str = "#c62828"


PALETTE: Final = Palette()
"""The one palette in use."""

SANS: Final = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
"""Font families of SVG and HTML; the first of them have the metrics that `pictures` measures."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class Span(NamedTuple):
    """A `Part` of the sentence and the colour behind it; deleted and unread words have no colour."""

    start: int
    stop: int
    state: Literal["phrase", "open", "retained", "deleted", "unread"]
    colour: str | None = None
    action: int | None = None


class Verdict(NamedTuple):
    """A prediction in words and colour; `probability` and `note` may be empty."""

    name: str
    probability: str
    note: str
    colour: str

    @property
    def text(self) -> str:
        """Name and probability."""
        return f"{self.name} {self.probability}".rstrip()


@dataclass(frozen=True)
class Segmented:
    """A sentence and what the actions so far make of it; finished or in progress.

    Attributes:
        words: At least one word.
        actions: The action at each word read so far; fewer than words while an episode is in progress.
        label: Name of the gold class, where it is known.
        prediction: Name of the predicted class, where there is one.
        probability: Probability of the prediction, 0 to 1.
        problem: The decision problem of the actions.
        ends: In a hierarchy of phrases, how many levels end one behind each word, the levels of `actions` included; all
            of them at the last word. Empty where phrases have one level.

    Raises:
        HsEnvError: No words, an empty word, more actions than words, an action or a probability out of range, ends that
            do not fit.
    """

    words: tuple[str, ...]
    actions: tuple[int, ...] = ()
    label: str | None = None
    prediction: str | None = None
    probability: float | None = None
    problem: Problem = field(default_factory=lambda: PROBLEMS.get("phrase_segmentation"))  # imports torch
    ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.words:
            raise HsEnvError("a segmented sentence needs at least one word, got none")
        if "" in self.words:
            raise HsEnvError(f"word {self.words.index('')} of the sentence is empty; drop empty words first")
        if len(self.actions) > len(self.words):
            raise HsEnvError(
                f"expected at most one action for each of the {len(self.words)} words, got {len(self.actions)} actions"
            )
        for position, action in enumerate(self.actions):
            if action not in range(self.problem.num_actions):
                raise HsEnvError(f"action {position} is {action}, expected {self.problem.choices}")
        if self.probability is not None and not -1e-6 <= self.probability <= 1 + 1e-6:
            raise HsEnvError(f"the probability of a prediction lies between 0 and 1, got {self.probability}")
        if self.ends and (len(self.ends) != len(self.words) or self.ends[-1] != max(self.ends)):
            raise HsEnvError(f"expected an end for each word, the most at the last one; got {self.ends}")

    @property
    def finished(self) -> bool:
        """Whether every word has its action."""
        return len(self.actions) == len(self.words)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The sentence in order, without gaps: what has been decided, then the words not yet read."""
        grouped, phrases = [], 0
        for start, stop, state, action in self.problem.parts(self.actions, self.finished):
            colour = {"retained": PALETTE.phrases[0], "deleted": None}.get(state, PALETTE.phrases[phrases % 2])
            phrases += state in ("phrase", "open")
            grouped.append(Span(start, stop, state, colour, action))
        if not self.finished:
            grouped.append(Span(len(self.actions), len(self.words), "unread"))
        return tuple(grouped)

    @property
    def description(self) -> dict[str, Any]:
        """What the actions make of a finished sentence, as JSON values; phrases of a hierarchy are nested lists."""
        return {"phrases": self.nested} if self.ends else self.problem.describe(self.words, self.actions)

    @property
    def phrases(self) -> list[tuple[str, ...]]:
        """The phrases read so far, the last one possibly still open; joined, they are the words read so far."""
        return [self.words[span.start : span.stop] for span in self.spans if span.state in ("phrase", "open")]

    @property
    def nested(self) -> list[Any]:
        """The phrases as lists, those of a higher level as lists of phrases; the innermost hold words."""
        return _nested(self.words, self.ends or self.actions, max(self.ends, default=1))

    @property
    def retained(self) -> tuple[str, ...]:
        """The words retained so far."""
        kept = [self.words[span.start : span.stop] for span in self.spans if span.state == "retained"]
        return tuple(word for run in kept for word in run)

    @property
    def correct(self) -> bool | None:
        """Whether the prediction is the label; None where one of them is unknown."""
        if self.label is None or self.prediction is None:
            return None
        return self.label == self.prediction

    @property
    def verdict(self) -> Verdict | None:
        """The prediction in words and colour; None where there is no prediction."""
        if self.prediction is None:
            return None
        probability = "" if self.probability is None else f"{max(0.0, self.probability):.2f}"
        note = f"(gold {self.label})" if self.correct is False else ""
        colour = {None: PALETTE.neutral, True: PALETTE.right, False: PALETTE.wrong}[self.correct]
        return Verdict(printable(self.prediction), probability, printable(note), colour)

    def text(self, span: Span) -> str:
        """The words of a span in one printable string."""
        return printable(" ".join(self.words[span.start : span.stop]))


def _nested(words: tuple[str, ...], ends: tuple[int, ...], level: int) -> list[Any]:
    """The phrases of a level, each made of those of the level below; at level 0, the words."""
    if level == 0:
        return list(words)
    stops = [stop for stop, count in enumerate(ends, 1) if count >= level or stop == len(words)]
    return [_nested(words[start:stop], ends[start:stop], level - 1) for start, stop in pairwise([0, *stops])]


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates replaced: safe in a terminal, UTF-8 and XML."""
    return _UNPRINTABLE.sub("\ufffd", text)
