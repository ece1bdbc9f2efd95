"""Sentences of clauses such as `not a good film ,`; the class is the sign of their sum."""

import random

from hs_env.corpora import Corpus
from hs_env.types import Sentence

from .problem import ADD, INSIDE, SUBTRACT

VALUES = {"good": 1, "fine": 1, "great": 1, "bad": -1, "poor": -1, "dull": -1}


def clauses(train=400, dev=100, test=100, seed=0):
    """Clauses that are good or bad, or not so."""
    draw = random.Random(seed)
    sizes = {"train": train, "dev": dev, "test": test}
    splits = {name: tuple(_sentence(draw) for _ in range(size)) for name, size in sizes.items()}
    return Corpus("clauses", ("negative", "positive"), splits, "glove", problem="clause_signs")


def _sentence(draw):
    words, actions, total = [], [], 0
    for _ in range(draw.choice((1, 1, 3))):
        negated, word = draw.random() < 0.5, draw.choice(list(VALUES))
        clause = (["not"] if negated else []) + ["a", word, draw.choice(("film", "plot", "cast"))]
        words += clause
        actions += [INSIDE] * (len(clause) - 1) + [SUBTRACT if negated else ADD]
        total += -VALUES[word] if negated else VALUES[word]
    return Sentence(tuple(words), int(total > 0), tuple(actions))
