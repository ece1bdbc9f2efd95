"""Standard streams in any encoding, closed or full, and texts that begin with a dash."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hs_env import cli
from hs_env.cli.app import _texts_last, _with_values
from hs_env.cli.neighbours import neighbours
from hs_env.cli.segment import segment

ROOT = Path(__file__).parents[2]
ASCII = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LC_ALL": "POSIX"}
"""Variables under which Python takes files, arguments and streams for ASCII."""


def run(arguments: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run `hs-env` in a shell, so that arguments may redirect streams."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    command = f'"{sys.executable}" -m hs_env {arguments}'
    done = subprocess.run(["bash", "-c", command], input=given, capture_output=True, env=environment)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done


def test_output_that_is_not_utf_8():
    done = run('segment "good café"; echo $?', PYTHONIOENCODING="cp1252")
    assert done.stdout.startswith("[good café]  ? positive".encode("cp1252"))
    assert done.stdout.endswith(b"\n0\n")


def test_comparisons_are_printed_in_any_encoding(folder):
    done = run(f'evaluate "{folder}" --format markdown; echo $?', PYTHONIOENCODING="ascii")
    assert done.stdout.endswith(b"\n0\n")
    assert b"| ?0." in done.stdout  # a minus sign


def test_a_locale_of_ascii():
    done = run('segment --json "café film"', **ASCII)
    assert json.loads(done.stdout)["text"] == "café film"
    assert b"\\u00e9" in done.stdout  # escaped, so that nothing is lost


def test_a_corpus_with_a_name_that_is_not_ascii(tmp_path):
    rows = "".join(f'{{"text": "film {number}", "label": {number % 2}}}\n' for number in range(20))
    (tmp_path / "größe.jsonl").write_text(rows, encoding="utf-8")
    code = f"from hs_env.corpora import load_corpus; print(load_corpus({str(tmp_path / 'größe.jsonl')!a}).counts)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **ASCII}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "{'train': 16, 'dev': 2, 'test': 2}\n", done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ("corpora >&-", 1, b"Standard output cannot be written: Bad file descriptor"),
        ("segment <&-", 1, b"Standard input is closed"),
        ('segment "good film" <&-', 0, b""),
        ('segment "good film" 2>&-', 0, b""),
        ("segment nowhere --run none <&- >&- 2>&-", 1, b""),
        ("corpora >/dev/full", 1, b"No space left on device"),
    ],
)
def test_closed_and_full_streams(arguments, status, message):
    done = run(arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert bool(done.stderr) is bool(message)


@pytest.mark.parametrize("command", ["corpora phrases", "models"])
def test_the_reader_of_the_output_ends_first(command):
    done = run(f"{command} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == (b"0\n", b"")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def given(monkeypatch: pytest.MonkeyPatch, raw: bytes, encoding: str = "utf-8") -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding=encoding))


@pytest.mark.parametrize(
    ("raw", "blank"),
    [
        ("\ufeffcafé is good\ngood film\n", []),
        ("café is good\rgood film", []),
        ("\ufeffcafé is good\r\n\r\ngood film", [""]),
    ],
)
def test_standard_input_is_utf_8(raw, blank, capsys, monkeypatch):
    given(monkeypatch, raw.encode(), "cp1252")
    cli.main(["segment", "--json"])
    values = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["text"] for value in values] == ["café is good", *blank, "good film"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("good\ncafé".encode("latin-1"), "standard input, line 2: not UTF-8"),
        ("good".encode("utf-16"), "it looks like UTF-16"),
        (b"good\na\0b", "standard input, line 2: it holds a NUL byte"),
    ],
)
def test_standard_input_that_is_not_utf_8(raw, message, capsys, monkeypatch):
    given(monkeypatch, raw)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["segment"])
    assert stopped.value.code == 1
    assert message in capsys.readouterr().err


def test_a_terminal_is_read_line_by_line(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal("good film\n"))
    cli.main(["segment"])
    assert "positive" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["-lrb- good -rrb-", "- good", "-- good", "--good film", "-lrb-", "-5 stars", "good"])
def test_a_text_that_begins_with_a_dash(text, capsys):
    cli.main(["segment", text, "good film", "--json", "--run", "phrases_id_lstm"])
    assert [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()] == [text, "good film"]


def test_a_surrogate_in_an_argument(capsys):
    cli.main(["segment", "--json", "caf\udcc3\udca9"])
    assert json.loads(capsys.readouterr().out)["text"] == "café"
    with pytest.raises(SystemExit):
        cli.main(["segment", "half \ud83d"])
    assert "is not UTF-8" in capsys.readouterr().err


def test_options_and_texts_are_told_apart():
    assert _texts_last(segment, ["a", "--run", "-x y", "--json"]) == ["a", "--run", "-x y", "--json"]
    assert _texts_last(segment, ["-a", "--json", "b", "--run=x y"]) == ["--json", "--run=x y", "--", "-a", "b"]
    assert _texts_last(segment, ["--no-json", "--", "--run", "-h"]) == ["--no-json", "--", "--run", "-h"]
    assert _texts_last(neighbours, ["- a", "--k", "-3", "-h"]) == ["--k", "-3", "-h", "--", "- a"]
    assert _with_values(["run", "--prompt", "- he said", "--seed", "1"]) == ["run", "--prompt=- he said", "--seed", "1"]
    assert _with_values(["--reward", "-0.1 * accuracy"]) == ["--reward=-0.1 * accuracy"]
    assert _with_values(["--prompt", "--seed", "1"]) == ["--prompt", "--seed", "1"]
    assert _with_values(["--reward-dropout", "--seed", "1"]) == ["--reward-dropout=True", "--seed", "1"]
    assert _with_values(["--reward-dropout", "False"]) == ["--reward-dropout", "False"]
    assert _with_values(["--seed", "1", "--reward-dropout"]) == ["--seed", "1", "--reward-dropout=True"]


def test_files_that_are_left_over_are_named_in_one_line(tmp_path, capsys):
    for name in ("train.csv", "test.csv", "holdout.csv"):
        (tmp_path / name).write_text(
            "text,label\n" + "".join(f"film {i} of {name},{'np'[i % 2]}\n" for i in range(20)), "utf-8"
        )
    cli.main(["corpora", str(tmp_path)])
    message = f"hs-env: warning: {tmp_path}: some files were not read: holdout.csv; read: train.csv, test.csv.\n"
    assert capsys.readouterr().err == message


def test_deep_nesting_is_an_error_of_one_line(capsys, monkeypatch):
    def recurse() -> None:
        recurse()

    monkeypatch.setattr("hs_env.cli.app._start", lambda _: recurse())
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    assert stopped.value.code == 1
    assert "nested too deeply" in capsys.readouterr().err


def test_a_terminal_without_room_for_a_box_still_gets_the_help():
    done = run("evaluate --help", COLUMNS="3")
    assert done.returncode == 0
    assert b"more options" in done.stdout


def test_warnings_are_never_errors_of_a_command():
    done = run('segment --run phrases "zzz qqq xxx"', PYTHONWARNINGS="error")
    assert done.returncode == 0
    assert b"does not know 100% of the words" in done.stderr


def test_errors_of_the_system_name_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = run(f'predict --run phrases "a good film" --out {tmp_path / "file" / "labels.tsv"}')
    assert done.returncode == 1
    assert b"file" in done.stderr
    assert b"Errno" not in done.stderr
    if Path("/dev/full").exists():
        assert b"Standard output cannot be written: No space left" in run('segment "a good film" > /dev/full').stderr
