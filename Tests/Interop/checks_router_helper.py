"""The `linux` profile against what it is named after: the same talks through the kernel's SIP helper and through ours, told octet by octet."""

import difflib
import re

from checks_router import OurWorld
from harness import Failure, check, expect
from helper_cases import CASES, STREAM_CASES
from helper_talk import NEIGHBOUR, Marker, StreamTalk, Talk
from world import OUTSIDE, World, command

# Where two phones want one port outside, which other port the second gets is drawn by lot in the kernel, and taken in order by ours.
PORTS_ASIDE = re.compile(rf"\b{re.escape(OUTSIDE)}:\d+")


class KernelsWorld(World):
    """The kernel's NAT and its helper, over UDP and TCP; as ours, it refuses what nobody expects, and as often as it is asked."""

    def __init__(self, shop):
        super().__init__(shop, helper=True, helped_streams=True)
        command("ip", "netns", "exec", self.router, "nft", "flush", "chain", "ip", "home", "mine")
        self.sysctl(self.router, "net/ipv4/icmp_ratelimit", 0)


def talked(world):
    """Every case through this router: what came out on which side, in order."""
    world.ip(world.lan, "address", "add", f"{NEIGHBOUR}/24", "dev", "eth0")
    marker = Marker(world)
    records = {}
    for number, (name, body) in enumerate(CASES + STREAM_CASES):
        talk = (StreamTalk if body in (body for _, body in STREAM_CASES) else Talk)(world, marker, number)
        try:
            body(talk)
        finally:
            talk.close()
        records[name] = talk.record
    world.remove()
    return records


def shown(record, portsAside):
    text = "\n".join(f"[{where}]\n{what}" for where, what in record)
    return (PORTS_ASIDE.sub(f"{OUTSIDE}:PORT", text) if portsAside else text).replace("\r\n", "\n").split("\n")


@check("router-like-the-kernels-helper", ["ip", "nft"], root=True, timeout=120)
def like_the_kernel(shop):
    """A hundred kinds of message, UDP and TCP, what the helper drops among them, with the media they announce: not an octet differs."""
    theirs = talked(KernelsWorld(shop))
    ours = talked(OurWorld(shop, "--alg"))
    expect(len(theirs) >= 40, "forty kinds of message at least", len(theirs))
    different = []
    for name, record in theirs.items():
        pair = [shown(each, "neighbours" in name) for each in (record, ours[name])]
        if pair[0] != pair[1]:
            different.append("\n".join(difflib.unified_diff(*pair, f"{name}: kernel", f"{name}: pinhole router", n=3, lineterm="")))
    with open(shop.path("differences.txt"), "w") as file:
        file.write("\n\n".join(different))
    if different:
        raise Failure(f"{len(theirs)} kinds of message to come out alike", f"{len(different)} that differ:\n" + "\n\n".join(different)[:4000])
