"""What a client that never finishes costs: nobody else's answer."""

import asyncio
import errno
import json
import logging
import resource
import select
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from uvicorn.server import Server

from app.web import server as server_module
from app.web.door.connections import Patience
from app.web.door.doorkeeper import AT_THE_DOOR
from app.web.door.open_files import open_files, tell_once
from tests import forked_code

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def reads_all(scope, receive, send):
    """Answers when the whole body is there."""
    size = 0
    while scope["type"] == "http":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message.get("more_body"):
            break
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def held():
    """An application that answers when it is let, and what lets it."""
    go_on = threading.Event()

    async def waits(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.to_thread(go_on.wait, 60)
        await reads_all(scope, receive, send)

    try:
        yield waits, go_on
    finally:
        go_on.set()


@contextmanager
def answering(app, patience):
    """A server of `app`; yields the address to connect to and the server."""
    answers, servers = threading.Event(), []

    def started(server: Server):
        servers.append(server)
        answers.set()

    with server_module.listen("127.0.0.1", 0) as listening:
        run = server_module.answer(lambda: app, listening, started, patience)
        thread = threading.Thread(target=asyncio.run, args=(run,), daemon=True)
        thread.start()
        assert answers.wait(60)
        try:
            yield listening.getsockname(), servers[0]
        finally:
            servers[0].should_exit = True
            thread.join(60)


def connect(address):
    connected = socket.create_connection(address, timeout=60)
    connected.settimeout(60)
    return connected


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def seen(server, tell):
    """What `tell` says of each connection of a server, asked in its loop: from here one may be seen half made."""

    async def ask():
        return [tell(one) for one in server.server_state.connections]

    there = list(server.server_state.connections)
    return asyncio.run_coroutine_threadsafe(ask(), there[0].loop).result(60) if there else []


def busy(address, stack, server, many):
    """Connections that are all being answered, up to the bound."""
    there = [stack.enter_context(connect(address)) for _ in range(many)]
    for connected in there:
        connected.sendall(WHOLE)
    wait_for(lambda: sum(seen(server, lambda one: bool(one.cycle))) == many)
    return there


def was_closed(connected):
    """Whether the other side ended it without a word; waits for that."""
    try:
        return connected.recv(1) == b""
    except ConnectionResetError:
        return True


def test_answers_leave_at_once():
    """Without TCP_NODELAY the second part of an answer waits for the client's delayed acknowledgement, some 40 ms."""
    with answering(reads_all, Patience()) as (address, server), connect(address) as connected:
        connected.sendall(WHOLE)
        assert connected.recv(12) == b"HTTP/1.1 200"
        (accepted,) = server.server_state.connections
        option = accepted.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert option != 0


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", WHOLE[:-2], HEAD, HEAD + b"x" * 100],
    ids=["nothing", "line", "head", "no body", "half a body"],
)
def test_what_does_not_come_to_its_end_is_closed(sent):
    with answering(reads_all, Patience(head_s=0.2, body_s=0.2)) as (address, _), connect(address) as connected:
        connected.sendall(sent)
        assert was_closed(connected)


CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def all_of(connected):
    received = b""
    while part := connected.recv(65_536):
        received += part
    return received


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET /?q=Zürich HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        CHUNKED + b"no chunk\r\n",
    ],
    ids=["not HTTP", "letters in an address", "no host", "two hosts", "a body that breaks off"],
)
def test_what_cannot_be_read_is_told_so_as_anything_else_is_and_is_no_news(sent, caplog):
    with answering(reads_all, Patience()) as (address, _), connect(address) as connected:
        connected.sendall(sent)
        head, _, body = all_of(connected).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    assert b"%C3%A9" in json.loads(body)["detail"].encode()
    assert caplog.records == []


async def answers_early(scope, receive, send):
    """As the door does where a password is needed: whatever follows is not read."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def test_a_body_that_breaks_off_behind_its_answer_ends_the_connection_and_is_no_news(caplog):
    """Else anybody fills the log, by twenty lines a request."""
    with answering(answers_early, Patience()) as (address, _), connect(address) as connected:
        connected.sendall(CHUNKED)
        assert connected.recv(1000).startswith(b"HTTP/1.1 401")
        connected.sendall(b"no chunk\r\n")
        assert all_of(connected) == b""
    assert caplog.records == []


@pytest.mark.parametrize("app", [reads_all, answers_early])
def test_an_answer_to_head_has_no_body_where_the_request_breaks_off_either(app, caplog):
    with answering(app, Patience()) as (address, _), connect(address) as connected:
        connected.sendall(CHUNKED.replace(b"POST", b"HEAD") + b"no chunk\r\n")
        head, _, body = all_of(connected).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert body == b""
    assert caplog.records == []


def test_another_protocol_is_not_taken_up_and_is_no_news(caplog):
    asked = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    with answering(reads_all, Patience()) as (address, _), connect(address) as connected:
        connected.sendall(asked)
        assert connected.recv(12) == b"HTTP/1.1 200"
    assert caplog.records == []


def test_so_is_half_a_head_after_a_whole_request():
    with answering(reads_all, Patience(head_s=0.3)) as (address, _), connect(address) as connected:
        connected.sendall(WHOLE)
        received = b""
        while not received.endswith(b"\r\n\r\n0"):
            received += connected.recv(1000)
        connected.sendall(b"GET")  # which ends uvicorn's own wait for a next request
        assert was_closed(connected)


def test_a_body_that_keeps_coming_may_take_longer():
    patience = Patience(body_s=0.3, body_bytes_per_s=10_000)
    with answering(reads_all, patience) as (address, _), connect(address) as connected:
        connected.sendall(HEAD)
        with pytest.raises(TimeoutError):  # three times as long as a silent one may take
            connected.sendall(b"x" * 90_000)
            connected.settimeout(0.9)
            connected.recv(1)
        connected.settimeout(60)
        connected.sendall(b"x" * 10_000)
        assert connected.recv(12) == b"HTTP/1.1 200"


def test_an_application_that_does_not_read_is_not_the_clients_fault():
    patience = Patience(body_s=0.1, body_bytes_per_s=10**9)
    with held() as (app, go_on), answering(app, patience) as (address, _), ExitStack() as stack:
        connected, watch = (stack.enter_context(connect(address)) for _ in range(2))
        connected.sendall(HEAD + b"x" * 99_000)
        watch.sendall(HEAD)
        assert was_closed(watch)  # so the time was over for both
        go_on.set()
        connected.sendall(b"x" * 1000)
        assert connected.recv(12) == b"HTTP/1.1 200"


def test_a_new_connection_takes_the_place_of_one_that_waits():
    with answering(reads_all, Patience(head_s=3600, body_s=3600, most=4)) as (address, server), ExitStack() as stack:
        body = stack.enter_context(connect(address))
        body.sendall(HEAD + b"x" * 10)
        wait_for(lambda: any(seen(server, lambda one: one.cycle)))
        waiting = [stack.enter_context(connect(address)) for _ in range(3)]
        for connected in waiting:
            connected.sendall(b"GET")
        last = stack.enter_context(connect(address))
        last.sendall(WHOLE)
        assert last.recv(12) == b"HTTP/1.1 200"
        assert was_closed(waiting[0])
        body.sendall(b"x" * 99_990)
        assert body.recv(12) == b"HTTP/1.1 200"


def test_where_all_are_being_answered_a_new_one_is_told_to_come_later():
    with held() as (app, go_on), answering(app, Patience(most=2)) as (address, server), ExitStack() as stack:
        there = busy(address, stack, server, 2)
        with connect(address) as refused:
            assert refused.recv(12) == b"HTTP/1.1 503"
        go_on.set()
        assert [connected.recv(12) for connected in there] == [b"HTTP/1.1 200"] * 2


def test_a_new_connection_takes_the_place_of_one_with_a_wrong_password():
    """Those wait for long, by hundreds, and whoever has the right one shall not wait in front of the door."""

    async def door(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/wrong":
            scope[AT_THE_DOOR] = True
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await reads_all(scope, receive, send)

    with answering(door, Patience(most=3)) as (address, server), ExitStack() as stack:
        body = stack.enter_context(connect(address))
        body.sendall(HEAD)
        wrong = [stack.enter_context(connect(address)) for _ in range(2)]
        for many, connected in enumerate(wrong, 1):
            connected.sendall(WHOLE.replace(b"/ HTTP", b"/wrong HTTP"))
            wait_for(lambda many=many: sum(seen(server, lambda one: AT_THE_DOOR in (one.scope or ()))) == many)
        right = stack.enter_context(connect(address))
        right.sendall(WHOLE)
        assert right.recv(12) == b"HTTP/1.1 200"
        assert was_closed(wrong[0])
        body.sendall(b"x" * 100_000)
        assert body.recv(12) == b"HTTP/1.1 200"


async def endless(scope, receive, send):
    """Answers without an end at /endless, with more than the system takes at /large, else as `reads_all`."""
    if scope["type"] != "http" or scope["path"] == "/":
        await reads_all(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    part = b"x" * (LARGE if scope["path"] == "/large" else 100_000)
    for _ in range(1 if scope["path"] == "/large" else 1000):
        await send({"type": "http.response.body", "body": part, "more_body": scope["path"] == "/endless"})


LARGE = 32 * 2**20


@pytest.mark.parametrize("asked", [b"GET /endless", b"GET /large"])
def test_a_new_connection_takes_the_place_of_one_that_does_not_read_its_answer(asked):
    """One that is to be closed when its answer has left is there as long as that does not leave."""
    request = WHOLE.replace(b"GET /", asked).replace(b"localhost", b"localhost\r\nConnection: close")
    with answering(endless, Patience(unread_s=0.1, most=2)) as (address, server), ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connect(address)).sendall(request)
        wait_for(lambda: sum(seen(server, lambda one: one._gives_way() is not None)) == 2)
        hearing = stack.enter_context(connect(address))
        hearing.sendall(WHOLE)
        assert hearing.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_reads_slowly_keeps_its_place_and_hears_the_whole_answer():
    """A full buffer does not say that nothing is read, and the wait for a next request begins when it is empty."""
    with answering(endless, Patience(head_s=0.1, most=1)) as (address, server), connect(address) as slow:
        slow.sendall(WHOLE.replace(b"/ HTTP", b"/large HTTP"))
        wait_for(lambda: any(seen(server, lambda one: one._waits_for == "head" and one.scope)))
        (there,) = server.server_state.connections
        since = there._since
        wait_for(lambda: there._since > since)  # it was time to close it
        with connect(address) as refused:
            assert refused.recv(12) == b"HTTP/1.1 503"
        received = 0
        while received < LARGE:
            part = slow.recv(2**20)
            assert part
            received += len(part)


LOW = """
import asyncio, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
from tests.app.web.door.test_connections import reads_all
from app.web.door.connections import Patience
from app.web.door.open_files import raise_open_files
from app.web.server import answer, listen
raise_open_files()
with listen("127.0.0.1", 0) as listening:
    told = lambda _: print(listening.getsockname()[1], flush=True)
    asyncio.run(answer(lambda: reads_all, listening, told, Patience(head_s=3.0, most=int(1e9))))
"""


def test_half_sent_requests_beyond_the_limit_of_files_stop_nobody_for_long():
    """Nothing but the clock helps here: the bound of connections is out of the way."""
    process = forked_code.Started(LOW)
    try:
        address = ("127.0.0.1", int(process.stdout.readline()))
        with ExitStack() as stack:
            for _ in range(90):
                silent = stack.enter_context(socket.socket())
                silent.setblocking(False)  # the system answers for the server as long as its queue has room
                silent.connect_ex(address)
            assert select.select([process.stderr], [], [], 60)[0]
            with connect(address) as connected:
                connected.sendall(WHOLE)
                assert connected.recv(12) == b"HTTP/1.1 200"
        process.kill()
        log = process.stderr.read()
    finally:
        process.close()
    assert "Traceback" not in log
    assert log.count("connections wait: Too many open files (60 files may be open)") == 1


def test_the_limit_of_files_is_raised_to_the_hard_one():
    code = (
        "import resource as r; from app.web.door.open_files import *; hard = r.getrlimit(r.RLIMIT_NOFILE)[1];"
        "r.setrlimit(r.RLIMIT_NOFILE, (100, min(300, hard))); raise_open_files(); print(open_files())"
    )
    done = forked_code.run(code)
    assert int(done.stdout) == min(300, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def test_there_are_fewer_connections_than_files():
    assert 8 <= Patience().connections <= max(8, open_files() // 2)


def test_only_what_repeats_is_told_once(caplog):
    now = [0.0]
    told = []

    class Loop:
        def default_exception_handler(self, context):
            told.append(context)

    handle = tell_once(60, lambda: now[0])
    full = {"message": "accept", "exception": OSError(errno.EMFILE, "Too many open files")}
    with caplog.at_level(logging.WARNING):
        for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
            handle(Loop(), full)
    assert len(caplog.records) == 2
    other = {"message": "x", "exception": OSError(errno.EIO, "x")}
    handle(Loop(), other)
    handle(Loop(), {"message": "no error"})
    assert told == [other, {"message": "no error"}]
