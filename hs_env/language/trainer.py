"""Training of character language models."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from hs_env import ranks
from hs_env.compute import CPU, kept_generators, making_on, seed_for
from hs_env.errors import HsEnvError
from hs_env.language.config import EQUAL_TO, LMConfig
from hs_env.language.cores import State
from hs_env.language.gates import policy_loss
from hs_env.language.models import LanguageModel, hm_lstm_size, new_model
from hs_env.language.sampling import marked_sample
from hs_env.language.scores import evaluate_lm
from hs_env.language.texts import Text, encode
from hs_env.models.rate import RateParameters, rate_loss
from hs_env.shipped import LANGUAGE_MODEL
from hs_env.training.digests import text_digests
from hs_env.training.stages import Stage, StagedTrainer


class _Carried:
    """The recurrent state that one update passes to the next; None at the start of the text."""

    state: State | None = None

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def state_dict(self) -> dict[str, Any]:
        return {"state": None if self.state is None else list(self.state)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        parts = state["state"]
        if parts is not None and not all(isinstance(part, Tensor) and part.is_floating_point() for part in parts):
            raise TypeError("the recurrent state is no list of floating-point tensors")
        self.state = None if parts is None else tuple(part.to(self.device) for part in parts)


class LMTrainer(StagedTrainer[int]):
    """Maximises the mean log-likelihood of the next character with Adam.

    Training has one stage, whose steps are numbered from 0. An evaluation follows every `evaluate_every` updates; these
    are what `StagedTrainer` calls an epoch. `updates_per_pass` updates read the whole text once.

    Args:
        config: Configuration of the run.
        text: Text to train and evaluate on.
        folder: Folder of the run.
        console: Console that shows progress.
        device: Device that it trains on.
    """

    unit = "characters"
    history_types = MappingProxyType({"bits_per_character": float})

    def __init__(
        self, config: LMConfig, text: Text, folder: Path, console: Console, device: torch.device = CPU
    ) -> None:
        ranks.require_one("A language model")
        super().__init__(folder, console, device, config.checkpoint_seconds)
        self.config, self.text = config, text
        self.rate = RateParameters(config.target_rate, config.rate_control, config.rate_weight)
        self.data_name = f"text {config.text!r}"
        self.data_digests = text_digests(text.parts)
        self.data_digest = hashlib.sha256("\0".join(text.parts.values()).encode()).hexdigest()
        train = encode(text.train, text.alphabet).to(self.device)
        length = (len(train) - 1) // config.batch_size
        if length < config.stretch:
            raise HsEnvError(
                f"The training part of the text has {len(train):,} characters, {length:,} for each of "
                f"{config.batch_size} streams. An update reads {config.stretch} of each stream. "
                "Make batch_size or stretch smaller."
            )
        size = length * config.batch_size
        self.inputs = train[:size].view(config.batch_size, length).t()  # (length, B)
        self.targets = train[1 : size + 1].view(config.batch_size, length).t()
        self.updates_per_pass = length // config.stretch
        self.dev = encode(text.dev, text.alphabet).to(self.device)
        with kept_generators(seed=seed_for(config.seed, "weights")), making_on():
            self.model = new_model(config, text.alphabet)
        self.model.to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.carried = _Carried(self.device)
        self.learned, self.adapted = {"model": self.model}, {"optimizer": self.optimizer, "carried": self.carried}
        epochs, score = -(-config.updates // config.evaluate_every), "bits_per_character"
        about = f"the language model learns; scores on dev after every {config.evaluate_every:,} updates"
        self.stages = (Stage(config.core, epochs, self._update, self._evaluate_dev, score, True, False, about=about),)

    def max_updates(self, stage: Stage) -> int:
        """Return the number of updates of the run."""
        return self.config.updates

    def units(self, stage: Stage, epoch: int) -> range:
        """Return the numbers of the updates up to the next evaluation."""
        start = epoch * self.config.evaluate_every
        return range(start, min(start + self.config.evaluate_every, self.config.updates))

    def update(self, stage: Stage, unit: int) -> tuple[dict[str, float], int]:
        """Do update number `unit`, which is its seed too."""
        torch.manual_seed(seed_for(self.config.seed, "update", unit))
        return stage.update(unit), self.config.batch_size * self.config.stretch

    def _update(self, number: int) -> dict[str, float]:
        config, model = self.config, self.model
        passes, place = divmod(number, self.updates_per_pass)
        if place == 0:
            self.carried.state = None
        now = slice(place * config.stretch, (place + 1) * config.stretch)
        model.core.anneal(passes + place / self.updates_per_pass, config.slope_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(number)
        model.train()
        reading = model.read(self.inputs[now], self.carried.state)
        self.carried.state = reading.state
        late = _cross_entropies(reading.log_probs, self.targets[now])
        loss = late.mean()
        total = loss
        if reading.gates is not None:
            early = model.read_early(reading)
            below = None if early is None else _cross_entropies(early, self.targets[now])
            total = policy_loss(config, late, below, reading.gates.log_probs)
        penalty = rate_loss(self.rate, reading.decisions)
        self.optimizer.zero_grad(set_to_none=True)
        (total if penalty is None else total + penalty).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        if not norm.isfinite():
            raise HsEnvError(
                f"The gradient of update {number + 1:,} is not finite; the loss is {loss.item()}. "
                "Make learning_rate smaller."
            )
        with making_on():
            self.optimizer.step()
        metrics = {"train/bits_per_character": loss.item() / math.log(2), "train/gradient_norm": norm.item()}
        if reading.boundaries is not None:
            rates = reading.boundaries.mean((0, 1)).tolist()
            metrics |= {f"train/boundaries_{level}": rate for level, rate in enumerate(rates, 1)}
        return metrics

    def _evaluate_dev(self) -> tuple[dict[str, float], str]:
        """Return scores on dev, and a sample of the model's text with its boundaries."""
        model, prompt = self.model.eval(), self.text.dev[0]
        scores = evaluate_lm(model, self.dev, alphabet=self.text.alphabet, ends=self.text.word_ends("dev"))
        scores |= model.core.settings()
        language_model = LanguageModel(model, self.text.alphabet, {})
        return scores, marked_sample(language_model, 200, prompt, seed=self.config.seed)

    def history_entry(self, stage: Stage, scores: dict[str, float], better: bool) -> dict[str, Any]:
        """Return the scores with the updates and the processor time until then."""
        return {"updates": self.progress.updates, "cpu_seconds": self.progress.cpu_seconds, **scores}

    def save_result(self) -> None:
        """Save the best weights with the size of the model and the score on dev; equal runs save equal bytes."""
        progress, model = self.progress, self.model.eval()
        best = min(entry["bits_per_character"] for entry in progress.history)
        notes = {"parameters": model.size, "dev": best}
        LanguageModel(model, self.text.alphabet, notes).save(self.folder / LANGUAGE_MODEL)

    def summary(self) -> str:
        """Return the sizes of text and model, and a warning of options that the core does not use."""
        alphabet = self.text.alphabet
        compared = self.config.core_name != EQUAL_TO and self.config.equal_parameters
        hm_lstm = f" (HM-LSTM: {hm_lstm_size(self.config, alphabet):,})" if compared else ""
        unused = ", ".join(self.config.unused)
        warning = f"Warning: {self.model.core.title} does not use {unused}.\n" if unused else ""
        return (
            f"{warning}{len(self.text.train):,} characters for training, {len(alphabet)} different ones; "
            f"{self.model.size:,} parameters{hm_lstm}; {self.updates_per_pass:,} updates per epoch"
        )


def _cross_entropies(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-probabilities of the targets, (T, B) nats, for log_probs (T, B, V)."""
    return nn.functional.nll_loss(log_probs.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
