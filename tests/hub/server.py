"""A small hub on loopback that speaks the protocol of the Hugging Face hub as far as `huggingface_hub` uses it here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_a_secret_of_the_tests"


@dataclass
class Hub:
    """What the server holds, and what it was asked.

    Attributes:
        commits: Commits of each repository, newest last: id and files.
        stored: Objects of Git LFS by digest.
        lfs_from: Size from which files go through LFS, bytes.
        requests: Method and path of each request.
        lie: Changes that a hostile server makes to its list of files.
        endpoint: Address of the server.
    """

    commits: dict[str, list[tuple[str, dict[str, bytes]]]] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    private: dict[str, Any] = field(default_factory=dict)
    lfs_from: int = 10**9
    requests: list[str] = field(default_factory=list)
    lie: list[dict[str, Any]] = field(default_factory=list)
    endpoint: str = ""

    def add(self, repo: str, files: dict[str, bytes]) -> str:
        """Add a commit with these files, and return its id."""
        found = self.commits.setdefault(repo, [])
        commit = hashlib.sha1(f"{repo} {len(found)}".encode()).hexdigest()
        found.append((commit, dict(files)))
        return commit

    def files(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return a commit by its id or by the name of the only branch."""
        return next((each for each in reversed(self.commits[repo]) if revision in ("main", each[0])), None)


@contextmanager
def serving() -> Iterator[Hub]:
    """Run a server until the end of the context."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def reply(self, value: Any = None, status: int = 200, body: bytes | None = None, **headers: str) -> None:
        content = json.dumps(value).encode() if body is None else body
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        reading = self.command in ("GET", "HEAD")
        if not reading and not allowed and not path.startswith("/lfs/"):
            self.reply({"error": "Invalid username or password."}, 401)
            return
        for pattern, answer in _ROUTES.items():
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                answer(self, content, *match.groups())
                return
        self.reply({"error": "no such route"}, 404)

    do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815 - names of the base class

    def found(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if repo not in self.hub.commits:
            self.reply({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        elif (commit := self.hub.files(repo, revision)) is None:
            self.reply({"error": "Revision not found"}, 404, X_Error_Code="RevisionNotFound")
        else:
            return commit
        return None

    def create(self, content: bytes) -> None:
        asked = json.loads(content)
        repo = f"{asked['organization']}/{asked['name']}"
        if repo in self.hub.commits:
            error = "You already created this model repo"
            self.reply({"error": error, "url": f"{self.hub.endpoint}/{repo}"}, 409)
            return
        self.hub.private[repo] = asked.get("visibility") or asked.get("private")
        self.hub.add(repo, {})
        self.reply({"url": f"{self.hub.endpoint}/{repo}", "name": repo})

    def check_card(self, content: bytes) -> None:
        assert "library_name: hs-env" in json.loads(content)["content"]
        self.reply({"errors": [], "warnings": []})

    def info(self, _: bytes, repo: str, revision: str | None) -> None:
        if commit := self.found(repo, revision or "main"):
            hidden = {"private": bool(self.hub.private.get(repo))}
            self.reply(
                {"id": repo, "modelId": repo, "sha": commit[0], "siblings": [], "tags": [], "downloads": 0} | hidden
            )

    def tree(self, _: bytes, repo: str, revision: str) -> None:
        if commit := self.found(repo, revision):
            entries = [_entry(name, content) for name, content in commit[1].items()]
            self.reply([{"type": "directory", "oid": "0", "path": "encoder"}, *entries, *self.hub.lie])

    def preupload(self, content: bytes, repo: str, revision: str) -> None:
        if self.found(repo, revision):
            files = json.loads(content)["files"]
            modes = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if each["size"] >= self.hub.lfs_from else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for each in files
            ]
            self.reply({"files": modes})

    def batch(self, content: bytes, _: str) -> None:
        objects = json.loads(content)["objects"]
        for each in objects:
            each["actions"] = {"upload": {"href": f"{self.hub.endpoint}/lfs/{each['oid']}"}}
        self.reply({"transfer": "basic", "objects": objects})

    def store(self, content: bytes, oid: str) -> None:
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.stored[oid] = content
        self.reply({})

    def commit(self, content: bytes, repo: str, revision: str) -> None:
        if not (before := self.found(repo, revision)):
            return
        files = dict(before[1])
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = self.hub.add(repo, files)
        self.reply({"success": True, "commitOid": commit, "commitUrl": f"{self.hub.endpoint}/{repo}/commit/{commit}"})

    def resolve(self, _: bytes, repo: str, revision: str, name: str) -> None:
        if commit := self.found(repo, revision):
            if name not in commit[1]:
                self.reply({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
                return
            content = commit[1][name]
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            self.reply(body=content, X_Repo_Commit=commit[0], ETag=etag)


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "oid": hashlib.sha1(content).hexdigest(), "size": len(content), "path": name}


_REPO = r"([^/]+/[^/]+?)"
_ROUTES = {
    r"POST /api/repos/create": _Handler.create,
    r"POST /api/validate-yaml": _Handler.check_card,
    rf"GET /api/models/{_REPO}(?:/revision/(.+))?": _Handler.info,
    rf"GET /api/models/{_REPO}/tree/([^/]+)": _Handler.tree,
    rf"POST /api/models/{_REPO}/preupload/([^/]+)": _Handler.preupload,
    rf"POST /api/models/{_REPO}/commit/([^/]+)": _Handler.commit,
    rf"POST /{_REPO}\.git/info/lfs/objects/batch": _Handler.batch,
    r"PUT /lfs/(\w+)": _Handler.store,
    rf"(?:GET|HEAD) /{_REPO}/resolve/([^/]+)/(.+)": _Handler.resolve,
}
