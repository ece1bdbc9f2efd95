"""Runs go to the hub and come back the same; what belongs to this machine stays here."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hs_env
from hs_env import hub as hubs
from hs_env.cli import main
from hs_env.errors import HsEnvError
from hs_env.training import Run
from tests.hub.server import TOKEN, Hub

pytest.importorskip("huggingface_hub")

TEXTS = ["the film is good", "the film is bad"]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_errors_are_known_to_a_process_that_has_imported_nothing_else(tmp_path: Path) -> None:
    code = "import hs_env; hs_env.load('hf:ann/small')"
    given = os.environ | {"HF_ENDPOINT": "http://localhost:9", "HS_ENV_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=given)
    assert done.stderr.startswith("Asking http://localhost:9 for ann/small\n")
    assert "HsEnvError: The hub at http://localhost:9 cannot be reached" in done.stderr


@pytest.mark.parametrize("lfs_from", [10**9, 2000], ids=["plain", "lfs"])
def test_a_run_comes_back_as_it_was(lfs_from: int, run: Path, hub: Hub, tmp_path: Path) -> None:
    hub.lfs_from = lfs_from
    pushed = hubs.push(run, "ann/small", private=True)
    assert hub.private["ann/small"] in (True, "private")
    assert bool(hub.stored) == (lfs_from == 2000)
    out = hubs.pull("ann/small", tmp_path / "pulled")
    assert everything(out) == hub.commits["ann/small"][-1][1]
    before, after = hs_env.load(run), hs_env.load(out)
    assert np.array_equal(before.predict_proba(TEXTS), after.predict_proba(TEXTS))
    assert Run.load(out).config.model_parameters == Run.load(run).config.model_parameters
    assert set(pushed.sizes) == {
        *("README.md", "config.json", "record.json", "data.json", "history.json"),
        *("classifier.safetensors", "agent.safetensors", "evaluation-test.json"),
    }


def test_a_pulled_run_is_found_by_name_and_pinned(run: Path, hub: Hub, tmp_path: Path) -> None:
    first = hubs.push(run, "ann/small").commit
    probabilities = hs_env.load("hf:ann/small").predict_proba(TEXTS)
    assert np.array_equal(probabilities, hs_env.load(run).predict_proba(TEXTS))
    asked = len(hub.requests)
    hs_env.load(f"hf:ann/small@{first}")
    assert len(hub.requests) == asked, "a pinned run that is here needs no network"
    hs_env.load("hf:ann/small@main")
    assert not any("/resolve/" in request for request in hub.requests[asked:]), "it is downloaded once"
    hubs.push("phrases", "ann/small")
    assert set(hub.commits["ann/small"][-1][1]) == {"README.md", "classifier.safetensors", "agent.safetensors"}
    assert hs_env.load("hf:ann/small").classifier.labels == ("negative", "positive")
    assert hs_env.load(f"hf:ann/small@{first}").classifier.labels == ("neg", "pos")
    hubs.pull(f"ann/small@{first}", tmp_path / "first")
    assert (tmp_path / "first" / "config.json").is_file()


def test_nothing_of_this_machine_is_uploaded(
    run: Path, hub: Hub, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (run / "checkpoint.safetensors").write_bytes(b"optimiser")
    (run / "notes.txt").write_text("private")
    with caplog.at_level(logging.DEBUG):
        main(["hub", "push", str(run), "ann/small"])
        main(["hub", "pull", "ann/small", "--out", str(run.parent / "pulled")])
    files = hub.commits["ann/small"][-1][1]
    assert not any("checkpoint" in name or "events" in name or "txt" in name for name in files)
    assert any(b"/reviews.tsv" in content for content in everything(run).values()), "the run itself has paths"
    secrets = [TOKEN, str(run.parent), str(Path(json.loads((run / "config.json").read_text())["corpus"]).parent)]
    for name, content in files.items():
        for secret in secrets:
            assert secret.encode() not in content, name
    config = json.loads(files["config.json"])
    assert (config["corpus"], config["data_dir"]) == ("reviews.tsv", None)
    printed = capfd.readouterr()
    assert TOKEN not in printed.out + printed.err + caplog.text
    assert TOKEN not in "".join(hub.requests)
    assert not any(TOKEN.encode() in content for content in everything(run.parent).values())


def test_texts_of_the_corpus_stay_here_unless_they_are_allowed(run: Path, hub: Hub) -> None:
    evaluation = run / "evaluation-test.json"
    evaluation.write_text(json.dumps(json.loads(evaluation.read_text()) | {"recurring": {"phrases": ["the film"]}}))
    hubs.push(run, "ann/small")
    assert "recurring" not in json.loads(hub.commits["ann/small"][-1][1]["evaluation-test.json"])
    hubs.push(run, "ann/small", texts=True)
    assert "recurring" in json.loads(hub.commits["ann/small"][-1][1]["evaluation-test.json"])


def test_a_secret_in_a_file_stops_the_upload(run: Path, hub: Hub) -> None:
    record = run / "record.json"
    record.write_text(json.dumps([{"command": ["train", f"key {TOKEN}"]}]))
    with pytest.raises(HsEnvError, match=r"record.json holds the token") as error:
        hubs.push(run, "ann/small")
    assert TOKEN not in str(error.value)
    record.write_text(json.dumps([{"command": [f"see {Path.home()}/x"]}]))
    with pytest.raises(HsEnvError, match=r"record.json holds (the path of your home|a path with your user)"):
        hubs.push(run, "ann/small")
    assert not hub.requests


def test_what_is_in_another_repository_is_not_lost(run: Path, hub: Hub) -> None:
    files = {"README.md": b"my card", "config.json": b"{}", "pytorch_model.bin": b"weights"}
    hub.add("ann/bert", files)
    with pytest.raises(HsEnvError, match=r"ann/bert holds config\.json and no run of hs-env"):
        hubs.push(run, "ann/bert")
    assert hub.commits["ann/bert"][-1][1] == files
    hub.add("ann/empty", {".gitattributes": b"", "README.md": b""})
    hubs.push(run, "ann/empty")


def test_a_private_upload_does_not_go_to_a_public_repository(run: Path, hub: Hub) -> None:
    hubs.push(run, "ann/small")
    with pytest.raises(HsEnvError, match="ann/small is there already, and public"):
        hubs.push(run, "ann/small", private=True)
    assert len(hub.commits["ann/small"]) == 2


def test_a_repository_with_too_many_files_is_refused(run: Path, hub: Hub, tmp_path: Path) -> None:
    hubs.push(run, "ann/small")
    hub.lie = [{"type": "file", "oid": "0", "size": 1, "path": f"{number}.txt"} for number in range(1001)]
    with pytest.raises(HsEnvError, match="more than 1,000 files"):
        hubs.pull("ann/small", tmp_path / "out")


def test_links_are_not_followed(run: Path, hub: Hub) -> None:
    (run / "data.json").unlink()
    os.symlink("/etc/hostname", run / "data.json")
    with pytest.raises(HsEnvError, match=r"is a link|not readable JSON"):
        hubs.push(run, "ann/small")
    assert not hub.requests


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"README.md": b"a card", "model.safetensors": b"x"}, "is no run of hs-env: it holds neither"),
        ({"classifier.safetensors": b"\x80\x04pickle"}, "is no run of hs-env.*is a pickle"),
        ({"classifier.safetensors": b"{}"}, "is no run of hs-env"),
    ],
)
def test_what_is_no_run_is_refused(files: dict[str, bytes], message: str, hub: Hub, tmp_path: Path) -> None:
    hub.add("ann/other", files)
    with pytest.raises(HsEnvError, match=message):
        hubs.pull("ann/other", tmp_path / "out")
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_hostile_hub_writes_nothing_outside_and_nothing_large(run: Path, hub: Hub, tmp_path: Path) -> None:
    hubs.push(run, "ann/small")
    escape = {"type": "file", "oid": "0", "size": 1, "path": "../../evil.json"}
    code = {"type": "file", "oid": "0", "size": 1, "path": "setup.py"}
    hub.lie = [escape, code, {**escape, "path": "encoder/../../evil.json"}, {**escape, "path": "/etc/evil.json"}]
    out = hubs.pull("ann/small", tmp_path / "deep" / "out")
    assert "setup.py" not in everything(out)
    assert not list(tmp_path.rglob("evil.json"))
    hub.lie = [{"type": "file", "oid": "0", "size": 2**40, "path": "encoder/model.safetensors"}]
    with pytest.raises(HsEnvError, match=r"at most 2,147,483,648 are downloaded"):
        hubs.pull("ann/small", tmp_path / "large")
    hub.lie = [{"type": "file", "oid": "0", "size": 7, "path": "README.md"}]
    with pytest.raises(HsEnvError, match="another size"):
        hubs.pull("ann/small", tmp_path / "wrong")


def test_an_existing_folder_is_not_overwritten(run: Path, hub: Hub) -> None:
    with pytest.raises(HsEnvError, match="exists already"):
        hubs.pull("ann/small", run)
    assert not hub.requests


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ann/missing", "There is no repository 'ann/missing'"),
        ("ann/small@v9", "has no revision 'v9'"),
        ("small", "is named owner/name"),
        ("ann/../small", "is named owner/name"),
    ],
)
def test_names_that_are_not_there(name: str, message: str, run: Path, hub: Hub, tmp_path: Path) -> None:
    hubs.push(run, "ann/small")
    with pytest.raises(HsEnvError, match=message):
        hubs.pull(name, tmp_path / "out")
    with pytest.raises(HsEnvError, match=message):
        hs_env.load(f"hf:{name}")


def test_no_token_and_a_wrong_one(run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HsEnvError, match=r"refuses access to ann/small \(401\)|There is no repository"):
        hubs.push(run, "ann/small")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(HsEnvError, match="needs a token"):
        hubs.push(run, "ann/small")


def test_no_network(run: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for act in (lambda: hubs.pull("ann/small", tmp_path / "out"), lambda: hubs.push(run, "ann/small")):
        with pytest.raises(HsEnvError, match=r"The hub at http://127.0.0.1:9 cannot be reached"):
            act()


def test_a_server_that_is_no_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("ann/small", {})
    monkeypatch.setattr(hub, "files", lambda repo, revision: (None, {}))
    with pytest.raises(HsEnvError, match=r"What answers at http://127.* is no Hugging Face hub|is no run"):
        hubs.pull("ann/small", tmp_path / "out")


def test_without_the_library(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for act in (lambda: hubs.pull("a/b", tmp_path / "out"), lambda: hubs.push(run, "a/b"), lambda: hubs.make_card(run)):
        with pytest.raises(HsEnvError, match=r'need an extra package: pip install "hs-env\[hub\]"'):
            act()
