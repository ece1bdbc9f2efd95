"""Joint training: deterministic, and killed at any moment it goes on as if nothing had happened."""

from __future__ import annotations

import io
import json
import shutil
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hs_env.agents import FixedPolicy, Reinforce, SB3Agent, SB3Learner, load_agent
from hs_env.agents.baselines import Random
from hs_env.corpora import cached
from hs_env.envs.classes import PhraseSegmentationEnv
from hs_env.errors import HsEnvError
from hs_env.evaluation import compare
from hs_env.metrics.scores import policy_scores
from hs_env.models import AttentiveHSLSTM
from hs_env.rewards import HSLSTMReward
from hs_env.storage import load_state
from hs_env.training import Run, TrainConfig, resume, train
from hs_env.training.classifier_optimizer import ClassifierOptimizer
from hs_env.training.config import ResolvedConfig
from hs_env.training.data import TrainingData
from hs_env.training.monitor import Monitor
from hs_env.training.stages import CHECKPOINT
from hs_env.training.trainer import Trainer
from hs_env.training.upgrade import LATER
from tests.processes import CONTEXT, train_quietly
from tests.training.stopped import train_almost_to_the_end

CONFIG = TrainConfig(
    corpus="phrases:train=160,dev=40,test=40",
    vectors="random:6",
    model_parameters={"hidden_size": 10},
    batch_size=16,
    warm_epochs=2,
    pnet_epochs=2,
    joint_epochs=2,
    threads=1,
    agent_parameters={"samples": 3, "hidden_size": 4},
)
QUIET = Console(quiet=True)


def weights(run: Run) -> dict[str, torch.Tensor]:
    """Every weight of the result, by name."""
    network = {f"model.{name}": value for name, value in run.classifier.model.state_dict().items()}
    saved = load_state(run.folder / "agent.safetensors", "agent")
    policy = saved["weights"] if "weights" in saved else saved["pnet"]
    return network | {f"policy.{name}": value for name, value in policy.items()}


def assert_same(one: Run, two: Run) -> None:
    left, right = weights(one), weights(two)
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Run:
    return train(CONFIG, tmp_path_factory.mktemp("runs") / "finished", QUIET)


def test_a_run_leaves_what_it_promises(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {"config.json", "record.json", "history.json", "classifier.safetensors", "agent.safetensors"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    (record,) = json.loads((finished.folder / "record.json").read_text())
    assert record["packages"]["torch"].startswith(torch.__version__.split("+")[0])
    history = json.loads((finished.folder / "history.json").read_text())
    assert [entry["stage"] for entry in history["epochs"]] == sorted(
        (entry["stage"] for entry in history["epochs"]), key=["warm", "pnet", "joint"].index
    )
    assert finished.config == CONFIG.resolve()
    assert finished.classifier_updates == history["classifier_updates"]


def test_tensorboard_shows_what_matters(finished):
    events = EventAccumulator(str(finished.folder)).Reload()
    assert {
        "p_net/reward",
        "p_net/reward/log_likelihood",
        "p_net/reward/structure",
        "p_net/entropy",
        "p_net/gradient_norm",
        "c_net/loss",
        "c_net/gradient_norm",
        "dev/accuracy",
        "dev/phrases_per_sentence",
        "dev/words_per_phrase",
    } <= set(events.Tags()["scalars"])
    text = events.Tensors("sentences/text_summary")[-1].tensor_proto.string_val[0].decode()
    assert text.startswith("[")
    assert "→" in text


DISTILLED = replace(CONFIG, model="id_lstm", agent_parameters={"samples": 3})


@pytest.fixture(scope="module")
def distilled(tmp_path_factory) -> Run:
    return train(DISTILLED, tmp_path_factory.mktemp("runs") / "distilled", QUIET)


def test_id_lstm_has_its_own_defaults_and_scores(distilled):
    config, phrases = TrainConfig(model="id_lstm").resolve(), TrainConfig().resolve()
    assert config.warm_start == "all_retain"
    assert "deletion_rate" in config.reward
    assert (config.warm_epochs, config.pnet_epochs, config.joint_learning_rate) == (10, 2, 1e-4)
    assert (phrases.warm_epochs, TrainConfig(model="cnn").resolve().joint_learning_rate) == (5, 5e-4)
    assert (config.reward_dropout, config.agent_parameters["learning_rate"]) == (True, 1e-3)
    assert (phrases.reward_dropout, phrases.agent_parameters["learning_rate"]) == (False, 5e-3)
    assert TrainConfig(model="id_lstm", agent="ppo").resolve().reward_dropout is False
    epochs = json.loads((distilled.folder / "history.json").read_text())["epochs"]
    warm, later = epochs[0], epochs[-1]
    assert warm["share_retained"] == 1
    assert 0 < later["share_retained"] <= 1
    assert not {"phrases_per_sentence", "words_per_phrase"} & set(later)
    events = EventAccumulator(str(distilled.folder)).Reload()
    assert {"p_net/reward/deletion_rate", "dev/words_retained", "dev/share_retained"} <= set(events.Tags()["scalars"])


def test_progress_says_what_is_counted(tmp_path):
    shown = io.StringIO()
    scores = {"accuracy": 0.5, "log_likelihood": -0.7, "reward": -0.6}
    with Monitor(tmp_path, Console(file=shown, width=200)) as monitor:
        monitor.epoch(1, "joint", 1, scores | {"words_retained": 14.2, "share_retained": 0.7}, False, "")
        monitor.epoch(2, "joint", 2, scores | {"phrases_per_sentence": 5.8, "words_per_phrase": 3.7}, False, "")
    distilled, segmented = shown.getvalue().splitlines()[:2]
    assert distilled.endswith("14.2 words retained")
    assert segmented.endswith("5.8 phrases")


def test_a_run_repeats_bit_for_bit(finished, tmp_path):
    torch.manual_seed(12345)  # the caller's generator does not matter, and is left alone
    before = torch.get_rng_state()
    assert_same(finished, train(CONFIG, tmp_path / "again", QUIET))
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_is_another_run(finished, tmp_path):
    other = train(replace(CONFIG, seed=1, pnet_epochs=0, joint_epochs=0), tmp_path / "other", QUIET)
    name = "model.word_level.weight_hh"
    assert not torch.equal(weights(finished)[name], weights(other)[name])


def test_killed_and_resumed_equals_uninterrupted(finished, tmp_path):
    """SIGKILL in each stage, within an epoch; then on to the end."""
    folder = tmp_path / "killed"
    config = replace(CONFIG, checkpoint_seconds=0.0)  # a checkpoint after every update
    kills = []
    for updates in (3, 25, 47):  # in the warm start, the P-Net's stage and the joint stage: 20 updates each
        process = CONTEXT.Process(target=train_quietly, args=(config, folder))
        process.start()
        try:
            deadline = time.monotonic() + 120
            while _updates_done(folder) < updates:
                assert process.is_alive(), "the run ended before it was killed"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            process.kill()
            process.join()
        kills.append(_updates_done(folder))
        assert not (folder / "history.json").exists()
    assert kills == sorted(kills)
    train_quietly(config, folder)
    assert_same(finished, Run.load(folder))


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["maskable_ppo", "dqn"])
def test_an_algorithm_of_stable_baselines_goes_on_alike(agent, tmp_path, monkeypatch):
    """Stopped in the joint stage, with a reward that adapts, too."""
    small = {"maskable_ppo": {"n_steps": 16, "batch_size": 64, "n_epochs": 1}, "dqn": {"buffer_size": 512}}
    parameters = {"slots": 8, "steps": 16, "samples": 2, **small[agent]}
    reward = "log_likelihood + boundary_rate(rate=0.1)"
    chosen = replace(CONFIG, agent=agent, agent_parameters=parameters, reward=reward)
    config = replace(chosen, pnet_epochs=1, joint_epochs=1, checkpoint_seconds=0)
    ends, save_result = [], Trainer.save_result
    monkeypatch.setattr(Trainer, "save_result", lambda self: (ends.append(self.reward.state_dict()), save_result(self)))
    steady = train(config, tmp_path / "steady", QUIET)
    count, update = 0, SB3Learner.update

    def interrupted(self, *arguments, **more):
        nonlocal count
        count += 1
        if count == 14:  # of 20
            raise KeyboardInterrupt
        return update(self, *arguments, **more)

    monkeypatch.setattr(SB3Learner, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", QUIET)
    assert_same(steady, resume(tmp_path / "stopped", QUIET))
    assert count == 14 + 7
    assert type(Run.load(steady.folder).agent) is SB3Agent
    assert ends[0] == ends[1] != {"left": {}, "right": {"multiplier": 1.0}}


def test_with_reward_dropout_and_weight_decay_a_run_goes_on_alike(tmp_path, monkeypatch):
    """Stopped in the joint stage; the P-Net reads with dropout, and dev is scored without."""
    config = replace(CONFIG, reward_dropout=True, weight_decay=1.0, pnet_epochs=1, joint_epochs=1, checkpoint_seconds=0)
    steady = train(config, tmp_path / "steady", QUIET)
    update, seen = Reinforce.update, []

    def interrupted(self, encoder, *arguments, **more):
        seen.append(encoder.training)
        if len(seen) == 14:  # of 20
            raise KeyboardInterrupt
        return update(self, encoder, *arguments, **more)

    monkeypatch.setattr(Reinforce, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", QUIET)
    assert_same(steady, resume(tmp_path / "stopped", QUIET))
    assert seen == [True] * (14 + 7)
    without = train(replace(config, reward_dropout=False), tmp_path / "without", QUIET)
    assert not torch.equal(weights(steady)["policy.layers.2.weight"], weights(without)["policy.layers.2.weight"])
    heavy = train(replace(config, weight_decay=0.0), tmp_path / "heavy", QUIET)
    norms = [weights(run)["model.phrase_level.weight_hh"].norm() for run in (steady, heavy)]
    assert norms[0] < norms[1]
    for run in (steady, without):
        dev = TrainingData.load(run.config).splits["dev"]
        scored = policy_scores(run.classifier.model, run.agent, dev, HSLSTMReward())
        assert scored["log_likelihood"] == pytest.approx(run.classifier.notes["log_likelihood"], abs=1e-5)


def test_clipped_steps_with_a_reader_go_on_alike(tmp_path, monkeypatch):
    """Stopped in the joint stage, with a checkpoint after every update; weights and history are the same."""
    parameters = {
        "estimator": "ppo",
        "updates": 2,
        "samples": 2,
        "reader": "bilstm",
        "reader_size": 4,
        "observe": False,
    }
    config = replace(CONFIG, agent_parameters=parameters, pnet_epochs=1, joint_epochs=1, checkpoint_seconds=0)
    steady = train(config, tmp_path / "steady", QUIET)
    update, count = Reinforce.update, 0

    def interrupted(self, *arguments, **more):
        nonlocal count
        count += 1
        if count == 14:  # of 20
            raise KeyboardInterrupt
        return update(self, *arguments, **more)

    monkeypatch.setattr(Reinforce, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "stopped", QUIET)
    resumed = resume(tmp_path / "stopped", QUIET)
    assert_same(steady, resumed)
    one, two = (
        [entry["training"] for entry in json.loads((run.folder / "history.json").read_text())["epochs"]]
        for run in (steady, resumed)
    )
    assert one == two
    logged = {"p_net/clip_ratio", "p_net/approx_kl", "p_net/frac_reward_zero_std", "p_net/entropy", "p_net/reward_std"}
    assert logged <= set(one[-1])
    assert one[-1]["p_net/passes"] == 3
    assert logged <= set(EventAccumulator(str(steady.folder)).Reload().Tags()["scalars"])
    dev = TrainingData.load(config.resolve()).splits["dev"]
    scored = policy_scores(steady.classifier.model, steady.agent, dev, HSLSTMReward())
    assert scored["log_likelihood"] == pytest.approx(steady.classifier.notes["log_likelihood"], abs=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"agent": "ppo"}, "takes no rewards under dropout"),
        ({"agent": "fixed"}, "takes no rewards under dropout"),
        ({"model": "plain_lstm"}, "has no reward_dropout"),
        ({"reward_dropout": "no"}, "must be true or false"),
    ],
)
def test_reward_dropout_is_for_reinforce(values, message):
    with pytest.raises(HsEnvError, match=message):
        TrainConfig(**{"reward_dropout": True} | values)


def test_the_c_net_trains_on_the_first_samples_of_each_sentence(tmp_path, monkeypatch):
    """With one of three samples, the P-Net's first update is the same, and the C-Net's is on that sample alone."""
    seen, update = [], ClassifierOptimizer.update

    def recorded(self, rate, labels, batch, actions):
        seen.append((labels, batch, actions))
        return update(self, rate, labels, batch, actions)

    monkeypatch.setattr(ClassifierOptimizer, "update", recorded)
    config = replace(CONFIG, warm_epochs=0, pnet_epochs=0, joint_epochs=1, batch_size=64)
    runs = [train(replace(config, c_net_samples=n), tmp_path / str(n), QUIET) for n in (None, 3, 1)]
    assert_same(*runs[:2])
    assert runs[2].config.c_net_samples == 1
    (labels, batch, actions), (label, _, action) = seen[0], seen[6]
    assert torch.equal(labels, batch.labels.repeat_interleave(3))
    assert torch.equal(label, batch.labels)
    assert torch.equal(action, actions[::3])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "c_net_samples must be at most the episodes per sentence of 'reinforce', which are 5; got 6"),
        ({"agent": "fixed"}, "which are 1; got 6"),
        ({"model": "plain_lstm"}, "has no c_net_samples"),
        ({"c_net_samples": 0}, "c_net_samples must be a whole number from 1"),
    ],
)
def test_a_wrong_number_of_samples_is_an_error(values, message):
    with pytest.raises(HsEnvError, match=message):
        TrainConfig(**{"c_net_samples": 6} | values)


def test_epochs_under_different_multipliers_are_not_compared(tmp_path):
    """The multiplier grows from 0, so that the reward of each epoch is below that of the untrained policy."""
    reward = "phrase_length(target=1.2, weight=0, rate=0.2, tolerance=0.05)"
    config = replace(CONFIG, reward=reward, warm_epochs=1, pnet_epochs=3, joint_epochs=0, patience=1)
    train(config, tmp_path / "run", QUIET)
    epochs = json.loads((tmp_path / "run" / "history.json").read_text())["epochs"]
    stage = [epoch for epoch in epochs if epoch["stage"] == "pnet"]
    assert [epoch["best"] for epoch in stage] == [True] * 4
    assert stage[-1]["reward"] < stage[0]["reward"] == 0


def _updates_done(folder: Path) -> int:
    if not (folder / CHECKPOINT).exists():
        return 0
    updates: int = load_state(folder / CHECKPOINT, "checkpoint")["progress"]["updates"]
    return updates


def test_resuming_a_finished_run_changes_nothing(finished):
    before = (finished.folder / "classifier.safetensors").stat().st_mtime_ns
    assert_same(finished, resume(finished.folder, QUIET))
    assert (finished.folder / "classifier.safetensors").stat().st_mtime_ns == before


def test_nothing_is_overwritten(finished):
    with pytest.raises(HsEnvError, match="is not empty"):
        train(CONFIG, finished.folder, QUIET)


def test_an_unfinished_run_says_how_to_go_on(tmp_path):
    with pytest.raises(HsEnvError, match="is not the folder of a run"):
        Run.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.resolve().to_json()))
    with pytest.raises(HsEnvError, match="--resume"):
        Run.load(tmp_path)


def test_resuming_on_other_data_is_refused(tmp_path):
    rows = [{"text": f"the {word} film", "label": number % 2} for number, word in enumerate(["good", "bad"] * 8)]

    def write(split):
        (tmp_path / "corpus" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    (tmp_path / "corpus").mkdir()
    for split in ("train", "dev", "test"):
        write(split)
    train_almost_to_the_end(replace(CONFIG, corpus=str(tmp_path / "corpus")), tmp_path / "run")
    rows[0]["label"] = 1
    write("train")
    with pytest.raises(HsEnvError, match=r"corpus .* has changed since the run in .*run began: it has other labels\."):
        resume(tmp_path / "run", QUIET)
    (tmp_path / "run" / "data.json").unlink()  # as in runs of earlier versions, whose checkpoints hold a digest
    with pytest.raises(HsEnvError, match=r"corpus .* or the encoder of its word vectors has changed since this run"):
        resume(tmp_path / "run", QUIET)


def test_a_run_is_not_evaluated_on_a_corpus_that_has_changed(tmp_path):
    rows = [{"text": f"the {word} film", "label": number % 2} for number, word in enumerate(["good", "bad"] * 8)]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = train(replace(CONFIG, corpus=str(tmp_path)), tmp_path / "run", QUIET)
    assert len(run.data().splits["test"]) == 16
    rows[0]["text"] = "a better film"
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(HsEnvError, match=r"has changed since the run in .*run began: it has other sentences\."):
        run.data()
    (run.folder / "data.json").unlink()  # as in runs of earlier versions
    with pytest.raises(HsEnvError, match=r"has other words or labels than when the run in .*run was trained"):
        run.data()


def test_a_corpus_is_read_once_to_train_compare_and_step_an_environment(tmp_path, monkeypatch):
    rows = [{"text": f"the {word} film", "label": number % 2} for number, word in enumerate(["good", "bad"] * 8)]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read, load = [], cached.load_corpus
    monkeypatch.setattr(cached, "load_corpus", lambda name, **arguments: read.append(name) or load(name, **arguments))
    run = train(replace(CONFIG, corpus=str(tmp_path)), tmp_path / "run", QUIET)
    compare(run, "test", QUIET)
    PhraseSegmentationEnv(str(tmp_path), str(run.folder))
    assert read == [str(tmp_path)]
    rows[0]["text"] = "a better film"
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    PhraseSegmentationEnv(str(tmp_path), str(run.folder))
    assert read == [str(tmp_path)] * 2


def test_the_notes_of_a_classifier_are_those_of_the_epoch_that_was_kept(finished):
    epochs = json.loads((finished.folder / "history.json").read_text())["epochs"]
    joint = [entry for entry in epochs if entry["stage"] == "joint"]
    best = max(joint, key=lambda entry: entry["log_likelihood"])
    assert finished.classifier.notes.items() <= best.items()
    assert finished.classifier.notes["epoch"] == best["epoch"]


def test_curves_hold_every_update_and_do_not_leak_between_stages(tmp_path):
    with Monitor(tmp_path, QUIET) as monitor:
        monitor.stage("warm", 13, 0)
        for step in range(1, 14):
            monitor.update(step, {"c_net/loss": 1.0}, 16)
        monitor.stage("pnet", 13, 0)
        for step in range(14, 27):
            monitor.update(step, {"p_net/reward": -1.0}, 16)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("c_net/loss")] == [(10, 1.0), (13, 1.0)]
    assert [(event.step, event.value) for event in events.Scalars("p_net/reward")] == [(23, -1.0), (26, -1.0)]


@pytest.mark.parametrize(("content", "message"), [("{", "not readable JSON"), ("{}", "Was it edited")])
def test_a_damaged_history_is_named(finished, tmp_path, content, message):
    shutil.copytree(finished.folder, tmp_path / "run")
    (tmp_path / "run" / "history.json").write_text(content)
    with pytest.raises(HsEnvError, match=message):
        Run.load(tmp_path / "run")


def test_a_damaged_checkpoint_is_named(tmp_path):
    folder = tmp_path / "run"
    said = train_almost_to_the_end(CONFIG, folder)
    assert f"Stopped. Resume with: hs-env train --resume {folder}" in said
    whole = (folder / CHECKPOINT).read_bytes()
    (folder / CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HsEnvError, match="not a readable checkpoint"):
        resume(folder, QUIET)
    (folder / CHECKPOINT).write_bytes(whole)
    resume(folder, QUIET)
    assert not (folder / CHECKPOINT).exists()  # it has served


def test_a_term_counts_where_it_has_an_opinion(tmp_path):
    """Its function returns 1 for a few sentences, and None for the others."""
    reward = "log_likelihood + 0 * tests.training.ranked:seldom"
    config = replace(CONFIG, reward=reward, batch_size=4, pnet_epochs=1, joint_epochs=0)
    run = train(config, tmp_path / "run", QUIET)
    logged = [entry["training"] for entry in run.history if entry["stage"] == "pnet" and entry["epoch"]]
    assert [entry["p_net/reward/seldom"] for entry in logged] == [1.0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("batch_size", {"batch_size": 0}),
        ("dropout", {"model_parameters": {"dropout": 1.0}}),
        ("tau", {"tau": 0.0}),
        ("warm_epochs", {"warm_epochs": -1}),
        ("weight_decay", {"weight_decay": 500}),
        ("weight_decay must be below 1 / joint_learning_rate", {"weight_decay": 100, "joint_learning_rate": 0.1}),
        ("erases all weights", {"agent_parameters": {"weight_decay": 10.0, "learning_rate": 1.0}}),
    ],
)
def test_impossible_values_are_refused(name, values):
    with pytest.raises(HsEnvError, match=name):
        replace(CONFIG, **values)


def test_hs_lstm_with_attention_is_trained(tmp_path):
    config = replace(CONFIG, model="attentive_hs_lstm", warm_epochs=1, pnet_epochs=1, joint_epochs=1)
    run = train(config, tmp_path / "run", QUIET)
    assert isinstance(run.classifier.model, AttentiveHSLSTM)
    scored = policy_scores(run.classifier.model, run.agent, TrainingData.load(run.config).splits["dev"], HSLSTMReward())
    assert scored["log_likelihood"] == pytest.approx(run.classifier.notes["log_likelihood"], abs=1e-5)


def test_the_policy_of_the_warm_start_may_be_random(tmp_path):
    config = replace(CONFIG, warm_start="random", warm_epochs=1, pnet_epochs=0, joint_epochs=0)
    first, again = (train(config, tmp_path / name, QUIET) for name in ("first", "again"))
    for one, other in zip(first.classifier.model.parameters(), again.classifier.model.parameters(), strict=True):
        assert torch.equal(one, other)
    fixed = train(replace(config, agent="fixed", agent_parameters={}), tmp_path / "fixed", QUIET)
    assert isinstance(load_agent(fixed.folder), FixedPolicy)


def test_the_policy_of_the_warm_start_does_not_observe(tmp_path, monkeypatch):
    monkeypatch.setattr(Random, "observes", True)
    with pytest.raises(HsEnvError, match="does not observe the encoder, but 'random' does"):
        train(replace(CONFIG, warm_start="random"), tmp_path / "run", QUIET)


def test_a_refused_configuration_leaves_no_run_behind(tmp_path):
    with pytest.raises(HsEnvError, match="Unknown reward"):
        train(replace(CONFIG, reward="nope"), tmp_path / "run", QUIET)
    assert not (tmp_path / "run").exists()


def test_config_survives_json():
    config = CONFIG.resolve()
    assert ResolvedConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_a_configuration_of_before_an_option_is_a_run_without_it():
    config = TrainConfig(model="id_lstm").resolve()
    before = {name: value for name, value in config.to_json().items() if name not in LATER}
    assert ResolvedConfig.from_json(before) == replace(config, reward_dropout=False, min_updates=0)


def test_with_a_fixed_policy_id_lstm_keeps_the_epoch_that_classifies_best(tmp_path):
    """Its reward adapts, and says nothing where nothing is deleted."""
    config = replace(DISTILLED, agent="fixed", agent_parameters={}, joint_learning_rate=0.5, patience=1)
    run = train(config, tmp_path / "run", QUIET)
    joint = [e for e in json.loads((run.folder / "history.json").read_text())["epochs"] if e["stage"] == "joint"]
    assert joint[0]["log_likelihood"] > joint[1]["log_likelihood"]
    assert [entry["best"] for entry in joint] == [True, False]


def test_joint_training_learns(tmp_path):
    """On the generated corpus the classifier gets from chance to well above it, and the slow copy is what is saved."""
    config = replace(
        CONFIG,
        corpus="phrases:train=1200,dev=200,test=200",
        vectors="random:16",
        model_parameters={"hidden_size": 32, "dropout": 0.0, "word_dropout": 0.0},
        tau=0.1,
        warm_start="gold",
        learning_rate=2e-2,
        joint_learning_rate=1e-3,
        warm_epochs=6,
        pnet_epochs=2,
        joint_epochs=2,
        patience=4,
    )
    run = train(config, tmp_path / "run", QUIET)
    epochs = json.loads((run.folder / "history.json").read_text())["epochs"]
    warm, pnet, joint = ([e for e in epochs if e["stage"] == stage] for stage in ("warm", "pnet", "joint"))
    assert max(entry["accuracy"] for entry in warm) > 0.85
    assert max(entry["reward"] for entry in pnet) > pnet[0]["reward"] + 0.1
    assert max(entry["log_likelihood"] for entry in joint) > joint[0]["log_likelihood"] + 0.1


def test_a_curriculum_begins_with_short_sentences(tmp_path):
    """The limit grows from 8 words to the longest sentence over three epochs, of which two are of the warm start."""
    config = replace(CONFIG, warm_epochs=2, pnet_epochs=0, joint_epochs=2, curriculum_epochs=3, curriculum_words=8)
    trainer = Trainer(config.resolve(), TrainingData.load(config.resolve()), tmp_path, QUIET)
    warm, _, joint = trainer.stages
    lengths = trainer.data.splits["train"].lengths
    top = int(lengths.max())
    limits = [8, 8 + (top - 8) // 3, 8 + (top - 8) * 2 // 3, top]
    read = [trainer.units(*place) for place in ((warm, 0), (warm, 1), (joint, 0), (joint, 1))]
    for limit, batches in zip(limits, read, strict=True):
        assert sorted(torch.cat(batches).tolist()) == (lengths <= limit).nonzero().squeeze(1).tolist()
    assert len(lengths) == sum(map(len, read[-1])) > sum(map(len, read[0])) > 0
    assert trainer.max_updates(warm) == len(read[0]) + len(read[1])
    assert trainer.max_updates(joint) == len(read[2]) + len(read[3])


@pytest.mark.parametrize("model", ["hs_lstm", "plain_lstm"])
def test_the_rate_of_joint_training_decreases_at_the_end(model, tmp_path, monkeypatch):
    """Of 20 updates, the last ten decrease to a fiftieth, whether they have a policy or not."""
    agent = {} if model == "plain_lstm" else CONFIG.agent_parameters
    config = replace(
        CONFIG, model=model, agent_parameters=agent, learning_rate=5.0, joint_learning_rate=1.0, decay_share=0.5
    )
    rates: list[float] = []
    update, scale = ClassifierOptimizer.update, Reinforce.scale_rate
    factors: list[float] = []

    def noted(self: ClassifierOptimizer, rate: float, *inputs: torch.Tensor) -> dict[str, float]:
        rates.append(rate)
        return update(self, 1e-4, *inputs)

    def scaled(self: Reinforce, factor: float) -> None:
        scale(self, factor)
        factors.append(self.optimizer.param_groups[0]["lr"] / 5e-3)

    monkeypatch.setattr(ClassifierOptimizer, "update", noted)
    monkeypatch.setattr(Reinforce, "scale_rate", scaled)
    train(config, tmp_path / "run", QUIET)
    assert [rates[:20], rates[20:31]] == [[5.0] * 20, [1.0] * 11]
    assert rates[31:] == pytest.approx([0.02 + 0.98 * left for left in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)])
    assert factors == ([] if model == "plain_lstm" else pytest.approx(rates[20:]))


def test_other_word_vectors_are_noticed(tmp_path, monkeypatch):
    vectors = tmp_path / "a.txt"
    vectors.write_text("good 1 2\nfilm 3 4\n")
    config = replace(CONFIG, vectors=str(vectors))
    run = train(config, tmp_path / "run", QUIET)
    assert [row.name for row in compare(run, console=QUIET).rows[:2]] == ["HS-LSTM", "plain LSTM"]
    shutil.rmtree(tmp_path / "run" / "plain_lstm")
    vectors.write_text("good 1 9\nfilm 3 4\n")
    console = Console(file=io.StringIO(), width=200)
    for _ in range(2):  # also if the plain LSTM has been trained
        assert "plain LSTM" not in [row.name for row in compare(run, console=console).rows]
    assert console.file.getvalue().count("the word vectors have changed since the run began") == 2
    train_almost_to_the_end(config, tmp_path / "other")
    vectors.write_text("good 1 2\nfilm 3 4\n")
    with pytest.raises(HsEnvError, match=r"The word vectors have changed since the run in .*other began"):
        resume(tmp_path / "other", QUIET)


def test_missing_and_damaged_digests(finished, tmp_path):
    run = Run.load(shutil.copytree(finished.folder, tmp_path / "run"))
    path = run.folder / "data.json"
    digests = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in digests.items() if name != "vectors"}))
    run.data()  # as in a run that is older than the digest of vectors
    for damaged in ("[]", "{}", '{"sentences": 1}'):
        path.write_text(damaged)
        with pytest.raises(HsEnvError, match=r"data\.json does not hold the digests"):
            run.data()
    path.unlink()
    with pytest.warns(UserWarning, match=r"has no data\.json"):
        run.data()
    path.symlink_to("nowhere")
    with pytest.raises(HsEnvError, match=r"data\.json"):
        run.data()


def test_a_warning_that_is_an_error_loses_no_run(tmp_path):
    config = replace(CONFIG, corpus="phrases:train=8,dev=1,test=2")  # one class on dev
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="predicts one class alone"):
            train(config, tmp_path / "run", QUIET)
    assert Run.load(tmp_path / "run").classifier.labels == ("negative", "positive")
