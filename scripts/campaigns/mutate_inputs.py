"""Damage corpora, word vectors and configurations at random and read them: each loads, or is refused with one error.

    python scripts/campaigns/mutate_inputs.py --times 10000 --kinds corpora

A finding is any error but `HsEnvError`, a read that takes longer than 10 seconds or more memory than `MEMORY`, or a
file that is written. Memory is bounded where the system can do so (Linux).
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
from campaign import Campaign
from damage import at_most, damaged, replaced

from hs_env.corpora import Corpus, load_corpus, load_treebank
from hs_env.errors import HsEnvError
from hs_env.experiments.grid import load_grid
from hs_env.language import LMConfig, LMRun
from hs_env.rewards import make_reward
from hs_env.training import TrainConfig
from hs_env.training.run import load_config
from hs_env.vectors import load_vectors

SECONDS: Final = 10
MEMORY: Final = 2 * 2**30
"""Memory that reading may take beyond that of the process at the start, in bytes."""

WORDS: Final = "good bad fine poor the a is n't".split()
ROWS: Final = [(f"the {word} plot is n't {WORDS[at]}", at % 2) for at, word in enumerate(2 * WORDS[:4])]
TREES: Final = "(3 (2 (2 the) (2 film)) (3 (2 is) (3 (2 n't) (3 good))))\n(1 (2 so) (1 bad))\n" * 2
CHUNKS: Final = "the DT B-NP\nfilm NN I-NP\nis VBZ B-VP\n. . O\n\nso RB B-NP\n\n" * 2


@dataclass(frozen=True)
class Input:
    """Files that are read together, by name, and how to read them from a folder."""

    files: Mapping[str, bytes]
    read: Callable[[Path], Any]


def table(separator: str, header: bool = True, quote: str = "") -> bytes:
    rows = [*([("text", "label")] if header else []), *ROWS]
    return "".join(f"{quote}{text}{quote}{separator}{label}\n" for text, label in rows).encode()


def lines(rows: list[tuple[str, int]] = ROWS, **more: Any) -> bytes:
    return "".join(json.dumps({"text": text, "label": label, **more}) + "\n" for text, label in rows).encode()


def corpora() -> dict[str, Input]:
    """Corpora in every layout and format."""
    value = json.dumps([{"text": text, "label": label} for text, label in ROWS]).encode()
    named = lines().replace(b'"label": 0', b'"label": "bad"').replace(b'"label": 1', b'"label": "good"')
    bounds = lines([("the film is good", 1)] * 9 + [("so it is bad", 0)] * 9, boundaries=[0, 1, 0, 1])
    formats = {
        "a.tsv": table("\t"), "a.csv": table(","), "b.csv": table(";", quote='"'), "c.csv": table(",", False),
        "a.txt": table("\t", False), "a.json": value, "a.jsonl": lines(), "b.jsonl": named, "c.jsonl": bounds,
        "a.all": "".join(f"{label} {text}\n" for text, label in ROWS).encode(),
    }  # fmt: skip
    formats |= {f"{name}.gz": gzip.compress(content) for name, content in formats.items()}
    found = {name: Input({name: content}, partial(read_corpus, name)) for name, content in formats.items()}
    folds = json.dumps({"fold": [number % 3 for number in range(len(ROWS))]}).encode()
    found["splits"] = Input({"train.csv": table(","), "dev.csv": table(","), "test.csv": table(",")}, load_corpus)
    found["folds"] = Input({"all.jsonl": lines(), "folds.json": folds}, partial(load_corpus, fold=1))
    published = {"mr/all.jsonl.gz": gzip.compress(lines()), "mr/folds.json": folds}
    published |= {
        f"sst/sst{number}.{split}.jsonl": lines([("the film is n't good", 1), ("so bad", 0)])
        for number in (2, 5)
        for split in ("train", "dev", "test")
    }
    published |= {f"sst/{split}.trees.txt": TREES.encode() for split in ("train", "dev", "test")}
    published["sst/sst5.train_phrases.jsonl"] = lines()
    published |= {f"ag_news/{split}.csv": table(",") for split in ("train", "test")}
    published |= {f"conll2000/{split}.txt.gz": gzip.compress(CHUNKS.encode()) for split in ("train", "test")}
    found["published"] = Input(published, read_published)
    return found


def read_corpus(name: str, folder: Path) -> Corpus:
    return load_corpus(folder / name)


def read_published(folder: Path) -> None:
    """Read all published corpora; go on after an `HsEnvError`."""
    for name in ("mr:fold=2", "sst2", "sst5", "sst2_trees", "sst5_trees", "sst2_phrases", "sst5_phrases", "ag_news"):
        try:
            load_corpus(name, data_dir=folder)
        except HsEnvError:
            continue
    for name in ("conll2000", "sst"):
        load_treebank(name, data_dir=folder)


def vectors() -> dict[str, Input]:
    """Word vectors in every format."""
    values = np.random.default_rng(0).normal(size=(len(WORDS), 3)).astype(np.float32)
    text = "".join(
        f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, values.tolist(), strict=True)
    ).encode()
    head = f"{len(WORDS)} 3\n".encode()
    binary = head + b"".join(
        word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, values, strict=True)
    )
    formats = {
        "a.txt": text,
        "a.vec": head + text,
        "a.bin": binary,
        "b.bin": head + text,
        "c.txt": text.replace(b" ", b"\t"),
    }
    formats |= {f"{name}.gz": gzip.compress(content) for name, content in formats.items()}
    found = {name: Input({name: content}, partial(read_vectors, name)) for name, content in formats.items()}
    for name, save in (("a.npz", np.savez), ("b.npz", np.savez_compressed)):
        stream = io.BytesIO()
        save(stream, vectors=values)
        words = {f"{name[0]}.words.txt": "\n".join(WORDS).encode()}
        found[name] = Input({name: stream.getvalue(), **words}, partial(read_vectors, name))
    found["a.zip"] = Input({"a.txt": stream.getvalue()}, partial(read_vectors, "a.txt"))
    return found


def read_vectors(name: str, folder: Path) -> None:
    load_vectors(folder / name, ["<pad>", "<unk>", *WORDS], seed=0)


def configurations() -> dict[str, Input]:
    """Configurations of runs, grids of runs, and expressions for rewards."""
    config = TrainConfig(corpus="phrases", reward="log_likelihood - 0.1 * transitions", vectors="a.txt,b.txt+random:3")
    grid = b'[settings]\nbatch_size = 5\nvectors = "random:{number}"\nmodel_parameters.hidden_size = 4\n'
    grid += b'[corpora.mr]\nfolds = 3\n[corpora.phrases]\nseeds = 2\n[variants.one]\nagent = "ppo"\n[variants.two]\n'
    grid += b'model = "cnn"\ncorpora = ["mr"]\n'
    expression = b"log_likelihood + 0.1 * hs_lstm(gamma=0.2) - (phrases * 2 + boundary_f1)"
    read: dict[str, Callable[[Path], Any]] = {"train": load_config, "lm": LMRun.load}
    values = {"train": config.resolve().to_json(), "lm": LMConfig().to_json()}
    files = {name: json.dumps(each).encode() for name, each in values.items()}
    found = {name: Input({"config.json": content}, read[name]) for name, content in files.items()}
    found["grid"] = Input({"grid.toml": grid}, lambda folder: [cell.key for cell in load_grid(folder / "grid.toml")])
    found["reward"] = Input(
        {"reward": expression}, lambda folder: make_reward((folder / "reward").read_text("utf-8", "replace"))
    )
    return found


KINDS: Final = {"corpora": corpora, "vectors": vectors, "configurations": configurations}


def damage(name: str, content: bytes, dice: Random) -> tuple[bytes, str]:
    """Damage the content of a file; of a compressed file or JSON perhaps what is in it."""
    if name.endswith(".gz") and dice.random() < 0.7:
        inner, what = damage(name.removesuffix(".gz"), gzip.decompress(content), dice)
        return gzip.compress(inner, 1), what
    if name.endswith(".json") and dice.random() < 0.6:
        return json.dumps(replaced(json.loads(content), dice)).encode(errors="surrogatepass"), "value replaced"
    if name.endswith(".jsonl") and dice.random() < 0.4:
        rows = content.splitlines()
        at = dice.randrange(len(rows))
        rows[at] = json.dumps(replaced(json.loads(rows[at]), dice)).encode(errors="surrogatepass")
        return b"\n".join(rows), "value replaced"
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        content, what = damaged(content, dice)
    return content, what


def trial(inputs: Mapping[str, Input], folder: Path, dice: Random) -> tuple[str, str | None]:
    """Damage and read one input; return what was damaged, and what is wrong or None."""
    kind = dice.choice(sorted(inputs))
    files = dict(inputs[kind].files)
    name = dice.choice(sorted(files))
    files[name], what = damage(name, files[name], dice)
    folder.mkdir()
    for each, content in files.items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_bytes(content)
    found = None
    try:
        with at_most(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inputs[kind].read(folder)
    except HsEnvError:
        pass
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        found = f"{type(error).__name__}: {str(error)[:300]} ({where.filename}, line {where.lineno})"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if found is None and names != files.keys():
        found = f"files were written: {names - files.keys()}"
    return f"{kind}, {name}: {what}", found


def main() -> int:
    """Run the campaign: `--times` trials of each kind."""
    campaign = Campaign("mutate_inputs", __doc__, kinds=tuple(KINDS))
    if sys.platform == "linux":
        size = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    inputs = {kind: KINDS[kind]() for kind in campaign.kinds}
    with tempfile.TemporaryDirectory() as made:
        for seed in campaign.trials():
            for kind, each in inputs.items():
                folder = Path(made, "inputs")
                what, found = trial(each, folder, Random(f"{kind} {seed}"))
                if found:
                    campaign.report(kind=kind, seed=seed, what=what, found=found)
                shutil.rmtree(folder)
    return campaign.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
