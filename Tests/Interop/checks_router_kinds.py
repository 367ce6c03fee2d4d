"""The nine kinds of NAT that RFC 4787 tells apart, each made by `pinhole router` and told from inside by others' programs, which ask coturn."""

import os
import re
import shutil

from checks_router import NEEDS, OurWorld
from harness import ROOT, Skip, check, expect_equal
from world import SERVER, SERVER2

KINDS = {
    "endpoint-independent": "Endpoint Independent", "address-dependent": "Address Dependent",
    "address-and-port-dependent": "Address and Port Dependent"}


def pystun3():
    own = os.path.join(ROOT, ".build/python/bin/pystun3")
    found = own if os.path.exists(own) else shutil.which("pystun3")
    if not found:
        raise Skip("pystun3 is not installed")
    return found


def coturn(shop, world):
    """Both addresses, both ports: what RFC 5780 and its predecessor RFC 3489 need."""
    server = shop.start("turnserver", [
        "turnserver", "--stun-only", "-n", "--log-file=stdout", "--no-cli", "--no-tls", "--no-dtls", "-L", SERVER, "-L", SERVER2,
        f"--pidfile={shop.path('turnserver.pid')}"], world.server)
    server.wait_for("Total General servers|SQLite DB connection success", what="coturn to start")


def expected(mapping, filtering):
    """What each program calls this kind."""
    primary = {
        "endpoint-independent": "Independent Mapping, Independent Filter", "address-dependent": "Independent Mapping, Address Dependent Filter",
        "address-and-port-dependent": "Independent Mapping, Port Dependent Filter",
    }
    cone = {"endpoint-independent": "Full Cone", "address-dependent": "Restric NAT", "address-and-port-dependent": "Restric Port NAT"}
    depends = mapping != "endpoint-independent"
    return {
        "natdiscovery": (f"NAT with {KINDS[mapping]} Mapping!", f"NAT with {KINDS[filtering]} Filtering!"),
        # Where the mapping depends, both end their search; pystun3 looks at the filter first.
        "stun": "Dependent Mapping" if depends else primary[filtering],
        "pystun3": "Symmetric NAT" if depends and filtering != "endpoint-independent" else cone[filtering],
    }


def kind(mapping, filtering):
    def run(shop):
        asks = pystun3()
        world = OurWorld(shop, "--mapping", mapping, "--filtering", filtering, profile="generic")
        coturn(shop, world)
        # All three at once: each waits many seconds for answers that a filter keeps out.
        programs = {
            "natdiscovery": shop.start("natdiscovery", ["turnutils_natdiscovery", "-m", "-f", SERVER], world.lan),
            "stun": shop.start("stun", ["stun", SERVER], world.lan), "pystun3": shop.start("pystun3", [asks, "-H", SERVER, "-P", 3478], world.lan)}
        for program in programs.values():
            program.wait(40)
        texts = {name: program.text() for name, program in programs.items()}
        seen = {
            "natdiscovery": tuple(re.findall(r"NAT with .*(?:Mapping|Filtering)!", texts["natdiscovery"])),
            "stun": (re.search(r"Primary: (Dependent Mapping|Independent Mapping, [\w ]+ Filter)", texts["stun"]) or [None, texts["stun"]])[1],
            "pystun3": (re.search(r"NAT Type: (.*)", texts["pystun3"]) or [None, texts["pystun3"]])[1]}
        expect_equal(seen, expected(mapping, filtering), "what the programs say")

    return run


def brief(name):
    return "".join(word[0] for word in name.split("-") if word != "and")


for one in KINDS:
    for other in KINDS:
        check(f"router-kind-{brief(one)}-{brief(other)}", [*NEEDS, "turnserver", "turnutils_natdiscovery", "stun"], True, 60)(kind(one, other))
