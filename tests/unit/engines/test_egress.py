"""Which addresses a URL of a user's choice may lead to."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from openfm.core.errors import EngineFailed
from openfm.engines.egress import EgressGuard, GuardedResolver

NOTHING_ALLOWED = EgressGuard.parse("")

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",  # noqa: S104  # connects to this machine
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
]


def url_of(address: str) -> str:
    return f"http://[{address}]/v1" if ":" in address else f"http://{address}:8000/v1"


class Names(AbstractResolver):
    """A resolver whose answer may change between two questions."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._answers.pop(0)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(EngineFailed, match="egress_allow"):
        NOTHING_ALLOWED.check_url(url_of(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    NOTHING_ALLOWED.check_url(url_of(address))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org", "unix:/run/x", "//host", "http://", "http://[::1"]
)
def test_only_http_urls_with_a_host_pass(url: str) -> None:
    with pytest.raises(EngineFailed):
        NOTHING_ALLOWED.check_url(url)


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.0/8", " 10.0.0.0/8 , 127.0.0.1/32,"])
def test_allowed_networks_pass_and_others_do_not(allowed: str) -> None:
    guard = EgressGuard.parse(allowed)
    guard.check_url(url_of("127.0.0.1"))
    guard.check_url(url_of("::ffff:127.0.0.1"))
    with pytest.raises(EngineFailed):
        guard.check_url(url_of("169.254.169.254"))
    with pytest.raises(EngineFailed):
        guard.check_url(url_of("::1"))


@pytest.mark.parametrize("wrong", ["10.0.0.0/33", "a b", "http://host", "*.internal", "/8"])
def test_a_list_that_cannot_be_read_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"neither|not a CIDR"):
        EgressGuard.parse(wrong)


async def test_one_inner_address_among_many_is_enough_to_refuse_a_name() -> None:
    resolver = GuardedResolver(NOTHING_ALLOWED, Names(["8.8.8.8", "10.0.0.1"]))
    with pytest.raises(EngineFailed, match=r"'models\.example'") as caught:
        await resolver.resolve("models.example", 443)
    assert "10.0.0.1" not in caught.value.message
    await resolver.close()


async def test_a_name_that_changes_its_address_is_judged_each_time() -> None:
    resolver = GuardedResolver(NOTHING_ALLOWED, Names(["8.8.8.8"], ["127.0.0.1"]))
    assert len(await resolver.resolve("rebinding.example")) == 1
    with pytest.raises(EngineFailed):
        await resolver.resolve("rebinding.example")


async def test_an_allowed_host_may_be_inside() -> None:
    guard = EgressGuard.parse("Models_1.internal, 10.9.0.0/16")
    resolver = GuardedResolver(guard, Names(["10.0.0.1"], ["10.9.1.1"], ["10.8.1.1"]))
    assert len(await resolver.resolve("models_1.internal")) == 1
    assert len(await resolver.resolve("other.internal")) == 1
    with pytest.raises(EngineFailed):
        await resolver.resolve("other.internal")


def test_the_guard_judges_the_whole_of_what_a_host_stands_for() -> None:
    with pytest.raises(EngineFailed):
        NOTHING_ALLOWED.check("x", map(ip_address, ["1.1.1.1", "127.0.0.1"]))
