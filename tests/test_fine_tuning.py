"""`scripts/fine_tune_encoder.py`."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from hs_env.vectors.contextual import load_contextual
from tests.tiny_encoder import make_byte_level_encoder, make_tiny_encoder

SCRIPT = Path(__file__).parents[1] / "scripts" / "fine_tune_encoder.py"


@pytest.fixture
def main(tmp_path, monkeypatch):
    monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("fine_tune_encoder", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)  # where the types of the options are looked up
    spec.loader.exec_module(script)
    return script.main


def test_an_encoder_learns_and_can_be_read(main, tmp_path):
    rows = [{"text": f"the {word} {noun}", "label": label}
            for label, word in (("neg", "not"), ("pos", "very"))
            for noun in ("movie", "film", "good", "funny") for _ in range(8)]  # fmt: skip
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = make_tiny_encoder(tmp_path / "encoder")
    arguments = ["--corpus", str(tmp_path), "--model", str(first), "--epochs", "8", "--batch-size", "8"]
    arguments += ["--learning-rate", "0.01", "--head-learning-rate", "0.01", "--warmup-updates", "1"]
    main([*arguments, "--out", str(tmp_path / "tuned")])
    record = json.loads((tmp_path / "tuned" / "fine_tuning.json").read_text())
    assert record["dev"][-1]["accuracy"] == 1.0
    assert not (tmp_path / "tuned" / "unfinished").exists()
    words = [("the", "not", "movie")]
    before, after = (load_contextual(f"hf:{folder}")(words) for folder in (first, tmp_path / "tuned"))
    assert abs(before - after).max() > 0.1
    with pytest.raises(SystemExit, match="is not empty"):
        main([*arguments, "--out", str(tmp_path / "tuned")])


PHRASES = ["--corpus", "phrases:train=20,dev=10,test=10", "--epochs", "1"]


@pytest.mark.parametrize("kind", ["roberta", "bart", "gpt2"])
def test_encoders_of_other_kinds(main, tmp_path, kind):
    main([*PHRASES, "--model", str(make_byte_level_encoder(tmp_path / "first", kind)), "--out", str(tmp_path / kind)])
    assert load_contextual(f"hf:{tmp_path / kind}")([("the", "movie")]).shape == (2, 8)


def test_errors_teach(main, tmp_path, monkeypatch, capsys):
    model = ["--model", str(make_tiny_encoder(tmp_path / "encoder"))]
    for option in ("epochs", "warmup-updates", "batch-size"):
        with pytest.raises(SystemExit):
            main([*PHRASES, *model, "--out", str(tmp_path / "out"), f"--{option}", "0"])
        assert f"{option.replace('-', '_')} must be a whole number" in capsys.readouterr().err
    rows = "".join(json.dumps({"text": "good film", "label": number % 2}) + "\n" for number in range(20))
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text(rows)
    with pytest.raises(SystemExit, match="needs train and dev sentences"):
        main([*PHRASES, *model, "--out", str(tmp_path / "out"), "--corpus", str(tmp_path)])
    monkeypatch.setattr("torch.nn.functional.cross_entropy", lambda logits, labels: logits.sum() * float("nan"))
    with pytest.raises(SystemExit, match="has diverged"):
        main([*PHRASES, *model, "--out", str(tmp_path / "out")])
