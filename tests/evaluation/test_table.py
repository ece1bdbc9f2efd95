"""The comparison table in every form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from hs_env.evaluation.deletions import Deletions, WordDeletions
from hs_env.evaluation.table import Comparison, Row
from hs_env.metrics import Predictions
from hs_env.metrics.bootstrap import Interval, intervals
from hs_env.problems.segmentation import SEGMENTATION
from tests.metrics.builders import METRICS

FIGURES = {
    "accuracy": Interval(0.842, 0.829, 0.854),
    "log_likelihood": Interval(-0.391, -0.421, -0.362),
    "macro_f1": Interval(0.8402, 0.827, 0.853),
    "phrases_per_sentence": Interval(6.13, 5.98, 6.27),
    "words_per_phrase": Interval(20.9, 20.2, 21.7),
    "boundary_f1": Interval(1.0, 1.0, 1.0),
}
PLAIN = {"accuracy": Interval(0.771, 0.75, 0.79), "log_likelihood": Interval(-0.48, -0.51, -0.44)}
COMPARISON = Comparison(
    "Movie reviews [test]",
    [Row("Plain LSTM", PLAIN), Row("HS-LSTM [joint]", FIGURES, "S = 5"), Row("All | END")],
    columns=SEGMENTATION.columns,
)


def lines(comparison: Comparison, width: int) -> list[str]:
    """What a terminal shows."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(comparison.to_rich(width))
    return console.export_text().splitlines()


def test_wide_table() -> None:
    shown = lines(COMPARISON, 100)
    assert shown[0].strip() == "Movie reviews [test]"
    plain, below, best, ends = (" ".join(line.split()) for line in shown[5:9])
    assert plain == "Plain LSTM 77.1 −0.480 — — — —"
    assert below == "75.0–79.0 −0.510…−0.440"
    assert best == "HS-LSTM [joint] 84.2 −0.391 84.0 6.1 20.90 100.0"
    assert ends == "S = 5 82.9–85.4 −0.421…−0.362 82.7–85.3 6.0–6.3 20.20–21.70"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_nothing_is_cut(width: int) -> None:
    shown = lines(COMPARISON, width)
    text = " ".join("\n".join(shown).split())
    assert max(map(len, shown)) <= width
    for word in ("Plain LSTM", "[joint]", "S = 5", "likelihood", "−0.362", "21.70", "20.20–", "bootstrap interval"):
        assert word in text


def test_parts_hold_every_figure_once() -> None:
    scores, agreement = COMPARISON.parts()
    assert [*scores.metrics, *agreement.metrics] == COMPARISON.metrics
    assert [row.name for row in agreement.rows] == ["HS-LSTM [joint]"]
    assert [row.name for row in scores.rows] == ["Plain LSTM", "HS-LSTM [joint]"]
    assert len(Comparison("", [Row("a", PLAIN)]).parts()) == 1


def test_the_best_accuracy_is_bold_and_ties_share_it() -> None:
    rows = [Row("a", FIGURES), Row("b", PLAIN), Row("c", FIGURES)]
    cells = Comparison("", rows).to_rich().columns[1].cells
    assert [cell.spans[0].style for cell in cells if isinstance(cell, Text)] == ["bold", "dim", "bold"]


def test_columns_are_the_metrics_that_apply() -> None:
    assert COMPARISON.metrics == [name for name in METRICS if name in FIGURES]
    assert Comparison("", [Row("a", {"new": Interval(1, 0, 2), **PLAIN})]).metrics == [*PLAIN, "new"]
    assert "0.000–2.000" in "".join(lines(Comparison("", [Row("a", {"new": Interval(1, 0, 2)})]), 100))
    assert lines(Comparison("nothing", []), 100)


def test_json_and_csv_hold_the_figures_as_they_are(predictions: Predictions) -> None:
    found = intervals(predictions, 50)
    comparison = Comparison("t", [Row('a, "b"', found, "note"), Row("plain", PLAIN)])
    first = json.loads(json.dumps(comparison.to_json()))["rows"][0]
    assert (first["name"], first["note"]) == ('a, "b"', "note")
    assert {name: Interval(**ends) for name, ends in first["metrics"].items()} == found
    table = list(csv.DictReader(io.StringIO(comparison.to_csv())))
    assert len(table) == len(METRICS) + len(PLAIN)
    back = {line["metric"]: line for line in table if line["row"] == 'a, "b"'}
    assert {m: Interval(*(float(x[key]) for key in ("value", "low", "high"))) for m, x in back.items()} == found


def test_markdown() -> None:
    text = COMPARISON.to_markdown()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0].startswith("|  | Accuracy % | Log-likelihood | Macro F1 % | Phrases / sentence |")
    assert table[2] == "| Plain LSTM | 77.1 (75.0–79.0) | −0.480 (−0.510…−0.440) | — | — | — | — |"
    assert table[3].startswith("| HS-LSTM [joint] (S = 5) | **84.2** (82.9–85.4) | −0.391 (")
    assert table[3].endswith("| 100.0 |")
    assert table[4].startswith("| All \\| END | — |")


def test_deleted_words_are_in_the_json() -> None:
    deletions = Deletions((WordDeletions("the", 9, 12),))
    assert "deletions" not in COMPARISON.to_json()
    assert replace(COMPARISON, deletions=deletions).to_json()["deletions"] == deletions.to_json()


def test_save(tmp_path: Path) -> None:
    COMPARISON.save(tmp_path / "run", "test")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["test.csv", "test.json"]
    assert json.loads((tmp_path / "run" / "test.json").read_text("utf-8")) == COMPARISON.to_json()
    assert (tmp_path / "run" / "test.csv").read_text("utf-8") == COMPARISON.to_csv()
