"""The parts of the Hub's protocol that huggingface-hub uses, on loopback: what is pushed there can be pulled."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LFS_FROM = 1_000_000  # bytes; larger files and all safetensors go the way of large files
WRITER, READER = "hf_writer", "hf_reader"


@dataclasses.dataclass
class Repository:
    """commits: from a commit's name to its files; the last is the newest."""

    private: bool = False
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)

    def commit(self, files: dict[str, bytes]) -> str:
        name = hashlib.sha1(f"{len(self.commits)}{sorted(files)}".encode()).hexdigest()
        self.commits[name] = files
        return name

    def resolve(self, revision: str) -> str | None:
        if revision == "main":
            return list(self.commits)[-1] if self.commits else None
        return self.tags.get(revision) or (revision if revision in self.commits else None)


@dataclasses.dataclass
class Hub:
    """What the server holds, and how it is to misbehave.

    cuts: how many times yet the connection breaks in the middle of a large file. wrong: a file that is served changed.
    """

    repositories: dict[str, Repository] = dataclasses.field(default_factory=dict)
    blobs: dict[str, bytes] = dataclasses.field(default_factory=dict)
    requests: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    cuts: int = 0
    wrong: str | None = None
    endpoint: str = ""

    def add(self, name: str, files: dict[str, bytes], kind: str = "models", private: bool = False) -> str:
        return self.repositories.setdefault(f"{kind}/{name}", Repository(private)).commit(files)

    def files(self, name: str, kind: str = "models") -> dict[str, bytes]:
        repository = self.repositories[f"{kind}/{name}"]
        return repository.commits[list(repository.commits)[-1]]


def is_large(path: str, content: bytes) -> bool:
    return path.endswith(".safetensors") or len(content) > LFS_FROM


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, content: Any = b"", headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body)), "Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def visible(self, key: str) -> Repository | None:
        repository = self.hub.repositories.get(key)
        return repository if repository and not (repository.private and self.token not in (WRITER, READER)) else None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path))
        if path == "/api/whoami-v2":
            self.reply(200, {"name": "someone", "auth": {"accessToken": {"role": "write"}}})
        elif found := re.fullmatch(r"/api/(models|spaces|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            self.info(f"{found[1]}/{found[2]}", urllib.parse.unquote(found[3] or "main"), found[2])
        elif found := re.fullmatch(r"/api/(models|spaces|datasets)/([^/]+/[^/]+)/tree/([^/]+)", path):
            self.tree(f"{found[1]}/{found[2]}", found[3])
        elif found := re.fullmatch(r"/(?:(spaces|datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.file(f"{found[1] or 'models'}/{found[2]}", found[3], found[4])
        else:
            self.refuse(404, "NotFound")

    def info(self, key: str, revision: str, name: str) -> None:
        repository = self.visible(key)
        if repository is None:
            self.refuse(401, "RepoNotFound")
        elif (commit := repository.resolve(revision)) is None:
            self.refuse(404, "RevisionNotFound")
        else:
            siblings = [{"rfilename": path} for path in repository.commits[commit]]
            self.reply(200, {"id": name, "sha": commit, "private": repository.private, "siblings": siblings, "tags": []})

    def tree(self, key: str, revision: str) -> None:
        repository = self.visible(key)
        commit = repository and repository.resolve(revision)
        if not repository or not commit:
            self.refuse(404, "RevisionNotFound")
            return
        listed = []
        for path, content in repository.commits[commit].items():
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
            if is_large(path, content):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            listed.append(entry)
        self.reply(200, listed)

    def file(self, key: str, revision: str, path: str) -> None:
        repository = self.visible(key)
        if repository is None:
            self.refuse(401, "RepoNotFound")
            return
        commit = repository.resolve(revision)
        if commit is None or path not in repository.commits[commit]:
            self.refuse(404, "EntryNotFound" if commit else "RevisionNotFound")
            return
        content = repository.commits[commit][path]
        hashed = hashlib.sha256(content).hexdigest() if is_large(path, content) else git_hash(content)
        if self.hub.wrong == path:
            content = content[:-1] + bytes([content[-1] ^ 1])
        headers = {"ETag": f'"{hashed}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start = int(asked[1]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if self.command == "GET" and self.hub.cuts and is_large(path, content):
            self.hub.cuts -= 1
            self.send_response(206 if asked else 200)
            for name, value in (headers | {"Content-Length": str(len(content) - start)}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[start : (start + len(content)) // 2])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.reply(206 if asked else 200, content[start:], headers)

    def do_POST(self) -> None:
        path, body = self.path.partition("?")[0], self.body()
        self.hub.requests.append((self.command, path))
        if path == "/api/validate-yaml":
            self.reply(200, {"errors": [], "warnings": []})
        elif self.token != WRITER:
            self.refuse(403 if self.token else 401, "Forbidden")
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif found := re.fullmatch(r"/api/(models|spaces)/([^/]+/[^/]+)/preupload/main", path):
            sent = json.loads(body)["files"]
            modes = ["lfs" if each["path"].endswith(".safetensors") or each["size"] > LFS_FROM else "regular" for each in sent]
            files = [
                {"path": each["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                for each, mode in zip(sent, modes, strict=True)
            ]
            self.reply(200, {"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.endpoint}/upload/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self.reply(200, {"transfer": "basic", "objects": objects}, {"Content-Type": "application/vnd.git-lfs+json"})
        elif found := re.fullmatch(r"/api/(models|spaces)/([^/]+/[^/]+)/commit/main", path):
            self.commit(f"{found[1]}/{found[2]}", found[2], body)
        elif found := re.fullmatch(r"/api/spaces/([^/]+/[^/]+)/(hardware|variables|secrets)", path):
            self.hub.repositories[f"spaces/{found[1]}"].settings[found[2]] = json.loads(body)
            self.reply(200, {"stage": "BUILDING", "hardware": {"current": None, "requested": "cpu-basic"}})
        else:
            self.refuse(404, "NotFound")

    def create(self, asked: dict[str, Any]) -> None:
        kind = f"{asked.get('type') or 'model'}s"
        name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
        exists = f"{kind}/{name}" in self.hub.repositories
        if not exists:
            private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self.hub.repositories[f"{kind}/{name}"] = made = Repository(private, asked)
            made.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        place = f"{self.hub.endpoint}/{'' if kind == 'models' else kind + '/'}{name}"
        self.reply(409 if exists else 200, {"url": place, "name": name, "id": name})

    def commit(self, key: str, name: str, body: bytes) -> None:
        repository = self.hub.repositories[key]
        newest = repository.resolve("main")
        files = dict(repository.commits[newest]) if newest else {}
        for line in body.splitlines():
            part = json.loads(line)
            value = part["value"]
            if part["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif part["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif part["key"] == "deletedFile":
                files.pop(value["path"], None)
        commit = repository.commit(files)
        kind = key.split("/")[0]
        place = f"{self.hub.endpoint}/{'' if kind == 'models' else 'spaces/'}{name}/commit/{commit}"
        self.reply(200, {"success": True, "commitOid": commit, "commitUrl": place})

    def do_PUT(self) -> None:
        content = self.body()
        self.hub.requests.append((self.command, self.path))
        oid = self.path.rpartition("/")[2]
        if hashlib.sha256(content).hexdigest() != oid:
            self.refuse(400, "WrongHash")
            return
        self.hub.blobs[oid] = content
        self.reply(200)


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A hub that is empty, on a free port."""
    hub = Hub()
    handler = type("Handler", (Answers,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
