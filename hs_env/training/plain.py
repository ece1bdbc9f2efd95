"""The plain LSTM that a run is compared with, trained as its C-Net was."""

from __future__ import annotations

import copy
import math

import torch
from rich.console import Console
from rich.progress import track

from hs_env.models import Classifier, PlainLSTM
from hs_env.training.config import TrainConfig
from hs_env.training.data import TrainingData, evaluation_batches, training_batches
from hs_env.training.learner import Learner
from hs_env.training.seeds import seed_for


def train_plain_lstm(config: TrainConfig, data: TrainingData, updates: dict[str, int], console: Console) -> Classifier:
    """Train a plain LSTM for as many updates as a run's C-Net; the epoch that is best on dev is kept.

    Vectors, batches, optimiser, learning rates, dropout, clipping, slow copy and the choice by dev are the C-Net's.

    Args:
        config: Of the run.
        data: Of the run.
        updates: Of the C-Net in the stages "warm" and "joint".
        console: Where progress is shown.
    """
    total = sum(updates.values())
    with torch.random.fork_rng():
        torch.manual_seed(seed_for(config.seed, "weights"))
        model = data.new_model(PlainLSTM, config)
        learner = Learner(model, config.tau, config.clip_norm)
        train, best, kept = data.splits["train"], -math.inf, copy.deepcopy(learner.state_dict())
        per_epoch = -(-len(train) // config.batch_size)
        for update in track(range(total), "plain", console=console, transient=True):
            joint = update >= updates["warm"]
            if update == updates["warm"]:  # as the C-Net, go on from the best epoch of the stage before
                learner.load_state_dict(kept)
            epoch, batch = divmod(update, per_epoch)
            if batch == 0:
                batches = training_batches(train, config.batch_size, config.seed, "plain", epoch)
            torch.manual_seed(seed_for(config.seed, "plain", update, "dropout"))
            sentences = train.batch(batches[batch])
            learner.update(config.joint_learning_rate if joint else config.learning_rate, sentences.labels, sentences)
            if batch == per_epoch - 1 or update == total - 1:
                score = _dev_score(learner.slow, data)
                if score > best:
                    best, kept = score, copy.deepcopy(learner.state_dict())
        learner.load_state_dict(kept)
    notes = {"updates": updates, "dev_log_likelihood": _dev_score(learner.slow, data)}
    return Classifier(learner.slow, data.vocabulary, data.corpus.labels, data.corpus.tokenisation, notes)


@torch.no_grad()
def _dev_score(model: PlainLSTM, data: TrainingData) -> float:
    """Mean log-likelihood on dev."""
    split = data.splits["dev"]
    verdicts = ((model(batch), batch.labels) for batch in evaluation_batches(split))
    return math.fsum(log_probs.gather(1, labels[:, None]).sum().item() for log_probs, labels in verdicts) / len(split)
