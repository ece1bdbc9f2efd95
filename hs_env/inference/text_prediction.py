"""The prediction for one text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hs_env.render import Segmented
from hs_env.text_units import to_text


def _spans(shown: Segmented) -> list[Any]:
    """Return the spans of a sentence; those of a tree are its constituents, inner ones first."""
    if shown.problem is None:
        return []
    if shown.problem.nested:
        return [to_text(shown.words[each.start : each.stop], shown.unit) for each in shown.brackets]
    spans: list[Any] = shown.description[shown.problem.span[1]]
    return spans


@dataclass(frozen=True, slots=True)
class TextPrediction:
    """A text with its words, its class and the decisions about its words.

    A text without words has no label, no probabilities and no spans.

    Attributes:
        text: Text as it was given.
        words: Words of the text.
        label: Most probable class, or None.
        probability: Probability of this class, or None.
        probabilities: Probability of each class.
        actions: Name of the action at each word, such as "INSIDE" and "END". For HM-LSTM and H-Net, the boundaries of
            the lowest level. Empty for a classifier without structure.
        span_name: Name of the spans: "phrases", "retained", "chunks", "read" or "constituents"; None for a classifier
            without structure.
        spans: Text of each span: words are joined by spaces, characters by nothing. For HM-LSTM and H-Net nested lists
            of words.
        unknown: Share of the words that the classifier does not know, 0 to 1.
        segmented: The same for `hs_env.render`, such as `to_html(prediction.segmented)`; None without words.
    """

    text: str
    words: tuple[str, ...]
    label: str | None
    probability: float | None
    probabilities: dict[str, float]
    actions: tuple[str, ...]
    span_name: str | None
    spans: list[Any]
    unknown: float
    segmented: Segmented | None = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str, shown: Segmented, probabilities: dict[str, float], unknown: float) -> TextPrediction:
        """Build a prediction from a sentence with its actions."""
        problem, label = shown.problem, shown.prediction
        assert label is not None
        name = None if problem is None else problem.span[1]
        return cls(
            text=text,
            words=shown.words,
            label=label,
            probability=probabilities[label],
            probabilities=probabilities,
            actions=() if problem is None else tuple(problem.actions[action] for action in shown.actions),
            span_name=name,
            spans=_spans(shown),
            unknown=unknown,
            segmented=shown,
        )

    @classmethod
    def without_words(cls, text: str, span_name: str | None) -> TextPrediction:
        """Build the prediction of a text without words."""
        return cls(text, (), None, None, {}, (), span_name, [], 0.0, None)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; the spans are under their name."""
        return {
            "text": self.text,
            "words": list(self.words),
            **({} if self.span_name is None else {self.span_name: self.spans, "actions": list(self.actions)}),
            "label": self.label,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "unknown": self.unknown,
        }
