"""Predictions by class against scikit-learn, and what is shown of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from rich.console import Console
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from hs_env.evaluation import ClassReport, Paired
from hs_env.evaluation.table import Comparison, Row
from hs_env.metrics import Predictions, difference, intervals, mcnemar
from tests.metrics.builders import simulate

LABELS = ("no", "perhaps", "[yes]")


def never(predictions: Predictions, label: int) -> Predictions:
    """The same predictions, except that a class is never predicted."""
    log_probs = predictions.log_probs.copy()
    log_probs[:, label] = -50
    return replace(predictions, log_probs=log_probs)


def test_scores_are_those_of_scikit_learn(predictions: Predictions) -> None:
    for each in (predictions, never(predictions, 1), simulate(2)):
        report = ClassReport.of("X", each, LABELS)
        known = {"labels": [0, 1, 2]}
        assert (report.confusion == confusion_matrix(each.labels, each.classes, **known)).all()
        expected = precision_recall_fscore_support(each.labels, each.classes, **known, zero_division=0.0)
        found = [(one.precision, one.recall, one.f1, one.support) for one in report.classes]
        np.testing.assert_allclose(np.transpose(found), expected)


def test_one_class_alone(predictions: Predictions) -> None:
    assert ClassReport.of("X", predictions, LABELS).only_class is None
    assert ClassReport.of("X", never(never(predictions, 0), 1), LABELS).only_class == "[yes]"


def test_what_is_shown_and_saved(predictions: Predictions, tmp_path) -> None:
    other = simulate(200, skill=0.5)
    paired = Paired.of("A", predictions, "B", other)
    report = ClassReport.of("A", predictions, LABELS)
    rows = [Row("A", intervals(predictions, 20)), Row("B", intervals(other, 20))]
    comparison = Comparison("t", rows, classes=report, paired=paired)
    comparison.save(tmp_path)
    saved = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert saved["classes"] == json.loads(json.dumps(report.to_json()))
    assert saved["paired"]["test"]["p"] == mcnemar(predictions, other).p
    assert saved["paired"]["accuracy"]["low"] == difference(predictions, other).low
    assert saved["rows"][0]["metrics"]["calibration_error"].keys() == {"value", "low", "high"}

    console = Console(width=100, record=True, file=(tmp_path / "shown").open("w"))
    console.print(*report.to_rich(), str(paired))
    shown = console.export_text()
    assert "[yes]" in shown
    assert f"p = {paired.test.p:.2g} (McNemar, exact)" in shown.replace("\n", " ")
    assert [part.metrics for part in comparison.parts()][:2] == [
        ["accuracy", "log_likelihood", "macro_f1", *comparison.parts()[0].metrics[3:]],
        ["balanced_accuracy", "brier", "calibration_error"],
    ]


def test_many_classes_have_no_matrix_in_the_terminal() -> None:
    predictions = simulate(50, 13)
    report = ClassReport.of("A", predictions, [str(at) for at in range(13)])
    assert len(list(report.to_rich())) == 1
    assert len(report.to_json()["confusion"]["counts"]) == 13
