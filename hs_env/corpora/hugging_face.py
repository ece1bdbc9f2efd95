"""Load data sets of the Hugging Face hub with the optional package `datasets`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hs_env.corpora.corpus import Corpus
from hs_env.corpora.files import Row, to_sentences
from hs_env.corpora.labels import check_labels, class_names, label_names, read_label
from hs_env.corpora.layouts import TOKENISATION, warn_of_splits
from hs_env.corpora.spec import DEFAULT_FORMAT, RowFormat
from hs_env.corpora.splits import DEV_SHARES, stratified_split
from hs_env.errors import HsEnvError, missing_extra, shown

_DEV: Final = ("validation", "valid", "val", "dev")


def corpus_from_hugging_face(name: str, row_format: RowFormat = DEFAULT_FORMAT) -> Corpus:
    """Load a data set of the hub as a corpus called `hf:NAME`.

    It needs the columns of the format, by default `text` (or `sentence`) and `label`, and the splits `train` and
    `test` or `validation` (or `valid`, `val`, `dev`). Without the latter, a stratified tenth of the train split becomes
    the dev split. A test split whose labels are hidden (-1) is left out. Gold phrases (`boundaries`) and other columns
    of numbers and texts are kept, as from files. Warnings as in `warn_of_splits`.

    Raises:
        HsEnvError: If `datasets` is not installed, rows are to be skipped, an encoding is named, or the data set cannot
            be loaded, lacks these columns or splits, or holds an empty text or an invalid label.
    """
    if row_format.skip_bad_rows:
        raise HsEnvError(f"The rows of hf:{name} cannot be skipped. Leave skip_bad_rows out.")
    if row_format.encoding != DEFAULT_FORMAT.encoding:
        raise HsEnvError(f"hf:{name} has no text files whose encoding could be chosen. Leave encoding out.")
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise missing_extra("Hugging Face data sets", "hf") from error
    try:
        dataset = load_dataset(name)
    except Exception as error:  # the hub, the network and the data set's own script may raise anything
        raise HsEnvError(f"The Hugging Face data set {name!r} could not be loaded: {error}") from error

    keys = {"train": "train", "dev": next((key for key in _DEV if key in dataset), ""), "test": "test"}
    parts = {split: dataset[key] for split, key in keys.items() if key in dataset}
    if "test" in parts and "dev" in parts and _is_hidden(parts["test"], row_format.label):
        warnings.warn(
            f"hf:{name}: the labels of the split test are hidden, so the corpus has no test sentences.", stacklevel=2
        )
        del parts["test"]
    if "train" not in parts or len(parts) == 1:
        raise HsEnvError(f"hf:{name} has the splits {sorted(dataset)}; it needs train, and test or validation.")
    declared = list(getattr(dataset["train"].features.get(row_format.label), "names", None) or ())
    rows = {split: _rows(f"hf:{name}", keys[split], part, row_format, declared) for split, part in parts.items()}
    labels = declared or label_names(rows["train"])
    names = class_names(labels, row_format.names, f"hf:{name}")
    if not declared:
        for part in rows.values():
            check_labels(part, labels)
    columns = dict.fromkeys(name for part in rows.values() for row in part for name in row.columns)
    splits = {split: to_sentences(part, labels, TOKENISATION, None, columns) for split, part in rows.items()}
    if "dev" not in splits:
        splits |= stratified_split(splits["train"], DEV_SHARES)
    source = f"https://huggingface.co/datasets/{name}"
    corpus = Corpus(f"hf:{name}", names, splits, TOKENISATION, source=source)
    warn_of_splits(corpus, stacklevel=3)
    return corpus


def _is_plain(feature: Any) -> bool:
    """Return whether a column holds numbers, texts, or lists of them; pictures and sound are not decoded."""
    while type(feature).__name__ in ("Sequence", "List", "LargeList"):
        feature = feature.feature
    return type(feature).__name__ in ("Value", "ClassLabel", "NoneType")


def _is_hidden(table: Any, label: str) -> bool:
    """Return whether all labels of a split are -1, which stands for hidden ones."""
    labels = table[label] if label in table.column_names else []
    return len(labels) > 0 and all(each == -1 for each in labels)


def _rows(name: str, split: str, table: Any, row_format: RowFormat, declared: Sequence[str]) -> list[Row]:
    """Return the rows of a split. Whole numbers are positions in the names of classes that the data set declares."""
    columns = list(table.column_names)
    wanted = ("text", "sentence") if row_format.text == "text" else (row_format.text,)
    text = next((column for column in wanted if column in columns), None)
    if text is None or row_format.label not in columns:
        expected = f"{' (or '.join(wanted)}{')' * (len(wanted) - 1)} and {row_format.label}"
        raise HsEnvError(f"{name}, split {split}: expected the columns {expected}, got {columns}.")
    if _is_hidden(table, row_format.label):
        raise HsEnvError(f"{name}, split {split}: all labels are -1, so they are hidden, and it cannot be used.")
    rows = []
    own = (text, row_format.label)
    columns = [name for name in columns if name in own or _is_plain(table.features.get(name))]
    for line, values in enumerate(zip(*(table[column] for column in columns), strict=True), 1):
        record, where = dict(zip(columns, values, strict=True)), f"{name}, split {split}, row {line}"
        sentence, label, boundaries = record.pop(text), record.pop(row_format.label), record.pop("boundaries", None)
        if not isinstance(sentence, str) or not sentence.strip():
            raise HsEnvError(f"{where}: the text is empty.")
        if boundaries is not None and not isinstance(boundaries, list):
            raise HsEnvError(f"{where}: the boundaries are {shown(boundaries, 40)}; expected a list of 0 and 1.")
        try:
            rows.append(Row(sentence, _named(label, declared), boundaries, Path(f"{name}/{split}"), line, record))
        except ValueError as error:
            raise HsEnvError(f"{where}: {error}.") from None
    return rows


def _named(label: Any, declared: Sequence[str]) -> str:
    """Return a label as a text; a ValueError says what is wrong."""
    if not declared or type(label) is not int:
        return read_label(label)
    if label == -1:
        raise ValueError("the label is -1, which stands for a hidden one")
    if not 0 <= label < len(declared):
        raise ValueError(f"the label is {label}, but the data set declares {len(declared)} classes")
    return declared[label]
