"""Which proxies are trusted, and below which path they put everything, as settings say it. Pure."""

import ipaddress
import re
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROOT = re.compile(r"(/[\w.~-]+)*", re.ASCII)
OWN_NAMES = {"api", "assets", "config", "favicon.ico", "gradio_api", "openapi.json", "static", "svelte", "theme.css"}


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks of proxies.

    Raises:
        ValueError: one is neither.
    """
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def checked_root(text: str) -> str:
    """A path that everything lies below: "" or "/photos".

    Raises:
        ValueError: it cannot be one.
    """
    path = "/" + text.strip().strip("/") if text.strip().strip("/") else ""
    first = path.partition("/")[2].partition("/")[0]
    if not ROOT.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError(f"{text!r} is no path such as /photos")
    if first in OWN_NAMES:
        raise ValueError(f"/{first} is a path of the server's own; take another, such as /photos")
    return path
