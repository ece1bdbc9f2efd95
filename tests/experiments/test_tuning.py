"""Search spaces, and searches with Optuna that are pruned, killed and shared."""

from __future__ import annotations

import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from rich.console import Console

from hs_env.errors import HsEnvError
from hs_env.experiments.space import Range, load_space, values_in, with_values
from hs_env.models import MODELS
from hs_env.settings import load_settings, make_config
from hs_env.training import TrainConfig, train
from hs_env.training.config import PRESETS
from tests.processes import CONTEXT

optuna = pytest.importorskip("optuna")

ROOT = Path(__file__).parents[2]
QUIET = Console(quiet=True)
CONFIG = TrainConfig(
    corpus="phrases:train=60,dev=30,test=20",
    model="plain_lstm",
    vectors="random:6",
    model_parameters={"hidden_size": 8},
    warm_epochs=2,
    joint_epochs=0,
    checkpoint_seconds=0.0,
    threads=1,
)
RATES = {"learning_rate": Range(low=1e-4, high=1e-1, log=True), "batch_size": Range(choices=(8, 16))}


@pytest.mark.parametrize("model", list(MODELS))
def test_the_space_of_the_package_fits_every_model(model):
    space = load_space(TrainConfig(model=model))
    assert "learning_rate" in space
    assert ("agent_parameters.entropy_bonus" in space) is bool(TrainConfig(model=model).resolve().agent)


@pytest.mark.parametrize("agent", ["ppo", "maskable_ppo", "a2c", "dqn", "fixed"])
def test_the_space_of_the_package_fits_every_agent(agent):
    assert "tau" in load_space(TrainConfig(agent=agent))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[other]", "the tables are all, models.NAME and agents.NAME, got 'other'"),
        ("all = 3", r"all must be a table, \[all\], got 3"),
        ("models = 3", r"models must be a table, \[models.NAME\], got 3"),
        ("models = {hs_lstm = 3}", r"models.hs_lstm must be a table"),
        ("[all]\nmodel_parameters = 3", r"model_parameters must be a table"),
        ("[models.cnn]\nbatch_size = { choices = [1] }", "names no field for the model 'plain_lstm'"),
        ("[all]\nbatch_size = 3", "expected choices = "),
        ("[all]\nbatch_size = { low = 3, high = 1 }", "expected choices = "),
        ("[all]\ntau = { low = 0, high = 1, log = true }", "expected choices = "),
        ("[models.plain_lstm]\ntau = 3\n[models.'plain_lstm.v1']\ntau = 3", "two tables of models have one name"),
        ("[all]\nbatch_size = { low = true, high = 9 }", "expected choices = "),
        ("[all]\nseed = { low = 0, high = 9 }", "seed cannot be searched: scores on other data"),
        ("[all]\ncorpus = { choices = ['mr', 'subj'] }", "corpus cannot be searched: scores on other data"),
        ("[models.plain_lsmt]\nbatch_size = { choices = [1] }", "Did you mean 'plain_lstm.v1'"),
        ("[all]\nbatch_sise = { choices = [1] }", "Did you mean 'batch_size'"),
        ("[all]\nmodel_parameters.dropout = { low = 0.0, high = 3.0 }", "model_parameters.dropout: .*dropout"),
    ],
)
def test_faults_of_a_space_are_named(tmp_path, text, message):
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(HsEnvError, match=message):
        load_space(CONFIG, tmp_path / "space.toml")


def test_models_are_named_with_or_without_a_version_and_real_numbers_stay_real(tmp_path):
    (tmp_path / "space.toml").write_text(
        "[models.'plain_lstm.v1']\nweight_decay = { low = 0, high = 1 }\nbatch_size = { low = 8, high = 16 }"
    )
    for model in ("plain_lstm", "plain_lstm.v1"):
        space = load_space(replace(CONFIG, model=model), tmp_path / "space.toml")
        assert list(map(type, space["weight_decay"].ends)) == [float, float]
        assert list(map(type, space["batch_size"].ends)) == [int, int]
    (tmp_path / "space.toml").write_text("[all]\nreward_parameters.gamma = { low = 0, high = 1 }")
    (tmp_path / "ppo.toml").write_text("[all]\nagent_parameters.n_epochs = { low = 3, high = 20 }")
    (epochs,) = load_space(TrainConfig(agent="ppo"), tmp_path / "ppo.toml").values()
    assert epochs.ends == (3, 20)
    assert isinstance(epochs.high, int)
    (gamma,) = load_space(TrainConfig(), tmp_path / "space.toml").values()  # the configuration has no value
    assert isinstance(gamma.high, float)


def test_the_first_trial_has_the_values_of_the_configuration():
    config = TrainConfig(model_parameters={"dropout": 0.3})
    space = {
        "model_parameters.dropout": Range(low=0.0, high=0.5),
        "model_parameters.hidden_size": Range(choices=(5, 6)),
        "agent_parameters.learning_rate": Range(low=1e-3, high=1e-2, log=True),
        "joint_learning_rate": Range(low=1e-1, high=1.0),
    }
    assert values_in(space, config) == {"model_parameters.dropout": 0.3, "agent_parameters.learning_rate": 5e-3}


def study_of(out: Path):
    return optuna.load_study(study_name="hs-env", storage=f"sqlite:///{out / 'study.db'}")


def found(out: Path):
    return [(trial.state.name, trial.params, trial.value, trial.intermediate_values) for trial in study_of(out).trials]


def test_a_search_repeats_itself_in_parts_and_its_best_file_trains_the_best_trial(tmp_path):
    from hs_env.experiments.tuning import tune

    best = tune(CONFIG, RATES, tmp_path / "whole", 6, QUIET)
    for trials in (2, 6, 6):
        tune(CONFIG, RATES, tmp_path / "parts", trials, QUIET)
    assert found(tmp_path / "parts") == found(tmp_path / "whole")
    study = study_of(tmp_path / "whole")
    assert len({trial.params["learning_rate"] for trial in study.trials}) == 6
    assert study.trials[0].params["learning_rate"] == CONFIG.learning_rate
    config = make_config(TrainConfig, load_settings(TrainConfig, PRESETS, None, best))
    assert config == with_values(CONFIG, study.best_params)
    assert train(config, tmp_path / "run", QUIET).scores["log_likelihood"] == pytest.approx(study.best_value, abs=1e-6)
    with pytest.raises(HsEnvError, match=r"holds a search with other configuration \(seed\)"):
        tune(replace(CONFIG, seed=1), RATES, tmp_path / "whole", 6, QUIET)


def test_a_bad_trial_is_pruned_and_a_failed_one_does_not_stop_the_search(tmp_path, monkeypatch):
    from hs_env.experiments import tuning

    scores, real, reports = iter([0.0, 0.0, 0.0, 0.0, -9.0]), tuning.train_or_resume, []

    def scored(config, folder, console, callback):
        score = next(scores, None) or 0.0
        for stage, epoch in (("warm", 1), ("joint", 1), ("joint", 2), ("joint", 3)):
            reports.append(folder.name)
            callback({"stage": stage, "epoch": epoch, "log_likelihood": score})
        if folder.name in faults:
            raise faults[folder.name]
        return real(config, folder, console)

    faults = {"5": HsEnvError("no room"), "6": RuntimeError("CUDA out of memory"), "7": MemoryError()}
    monkeypatch.setattr(tuning, "train_or_resume", scored)
    tuning.tune(replace(CONFIG, seed=2**40), RATES, tmp_path, 8, QUIET)
    states = [trial.state.name for trial in study_of(tmp_path).trials]
    assert states == ["COMPLETE"] * 4 + ["PRUNED", "FAIL", "FAIL", "FAIL"]
    assert [reports.count(str(number)) for number in range(6)] == [4, 4, 4, 4, 3, 4]  # stopped at the third epoch
    errors = [trial.user_attrs["error"] for trial in study_of(tmp_path).trials[5:]]
    assert errors == ["no room", "CUDA out of memory", "MemoryError"]
    assert "RuntimeError: CUDA out of memory" in (tmp_path / "trials" / "6.log").read_text()
    faults["8"] = RuntimeError("a mistake in a plug-in")
    with pytest.raises(RuntimeError, match="mistake"):
        tuning.tune(replace(CONFIG, seed=2**40), RATES, tmp_path, 9, QUIET)


def test_a_search_on_a_file_that_has_changed_is_refused(tmp_path):
    from hs_env.experiments.tuning import tune

    rows = [
        f"{word} film {number},{label}" for number in range(20) for word, label in (("good", "pos"), ("bad", "neg"))
    ]
    own = tmp_path / "own.csv"
    own.write_text("\n".join(["text,label", *rows]))
    config = replace(CONFIG, corpus=str(own))
    tune(config, RATES, tmp_path / "out", 1, QUIET)
    own.write_text("\n".join(["text,label", *rows, "dull film,neg"]))
    with pytest.raises(HsEnvError, match=r"holds a search with other data \(all, labels"):
        tune(config, RATES, tmp_path / "out", 2, QUIET)


def test_a_search_goes_on_with_other_threads_and_not_with_other_vectors(tmp_path):
    from hs_env.experiments.tuning import tune

    vectors = tmp_path / "v.txt"
    vectors.write_text("the 1 2 3\n")
    config = replace(CONFIG, vectors=str(vectors))
    tune(config, RATES, tmp_path / "out", 1, QUIET)
    tune(replace(config, threads=2, checkpoint_seconds=5.0, device="cpu"), RATES, tmp_path / "out", 2, QUIET)
    vectors.write_text("the 1 2 4\n")
    with pytest.raises(HsEnvError, match=r"holds a search with other data \(vectors\)"):
        tune(config, RATES, tmp_path / "out", 3, QUIET)


def test_a_search_of_an_earlier_version_goes_on(tmp_path):
    from hs_env.experiments.tuning import _different

    space, now = {"tau": "a range"}, {"configuration": {"seed": 3}, "space": {"tau": "a range"}, "data": {"all": "1"}}
    now["data"]["vectors"] = "2"  # earlier versions did not save them
    for before in ([{"seed": 3, "threads": 2}, space], [{"seed": 3}, space, {"all": "1"}], now):
        assert _different(before, now) == ""
    assert _different([{"seed": 4}, space], now) == "other configuration (seed)"
    assert _different([{}, {}, {"all": "3"}], now) == (
        "other configuration (seed) and other space (tau) and other data (all)"
    )


def test_folders_with_signs_of_an_address_hold_their_own_study(tmp_path):
    from hs_env.experiments.tuning import tune

    for name in ("a?1", "a?3", "b%41#c"):
        tune(CONFIG, RATES, tmp_path / name, 1, QUIET)
        assert (tmp_path / name / "study.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"a?1", "a?3", "b%41#c"}


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and no more", b"[text]\n" * 200])
def test_a_damaged_study_is_named(content, tmp_path):
    from hs_env.experiments.tuning import tune

    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(HsEnvError, match=r"study\.db cannot be read or written: .*choose another folder"):
        tune(CONFIG, RATES, tmp_path, 1, QUIET)


def test_a_search_whose_configuration_fails_can_be_repeated(tmp_path):
    from hs_env.experiments.tuning import tune

    corpus = tmp_path / "later.tsv"
    config = replace(CONFIG, corpus=str(corpus))
    for _ in range(2):
        with pytest.raises(HsEnvError, match=r"later\.tsv"):
            tune(config, RATES, tmp_path / "out", 1, QUIET)
    corpus.write_text(
        "label\ttext\n" + "".join(f"{n % 2}\tfilm {n} is {'good' if n % 2 else 'bad'}\n" for n in range(90))
    )
    assert tune(config, RATES, tmp_path / "out", 1, QUIET).is_file()


def test_a_search_needs_a_trial(tmp_path):
    from hs_env.experiments.tuning import tune

    with pytest.raises(HsEnvError, match="must be 1 or more, got 0"):
        tune(CONFIG, RATES, tmp_path / "out", 0, QUIET)
    assert not (tmp_path / "out").exists()


def test_the_labels_of_the_test_split_change_nothing(tmp_path):
    from hs_env.experiments.tuning import tune

    lines = [f"{label}\t{word} film number{i}\n" for i in range(40) for label, word in ((0, "bad"), (1, "good"))]
    flipped = [f"{1 - int(line[0])}{line[1:]}" for line in lines[60:]]
    for name, test in (("one", lines[60:]), ("other", flipped)):
        folder = tmp_path / name
        folder.mkdir()
        for split, part in (("train", lines[:40]), ("dev", lines[40:60]), ("test", test)):
            (folder / f"{split}.tsv").write_text("label\ttext\n" + "".join(part))
        tune(replace(CONFIG, corpus=str(folder)), RATES, tmp_path / f"{name}-out", 2, QUIET)
    assert found(tmp_path / "one-out") == found(tmp_path / "other-out")


def tune_quietly(config: TrainConfig, folder: Path) -> None:
    from hs_env.experiments.tuning import tune

    tune(config, RATES, folder, 3, QUIET)


@pytest.mark.slow
def test_a_killed_search_continues_its_trial_and_processes_share_it(tmp_path):
    config = replace(CONFIG, warm_epochs=9, patience=9)

    def start() -> BaseProcess:
        process = CONTEXT.Process(target=tune_quietly, args=(config, tmp_path))
        process.start()
        return process

    first = start()
    while not (tmp_path / "trials" / "0" / "checkpoint.safetensors").exists():
        time.sleep(0.02)
        assert first.is_alive()
    first.kill()
    first.join()
    assert study_of(tmp_path).trials[0].state.name == "RUNNING"
    both = [start(), start()]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    trials = study_of(tmp_path).trials
    assert len(trials) == 3
    assert all(trial.state.is_finished() for trial in trials)
    assert len((tmp_path / "trials" / "0" / "record.json").read_text().split('"hs_env"')) == 3  # two processes
