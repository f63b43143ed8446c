"""What proxies in front of the server say of a request, where they are trusted: name, scheme, sender and path. Pure.

What others say of it is taken out, so that nobody behind (Gradio believes such headers) hears it; cookies likewise:
nothing here sets any, and Python reads one of backslashes in a time that grows with the square of its length.
"""

import functools
import ipaddress
import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from app.trusted_proxies import Network, checked_host, checked_root

Scope = MutableMapping[str, Any]  # of ASGI

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_ADDRESS = 45  # characters, of an IPv6 one that ends as one of IPv4
UNHEARD = re.compile(rb"(x-forwarded(-.*)?|forwarded|x-real-ip|x-gradio-server|x-original-.*|cookie)")
NAME = re.compile(r"(\[[0-9a-fA-F:.]+(?:%[\w.~-]+)?\]|[\w.-]+)(:\d{0,5})?", re.ASCII)  # %25eth0, %eth0: an IPv6 zone


@dataclass(frozen=True)
class Proxies:
    """Who may say what a request was before it came here.

    Attributes:
        trusted: networks of the proxies.
        root_path: what everything lies below, whatever a proxy says, which may only hand on what a client said; "" is
            what the proxy says, or nothing.
    """

    trusted: tuple[Network, ...] = ()
    root_path: str = ""

    def trusts(self, scope: Scope) -> bool:
        """Whether a proxy sent the request."""
        return self._is_trusted(sender_of(scope))

    def stands_elsewhere(self, scope: Scope) -> bool:
        """Whether a proxy on another machine sent it: one on this machine looks like a browser on this machine."""
        address = _parsed(sender_of(scope))
        return address is not None and not address.is_loopback and self.trusts(scope)

    def seen_from_outside(self, scope: Scope) -> Scope:
        """The request as it was before the proxy: a scope of its own, whose path begins with its root path."""
        headers = [(name, value) for name, value in scope["headers"] if not UNHEARD.fullmatch(name)]
        root, changes = self.root_path, dict[str, object]()
        if self.trusts(scope):
            said = _said(scope["headers"])
            if _is_name(said.get("host", "")):
                headers = [(name, value) for name, value in headers if name != b"host"]
                headers.append((b"host", said["host"].encode("ascii")))
            if said.get("proto") in ("http", "https"):
                changes["scheme"] = said["proto"]
            sender = self._sender(said.get("for", ""))
            if sender:
                changes["client"] = (sender, 0)
            root = root or _root_or(said.get("prefix", ""), root)
        return {**scope, **changes, "headers": headers, **_below(root, scope)}

    def _is_trusted(self, sender: str) -> bool:
        address = _parsed(sender)
        return address is not None and any(address in network for network in self.trusted)

    def _sender(self, said: str) -> str:
        """Who sent it to the first proxy that is trusted: each proxy adds whom it heard it from, at the end."""
        sender = ""
        for text in reversed([text for text in said.split(",") if text.strip()]):
            heard = _address(text)
            if not heard:
                break
            sender = heard
            if not self._is_trusted(heard):
                break
        return sender


def sender_of(scope: Scope) -> str:
    """The address that a request came from; "" where there is none, as through a pipe."""
    return str((scope.get("client") or ("",))[0])


def path_below_root(scope: Scope) -> str:
    """The path of a request without what all of them have in common."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def name_in(host: str) -> str:
    """What a Host header names, written as `--allowed-host` is.

    Raises:
        ValueError: nothing.
    """
    named = NAME.fullmatch(host)
    return checked_host(named[1] if named else "")


def _is_name(host: str) -> bool:
    try:
        return bool(name_in(host))
    except ValueError:
        return False


def _said(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What the headers say, by the names of RFC 7239, and "prefix"; of several proxies' values that of the nearest.

    A proxy speaks one of two languages, and hands on what a client says in the other: beside X-Forwarded- headers
    Forwarded counts for nothing. X-Forwarded-Prefix belongs to both, since Forwarded has no word for it.
    """
    values: dict[str, list[str]] = {}
    for header, text in headers:
        values.setdefault(header.decode("latin-1"), []).append(text.decode("latin-1"))
    said: dict[str, str] = {}
    last = {
        name: ",".join(values.get(f"x-forwarded-{name}", [])).rpartition(",")[2].strip()
        for name in ("host", "proto", "prefix")
    }
    if last["host"]:
        said["host"] = last["host"]
    if last["proto"]:
        said["proto"] = last["proto"].lower()
    if chain := ",".join(values.get("x-forwarded-for", [])):
        said["for"] = chain
    return (said or _said_in_one(",".join(values.get("forwarded", [])))) | {"prefix": last["prefix"]}


def _said_in_one(forwarded: str) -> dict[str, str]:
    """The same of a Forwarded header. It may be long, and anything: each part is looked at once."""
    said: dict[str, str] = {}
    senders = []
    for hop in forwarded.split(","):
        parts = (pair.partition("=") for pair in hop.split(";"))
        pairs = {name.strip().lower(): value.strip().strip('"') for name, apart, value in parts if apart}
        said |= {name: pairs[name] for name in ("host", "proto") if name in pairs}
        senders += [pairs["for"]] if "for" in pairs else []
    return said | ({"for": ",".join(senders)} if senders else {})


def _address(text: str) -> str:
    """The address of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80` or one in quotes; "" of a name."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return str(_parsed(text) or "")


def _parsed(text: str) -> _Address | None:
    address = text.partition("%")[0]
    return _read(address) if len(address) <= LONGEST_ADDRESS else None


@functools.lru_cache(maxsize=256)  # the same one is asked for three times in each request
def _read(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _root_or(said: str, root: str) -> str:
    try:
        return checked_root(said) or root
    except ValueError:
        return root


def _below(root: str, scope: Scope) -> dict[str, object]:
    """Root and paths of a request below `root`, of which a proxy may have left it out, or not."""
    if not root:
        return {}
    path, raw = scope["path"], scope.get("raw_path") or b""
    if path == root or path.startswith(root + "/"):
        return {"root_path": root}
    return {"root_path": root, "path": root + path, "raw_path": root.encode() + raw}
