"""Add typos to the words of a corpus: a letter is swapped with the next, left out, added or replaced."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Final

from hs_env.corpora.corpus import Corpus
from hs_env.types import Sentence

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"


def noisy(corpus: Corpus, share: float, seed: int = 0) -> Corpus:
    """Return a corpus whose words have typos in all three splits.

    Each word with two or more letters gets one typo with probability `share`; others, such as `a` and `,`, never
    change. Labels, gold actions and the number of words stay. The typos of a sentence depend only on the seed, the
    split, the place of the sentence in it, and its words. A larger share keeps the typos of a smaller one.

    Args:
        corpus: Corpus of words.
        share: Probability of a typo, 0 to 1.
        seed: Seed of the typos.
    """
    if not share:
        return corpus
    from hs_env.compute import seed_for  # imports torch, which a list of corpora does not need

    splits = {
        split: tuple(_noisy(sentence, share, seed_for(seed, "noise", split, at)) for at, sentence in enumerate(each))
        for split, each in corpus.splits.items()
    }
    return replace(corpus, splits=splits)


def _noisy(sentence: Sentence, share: float, seed: int) -> Sentence:
    draw = Random(seed).random
    words = []
    for word in sentence.words:
        chance, kind, place, letter = draw(), draw(), draw(), draw()  # as many draws for each word, changed or not
        words.append(_typo(word, kind, place, letter) if chance < share else word)
    return replace(sentence, words=tuple(words))


def _typo(word: str, kind: float, place: float, letter: float) -> str:
    """Return a word with one typo, or the word itself if it has fewer than two letters.

    Args:
        word: Word.
        kind: Number below 1 that chooses the kind of typo.
        place: Number below 1 that chooses the letter.
        letter: Number below 1 that chooses the new letter.
    """
    letters = [at for at, character in enumerate(word) if character.isalpha()]
    if len(letters) < 2:
        return word
    swaps = [at for at in letters if word[at + 1 : at + 2].isalpha() and word[at] != word[at + 1]]
    kinds = ("swap", "delete", "insert", "replace") if swaps else ("delete", "insert", "replace")
    chosen = kinds[int(kind * len(kinds))]
    places = swaps if chosen == "swap" else letters
    at = places[int(place * len(places))]
    others = [each for each in _ALPHABET if each != word[at]]
    new = others[int(letter * len(others))]
    match chosen:
        case "swap":
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case "delete":
            return word[:at] + word[at + 1 :]
        case "insert":
            return word[:at] + new + word[at:]
        case _:
            return word[:at] + new + word[at + 1 :]
