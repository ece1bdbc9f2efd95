"""Map words to token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from hs_env.errors import HsEnvError
from hs_env.types import PADDING, UNKNOWN, Sentence

SPECIAL_WORDS: Final = ("<pad>", "<unk>")
"""Words with the token ids `PADDING` and `UNKNOWN`."""


class Vocabulary:
    """Maps words to token ids. Ids 0 and 1 belong to `<pad>` and `<unk>`.

    Args:
        words: Distinct words in the order of their ids, with or without `<pad>` and `<unk>` in front.

    Raises:
        HsEnvError: If a word is empty or occurs twice.
    """

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[:2]) != SPECIAL_WORDS:
            words = (*SPECIAL_WORDS, *words)
        self.words = tuple(words)
        self._ids = {word: index for index, word in enumerate(self.words)}
        if "" in self._ids:
            raise HsEnvError(f"A vocabulary has no empty words, but word {self._ids['']} is empty.")
        if len(self._ids) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            shown = ", ".join(map(repr, twice[:5]))
            raise HsEnvError(f"A vocabulary holds each word once, but {len(twice)} occur more than once: {shown}.")

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sentence], min_count: int = 1) -> Vocabulary:
        """Collect the words that occur `min_count` times or more, by frequency, ties in alphabetical order."""
        counts = Counter(word for sentence in sentences for word in sentence.words)
        for special in SPECIAL_WORDS:
            counts.pop(special, None)
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def encode(self, words: Iterable[str]) -> list[int]:
        """Look up token ids. Unknown words get `UNKNOWN`, and so does `<pad>`, which occurs in no sentence."""
        ids = self._ids
        return [ids.get(word, UNKNOWN) or UNKNOWN for word in words]

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def __eq__(self, other: object) -> bool:
        return self.words == other.words if isinstance(other, Vocabulary) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self):,} words"


assert (PADDING, UNKNOWN) == (0, 1), "SPECIAL_WORDS must match the ids in hs_env.types"
