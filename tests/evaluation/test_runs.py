"""Other agents and other runs in the table of a run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hs_env import cli
from hs_env.agents import make_baseline
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare, compare_runs
from hs_env.evaluation.compare import _labels
from hs_env.evaluation.runs import predictions_of
from hs_env.metrics import difference
from hs_env.training import Run, TrainConfig, train

QUIET = Console(quiet=True)
CONFIG = TrainConfig(
    corpus="phrases:train=80,dev=20,test=40",
    vectors="random:6",
    model_parameters={"hidden_size": 8},
    agent_parameters={"samples": 2, "hidden_size": 3},
    batch_size=16,
    warm_epochs=1,
    pnet_epochs=1,
    joint_epochs=0,
    threads=1,
)
FLAT = replace(CONFIG, model="plain_lstm", agent_parameters={}, pnet_epochs=0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    """An HS-LSTM, the same with another seed, and a plain LSTM."""
    folder = tmp_path_factory.mktemp("runs")
    configs = {"one": CONFIG, "two": replace(CONFIG, seed=1), "flat": FLAT}
    return [train(config, folder / name, QUIET) for name, config in configs.items()]


def test_runs_are_compared_in_pairs_with_the_first(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    table = compare_runs(runs)
    assert [row.name for row in table.rows] == ["one", "two", "flat"]
    first, second, _ = (predictions_of(run, "test") for run in runs)
    gain = difference(second, first)
    assert table.rows[0].note == "HS-LSTM"
    assert table.rows[1].note == f"HS-LSTM, {100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    assert "phrases_per_sentence" in table.rows[0].intervals
    assert "phrases_per_sentence" not in table.rows[2].intervals
    cli.main(["evaluate", *(str(run.folder) for run in runs), "--format", "json"])
    assert json.loads(capsys.readouterr().out) == table.to_json()


def test_runs_on_other_sentences_are_refused(runs: list[Run], tmp_path: Path) -> None:
    other = train(replace(FLAT, corpus="phrases:train=80,dev=20,test=41"), tmp_path / "other", QUIET)
    with pytest.raises(
        HsEnvError, match=r"other sentences in test: .*test=40' with 40 .*test=41' with 41 .*same corpus"
    ):
        compare_runs([runs[0], other])
    with pytest.raises(HsEnvError, match="two or more runs"):
        compare_runs([runs[0]])


def test_other_agents_have_rows_and_files_of_their_own(
    runs: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs[0]
    compare(run, "test", QUIET)
    own = {path.name: path.read_bytes() for path in run.folder.glob("evaluation-*")}
    cli.main(["evaluate", str(run.folder), "--agent", str(runs[1].folder), str(run.folder), "--format", "json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["two"]["note"] == "LogitPolicy, same classifier"
    assert by_name["one"]["metrics"] == rows[0]["metrics"]
    assert len(list(run.folder.glob("evaluation-test-agent-two-??????-agent-one-??????.json"))) == 1
    elsewhere = shutil.copytree(runs[1].folder, tmp_path / "two")  # another run of this name has other files
    cli.main(["evaluate", str(run.folder), "--agent", str(elsewhere), str(runs[1].folder), "--format", "json"])
    names = {row["name"] for row in json.loads(capsys.readouterr().out)["rows"]}
    assert {f"{folder.parent.name}-two" for folder in (elsewhere, runs[1].folder)} <= names
    cli.main(["evaluate", str(run.folder), "--agent", str(runs[1].folder)])
    cli.main(["evaluate", str(run.folder), "--agent", str(elsewhere)])
    assert len(list(run.folder.glob("evaluation-test-agent-two-??????.json"))) == 2
    capsys.readouterr()
    every_k = make_baseline("every_k", run.classifier.vocabulary, run.classifier.model.problem)
    compare(run, "test", QUIET, agents={"every k": every_k})
    compare(replace(run, agent=every_k), "test", QUIET)
    compare(replace(run, agent=every_k, loaded=None), "test", QUIET)
    assert {name: (run.folder / name).read_bytes() for name in own} == own
    compare(run, "test", QUIET, agents={"every-k": every_k})
    for pattern in ("agent-every-k-??????", "agent-every-k", "EveryK"):  # a digest follows a changed name
        assert len(list(run.folder.glob(f"evaluation-test-{pattern}.json"))) == 1


@pytest.mark.parametrize(
    ("agents", "labels"),
    [
        (["ppo", "every k"], ["ppo", "every k"]),
        (["/r/lr-0.1", "/r/lr-0.2"], ["lr-0.1", "lr-0.2"]),
        (["/a/ppo", "/a/ppo.zip"], ["ppo", "ppo.zip"]),
        (["/a/trials/1", "/b/trials/1", "/c/2"], ["a-trials-1", "b-trials-1", "2"]),
        (["/1", "/a/1"], ["1", "a-1"]),
    ],
)
def test_rows_of_agents_have_different_names(agents: list[str], labels: list[str]) -> None:
    assert [*_labels(agents).values()] == labels


def test_options_that_do_not_fit_are_refused(runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    one, _, flat = (str(run.folder) for run in runs)
    for arguments, message in (
        ([one, flat, "--agent", one], "are for a single run"),
        ([flat, "--agent", one], "takes no actions, so no agent can act on it"),
        ([one, "--agent", one, one, one], "is given twice. Give it once"),
        ([], "Expected the folder of a run"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["evaluate", *arguments])
        assert message in " ".join(capsys.readouterr().err.split())


def test_the_plain_lstm_has_at_least_as_many_updates(tmp_path: Path) -> None:
    """With a curriculum the stages of the run are no whole epochs, and the first one is shorter than one."""
    config = TrainConfig(
        corpus="phrases:train=60,dev=10,test=10",
        vectors="random:4",
        model_parameters={"hidden_size": 4},
        agent_parameters={"samples": 2},
        batch_size=10,
        curriculum_epochs=3,
        curriculum_words=3,
        warm_epochs=1,
        pnet_epochs=0,
        joint_epochs=1,
        threads=1,
    )
    run = train(config, tmp_path / "run", Console(quiet=True))
    assert 0 < run.classifier_updates["warm"] < 6
    compare(run, "test", Console(quiet=True))
    assert Run.load(tmp_path / "run" / "plain_lstm").classifier_updates == {"warm": 6, "joint": 6}


def test_baselines_that_need_gold_actions_are_left_out_without_any(tmp_path: Path) -> None:
    config = replace(CONFIG, model="phrase_modules")  # the gold phrases of the corpus say nothing about modules
    table = compare(train(config, tmp_path / "modules", QUIET), "test", QUIET)
    names = {row.name for row in table.rows}
    assert "every_k" in names
    assert not names & {"gold", "gold_phrases", "random_modules"}
