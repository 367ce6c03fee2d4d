"""coturn's turnutils_natdiscovery (RFC 5780) against the STUN service of `pinhole serve`."""

import os
import re
import socket
import struct

from harness import check, expect, expect_equal
from programs import Server, free_port
from world import OUTSIDE, PLAIN, SERVER, SERVER2, World

PROGRAM = "turnutils_natdiscovery"
ORIGIN = re.compile(r"Response origin: : (\S+)")
NEEDS = [PROGRAM, "ip", "nft"]
MAPPING, FILTERING = "-= Mapping Behavior Discovery =-", "-= Filtering Behavior Discovery =-"


def discover(shop, ns, *options):
    """What is reported: of the mapping, of the filtering, and all of it."""
    status, text = shop.run("natdiscovery", [PROGRAM, "-m", "-f", *options, SERVER], ns, timeout=40)
    expect_equal(status, 0, f"exit status of {PROGRAM}")
    expect(text.count(MAPPING) == 1 and text.count(FILTERING) == 1, "one report on mapping and one on filtering", text)
    mapping, filtering = text.split(FILTERING)
    return mapping, filtering, text


def expect_answers(part, origins, mapped, text):
    """The answers came from `origins` in this order, name the other address, and tell of `mapped`."""
    answers = part.split("RFC 5780 response")[1:]
    expect_equal([ORIGIN.findall(answer)[-1] for answer in answers], origins, "origins of the answers")
    for answer in answers:
        expect("No ALG: Mapped == XOR-Mapped" in answer, "MAPPED-ADDRESS equal to XOR-MAPPED-ADDRESS", text)
        # The one that differs in address and port from the one asked.
        other = f"Other addr: : {SERVER if f'origin: : {SERVER2}:3478' in answer else SERVER2}:3479"
        expect(other in answer, f"'{other}'", text)
        expect(f"UDP reflexive addr: {mapped}:" in answer, f"the mapped address {mapped}", text)


def served(shop, world, alternate=True):
    extra = ["--stun-alternate", f"{SERVER2}:3479", "--stun-address", SERVER] if alternate else ["--stun-port", "3478"]
    return Server(shop, address=SERVER, port=5060, ns=world.server, users=(), extra=extra)


@check("stun-discovery-plain-host", NEEDS, root=True, timeout=50)
def plain_host(shop):
    world = World(shop, plain=True)
    served(shop, world)
    mapping, filtering, text = discover(shop, world.plain, "-L", PLAIN, "-l", 40000)
    expect("No NAT! (Endpoint Independent Mapping)" in mapping, "'No NAT! (Endpoint Independent Mapping)'", text)
    expect("NAT with Endpoint Independent Filtering!" in filtering, "'NAT with Endpoint Independent Filtering!'", text)
    expect_answers(mapping, [f"{SERVER}:3478", f"{SERVER2}:3478"], PLAIN, text)
    expect_answers(filtering, [f"{SERVER}:3478", f"{SERVER2}:3479"], PLAIN, text)


@check("stun-discovery-behind-nat", NEEDS, root=True, timeout=50)
def behind_nat(shop):
    """The kernel keeps the port where it can: a mapping that looks endpoint-independent, and the strictest filter."""
    world = World(shop)
    served(shop, world)
    mapping, filtering, text = discover(shop, world.lan)
    expect("NAT with Endpoint Independent Mapping!" in mapping, "'NAT with Endpoint Independent Mapping!'", text)
    expect_answers(mapping, [f"{SERVER}:3478", f"{SERVER2}:3478"], OUTSIDE, text)
    expect("NAT with Address and Port Dependent Filtering!" in filtering, "'NAT with Address and Port Dependent Filtering!'", text)
    expect_answers(filtering, [f"{SERVER}:3478"], OUTSIDE, text)


@check("stun-discovery-behind-random-ports", NEEDS, root=True, timeout=50)
def behind_random_ports(shop):
    """With ports drawn at random for each destination the kernel's mapping depends on address and port."""
    world = World(shop, masquerade="masquerade fully-random")
    served(shop, world)
    mapping, filtering, text = discover(shop, world.lan)
    expect("NAT with Address and Port Dependent Mapping!" in mapping, "'NAT with Address and Port Dependent Mapping!'", text)
    expect("NAT with Address and Port Dependent Filtering!" in filtering, "'NAT with Address and Port Dependent Filtering!'", text)


@check("stun-without-alternate", NEEDS, root=True, timeout=50)
def without_alternate(shop):
    world = World(shop)
    served(shop, world, alternate=False)
    mapping, filtering, text = discover(shop, world.lan)
    for part in (mapping, filtering):
        expect(f"UDP reflexive addr: {OUTSIDE}:" in part, f"the mapped address {OUTSIDE}", text)
        expect("Other addr" not in part and "RFC 5780 response" not in part, "no OTHER-ADDRESS", text)
        expect("dependent" not in part.lower(), "no verdict: it cannot be known from one address", text)


@check("stun-change-request-needs-alternate")
def change_request(shop):
    """RFC 5780 6.1: without a second address a CHANGE-REQUEST is refused with 420 that names the attribute (3); a plain one is answered."""
    port = free_port()
    Server(shop, users=(), extra=["--stun-port", port])
    plain, change = b"", struct.pack(">HHI", 3, 4, 6)
    kind, attributes = ask_stun(port, plain)
    expect_equal(kind, 0x0101, "type of the answer to a plain request")
    expect(0x0020 in attributes and 0x802C not in attributes, "XOR-MAPPED-ADDRESS and no OTHER-ADDRESS", attributes)
    kind, attributes = ask_stun(port, change)
    expect_equal(kind, 0x0111, "type of the answer to a CHANGE-REQUEST")
    expect_equal(attributes.get(0x0009, b"")[2:4], bytes([4, 20]), "class and number in ERROR-CODE")
    expect_equal(attributes.get(0x000A, b"")[:2], bytes([0, 3]), "UNKNOWN-ATTRIBUTES")


def ask_stun(port, body):
    """Type and attributes of the answer to one Binding request."""
    head = struct.pack(">HHI", 1, len(body), 0x2112A442) + os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(3)
        asking.sendto(head + body, ("127.0.0.1", port))
        answer = asking.recv(2048)
    expect_equal(answer[4:20], head[4:20], "cookie and transaction ID")
    attributes, place = {}, 20
    while place + 4 <= len(answer):
        kind, length = struct.unpack_from(">HH", answer, place)
        attributes[kind] = answer[place + 4:place + 4 + length]
        place += 4 + (length + 3) // 4 * 4
    return struct.unpack_from(">H", answer)[0], attributes
