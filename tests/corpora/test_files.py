"""Readers: what is right is read, what is wrong names its file and line."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hs_env.corpora import RowFormat, label_names, read_rows, to_sentences
from hs_env.errors import HsEnvError
from hs_env.types import Sentence


def write(path: Path, data: str | bytes) -> Path:
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(raw) if path.suffix.lower() == ".gz" else raw)
    return path


@pytest.mark.parametrize("packed", ["", ".gz", ".GZ"])
@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".jsonl", '{"text": "a, \\"b\\"", "label": 0}\n\n{"text": "c", "label": 1}\n'),
        (".json", '\ufeff{"text": "a, \\"b\\"", "label": 0}\r\n{"text": "c", "label": 1}'),
        (".csv", 'label,text,more\n0,"a, ""b""",x\n1,c,y\n'),
        (".tsv", 'text\tlabel\na, "b"\t0\nc\t1\n'),
        (".CSV", 'text, label\n"a, ""b""", 0\n"c" ,1\n'),  # blanks around quotes
        (".csv", 'text;label\n"a, ""b""";0\nc;1\n'),
        (".csv", 'text,label\r"a, ""b""",0\rc,1'),  # line ends of an old Mac
        (".Tsv", 'text\tlabel\ra, "b"\t0\rc\t1\r'),
        (".JSONL", '{"text": "a, \\"b\\"", "label": 0}\r{"text": "c", "label": 1}\r'),
        (".all", '0 a, "b"\n\n1\tc \r\n'),
    ],
)
def test_formats(tmp_path: Path, suffix: str, data: str, packed: str) -> None:
    rows = read_rows(write(tmp_path / f"data{suffix}{packed}", data))
    assert [(row.text, row.label) for row in rows] == [('a, "b"', "0"), ("c", "1")]


GOOD_LINE = '{"text": "a", "label": 0}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": " ", "label": 0}', "text is empty"),
        ('{"text": 3, "label": 0}', "text is 3; expected a string"),
        ('{"text": "a", "label": null}', "label is missing"),
        ('{"text": "a", "label": ""}', "label is missing"),
        ('{"text": "a", "label": NaN}', "label is missing"),
        ('{"text": "a", "label": {"x": 1}}', "label is {'x': 1}; expected a text or a number"),
        ('{"text": null, "label": 0}', "text is empty"),
        ('{"sentence": "a", "label": 1}', "no column 'text'; the columns are 'sentence', 'label'"),
        ('{"text": "a"}', "no column 'label'; the columns are 'text'"),
        ('{"text": "a", "label": 0, "boundaries": 1}', "expected a list of 0 and 1"),
        ('{"text": "a", ', "broken JSON"),
        ('{"text": "a", "text": "b", "label": 0}', "broken JSON (the key 'text' occurs twice)"),
        ('{"text": "a", "label": " "}', "label is missing"),
        ('{"text": "half \\ud83d", "label": 0}', 'the text "half \\ud83d" contains half a surrogate pair'),
        ('{"text": "a", "label": "\\udc00"}', 'the label "\\udc00" contains half a surrogate pair'),
        ('{"text":' + "[" * 100_000, "nested too deeply"),
        ('{"text": "a", "label": ' + "[" * 500 + "]" * 500 + "}", "the label is [[["),
        ('{"text": "a", "label": ' + "9" * 5000 + "}", "broken JSON"),
        ('{"text": "a\0", "label": 0}', "NUL byte"),
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
        ('text,label\n"a\nb",0\nc,nan\n', 4, "label is missing"),
        ('text,label\n"a\nb",0\n"c,1\n', 4, "unclosed quote"),
        ('text,label\n"a\nb",0\n"c"d,1\n', 4, "expected a separator after a closing quote, got 'd,1'"),
        ('text,label\r"a\rb",0\r"c,1\r', 4, "unclosed quote"),
        ("text,label\na,0\nb\0,1\n", 3, "NUL byte"),
        ("text,label\na,0\nb," + "1" * 5000, 3, "the label has 5000 characters (1111"),
        ("text,label,text\na,0,b\n", 1, "the column 'text' occurs twice"),
        ("label,text, label\na,0,b\n", 1, "the column 'label' occurs twice"),
        ("sentence,label\na,0\n", 1, "no column 'text'; the columns are 'sentence', 'label'"),
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


@pytest.mark.parametrize(
    ("name", "table"),
    [("a.csv", "text,label\n{},p\n"), ("b.csv", 'text,label\n"{}",p\n'), ("c.tsv", "text\tlabel\n{}\tp\n")],
)
def test_long_texts(tmp_path: Path, name: str, table: str) -> None:
    limit, text = csv.field_size_limit(), "word " * 60_000  # 131,072 characters are the limit of Python's reader
    assert [row.text for row in read_rows(write(tmp_path / name, table.format(text)))] == [text]
    assert csv.field_size_limit() == limit


@settings(max_examples=200)
@given(st.text('",\n\r ab;'), st.text('",\n ab'))
def test_csv_is_read_as_python_reads_it(tmp_path_factory: pytest.TempPathFactory, first: str, second: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label", "more"), (f"x{first}", 0, second), ("y", 1, first)])
    assert [(row.text, row.label) for row in read_rows(path)] == [(f"x{first}", "0"), ("y", "1")]


def test_broken_files(tmp_path: Path) -> None:
    packed = gzip.compress("".join(GOOD_LINE.replace('"a"', f'"word {i * i}"') for i in range(5000)).encode())
    broken = {
        "cut.jsonl.gz": packed[: len(packed) // 2],
        "tail.jsonl.gz": packed[:-8] + b"\0" * 8,
    }
    for name, data in broken.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(HsEnvError, match=f"{name}, line [0-9]+: broken or truncated gzip"):
            read_rows(path)
    latin = write(tmp_path / "latin.jsonl", GOOD_LINE.encode() + '{"text": "caf\u00e9"}'.encode("latin-1"))
    with pytest.raises(
        HsEnvError, match=r"latin.jsonl, line 2: not UTF-8 \(.* at byte 13.*latin.jsonl:encoding=latin-1"
    ):
        read_rows(latin)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("data.jsonl", '{"text": "caf\u00e9", "label": 0}\n'),
        ("data.csv", "text;label\ncaf\u00e9;0\n"),
        ("data.tsv.gz", "text\tlabel\ncaf\u00e9\t0\n"),
        ("data.all", "0 caf\u00e9\n"),
    ],
)
def test_other_encodings(tmp_path: Path, name: str, data: str, encoding: str) -> None:
    path = write(tmp_path / name, data.encode(encoding))
    assert [row.text for row in read_rows(path, RowFormat(encoding=encoding))] == ["caf\u00e9"]


def test_a_label_without_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "data.all", "0 a\n1 \n")
    with pytest.raises(HsEnvError, match=r"line 2: the text is empty; .* --skip-bad-rows"):
        read_rows(path)
    faults: list[HsEnvError] = []
    assert len(read_rows(path, skipped=faults)) == len(faults) == 1
    with pytest.raises(HsEnvError, match="no column 'review'; the columns are 'label', 'text'"):
        read_rows(path, RowFormat(text="review"))


def test_utf_16(tmp_path: Path) -> None:
    with pytest.raises(
        HsEnvError, match=r"line 1: not UTF-8 .*; it looks like UTF-16; convert it to UTF-8 \(in Excel.*\)\.$"
    ):
        read_rows(write(tmp_path / "a.csv", "text,label\na,0\n".encode("utf-16")))
    with pytest.raises(HsEnvError, match=r"line 1: it holds a NUL byte.*UTF-16"):
        read_rows(write(tmp_path / "b.csv", "text,label\na,0\n".encode("utf-16-le")))


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
    assert label_names(labelled(tmp_path, 10, 2, 10, -1)) == ("-1", "2", "10")
    assert label_names(labelled(tmp_path, 2.5, 1, 0.5)) == ("0.5", "1", "2.5")
    assert label_names(labelled(tmp_path, True, False)) == ("false", "true")
    assert label_names(labelled(tmp_path, 3, "x", 20)) == ("20", "3", "x")
    rows = labelled(tmp_path, "sad", "glad", "sad")
    assert label_names(rows) == ("glad", "sad")
    assert [sentence.label for sentence in to_sentences(rows, ("glad", "sad"))] == [1, 0, 1]


def test_labels_are_compared_as_text(tmp_path: Path) -> None:
    rows = labelled(tmp_path, " gl\u00fcck ", "glu\u0308ck", "x")
    assert label_names(rows) == ("gl\u00fcck", "x")
    assert [sentence.label for sentence in to_sentences(labelled(tmp_path, 1, "2", 2), ("1", "2"))] == [0, 1, 1]
    assert [sentence.label for sentence in to_sentences(labelled(tmp_path, 1, "no"), ("no", "yes"))] == [1, 0]


def test_equal_numbers_are_one_label(tmp_path: Path) -> None:
    assert {row.label for row in labelled(tmp_path, 1, "1", 1.0, "1.0", "1,0", " +1 ", "01")} == {"1"}
    assert {row.label for row in labelled(tmp_path, "1,000", "1.5", "1e0", "v1")} == {"1,000", "1.5", "1e0", "v1"}


def test_a_column_of_texts_is_no_column_of_labels(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"40 rows have 40 different labels, such as '0', '1', '10'; expected a few"):
        label_names(labelled(tmp_path, *range(40)))
    assert len(label_names(labelled(tmp_path, *range(20), *range(20)))) == 20


def test_bad_labels_name_the_line(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: the label is 'x', expected one of no, yes"):
        to_sentences(labelled(tmp_path, "no", "x"), ("no", "yes"))
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 1: the label is '2', expected .* or 0 to 1"):
        to_sentences(labelled(tmp_path, 2), ("no", "yes"))


def test_boundaries_follow_the_words_that_are_cut(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"text": "it's good, really good.", "label": 0, "boundaries": [0, 1, 0, 1]})
    expected = Sentence(("it", "'s", "good", ",", "really", "good", "."), 0, (0, 0, 0, 1, 0, 0, 1))
    assert to_sentences(rows, ("a", "b")) == (expected,)


def test_boundaries_of_words_that_are_joined_or_invisible(tmp_path: Path) -> None:
    row = {"text": "I do n 't \u200b go \u00ad", "label": 0, "boundaries": [0, 1, 0, 0, 1, 0, 1]}
    expected = Sentence(("i", "do", "n't", "go"), 0, (0, 1, 1, 1))
    assert to_sentences(rows_of(tmp_path, row), ("a", "b")) == (expected,)


def test_a_text_without_words_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: the text .* has no words"):
        to_sentences(rows_of(tmp_path, {"text": "a", "label": 0}, {"text": "\u200b", "label": 0}), ("a", "b"))


@pytest.mark.parametrize("boundaries", [[1], [1, 0], [2, 1], [True, 1], [[0], 1], ["0", 1]])
def test_bad_boundaries_name_the_line(tmp_path: Path, boundaries: list[object]) -> None:
    rows = rows_of(tmp_path, {"text": "a", "label": 0}, {"text": "a b", "label": 0, "boundaries": boundaries})
    with pytest.raises(HsEnvError, match=r"data.jsonl, line 2: .*boundar"):
        to_sentences(rows, ("a", "b"))
