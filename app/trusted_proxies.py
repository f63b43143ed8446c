"""Which proxies are trusted, which names answered to, and what all lies below, as settings say it. Pure."""

import ipaddress
import re
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST = re.compile(r"(?!\d+(\.\d+){3}\Z)[\w.-]{1,253}", re.ASCII)  # four numbers that are no address name nothing
LONGEST_ROOT = 200
ROOT = re.compile(r"(/[\w.~-]+)*", re.ASCII)
OWN_NAMES = {"api", "assets", "config", "favicon.ico", "gradio_api", "openapi.json", "static", "svelte", "theme.css"}


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks of proxies.

    Raises:
        ValueError: one is neither.
    """
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def checked_host(text: str) -> str:
    """A name in the one way that Host headers and settings are compared in: small letters, IPv6 in brackets, no port.

    An IPv6 zone is left out: it is the client's own word for one of its networks (RFC 4007, section 6).

    Raises:
        ValueError: it is none.
    """
    name = text.strip().lower().removesuffix(".")
    try:
        in_brackets = name.startswith("[") and name.endswith("]")
        address = ipaddress.IPv6Address(name[1:-1]) if in_brackets else ipaddress.ip_address(name)
    except ValueError:
        if not HOST.fullmatch(name):
            raise ValueError(f"{text!r} is no name such as photos.lan, without http:// and without a port") from None
        return name
    return str(address) if address.version == 4 else f"[{str(address).partition('%')[0]}]"


def checked_root(text: str) -> str:
    """A path that everything lies below: "" or "/photos".

    Raises:
        ValueError: it cannot be one.
    """
    path = "/" + text.strip().strip("/") if text.strip().strip("/") else ""
    first = path.partition("/")[2].partition("/")[0]
    if len(path) > LONGEST_ROOT or not ROOT.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise ValueError(f"{text!r} is no path such as /photos")
    if first in OWN_NAMES:
        raise ValueError(f"/{first} is a path of the server's own; take another, such as /photos")
    return path
