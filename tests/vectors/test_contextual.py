from __future__ import annotations

import copy
import importlib.util
import pickle
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hs_env.errors import HsEnvError
from hs_env.vectors import load_vectors
from hs_env.vectors.cache import cache_folder
from hs_env.vectors.contextual import ContextualVectors, load_contextual
from hs_env.vectors.feature_store import FeatureStore
from hs_env.vectors.piece_encoder import PieceEncoder
from tests.tiny_encoder import KINDS, make_byte_level_encoder, make_tiny_encoder

SHORT = ("the", "funny", "movie", "is", "good")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path / "cache"))


def vectors_of(folder: Path, layer: int | None = None) -> ContextualVectors:
    return load_contextual(f"hf:{folder}" if layer is None else f"hf:{folder}@{layer}")


def test_they_are_the_encoders_own_with_pieces_pooled_to_words(folder: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    pieces = tokenizer("the funny movie is good", return_tensors="pt")
    assert tokenizer.convert_ids_to_tokens(pieces["input_ids"][0])[1:5] == ["the", "fun", "##ny", "movie"]
    with torch.no_grad():
        layers = model(**pieces, output_hidden_states=True).hidden_states
    for layer in range(3):
        states = layers[layer][0].numpy()
        expected = np.stack([states[1], states[2:4].mean(0), states[4], states[5], states[6]])
        np.testing.assert_allclose(vectors_of(folder, layer)([SHORT]), expected, atol=2e-3)  # of float16


def test_the_last_layer_is_the_default(folder: Path) -> None:
    assert vectors_of(folder).spec == f"hf:{folder}@2"
    np.testing.assert_array_equal(vectors_of(folder)([SHORT]), vectors_of(folder, 2)([SHORT]))


def test_they_depend_on_the_sentence_and_not_on_what_else_is_asked(folder: Path, tmp_path, monkeypatch) -> None:
    other = ("not", "good", "and", "not", "funny", "a", "film")
    both = vectors_of(folder)([other, SHORT, other])
    monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path / "elsewhere"))
    alone = vectors_of(folder)([SHORT])
    np.testing.assert_allclose(both[7:12], alone, atol=2e-3)
    np.testing.assert_array_equal(both[:7], both[12:])
    good = vectors_of(folder)([("good",), ("not", "good")])
    assert np.abs(good[0] - good[2]).max() > 0.01


def test_sentences_keep_their_order_in_groups(folder: Path) -> None:
    """More sentences than the encoder reads at once have the states and gradients that each has alone."""
    encoder = vectors_of(folder).load()
    sentences = [SHORT * (1 + 7 * number % 5) for number in range(40)]
    weight = next(iter(encoder.network.parameters()))
    together, alone = encoder.word_states(sentences, 1), [encoder.word_states([each], 1) for each in sentences]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
    scale = torch.rand_like(together)
    gradients = [torch.autograd.grad((states * scale).sum(), weight)[0] for states in (together, torch.cat(alone))]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_without_a_piece(tmp_path: Path, kind: str) -> None:
    """The states of words without pieces are 0, also if a whole group of sentences has no piece."""
    encoder = replace(PieceEncoder.load(make_byte_level_encoder(tmp_path / "encoder", kind)), space="")
    states = encoder.word_states([*[("the",)] * 16, ("",)], 1)
    assert states.shape == (17, 8)
    assert (states[-1] == 0).all()
    assert (states[:-1] != 0).any(1).all()


def test_a_long_sentence_is_read_in_parts(folder: Path) -> None:
    words = SHORT * 5
    vectors = vectors_of(folder)
    made = vectors([words])
    assert made.shape == (25, 8)
    assert np.abs(made).max(1).min() > 0.01
    # Beside [CLS] and [SEP] there is room for ten pieces: eight words, two of which have two pieces.
    np.testing.assert_allclose(made[:8], vectors([words[:8]]), atol=2e-3)
    np.testing.assert_allclose(made[8:16], vectors([words[8:16]]), atol=2e-3)


def test_a_word_without_pieces_is_zero(folder: Path) -> None:
    made = vectors_of(folder)([("the", "\u200b", "movie")])
    assert not made[1].any()
    assert made[2].any()


def test_bytes_that_are_no_text_are_read_as_a_question_mark(folder: Path) -> None:
    vectors = vectors_of(folder)
    np.testing.assert_allclose(vectors([("the", "\udcff")]), vectors([("the", "?")]), atol=2e-3)


def test_nothing_is_computed_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = vectors_of(folder)([SHORT])
    monkeypatch.setattr(ContextualVectors, "_compute", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(replace(vectors_of(folder))([SHORT, SHORT]), [*made, *made])


def test_they_are_pickled_and_copied_by_name(folder: Path) -> None:
    vectors = vectors_of(folder)
    made = vectors([SHORT])
    loaded = pickle.loads(pickle.dumps(vectors))
    assert loaded == vectors == copy.deepcopy(vectors)
    np.testing.assert_array_equal(loaded([SHORT]), made)


def test_another_model_in_the_same_folder_is_another_store(tmp_path: Path) -> None:
    folder = make_tiny_encoder(tmp_path / "encoder")
    one, spare = vectors_of(folder), replace(vectors_of(folder))
    before = one([SHORT])
    make_tiny_encoder(folder, seed=1)
    after = vectors_of(folder)([SHORT])
    with pytest.raises(HsEnvError, match="have changed since"):
        spare([("the",)])
    assert np.abs(before - after).max() > 0.01


def test_what_a_kill_leaves_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [("the",) * length for length in range(1, 9)]
    monkeypatch.setattr("hs_env.vectors.contextual._BATCH", 2)
    compute, seen = ContextualVectors._compute, []

    def interrupted(self, batch, device):
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.extend(batch)
        return compute(self, batch, device)

    monkeypatch.setattr(ContextualVectors, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        vectors_of(folder)(sentences)
    monkeypatch.setattr(
        ContextualVectors, "_compute", lambda self, *given: seen.extend(given[0]) or compute(self, *given)
    )
    vectors_of(folder)(sentences)
    assert seen == sentences


def test_errors_teach(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HsEnvError, match=r"layers 0 \(its embeddings\) to 2, got 3"):
        vectors_of(folder, 3)
    with pytest.raises(HsEnvError, match="given as hf:MODEL or hf:MODEL@LAYER, got 'hf:'"):
        load_contextual("hf:")
    with pytest.raises(HsEnvError, match=r"cannot be combined.*got 'hf:some-model@1\+glove-6b-50d'"):
        load_contextual("hf:some-model@1+glove-6b-50d")
    with pytest.raises(HsEnvError, match=r"cannot be combined.*got 'hf:some-model@1' among others"):
        load_vectors("random:3+hf:some-model@1", ["<pad>", "<unk>"], seed=0)
    with pytest.raises(HsEnvError, match="A layer is a whole number from 0, got '-1' in 'hf:some-model@-1'"):
        load_contextual("hf:some-model@-1")
    with pytest.raises(HsEnvError, match="package 'pytest' holds no model"):
        load_contextual("hf:pytest")
    with pytest.raises(HsEnvError, match="holds no Hugging Face encoder"):
        load_contextual(f"hf:{tmp_path}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HsEnvError, match=r'pip install "hs-env\[contextual\]"'):
        vectors_of(folder)


def test_a_damaged_store_is_named(folder: Path) -> None:
    vectors = vectors_of(folder)
    vectors([SHORT])
    path = next((cache_folder() / "features").iterdir())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE features SET vectors = x'00'")
    with pytest.raises(HsEnvError, match=r"\.sqlite is not a readable store.*Delete it"):
        vectors([SHORT])
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    with pytest.raises(HsEnvError, match="Delete it"):
        vectors([SHORT])


def test_a_disk_that_refuses_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FeatureStore("name", 9999) as store:
        store._database.execute("PRAGMA max_page_count = 1")  # as a full disk does
        with pytest.raises(HsEnvError, match=r"name\.sqlite cannot be opened or written.*HS_ENV_CACHE"):
            store.put([SHORT], [np.zeros((5, 9999), np.float16)])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HS_ENV_CACHE", str(tmp_path / "file"))
    with pytest.raises(HsEnvError, match=r"cannot be opened.*HS_ENV_CACHE"):
        vectors_of(folder)([SHORT])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", range(3))
def test_other_architectures(kind: str, layer: int, tmp_path: Path) -> None:
    """Words are cut as in running text, and each layer is the one of that number, normed behind the last one alone."""
    pytest.importorskip("transformers")
    from transformers import AutoModel, AutoTokenizer

    folder = make_byte_level_encoder(tmp_path / "encoder", kind)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    pieces = tokenizer(" the funny movie is good", return_tensors="pt")
    names = tokenizer.convert_ids_to_tokens(pieces["input_ids"][0])
    firsts = [at for at, name in enumerate(names) if name.startswith("Ġ")]
    assert [names[at] for at in firsts] == ["Ġthe", "Ġfun", "Ġmovie", "Ġis", "Ġgood"]
    with torch.no_grad():
        states = model(**pieces, output_hidden_states=True).hidden_states[layer][0].numpy()
    expected = states[firsts]
    expected[1] = states[firsts[1] : firsts[2]].mean(0)
    vectors = vectors_of(folder, layer)
    np.testing.assert_allclose(vectors([SHORT]), expected, atol=4e-3)
    # Batches and long sentences: neither padding nor the end of the positions reaches a word.
    long, alone = vectors([SHORT[:2], SHORT * 5])[2:], vectors([SHORT[:2]])
    assert long.shape == (25, 8)
    np.testing.assert_allclose(alone[:2], vectors([SHORT[:2], SHORT])[:2], atol=4e-3)


def test_a_word_is_not_pooled_of_half_its_pieces(folder: Path) -> None:
    words = ("the",) * 9 + ("funny", "film")  # ten pieces are read at once: the tenth is `fun`
    vectors = vectors_of(folder)
    np.testing.assert_allclose(vectors([words])[9:], vectors([words[9:]]), atol=2e-3)
    assert np.abs(vectors([("funny" * 9, "film")])).max(1).min() > 0.01


def test_a_folder_may_be_called_as_a_layer_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_tiny_encoder(tmp_path / "an encoder@1")
    monkeypatch.chdir(tmp_path)
    assert load_contextual("hf:an encoder@1").spec == f"hf:{folder}@2"  # by its whole path, wherever it is read
    assert load_contextual("hf:an encoder@1@1").spec == f"hf:{folder}@1"
    with pytest.raises(HsEnvError, match="no encoder 'an encoder'"):
        load_contextual("hf:an encoder@7")


def test_only_a_whole_encoder_is_read(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def refuses(match: str, folder: Path) -> None:
        with pytest.raises(HsEnvError, match=match):
            vectors_of(folder)([SHORT])

    weights = load_file(make_tiny_encoder(tmp_path / "pickled") / "model.safetensors")
    torch.save(weights, tmp_path / "pickled" / "pytorch_model.bin")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    refuses("no file named model.safetensors", tmp_path / "pickled")
    torn = make_tiny_encoder(tmp_path / "torn") / "model.safetensors"
    torn.write_bytes(torn.read_bytes()[:-9])
    refuses("can be loaded .*incomplete", torn.parent)
    renamed = {f"network.{name.replace('layer', 'level')}": weight for name, weight in weights.items()}
    save_file(renamed, make_tiny_encoder(tmp_path / "renamed") / "model.safetensors", {"format": "pt"})
    refuses("lacks weights", tmp_path / "renamed")
    weights["embeddings.word_embeddings.weight"][5] = torch.nan
    save_file(weights, make_tiny_encoder(tmp_path / "nan") / "model.safetensors", {"format": "pt"})
    refuses("not finite", tmp_path / "nan")
    for path in make_tiny_encoder(tmp_path / "mute").glob("tokenizer*"):
        path.unlink()
    refuses("no fast tokeniser", tmp_path / "mute")
    config = make_tiny_encoder(tmp_path / "config") / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 8', '"hidden_size": "8"'))
    refuses("can be loaded .*hidden_size", config.parent)
    config.write_text('{"model_type": "clip"}')
    refuses("no Hugging Face encoder of text", config.parent)


def test_the_cache_follows_the_users_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HS_ENV_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with FeatureStore("name", 3) as store:
        assert store.path == tmp_path / "hs-env" / "features" / "name.sqlite"
