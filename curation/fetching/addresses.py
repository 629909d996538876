"""Which network addresses may be connected to: public ones. The deny table names all others.

The table follows IANA's registries of special-purpose addresses (RFC 6890 and its updates), and the few public-looking
addresses at which clouds answer their own machines.
"""

from __future__ import annotations

import functools
import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Open to tests and to servers of one's own, where the recipe says so.
PRIVATE = {
    "127.0.0.0/8": "loopback",
    "10.0.0.0/8": "private",
    "172.16.0.0/12": "private",
    "192.168.0.0/16": "private",
    "::1/128": "loopback",
    "fc00::/7": "unique local",
}
# Never connected to. Of several networks that hold an address, the smallest counts.
DENIED = {
    "0.0.0.0/8": "this network (RFC 791)",
    "100.64.0.0/10": "shared by carriers (RFC 6598)",
    "168.63.129.16/32": "a cloud's own service (Azure)",
    "169.254.0.0/16": "link-local (RFC 3927); the metadata services of clouds",
    "192.0.0.0/24": "protocol assignments (RFC 6890)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.88.99.0/24": "relays of 6to4 (RFC 7526)",
    "198.18.0.0/15": "benchmarks (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "255.255.255.255/32": "broadcast (RFC 919)",
    "240.0.0.0/4": "reserved (RFC 1112)",
    "fd00:ec2::/32": "a cloud's own services (Amazon)",
    "fd20:ce::/32": "a cloud's own services (Google)",
    "::/128": "unspecified (RFC 4291)",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
    "::ffff:0:0:0/96": "IPv4-translated (RFC 2765)",
    "::/96": "IPv4-compatible (RFC 4291)",
    "64:ff9b::/96": "NAT64 (RFC 6052)",
    "64:ff9b:1::/48": "NAT64 of a local network (RFC 8215)",
    "100::/64": "discard only (RFC 6666)",
    "2001::/32": "Teredo (RFC 4380)",
    "2001:2::/48": "benchmarks (RFC 5180)",
    "2001::/23": "protocol assignments (RFC 2928)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056)",
    "3ffe::/16": "6bone, given back (RFC 3701)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing (RFC 9602)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
    # Global unicast is 2000::/3; IANA has given nothing outside it to the public internet.
    "::/3": "reserved (RFC 4291)",
    "4000::/2": "reserved (RFC 4291)",
    "8000::/1": "reserved (RFC 4291)",
}


def why_denied(address: str, allow_private: bool = False) -> str | None:
    """What an address is that must not be connected to; None for a public one.

    ``address``: IPv4 in four decimal numbers, or IPv6. ``allow_private``: loopback and private addresses are let through.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        return "of one network interface (RFC 4007)"
    for network, meaning, private in _networks():
        if parsed in network:
            return None if private and allow_private else meaning
    return None


@functools.cache
def _networks() -> list[tuple[Network, str, bool]]:
    """Both tables, the smallest networks first: they say more exactly what an address is."""
    rows = [(ipaddress.ip_network(text), meaning, table is PRIVATE) for table in (PRIVATE, DENIED) for text, meaning in table.items()]
    return sorted(rows, key=lambda row: row[0].prefixlen, reverse=True)
