"""Read a sentence for a P-Net: word vectors and perhaps an LSTM of its own, apart from those of the classifier."""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from hs_env.errors import HsEnvError
from hs_env.models.bilstm import TwoWayLSTM
from hs_env.models.lstm import LSTM
from hs_env.types import SentenceBatch

READERS: Final[dict[str, type[LSTM] | type[TwoWayLSTM] | None]] = {"words": None, "lstm": LSTM, "bilstm": TwoWayLSTM}
"""Networks of a reader. `words` has none and knows one word, an `lstm` the words so far, a `bilstm` the sentence."""


class Reader(nn.Module):
    """Reads a sentence once, independently of all actions, and computes an input of the P-Net for each word.

    The classifier and the reader share no parameters: structure and meaning are learned apart (Havrylov, Kruszewski,
    Joulin 2019).

    Args:
        kind: Name in `READERS`.
        vocabulary_size: V, number of token ids.
        size: Width of the word vectors, and of the LSTM's state in each direction.
        outputs: Width of the computed inputs.
    """

    def __init__(self, kind: str, vocabulary_size: int, size: int, outputs: int) -> None:
        super().__init__()
        if vocabulary_size < 1:
            raise HsEnvError("A reader has word vectors of its own: it needs the size of the vocabulary.")
        self.words = nn.Embedding(vocabulary_size, size)
        network = READERS[kind]
        self.lstm = None if network is None else network(size, size)
        self.output = nn.Linear(2 * size if network is TwoWayLSTM else size, outputs, bias=False)

    def forward(self, batch: SentenceBatch) -> Tensor:
        """Compute the inputs of all words of a batch, (words, outputs), one sentence after the other.

        Raises:
            HsEnvError: If the batch has token ids of a larger vocabulary.
        """
        tokens = batch.tokens[batch.mask]
        if (largest := int(tokens.max())) >= self.words.num_embeddings:
            raise HsEnvError(
                f"The agent reads a vocabulary of {self.words.num_embeddings:,} words, but the batch has the token id "
                f"{largest}. Use the agent and the classifier of the same run."
            )
        vectors = self.words(tokens)
        read: Tensor = self.output(vectors if self.lstm is None else self.lstm.every(vectors, batch.lengths))
        return read


def padded_words(words: Tensor, batch: SentenceBatch) -> Tensor:
    """Return values of all words, (words, d), as (B, T, d), padded with 0."""
    padded = words.new_zeros(*batch.tokens.shape, words.shape[1])
    return padded.masked_scatter(batch.mask[:, :, None], words)
