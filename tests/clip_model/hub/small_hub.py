"""A small hub on 127.0.0.1: what huggingface-hub asks of a real one, in its layout of addresses and headers.

It can be told to damage files, to hang up in the middle of one, and to refuse.
"""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = 2_000  # bytes from which a file is told by its SHA-256, as files in Git LFS are
LISTING = re.compile(r"/api/models/([^/]+/[^/]+)/revision/([^/?]+)")
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class SmallHub:
    """The repositories: name -> branch or commit -> file name -> bytes."""

    def __init__(self):
        self.commits = {}
        self.branches = {}
        self.asked = []  # (method, path, Range or None)
        self.damaged = set()  # names of files of which the last byte is another one
        self.cut = {}  # name -> after how many bytes the connection ends, for so many requests
        self.refused = {}  # a part of a path -> (status, X-Error-Code)
        self.ranges = True
        self.silent = set()  # names of files of which the listing says no checksum
        self.extra = []  # entries of the listing that belong to no file

    def put(self, repo, files, branch="main"):
        """Commit files to a repository; the commit."""
        commit = hashlib.sha1(json.dumps({n: data.hex() for n, data in files.items()}).encode()).hexdigest()
        self.commits[repo, commit] = dict(files)
        self.branches[repo, branch] = commit
        return commit

    def listing(self, repo, revision):
        commit = self.branches.get((repo, revision), revision)
        files = self.commits.get((repo, commit))
        if files is None:
            return None
        siblings = [self._said(name, data) for name, data in files.items()]
        return {"id": repo, "modelId": repo, "sha": commit, "siblings": [*siblings, *self.extra], "private": False}

    def _said(self, name, data):
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        said = {"rfilename": name, "size": len(data)}
        if name in self.silent:
            return said
        said["blobId"] = git
        if len(data) >= LARGE:
            said["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return said


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        path = self.path.partition("?")[0]
        hub.asked.append((self.command, path, self.headers.get("Range")))
        for part, (status, code) in hub.refused.items():
            if part in path:
                self._end(status, b"{}", {"X-Error-Code": code} if code else {})
                return
        if listing := LISTING.fullmatch(path):
            self._list(hub, *listing.groups())
        elif file := FILE.fullmatch(path):
            self._file(hub, *file.groups())
        else:
            self._end(404, b"{}")

    def _list(self, hub, repo, revision):
        if all(known != repo for known, _ in hub.commits):
            self._end(401, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        found = hub.listing(repo, revision)
        if found is None:
            self._end(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        self._end(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _file(self, hub, repo, commit, name):
        data = hub.commits.get((repo, commit), {}).get(name)
        if data is None:
            self._end(404, b"{}", {"X-Error-Code": "EntryNotFound"})
            return
        if name in hub.damaged:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers, status, whole = {"ETag": '"x"', "X-Repo-Commit": commit}, 200, len(data)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and hub.ranges:
            first = int(wanted[1])
            headers["Content-Range"] = f"bytes {first}-{whole - 1}/{whole}"
            data, status = data[first:], 206
        most, times = hub.cut.get(name, (None, 0))
        if times:
            hub.cut[name] = most, times - 1
            self._end(status, data[:most], headers, length=len(data))
            self.close_connection = True
            return
        self._end(status, data, headers)

    def _end(self, status, data, headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def small_hub():
    """A hub that serves until the block ends, and its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.hub = SmallHub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
