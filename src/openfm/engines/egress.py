"""Where models of other providers may be: what keeps a URL that a user gave away from this machine's own network.

Judged is the address that is connected to, at the time it is: a name that resolves to another address afterwards
(DNS rebinding) gains nothing. Redirects are not followed (`openai_http.py`), for they would be a URL nobody judged.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from openfm.core.errors import EngineFailed

Address = IPv4Address | IPv6Address

_HOST_SIGNS = str.maketrans("-_", "aa")
_NAT64 = IPv6Network("64:ff9b::/96")
# What Python's releases judge differently, and Azure's "wire server": in the public range, yet it answers inside only.
_NEVER = tuple(
    ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48", "2001::/23", "fec0::/10")
)


@dataclass(frozen=True, slots=True)
class EgressGuard:
    """Lets global addresses pass, and what the operator allowed by `hosts` (lower case) or `networks`."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "EgressGuard":
        """From a list such as "models.internal, 10.1.0.0/16, ::1". Raises ValueError for what is neither."""
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            if "/" in entry or _literal(entry) is not None:
                networks.append(_network(entry))
            elif not all(label and label.translate(_HOST_SIGNS).isalnum() for label in entry.rstrip(".").split(".")):
                raise ValueError(f"'{entry}' is neither a host's name nor a CIDR such as 10.1.0.0/16.")
            else:
                hosts.add(entry.rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    def check_url(self, url: str) -> None:
        """Raise `EngineFailed` unless it is http(s), and its host a name or an address that may be reached."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            raise EngineFailed(
                "The external model's URL cannot be read. Correct it in the endpoint's config."
            ) from None
        if parts.scheme not in ("http", "https") or not host:
            raise EngineFailed("The external model's URL must begin with https:// or http:// and name a host.")
        literal = _literal(host)
        if literal is not None:
            self.check(host, [literal])

    def check(self, host: str, addresses: Iterable[Address]) -> None:
        """Raise `EngineFailed` unless every address that `host` stands for may be reached."""
        if host.lower().rstrip(".") in self.hosts:
            return
        for address in addresses:
            if not (_is_global(address) or self._is_allowed(address)):
                # The address itself is not told: it would map a network to whoever may name hosts.
                raise EngineFailed(
                    f"openfm does not connect to '{host}': it has an address that is not public. The operator can "
                    "allow the host or its network with the setting egress_allow (OPENFM_EGRESS_ALLOW)."
                )

    def _is_allowed(self, address: Address) -> bool:
        forms = (address, *_embedded(address))
        return any(form in network for form in forms for network in self.networks if form.version == network.version)


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp, and stops at addresses that the guard does not let pass.

    aiohttp asks no resolver about addresses; `EgressGuard.check_url` judges those.
    """

    def __init__(self, guard: EgressGuard, resolver: AbstractResolver | None = None) -> None:
        self._guard = guard
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of `host`. Raises `EngineFailed` if one may not be reached, OSError if there is none."""
        found = await self._resolver.resolve(host, port, family)
        self._guard.check(host, [ip_address(result["host"].partition("%")[0]) for result in found])
        return found

    async def close(self) -> None:
        """Release what the resolver holds."""
        await self._resolver.close()


def _is_global(address: Address) -> bool:
    """Whether it is public, and so is every IPv4 address that a translator would make of it."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return _is_global(address.ipv4_mapped)
    is_public = address.is_global and not address.is_multicast and not any(address in network for network in _NEVER)
    return is_public and all(_is_global(inner) for inner in _embedded(address))


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """IPv4 addresses inside an IPv6 address: mapped, 6to4, NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    found = [inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return tuple(found)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        return None


def _network(entry: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        raise ValueError(f"'{entry}' is not a CIDR such as 10.1.0.0/16.") from None
