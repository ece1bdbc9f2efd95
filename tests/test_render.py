"""Renderings of a sentence and its actions: exact text, well-formed markup, fixed frames, clear errors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hs_env.errors import HsEnvError
from hs_env.problems.distillation import DISTILLATION, InformationDistillation
from hs_env.problems.problem import Problem, Spans
from hs_env.problems.segmentation import SEGMENTATION
from hs_env.render import PALETTE, Segmented, to_ansi, to_html, to_rgb, to_svg, to_text
from hs_env.render.episodes import segmented as segmented_episodes
from hs_env.types import Episodes, Sentence
from tests.builders import make_batch

WORDS = ("the", "movie", "is", "not", "very", "good")
ACTIONS = (0, 1, 0, 1, 0, 1)
SENTENCE = "the plot is not exactly new , but it is told with such warmth that you never want it to end"
PLOT = tuple(SENTENCE.split())
UNICODE = 'café 日本語 😀 👨\u200d👩\u200d👧 Łódź العربية z̷a̶l \u200b <b>& "quoted" a\ufffe'
WEIRD = (
    *UNICODE.split(),
    "\x00",
    "\ud800",
    "\x1b[31m",
    "w" * 500,
)

words = st.text(min_size=1).filter(lambda word: not re.search(r"\s", word))


@st.composite
def segmented(draw: st.DrawFn) -> Segmented:
    """Any sentence, finished or not, with or without a prediction."""
    sentence = draw(st.lists(words, min_size=1, max_size=12))
    actions = draw(st.lists(st.integers(0, 1), max_size=len(sentence)))
    names = st.none() | st.sampled_from(["negative", "positive", "<odd> & new"])
    probability = draw(st.none() | st.floats(0, 1))
    problem: Problem = draw(st.sampled_from([SEGMENTATION, DISTILLATION]))
    return Segmented(tuple(sentence), tuple(actions), draw(names), draw(names), probability, problem)


def distilled(actions: tuple[int, ...], sentence: tuple[str, ...] = WORDS) -> Segmented:
    prediction = "negative" if len(actions) == len(sentence) else None
    return Segmented(sentence, actions, "negative", prediction, 0.93, DISTILLATION)


# Text


def test_text_of_a_finished_sentence() -> None:
    drawn = Segmented(WORDS, ACTIONS, prediction="negative", probability=0.93)
    assert to_text(drawn) == "[the movie] [is not] [very good]  → negative 0.93"


class Clauses(Problem):
    """Defines spans only; that the last word ends a clause is a matter of its spans."""

    title, actions, span, closing_action = "clauses", ("GO_ON", "STOP"), ("clause", "clauses"), 1

    def spans(self, actions: torch.Tensor, lengths: torch.Tensor) -> Spans:
        return SEGMENTATION.spans(actions, lengths)


class Summary(InformationDistillation):
    title, actions = "summary", ("SKIP", "READ")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Clauses(), "[the movie] [is not] [very good]"),
        (Summary(), "~~the~~ movie ~~is~~ not ~~very~~ good"),
    ],
)
def test_a_problem_of_others_is_drawn_by_its_parts(problem: Problem, text: str) -> None:
    assert to_text(Segmented(WORDS, ACTIONS, problem=problem)) == text


def test_text_without_a_prediction() -> None:
    assert to_text(Segmented(WORDS, ACTIONS)) == "[the movie] [is not] [very good]"


@pytest.mark.parametrize(
    ("label", "end"), [("negative", "→ negative 0.93"), ("positive", "→ negative 0.93 (gold positive)")]
)
def test_text_tells_the_gold_label_of_a_wrong_prediction(label: str, end: str) -> None:
    assert to_text(Segmented(WORDS, ACTIONS, label, "negative", 0.93)).endswith(f"[very good]  {end}")


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ((), "· the movie is not very good"),
        ((0,), "[the …  · movie is not very good"),
        ((0, 1), "[the movie]  · is not very good"),
        ((0, 1, 0), "[the movie] [is …  · not very good"),
        ((0, 1, 0, 1, 0), "[the movie] [is not] [very …  · good"),
    ],
)
def test_text_in_progress(actions: tuple[int, ...], text: str) -> None:
    assert to_text(Segmented(WORDS, actions)) == text


def test_the_last_word_ends_a_phrase_whatever_its_action() -> None:
    assert Segmented(WORDS, (0, 1, 0, 1, 0, 0)).phrases == Segmented(WORDS, ACTIONS).phrases


@given(segmented())
def test_spans_are_the_sentence(drawn: Segmented) -> None:
    assert [word for span in drawn.spans for word in drawn.words[span.start : span.stop]] == list(drawn.words)
    assert all(span.start < span.stop for span in drawn.spans)
    read = drawn.words[: len(drawn.actions)]
    if drawn.problem == SEGMENTATION:
        assert tuple(word for phrase in drawn.phrases for word in phrase) == read
        assert drawn.retained == ()
    else:
        kept = tuple(word for word, action in zip(drawn.words, drawn.actions, strict=False) if action)
        assert drawn.retained == (kept or read[-1:] if drawn.finished else kept)
        assert drawn.phrases == []


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ((), "· the movie is not very good"),
        ((0,), "~~the~~  · movie is not very good"),
        ((1, 1), "the movie  · is not very good"),
        ((0, 0, 0, 1, 0, 1), "~~the movie is~~ not ~~very~~ good  → negative 0.93"),
        ((0, 0, 0, 0, 0, 0), "~~the movie is not very~~ good  → negative 0.93"),
    ],
)
def test_text_of_deleted_words(actions: tuple[int, ...], text: str) -> None:
    assert to_text(distilled(actions)) == text


@given(st.lists(words, min_size=1, max_size=12), st.data())
def test_brackets_balance_in_a_finished_sentence(sentence: list[str], data: st.DataObject) -> None:
    actions = data.draw(st.tuples(*[st.integers(0, 1) for _ in sentence]))
    drawn = Segmented(tuple(sentence), actions)
    text = to_text(drawn)
    for bracket in "[]":
        assert text.count(bracket) - "".join(sentence).count(bracket) == len(drawn.phrases)


@given(segmented())
def test_ansi_is_the_text_in_colour(drawn: Segmented) -> None:
    assert re.sub(r"\x1b\[[\d;]*m", "", to_ansi(drawn)) == to_text(drawn)


def test_ansi_colours_follow_the_prediction() -> None:
    colours = [
        re.findall(r"\x1b\[([\d;]*)mnegative", to_ansi(Segmented(WORDS, ACTIONS, label, "negative")))
        for label in ("negative", "positive", None)
    ]
    assert colours == [["38;5;29"], ["38;5;160"], ["38;5;60"]]


def test_ansi_strikes_deleted_words_through() -> None:
    struck = re.findall(r"\x1b\[[\d;]*;9m([^\x1b]*)\x1b\[0m", to_ansi(distilled((0, 0, 0, 1, 0, 1))))
    assert struck == ["~~the movie is~~", "~~very~~"]


def test_finished_episodes() -> None:
    batch = make_batch([6, 3])
    sentences = [Sentence(WORDS, 1), Sentence(WORDS[3:], 2)]
    actions = torch.tensor([[0, 0, 0, 1, 0, 1], [0, 1, 0, 0, 0, 0]])
    episodes = Episodes(batch, actions, torch.tensor([[0.1, 0.7, 0.2]] * 2).log())
    shown = list(segmented_episodes(episodes, sentences, ("a", "b", "c"), problem=DISTILLATION))
    assert [to_text(each) for each in shown] == [
        "~~the movie is~~ not ~~very~~ good  → b 0.70",
        "~~not~~ very ~~good~~  → b 0.70 (gold c)",
    ]
    assert [each.retained for each in shown] == [("not", "good"), ("very",)]
    unsure = segmented_episodes(episodes, sentences, ("a", "b", "c"), problem=SEGMENTATION, gold=False)
    assert [to_text(each) for each in unsure] == [
        "[the movie is not] [very good]  → b 0.70",
        "[not very] [good]  → b 0.70",
    ]


# Frames


@pytest.mark.parametrize("sentence", [PLOT[:1], PLOT[:20], (PLOT * 6)[:120], (PLOT * 60)[:1000], WEIRD])
@pytest.mark.parametrize("size", [(720, 288), (160, 96), (401, 333)])
def test_frame_has_its_size_and_is_deterministic(sentence: tuple[str, ...], size: tuple[int, int]) -> None:
    drawn = Segmented(sentence, (1, 0, 0, 1) * (len(sentence) // 4), "positive", "negative", 0.4)
    frame = to_rgb(drawn, *size)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8
    assert np.array_equal(frame, to_rgb(drawn, *size))
    assert len(np.unique(frame)) > 10


@pytest.mark.parametrize("sentence", [PLOT, (PLOT * 6)[:120], (PLOT * 60)[:1000], WEIRD, ("w" * 500, "i" * 500)])
@pytest.mark.parametrize("size", [(720, 288), (160, 96), (401, 333), (2000, 96)])
def test_nothing_touches_the_edge_of_a_frame(sentence: tuple[str, ...], size: tuple[int, int]) -> None:
    for read in (0, len(sentence) // 2, len(sentence)):
        drawn = Segmented(sentence, (0,) * read, "a long name " * 9, "another long name " * 9, 0.99)
        frame = to_rgb(drawn, *size)
        edges = (frame[:3], frame[-3:], frame[:, :3], frame[:, -3:])
        assert all((edge == 255).all() for edge in edges)


def test_words_stand_still_while_phrases_grow() -> None:
    def letters(actions: tuple[int, ...]) -> NDArray[np.bool_]:
        frame = to_rgb(Segmented(PLOT, actions, None, "positive", 0.5))
        dark: NDArray[np.bool_] = frame.max(2) < 60  # darker than any box
        return dark

    finished, one_phrase = letters((1,) * len(PLOT)), letters((0,) * len(PLOT))
    assert (finished ^ one_phrase).sum() < 0.02 * finished.sum()


def test_a_sentence_too_long_for_a_frame_scrolls_with_the_reader() -> None:
    def pixels(frame: NDArray[np.uint8], colour: str) -> int:
        return int((frame == tuple(bytes.fromhex(colour[1:]))).all(2).sum())

    sentence = tuple(f"w{i}" for i in range(2000))
    early, late = (to_rgb(Segmented(sentence, (0,) * read)) for read in (10, 1990))
    assert pixels(late, PALETTE.phrases[0]) > 5 * pixels(early, PALETTE.phrases[0]) > 0
    assert pixels(early, PALETTE.neutral) > 0  # the line under the word to decide on
    assert pixels(late, PALETTE.neutral) > 0


def test_a_frame_has_boxes_behind_retained_words_and_lines_through_deleted_ones() -> None:
    def measure(actions: tuple[int, ...]) -> tuple[int, int]:
        """Pixels of the boxes, and the longest row of pixels in the colour of deleted words."""
        frame = to_rgb(distilled(actions, PLOT[:6]))
        box, muted = (
            (frame == tuple(bytes.fromhex(colour[1:]))).all(2) for colour in (PALETTE.phrases[0], PALETTE.muted)
        )
        rows = ["".join("x" if pixel else " " for pixel in row).split() for row in muted]
        return int(box.sum()), max(len(run) for row in rows for run in ["", *row])

    everything, half, one = measure((1,) * 6), measure((0, 0, 0, 1, 1, 1)), measure((0, 0, 0, 0, 0, 1))
    assert everything[0] > half[0] > one[0] > 0
    assert everything[1] == 0
    assert 60 < half[1] < one[1]


def test_frame_too_small() -> None:
    with pytest.raises(HsEnvError, match="at least 160 x 96 pixels, got 20 x 300"):
        to_rgb(Segmented(WORDS), 20, 300)


# SVG and HTML


@pytest.mark.parametrize("render", [to_svg, to_html])
@given(drawn=segmented())
@settings(deadline=None)
def test_markup_is_well_formed(render: Callable[[Segmented], str], drawn: Segmented) -> None:
    ElementTree.fromstring(render(drawn))


@pytest.mark.parametrize("render", [to_svg, to_html])
def test_markup_holds_escaped_words(render: Callable[[Segmented], str]) -> None:
    drawn = Segmented(("<b>&", *WORDS, *WEIRD), (1, 0, 1, 0, 1, 0, 1), "<i>", "&amp;", 0.5)
    markup = render(drawn)
    assert "&lt;b&gt;&amp;" in markup
    assert "<b>" not in markup
    text = " ".join(" ".join(ElementTree.fromstring(markup).itertext()).split())
    assert all(word in text for word in ("<b>&", "movie", "日本語", "&amp; 0.50", "(gold <i>)"))


def test_html_strikes_deleted_words_through() -> None:
    markup = ElementTree.fromstring(to_html(distilled((0, 0, 0, 1, 0, 1))))
    assert [struck.text for struck in markup.findall("s")] == ["the movie is", "very"]
    assert [kept.text for kept in markup.findall("span")[:2]] == ["not", "good"]


def test_svg_draws_a_line_through_deleted_words_on_each_of_their_lines() -> None:
    def bars(actions: tuple[int, ...]) -> list[str]:
        picture = ElementTree.fromstring(to_svg(distilled(actions, PLOT), width=400))
        return [path.attrib["d"] for path in picture.findall("{*}path") if path.attrib["fill"] == PALETTE.muted]

    unread = ElementTree.fromstring(to_svg(distilled((), PLOT), width=400))
    lines = len({text.attrib["y"] for text in unread.findall("{*}text")})
    assert lines > 1
    assert len(bars((0,) * 20 + (1,))) == lines
    assert bars((1,) * 21) == bars(()) == []


def test_svg_keeps_a_phrase_on_one_line_and_inside_the_picture() -> None:
    picture = ElementTree.fromstring(to_svg(Segmented(PLOT, (0, 0, 1) * 7), width=400))
    texts = picture.findall("{*}text")
    assert [text.text for text in texts] == list(PLOT)
    rows = [text.attrib["y"] for text in texts]
    assert len(set(rows)) > 1
    assert all(len(set(rows[start : start + 3])) == 1 for start in range(0, 21, 3))
    assert all(0 < float(text.attrib["x"]) < float(picture.attrib["width"]) <= 400 for text in texts)


# Errors


@pytest.mark.parametrize(
    ("sentence", "actions", "probability", "message"),
    [
        ((), (), None, "at least one word, got none"),
        (("good", ""), (), None, "word 1 of the sentence is empty"),
        (WORDS, (0,) * 7, None, "each of the 6 words, got 7 actions"),
        (WORDS, (0, 2), None, "action 1 is 2, expected INSIDE"),
        (WORDS, (), 1.5, "between 0 and 1, got 1.5"),
        (WORDS, (), float("nan"), "between 0 and 1, got nan"),
    ],
)
def test_bad_input(sentence: tuple[str, ...], actions: tuple[int, ...], probability: float, message: str) -> None:
    with pytest.raises(HsEnvError, match=message):
        Segmented(sentence, actions, probability=probability)


def test_import_is_light() -> None:
    code = "import sys, hs_env.render; assert not {'torch', 'PIL', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
