"""The programs under test and around it, each as a few words of Python."""

import glob
import json
import os
import random
import re
import signal
import socket

import audio
from harness import HERE, PATIENCE, PINHOLE, expect, expect_equal, template, until

PASSWORD = "secret100"
REALM = "interop.test"
# SIPp 3.6, sipsak 0.9.8 and baresip 1.0 know no other algorithm and give up where SHA-256 is offered first (RFC 8760 2.4).
MD5_ONLY = "digest.algorithms=MD5"
BOTH_ALGORITHMS = "digest.algorithms=SHA-256,MD5"


def host(address):
    return f"[{address}]" if ":" in address else address


def free_port(address="127.0.0.1"):
    """A UDP port of this machine nobody uses right now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def free_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def taken(address, port):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
            return False
        except OSError:
            return True


def short_port():
    """One of four digits: sipsak cuts the fifth off the port in the URIs it writes."""
    return next(port for port in range(6000, 9999) if not taken("127.0.0.1", port))


def free_pair():
    """An even UDP port nobody uses, nor the next."""
    return next(port for port in (free_port() & ~1 for _ in range(100)) if not taken("0.0.0.0", port) and not taken("0.0.0.0", port + 1))


class Server:
    """`pinhole serve` with a database and accounts of its own."""

    def __init__(self, shop, address="127.0.0.1", port=None, ns=None, users=("100",), settings=(), extra=("--no-stun",), trusted=True, quiet=False, program=PINHOLE):
        self.quiet, self.program = quiet, program
        self.shop, self.ns, self.address = shop, ns, address
        self.port = port or free_port(address)
        self.database = shop.path("pinhole.db")
        self.common = ["--database", self.database, "--realm", REALM]
        # Away from those that the kernel gives to clients; what others hold of them, the server leaves out.
        first = random.randrange(20_000, 31_000) & ~1
        self.settings = [*(["limits.trusted=yes"] if trusted else []), f"media.ports={first}-{first + 127}", "drain-for=0s", "metrics=off", *settings]
        self.extra = list(extra)
        for user in users:
            self.add_account(user)
        self.process = None
        self.start()

    @property
    def place(self):
        return f"{host(self.address)}:{self.port}"

    def add_account(self, user):
        status, text = self.shop.run("account", [PINHOLE, "account", "add", user, "--password", PASSWORD, *self.common])
        expect(status == 0 and f"Added {user}" in text, f"account {user} to be added", text)

    def start(self):
        settings = [word for setting in self.settings for word in ("--set", setting)]
        self.process = self.shop.start(
            "serve", [self.program, "serve", "--listen", self.place, *self.common, *([] if self.quiet else ["--sip-debug"]), *settings, *self.extra], self.ns)
        if "--quiet" in self.extra:
            until("the quiet server to listen", lambda: taken(self.address, self.port), every=0.1)
            return self
        self.process.wait_for(rf"SIP over UDP: listening on {re.escape(self.place)}", what="the server to listen")
        self.process.wait_for("media: room for", what="the server to be ready")
        if "--no-stun" not in self.extra:
            self.process.wait_for("STUN: listening on")
        return self

    def kill(self):
        self.process.popen.kill()
        expect_equal(self.process.wait(), -signal.SIGKILL, "status of the killed server")

    def bindings(self):
        status, text = self.shop.run("bindings", [PINHOLE, "bindings", "--json", *self.common])
        expect_equal(status, 0, "exit status of pinhole bindings")
        return json.loads(text)["bindings"]

    def only_binding(self):
        found = self.bindings()
        expect(len(found) == 1, "exactly one binding", found)
        return found[0]

    @property
    def text(self):
        return self.process.text()

    def received(self, start_line):
        """Every message read whose first line matches, as the server saw it."""
        blocks = re.findall(r"<--- SIP read from (UDP:\S+) --->\n(.*?)<------------->\n", self.text, re.S)
        return [(peer, message) for peer, message in blocks if re.match(start_line, message)]


def header(message, name):
    found = re.search(rf"^{name}\s*:\s*(.*?)\r?$", message, re.M | re.I)
    return found.group(1) if found else None


def sipp(shop, scenario, target, *, local, port, user="100", password=PASSWORD, calls=1, rate=10, ns=None, extra=(), timeout=20,
         trace=True):
    """Starts SIPp with a scenario of ours; messages go to sipp-messages.trace unless told otherwise."""
    messages = ["-trace_msg", "-message_file", shop.path("sipp-messages.trace")] if trace else []
    arguments = [
        "sipp", target, "-sf", os.path.join(HERE, scenario), "-i", local, "-p", port, "-s", user, "-au", user, "-ap", password,
        "-m", calls, "-r", rate, "-nostdin", "-timeout", f"{timeout * PATIENCE}s", "-timeout_error", "-trace_err", "-error_file", shop.path("sipp-errors.trace"), *messages, *extra]
    return shop.start("sipp", arguments, ns)


def sipp_trace(shop):
    with open(shop.path("sipp-messages.trace")) as file:
        return file.read()


def baresip(shop, user, server, *, local, ns=None, password=PASSWORD, regint=60, extra=()):
    """Starts baresip with one account; it signs off when it gets SIGTERM."""
    folder = shop.path("baresip")
    os.makedirs(folder, exist_ok=True)
    template("baresip/config", os.path.join(folder, "config"), LISTEN=local)
    template("baresip/accounts", os.path.join(folder, "accounts"), USER=user, SERVER=server, PASSWORD=password, REGINT=regint)
    open(os.path.join(folder, "contacts"), "w").close()
    return shop.start("baresip", ["baresip", "-f", folder, "-s", *extra], ns, HOME=folder)


def phone(shop, identity, *arguments, ns=None, password=PASSWORD):
    return shop.start("phone", [PINHOLE, "phone", f"sip:{identity}", "--password", password, "--sip-debug", *arguments], ns)


def panels(text):
    """The status panels a phone printed, each as a dictionary of its rows."""
    found = []
    for box in re.findall(r"^\+- .*?-\+\n(.*?)^\+-+\+$", text, re.M | re.S):
        rows, last = {}, None
        for line in box.splitlines():
            label, value = re.match(r"\| (.{1,18}?)(?:  +| *$)(.*?)\s*\|?$", line).groups() if line[2:3] != " " else ("", line[1:-1])
            if label.strip():
                last = label.strip()
                rows[last] = value.strip()
            elif last:
                rows[last] += " " + value.strip()
        found.append(rows)
    return found


def kamailio(shop, address, port, *, ns=None, longest=60):
    config = template(
        "kamailio.cfg", shop.path("kamailio.cfg"), LISTEN=f"{host(address)}:{port}", REALM=REALM, PASSWORD=PASSWORD, LONGEST=longest)
    process = shop.start(
        "kamailio", ["kamailio", "-f", config, "-DD", "-E", "-m", 16, "-M", 4, "-Y", shop.folder, "-P", shop.path("kamailio.pid")], ns)
    process.wait_for(r"interop: ready", what="Kamailio to start")
    return process


class Baresip:
    """baresip with a tone for a microphone and WAV files for ears: `heard` measures what arrived."""

    def __init__(self, shop, user, server, *, local, tone, ns=None, transport="udp", codecs="PCMU", answer="auto", extra="", dial=None):
        self.name = f"baresip-{user}"
        self.folder = shop.path(self.name)
        os.makedirs(self.folder, exist_ok=True)
        play = audio.write_tone(os.path.join(self.folder, "in.wav"), tone)
        template("baresip/call-config", os.path.join(self.folder, "config"), LISTEN=local, PLAY=play, FOLDER=self.folder)
        template(
            "baresip/call-accounts", os.path.join(self.folder, "accounts"), USER=user, SERVER=server, TRANSPORT=transport,
            PASSWORD=PASSWORD, CODECS=codecs, ANSWER=answer, EXTRA=extra)
        open(os.path.join(self.folder, "contacts"), "w").close()
        commands = ["-e", f"/dial {dial}"] if dial else []
        self.process = shop.start(self.name, ["baresip", "-f", self.folder, "-s", *commands], ns, HOME=self.folder)

    def registered(self):
        self.process.wait_for(r"\{0/\w+/v\d\} 200 OK", what=f"{self.name} to register")
        return self

    def established(self):
        self.process.wait_for("Call established", what=f"{self.name} to be in a call")
        return self

    def heard(self, tone):
        """Seconds of the tone in what came from the other side."""
        return max([0.0] + [audio.heard(path, tone) for path in glob.glob(os.path.join(self.folder, "dump-*-dec.wav"))])

    def hears(self, tone, seconds=1.0):
        until(f"{seconds} s of {tone} Hz in what {self.name} hears", lambda: self.heard(tone) >= seconds, timeout=15, every=0.4)

    def end(self):
        self.process.signal(signal.SIGTERM)
        self.process.wait()


class Linphone:
    """linphonec, steered by its standard input. It lives by its terminal, so it is given one."""

    def __init__(self, shop, user, server, *, port, tone, ns=None, transport="udp", ipv6=False, answer=False):
        self.name = f"linphone-{user}"
        self.folder = shop.path(self.name)
        os.makedirs(os.path.join(self.folder, ".local/share/linphone"), exist_ok=True)
        self.out = os.path.join(self.folder, "out.wav")
        play = audio.write_tone(os.path.join(self.folder, "in.wav"), tone)
        media = free_pair()
        with open(os.path.join(self.folder, "rc"), "w") as file:
            file.write(
                f"[sip]\nsip_port={port}\ndefault_proxy=0\nuse_ipv6={int(ipv6)}\n"
                f"[rtp]\naudio_rtp_port={media}\n[video]\nenabled=0\n"
                f"[proxy_0]\nreg_proxy=<sip:{server};transport={transport}>\nreg_identity=sip:{user}@{server}\n"
                f"reg_expires=60\nreg_sendregister=1\npublish=0\n"
                f"[auth_info_0]\nusername={user}\nuserid={user}\npasswd={PASSWORD}\nrealm={REALM}\n")
        self.process = shop.start(
            self.name, ["script", "-qefc", f"linphonec -c {self.folder}/rc" + (" -a" if answer else ""), "/dev/null"], ns, pipe=True,
            HOME=self.folder)
        for line in ("soundcard use files", f"play {play}", f"record {self.out}"):
            self.say(line)

    def say(self, line):
        self.process.popen.stdin.write(f"{line}\n".encode())
        self.process.popen.stdin.flush()

    def asked(self, question, answer):
        self.say(question)
        return re.search(answer, self.process.text())

    def registered(self):
        # It tells of a registration only where one came about while it was asked something else.
        until(f"{self.name} to register", lambda: self.asked("status register", r"registered, identity"), every=0.5)
        return self

    def call(self, target):
        self.say(f"call {target}")
        until(f"{self.name} to be in a call", lambda: self.asked("status hook", r"hook=.*duration=[1-9]"), every=0.5)
        return self

    def hears(self, tone, seconds=1.0):
        """Only after the call: the file's head is written last."""
        until(f"{seconds} s of {tone} Hz in what {self.name} hears", lambda: audio.heard(self.out, tone) >= seconds, timeout=15, every=0.4)

    def hears_the_end(self):
        until(f"{self.name} to hear of the end", lambda: self.asked("status hook", r"hook=on-hook"), every=0.5)

    def end(self):
        self.say("terminate")
        self.say("quit")
        self.process.wait()
