"""`pinhole serve` as a daemon: the service manager, reloading, draining, the log, and what locks out who guesses passwords."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess

from harness import PATIENCE, PINHOLE, ROOT, check, expect, expect_equal, until
from programs import MD5_ONLY, PASSWORD, Server, free_port, taken
from rawcall import Talker, names, talk
from rawsip import RawPhone, Registration

OFFER = "\r\n".join(["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 30000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", ""])


class Manager:
    """Listens at NOTIFY_SOCKET as systemd does."""

    def __init__(self, shop):
        self.path = shop.path(f"notify-{len(shop.processes)}")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.said = []
        shop.cleanups.append(self.socket.close)

    def heard(self, pattern):
        while select.select([self.socket], [], [], 0)[0]:
            self.said.append(self.socket.recv(4096).decode())
        return any(re.match(pattern, text) for text in self.said)


class Daemon(Server):
    """A server that reads a file, as a service manager starts it."""

    def __init__(self, shop, text="", watchdog=1_000_000, **more):
        self.manager = Manager(shop)
        self.file = shop.path("pinhole.yaml")
        self.watchdog = watchdog
        self.write(text)
        super().__init__(shop, settings=[MD5_ONLY], **more)

    def write(self, text):
        with open(self.file + ".new", "w") as file:
            file.write(text)
        os.rename(self.file + ".new", self.file)

    def start(self):
        settings = [word for setting in self.settings if not setting.startswith("drain-for") for word in ("--set", setting)]
        self.process = self.shop.start(
            "serve", [PINHOLE, "serve", "--config", self.file, "--listen", self.place, *self.common, *settings, *self.extra],
            NOTIFY_SOCKET=self.manager.path, WATCHDOG_USEC=str(self.watchdog))
        until("READY=1", lambda: self.manager.heard("READY=1$"))

    def ask(self, command):
        return self.shop.run(command, [PINHOLE, command, "--json", "--config", self.file, *self.common])


@contextlib.contextmanager
def in_a_call(server):
    """Two users of the server, registered, in a call with each other."""
    with Talker("127.0.0.1", server.port, "100") as caller, Talker("127.0.0.1", server.port, "200") as callee:
        caller.sign_on()
        callee.sign_on()
        near, _, _, _ = talk(caller, callee, OFFER, OFFER)
        yield caller, callee, near


@check("daemon-service-manager")
def service_manager(shop):
    """systemd's words: READY when phones can register, WATCHDOG all the time, RELOADING and READY around a reload, STOPPING at the end."""
    server = Daemon(shop)
    with RawPhone("127.0.0.1", server.port) as phone:
        answer = phone.register(Registration(phone, "100", f"sip:100@{phone.place}"))
        expect(answer.startswith("SIP/2.0 200 "), "200 to a REGISTER after READY", answer)
    until("WATCHDOG=1", lambda: server.manager.heard("WATCHDOG=1$"))
    server.manager.said.clear()
    server.process.signal(signal.SIGHUP)
    until("RELOADING=1 and READY=1", lambda: server.manager.heard("RELOADING=1\nMONOTONIC_USEC=[0-9]+$") and server.manager.heard("READY=1$"))
    server.process.signal(signal.SIGTERM)
    expect_equal(server.process.wait(), 0, "exit status after SIGTERM")
    expect(server.manager.heard("STOPPING=1\n"), "STOPPING=1", server.manager.said)


@check("daemon-reload", timeout=60)
def reload(shop):
    """Reloading changes rooms, accounts and certificate under a call and a TLS connection, loses neither, and names what it cannot change."""
    def certificate(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", shop.path("key.pem"),
                        "-out", shop.path("chain.pem")], check=True, capture_output=True)

    port = free_port()
    tls = f"tls: {{listen: '127.0.0.1:{port}', certificate: {shop.path('chain.pem')}, key: {shop.path('key.pem')}}}\n"
    certificate("first.example")
    server = Daemon(shop, tls + "rooms: [{name: meeting}]\n", users=("100", "200"))
    context = ssl._create_unverified_context()

    def connect():
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port)))

    def shown(connection):
        return b"second.example" in connection.getpeercert(binary_form=True)

    def options(connection, number):
        connection.sendall((
            f"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKo{number};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: o{number}\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n").encode())
        connection.settimeout(10 * PATIENCE)
        return connection.recv(4096).decode()

    old = connect()
    with in_a_call(server) as (caller, _, near):
        certificate("second.example")
        server.write(tls + "rooms: [{name: board}]\nport: 5999\n")
        status, text = server.ask("reload")
        answer = json.loads(text)
        expect_equal((status, answer["changed"], [one["key"] for one in answer["refused"]]), (1, ["rooms"], ["port"]), "what the reload changed")
        expect(names(options(old, 1), "SIP/2.0 "), "an answer over the connection of before", "none")
        expect(not shown(old) and shown(connect()), "the new certificate for new connections only", "another")
        server.write("calls:\n  ring-for: soon\n")
        status, text = server.ask("reload")
        expect(status == 1 and "ring-for: expected a duration" in text, "the place of the mistake", text)
        server.process.signal(signal.SIGHUP)
        server.process.wait_for(r"error: the configuration was read again and is not used; the running one stays\. .*pinhole.yaml:2:13: calls.ring-for")
        server.write(tls + "rooms: [{name: board}]\n")
        server.add_account("300")
        server.process.signal(signal.SIGHUP)
        with Talker("127.0.0.1", server.port, "300") as third:
            until("the new account", lambda: names(third.register(Registration(third, "300", third.contact)), "SIP/2.0 200"))
        ended = caller.hang_up(near)
        expect(ended is not None and names(ended, "SIP/2.0 200"), "200 to the BYE of the call that ran all the time", ended)
    status, text = server.ask("status")
    expect_equal((status, json.loads(text)["state"]), (0, "serving"), "pinhole status")


@check("daemon-drain", timeout=60)
def drain(shop):
    """SIGTERM: no new calls, registrations are answered, the call that runs gets its time, then BYE; the server ends with 0."""
    server = Daemon(shop, "drain-for: 2s\n", users=("100", "200"))
    with in_a_call(server) as (caller, callee, _):
        server.process.signal(signal.SIGTERM)
        server.process.wait_for("stopping: no new calls; 1 that runs gets 2 s")
        callee.sign_on()
        caller.call("200", OFFER)
        refused = caller.final("INVITE", 5 * PATIENCE)
        expect(refused is not None and names(refused, "SIP/2.0 503"), "503 to a new call", refused)
        for phone in (caller, callee):
            bye = phone.request("BYE", 10 * PATIENCE)
            expect(bye is not None and "the server stops" in bye, "a BYE with its reason", bye)
            phone.reply(bye, "200 OK")
        expect_equal(server.process.wait(), 0, "exit status")


@check("daemon-second-signal")
def second_signal(shop):
    """A second SIGTERM ends the server at once, whatever runs."""
    server = Daemon(shop, "drain-for: 1h\n", users=("100", "200"))
    with in_a_call(server):
        server.process.signal(signal.SIGTERM)
        server.process.wait_for("stopping: no new calls; 1 that runs")
        server.process.signal(signal.SIGTERM)
        server.process.wait()


@check("daemon-fail2ban", needs=["fail2ban-regex"])
def fail2ban(shop):
    """Each proved wrong password is one line that fail2ban's filter finds; challenges, stale nonces and right passwords are none."""
    for form in ("text", "journal"):
        server = Daemon(shop, f"log: {{format: {form}, security: debug}}\n", users=("100",) if form == "text" else ())
        with RawPhone("127.0.0.1", server.port) as phone:
            good = Registration(phone, "100", f"sip:100@{phone.place}")
            answer = phone.register(good)
            expect(answer.startswith("SIP/2.0 200 "), "200", answer)
            for user, password in (("100", "wrong"), ("evil user=1", PASSWORD)):
                registration = Registration(phone, "100")
                first = phone.ask(registration.request())
                registration.user = user
                answer = phone.ask(registration.answered(first, password).replace("<sip:evil user=1@", "<sip:100@"))
                expect(answer.startswith("SIP/2.0 401 "), "401", answer)
        server.process.wait_for("auth-failure .*reason=unknown-user")
        lines = shop.path(f"{form}.lines")
        with open(lines, "w") as file:
            # journald takes the priority off and gives the time.
            file.write(re.sub(r"^<[0-7]>", "2026-01-02 03:04:05.678 ", server.text, flags=re.M))
        _, report = shop.run("regex", ["fail2ban-regex", lines, os.path.join(ROOT, "Examples/fail2ban/filter.d/pinhole.conf")])
        expect(re.search(r"Lines: \d+ lines, 0 ignored, 2 matched", report), "2 lines matched", report)
        server.process.signal(signal.SIGTERM)
        server.process.wait()


@check("daemon-broken-pipe")
def broken_pipe(shop):
    """Whoever reads the log may leave: the server goes on."""
    server = Daemon(shop)
    server.process.signal(signal.SIGTERM)
    server.process.wait()
    reading, writing = os.pipe()
    port = free_port()
    popen = subprocess.Popen(
        [PINHOLE, "serve", "--listen", f"127.0.0.1:{port}", "--no-stun", *server.common, "--set", "limits.trusted=yes"], stdout=writing, stderr=writing)
    shop.cleanups.append(popen.kill)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    until("the server to listen", lambda: taken("127.0.0.1", port))
    with RawPhone("127.0.0.1", port) as phone:
        answer = phone.register(Registration(phone, "100", f"sip:100@{phone.place}"))
        expect(answer.startswith("SIP/2.0 200 "), "200 after the reader has gone", answer)
    popen.send_signal(signal.SIGTERM)
    expect_equal(popen.wait(10 * PATIENCE), 0, "exit status")
