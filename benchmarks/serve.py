"""What the server does under load: searches and thumbnails a second, and the memory that it keeps.

    .venv/bin/python benchmarks/serve.py                                 # 3,000 and 100,000 photos; about 10 minutes
    .venv/bin/python benchmarks/serve.py --soak-minutes 30               # with half an hour of mixed load behind each
    .venv/bin/python benchmarks/serve.py --photos 300 --searches 40 --thumbnails 40 --uploads 5    # whether it works

Rows and vectors are synthetic, thumbnails, catalog, index, model and server the real ones; every search has words of
its own, so that each is embedded. Server and clients share this machine, and everything stays on loopback. Beside it,
in the same run and in turns with it, `bare_server.py`: a handler that embeds and searches with the same model and does
nothing else. Goals: one client's p50 at most 15 ms, three times its searches at 32 clients, 200 thumbnails/s for one
client, within 1.2 times of the bare handler, memory within 10 % of its start after the uploads, flat within 5 % in the
soak.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import io
import itertools
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
from PIL import Image
from search import _default_model, build

from app.search.picture_decoder import REST_AFTER_S
from indexer.library import open_library

PROJECT = Path(__file__).parents[1]
CLIENTS = (1, 8, 32)
WITH_THUMBNAILS = 500  # photos; the others have none
UNANSWERED = 0  # in place of a status
PATIENCE_S = 300  # until a server answers, and for one answer
WORDS = ("dog", "beach", "snow", "bride", "market", "tree", "night", "train", "smile", "red", "boat", "old", "garden")

_number = itertools.count()  # makes words new; next() of it is one step for all threads
Request = Callable[[http.client.HTTPConnection], tuple[int, bytes]]


def main() -> None:
    """Measure each size of library, and print tables."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end too
    for photos in options.photos:
        with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
            folder = Path(name)
            build(folder / "library", options.model or _default_model(folder), photos)
            _write_thumbnails(folder / "library", min(photos, WITH_THUMBNAILS))
            print(f"\n## {photos:,} photos, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n", flush=True)
            measure(folder, min(photos, WITH_THUMBNAILS), options)


def measure(folder: Path, thumbnails: int, options: argparse.Namespace) -> None:
    """Everything over one library."""
    ours = [sys.executable, "-m", "app.launch", "serve", "--port", "0", "--library", str(folder / "library")]
    with running(ours, folder / "server.log") as server:
        load(server.port, search, 1, 20)  # the model is loaded, and every thread has begun
        memory = {"at start": server.resident_mb()}
        with running([sys.executable, str(PROJECT / "benchmarks/bare_server.py"), str(folder / "library")]) as bare:
            load(bare.port, search, 1, 20)
            _searches(server.port, bare.port, options)
        took = load(server.port, thumbnail(thumbnails), 1, options.thumbnails)
        print(f"\nthumbnails of one client: {took.a_second:.0f}/s (goal: 200), p50 {took.p50:.1f} ms\n", flush=True)
        load(server.port, search, 8, options.searches)
        memory[f"after {next(_number):,} searches"] = server.resident_mb()
        refused = load(server.port, upload(hostile_pictures()), 4, options.uploads, expected=range(UNANSWERED, 500))
        time.sleep(REST_AFTER_S + 5)  # then the workers that decoded have ended
        longest = f"the longest {refused.longest / 1000:.1f} s"
        memory[f"after {options.uploads} hostile uploads, {longest}"] = server.resident_mb()
        if options.soak_minutes:
            memory |= soak(server, thumbnails, options.soak_minutes)
    print("| resident memory, server and its workers | MB | of the start |\n|---|---|---|")
    for when, mb in memory.items():
        print(f"| {when} | {mb:.0f} | {mb / memory['at start']:.2f} |")


def _searches(ours: int, bare: int, options: argparse.Namespace) -> None:
    """Both servers in turns; the median of the runs stands for each."""
    print("| clients | searches/s | p50 | p99 | bare: searches/s | p50 | p99 | ratio of p50 |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for clients in CLIENTS:
        runs = [[load(port, search, clients, options.searches) for port in (ours, bare)] for _ in range(options.runs)]
        one, other = (_median([run[side] for run in runs]) for side in (0, 1))
        cells = [f"{took.a_second:.0f} | {took.p50:.1f} ms | {took.p99:.1f} ms" for took in (one, other)]
        print(f"| {clients} | {' | '.join(cells)} | {one.p50 / other.p50:.2f} |", flush=True)


class Took:
    """How long requests took: `each` in milliseconds, all of them together in seconds."""

    def __init__(self, each: list[float], seconds: float) -> None:
        self.a_second = len(each) / seconds
        self.longest = max(each)
        self.p50, self.p99 = (float(np.percentile(each, share)) for share in (50, 99))


def load(port: int, request: Request, clients: int, count: int, *, expected: range = range(200, 300)) -> Took:
    """`count` requests by so many clients, each with one connection that it keeps."""
    each: list[float] = []
    left = itertools.count(1)

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        while next(left) <= count:
            started = time.perf_counter()
            status, body = _answered(request, connection)
            each.append((time.perf_counter() - started) * 1000)
            if status not in expected:
                raise SystemExit(f"the server answered {status}: {body[:300]!r}")
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client) for _ in range(clients)]:
            done.result()
    return Took(each, time.perf_counter() - started)


def search(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """Words that nobody has asked for yet."""
    number = next(_number)
    words = f"{' '.join(random.Random(number).sample(WORDS, 4))} {number}"
    return _ask(connection, "GET", f"/api/v1/search?q={quote(words)}")


def thumbnail(count: int) -> Request:
    """Asks for one of the first `count` photos' thumbnails."""
    return lambda connection: _ask(connection, "GET", f"/api/v1/photos/{next(_number) % count + 1}/thumbnail")


def upload(pictures: list[bytes]) -> Request:
    """Sends one of the pictures to search by."""

    def request(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        body = head + pictures[next(_number) % len(pictures)] + b"\r\n--b--\r\n"
        return _ask(connection, "POST", "/api/v1/search", body, {"Content-Type": "multipart/form-data; boundary=b"})

    return request


@functools.cache
def hostile_pictures() -> list[bytes]:
    """Small files that want much: many pixels, nearly and really too many; cut short; none at all."""
    noise = io.BytesIO()
    Image.effect_noise((1500, 1000), 80).convert("RGB").save(noise, "JPEG")
    return [
        _plain_png(6000, 6000),  # 108 MB of pixels from 0.1 MB
        _plain_png(14_000, 14_000),  # just below the bound of pixels
        _plain_png(60_000, 60_000, rows=100),  # says that it is far above it
        _plain_png(6000, 6000)[:50_000],
        noise.getvalue()[: len(noise.getvalue()) // 2],
        noise.getvalue(),
        os.urandom(2_000_000),
    ]


def _plain_png(width: int, height: int, rows: int | None = None) -> bytes:
    """A PNG of one colour, with so many of its rows, written one by one, so that making it takes no memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    packer, row = zlib.compressobj(6), bytes(1 + 3 * width)
    pixels = b"".join([*(packer.compress(row) for _ in range(rows or height)), packer.flush()])
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class Server:
    """A server that was started, and the memory that it and its workers hold."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def resident_mb(self) -> float:
        """Resident memory in MB; workers that come and go count with what they hold now."""
        return sum(_resident_mb(process) for process in _family(self.process.pid))


@contextmanager
def running(command: list[str], log: Path = Path(os.devnull)) -> Iterator[Server]:
    """Start a server, wait until it says where it answers, and end it whatever happens."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=PROJECT, env=environment)
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = next((line for line in process.stderr if b" answers at http://" in line), b"")
        watchdog.cancel()
        if not said:
            raise SystemExit(f"{command} did not start")
        threading.Thread(target=_keep, args=(process.stderr, log), daemon=True).start()
        address = next(word for word in said.decode().split() if word.startswith("http://"))
        yield Server(process, urlsplit(address).port or 0)
    finally:
        watchdog.cancel()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def soak(server: Server, thumbnails: int, minutes: float) -> dict[str, float]:
    """Mixed load for so long; the mean memory of its second and of its last quarter, and how much that grew."""
    ends = time.monotonic() + minutes * 60
    seen: list[float] = []
    mixed = (search, search, thumbnail(thumbnails), upload(hostile_pictures()[3:]))

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        for request in itertools.cycle(mixed[number % 2 :] + mixed[: number % 2]):
            if time.monotonic() >= ends:
                return
            status, body = _answered(request, connection)
            if status >= 500 or status == UNANSWERED:
                raise SystemExit(f"the server answered {status}: {body[:300]!r}")

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, number) for number in range(8)]
        while time.monotonic() < ends and not any(done.done() for done in clients):
            seen.append(server.resident_mb())
            time.sleep(min(5, max(0.1, ends - time.monotonic())))
        for done in clients:
            done.result()
    quarter = max(1, len(seen) // 4)
    before, after = statistics.mean(seen[quarter : 2 * quarter] or seen), statistics.mean(seen[-quarter:])
    print(f"\nsoak of {minutes:g} minutes: {after / before - 1:+.1%} (goal: within 5 %)\n", flush=True)
    return {"soak, second quarter": before, "soak, last quarter": after}


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict = {},  # noqa: B006
) -> tuple[int, bytes]:
    """Status and body; a connection that the server closed, as it may after a refusal, is opened again by itself."""
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _answered(request: Request, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    """The answer; UNANSWERED where none came in time."""
    try:
        return request(connection)
    except TimeoutError:
        connection.close()
        return UNANSWERED, b"nothing, in time"


def _median(runs: list[Took]) -> Took:
    """The run in the middle, by p50."""
    return sorted(runs, key=lambda took: took.p50)[len(runs) // 2]


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
        below += [child for task in threads for child in (task / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(one for child in below for one in _family(int(child)))]


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


def _keep(stream: io.BufferedReader, log: Path) -> None:
    with log.open("wb") as kept:
        for line in stream:
            kept.write(line)


def _write_thumbnails(folder: Path, count: int) -> None:
    """Real ones, of noise, for the first photos."""
    library = open_library(folder, create=False)
    small = library.thumbnails.make(Image.effect_noise((512, 384), 60).convert("RGB"))
    for number in range(1, count + 1):
        photo = library.catalog.photo(number)
        assert photo is not None
        assert photo.content_hash is not None
        library.thumbnails.keep(photo.content_hash, small)
    library.catalog.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=[3_000, 100_000], help="sizes of libraries")
    parser.add_argument("--searches", type=int, default=400, help="in each run of so many clients (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of which the middle one is shown (%(default)s)")
    parser.add_argument("--thumbnails", type=int, default=1_000, help="(%(default)s)")
    parser.add_argument("--uploads", type=int, default=100, help="hostile ones (%(default)s)")
    parser.add_argument("--soak-minutes", type=float, default=0, help="of mixed load at the end (%(default)s)")
    parser.add_argument("--model", help="name or path (builtin, or a random one where there is none)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
