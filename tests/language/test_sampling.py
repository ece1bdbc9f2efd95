"""What language models write and the boundaries they see, and the command line."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMRun
from hs_env.language.models import new_model
from hs_env.language.sampling import boundaries_in, marked, sample_text
from hs_env.language.texts import encode
from tests.language.builders import CONFIG


def test_sampling_repeats_and_the_marks_show_the_levels(finished: LMRun) -> None:
    model = finished.language_model
    one = sample_text(model, 40, "the ", seed=3)
    assert one == sample_text(model, 40, "the ", seed=3)
    assert one != sample_text(model, 40, "the ", seed=4)
    assert sample_text(model, 20, "the ", temperature=0.0, seed=1) == sample_text(model, 20, "the ", temperature=0.0)
    boundaries = boundaries_in(model, one)
    assert boundaries.shape == (40, 2)
    assert marked(one, boundaries).replace("|", "").replace("‖", "") == one
    assert marked("abcd", torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]])) == "ab|cd‖"


def test_h_net_writes_marks_and_resumes_like_the_others(
    text_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "--core h_net --stages 2 --boundary-rate 0.3 --updates 4 --evaluate-every 2 --threads 1"
    sizes = "--hidden-size 8 --embedding-size 6 --output-size 8 --batch-size 8 --stretch 20"
    folder = str(tmp_path / "run")
    main(["lm", "train", "--text", str(text_file), *arguments.split(), *sizes.split(), "--out", folder])
    printed = capsys.readouterr().out
    assert re.search(r"level +1 +2 *\n boundaries +\d+\.\d% +\d+\.\d% *\n spaces found ", printed)
    main(["lm", "sample", folder, "--length", "30"])
    written = capsys.readouterr().out
    model = LanguageModel.load(folder)
    plain = sample_text(model, 30, model.alphabet[0])
    assert written.replace("|", "").replace("‖", "") == plain + "\n"
    one, two = (boundaries_in(model, text, before) for text, before in (("the fox", ""), ("fox", "the ")))
    assert one.shape == (7, 2)
    assert torch.equal(one[4:], two)
    assert (one[:, 0] >= one[:, 1]).all()


def test_soft_boundaries_are_seen_where_they_are_above_a_half() -> None:
    torch.manual_seed(0)
    model = LanguageModel(new_model(replace(CONFIG, boundary="soft"), "abcde").eval(), "abcde", {})
    values = model.model(encode("abcdeabcde", "abcde")[:, None])[1][:, 0]
    assert not torch.equal(values, values.round())
    assert torch.equal(boundaries_in(model, "abcdeabcde"), (values > 0.5).long())
    assert boundaries_in(model, "abcdeabcde").any()


def test_sampling_reads_as_training_does(finished: LMRun) -> None:
    """The most probable text is the one that a single pass over it finds most probable."""
    model = finished.language_model
    written = sample_text(model, 15, "the ", temperature=0.0)
    tokens = encode("the " + written, model.alphabet)
    with torch.no_grad():
        likely = model.model(tokens[:, None])[0][:, 0].argmax(1)
    assert "".join(model.alphabet[place] for place in likely[3:-1].tolist()) == written


def test_boundaries_in_a_text_depend_on_what_was_read_before(finished: LMRun) -> None:
    model, text = finished.language_model, "the quick brown fox jumps"
    assert torch.equal(boundaries_in(model, text)[9:], boundaries_in(model, text[9:], before=text[:9]))


def test_a_text_without_line_ends_needs_no_prompt(finished: LMRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert "\n" not in finished.language_model.alphabet
    main(["lm", "sample", str(finished.folder), "--length", "30"])
    written = capsys.readouterr().out.replace("|", "").replace("‖", "")
    assert written == sample_text(finished.language_model, 30, finished.language_model.alphabet[0]) + "\n"


def test_errors_of_sampling_teach(finished: LMRun, text_file: Path) -> None:
    model = finished.language_model
    for arguments, message in (
        ((5, ""), "The prompt is empty"),
        ((5, "ß"), "not among"),
        ((-1, "a"), "The length is a number of characters, 0 or more, got -1"),
        ((5, "a", 1e-40), "The temperature is 0, or from 0.0001 and finite, got 1e-40"),
        ((5, "a", math.nan), "The temperature is 0, or from 0.0001 and finite, got nan"),
        ((5, "a", 1.0, 2**70), "The seed is a whole number"),
    ):
        with pytest.raises(HsEnvError, match=message):
            sample_text(model, *arguments)
    plain = LanguageModel(new_model(replace(CONFIG, core="lstm"), model.alphabet).eval(), model.alphabet, {})
    with pytest.raises(HsEnvError, match="hm_lstm"):
        boundaries_in(plain, "fox")


def test_what_a_model_cannot_read_is_said_for_samples_too(finished: LMRun, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lm", "sample", str(finished.folder), "--show", "The foxß"])
    shown = capsys.readouterr()
    assert shown.out.replace("|", "").replace("‖", "") == "the fox\n"
    assert "does not know 'T': read as small letters. The model does not know 'ß': left out." in shown.err
    main(["lm", "sample", str(finished.folder), "--prompt", "The", "--length", "5"])
    capital = capsys.readouterr().out
    main(["lm", "sample", str(finished.folder), "--prompt", "the", "--length", "5"])
    assert capsys.readouterr().out == capital


def test_the_command_line(finished: LMRun, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lm", "evaluate", str(finished.folder), "--split", "dev", "--json"])
    scores = json.loads(capsys.readouterr().out)
    assert scores["bits_per_character"] == pytest.approx(
        min(entry["bits_per_character"] for entry in finished.history), abs=1e-6
    )
    main(["lm", "sample", str(finished.folder), "--show", "the fox"])
    assert capsys.readouterr().out.replace("|", "").replace("‖", "") == "the fox\n"
    main(["lm", "evaluate", str(finished.folder)])
    assert "bits per character" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["lm", "evaluate", str(finished.folder.parent)])
    assert "hs-env lm train" in capsys.readouterr().err.replace("\n", " ")
