"""A sentence with its actions and prediction, for display, and the palette."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from hs_env.errors import HsEnvError
from hs_env.problems import PROBLEMS
from hs_env.text_units import to_text

if TYPE_CHECKING:
    from hs_env.problems.problem import PartState, Problem


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of every rendering, as `#rrggbb`.

    Text has a contrast of at least 4.5 to its background; `muted` also has 4 to a nearly black page. Phrases alternate
    between a blue and a sand that colour-blind readers can distinguish; retained words are blue.
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
"""The palette of all renderings."""

SANS: Final = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
"""Font families of SVG and HTML; `pictures` uses the metrics of the first ones."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


class Span(NamedTuple):
    """A `Part` of the sentence and its background colour; deleted, unread and undecided words have none.

    The state "whole" is that of a sentence which a classifier reads without decisions.
    """

    start: int
    stop: int
    state: PartState | Literal["whole"]
    colour: str | None = None
    action: int | None = None

    @property
    def ink(self) -> str:
        """Colour of the words, `#rrggbb`."""
        return PALETTE.ink if self.colour or self.state == "whole" else PALETTE.muted


class Bracket(NamedTuple):
    """A span of a tree; `level` counts the spans from the words to this one, from 1."""

    start: int
    stop: int
    level: int


class Prediction(NamedTuple):
    """A prediction as text and colour; `probability` and `note` may be empty."""

    name: str
    probability: str
    note: str
    colour: str

    @property
    def text(self) -> str:
        """Return the name and the probability of the class."""
        return f"{self.name} {self.probability}".rstrip()


@dataclass(frozen=True)
class Segmented:
    """A sentence with its actions so far, finished or in progress.

    Attributes:
        words: One or more words.
        actions: Actions at the words so far.
        label: Name of the gold class, if known.
        prediction: Name of the predicted class, if any.
        probability: Probability of the prediction, 0 to 1.
        problem: Decision problem of the actions; None for a classifier that reads the sentence as it is.
        ends: For a hierarchy of phrases, the number of levels that end a phrase after each word, counting that of
            `actions`; the maximum at the last word. Empty if there is one level.
        unit: What the words are: "words", "characters" or "bytes".

    Raises:
        HsEnvError: If there are no words, a word is empty, there are more actions than words, an action or the
            probability is out of range, or the ends do not fit.
    """

    words: tuple[str, ...]
    actions: tuple[int, ...] = ()
    label: str | None = None
    prediction: str | None = None
    probability: float | None = None
    problem: Problem | None = field(default_factory=lambda: PROBLEMS.get("phrase_segmentation"))  # imports torch
    ends: tuple[int, ...] = ()
    unit: str = "words"

    def __post_init__(self) -> None:
        if not self.words:
            raise HsEnvError("a segmented sentence needs at least one word, got none")
        if "" in self.words:
            raise HsEnvError(f"word {self.words.index('')} of the sentence is empty; drop empty words first")
        if len(self.actions) > len(self.words):
            raise HsEnvError(
                f"expected at most one action for each of the {len(self.words)} words, got {len(self.actions)} actions"
            )
        if self.actions and self.problem is None:
            raise HsEnvError(f"a sentence without a decision problem has no actions, got {len(self.actions)}")
        for position, action in enumerate(self.actions):
            if self.problem is not None and action not in range(self.problem.num_actions):
                raise HsEnvError(f"action {position} is {action}, expected {self.problem.choices}")
        if self.probability is not None and not -1e-6 <= self.probability <= 1 + 1e-6:
            raise HsEnvError(f"the probability of a prediction must be between 0 and 1, got {self.probability}")
        if self.ends and (len(self.ends) != len(self.words) or self.ends[-1] != max(self.ends)):
            raise HsEnvError(f"expected one end for each word, the greatest at the last one; got {self.ends}")

    @property
    def finished(self) -> bool:
        """Whether every word has an action, if actions are taken at all."""
        return self.problem is None or len(self.actions) == len(self.words)

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans of the sentence, in order and without gaps; the last one has the unread words."""
        if self.problem is None:
            return (Span(0, len(self.words), "whole"),)
        grouped, phrases = [], 0
        for start, stop, state, action in self.problem.parts(self.actions, self.finished):
            colour = {"retained": PALETTE.phrases[0], "deleted": None}.get(state, PALETTE.phrases[phrases % 2])
            phrases += state in ("phrase", "open", "tree")
            grouped.append(Span(start, stop, state, colour, action))
        if not self.finished:
            grouped.append(Span(len(self.actions), len(self.words), "unread"))
        return tuple(grouped)

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """All spans so far of a problem whose spans are nested, inner ones before outer ones; else empty."""
        if self.problem is None or not self.problem.nested or not self.actions:
            return ()
        levels = [0] * len(self.actions)
        found = []
        for start, stop in self.problem.spans_of(self.actions):
            level = 1 + max(levels[start:stop])
            levels[start:stop] = [level] * (stop - start)
            found.append(Bracket(start, stop, level))
        return tuple(found)

    @property
    def description(self) -> dict[str, Any]:
        """Spans of a finished sentence as JSON values, by their name; a hierarchy of phrases gives nested lists."""
        if self.problem is None:
            return {}
        return {"phrases": self.nested} if self.ends else self.problem.describe(self.words, self.actions, self.unit)

    @property
    def phrases(self) -> list[tuple[str, ...]]:
        """Phrases so far; the last one may be incomplete."""
        return [self.words[span.start : span.stop] for span in self.spans if span.state in ("phrase", "open")]

    @property
    def nested(self) -> list[Any]:
        """Phrases as lists of words; those of a higher level are lists of phrases."""
        return _nested(self.words, self.ends or self.actions, max(self.ends, default=1))

    @property
    def retained(self) -> tuple[str, ...]:
        """Words retained so far."""
        kept = [self.words[span.start : span.stop] for span in self.spans if span.state == "retained"]
        return tuple(word for run in kept for word in run)

    @property
    def correct(self) -> bool | None:
        """Whether the prediction is the label; None if one of them is unknown."""
        if self.label is None or self.prediction is None:
            return None
        return self.label == self.prediction

    @property
    def prediction_text(self) -> Prediction | None:
        """Prediction as text and colour, if there is one."""
        if self.prediction is None:
            return None
        probability = "" if self.probability is None else f"{max(0.0, self.probability):.2f}"
        note = f"(gold {self.label})" if self.correct is False else ""
        colour = {None: PALETTE.neutral, True: PALETTE.right, False: PALETTE.wrong}[self.correct]
        return Prediction(printable(self.prediction), probability, printable(note), colour)

    def text(self, span: Span) -> str:
        """Return the words of a span as one printable string.

        A tree has its brackets. For k > 2 a finished phrase is followed by its action.
        """
        if self.problem is None:
            return printable(to_text(self.words, self.unit))
        texts = self.problem.bracketed(self.words, self.actions) if span.state == "tree" else self.words
        words = printable(to_text(texts[span.start : span.stop], self.unit))
        if self.problem.num_actions > 2 and span.state == "phrase" and span.action is not None:
            return f"{words}: {self.problem.actions[span.action]}"
        return words


def _nested(words: tuple[str, ...], ends: tuple[int, ...], level: int) -> list[Any]:
    """Return the phrases of a level as lists of those of the level below; level 0 has the words."""
    if level == 0:
        return list(words)
    stops = [stop for stop, count in enumerate(ends, 1) if count >= level or stop == len(words)]
    return [_nested(words[start:stop], ends[start:stop], level - 1) for start, stop in pairwise([0, *stops])]


def printable(text: str) -> str:
    """Replace control characters and lone surrogates, so the text is safe in a terminal, UTF-8 and XML."""
    return _UNPRINTABLE.sub("\ufffd", text)
