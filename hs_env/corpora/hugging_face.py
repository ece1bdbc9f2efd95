"""Load data sets of the Hugging Face hub with the optional package `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.files import Row, label_names, to_sentences
from hs_env.corpora.layouts import TOKENISATION
from hs_env.corpora.splits import DEV_SHARES, stratified_split
from hs_env.errors import HsEnvError

_DEV: Final = ("validation", "valid", "val", "dev")


def corpus_from_hugging_face(name: str) -> Corpus:
    """Load a data set of the hub as a corpus called `hf:NAME`.

    It needs the columns `text` (or `sentence`) and `label` and the splits `train` and `test`. If it has no split
    `validation` (or `valid`, `val`, `dev`), a stratified tenth of the train split becomes the dev split.

    Raises:
        HsEnvError: If `datasets` is not installed, or the data set cannot be loaded, lacks these columns or splits, or
            holds an empty text or an invalid label.
    """
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise HsEnvError('Hugging Face data sets need an extra package: pip install "hs-env[hf]".') from error
    try:
        dataset = load_dataset(name)
    except Exception as error:  # the hub, the network and the data set's own script may raise anything
        raise HsEnvError(f"The Hugging Face data set {name!r} could not be loaded: {error}") from error

    if missing := {"train", "test"} - set(dataset):
        lacks = " and ".join(sorted(missing))
        raise HsEnvError(f"hf:{name} has the splits {sorted(dataset)}; it needs train and test, but lacks {lacks}.")
    keys = {"train": "train", "dev": next((key for key in _DEV if key in dataset), ""), "test": "test"}
    rows = {split: _rows(f"hf:{name}", key, dataset[key]) for split, key in keys.items() if key}
    labels = getattr(dataset["train"].features["label"], "names", None) or label_names(rows["train"])
    splits = {split: to_sentences(part, labels, TOKENISATION) for split, part in rows.items()}
    if "dev" not in splits:
        splits |= stratified_split(splits["train"], DEV_SHARES)
    return Corpus(f"hf:{name}", tuple(labels), splits, TOKENISATION, source=f"https://huggingface.co/datasets/{name}")


def _rows(name: str, split: str, table: Any) -> list[Row]:
    columns = list(table.column_names)
    text = next((column for column in ("text", "sentence") if column in columns), None)
    if text is None or "label" not in columns:
        raise HsEnvError(f"{name}, split {split}: expected the columns text (or sentence) and label, got {columns}.")
    rows = []
    for line, (sentence, label) in enumerate(zip(table[text], table["label"], strict=True), 1):
        if not isinstance(sentence, str) or not sentence.strip():
            raise HsEnvError(f"{name}, split {split}, row {line}: the text is empty.")
        if type(label) is not str and (type(label) is not int or label < 0):
            hidden = " (the labels of this split are hidden: it cannot be used)" if label == -1 else ""
            raise HsEnvError(f"{name}, split {split}, row {line}: expected an integer label, got {label!r}{hidden}.")
        rows.append(Row(sentence, label, None, Path(f"{name}/{split}"), line))
    return rows
