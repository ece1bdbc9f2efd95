"""Language models: stretches, parameters, and bits per character against a naive computation."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.language import CharacterLM, LMConfig, evaluate_lm
from hs_env.language.models import hm_lstm_size, new_model
from hs_env.language.scores import chunk_scores, score_table, space_scores
from hs_env.language.texts import encode
from tests.language.builders import CONFIG

ALPHABET = " " + "".join(map(chr, range(97, 146)))


@pytest.mark.parametrize("core", ["hm_lstm", "lstm", "ln_lstm", "h_net", "segmental"])
def test_stretches_are_read_as_one_text(core: str) -> None:
    torch.manual_seed(0)
    model = CharacterLM(7, core, 3, 6, 5, 4, stages=2).eval()
    tokens = torch.randint(0, 7, (12, 3))
    whole, z, _ = model(tokens)
    first, _, state = model(tokens[:5])
    second, _, _ = model(tokens[5:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, atol=1e-6, rtol=0)
    assert (z is None) == (core in ("lstm", "ln_lstm"))
    alone = model(tokens[:, 1:2])[0]
    torch.testing.assert_close(alone, whole[:, 1:2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("core", ["hm_lstm", "lstm", "ln_lstm", "h_net", "segmental"])
def test_the_gradient_with_dropout_is_that_of_what_was_dropped(core: str) -> None:
    torch.manual_seed(1)
    model, tokens = CharacterLM(7, core, 2, 6, 5, 4, dropout=0.5), torch.randint(0, 7, (4, 3))
    torch.manual_seed(2)
    one = model(tokens)[0]
    torch.manual_seed(2)
    assert torch.equal(model(tokens)[0], one)
    assert not torch.equal(model(tokens)[0], one)
    assert torch.equal(model.eval()(tokens)[0], model(tokens)[0])


@pytest.mark.parametrize("core", ["hm_lstm", "lstm", "ln_lstm", "h_net", "segmental"])
def test_only_the_characters_that_are_read_are_projected(core: str) -> None:
    torch.manual_seed(0)
    model, tokens = CharacterLM(500, core, 2, 6, 5, 4), torch.randint(0, 500, (4, 3))
    few = model(tokens)[0]
    many = model(tokens.repeat(1, 50))[0]  # more than there are characters in the alphabet
    torch.testing.assert_close(few, many[:, :3], atol=1e-6, rtol=0)
    weights = model.embedding.weight
    one, other = (torch.autograd.grad(each[:, :3].square().mean(), weights)[0] for each in (few, many))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert set(one.abs().sum(1).nonzero().flatten().tolist()) <= set(tokens.flatten().tolist())


def test_a_version_of_a_core_changes_no_check() -> None:
    for core in ("h_net", "h_net.v1"):
        with pytest.raises(HsEnvError, match="with batch_size = 1 nothing is learned"):
            LMConfig(core=core, router="reinforce", batch_size=1)
        with pytest.raises(HsEnvError, match=r"that of an HM-LSTM with as many layers.*got layers = 1\. Give 2"):
            LMConfig(core=core, layers=1)
    for core in ("hm_lstm", "hm_lstm.v1"):
        with pytest.raises(HsEnvError, match="layers must be a whole number from 2"):
            LMConfig(core=core, layers=1, equal_parameters=False)
    with torch.device("meta"):
        sizes = {new_model(LMConfig(core=core), ALPHABET).size for core in ("hm_lstm", "hm_lstm.v1")}
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("fields", "unused"),
    [
        ({"core": "hm_lstm", "router": "reinforce", "stages": 2, "boundary_rate": 0.3}, ["router", "stages"]),
        (
            {"core": "h_net.v1", "router": "reinforce", "boundary": "sample", "layer_norm": False},
            ["boundary", "layer_norm"],
        ),
        ({"core": "lstm", "boundary_rate": 0.3, "dropout": 0.5}, ["boundary_rate"]),
        ({"core": "segmental", "boundary_rate": 0.3, "discount": 0.5}, ["discount"]),
        ({"core": "ln_lstm"}, []),
    ],
)
def test_options_that_a_core_does_not_use_are_known(fields: dict[str, Any], unused: list[str]) -> None:
    assert sorted(LMConfig(**fields).unused) == unused


def test_what_cannot_be_evaluated_is_refused() -> None:
    model, text = CharacterLM(7, "lstm", 1, 6, 5, 4).eval(), torch.randint(0, 7, (20,))
    for arguments in ((text[:1],), (text[:0],), (text, 0), (text, -1), (text, None, ALPHABET, text[1:] > 3)):
        with pytest.raises(HsEnvError, match="Expected a text of two characters or more, 1 stream or more"):
            evaluate_lm(model, *arguments)


@pytest.mark.parametrize(("layers", "width"), [(2, 128), (3, 128), (3, 256), (3, 512)])
def test_the_plain_stack_has_as_many_parameters(layers: int, width: int) -> None:
    h_net = LMConfig(core="h_net", layers=layers, hidden_size=width, stages=2)
    config = LMConfig(core="lstm", layers=layers, hidden_size=width)
    with torch.device("meta"):
        wanted = new_model(replace(config, core="hm_lstm"), ALPHABET).size
        assert abs(new_model(config, ALPHABET).size / wanted - 1) < 0.005
        assert abs(new_model(h_net, ALPHABET).size / wanted - 1) < 0.02
        assert new_model(replace(config, equal_parameters=False), ALPHABET).core.hidden_size == width
    assert hm_lstm_size(config, ALPHABET) == wanted


@pytest.mark.parametrize("width", [1, 2, 13])
def test_no_other_width_comes_nearer(width: int) -> None:
    config = replace(CONFIG, core="lstm", hidden_size=width)
    chosen, wanted = new_model(config, ALPHABET), hm_lstm_size(config, ALPHABET)
    for other in {max(chosen.core.hidden_size - 1, 1), chosen.core.hidden_size + 1}:
        size = new_model(replace(config, hidden_size=other, equal_parameters=False), ALPHABET).size
        assert abs(size - wanted) >= abs(chosen.size - wanted)


@pytest.mark.parametrize("core", ["hm_lstm", "lstm", "ln_lstm", "h_net", "segmental"])
@pytest.mark.parametrize("streams", [1, 7, 1000])
def test_bits_per_character_are_those_of_a_naive_computation(core: str, streams: int) -> None:
    torch.manual_seed(3)
    model, text = CharacterLM(7, core, 2, 6, 5, 4).eval(), torch.randint(0, 7, (250,))
    scores = evaluate_lm(model, text, streams)
    length = -(-249 // min(streams, 249))
    total, boundaries = 0.0, []
    with torch.no_grad():
        for start in range(0, 249, length):
            part = text[start : start + length + 1]
            log_probs, z, _ = model(part[:-1, None])
            total -= log_probs[:, 0].gather(1, part[1:, None]).sum().item()
            boundaries += [] if z is None else [z[:, 0]]
    assert scores["bits_per_character"] == pytest.approx(total / 249 / math.log(2), abs=1e-5)
    assert ("boundaries_1" in scores) == model.core.finds_boundaries
    if core in ("hm_lstm", "h_net"):  # those of a segmental model depend on what is read after them
        for level, rate in enumerate(torch.cat(boundaries).mean(0).tolist(), 1):
            assert scores[f"boundaries_{level}"] == pytest.approx(rate, abs=1e-6)


def test_parts_of_a_short_text_are_long() -> None:
    """The default number of parts falls below 50 where they would have fewer than 500 characters."""
    torch.manual_seed(3)
    model, text = CharacterLM(7, "lstm", 1, 6, 5, 4).eval(), torch.randint(0, 7, (1600,))
    assert evaluate_lm(model, text) == evaluate_lm(model, text, 3) != evaluate_lm(model, text, 50)
    assert evaluate_lm(model, text[:400]) == evaluate_lm(model, text[:400], 1)


@pytest.mark.parametrize("alphabet", ["\n abcdgot", "abcdgot \n"])
def test_the_character_of_the_padding_ends_no_word(alphabet: str) -> None:
    model = CharacterLM(9, "hm_lstm", 2, 6, 5, 4).eval()
    for parameter in model.core.parameters():
        parameter.data.fill_(1.0)  # a boundary after each character
    scores = evaluate_lm(model, encode("a cat got a do", alphabet), 2, alphabet)
    assert scores["boundaries_1"] == 1
    assert scores["at_ends_1"] * 13 == pytest.approx(4)


def test_lengths_of_chunks_and_surprisal_at_their_starts_are_those_of_a_naive_computation() -> None:
    torch.manual_seed(4)
    z, surprisal = (torch.rand(30, 3, 2) > 0.6).float(), torch.rand(30, 3).double()
    counted = torch.ones(30, 3, dtype=torch.bool)
    counted[25:, 2] = False
    scores = chunk_scores(z, surprisal, counted)
    for level in (0, 1):
        lengths, first, other = [], [], []
        for stream in range(3):
            places = [t for t in range(30) if z[t, stream, level] and counted[t, stream]]
            lengths += [after - before for before, after in pairwise(places)]
            for t in range(30):
                if counted[t, stream]:
                    (first if t in places else other).append(surprisal[t, stream].item())
        assert scores[f"chunk_variation_{level + 1}"] == pytest.approx(pstdev(lengths) / fmean(lengths))
        assert scores[f"enrichment_{level + 1}"] == pytest.approx(fmean(first) / fmean(other))
    nothing = chunk_scores(torch.zeros(30, 3, 1), surprisal, counted)
    assert nothing == {"chunk_variation_1": 0.0, "enrichment_1": 0.0}
    assert chunk_scores(z, torch.zeros(30, 3), counted)["enrichment_1"] == 0


def test_spaces_and_starts_of_words_with_a_boundary_are_counted() -> None:
    """The last character is not counted."""
    spaces = torch.tensor([0, 0, 1, 0, 1, 1, 0, 1, 1]).bool()[:, None]
    first, second = torch.tensor([1.0, 0, 1, 1, 1, 0, 0, 0, 1]), torch.zeros(9)
    counted = torch.ones(9, 1, dtype=torch.bool).index_fill(0, torch.tensor([8]), False)
    scores = space_scores(torch.stack([first, second], 1)[:, None], spaces, counted)
    assert scores == {
        "spaces_found_1": 2 / 4,
        "at_spaces_1": 2 / 4,
        "spaces_found_2": 0.0,
        "at_spaces_2": 0.0,
        "ends_found_1": 1 / 3,
        "at_ends_1": 1 / 4,
        "ends_found_2": 0.0,
        "at_ends_2": 0.0,
        "starts_found_1": 1 / 2,
        "at_starts_1": 1 / 4,
        "starts_found_2": 0.0,
        "at_starts_2": 0.0,
    }


def test_a_table_of_scores_has_its_levels_in_order() -> None:
    scores = {f"boundaries_{level}": level / 100 for level in range(1, 13)} | {
        "enrichment_2": 2.5,
        "bits_per_character": 3.0,
    }
    headings, rows = score_table(scores)
    assert headings == ["boundaries", "enrichment"]
    assert [row[0] for row in rows] == [f"{level}.0%" for level in range(1, 13)]
    assert [row[1] for row in rows] == ["—", "2.50", *["—"] * 10]
    assert score_table({"bits_per_character": 3.0}) == ([], [])
