"""`hs-env predict`: a line for each text, in the format that the name of the file says."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest

from hs_env import cli, load

TEXTS = ["the movie is good", "", 'a "dull" plot,\tand bad', "le chien mange"]


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return path


def test_every_format_has_every_line(sentences, tmp_path, capsys):
    labels = load("phrases").predict(TEXTS).tolist()
    for suffix in ("tsv", "csv", "jsonl"):
        out = tmp_path / f"out.{suffix}"
        cli.main(["predict", str(sentences), "--out", str(out)])
        content = out.read_text(encoding="utf-8")
        if suffix == "jsonl":
            rows = [json.loads(line) for line in content.splitlines()]
            assert [row["text"] for row in rows] == TEXTS
        else:
            delimiter, quoting = (",", csv.QUOTE_MINIMAL) if suffix == "csv" else ("\t", csv.QUOTE_NONE)
            rows = list(csv.DictReader(io.StringIO(content), delimiter=delimiter, quoting=quoting))
            assert [row["text"] for row in rows] == [
                text if suffix == "csv" else text.replace("\t", " ") for text in TEXTS
            ]
            assert [row["p_positive"] == "" for row in rows] == [False, True, False, False]
        assert [row["label"] or None for row in rows] == labels
    assert "4 texts are classified in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", 'id\treview\n1\tgood "film"\n\n3\tbad\n'),
        ("a.csv", 'id;review\n1;"good ""film"""\n\n3;bad\n'),
        ("a.jsonl", '{"review": "good \\"film\\""}\n\n{"review": "bad"}\n'),
    ],
)
def test_tables_are_read(tmp_path, capsys, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    cli.main(["predict", str(tmp_path / name), "--text-column", "review"])
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "text\tlabel\tp_negative\tp_positive\tunknown"
    assert [row.split("\t")[0] for row in rows] == ['good "film"', "", "bad"]


def test_streams(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("the movie is good\n\nbad"))
    cli.main(["predict", "-", "--out", "-"])
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == [
        "label",
        "positive",
        "",
        "negative",
    ]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("text\na\n", ["--text-column", "review"], "line 1: there is no column 'review'; the columns are 'text'"),
        ('text,b\n"a,1\n', [], "broken table"),
        ("text,b\na\n", [], "line 2: 1 fields, expected 2"),
        ("text\na\n", ["--out", "a.xlsx"], "a.xlsx: expected a name that ends in .tsv, .csv, .jsonl"),
        ("text\na\n", ["--run", "phrase"], "Did you mean 'phrases'"),
    ],
)
def test_faults_are_named(tmp_path, capsys, content, options, message):
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["predict", str(path), *options])
    assert message in capsys.readouterr().err


def test_a_file_is_only_replaced_if_told(sentences, tmp_path, capsys):
    out = tmp_path / "out.csv"
    out.write_text("kept")
    with pytest.raises(SystemExit):
        cli.main(["predict", str(sentences), "--out", str(out)])
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "kept"
    cli.main(["predict", str(sentences), "--out", str(out), "--overwrite"])
    assert len(out.read_text(encoding="utf-8").splitlines()) == 5


def test_a_fault_leaves_no_file(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good"}\n{"text": 3}\n')
    with pytest.raises(SystemExit):
        cli.main(["predict", str(path), "--out", str(tmp_path / "out.tsv")])
    assert "line 2: the value of 'text' is 3; expected a string" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["a.jsonl"]


def test_a_field_with_a_carriage_return_or_nul_stays_one_field(tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.csv"
    texts = ["a\rb good", "a\nb", "bad\0", 'a "dull" one, and bad']
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    cli.main(["predict", str(source), "--out", str(out)])
    with out.open(newline="", encoding="utf-8") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [text.replace("\0", "\ufffd") for text in texts]
    cli.main(["predict", str(out), "--out", str(tmp_path / "again.csv")])


def test_what_cannot_be_written_is_told_before_anything_is_read(sentences, tmp_path, capsys):
    (tmp_path / "folder.tsv").mkdir()
    (tmp_path / "link.tsv").symlink_to("nowhere.tsv")
    table = tmp_path / "own.csv"
    table.write_text("text,label\ngood,positive\n")
    for arguments, message in (
        ([str(sentences), "--out", str(tmp_path / "folder.tsv"), "--overwrite"], "folder.tsv is a folder"),
        ([str(sentences), "--out", str(tmp_path / "link.tsv")], "link.tsv exists"),
        ([str(table), "--out", str(table), "--overwrite"], "own.csv is the file to read"),
    ):
        with pytest.raises(SystemExit):
            cli.main(["predict", *arguments])
        assert message in capsys.readouterr().err
    assert table.read_text() == "text,label\ngood,positive\n"


def test_a_column_is_only_for_tables(sentences, capsys):
    for file, message in ((str(sentences), "has no column 'review'"), ("-", "no columns")):
        with pytest.raises(SystemExit):
            cli.main(["predict", file, "--text-column", "review"])
        assert message in capsys.readouterr().err
