"""Encoders of words that learn with the C-Net."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from hs_env.agents import Reinforce
from hs_env.cli.chosen import choose, full_config
from hs_env.compute import Precision, multiplying
from hs_env.corpora import Vocabulary
from hs_env.corpora.encoded import EncodedSplit
from hs_env.errors import HsEnvError
from hs_env.evaluation.compare import compare
from hs_env.metrics.scores import flat_scores, policy_scores
from hs_env.models import MODELS, Classifier, StructuredEncoder
from hs_env.models.words import ContextualWords, FineTunedWords, WordEmbedding
from hs_env.rewards import make_reward
from hs_env.training import Run, TrainConfig, resume, train
from hs_env.training.classifier_optimizer import ClassifierOptimizer, depths_of
from hs_env.training.classifier_trainer import ClassifierTrainer, with_features
from hs_env.types import Sentence, SentenceBatch
from hs_env.vectors.contextual import load_contextual
from hs_env.vectors.piece_encoder import PieceEncoder
from tests.tiny_encoder import KINDS, make_byte_level_encoder, make_tiny_encoder
from tests.training.stopped import stop_at_update

QUIET = Console(quiet=True)
SHORT = ("the", "funny", "movie", "is", "good")
SENTENCES = [Sentence(words, 0) for words in (SHORT, ("not", "\u200b", "fun"), SHORT * 5)]
"""One with a word of two pieces, one with a word of none, one that is longer than the encoder reads at once."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return TrainConfig(
        corpus="phrases:train=60,dev=20,test=20",
        vectors=f"hf:{make_tiny_encoder(tmp_path_factory.mktemp('encoder'))}@1",
        encoder_rate=1.0,
        model_parameters={"hidden_size": 6},
        batch_size=16,
        learning_rate=0.05,
        tau=0.5,
        warm_epochs=2,
        pnet_epochs=1,
        joint_epochs=2,
        threads=1,
        agent_parameters={"samples": 2, "hidden_size": 4},
    )


@pytest.fixture(scope="module")
def run(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(config, tmp_path_factory.mktemp("runs") / "run", QUIET)


class Mean(nn.Module):
    """Classifies a sentence by the mean of its word vectors."""

    def __init__(self, words: FineTunedWords) -> None:
        super().__init__()
        self.words, self.output = words, nn.Linear(8, 2)

    def forward(self, batch: SentenceBatch) -> Tensor:
        vectors, where = self.words(batch)
        return self.output(vectors[where].mean(1)).log_softmax(1)


def fine_tuned(spec: str) -> tuple[FineTunedWords, EncodedSplit]:
    """A layer of words, and `SENTENCES` for it."""
    vocabulary, vectors = Vocabulary.from_sentences(SENTENCES), load_contextual(spec)
    words = WordEmbedding(len(vocabulary), vectors.width, 0.5, 0.2).eval()
    split = EncodedSplit.from_sentences(SENTENCES, vocabulary)
    return FineTunedWords(words, vectors, vocabulary.words).eval(), split


@pytest.mark.parametrize("layer", range(3))
def test_before_they_learn_they_are_the_frozen_ones(layer: int, tmp_path: Path) -> None:
    spec = f"hf:{make_tiny_encoder(tmp_path / 'encoder')}@{layer}"
    words, split = fine_tuned(spec)
    expected = load_contextual(spec)([each.words for each in SENTENCES])
    torch.testing.assert_close(words.vectors(split.batch(torch.arange(3))).half(), torch.from_numpy(expected))
    batch = split.batch(torch.tensor([1, 2, 1]))
    again = torch.from_numpy(load_contextual(spec)([SENTENCES[index].words for index in (1, 2, 1)]))
    torch.testing.assert_close(words.vectors(batch).half(), again, atol=2e-3, rtol=2e-3)
    computed = with_features(words, split).batch(torch.tensor([1, 2, 1]))
    torch.testing.assert_close(words.vectors(computed), words.vectors(batch), atol=2e-3, rtol=2e-3)
    some = torch.tensor([2, 0])
    chosen = words.vectors(computed.select(some)), words.vectors(batch.select(some))
    torch.testing.assert_close(*chosen, atol=2e-3, rtol=2e-3)
    assert words.lexicon() is None
    assert (words.dropout.p, words.word_dropout.p) == (0.5, 0.2)


def test_the_gradient_reaches_the_encoder_as_through_its_own_states(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoModel, AutoTokenizer

    folder = make_tiny_encoder(tmp_path / "encoder")
    words, split = fine_tuned(f"hf:{folder}@1")
    weight = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    (words.vectors(split.batch(torch.tensor([0]))) * weight).sum().backward()

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    states = model(**tokenizer(" ".join(SHORT), return_tensors="pt"), output_hidden_states=True).hidden_states[1][0]
    pooled = torch.stack([states[1], states[2:4].mean(0), states[4], states[5], states[6]])
    (pooled * weight).sum().backward()
    expected = {name: each.grad for name, each in model.named_parameters()}
    reached = {name: each.grad for name, each in words.network.named_parameters() if each.grad is not None}
    assert set(reached) == {name for name, gradient in expected.items() if gradient is not None}
    for name, gradient in reached.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


def test_it_learns_in_32_bits(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from transformers import AutoModel

    folder = make_tiny_encoder(tmp_path / "encoder")
    AutoModel.from_pretrained(folder).bfloat16().save_pretrained(folder)
    words, split = fine_tuned(f"hf:{folder}@1")
    assert {weight.dtype for weight in words.network.parameters()} == {torch.float32}
    assert words.vectors(split.batch(torch.arange(3))).dtype == torch.float32


@pytest.mark.parametrize("model", ["hs_lstm", "plain_lstm"])
def test_the_slow_copy_is_saved(model: str, config: TrainConfig, tmp_path: Path, monkeypatch) -> None:
    """As it was in the best epoch, and beside a relative path, too."""
    seen: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
    save = ClassifierTrainer.save_classifier

    def watched(self, classifier):
        seen.append((weights(self.classifier.slow), weights(self.classifier.fast)))
        save(self, classifier)

    monkeypatch.setattr(ClassifierTrainer, "save_classifier", watched)
    monkeypatch.chdir(tmp_path)
    parameters = config.agent_parameters if model == "hs_lstm" else {}
    run = train(replace(config, model=model, agent_parameters=parameters), Path("run"), QUIET)
    assert run.classifier.contextual is not None
    network = weights(run.classifier.contextual.load().network)
    saved = weights(run.classifier.model) | {f"words.network.{name}": weight for name, weight in network.items()}
    ((slow, fast),) = seen
    assert_equal(saved, slow)
    before = weights(load_contextual(config.vectors).load().network)
    assert {name for name, weight in before.items() if not torch.equal(weight, network[name])}
    assert not all(torch.equal(weight, slow[name]) for name, weight in fast.items())
    monkeypatch.chdir(Path(shutil.copytree("run", tmp_path / "moved")))
    assert_equal(weights(Classifier.load(".").model), weights(run.classifier.model))


def test_what_is_saved_is_what_was_scored(run: Run, config: TrainConfig) -> None:
    """The encoder of the best epoch, which has learnt, lies beside the classifier and gives the vectors it has read."""
    assert run.agent is not None
    assert isinstance(run.classifier.model, StructuredEncoder)
    assert run.classifier.contextual is not None
    assert run.classifier.contextual.folder == run.folder.resolve() / "encoder"
    before, after = (weights(load_contextual(spec).load().network) for spec in (config.vectors, run_spec(run)))
    assert max((before[name] - after[name]).abs().max().item() for name in after) > 0.01
    scores = policy_scores(run.classifier.model, run.agent, run.data("dev").splits["dev"], make_reward("hs_lstm"))
    assert scores["log_likelihood"] == pytest.approx(run.classifier.notes["log_likelihood"], abs=1e-3)
    assert run.data("dev").splits["test"].features is None


def test_the_classifier_moves_with_its_encoder(run: Run, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(run.folder, tmp_path / "moved"))
    classifier = Classifier.load(moved)
    assert classifier.contextual is not None
    assert classifier.contextual.folder == (moved / "encoder").resolve()
    assert classifier.contextual.digest == run.classifier.contextual.digest  # type: ignore[union-attr]
    make_tiny_encoder(moved / "encoder", seed=5)
    with pytest.raises(HsEnvError, match="trained on word vectors of another encoder than the one in"):
        Classifier.load(moved)
    classifier.save(tmp_path / "elsewhere" / "classifier.safetensors")  # its encoder stays where it is
    shutil.rmtree(moved / "encoder")
    with pytest.raises(HsEnvError, match=r"word vectors .* cannot be computed\. There is no folder .*moved/encoder"):
        Classifier.load(tmp_path / "elsewhere" / "classifier.safetensors")
    with pytest.raises(
        HsEnvError,
        match=r"needs the encoder that was fine-tuned with it, but there is no folder .*moved/encoder\. Copy",
    ):
        Classifier.load(moved)


def test_a_classifier_of_many_words_moves_without_vectors_of_them(run: Run, tmp_path: Path) -> None:
    """Its file has no word vectors. Those of a real corpus would have more numbers than all its weights."""
    assert run.classifier.contextual is not None
    words = Vocabulary([f"word{number}" for number in range(140_000)])
    model = MODELS.get("plain_lstm")(len(words), 2, run.classifier.contextual.width, hidden_size=4)
    model.words = ContextualWords.in_place_of(model.words)
    classifier = replace(run.classifier, model=model, vocabulary=words)
    classifier.save(tmp_path / "classifier.safetensors")
    assert_equal(weights(Classifier.load(tmp_path / "classifier.safetensors").model), weights(model))


def test_the_encoder_serves_other_runs(run: Run, config: TrainConfig, tmp_path: Path) -> None:
    frozen = replace(config, vectors=run_spec(run), encoder_rate=0.0, warm_epochs=1, joint_epochs=0, pnet_epochs=0)
    other = train(frozen, tmp_path / "run", QUIET)
    assert other.classifier.contextual == run.classifier.contextual
    # Where no layer is named it is the one that has learnt, not the one above.
    assert load_contextual(f"hf:{run.folder}/encoder") == run.classifier.contextual
    assert not (other.folder / "encoder").exists()


def test_a_plain_lstm_is_compared_that_has_an_encoder_of_its_own(run: Run, tmp_path: Path) -> None:
    comparison = compare(Run.load(Path(shutil.copytree(run.folder, tmp_path / "run"))), "test", QUIET)
    plain = Run.load(tmp_path / "run" / "plain_lstm")
    assert plain.classifier.contextual is not None
    networks = [weights(load_contextual(spec).load().network) for spec in (run.config.vectors, run_spec(plain))]
    assert any(not torch.equal(weight, networks[1][name]) for name, weight in networks[0].items())
    scores = flat_scores(plain.classifier.model, plain.data("test").splits["test"])
    row = next(row for row in comparison.rows if row.name == "plain LSTM")
    assert row.intervals["log_likelihood"].value == pytest.approx(scores["log_likelihood"])


@pytest.mark.parametrize("stage", ["warm", "joint"])
def test_killed_and_resumed_equals_uninterrupted(run: Run, config: TrainConfig, stage: str, tmp_path, monkeypatch):
    stop_at_update({"warm": 6, "joint": 13}[stage], monkeypatch)  # of eight before and eight in joint training
    with pytest.raises(KeyboardInterrupt):
        train(replace(config, checkpoint_seconds=0), tmp_path / "run", QUIET)
    assert not (tmp_path / "run" / "encoder").exists()
    resumed = resume(tmp_path / "run", QUIET)
    assert_equal(weights(resumed.classifier.model), weights(run.classifier.model))
    assert_equal(*(weights(load_contextual(run_spec(each)).load().network) for each in (resumed, run)))
    assert resumed.classifier.contextual.digest == run.classifier.contextual.digest  # type: ignore[union-attr]
    epochs = [json.loads((each.folder / "history.json").read_text())["epochs"] for each in (resumed, run)]
    assert [epoch["log_likelihood"] for epoch in epochs[0]] == [epoch["log_likelihood"] for epoch in epochs[1]]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_other_architectures_learn(kind: str, config: TrainConfig, tmp_path: Path) -> None:
    folder = make_byte_level_encoder(tmp_path / "encoder", kind)
    run = train(replace(config, vectors=f"hf:{folder}@1", pnet_epochs=0, joint_epochs=1), tmp_path / "run", QUIET)
    assert run.agent is not None
    assert isinstance(run.classifier.model, StructuredEncoder)
    scores = policy_scores(run.classifier.model, run.agent, run.data("dev").splits["dev"], make_reward("hs_lstm"))
    assert scores["log_likelihood"] == pytest.approx(run.classifier.notes["log_likelihood"], abs=1e-3)


@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_it_learns_in_bfloat16_with_medium_precision(tmp_path: Path, precision: Precision) -> None:
    words, split = fine_tuned(f"hf:{make_tiny_encoder(tmp_path / 'encoder')}@1")
    batch, seen = split.batch(torch.arange(3)), set()
    linear = next(module for module in words.network.modules() if isinstance(module, nn.Linear))
    linear.register_forward_hook(lambda module, inputs, output: seen.add((output.dtype, torch.is_grad_enabled())))
    with multiplying(precision):
        vectors = words.eval().vectors(batch)
        with torch.no_grad():
            expected = words.vectors(batch)
    learning = torch.bfloat16 if precision == "medium" else torch.float32
    assert seen == {(learning, True), (torch.float32, False)}
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors, expected, atol=0.05, rtol=0)
    vectors.sum().backward()
    assert {weight.grad.dtype for weight in words.network.parameters() if weight.grad is not None} == {torch.float32}


def test_its_rate_rises_to_its_share_of_the_c_nets(tmp_path: Path) -> None:
    words, split = fine_tuned(f"hf:{make_tiny_encoder(tmp_path / 'encoder')}@1")
    batch = split.batch(torch.arange(3))

    optimizer = ClassifierOptimizer(Mean(words), 0.1, 5.0, weight_decay=0.5, encoder_rate=0.2)
    rates = []
    for _ in range(120):
        before = weights(optimizer.slow)
        optimizer.update(0.01, batch.labels, batch)
        fast = weights(optimizer.fast)
        assert_equal(weights(optimizer.slow), {name: old.lerp(fast[name], 0.1) for name, old in before.items()})
        assert optimizer.fast.words.network.training
        assert not optimizer.slow.words.network.training
        rates.append({group["params"][0].shape: group["lr"] for group in optimizer.optimizer.param_groups})
    c_net, encoder = torch.Size([2]), next(iter(words.network.parameters())).shape
    assert {each[c_net] for each in rates} == {0.01}
    assert rates[0][encoder] == pytest.approx(0.01 * 0.2 / 100)
    assert rates[49][encoder] == pytest.approx(0.01 * 0.2 / 2)
    assert rates[119][encoder] == pytest.approx(0.01 * 0.2)
    assert [group["weight_decay"] for group in optimizer.optimizer.param_groups] == [0.0, 0.5, 0.0]


def test_after_the_warm_start_it_stays_and_reads_each_sentence_once(config: TrainConfig, tmp_path: Path, monkeypatch):
    read: list[int] = []
    seen: list[dict[str, Tensor]] = []
    states, update = PieceEncoder.word_states, Reinforce.update

    def counted(self, sentences, layer):
        read.append(len(sentences))
        return states(self, sentences, layer)

    def watched(self, encoder, *arguments, **more):
        if not seen:
            # Two epochs of train; before, between and after them dev and 8 examples; train and dev once in advance.
            assert sum(read) == 2 * 60 + 3 * (20 + 8) + (60 + 20)
            read.clear()
        seen.append(weights(encoder))
        return update(self, encoder, *arguments, **more)

    monkeypatch.setattr(PieceEncoder, "word_states", counted)
    monkeypatch.setattr(Reinforce, "update", watched)
    run = train(config, tmp_path / "run", QUIET)
    assert len(seen) == 12  # four updates an epoch
    assert not read
    assert run.classifier.contextual is not None
    network = weights(run.classifier.contextual.load().network)
    encoder = {name: weight for name, weight in seen[0].items() if name.startswith("words.network.")}
    assert_equal({f"words.network.{name}": weight for name, weight in network.items()}, encoder)
    for each in seen:
        assert_equal({name: each[name] for name in encoder}, encoder)
    assert any(not torch.equal(weight, seen[-1][name]) for name, weight in seen[0].items())


def test_the_vectors_of_later_stages_are_those_that_are_stored(run: Run, config: TrainConfig) -> None:
    words, _ = fine_tuned(run_spec(run))
    assert run.classifier.contextual is not None
    data = run.data("dev")
    words._vocabulary = data.vocabulary.words
    split = with_features(words, data.splits["train"])
    stored = run.classifier.contextual([each.words for each in data.corpus.splits["train"]])
    assert split.features is not None
    torch.testing.assert_close(split.features, torch.from_numpy(stored), atol=2e-3, rtol=2e-3)


def test_lower_layers_may_learn_more_slowly(tmp_path: Path) -> None:
    words, split = fine_tuned(f"hf:{make_tiny_encoder(tmp_path / 'encoder')}@1")
    optimizer = ClassifierOptimizer(Mean(words), 0.1, 5.0, encoder_rate=0.2, encoder_decay=0.5)
    for _ in range(100):
        batch = split.batch(torch.arange(3))
        optimizer.update(0.01, batch.labels, batch)
    names = {id(weight): name for name, weight in optimizer.fast.named_parameters()}
    for group in optimizer.optimizer.param_groups:
        for name in (names[id(weight)] for weight in group["params"]):
            # The vectors are the outputs of the first layer.
            expected = 1.0 if name.startswith("output") else 0.1 if "network.embeddings" in name else 0.2
            assert group["lr"] == pytest.approx(0.01 * expected), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_layers_of_other_architectures_are_found(kind: str, tmp_path: Path) -> None:
    network = PieceEncoder.load(make_byte_level_encoder(tmp_path / "encoder", kind)).network
    names = [name for name, _ in network.named_parameters()]
    depths = depths_of(names)
    outside = [depth for name, depth in zip(names, depths, strict=True) if "embed" in name and "layer." not in name]
    assert set(outside) <= {0}
    assert set(depths) == set(range(network.config.num_hidden_layers + 1))
    assert depths[0] == 0


def test_vectors_that_are_looked_up_are_refused() -> None:
    with pytest.raises(HsEnvError, match=r"encoder_rate is for contextual word vectors.*got 'glove-6b-50d'"):
        TrainConfig(encoder_rate=0.05)
    with pytest.raises(HsEnvError, match="encoder_rate must be a number from 0 to 1, got -1"):
        TrainConfig(vectors="hf:x", encoder_rate=-1)


def test_layers_that_share_their_weights_learn_at_the_full_rate() -> None:
    """ALBERT has one group of weights for all layers."""
    names = ["embeddings.word_embeddings.weight", "encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"]
    assert depths_of([*names, "pooler.weight"]) == [0, 1, 1]


def test_a_decay_needs_an_encoder_that_learns() -> None:
    with pytest.raises(HsEnvError, match=r"encoder_decay is for an encoder that learns\. Give --encoder-rate"):
        TrainConfig(vectors="hf:x", encoder_decay=0.8)


def test_without_a_warm_start_it_cannot_learn() -> None:
    with pytest.raises(HsEnvError, match=r"An encoder learns in the warm start\. Give --warm-epochs 1 or more"):
        TrainConfig(vectors="hf:x", encoder_rate=0.05, warm_epochs=0)


def run_spec(run: Run) -> str:
    return f"hf:{run.folder / 'encoder'}@1"


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


def test_the_command_line_starts_from_a_run_with_an_encoder_of_its_own(run: Run, tmp_path: Path) -> None:
    chosen = choose(["--init-from", str(run.folder)])
    start = chosen.defaults[0]
    assert (start.encoder_rate, start.vectors) == (0.0, f"hf:{run.folder}/encoder")
    child = full_config(start, *chosen.defaults[1:4])
    child = train(replace(child, joint_epochs=1), tmp_path / "child", QUIET)
    assert child.classifier.contextual == run.classifier.contextual
    assert child.classifier_updates["warm"] == run.classifier_updates["warm"]
