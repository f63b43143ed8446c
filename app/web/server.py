"""Serves the page and the HTTP API until it is stopped. It searches nothing; `security.py` guards the door."""

import asyncio
import logging
import math
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from app.bootstrap import Services
from app.running.notice import Notice, Origins
from app.running.proof import PATH
from app.trusted_proxies import networks
from app.web.api import QuickSearch, build_api
from app.web.door.connections import Patience, protocol
from app.web.door.desk import Answer, Desk
from app.web.door.doorkeeper import Doorkeeper
from app.web.door.forwarding import Proxies
from app.web.door.open_files import raise_open_files, tell_once
from app.web.door.page_door import PageDoor
from app.web.door.request_form import RequestForm
from app.web.door.security import LOOPBACK_NAMES, Gate, is_loopback
from app.web.page.mounting import made_in, mount
from app.web.page.ui import build_ui, offered
from app.web.resting import Resting
from app.web.temporary_folder import temporary_folder
from indexer import memory
from indexer.errors import PicsiftError

LONGEST_HEAD_BYTES = 256 * 1024  # of a request; a query of 100 kB shall get its sentence, not a bare 400
ACCEPTED_AT_ONCE = 32  # connections; they count only after that, so that many would pass the limit of open files

log = logging.getLogger(__name__)


class ServerError(PicsiftError):
    """The server cannot be started as asked."""


def serve(
    services: Services,
    host: str | None = None,
    port: int | None = None,
    *,
    announce: Callable[[str], None] | None = None,
    commands: Answer | None = None,
    origins: Origins | None = None,
) -> None:
    """Answer until interrupted (Ctrl-C raises KeyboardInterrupt when everything is closed; SIGTERM is the caller's).

    Args:
        services: what answers.
        host: address or name to listen on; None takes the settings'.
        port: TCP port, 0 for any that is free; None takes the settings'.
        announce: called with the address of the page once it answers; None writes it to standard error.
        commands: answers commands of this user on this machine, which find the server by a note in the library's
            folder; None leaves none there.
        origins: of the settings and the program, taken before either was read; None leaves no note either.

    Raises:
        ServerError: other machines could reach it and there is no password; the name or the port cannot be used.
    """
    host = services.settings.host if host is None else host
    port = services.settings.port if port is None else port
    password = secret.get_secret_value() if (secret := services.settings.password) else None
    local = _check_door(host, password)
    if services.settings.trusted_proxy and password is None:
        log.warning("no password is set: whomever the proxy lets through can see your photos")
    raise_open_files()
    names = LOOPBACK_NAMES | {host.lower(), *services.settings.allowed_host} if local else None
    with listen(host, port) as listening, temporary_folder() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(folder)  # Gradio's own default is shared with other users
        fields = type(services.settings).model_fields
        notice = Notice(services.library.folder, fields, origins) if commands and origins else None
        desk = partial(Desk, answer=commands, token=notice.token) if commands and notice else None
        answering = threading.Event()
        put_up = partial(notice.put_up, listening.getsockname(), host) if notice else None
        threading.Thread(target=_warm_up, args=(services, answering, put_up), name="warm-up", daemon=True).start()

        def started(_: uvicorn.Server) -> None:
            answering.set()
            (announce or _write)(address_of(host, listening))

        run = answer(
            lambda: build_app(services, password=password, hosts=names, folder=folder, desk=desk), listening, started
        )
        try:
            asyncio.run(_closing(services, run))
        finally:
            if notice:
                notice.take_down()


def build_app(
    services: Services,
    *,
    password: str | None = None,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    folder: Path | None = None,
    desk: Callable[[ASGIApp], ASGIApp] | None = None,
) -> ASGIApp:
    """The page and the API behind the gate.

    Args:
        services: what answers.
        password: or its argon2 hash; asked of every request. None asks none of them.
        hosts: the names the server answers to; with a password it answers to any.
        folder: the server's own temporary folder; None is the system's.
        desk: put before the page and the API, to answer commands without the password; None answers none.
    """
    settings = services.settings
    with made_in(folder):
        page = build_ui(services)
        mounted = mount(build_api(services, folder=folder), page)
    inside: ASGIApp = QuickSearch(PageDoor(mounted, offered(page)), services)
    gate = Gate(
        Resting(inside if desk is None else desk(inside)),
        keeper=Doorkeeper(password) if password else None,
        hosts=None if password else hosts,
        proxies=Proxies(networks(settings.trusted_proxy), settings.root_path),
        locked=None if desk is None else PATH,
    )
    return RequestForm(gate)


def _check_door(host: str, password: str | None) -> bool:
    """Whether only this machine can reach `host`.

    Raises:
        ServerError: the host is no name of this machine, or others could come in without a password.
    """
    try:
        local = is_loopback(host)
    except (OSError, UnicodeError) as error:
        raise ServerError(f"{host!r} is no address of this machine ({error}). Take 127.0.0.1 or 0.0.0.0.") from error
    if not local and password is None:
        raise ServerError(
            f"on {host} other machines could see your photos, and no password is set. "
            "Set one with 'picsift serve --set-password' or in PICSIFT_PASSWORD, or serve on 127.0.0.1."
        )
    return local


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        ServerError: it cannot.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    try:
        return socket.create_server((str(address[0]), port), family=family, backlog=128)
    except PermissionError as error:
        raise ServerError(f"port {port} needs rights that you do not have. Take one above 1023 with --port.") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)  # its own says twice where
        raise ServerError(
            f"port {port} on {host} cannot be used: {reason.lower()}. "
            "Stop what listens there, or take another with --port."
        ) from error


def address_of(host: str, listening: socket.socket) -> str:
    """What a person opens in a browser."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"


def make_server(app: ASGIApp, patience: Patience) -> uvicorn.Server:
    """A server of `app` that leaves logging, and the sockets it answers on, to its caller.

    An open page holds a stream that never ends by itself, so stopping waits for none and reports none. What proxies say
    is not uvicorn's to believe, which would take the word of every program on this machine.
    """
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it tells of each damaged form
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol(patience),  # type: ignore[arg-type]  # it asks for a class, and calls it
            ws="none",
            proxy_headers=False,
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=math.ceil(patience.head_s),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=0,
            h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
        )
    )


async def answer(
    build: Callable[[], ASGIApp],
    listening: socket.socket,
    started: Callable[[uvicorn.Server], None],
    patience: Patience | None = None,
) -> None:
    """Build the application, answer until told to stop, and call `started` once it answers.

    The application is built in the loop that runs it: outside of one Gradio makes loops that it never closes.
    """
    asyncio.get_running_loop().set_exception_handler(tell_once())
    server = make_server(build(), patience or Patience())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        started(server)
    await serving


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is no stream that was cut, and nothing that any stranger can have said as often as he likes."""
    told = str(record.msg)
    cut = isinstance((record.exc_info or (None, None))[1], asyncio.CancelledError) or told.endswith("CancelledError\n")
    return not cut and "timeout graceful shutdown" not in told and "Invalid HTTP request" not in told


async def _closing(services: Services, run: Awaitable[None]) -> None:
    """Have no picture that is being decoded hold up the end: its thread would be waited for."""
    try:
        await run
    finally:
        services.decoder.close()


def _warm_up(services: Services, answering: threading.Event, put_up: Callable[[], None] | None) -> None:
    """Load the model before the first search asks for it; what is wrong with it the search will say again."""
    try:
        services.search.warm_up()
    except PicsiftError as error:
        log.info("nothing is loaded ahead: %s", error)
    answering.wait()  # before that a command is done sooner by itself
    memory.settle()
    if put_up is not None:
        put_up()


def _write(address: str) -> None:
    sys.stderr.write(f"picsift answers at {address} (Ctrl-C ends it)\n")
    sys.stderr.flush()
