"""A home and an internet in three network namespaces: lan 192.168.1.100, router 192.168.1.1 and 203.0.113.2, server 203.0.113.10;
with `plain`, a host 198.51.100.7 without any NAT before it; with `six`, that host has 2001:db8:7::7 instead, and no IPv4 at all."""

import os
import re
import subprocess
import time

from harness import Skip, find

PHONE, INSIDE, OUTSIDE, SERVER, SERVER2 = "192.168.1.100", "192.168.1.1", "203.0.113.2", "203.0.113.10", "203.0.113.11"
PLAIN, PLAIN_GATEWAY = "198.51.100.7", "198.51.100.1"
SIX, SIX_GATEWAY = "2001:db8:7::7", "2001:db8:7::1"
PREFIX = "pinhole-interop-"

HELPER_TABLE = """
    ct helper sip-udp { type "sip" protocol udp; l3proto ip; }
    chain helped { type filter hook prerouting priority filter; iifname "lan0" udp dport 5060 ct helper set "sip-udp"; }
"""

STREAM_HELPER_TABLE = """
    ct helper sip-tcp { type "sip" protocol tcp; l3proto ip; }
    chain helped_streams { type filter hook prerouting priority filter; iifname "lan0" tcp dport 5060 ct helper set "sip-tcp"; }
"""

ROUTER_TABLE = """
table ip home {
    %s
    chain outbound { type nat hook postrouting priority srcnat; oifname "wan0" %s; }
    chain mine { type filter hook input priority filter; iifname "wan0" ct state new drop; }
}
"""


def command(*arguments, stdin=None):
    """Runs a program of the system; a failure means that this kernel or container lacks it."""
    done = subprocess.run(arguments, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"'{' '.join(arguments)}' failed here: {done.stderr.strip() or done.returncode}")
    return done.stdout


def remove_leftovers():
    """Takes away namespaces of runs that were killed before they could tidy up."""
    if not os.path.isdir("/run/netns") or os.geteuid() != 0:
        return
    for name in os.listdir("/run/netns"):
        match = re.fullmatch(PREFIX + r"(\d+)-\w+", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class World:
    """Made at once, removed when the workshop closes."""

    def __init__(self, shop, helper=False, udp_timeout=None, plain=False, six=False, masquerade="masquerade",
                 helped_streams=False):
        for program in ("ip", "nft"):
            if not find(program):
                raise Skip(f"{program} is not installed")
        base = f"{PREFIX}{os.getpid()}"
        self.lan, self.router, self.server, self.plain = (f"{base}-{place}" for place in ("lan", "router", "server", "plain"))
        shop.cleanups.append(self.remove)
        for ns in (self.lan, self.router, self.server, self.plain)[:4 if plain or six else 3]:
            command("ip", "netns", "add", ns)
            self.ip(ns, "link", "set", "lo", "up")
        self.cable(self.lan, "eth0", f"{PHONE}/24", self.router, "lan0", f"{INSIDE}/24")
        self.cable(self.server, "eth0", f"{SERVER}/24", self.router, "wan0", f"{OUTSIDE}/24")
        self.ip(self.server, "address", "add", f"{SERVER2}/24", "dev", "eth0")
        self.ip(self.lan, "route", "add", "default", "via", INSIDE)
        self.sysctl(self.router, "net/ipv4/ip_forward", 1)
        helpers = (HELPER_TABLE if helper else "") + (STREAM_HELPER_TABLE if helped_streams else "")
        command("ip", "netns", "exec", self.router, "nft", "-f", "-", stdin=ROUTER_TABLE % (helpers, masquerade))
        if plain or six:
            here, there, length = (SIX, SIX_GATEWAY, 64) if six else (PLAIN, PLAIN_GATEWAY, 24)
            self.cable(self.plain, "eth0", f"{here}/{length}", self.server, "far0", f"{there}/{length}")
            self.ip(self.plain, "route", "add", "default", "via", there)
        if udp_timeout:
            self.sysctl(self.router, "net/netfilter/nf_conntrack_udp_timeout", udp_timeout)
            self.sysctl(self.router, "net/netfilter/nf_conntrack_udp_timeout_stream", udp_timeout)

    @staticmethod
    def ip(ns, *arguments):
        command("ip", "-n", ns, *arguments)

    def cable(self, ns, name, address, other_ns, other_name, other_address):
        command("ip", "link", "add", name, "netns", ns, "type", "veth", "peer", "name", other_name, "netns", other_ns)
        for place, link, value in ((ns, name, address), (other_ns, other_name, other_address)):
            # Duplicate address detection would keep an IPv6 address from use for a second.
            self.ip(place, "address", "add", value, "dev", link, *(["nodad"] if ":" in value else []))
            self.ip(place, "link", "set", link, "up")

    def sysctl(self, ns, name, value):
        path = f"/proc/sys/{name}"
        done = subprocess.run(
            ["ip", "netns", "exec", ns, "sh", "-c", f"echo {value} > {path} && cat {path}"], capture_output=True, text=True)
        if done.stdout.strip() != str(value):
            raise Skip(f"{path} cannot be set here: {done.stderr.strip()}")

    def remove(self):
        for ns in (self.lan, self.router, self.server, self.plain):
            for attempt in range(20):
                if not os.path.exists(f"/run/netns/{ns}"):
                    break
                subprocess.run(["ip", "netns", "del", ns], capture_output=True)
                time.sleep(0.05 if attempt else 0)
