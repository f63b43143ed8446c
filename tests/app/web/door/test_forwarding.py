"""What proxies say is believed where they are trusted, and heard by nobody else."""

import pytest

from app.trusted_proxies import checked_root, networks
from app.web.door.forwarding import Proxies, path_below_root


def request(path="/", sender="127.0.0.1", **headers):
    pairs = {"host": "127.0.0.1:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http",
        "scheme": "http",
        "client": (sender, 5000),
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
    }


def seen(scope, *, trusted=("127.0.0.1", "10.0.0.0/8"), root=""):
    outside = Proxies(networks(trusted), root).seen_from_outside(scope)
    return outside | {"host": dict(outside["headers"])[b"host"].decode()}


@pytest.mark.parametrize(
    ("headers", "host", "scheme", "client"),
    [
        ({}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "photos.lan"}, "photos.lan", "http", "127.0.0.1"),
        ({"x_forwarded_host": "spoofed.lan, photos.lan:8443"}, "photos.lan:8443", "http", "127.0.0.1"),
        ({"x_forwarded_host": "a b"}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "a/../b"}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "a" * 254}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "[:::]"}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "256.1.1.1"}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_host": "[::1]:80", "x_forwarded_proto": "HTTPS"}, "[::1]:80", "https", "127.0.0.1"),
        ({"x_forwarded_proto": "javascript"}, "127.0.0.1:7860", "http", "127.0.0.1"),
        ({"x_forwarded_for": "192.0.2.9"}, "127.0.0.1:7860", "http", "192.0.2.9"),
        ({"x_forwarded_for": "1.1.1.1, 192.0.2.9, 10.1.1.1"}, "127.0.0.1:7860", "http", "192.0.2.9"),
        ({"x_forwarded_for": "1.1.1.1, unknown, 10.1.1.1"}, "127.0.0.1:7860", "http", "10.1.1.1"),
        ({"x_forwarded_for": "192.0.2.9:4711"}, "127.0.0.1:7860", "http", "192.0.2.9"),
        (
            {"forwarded": 'for="[2001:db8::1]:47";proto=https;host="photos.lan:8443"'},
            "photos.lan:8443",
            "https",
            "2001:db8::1",
        ),
        ({"forwarded": "for=1.1.1.1, for=192.0.2.9;host=photos.lan"}, "photos.lan", "http", "192.0.2.9"),
        ({"forwarded": ";;=,,=;"}, "127.0.0.1:7860", "http", "127.0.0.1"),
    ],
)
def test_a_trusted_proxy_says_name_scheme_and_sender(headers, host, scheme, client):
    outside = seen(request(**headers))
    assert (outside["host"], outside["scheme"], outside["client"][0]) == (host, scheme, client)


SAID = {
    "x_forwarded_host": "evil.example",
    "x_forwarded_proto": "https",
    "x_forwarded_for": "192.0.2.9",
    "x_forwarded_prefix": "/evil",
    "forwarded": "host=evil.example;proto=https;for=192.0.2.9",
    "x_gradio_server": "http://evil.example",
    "x_real_ip": "192.0.2.9",
}


@pytest.mark.parametrize("sender", ["127.0.0.2", "192.0.2.1", "::1", "", "a pipe"])
def test_nobody_else_says_anything(sender):
    scope = request(sender=sender, **SAID)
    outside = seen(scope)
    assert (outside["host"], outside["scheme"], outside["client"]) == ("127.0.0.1:7860", "http", (sender, 5000))
    assert (outside["path"], outside["root_path"]) == ("/", "")
    assert [name for name, _ in outside["headers"]] == [b"host"]


def test_what_was_said_goes_no_further():
    assert [name for name, _ in seen(request(**SAID))["headers"]] == [b"host"]


def test_cookies_go_no_further():
    """Nothing here sets any; read one of 250 kB of backslashes, and all others wait for a minute."""
    assert [name for name, _ in seen(request(cookie='a="' + '\\"' * 9 + '"'))["headers"]] == [b"host"]


def test_what_a_client_says_in_the_other_language_is_not_the_proxys_word():
    """A proxy that adds X-Forwarded- headers hands on what it was sent as Forwarded, and the other way round."""
    told = {"x_forwarded_for": "192.0.2.9", "forwarded": "for=198.51.100.1;host=evil.example;proto=https"}
    outside = seen(request(**told))
    assert (outside["host"], outside["scheme"], outside["client"][0]) == ("127.0.0.1:7860", "http", "192.0.2.9")


def test_a_proxy_that_says_forwarded_says_its_path_beside_it():
    """Forwarded has no word for a path (RFC 7239); no other header is asked for it, so none silences the rest."""
    told = {"forwarded": "for=192.0.2.5;host=photos.example;proto=https", "x_forwarded_prefix": "/photos"}
    outside = seen(request(**told))
    assert (outside["host"], outside["scheme"], outside["client"][0]) == ("photos.example", "https", "192.0.2.5")
    assert outside["root_path"] == "/photos"


@pytest.mark.parametrize(("root", "below"), [("/photos", "/photos"), ("", "/evil")])
def test_a_root_path_that_is_set_is_not_a_clients_to_change(root, below):
    assert seen(request(x_forwarded_host="photos.lan", x_forwarded_prefix="/evil"), root=root)["root_path"] == below


@pytest.mark.parametrize("word", [" ", "a", "a ", "=", ";", ",", '"', "for=", '="', "for=1.1.1.1,", "\\"])
def test_a_long_header_is_looked_at_once(word):
    """Whoever sends it need not know the password, and all wait: to go back and forth in it took many minutes."""
    assert seen(request(forwarded=word * (250_000 // len(word))))["host"] == "127.0.0.1:7860"


@pytest.mark.parametrize("sender", ["127.0.0.1", "::ffff:127.0.0.1", "10.200.3.4"])
def test_addresses_and_networks_are_trusted(sender):
    assert seen(request(sender=sender, x_forwarded_host="photos.lan"))["host"] == "photos.lan"


@pytest.mark.parametrize(
    ("sender", "elsewhere"), [("127.0.0.1", False), ("::ffff:127.0.0.1", False), ("10.1.1.1", True)]
)
def test_a_proxy_elsewhere_is_told_from_one_here(sender, elsewhere):
    proxies = Proxies(networks(["127.0.0.1", "10.0.0.0/8"]))
    assert proxies.stands_elsewhere(request(sender=sender)) is elsewhere
    assert not Proxies().stands_elsewhere(request(sender=sender))


@pytest.mark.parametrize(
    ("path", "root", "prefix", "below"),
    [
        ("/api/v1/health", "/photos", "", "/api/v1/health"),  # the proxy took the prefix away
        ("/photos/api/v1/health", "/photos", "", "/api/v1/health"),  # it did not
        ("/photos", "/photos", "", "/"),
        ("/photosx", "/photos", "", "/photosx"),
        ("/config", "", "/photos", "/config"),
        ("/config", "/other", "/photos/mine/", "/config"),
        ("/config", "", "/api", "/config"),
        ("/config", "", "//evil.example", "/config"),
        ("/config", "", "/a/../b", "/config"),
    ],
)
def test_paths_lie_below_the_root(path, root, prefix, below):
    outside = seen(request(path, **({"x_forwarded_prefix": prefix} if prefix else {})), root=root)
    assert path_below_root(outside) == below
    assert outside["path"].startswith(outside["root_path"])
    assert outside["raw_path"].decode() == outside["path"]


@pytest.mark.parametrize(
    ("text", "root"),
    [("", ""), ("/", ""), ("photos", "/photos"), ("/photos/", "/photos"), (" /a/b.c~d ", "/a/b.c~d")],
)
def test_roots_are_written_in_one_way(text, root):
    assert checked_root(text) == root


NO_ROOTS = ["/a b", "/..", "/a/./b", "/é", "https://a.example/", "/api", "/gradio_api/x", "/a?b", "a" * 200]


@pytest.mark.parametrize("text", NO_ROOTS)
def test_what_can_be_no_root_is_refused(text):
    with pytest.raises(ValueError, match="/photos"):
        checked_root(text)
