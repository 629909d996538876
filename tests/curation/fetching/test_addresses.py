"""The deny table, against Python's own copy of IANA's registries."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.fetching.addresses import DENIED, PRIVATE, why_denied

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::6810:84e5", "2a00:1450:4001::200e"]
TABLE = [*PRIVATE, *DENIED]


def edges(text: str) -> list[str]:
    """First and last address of a network, and the ones just outside it."""
    network = ipaddress.ip_network(text)
    first, last = int(network.network_address), int(network.broadcast_address)
    numbers = [first - 1, first, last, last + 1]
    return [str(type(network.network_address)(number)) for number in numbers if 0 <= number < 1 << network.max_prefixlen]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert why_denied(address) is None


@pytest.mark.parametrize("network", TABLE)
def test_every_network_is_denied_up_to_its_edges(network: str) -> None:
    for address in edges(network):
        inside = ipaddress.ip_address(address) in ipaddress.ip_network(network)
        assert why_denied(address) or not inside, address
        assert why_denied(address) or ipaddress.ip_address(address).is_global, address


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_passes_that_is_not_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if why_denied(str(address)) is None:
        assert address.is_global and not address.is_multicast


def test_private_hosts_open_the_private_table_only() -> None:
    for network in PRIVATE:
        assert why_denied(edges(network)[1], allow_private=True) is None
    for network in DENIED:
        for address in edges(network):
            if ipaddress.ip_address(address) in ipaddress.ip_network(network):
                own = any(ipaddress.ip_address(address) in ipaddress.ip_network(private) for private in ("::1/128",))
                assert own or why_denied(address, allow_private=True), address


@pytest.mark.parametrize("text", ["fe80::1%eth0", "1.2.3", "0x7f.0.0.1", "127.0.0.01", "", "example.org"])
def test_what_is_no_plain_address_is_denied(text: str) -> None:
    assert why_denied(text, allow_private=True)
