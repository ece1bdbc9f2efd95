"""What a ledger keeps of a run, and what tables and figures make of it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.experiments.grid import Cell
from hs_env.experiments.plots import save_figures
from hs_env.experiments.power import power_of
from hs_env.experiments.power import to_markdown as power_table
from hs_env.experiments.result import is_result, length_counts, pack, result_of, unpack
from hs_env.experiments.statistics import paired_test, t_interval
from hs_env.experiments.summary import ALL, Line, _Runs, overlap, summarise, to_csv, to_markdown
from hs_env.metrics import collect, intervals
from hs_env.metrics.scores import greedy_episodes
from hs_env.problems.segmentation import END, SEGMENTATION
from hs_env.training import TrainConfig, TrainingData, train
from hs_env.training.config import ResolvedConfig
from hs_env.types import Episodes
from tests.builders import make_batch, random_actions

CONFIG = TrainConfig(
    corpus="phrases:train=80,dev=20,test=30",
    vectors="random:6",
    model_parameters={"hidden_size": 8},
    batch_size=16,
    warm_epochs=1,
    pnet_epochs=0,
    joint_epochs=1,
    agent="fixed",
    warm_start="gold",
    threads=1,
)


def test_flags_survive_packing() -> None:
    flags = np.random.default_rng(0).random(21) < 0.5
    for size in range(22):
        assert np.array_equal(unpack(pack(flags[:size]), size), flags[:size])


def test_phrase_lengths_are_counted_word_by_word() -> None:
    batches = []
    expected: dict[int, int] = {}
    for seed, lengths in enumerate([[4, 1, 9], [2], [12, 12]]):
        batch, actions = make_batch(lengths), random_actions(len(lengths), max(lengths), seed)
        actions = actions.scatter(1, batch.lengths[:, None] - 1, END) * batch.mask
        batches.append(Episodes(batch, actions, actions.new_zeros(len(lengths), 3).float()))
        for row, length in zip(actions.tolist(), lengths, strict=True):
            words = 0
            for action in row[:length]:
                words += 1
                if action == END:
                    expected[words] = expected.get(words, 0) + 1
                    words = 0
    counts = length_counts(batches, SEGMENTATION)
    assert {length: count for length, count in enumerate(counts) if count} == expected
    assert sum(length * count for length, count in enumerate(counts)) == 4 + 1 + 9 + 2 + 24


def test_a_result_holds_the_figures_of_its_run(tmp_path: Path) -> None:
    run = train(CONFIG, tmp_path / "run", Console(quiet=True))
    result = json.loads(json.dumps(result_of(run)))
    assert ResolvedConfig.from_json(result["config"]) == CONFIG.resolve()
    split = TrainingData.load(CONFIG.resolve()).splits["test"]
    episodes = list(greedy_episodes(run.classifier.model, run.agent, split))
    predictions = collect(episodes, SEGMENTATION)
    test = result["test"]
    assert test["boundary_f1"] == 1  # by gold phrases
    for name, interval in intervals(predictions, 10).items():
        assert test[name] == pytest.approx(interval.value), name
    correct = unpack(test["correct"], test["sentences"])
    assert np.array_equal(correct, predictions.classes == predictions.labels)
    assert correct.mean() == pytest.approx(test["accuracy"])
    assert sum(test["phrase_lengths"]) / test["sentences"] == pytest.approx(test["phrases_per_sentence"])
    assert [(epoch["stage"], epoch["epoch"]) for epoch in result["epochs"]] == [
        ("warm", 0), ("warm", 1), ("pnet", 0), ("joint", 0), ("joint", 1),
    ]  # fmt: skip
    assert len(result["record"]) == 1
    assert result["train_sentences"] == 80


# Tables


def entry(accuracy: float, corpus: str, *, processes: int = 1, **more: Any) -> dict[str, Any]:
    """A result as far as tables and figures read it, of 100 sentences, the last of which are wrong."""
    flags = {"sentences": 100, "correct": pack(np.arange(100) < round(100 * accuracy))}
    scores = {"accuracy": accuracy, "log_likelihood": accuracy - 1, **flags, **more}
    epochs = [{"epoch": number, "accuracy": accuracy / (2 - number)} for number in range(2)]
    spent = {"record": [{}] * processes, "cpu_seconds": 10.0}
    config = {"corpus": corpus}
    return {
        "key": corpus,
        "config": config,
        "train_sentences": 800,
        "test": scores,
        "dev": scores,
        "epochs": epochs,
        **spent,
    }


ACCURACY = {
    ("mr", "plain_lstm"): [0.70, 0.72, 0.74, 0.73],
    ("mr", "hs_lstm"): [0.75, 0.76, 0.79, 0.77],
    ("mr", "cnn"): [0.70, 0.71, 0.76, 0.72],
    ("subj", "plain_lstm"): [0.90, 0.91],
    ("subj", "hs_lstm"): [0.92, 0.90, 0.93],
}


def grid() -> tuple[list[Cell], dict[str, Any]]:
    """Cells, one of them without a result, and results."""
    cells, results = [], {}
    for (corpus, variant), values in ACCURACY.items():
        for number, accuracy in enumerate([*values, None] if corpus == "subj" else values):
            config = replace(CONFIG, corpus=corpus, seed=number, model_parameters={"hidden_size": len(variant)})
            cell = Cell(corpus, variant, number, config.resolve())
            cells.append(cell)
            if accuracy is not None:
                phrased = {"phrases_per_sentence": 4.5, "phrase_lengths": [0, 3, 2]} if variant == "hs_lstm" else {}
                results[cell.key] = entry(accuracy, corpus, processes=1 + (number == 1), **phrased)
    return cells, results


def lines() -> dict[tuple[str, str], Line]:
    found = summarise(*grid(), {"mr": {"hs_lstm": 0.821}})
    return {(line.corpus, line.variant): line for line in found}


def test_figures_of_a_line_are_those_of_its_runs() -> None:
    line = lines()["mr", "hs_lstm"]
    values = ACCURACY["mr", "hs_lstm"]
    mean = t_interval(values)
    assert (line.runs, line.planned, line.accuracy, line.low, line.high) == (4, 4, mean.value, mean.low, mean.high)
    assert line.log_likelihood == pytest.approx(mean.value - 1)
    assert (line.phrases, line.published) == (4.5, 0.821)
    assert math.isnan(line.words)
    assert math.isnan(lines()["mr", "plain_lstm"].gain)


def test_differences_are_paired_by_number_and_adjusted_for_all_comparisons() -> None:
    found = lines()
    pairs = {
        ("mr", "hs_lstm"): paired_test(ACCURACY["mr", "hs_lstm"], ACCURACY["mr", "plain_lstm"]),
        ("mr", "cnn"): paired_test(ACCURACY["mr", "cnn"], ACCURACY["mr", "plain_lstm"]),
        # Both have two runs, too few: over sentences. Of 100 all but the 92nd, right in one of two, are alike.
        ("subj", "hs_lstm"): paired_test([0.0] * 99 + [0.5], [0.0] * 100),
    }
    for place, (gain, _) in pairs.items():
        assert (found[place].gain, found[place].gain_low) == pytest.approx((gain.value, gain.low))
    smallest = min(pairs, key=lambda place: pairs[place][1])
    assert found[smallest].p == pytest.approx(3 * pairs[smallest][1])


def test_with_few_runs_intervals_are_over_sentences() -> None:
    found = lines()
    assert {place for place, line in found.items() if line.over == "sentences"} == {
        ("subj", "plain_lstm"), ("subj", "hs_lstm"),
    }  # fmt: skip
    mean = t_interval([1.0] * 90 + [0.5] + [0.0] * 9)
    plain = found["subj", "plain_lstm"]
    assert (plain.accuracy, plain.low, plain.high) == pytest.approx((mean.value, mean.low, mean.high))
    text = to_markdown(list(found.values()))
    assert "| plain_lstm | 2 of 3 † |" in text
    assert "† Fewer than 3 runs, or pairs of runs with the plain LSTM: intervals and p are over" in text


def test_each_fold_has_its_own_sentences() -> None:
    runs = _Runs(2, {0: entry(0.9, "mr:fold=0"), 1: entry(0.7, "mr:fold=1")})
    assert len(runs.sentence_accuracies([0, 1])) == 200
    assert np.mean(runs.sentence_accuracies([0, 1])) == pytest.approx(0.8)


def test_folds_share_training_sentences_and_seeds_do_not_count_as_folds() -> None:
    folds = [entry(accuracy, f"mr:fold={fold}") for fold, accuracy in enumerate(ACCURACY["mr", "hs_lstm"])]
    assert overlap(folds) == 100 / 800
    assert overlap([entry(0.9, "sst2"), entry(0.8, "sst2")]) == 0
    del folds[1]["train_sentences"]
    with pytest.raises(HsEnvError, match="'mr:fold=1' does not say how many sentences it was trained on"):
        overlap(folds)
    cells, results = grid()
    seeds = {(line.corpus, line.variant): line for line in summarise(cells, results, {})}["mr", "hs_lstm"]
    for result in results.values():
        result["config"] = {"corpus": f"{result['config']['corpus']}:fold={result['test']['accuracy']}"}
    by_fold = {(line.corpus, line.variant): line for line in summarise(cells, results, {})}["mr", "hs_lstm"]
    wider = ((1 / 4 + 1 / 8) / (1 / 4)) ** 0.5
    assert by_fold.high - by_fold.low == pytest.approx(wider * (seeds.high - seeds.low))
    assert by_fold.gain_high - by_fold.gain_low == pytest.approx(wider * (seeds.gain_high - seeds.gain_low))
    assert by_fold.p > seeds.p


def test_numbered_corpora_are_no_folds() -> None:
    assert overlap([entry(0.5 + seed / 10, f"phrases:seed={seed}") for seed in range(3)]) == 0


@pytest.mark.parametrize("changed", ["sentences", "labels", "splits", "vectors"])
def test_results_on_different_data_under_one_name_are_not_compared(changed: str) -> None:
    cells, results = grid()
    numbers = {cell.key: cell.number for cell in cells}
    for key, result in results.items():
        result["config"] |= {"vectors": "v.txt", "seed": numbers[key]}
        digests = dict.fromkeys(("sentences", "labels", "splits"), result["config"]["corpus"])
        result["data"] = digests | {"vectors": f"{result['config']['corpus']}, seed {numbers[key]}"}
    assert summarise(cells, results, {})
    last = [result for result in results.values() if result["config"]["corpus"] == "mr"][-1]
    last["data"][changed] = "another digest"
    what = "word vectors 'v.txt'" if changed == "vectors" else "corpus 'mr'"
    with pytest.raises(HsEnvError, match=f"have read different data as the {what}, so they cannot be compared"):
        summarise(cells, results, {})
    del last["data"]  # as in results of older versions
    assert summarise(cells, results, {})


def test_equal_differences_do_not_say_what_can_be_detected() -> None:
    cells, results = grid()
    variants = {cell.key: cell.variant for cell in cells}
    for key, result in results.items():
        result["test"]["accuracy"] = 0.4 + 0.1 * (variants[key] != "plain_lstm")
    found = power_of(cells, results, ())
    assert found
    assert all(math.isnan(line.smallest) and line.needed == "—" for line in found)
    assert "| 0.00 | — | — |" in power_table(found)


def test_damaged_digests_are_no_result() -> None:
    whole = {**entry(0.5, "mr"), "record": [], "epochs": [], "cpu_seconds": 1.0}
    assert is_result(whole | {"data": {"all": "digest"}})
    assert not any(is_result(whole | {"data": data}) for data in (5, "all", None, {"all": 5}))


@pytest.mark.parametrize("accuracy", [7.5, -0.1, math.nan])
def test_an_accuracy_is_a_share(accuracy: float) -> None:
    assert is_result(whole := {**entry(0.5, "mr"), "record": [], "epochs": [], "cpu_seconds": 1.0})
    for split in ("dev", "test"):
        assert not is_result(whole | {split: whole[split] | {"accuracy": accuracy}})


def test_over_all_corpora_each_counts_with_as_many_runs() -> None:
    found = lines()
    assert {variant for corpus, variant in found if corpus == ALL} == {"plain_lstm", "hs_lstm"}  # cnn lacks a corpus
    assert found[ALL, "hs_lstm"].runs == 2
    assert found[ALL, "hs_lstm"].accuracy == pytest.approx((0.76 + 0.90) / 2)  # of 0.75, 0.76, 0.90, 0.92


def test_few_runs_do_not_cut_down_those_of_the_others() -> None:
    def config(seed: int, hidden_size: int) -> ResolvedConfig:
        sizes = {"hidden_size": hidden_size}
        return replace(CONFIG, corpus="subj", seed=seed, model_parameters=sizes).resolve()

    cells, results = grid()
    more = Cell("subj", "plain_lstm", 2, config(seed=2, hidden_size=10))
    assert more in cells
    few = Cell("subj", "cnn", 0, config(seed=0, hidden_size=3))
    results |= {more.key: entry(0.93, "subj"), few.key: entry(0.9, "subj")}
    overall = {line.variant: line.runs for line in summarise([*cells, few], results, {}) if line.corpus == ALL}
    assert overall == {"plain_lstm": 3, "hs_lstm": 3}  # the cnn has one run on subj


def test_a_corpus_that_has_not_been_run_does_not_count() -> None:
    cells, results = grid()
    unrun = Cell("ag_news", "plain_lstm", 0, replace(CONFIG, corpus="ag_news").resolve())
    assert to_csv(summarise([*cells, unrun], results, {})) == to_csv(summarise(cells, results, {}))


def test_what_has_no_result_has_no_line() -> None:
    cells, results = grid()
    assert summarise(cells, {}, {}) == []
    rest = {key: result for key, result in results.items() if "cnn" not in key}
    assert ("mr", "cnn") not in {(line.corpus, line.variant) for line in summarise(cells, rest, {})}
    assert to_markdown([]) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"test": {}},
        {"dev": None},
        {"cpu_seconds": "9"},
        {"config": []},
        {"epochs": [{}]},
        {"test": entry(0.5, "", correct="x")},
    ],
)
def test_a_damaged_result_is_named(change: dict[str, Any]) -> None:
    cells, results = grid()
    key = cells[0].key
    results[key] = results[key] | change
    with pytest.raises(HsEnvError, match=rf"The result '{key}' in the ledger is damaged"):
        summarise(cells, results, {})


def test_markdown_and_csv() -> None:
    found = list(lines().values())
    text = to_markdown(found)
    row = next(line for line in text.splitlines() if line.startswith("| hs_lstm"))
    assert row.startswith("| hs_lstm | 4 | **76.8** (")
    assert "| 4.5 p | +4.5 (+3.6 to +5.4) |" in row
    assert row.endswith("| 82.1 | 10 |")
    assert "| 3 of 4 † |" in text
    table = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert len(table) == len(found)
    assert float(table[0]["accuracy"]) == found[0].accuracy
    assert table[0]["words"] == ""


def test_figures_show_what_there_is_and_repeat(tmp_path: Path) -> None:
    cells, results = grid()
    paths = save_figures(cells, results, tmp_path / "one")
    assert [path.stem for path in paths] == ["accuracy", "curves", "phrases", "phrase_lengths"]
    for path, again in zip(paths, save_figures(cells, results, tmp_path / "two"), strict=True):
        assert path.read_bytes() == again.read_bytes()
    folds = {key: {**of, "config": {"corpus": f"{of['config']['corpus']}:{key}"}} for key, of in results.items()}
    assert save_figures(cells, folds, tmp_path / "folds")[0].read_bytes() != paths[0].read_bytes()  # wider intervals
    without = {key: result for key, result in results.items() if "hs_lstm" not in key}
    assert [path.stem for path in save_figures(cells, without, tmp_path / "three")] == ["accuracy", "curves"]
    assert save_figures(cells, {}, tmp_path / "four") == []
