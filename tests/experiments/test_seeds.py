"""Several seeds of one configuration."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from hs_env import cli
from hs_env.errors import HsEnvError
from hs_env.experiments.runner import Ended, is_final, run_here
from hs_env.experiments.seeds import train_seeds
from hs_env.experiments.statistics import t_interval
from hs_env.training import Run, TrainConfig

CONFIG = TrainConfig(
    corpus="phrases:train=48,dev=20,test=20",
    model="plain_lstm",
    vectors="random:6",
    model_parameters={"hidden_size": 8},
    warm_epochs=1,
    joint_epochs=0,
)
QUIET = Console(quiet=True)


KILLED = Ended(None, "was killed by signal 9", killed=True)


@pytest.fixture
def asked(monkeypatch):
    """The seeds whose processes are started; each trains in this process, and that of `killed` is killed before."""
    seeds, killed = [], set()

    def launch(config, folder, stopped):
        seeds.append(config.seed)
        return KILLED if config.seed in killed else Ended(run_here(config, folder))

    monkeypatch.setattr("hs_env.experiments.runner.launch_here", launch)
    return seeds, killed


def test_a_killed_seed_is_repeated_and_a_finished_one_is_not(asked, tmp_path):
    seeds, killed = asked
    killed.add(1)
    with pytest.raises(HsEnvError, match=r"1 of 3 seeds have no result: seed-1 was killed by signal 9.*repeat"):
        train_seeds(CONFIG, [0, 1, 2], tmp_path / "out", console=QUIET)
    killed.clear()
    table = train_seeds(CONFIG, [0, 1, 2], tmp_path / "out", console=QUIET)
    assert seeds == [0, 1, 1, 2, 1]  # a killed one is tried twice
    runs = [Run.load(tmp_path / "out" / f"seed-{seed}") for seed in (0, 1, 2)]
    assert [run.config.seed for run in runs] == [0, 1, 2]
    assert {run.config.threads for run in runs} == {1}
    *single, mean = table.rows
    found = [row.intervals["accuracy"].value for row in single]
    assert mean.name == "mean of 3"
    assert mean.intervals["accuracy"] == t_interval(found)
    assert json.loads((tmp_path / "out" / "seeds.json").read_text())["rows"][-1]["name"] == "mean of 3"


def test_runs_on_a_file_that_has_changed_are_not_taken_for_its_results(asked, tmp_path):
    rows = [
        f"{word} film {number},{label}" for number in range(20) for word, label in (("good", "pos"), ("bad", "neg"))
    ]
    own = tmp_path / "own.csv"
    own.write_text("\n".join(["text,label", *rows]))
    config = replace(CONFIG, corpus=str(own))
    train_seeds(config, [0], tmp_path / "out", console=QUIET)
    train_seeds(config, [0], tmp_path / "out", console=QUIET)
    own.write_text("\n".join(["text,label", *rows, "dull film,neg"]))
    for _ in range(2):
        with pytest.raises(HsEnvError, match=r"has changed since the run in .*seed-0 began: it has other sentences"):
            train_seeds(config, [0], tmp_path / "out", console=QUIET)
        (tmp_path / "out" / "ledger.jsonl").unlink(missing_ok=True)


def test_changed_word_vectors_are_noticed_also_without_the_folders_of_the_runs(asked, tmp_path):
    rows = [f"{word} film {number},{word}" for number in range(20) for word in ("good", "bad")]
    (tmp_path / "own.csv").write_text("\n".join(["text,label", *rows]))
    vectors = tmp_path / "v.txt"
    vectors.write_text("good 1 2 3\nbad 3 2 1\n")
    config = replace(CONFIG, corpus=str(tmp_path / "own.csv"), vectors=str(vectors))
    train_seeds(config, [0], tmp_path / "out", console=QUIET)
    vectors.write_text("good 1 2 3\nbad 3 2 9\n")
    with pytest.raises(HsEnvError, match=r"The word vectors have changed since the run in .*seed-0 began"):
        train_seeds(config, [0, 1], tmp_path / "out", console=QUIET)
    shutil.rmtree(tmp_path / "out" / "seed-0")
    with pytest.raises(HsEnvError, match=r"The word vectors have changed since the run '.*' in the ledger began"):
        train_seeds(config, [0, 1], tmp_path / "out", console=QUIET)
    (tmp_path / "own.csv").write_text("\n".join(["text,label", *rows, "dull film,bad"]))
    with pytest.raises(HsEnvError, match=r"has changed since the run '.*' in the ledger began: it has other sentences"):
        train_seeds(config, [0, 1], tmp_path / "out", console=QUIET)


def test_seeds_on_other_data_are_not_put_into_one_table(asked, tmp_path):
    rows = [f"{word} film {number},{word}" for number in range(20) for word in ("good", "bad")]
    own = tmp_path / "own.csv"
    own.write_text("\n".join(["text,label", *rows]))
    config = replace(CONFIG, corpus=str(own))
    train_seeds(config, [0], tmp_path / "out", console=QUIET)
    own.write_text("\n".join(["text,label", *rows, "dull film,bad"]))
    with pytest.raises(HsEnvError, match=r"has changed since the run in .*seed-0 began: it has other sentences"):
        train_seeds(config, [1], tmp_path / "out", console=QUIET)
    assert not (tmp_path / "out" / "seed-1").exists()


def test_runs_on_two_folders_of_data_are_told_apart_before_training(asked, tmp_path):
    seeds, _ = asked
    for name, words in (("one", ("good", "bad")), ("two", ("bad", "good"))):
        (tmp_path / name / "mr").mkdir(parents=True)
        rows = [{"text": f"{words[number % 2]} film {number}", "label": number % 2} for number in range(60)]
        (tmp_path / name / "mr" / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / name / "mr" / "folds.json").write_text(
            json.dumps({"fold": [number // 2 % 10 for number in range(60)]})
        )
    config = replace(CONFIG, corpus="mr", data_dir=tmp_path / "one")
    train_seeds(config, [0], tmp_path / "out", console=QUIET)
    with pytest.raises(HsEnvError, match=r"The corpus 'mr' has changed since the run '.*' in the ledger began"):
        train_seeds(replace(config, data_dir=tmp_path / "two"), [0, 1], tmp_path / "out", console=QUIET)
    train_seeds(replace(config, data_dir=tmp_path / "two"), [0], tmp_path / "out", console=QUIET)  # only the table
    assert seeds == [0]


def test_a_finished_table_needs_no_word_vectors(asked, tmp_path):
    (tmp_path / "v.txt").write_text("the 1 2 3\n")
    config = replace(CONFIG, vectors=str(tmp_path / "v.txt"))
    first = train_seeds(config, [0], tmp_path / "out", console=QUIET)
    (tmp_path / "v.txt").unlink()
    assert train_seeds(config, [0], tmp_path / "out", console=QUIET).rows == first.rows


def test_a_run_of_an_old_version_has_a_result_without_digests(asked, tmp_path):
    train_seeds(CONFIG, [0], tmp_path / "out", console=QUIET)
    for name in ("ledger.jsonl", "seed-0/result.json", "seed-0/data.json"):
        (tmp_path / "out" / name).unlink()
    with pytest.warns(UserWarning, match="has no data.json"):
        assert len(train_seeds(CONFIG, [0], tmp_path / "out", console=QUIET).rows) == 1


def test_the_number_of_threads_may_change(asked, tmp_path):
    train_seeds(replace(CONFIG, threads=1), [0], tmp_path / "out", console=QUIET)
    (tmp_path / "out" / "ledger.jsonl").unlink()
    assert len(train_seeds(replace(CONFIG, threads=2), [0], tmp_path / "out", console=QUIET).rows) == 1


def test_faults_of_files_and_the_network_may_pass():
    def caused(cause):
        try:
            raise HsEnvError("no hub") from cause
        except HsEnvError as error:
            return error

    assert is_final(HsEnvError("no such corpus"))
    assert is_final(caused(ValueError()))
    assert not any(
        map(is_final, (OSError(), RuntimeError(), caused(ConnectionError()), caused(caused(TimeoutError()))))
    )


def test_the_table_has_all_seeds_that_are_finished(asked, tmp_path):
    train_seeds(CONFIG, [0, 2], tmp_path / "out", console=QUIET)
    train_seeds(replace(CONFIG, clip_norm=4.0), [5], tmp_path / "other", console=QUIET)
    table = train_seeds(CONFIG, [1], tmp_path / "out", console=QUIET)
    assert [row.name for row in table.rows] == ["seed 0", "seed 1", "seed 2", "mean of 3"]
    lines = (tmp_path / "out" / "seeds.csv").read_text().splitlines()
    assert all(line.endswith(",,") for line in lines if line.startswith("seed "))  # a single run has no interval
    saved = json.loads((tmp_path / "out" / "seeds.json").read_text())
    assert saved["rows"][0]["metrics"]["accuracy"]["low"] is None


def test_a_corpus_without_test_sentences_is_refused_before_training(asked, tmp_path):
    for split in ("train", "dev"):
        rows = [f"{word} film {number} of {split},{word}" for number in range(20) for word in ("good", "bad")]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,label", *rows]))
    config = replace(CONFIG, corpus=str(tmp_path))
    with pytest.raises(HsEnvError, match=r"The corpus .* has no test sentences, which the table over runs needs"):
        train_seeds(config, [0], tmp_path / "out", console=QUIET)
    assert not (tmp_path / "out" / "seed-0" / "config.json").exists()


def test_the_same_configuration_finds_its_runs_again(asked, tmp_path, monkeypatch):
    seeds, _ = asked
    monkeypatch.chdir(tmp_path)
    one = train_seeds(CONFIG, [3], console=QUIET)
    assert [row.name for row in one.rows] == ["seed 3"]  # a mean of one run says nothing
    train_seeds(replace(CONFIG, seed=7), [3], console=QUIET)
    train_seeds(replace(CONFIG, clip_norm=4.0), [3], console=QUIET)
    assert seeds == [3, 3]
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.parametrize(
    ("seeds", "jobs", "message"), [([], 1, "one seed or more"), ([1, 1], 1, "each once"), ([1], 0, "jobs")]
)
def test_faults(seeds, jobs, message, tmp_path):
    with pytest.raises(HsEnvError, match=message):
        train_seeds(CONFIG, seeds, tmp_path, jobs, QUIET)


def test_the_seeds_read_the_columns_that_the_options_name(asked, tmp_path):
    path, out = tmp_path / "own.csv", tmp_path / "out"
    path.write_text("review,stars\n" + "".join(f"text {i},{i % 2}\n" for i in range(40)), encoding="utf-8")
    options = "--model plain_lstm --vectors random:6 --hidden-size 8 --warm-epochs 1 --joint-epochs 0"
    columns = ["--text-column", "review", "--label-column", "stars"]
    cli.main(["train", "--corpus", str(path), *columns, "--seeds", "0", "--out", str(out), *options.split()])
    assert Run.load(out / "seed-0").config.corpus == f"{path}:text=review,label=stars"


def test_the_command_line_takes_seeds_or_a_seed(capsys):
    for more in (["--seed", "3"], ["--resume", "runs/none"]):
        with pytest.raises(SystemExit):
            cli.main(["train", "--seeds", "0", "1", *more])
        assert "--seeds takes the place of --seed" in " ".join(capsys.readouterr().err.split())
