"""Readers: what is right is read, what is wrong names its file and line."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.corpora import label_names, read_rows, to_sentences
from hs_env.errors import HsEnvError
from hs_env.types import Sentence


def write(path: Path, data: str | bytes) -> Path:
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".jsonl", '{"text": "a, \\"b\\"", "label": 0}\n\n{"text": "c", "label": 1}\n'),
        (".json", '\ufeff{"text": "a, \\"b\\"", "label": 0}\r\n{"text": "c", "label": 1}'),
        (".csv", 'label,text,more\n0,"a, ""b""",x\n1,c,y\n'),
        (".tsv", 'text\tlabel\na, "b"\t0\nc\t1\n'),
    ],
)
def test_formats(tmp_path: Path, suffix: str, data: str, packed: str) -> None:
    rows = read_rows(write(tmp_path / f"data{suffix}{packed}", data))
    assert [(row.text, row.label) for row in rows] == [('a, "b"', 0), ("c", 1)]


GOOD_LINE = '{"text": "a", "label": 0}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": " ", "label": 0}', "text is empty"),
        ('{"text": 3, "label": 0}', "text is 3; expected a string"),
        ('{"text": "a", "label": null}', "label is missing"),
        ('{"text": "a", "label": ""}', "label is missing"),
        ('{"text": "a", "label": -1}', "label is -1; labels count from 0"),
        ('{"text": "a", "label": 1.5}', "label is 1.5; expected an integer"),
        ('{"text": "a", "label": true}', "label is true; expected an integer"),
        ('{"sentence": "a", "label": 1}', "no column 'text'; the columns are 'sentence', 'label'"),
        ('{"text": "a"}', "no column 'label'; the columns are 'text'"),
        ('{"text": "a", "label": 0, "boundaries": 1}', "expected a list of 0 and 1"),
        ('{"text": "a", ', "broken JSON"),
        ("[1]", "one JSON object per line"),
    ],
)
def test_bad_json_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "bad.jsonl", f"{GOOD_LINE}\n{line}\n")
    with pytest.raises(HsEnvError) as raised:
        read_rows(path)
    assert str(raised.value).startswith(f"{path}, line 3: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ('text,label\n"a\nb",0\n"",1\n', 4, "text is empty"),
        ('text,label\n"a\nb",0\n\n"c\nd",x,y\n', 5, "3 fields, expected 2"),
        ('text,label\n"a\nb",0\nc,\n', 4, "label is missing"),
        ('text,label\n"a\nb",0\nc,2.5\n', 4, "label is 2.5"),
        ('text,label\n"a\nb",0\n"c,1\n', 4, "unclosed quote"),
        ("sentence,label\na,0\n", 2, "no column 'text'; the columns are 'sentence', 'label'"),
    ],
)
def test_bad_csv_line(tmp_path: Path, table: str, line: int, message: str) -> None:
    path = write(tmp_path / "bad.csv", table)
    with pytest.raises(HsEnvError) as raised:
        read_rows(path)
    assert str(raised.value).startswith(f"{path}, line {line}: ")
    assert message in str(raised.value)


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")).filter(str.strip), min_size=1))
def test_csv_keeps_texts_and_lines(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([("text", "label"), *((text, 0) for text in texts)])
    line = 2
    for row, text in zip(read_rows(path), texts, strict=True):
        assert (row.text, row.line) == (text, line)
        line += 1 + text.count("\n")


def test_broken_files(tmp_path: Path) -> None:
    packed = gzip.compress("".join(GOOD_LINE.replace('"a"', f'"word {i * i}"') for i in range(5000)).encode())
    broken = {
        "cut.jsonl.gz": packed[: len(packed) // 2],
        "tail.jsonl.gz": packed[:-8] + b"\0" * 8,
        "plain.jsonl.gz": GOOD_LINE.encode(),
    }
    for name, data in broken.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(HsEnvError, match=f"{name}, line [0-9]+: broken or truncated gzip"):
            read_rows(path)
    latin = write(tmp_path / "latin.jsonl", GOOD_LINE.encode() + '{"text": "caf\u00e9"}'.encode("latin-1"))
    with pytest.raises(HsEnvError, match=r"latin.jsonl, line 2: not UTF-8 \(.* at byte 13"):
        read_rows(latin)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match="holds no sentences"):
        read_rows(write(tmp_path / "empty.csv", "text,label\n"))
    with pytest.raises(HsEnvError, match="No such file"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(HsEnvError, match=r"ends in one of \.jsonl"):
        read_rows(write(tmp_path / "data.xml", "<a/>"))


def rows_of(tmp_path: Path, *records: dict[str, object]) -> list:
    return read_rows(write(tmp_path / "data.jsonl", "".join(json.dumps(record) + "\n" for record in records)))


def labelled(tmp_path: Path, *labels: object) -> list:
    return rows_of(tmp_path, *({"text": "a", "label": label} for label in labels))


def test_labels(tmp_path: Path) -> None:
    assert label_names(labelled(tmp_path, 1, 0, 2, 0)) == ("0", "1", "2")
    rows = labelled(tmp_path, "sad", "glad", "sad")
    assert label_names(rows) == ("glad", "sad")
    assert [sentence.label for sentence in to_sentences(rows, ("glad", "sad"))] == [1, 0, 1]


def test_bad_labels_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: the label is 'x', but the one of line 1 is 0"):
        label_names(labelled(tmp_path, 0, "x"))
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: the label is 9999999999, but label 1 never occurs"):
        label_names(labelled(tmp_path, 0, 9999999999))
    with pytest.raises(HsEnvError, match=r"line 2: the label is 2, but label 0 never occurs"):
        label_names(labelled(tmp_path, 1, 2))
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: the label is 'x', expected one of no, yes"):
        to_sentences(labelled(tmp_path, "no", "x"), ("no", "yes"))
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 1: the label is 2, expected .* or 0 to 1"):
        to_sentences(labelled(tmp_path, 2), ("no", "yes"))


def test_boundaries_follow_the_words_that_are_cut(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"text": "it's good, really good.", "label": 0, "boundaries": [0, 1, 0, 1]})
    expected = Sentence(("it", "'s", "good", ",", "really", "good", "."), 0, (0, 0, 0, 1, 0, 0, 1))
    assert to_sentences(rows, ("a", "b")) == (expected,)


@pytest.mark.parametrize("boundaries", [[1], [1, 0], [2, 1], [True, 1], [[0], 1], ["0", 1]])
def test_bad_boundaries_name_the_line(tmp_path: Path, boundaries: list[object]) -> None:
    rows = rows_of(tmp_path, {"text": "a", "label": 0}, {"text": "a b", "label": 0, "boundaries": boundaries})
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: .*boundar"):
        to_sentences(rows, ("a", "b"))
