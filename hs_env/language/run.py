"""Training of character language models, and their runs on disk."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from hs_env.compute import prepare, seed_for
from hs_env.errors import HsEnvError
from hs_env.language.config import LMConfig
from hs_env.language.models import FILE_NAME, CharacterLM, LanguageModel, State, hm_lstm_size, new_model
from hs_env.language.sampling import boundaries_in, marked, sample_text
from hs_env.language.scores import evaluate_lm
from hs_env.language.texts import Text, encode, load_text
from hs_env.models.hm.boundary import annealed_slope
from hs_env.models.hm.layers import HMLSTM
from hs_env.storage import load_state, save_state, write_json
from hs_env.training.folders import CONFIG, begin_record, continue_record, new_folder, read_json, saved_config
from hs_env.training.monitor import Monitor

CHECKPOINT, HISTORY = "checkpoint.safetensors", "history.json"


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        updates: Updates done.
        cpu_seconds: Processor time that training took, evaluation included; what a killed process did after its last
            checkpoint is not counted, for it is done again.
        best: Bits per character on dev of the best evaluation.
        history: Every evaluation on dev.
    """

    updates: int = 0
    cpu_seconds: float = 0.0
    best: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class LMRun:
    """A finished run.

    Attributes:
        folder: Where it lies.
        config: What was trained.
        language_model: The weights that were best on dev.
        history: Every evaluation on dev.
    """

    folder: Path
    config: LMConfig
    language_model: LanguageModel
    history: list[dict[str, float]]

    @classmethod
    def load(cls, folder: Path) -> LMRun:
        """Load a finished run.

        Raises:
            HsEnvError: If the folder holds no run of a language model, or one that is not finished.
        """
        config = load_lm_config(folder)
        prepare(config.threads)
        if not (folder / HISTORY).exists():
            raise HsEnvError(f"The run in {folder} is not finished. Go on with: hs-env lm train --resume {folder}")
        return cls(folder, config, LanguageModel.load(folder), read_json(folder / HISTORY))

    def evaluate(self, split: str) -> dict[str, float]:
        """Scores on "train", "dev" or "test" (see `evaluate_lm`), saved in the run's folder."""
        text = load_text(self.config.text, self.config.data_dir)
        scores = evaluate_lm(self.language_model.model, encode(getattr(text, split), self.language_model.alphabet))
        write_json(self.folder / f"evaluation-{split}.json", scores)
        return scores


class LMTrainer:
    """Adam on the mean log-likelihood of the next character.

    Everything random in an update is seeded by its number, so that a run that goes on from a checkpoint repeats an
    uninterrupted one bit for bit.

    Args:
        config: What to train.
        text: What to train on.
        folder: The run's folder.
        console: Where progress is shown.
    """

    def __init__(self, config: LMConfig, text: Text, folder: Path, console: Console) -> None:
        self.config, self.text, self.folder, self.console = config, text, folder, console
        train = encode(text.train, text.alphabet)
        length = (len(train) - 1) // config.batch_size
        if length < config.stretch:
            raise HsEnvError(
                f"The text has {len(train):,} characters to learn from, which are {length:,} for each of "
                f"{config.batch_size} streams; {config.stretch} are read at a time. Make batch_size or stretch smaller."
            )
        size = length * config.batch_size
        self.inputs = train[:size].view(config.batch_size, length).t()  # (n, B)
        self.outputs = train[1 : size + 1].view(config.batch_size, length).t()
        self.dev = encode(text.dev, text.alphabet)
        with torch.random.fork_rng():
            torch.manual_seed(seed_for(config.seed, "weights"))
            self.model = new_model(config, len(text.alphabet))
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.state: State | None = None
        self.progress = Progress()
        self._best: dict[str, Tensor] = {}
        self._clock = self._saved = 0.0

    @property
    def stretches(self) -> int:
        """Updates in an epoch."""
        return len(self.inputs) // self.config.stretch

    def run(self) -> None:
        """Train to the end, then save the model and the history."""
        config, progress = self.config, self.progress
        self._clock, self._saved = time.process_time() - progress.cpu_seconds, time.monotonic()
        with (
            torch.random.fork_rng(),
            Monitor(self.folder, self.console, progress.updates, unit="characters") as monitor,
        ):
            monitor.stage(config.core, config.updates, progress.updates)
            while progress.updates < config.updates:
                metrics = self._update()
                progress.updates += 1
                progress.cpu_seconds = time.process_time() - self._clock
                monitor.update(progress.updates, metrics, config.batch_size * config.stretch)
                if progress.updates % config.evaluate_every == 0 or progress.updates == config.updates:
                    self._score(monitor)
                    self.save_checkpoint()
                elif time.monotonic() - self._saved > config.checkpoint_seconds:
                    self.save_checkpoint()
        self.model.load_state_dict(self._best)
        notes = {"parameters": self.model.size, "cpu_seconds": progress.cpu_seconds, "dev": progress.best}
        LanguageModel(self.model.eval(), self.text.alphabet, notes).save(self.folder / FILE_NAME)
        write_json(self.folder / HISTORY, progress.history)

    def _update(self) -> dict[str, float]:
        config, model, number = self.config, self.model, self.progress.updates
        torch.manual_seed(seed_for(config.seed, "update", number))
        epoch, place = divmod(number, self.stretches)
        if place == 0:
            self.state = None
        now = slice(place * config.stretch, (place + 1) * config.stretch)
        if isinstance(model.core, HMLSTM):
            model.core.slope = annealed_slope(epoch + place / self.stretches, config.slope_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(number)
        model.train()
        log_probs, z, self.state = model(self.inputs[now], self.state)
        loss = nn.functional.nll_loss(log_probs.flatten(0, 1), self.outputs[now].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        if not norm.isfinite():
            raise HsEnvError(
                f"The gradient of update {number + 1:,} is not finite, its loss {loss.item()}. "
                "Make learning_rate smaller."
            )
        self.optimizer.step()
        metrics = {"train/bits_per_character": loss.item() / math.log(2), "train/gradient_norm": norm.item()}
        if z is not None:
            rates = z.mean((0, 1)).tolist()
            metrics |= {f"train/boundaries_{level}": rate for level, rate in enumerate(rates, 1)}
        return metrics

    def _score(self, monitor: Monitor) -> None:
        """Score on dev, and remember the best weights."""
        progress, model = self.progress, self.model.eval()
        scores = evaluate_lm(model, self.dev)
        if isinstance(model.core, HMLSTM):
            scores["slope"] = model.core.slope
        progress.cpu_seconds = time.process_time() - self._clock
        better = progress.best is None or scores["bits_per_character"] < progress.best
        if better:
            progress.best, self._best = scores["bits_per_character"], copy.deepcopy(model.state_dict())
        progress.history.append({"updates": progress.updates, "cpu_seconds": progress.cpu_seconds, **scores})
        epoch = progress.updates // self.stretches
        monitor.epoch(progress.updates, self.config.core, epoch, scores, better, self._example(model))

    def _example(self, model: CharacterLM) -> str:
        """Text that the model writes, with its boundaries."""
        language_model = LanguageModel(model, self.text.alphabet, {})
        prompt = self.text.dev[0]
        text = sample_text(language_model, 200, prompt, seed=self.config.seed)
        return marked(text, boundaries_in(language_model, text, prompt)) if isinstance(model.core, HMLSTM) else text

    def save_checkpoint(self) -> None:
        """Save all that the run needs to go on from here."""
        state = {
            "alphabet": self.text.alphabet,
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": None if self.state is None else list(self.state),
            "best": self._best,
        }
        save_state(self.folder / CHECKPOINT, "checkpoint of a language model", state)
        self._saved = time.monotonic()

    def load_checkpoint(self) -> None:
        """Go on from the last checkpoint; from the start if the run was stopped before its first."""
        if not (self.folder / CHECKPOINT).exists():
            return
        state = load_state(self.folder / CHECKPOINT, "checkpoint of a language model")
        if state["alphabet"] != self.text.alphabet:
            raise HsEnvError(
                f"The text {self.config.text!r} has other characters than when this run began. Bring the old one back, "
                "or start a new run."
            )
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.state = None if state["state"] is None else tuple(state["state"])
        self._best = state["best"]


def load_lm_config(folder: Path) -> LMConfig:
    """The resolved configuration saved with a run."""
    values: dict[str, Any] = saved_config(folder, "hs-env lm train")
    try:
        return LMConfig.from_json(values)
    except HsEnvError as error:
        raise HsEnvError(f"{folder / CONFIG}: {error}") from error


def train_lm(config: LMConfig, folder: Path | None = None, console: Console | None = None) -> LMRun:
    """Train from the start in a new folder.

    Args:
        config: What to train.
        folder: The run's folder; None is `runs/<text>-<date>-<time>`.
        console: Where progress is shown; None is standard error.

    Raises:
        HsEnvError: If the folder is not empty, or the configuration cannot be met.
    """
    folder, console = new_folder(folder, config.text), console or Console(stderr=True)
    prepare(config.threads)
    trainer = LMTrainer(config, load_text(config.text, config.data_dir), folder, console)
    text = trainer.text
    console.print(
        f"{len(text.train):,} characters to learn from, {len(text.alphabet)} different ones; "
        f"{trainer.model.size:,} parameters"
        + (f" (HM-LSTM: {hm_lstm_size(config, len(text.alphabet)):,})" if config.core == "lstm" else "")
        + f", {trainer.stretches:,} updates an epoch",
        highlight=False,
    )
    begin_record(folder, config.to_json())
    trainer.run()
    return LMRun.load(folder)


def resume_lm(folder: Path, console: Console | None = None) -> LMRun:
    """Go on with a run that was stopped at any moment, to the weights it would have had without the stop."""
    config = load_lm_config(folder)
    if (folder / HISTORY).exists():
        return LMRun.load(folder)
    prepare(config.threads)
    trainer = LMTrainer(config, load_text(config.text, config.data_dir), folder, console or Console(stderr=True))
    trainer.load_checkpoint()
    continue_record(folder)
    trainer.run()
    return LMRun.load(folder)
