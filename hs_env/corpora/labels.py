"""Read the labels of classes, which may be any texts or numbers."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from hs_env.errors import HsEnvError, shown
from hs_env.textfile import file_error

if TYPE_CHECKING:
    from hs_env.corpora.files import Row

_WHOLE: Final = re.compile(r"(?P<whole>[+-]?[0-9]{1,18})(?:\.0*|,0{1,2})?")
_LONGEST: Final = 100
_MANY: Final = 20
"""Number of classes from which they are compared with the number of rows."""


def read_label(value: object) -> str:
    """Return a label as a text, in NFC and without blanks around it. Whole numbers are equal however they are written.

    So 1, 1.0, "1", "1.0" and "1,0" are one label.

    Raises:
        ValueError: If there is none, or it is neither a text nor a number; the message has no full stop.
    """
    if isinstance(value, str):
        text = unicodedata.normalize("NFC", value.strip())
    elif isinstance(value, bool | int):
        text = str(value).lower()
    elif isinstance(value, float):
        if math.isinf(value):
            raise ValueError("the label is infinite; expected a text or a finite number")
        text = "" if math.isnan(value) else repr(value)
    elif isinstance(value, Decimal):
        text = f"{value:f}"
    elif value is None:
        text = ""
    else:
        raise ValueError(f"the label is {shown(value, 40)}; expected a text or a number")
    if text == "" or text.lower() == "nan":
        raise ValueError("the label is missing; give the row one, or leave such rows out with --skip-bad-rows")
    if len(text) > _LONGEST:
        raise ValueError(f"the label has {len(text)} characters ({text[:40]}…); choose the column of labels")
    whole = _WHOLE.fullmatch(text)
    return str(int(whole["whole"])) if whole else text


def too_many(classes: int, rows: int) -> bool:
    """Return whether there are more than 20 classes, and more than half as many as rows."""
    return classes > max(_MANY, rows / 2)


def label_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the labels that occur: numbers in ascending order, texts in alphabetical order.

    Raises:
        HsEnvError: If there are more than 20 labels, and more than half as many as rows.
    """
    found = {row.label for row in rows}
    if too_many(len(found), len(rows)):
        some = _listed(sorted(found)[:3])
        raise HsEnvError(
            f"{rows[0].path}: {len(rows):,} rows have {len(found):,} different labels, such as {some}; "
            "expected a few classes. Choose another column of labels."
        )
    try:
        if any("_" in label for label in found):  # Python takes 1_0 for the number 10
            return tuple(sorted(found))
        return tuple(sorted(found, key=lambda label: (float(label.replace(",", ".")), label)))
    except ValueError:  # not all are numbers
        return tuple(sorted(found))


def class_names(labels: Sequence[str], names: Sequence[str], owner: object) -> tuple[str, ...]:
    """Return the names of classes: `names` in the order of the labels, or the labels themselves if it is empty.

    Args:
        labels: Labels that occur, as `label_names` returns them.
        names: Chosen names.
        owner: File or folder, for messages.

    Raises:
        HsEnvError: If there are fewer than two labels, or the number of names is another.
    """
    if len(labels) < 2:
        raise HsEnvError(f"{owner}: every label is {labels[0]!r}; a classifier needs two classes or more.")
    if names and len(names) != len(labels):
        raise HsEnvError(f"{owner}: expected {len(labels)} names, for the labels {_listed(labels)}, got {len(names)}.")
    if not all(map(str.strip, names)):
        raise HsEnvError(f"{owner}: a class needs a name that is not blank, got the names {_listed(names)}.")
    return tuple(names or labels)


def check_labels(rows: Sequence[Row], labels: Collection[str]) -> None:
    """Refuse labels that the train split does not have.

    Raises:
        HsEnvError: If there is one; the message names file and line.
    """
    known = set(labels)
    for row in rows:
        if row.label not in known:
            fault = f"the label is {row.label!r}, but the train split has the labels {_listed(labels)}"
            raise file_error(row.path, row.line, f"{fault}; use the same labels in every split")


def _listed(labels: Collection[str]) -> str:
    return ", ".join(map(repr, list(labels)[:10])) + (", …" if len(labels) > 10 else "")
