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
