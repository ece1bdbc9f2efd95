"""`hs-env report`."""

from __future__ import annotations

import pytest

from hs_env import cli


def test_report(folder, distilled, tmp_path, capsys):
    out = tmp_path / "report.html"
    cli.main(["report", str(folder), str(distilled), "--out", str(out), "--split", "dev"])
    assert "ID-LSTM" in out.read_text()
    with pytest.raises(SystemExit):
        cli.main(["report", str(folder), "--out", str(out)])
    assert "exists already" in capsys.readouterr().err
