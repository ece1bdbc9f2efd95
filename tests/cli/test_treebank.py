"""`hs-env treebank`, on a tiny treebank."""

from __future__ import annotations

from hs_env import cli


def test_treebank(folder, tmp_path, capsys):
    (tmp_path / "conll2000").mkdir()
    (tmp_path / "conll2000" / "test.txt").write_text("the DT B-NP\nplot NN I-NP\nis VBZ B-VP\ndull JJ B-ADJP\n")
    arguments = ["treebank", "conll2000", "--data-dir", str(tmp_path), "--format", "csv"]
    cli.main([*arguments, "--run", str(folder)])
    assert (folder / "treebank-conll2000-test.csv").read_text() in capsys.readouterr().out
    cli.main(arguments)
    assert "HS-LSTM, shuffled" in capsys.readouterr().out


def test_a_run_may_be_given_from_the_home_folder(folder, tmp_path, capsys, monkeypatch):
    """What is saved goes to the same folder as what is loaded, and its data is checked."""
    (tmp_path / "conll2000").mkdir()
    (tmp_path / "conll2000" / "test.txt").write_text("the DT B-NP\nplot NN I-NP\nis VBZ B-VP\ndull JJ B-ADJP\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(folder.parent))
    cli.main(["treebank", "conll2000", "--data-dir", str(tmp_path), "--run", f"~/{folder.name}"])
    cli.main(["neighbours", "not good", "--run", f"~/{folder.name}", "--split", "dev", "--k", "1"])
    assert list((tmp_path / "work").iterdir()) == []
    assert "has no data.json" not in capsys.readouterr().err
