"""The command `hs-env predict`."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import tyro

from hs_env.cli.streams import input_lines
from hs_env.errors import HsEnvError, expand
from hs_env.shipped import DEFAULT_RUN
from hs_env.storage import write_atomically

if TYPE_CHECKING:
    from hs_env.inference import Predictor, TextPrediction

_STREAM: Final = "-"


def predict(
    file: tyro.conf.Positional[str],
    out: str = _STREAM,
    run: str = DEFAULT_RUN,
    text_column: str | None = None,
    encoding: str = "utf-8",
    overwrite: bool = False,
    device: str = "auto",
) -> None:
    """Classify the texts of a file, and write a table.

    The table has a line for each text, in order, also for blank ones: the text, its label, the probability of each
    class, and the share of words that the classifier does not know.

    Args:
        file: JSON lines, CSV, TSV or Parquet with a column of texts; or one text per line, also on standard input (-).
        out: File to write, ending in .tsv, .csv or .jsonl; - writes TSV to standard output.
        run: Folder of a trained run, or name of a run that ships with the package.
        text_column: Column of the texts in a table; by default `text`.
        encoding: Encoding of a text file, such as cp1252.
        overwrite: Replace the file `out` if it exists.
        device: Device: cpu, cuda, cuda:1, mps, or auto for a CUDA GPU if there is one.
    """
    from hs_env.corpora.spec import DEFAULT_FORMAT, RowFormat
    from hs_env.corpora.texts import read_texts
    from hs_env.inference import load
    from hs_env.inference.texts import watched

    file, out = (name if name == _STREAM else str(expand(name)) for name in (file, out))
    suffix = ".tsv" if out == _STREAM else Path(out).suffix.lower()
    if suffix not in _FORMATS:
        raise HsEnvError(f"{out}: expected a name that ends in {', '.join(_FORMATS)}, or - for standard output.")
    if out != _STREAM:
        _check_out(Path(out), file, overwrite)
    if file == _STREAM:
        if text_column is not None:
            raise HsEnvError("Standard input has one text per line and no columns. Leave --text-column out.")
        if codecs.lookup(RowFormat(encoding=encoding).encoding).name != DEFAULT_FORMAT.encoding:
            raise HsEnvError("Standard input is read as UTF-8. Leave --encoding out, or give a file.")
        texts: Iterator[str] = (line.rstrip("\r\n") for line in input_lines())
    else:
        texts = read_texts(Path(file), text_column, RowFormat(encoding=encoding).encoding)
    predictor, count = load(run, device), _Count()
    lines = _FORMATS[suffix](predictor, count.of(predictor.stream(texts if out == _STREAM else watched(texts))))
    if out == _STREAM:
        for line in lines:
            sys.stdout.write(line)
    else:
        write_atomically(out, (line.encode(errors="replace") for line in lines), overwrite)
        print(count.summary(out), file=sys.stderr)


def _check_out(out: Path, file: str, overwrite: bool) -> None:
    """Refuse a file to write that is a folder, is the file to read, or exists and is not to be replaced."""
    if out.is_dir():
        raise HsEnvError(f"{out} is a folder. Give the name of a file.")
    if os.path.lexists(out) and not overwrite:
        raise HsEnvError(f"{out} exists. Choose another name, or replace it with --overwrite.")
    is_file = out.exists() and not out.is_symlink()  # of a link, the link itself is replaced
    if is_file and Path(file).exists() and out.samefile(file):
        raise HsEnvError(f"{out} is the file to read. Write to another one.")


class _Count:
    """Counts texts and their unknown words."""

    def __init__(self) -> None:
        self._texts, self._words, self._unknown = 0, 0, 0.0

    def of(self, predictions: Iterable[TextPrediction]) -> Iterator[TextPrediction]:
        """Yield the predictions, and count them."""
        for prediction in predictions:
            self._texts += 1
            self._words += len(prediction.words)
            self._unknown += prediction.unknown * len(prediction.words)
            yield prediction

    def summary(self, out: str) -> str:
        """Say what was written."""
        share = self._unknown / max(self._words, 1)
        return f"{self._texts:,} texts are classified in {out}; the classifier does not know {share:.1%} of the words."


def _json_lines(predictor: Predictor, predictions: Iterable[TextPrediction]) -> Iterator[str]:
    for prediction in predictions:
        yield json.dumps(prediction.to_json(), ensure_ascii=False) + "\n"


def _csv_lines(predictor: Predictor, predictions: Iterable[TextPrediction]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")  # so that a field with either of them is quoted
    for row in _rows(predictor, predictions):
        writer.writerow([cell.replace("\0", "\N{REPLACEMENT CHARACTER}") for cell in row])
        yield buffer.getvalue().removesuffix("\r\n") + "\n"
        buffer.seek(0)
        buffer.truncate()


def _tsv_lines(predictor: Predictor, predictions: Iterable[TextPrediction]) -> Iterator[str]:
    """Yield lines in which tabs and line ends of texts have become blanks, since TSV has no quotes."""
    for row in _rows(predictor, predictions):
        yield "\t".join(" ".join(cell.split()) for cell in row) + "\n"


def _rows(predictor: Predictor, predictions: Iterable[TextPrediction]) -> Iterator[list[str]]:
    classes = predictor.classifier.labels
    yield ["text", "label", *(f"p_{name}" for name in classes), "unknown"]
    for each in predictions:
        probabilities = [f"{each.probabilities[name]:.6f}" for name in classes] if each.words else [""] * len(classes)
        yield [each.text, each.label or "", *probabilities, f"{each.unknown:.3f}" if each.words else ""]


_FORMATS: Final[dict[str, Callable[[Predictor, Iterable[TextPrediction]], Iterator[str]]]] = {
    ".tsv": _tsv_lines,
    ".csv": _csv_lines,
    ".jsonl": _json_lines,
}
