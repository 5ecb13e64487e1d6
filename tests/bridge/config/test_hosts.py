"""Hosts and origins: what is written in several ways and means one thing, and what could never match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.hosts import host_in, host_setting, is_loopback, origin_setting


@pytest.mark.parametrize(
    ("written", "host"),
    [
        *(("acme.example.com", "acme.example.com"), ("ACME.Example.com", "acme.example.com")),
        *(("acme.example.com.", "acme.example.com"), (" acme.example.com ", "acme.example.com")),
        *(("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example.", "xn--bcher-kva.example")),
        *(("XN--bcher-kva.example", "xn--bcher-kva.example"), ("straße.example", "xn--strae-oqa.example")),
        *(("例え。テスト", "xn--r8jz45g.xn--zckzah"), ("[::1]", "[::1]"), ("::1", "[::1]"), ("[0:0::1]", "[::1]")),
        *(("127.0.0.1", "127.0.0.1"), ("my_bridge", "my_bridge"), ("localhost", "localhost")),
    ],
)
def test_a_host_is_compared_as_hosts_are(written: str, host: str) -> None:
    assert host_setting(written) == host
    assert host_in(host) == host
    assert written == "::1" or host_in(written) == host


@pytest.mark.parametrize(
    "header",
    ["acme.example.com:8443", "Acme.Example.COM.:443", "acme.example.com:", "acme.example.com.", " acme.example.com"],
)
def test_a_header_may_have_a_port_and_a_dot(header: str) -> None:
    assert host_in(header) == "acme.example.com"


def test_a_header_in_utf_8_is_read() -> None:
    assert host_in("bücher.example".encode().decode("latin-1")) == "xn--bcher-kva.example"
    assert host_in("[::1]:8000") == host_in("[0::1]") == "[::1]"


@given(st.text(max_size=40))
def test_every_header_is_read(header: str) -> None:
    assert host_in(header) == host_in(header).lower()


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", ".", "https://acme.example.com", "acme.example.com/", "acme.example.com/x", "acme.example.com:443"),
        *(
            "*",
            "*.example.com",
            ".example.com",
            "a..b",
            "a b",
            "user@acme.example.com",
            "acme.example.com?x",
            "[::1]:80",
        ),
        *("127.1", "0x7f.1", "2130706433", "010.0.0.1", "256.1.1.1", "acme.7", "1.2.3.4.5"),
        *("[::1", "::g", "a,b", "a" * 64, "a." * 130, "\ud83d", "xn--\u00fc.example", "null\n.x"),
    ],
)
def test_what_no_request_can_have_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(
        ValueError, match=r"write it alone, without scheme, port, path or wildcard, as in acme\.example"
    ):
        host_setting(written)


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        *(
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.com/", "https://app.example.com"),
        ),
        *(("https://app.example.com:443", "https://app.example.com"), ("http://a.example:80/", "http://a.example")),
        *(("http://a.example:443", "http://a.example:443"), ("https://a.example:8443/", "https://a.example:8443")),
        *(("https://bücher.example", "https://xn--bcher-kva.example"), ("http://[0::1]:80", "http://[::1]")),
        *(("http://[::1]:5173", "http://[::1]:5173"), ("https://app.example.com.", "https://app.example.com")),
        *(("app://localhost", "app://localhost"), ("capacitor://localhost/", "capacitor://localhost")),
        *(("file://", "file://"), ("file:///", "file://"), ("null", "null")),
        *((" https://a.example ", "https://a.example"), ("chrome-extension://abcdef", "chrome-extension://abcdef")),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(written: str, origin: str) -> None:
    assert origin_setting(written) == origin
    assert origin_setting(origin) == origin


@pytest.mark.parametrize(
    "written",
    [
        *("", "*", "app.example.com", "app.example.com:443", "//app.example.com", "https://*.example.com", "https://*"),
        *(
            "https://app.example.com/path",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://",
            "http:///",
        ),
        *("https://user@app.example.com", "wss://app.example.com", "ws://a.example", "https:app.example.com", "None"),
        *("https://a.example https://b.example", "https://a.example,https://b.example", "https://a.example:99999"),
        *("https://127.1", "http://2130706433", "https://a.0x1:8443", "https://256.1.1.1"),
        *("https://a.example:x", "https://[::1", "file://x/y", "https://a..b", "https://a.example:0x50", "1://a"),
    ],
)
def test_what_no_browser_sends_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ValueError, match=r"is no web origin: write scheme and host"):
        origin_setting(written)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.8.9.1", "[::1]"])
def test_a_name_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "128.0.0.1", "[::2]", "127.0.0.1.evil"])
def test_any_other_name_is_not(host: str) -> None:
    assert not is_loopback(host)
