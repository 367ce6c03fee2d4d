"""`pinhole router` between two interfaces without addresses in the kernel: real programs behind it, real frames through it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

from checks_calls import USERS, two_baresips
from checks_nat import expect_arrived, served
from harness import PINHOLE, Skip, check, expect, expect_equal, find, until
from programs import MD5_ONLY, Server, baresip, header, sipp
from world import INSIDE, OUTSIDE, PHONE, PREFIX, SERVER, SERVER2, World, command

NEEDS = ["ip"]

SENDER = """
import hashlib, socket, sys
host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
peer = socket.create_connection((host, port), timeout=60)
data = bytes(n * 7 % 251 for n in range(65_521)) * (size // 65_521 + 1)
peer.sendall(data[:size])
peer.shutdown(socket.SHUT_WR)
got = hashlib.sha256()
while part := peer.recv(65536): got.update(part)
print("same" if got.hexdigest() == hashlib.sha256(data[:size]).hexdigest() else "different", flush=True)
"""

ECHO = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
peer, who = listener.accept()
data = b""
while part := peer.recv(65536): data += part
peer.sendall(data)
peer.close()
print("from", who[0], len(data), flush=True)
"""

QUESTION = """
import socket, struct, sys
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.settimeout(10)
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split(".")) + bytes(1)
peer.sendto(struct.pack(">HHHHHH", 4711, 0x100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1), (sys.argv[1], 53))
answer = peer.recv(512)
print(socket.inet_ntoa(answer[-4:]), "of", struct.unpack(">H", answer[6:8])[0])
"""

LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add $ip/$mask dev $interface
ip route add default via $router
echo "bound $ip/$mask router $router dns $dns domain $domain serverid $serverid"
"""


class OurWorld(World):
    """The three namespaces of `World`, with `pinhole router` in the middle in place of the kernel's NAT."""

    def __init__(self, shop, *arguments, profile="linux", hasAddress=True, outside=("--outside-address", f"{OUTSIDE}/24"), before=None):
        if not find("ip"):
            raise Skip("ip is not installed")
        self.shop = shop
        base = f"{PREFIX}{os.getpid()}"
        self.lan, self.router, self.server, self.plain = (f"{base}-{place}" for place in ("lan", "router", "server", "plain"))
        shop.cleanups.append(self.remove)
        for ns in (self.lan, self.router, self.server):
            command("ip", "netns", "add", ns)
            self.ip(ns, "link", "set", "lo", "up")
        for ns, other in ((self.lan, "lan0"), (self.server, "wan0")):
            command("ip", "link", "add", "eth0", "netns", ns, "type", "veth", "peer", "name", other, "netns", self.router)
            self.ip(ns, "link", "set", "eth0", "up")
            self.ip(self.router, "link", "set", other, "up")
        for address in (SERVER, SERVER2):
            self.ip(self.server, "address", "add", f"{address}/24", "dev", "eth0")
        if hasAddress:
            self.ip(self.lan, "address", "add", f"{PHONE}/24", "dev", "eth0")
            self.ip(self.lan, "route", "add", "default", "via", INSIDE)
        self.control, self.outside = shop.path("router.sock"), outside
        if before:
            before(self)
        self.process = self.start(profile, *arguments)
        self.process.wait_for("SIP ALG (on|off)", what="the router to run")

    def start(self, profile, *arguments, name="router"):
        return self.shop.start(name, [
            PINHOLE, "router", "--inside", "lan0", "--outside", "wan0", "--profile", profile, "--inside-address", f"{INSIDE}/24",
            *self.outside, "--control", self.control, *arguments], self.router)

    def told(self, *lines):
        """What the router's command line answers."""
        done = subprocess.run(
            [PINHOLE, "router", "cli", "--control", self.control], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, timeout=60)
        expect_equal(done.returncode, 0, "exit status of pinhole router cli")
        return done.stdout


def for_alg(name, needs, timeout=40):
    """Registers the same check twice: ALG off, ALG on."""
    def register(body):
        for isOn in (False, True):
            def run(shop, isOn=isOn):
                body(shop, OurWorld(shop, "--alg" if isOn else "--no-alg"), isOn)

            check(f"router-{name}-alg-{'on' if isOn else 'off'}", [*NEEDS, *needs], True, timeout)(run)
        return body

    return register


@for_alg("baresip", ["baresip"])
def router_baresip(shop, world, isOn):
    """What the kernel's NAT with and without its helper does to baresip, ours does."""
    server = served(shop, world, MD5_ONLY)
    process = baresip(shop, "100", SERVER, local=f"{PHONE}:5070", ns=world.lan)
    process.wait_for(r"\{0/UDP/v4\} 200 OK .*\[1 binding\]")
    expect_arrived(server, isOn, 5070, count=2)
    expect_equal(server.only_binding()["remote"], f"{OUTSIDE}:5070", "source of the flow")
    process.signal(signal.SIGTERM)
    expect_equal(process.wait(), 0, "exit status of baresip")
    server.process.wait_for("removed by the phone", what="the log to tell of the removal")


@for_alg("called", ["baresip"], 60)
def router_called(shop, world, isOn):
    """Two real phones talk, the one that is called behind the router: each hears the other."""
    server = Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS)
    two_baresips(
        shop, server, callee={"local": f"{PHONE}:5060", "ns": world.lan}, caller={"local": f"{SERVER2}:5060", "ns": world.server})


@check("router-alg-switched-live", [*NEEDS, "sipp"], root=True, timeout=60)
def router_switch(shop):
    """appinfo tells whether the ALG is on and what it rewrote; switched off at the command line, it stops at once."""
    world = OurWorld(shop)
    server = served(shop, world, MD5_ONLY)

    def register():
        status = sipp(shop, "sipp/register.xml", f"{SERVER}:5060", local=PHONE, port=5060, ns=world.lan, trace=False).wait()
        expect_equal(status, 0, "exit status of SIPp")
        return header(server.received("REGISTER ")[-1][1], "Contact")

    contact = register()
    expect(f"@{OUTSIDE}:5060>" in contact, "a rewritten Contact", contact)
    text = world.told("connection appinfo application=SIP", "connection appconfig application=SIP SIP_ALG=disabled", "connection appinfo application=SIP")
    expect_equal(re.findall(r"SIP_ALG\s+(\w+)", text.replace("SIP_ALG=disabled", "")), ["enabled", "disabled"], "what appinfo says before and after")
    expect(re.search(r"rewrote\s+Contact out 2 times", text), "what it rewrote", text)
    world.process.wait_for("SIP ALG switched off")
    contact = register()
    expect(f"@{PHONE}:5060>" in contact, "a Contact left alone", contact)


@check("router-segments", NEEDS, root=True, timeout=90)
def router_segments(shop):
    """Three megabytes each way over TCP between kernels that leave checksums and segments to their hardware: not an octet is lost."""
    world = OurWorld(shop)
    echo = shop.start("echo", ["python3", "-c", ECHO, SERVER, "8000"], world.server)
    echo.wait_for("listens")
    sender = shop.start("sender", ["python3", "-c", SENDER, SERVER, "8000", "3000000"], world.lan)
    expect_equal(sender.wait(60), 0, "exit status of the sender")
    expect("same" in sender.text(), "what came back", sender.text())
    echo.wait_for(f"from {OUTSIDE} 3000000")


@check("router-dhcp", [*NEEDS, "udhcpc"], root=True, timeout=60)
def router_dhcp(shop):
    """A host that knows nothing gets address, gateway and resolver from the router, and reaches the outside."""
    world = OurWorld(shop, "--dns", SERVER, hasAddress=False)
    script = shop.path("lease")
    with open(script, "w") as file:
        file.write(LEASE)
    os.chmod(script, 0o755)
    client = shop.start("udhcpc", ["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-s", script], world.lan)
    expect_equal(client.wait(30), 0, "exit status of udhcpc")
    expect(re.search(rf"bound 192\.168\.1\.\d+/24 router {INSIDE} dns {INSIDE} domain home\.arpa serverid {INSIDE}", client.text()), "the lease", client.text())
    echo = shop.start("echo", ["python3", "-c", ECHO, SERVER, "8000"], world.server)
    echo.wait_for("listens")
    expect_equal(shop.start("sender", ["python3", "-c", SENDER, SERVER, "8000", "1000"], world.lan).wait(30), 0, "exit status of the sender")


@check("router-outside-dhcp", [*NEEDS, "dnsmasq", "udhcpc"], root=True, timeout=60)
def router_outside_dhcp(shop):
    """dnsmasq outside gives the router its address, gateway and resolver; a host inside looks a name up through both."""
    def dnsmasq(world):
        shop.start("dnsmasq", [
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--no-hosts", "--no-resolv", "--log-dhcp", "--interface=eth0", "--bind-interfaces",
            "--dhcp-range=203.0.113.50,203.0.113.60,1h", f"--dhcp-option=3,{SERVER}", "--address=/pbx.example/192.0.2.77",
            f"--dhcp-leasefile={shop.path('leases')}", "--pid-file"], world.server).wait_for("DHCP, IP range", what="dnsmasq to serve")

    world = OurWorld(shop, hasAddress=False, outside=(), before=dnsmasq)
    world.process.wait_for(rf"outside: 203\.0\.113\.5\d/24 by {re.escape(SERVER)}, from the DHCP server {re.escape(SERVER)}")
    script = shop.path("lease")
    with open(script, "w") as file:
        file.write(LEASE)
    os.chmod(script, 0o755)
    expect_equal(shop.start("udhcpc", ["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-s", script], world.lan).wait(30), 0, "exit status of udhcpc")
    asker = shop.start("asker", ["python3", "-c", QUESTION, INSIDE, "pbx.example"], world.lan)
    expect_equal(asker.wait(20), 0, "exit status of the question")
    expect("192.0.2.77" in asker.text(), "the name's address", asker.text())


@check("router-scripts", NEEDS, root=True, timeout=60)
def router_scripts(shop):
    """Five thousand lines piped into the command line are all answered, also where the answers are read late; what cannot be is refused with the cure."""
    world = OurWorld(shop)
    lines = "connection applist\n" * 5_000
    done = subprocess.run(
        ["sh", "-c", f"'{PINHOLE}' router cli --control '{world.control}' | (sleep 1; cat)"], input=lines, capture_output=True, text=True, timeout=60)
    expect_equal((done.returncode, len(re.findall(r"^SIP +udp/tcp", done.stdout, re.M))), (0, 5_000), "exit status and answers")
    for arguments, why in [
        (("--outside-address", f"{INSIDE}/24"), "one network cannot lie on both sides"), (("--gateway", SERVER), "give both or neither"),
        (("--outside-address", "203.0.113.255/24"), "nobody's"), (("--outside-address", "203.0.113.2"), "with its bits"),
        (("--profile", "nonesuch"), "speedtouch780"),
    ]:
        done = subprocess.run(
            [PINHOLE, "router", "--inside", "lan0", "--outside", "wan0", "--inside-address", f"{INSIDE}/24", *arguments], capture_output=True, text=True, timeout=60)
        expect(done.returncode == 64 and why in done.stderr, f"{arguments} to be refused: {why}", (done.returncode, done.stderr))


@check("router-try", [*NEEDS, "sipsak"], root=True, timeout=90)
def router_try(shop):
    """An ordinary user puts a program behind the router, before which a server lies: it stays who it is, and has the program's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(PINHOLE, f"{folder}/pinhole")
        home = f"{folder}/home"
        os.mkdir(home)
        os.chown(home, 65534, 65534)
        control = f"{home}/router.sock"
        switch = "connection appconfig application=SIP SIP_ALG=disabled"
        script = f"id -u; getent hosts server; sipsak -v -s sip:100@server; echo '{switch}' | {program} router cli --control {control}; exit 7"
        done = subprocess.run(
            [program, "router", "try", "--server", "--control", control, "--", "sh", "-c", script], capture_output=True, text=True, timeout=80,
            user=65534, group=65534, extra_groups=[], cwd="/tmp", env={**os.environ, "HOME": home, "TMPDIR": home})
        if "does not let an ordinary user make namespaces" in done.stderr:
            raise Skip("this kernel lets no ordinary user make namespaces")
        expect_equal(done.returncode, 7, f"exit status after {done.stdout} {done.stderr}")
        for wanted in ["65534", "203.0.113.10", "SIP/2.0 200 OK", "received=203.0.113.1;rport=52899", "disabled"]:
            expect(wanted in done.stdout, wanted, done.stdout + done.stderr)
        expect(not os.path.exists(control), "no socket left", control)


@check("router-leaves-nothing", NEEDS, root=True, timeout=40)
def router_leaves(shop):
    """Killed in the middle, it leaves both interfaces as they were; the next one starts where it stood. What keeps it from starting is said."""
    world = OurWorld(shop)

    def promiscuity():
        return re.findall(r"promiscuity (\d)", command("ip", "-n", world.router, "-d", "link", "show"))

    expect("1" in promiscuity(), "interfaces that hear everything", promiscuity())
    second = world.start("linux", name="second")
    expect_equal(second.wait(20), 1, "exit status of a second router")
    expect("another router answers at" in second.text(), "why", second.text())
    world.process.popen.kill()
    world.process.wait()
    until("both interfaces to be as they were", lambda: "1" not in promiscuity(), every=0.1)
    world.process = world.start("linux", name="again")
    world.process.wait_for("SIP ALG on")
    expect_equal(world.process.interrupt(), 0, "exit status after Ctrl-C")
    expect(not os.path.exists(world.control), "no socket left", world.control)
    world.ip(world.router, "address", "add", "192.168.7.1/24", "dev", "lan0")
    refused = world.start("linux", name="refused")
    expect_equal(refused.wait(20), 1, "exit status with an address in the kernel")
    expect("lan0 has the address 192.168.7.1 in the kernel" in refused.text(), "why", refused.text())
