"""What is drawn: a sentence, its phrases, the prediction, and the palette."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from hs_env.types import END, INSIDE, HsEnvError


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of every rendering, as `#rrggbb`.

    Text keeps a contrast of at least 4.5 to the paper or the box behind it, and `muted` 4 to a nearly black page too.
    The phrases alternate between a blue and a sand that stay apart for colour-blind readers, and a wrong prediction is
    told by words too.
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
    """Words `start` up to, not including, `stop`: a whole phrase, the phrase still open, or what is not yet read."""

    start: int
    stop: int
    state: Literal["phrase", "open", "unread"]


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
    """A sentence and its phrases, finished or in progress.

    Attributes:
        words: At least one word.
        actions: `INSIDE` or `END` for each word read so far; fewer than words while an episode is in progress. The last
            word of the sentence ends a phrase whatever its action.
        label: Name of the gold class, where it is known.
        prediction: Name of the predicted class, where there is one.
        probability: Probability of the prediction, 0 to 1.

    Raises:
        HsEnvError: No words, an empty word, more actions than words, an action or a probability out of range.
    """

    words: tuple[str, ...]
    actions: tuple[int, ...] = ()
    label: str | None = None
    prediction: str | None = None
    probability: float | None = None

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
            if action not in (INSIDE, END):
                raise HsEnvError(f"action {position} is {action}, expected INSIDE ({INSIDE}) or END ({END})")
        if self.probability is not None and not -1e-6 <= self.probability <= 1 + 1e-6:
            raise HsEnvError(f"the probability of a prediction lies between 0 and 1, got {self.probability}")

    @property
    def finished(self) -> bool:
        """Whether every word has its action."""
        return len(self.actions) == len(self.words)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The sentence in order, without gaps: phrases, then the open phrase, then the words not yet read."""
        read = len(self.actions)
        stops = [position + 1 for position, action in enumerate(self.actions) if action == END]
        if self.finished and stops[-1:] != [read]:
            stops.append(read)
        spans = [Span(start, stop, "phrase") for start, stop in pairwise([0, *stops])]
        closed = stops[-1] if stops else 0
        if closed < read:
            spans.append(Span(closed, read, "open"))
        if not self.finished:
            spans.append(Span(read, len(self.words), "unread"))
        return tuple(spans)

    @property
    def phrases(self) -> list[tuple[str, ...]]:
        """The phrases read so far, the last one possibly still open; joined, they are the words read so far."""
        return [self.words[span.start : span.stop] for span in self.spans if span.state != "unread"]

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


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates replaced: safe in a terminal, UTF-8 and XML."""
    return _UNPRINTABLE.sub("\ufffd", text)
