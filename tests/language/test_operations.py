"""Operations of HM-LSTM on any text: against the definition of the paper, unknown characters, the command."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.language import LanguageModel, LMRun
from hs_env.language.operations import known_text, operations_in
from hs_env.language.sampling import boundaries_in, marked
from hs_env.models.hm.boundary import operation_shares, operations
from hs_env.types import OPERATIONS


def naive(z: torch.Tensor) -> list[list[str]]:
    """Operations of each layer at each step of one sequence, (T, layers - 1) boundaries, by the paper's conditions."""
    steps, layers = len(z), z.shape[1] + 1
    found = []
    for layer in range(layers):
        row = []
        for t in range(steps):
            own = layer < layers - 1 and t > 0 and z[t - 1, layer] == 1
            below = layer == 0 or z[t, layer - 1] == 1
            row.append("FLUSH" if own else "UPDATE" if below else "COPY")
        found.append(row)
    return found


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_operations_are_those_of_the_paper(layers: int) -> None:
    z = torch.bernoulli(torch.full((40, 3, layers - 1), 0.4), generator=torch.Generator().manual_seed(0))
    taken = operations(z)
    for row in range(3):
        named = [[OPERATIONS[each] for each in layer] for layer in taken[:, row].t().tolist()]
        assert named == naive(z[:, row])
    shares = operation_shares(z)
    for place, name in enumerate(OPERATIONS):
        for layer in range(layers):
            share = (taken[:, :, layer] == place).float().mean().item()
            assert share == pytest.approx(shares[f"{name.lower()}_{layer + 1}"], abs=1e-6)


def test_the_first_character_is_read_after_a_line_end_if_there_is_one(finished: LMRun) -> None:
    model = finished.language_model
    text = "the quick brown fox"
    found, note = operations_in(model, text)
    assert note == ""
    assert "".join(found.symbols) == text
    levels = marked(text, boundaries_in(model, text))
    assert [text[: at + 1] for at, end in enumerate(found.ends) if end] == [
        levels[:at].replace("|", "").replace("‖", "") for at, mark in enumerate(levels) if mark in "|‖"
    ]


def test_unknown_characters_have_a_note() -> None:
    text, note = known_text("The THE movie😀, ß!", "abcdehimotv ,")
    assert text == "the the movie, "
    assert note == (
        "The model does not know 'T' (2 times), 'H', 'E': read as small letters. "
        "The model does not know '😀', 'ß', '!': left out."
    )
    assert known_text("The", "Tehx") == ("The", "")
    with pytest.raises(HsEnvError, match="knows no character of the text '😀'"):
        known_text("😀", "abc")
    with pytest.raises(HsEnvError, match="knows no character of the text ''"):
        known_text("", "abc")


def test_the_command_draws_texts_and_files(
    finished: LMRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(finished.folder)
    monkeypatch.setenv("COLUMNS", "40")
    main(["lm", "show", "--run", run, "The fox jumps over the lazy dog again"])
    printed = capsys.readouterr()
    assert max(map(len, printed.out.split("\n\n")[0].splitlines())) <= 40
    assert "text     the fox" in printed.out
    assert "F FLUSH" in printed.out
    assert printed.err == "hs-env: The model does not know 'T': read as small letters.\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("the fox\n\nthe dog\n"))
    main(["lm", "show", "--run", run])
    assert capsys.readouterr().out.count("text     the ") == 2
    picture = tmp_path / "a.svg"
    main(["lm", "show", "--run", run, "--svg", str(picture), "the fox"])
    ElementTree.fromstring(picture.read_text("utf-8"))
    for arguments, message in (
        (["--svg", str(picture), "the fox"], "exists already"),
        (["--svg", str(tmp_path / "b.svg"), "a", "b"], "draws one text, got 2"),
        (["123"], "knows no character"),
    ):
        with pytest.raises(SystemExit):
            main(["lm", "show", "--run", run, *arguments])
        assert message in capsys.readouterr().err


def test_rounding_to_8_bits_changes_little_and_loads_as_float32(finished: LMRun, tmp_path: Path) -> None:
    model = finished.language_model
    model.save(tmp_path / "small.safetensors", int8=True)
    loaded = LanguageModel.load(tmp_path / "small.safetensors")
    for name, weight in model.model.state_dict().items():
        rounded = loaded.model.state_dict()[name]
        assert rounded.dtype == torch.float32
        largest = weight.abs().max() if weight.ndim == 2 else 0
        assert (rounded - weight).abs().max() <= largest / 254 + 1e-6
    with pytest.raises(HsEnvError, match="Unknown language model 'nowhere'"):
        LanguageModel.load("nowhere")
