"""The systemd unit: every system call that the server makes under load is inside its filter, and what the unit forbids is not done."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import audio
from checks_rooms import pinhole_phone
from harness import PINHOLE, ROOT, check, expect, expect_equal, find, until
from programs import REALM, Server, free_port, free_tcp_port, sipp

UNIT = os.path.join(ROOT, "packaging", "pinhole.service")
USER = "nobody"


def settings(key):
    """All values of a key of the unit, in order."""
    with open(UNIT) as file:
        return re.findall(rf"^{key}=(.*)$", file.read(), re.M)


def members(group):
    """The system calls of a group such as @system-service."""
    if not group.startswith("@"):
        return {group}
    text = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True).stdout
    found = set()
    for word in text.split("\n")[1:]:
        if word.strip() and not word.strip().startswith("#"):
            found |= members(word.strip())
    return found


def permitted():
    """What the unit's SystemCallFilter lines leave: the first one lists what may be, those with ~ take away."""
    allowed = set()
    for line in settings("SystemCallFilter"):
        calls = set().union(*(members(word) for word in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    # systemd lets these pass in any allow list.
    return allowed | members("@default")


class TracedServer(Server):
    """A server that strace watches from its first to its last system call, under a user without rights."""

    def __init__(self, shop, *strace, **more):
        self.trace = shop.path("strace.txt")
        owner = pwd.getpwnam(USER)
        program = shutil.copy(PINHOLE, shop.path("pinhole"))
        wrapper = shop.path("traced")
        words = " ".join(["strace", "-D", "-f", "-qq", *strace, "-o", self.trace, "-u", USER, program])
        with open(wrapper, "w") as file:
            file.write(f'#!/bin/sh\nexec {words} "$@"\n')
        os.chmod(wrapper, 0o755)
        os.chmod(os.path.dirname(shop.folder), 0o711)
        os.chown(shop.folder, owner.pw_uid, owner.pw_gid)
        super().__init__(shop, program=wrapper, **more)

    def add_account(self, user):
        super().add_account(user)
        owner = pwd.getpwnam(USER)
        for name in os.listdir(self.shop.folder):
            if name.startswith("pinhole.db"):
                os.chown(self.shop.path(name), owner.pw_uid, owner.pw_gid)

    def end(self):
        """Ctrl-C; what strace wrote."""
        expect_equal(self.process.interrupt(), 0, "exit status of the server")
        return until("strace to write", lambda: os.path.exists(self.trace) and open(self.trace).read(), every=0.2)


def load(shop, *strace):
    """A server with everything on it: hundreds of registrations, TLS with SRTP, a recorded room, a spoken address, a log file, metrics, a HEP collector,
    reloads by signal and by command, an account added meanwhile, and an explanation at the end. Returns what strace wrote."""
    config, log = shop.path("rooms.yaml"), shop.path("log")

    def configure(more=""):
        with open(config, "w") as file:
            file.write("rooms:\n  - {name: board, record: yes}\n" + more)

    def ask(word):
        status, text = shop.run(word, [PINHOLE, word, "--config", config, *server.common])
        expect(status == 0, f"pinhole {word} to succeed", text)

    configure()
    collector = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    collector.bind(("127.0.0.1", 0))
    tls, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_tcp_port()}"
    server = TracedServer(
        shop, *strace, users=("100", "200", "300"),
        settings=[f"media.recordings={shop.path('recordings')}", f"tls.listen={tls}", "tls.names=127.0.0.1", f"metrics={metrics}",
                  f"hep.collector=127.0.0.1:{collector.getsockname()[1]}"],
        extra=("--config", config, "--explain", "--stun-port", str(free_port())))
    process = sipp(shop, "sipp/register.xml", server.place, local="127.0.0.1", port=free_port(), user="300", calls=300, rate=100, trace=False, timeout=40)
    trust = ("--transport", "tls", "--proxy", f"sip:{tls};transport=tls", "--tls-trust", shop.path("tls-certificate.pem"))
    phones = [
        pinhole_phone(shop, server, "100", 440, "--hang-up-after", "6s", *trust),
        pinhole_phone(shop, server, "200", 880, "--hang-up-after", "6s"),
    ]
    server.add_account("400")
    for page in ("metrics", "healthz", "readyz"):
        with urllib.request.urlopen(f"http://{metrics}/{page}", timeout=30) as answer:
            expect_equal(answer.status, 200, page)
    configure(f"log: {{file: {log}}}\n")
    ask("reload")
    os.rename(log, log + ".1")
    server.process.signal(signal.SIGHUP)
    until("the log to be opened anew", lambda: os.path.exists(log), every=0.2)
    configure()
    ask("reload")
    ask("status")
    for phone, _ in phones:
        expect_equal(phone.wait(40), 0, "exit status of a phone in the room")
    expect_equal(process.wait(40), 0, "exit status of SIPp")
    spoken, _ = pinhole_phone(shop, server, "300", 880, room="602")
    spoken.wait(40)
    until("the recording to be finished", lambda: "recorded " in server.text, every=0.2)
    text = server.end()
    collector.setblocking(False)
    expect(collector.recv(65_536).startswith(b"HEP3"), "what the collector is told", "something else")
    expect(audio.heard(phones[1][1], 440) >= 1, "the tone of the TLS phone in the room", audio.heard(phones[1][1], 440))
    expect("dialogs seen" in server.text, "the explanation at the end", server.text[-1500:])
    return text


@check("unit-system-calls", needs=["strace", "systemd-analyze", "sipp"], root=True, timeout=150)
def system_calls(shop):
    """SystemCallFilter: every call that strace counted is inside."""
    text = load(shop, "-c", "-U", "name")
    seen = {word for word in re.findall(r"^\s*(\w+)\s*$", text, re.M) if word not in ("syscall", "total")}
    expect({"recvmmsg", "epoll_wait", "openat"} <= seen, "the calls of a server", sorted(seen))
    expect_equal(sorted(seen - permitted()), [], "system calls outside of the filter")


@check("unit-forbids-nothing-needed", needs=["strace", "sipp"], root=True, timeout=150)
def restrictions(shop):
    """RestrictAddressFamilies, MemoryDenyWriteExecute, RestrictRealtime, RestrictSUIDSGID, RestrictNamespaces, ProtectSystem: nothing of it is wanted."""
    calls = "socket,socketpair,mmap,mprotect,pkey_mprotect,sched_setscheduler,sched_setattr,clone,unshare,setns,personality,?open,openat,mkdir,mkdirat"
    text = load(shop, "-e", f"trace={calls}")
    families = set(re.findall(r"socket(?:pair)?\((AF_\w+)", text))
    expect("AF_INET" in families, "sockets", families)
    expect_equal(sorted(families - set(settings("RestrictAddressFamilies")[0].split())), [], "address families outside of the unit's")
    for pattern, what in [
        (r"m(?:map|protect)\(.*PROT_WRITE\|PROT_EXEC.*", "memory that is written and run"), (r"mprotect\(.*PROT_EXEC.*", "memory made to be run"),
        (r"sched_set\w+\(.*SCHED_(?:FIFO|RR|DEADLINE).*", "realtime scheduling"), (r"(?:clone|unshare)\(.*CLONE_NEW.*|setns\(.*", "namespaces"),
        (r"personality\((?!0xffffffff).*", "another personality"),
    ]:
        expect_equal(re.findall(pattern, text)[:3], [], what)
    written = set(re.findall(r'openat?\((?:AT_FDCWD, )?"([^"]+)", [^,)]*(?:O_WRONLY|O_RDWR|O_CREAT)[^)]*\)\s+= \d', text))
    outside = sorted(path for path in written if not path.startswith((shop.folder, "/dev/null", "/proc/self/", "/tmp/")))
    expect_equal(outside, [], "files written outside of the server's folders")
