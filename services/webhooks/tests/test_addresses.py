"""Where nothing is sent to, whatever it is called."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from webhooks.domain import addresses
from webhooks.domain.addresses import Allowed
from webhooks.domain.problems import AddressRefused

PATIENT = settings(deadline=None)

INNER = [
    "127.0.0.1", "127.255.0.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "192.88.99.1",
]  # fmt: skip
INNER6 = [
    "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::", "2002:808:808::",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:8.8.8.8", "fe80::1%eth0",
]  # fmt: skip
OUTER = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", INNER + INNER6)
def test_what_is_not_the_public_internet_is_refused(text: str):
    with pytest.raises(AddressRefused):
        Allowed().judge("example.com", ["8.8.8.8", text])


@pytest.mark.parametrize("text", OUTER)
def test_the_public_internet_is_not(text: str):
    Allowed().judge("example.com", [text])


@PATIENT
@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_what_it_is(address: IPv4Address):
    number = int(address)
    for wrapped in (IPv6Address(0xFFFF << 32 | number), IPv6Address((0x64FF9B << 96) | number)):
        assert addresses.public(wrapped) == addresses.public(address)
    for hidden in (IPv6Address(0x2002 << 112 | number << 80), IPv6Address((0x2606 << 112) | (0x5EFE << 32) | number)):
        assert not addresses.public(hidden)


@PATIENT
@given(st.sampled_from(INNER).map(IPv4Address), st.integers(8, 32))
def test_what_the_operator_allows_is_allowed_in_every_spelling(address: IPv4Address, bits: int):
    allowed = Allowed([f"{address}/{bits}"])
    for spelling in (str(address), f"::ffff:{address}", str(IPv6Address((0x64FF9B << 96) | int(address)))):
        allowed.judge("n8n.example.com", [spelling])


def test_a_named_host_may_lead_anywhere_and_no_other():
    allowed = Allowed.of("n8n, *.internal ,10.1.0.0/16")
    for host in ("n8n", "N8N.", "a.internal"):
        allowed.judge(host, ["127.0.0.1"])
    allowed.judge("other", ["10.1.2.3"])
    for host in ("n8n.example.com", "internal", "ainternal", "xn8n"):
        with pytest.raises(AddressRefused):
            allowed.judge(host, ["127.0.0.1"])


@pytest.mark.parametrize("text", ["10.0.0.0/33", "http://x", "a/b", "*", "a*b", "10.0.0.1:80"])
def test_what_is_neither_a_network_nor_a_host_is_no_entry(text: str):
    with pytest.raises(ValueError):
        Allowed.of(text)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.com", "https://", "example.com", "https://user:secret@example.com", "https://example.com/#x", "http://127.0.0.1",
        "https://[::1]/", "https://[::ffff:7f00:1]/", "https://169.254.169.254/latest/meta-data", "https://localhost/", "https://a.localhost",
        "https://example.com:0", "https://example.com:99999", "https://exa mple.com", "https://example.com/\r\nx: y", "x" * 3000,
        "https://[::1", "javascript:alert(1)", "http://[64:ff9b::7f00:1]",
    ],
)  # fmt: skip
def test_such_a_url_is_refused_when_it_is_entered(text: str):
    with pytest.raises(AddressRefused):
        addresses.url(text, Allowed(), production=False)


def test_in_production_only_what_the_operator_named_goes_without_tls():
    allowed = Allowed.of("n8n,10.0.0.0/8")
    for text in ("http://n8n:5678/webhook/x", "http://10.0.0.5/", "https://example.com/hook?a=b"):
        assert addresses.url(f" {text} ", allowed, production=True) == text
    for text in ("http://example.com/", "http://8.8.8.8/"):
        with pytest.raises(AddressRefused):
            addresses.url(text, allowed, production=True)
        assert addresses.url(text, allowed, production=False) == text
    assert addresses.url("http://localhost:3000", Allowed.of("127.0.0.0/8"), production=False)


@PATIENT
@given(st.text(max_size=60))
def test_any_text_is_a_url_or_is_refused(text: str):
    try:
        kept = addresses.url(text, Allowed(), production=False)
    except AddressRefused:
        return
    assert kept.lower().startswith(("http://", "https://"))
