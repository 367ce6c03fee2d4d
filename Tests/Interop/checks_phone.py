"""`pinhole phone` against Kamailio and against `pinhole serve`, found by address and by name."""

import re
import socket
import time

from dns import NAPTR, SRV, A, Responder, naptr, srv
from harness import check, expect, expect_equal, until
from programs import Server, free_port, header, kamailio, panels, phone
from rawsip import RawPhone, Registration

ZONE = "example.test"
SERVICE = f"_sip._udp.{ZONE}"


def statuses(process):
    return [rows["Status"] for rows in panels(process.text())]


def wait_registered(process):
    """The first panel that says so."""
    return until(
        "a panel with Status Registered", lambda: next((rows for rows in panels(process.text()) if rows["Status"] == "Registered"), None))


@check("kamailio-registers-refreshes-signs-off", ["kamailio"], timeout=40)
def kamailio_life(shop):
    """Kamailio grants 8 s at most, so a refresh is due soon."""
    port, own = free_port(), free_port()
    registrar = kamailio(shop, "127.0.0.1", port, longest=8)
    process = phone(shop, f"100@127.0.0.1:{port}", "--local", f"127.0.0.1:{own}")
    rows = wait_registered(process)
    expect_equal(rows["Own address"], f"127.0.0.1:{own}", "Own address")
    expect_equal(rows["Registrar sees"], f"127.0.0.1:{own}", "Registrar sees")
    expect("accepted for 8 s" in process.text(), "'accepted for 8 s' in the phone's log", "it is not there")
    is_registered = rf"interop: 100 is registered cseq=(\d+) from=127\.0\.0\.1:{own} contact=<sip:100@127\.0\.0\.1:{own}"
    first = registrar.wait_for(is_registered)
    until("a second 'is registered' of Kamailio, the refresh", lambda: registrar.count(is_registered) >= 2, 10)
    second = re.findall(is_registered, registrar.text())[1]
    expect(int(second) > int(first.group(1)), "a higher CSeq in the refresh", second)
    expect_equal(set(statuses(process)) - {"Starting", "Looking up the server", "Registering"}, {"Registered"}, "panels before Ctrl-C")
    expect_equal(process.interrupt(), 0, "exit status after Ctrl-C")
    expect_equal(statuses(process)[-1], "Not registered", "last panel")
    registrar.wait_for("interop: 100 is gone", what="Kamailio to have forgotten the phone")


@check("kamailio-once", ["kamailio"])
def kamailio_once(shop):
    port = free_port()
    registrar = kamailio(shop, "127.0.0.1", port)
    process = phone(shop, f"100@127.0.0.1:{port}", "--local", f"127.0.0.1:{free_port()}", "--once")
    expect_equal(process.wait(), 0, "exit status")
    expect("Registered" in statuses(process), "Status Registered on some panel", statuses(process))
    registrar.wait_for("interop: 100 is registered")
    registrar.wait_for("interop: 100 is gone")


@check("kamailio-wrong-password", ["kamailio"])
def kamailio_wrong_password(shop):
    port = free_port()
    registrar = kamailio(shop, "127.0.0.1", port)
    process = phone(shop, f"100@127.0.0.1:{port}", "--local", f"127.0.0.1:{free_port()}", "--once", password="wrong")
    expect_equal(process.wait(), 1, "exit status")
    expect("Authorization error" in statuses(process), "Status 'Authorization error' on some panel", statuses(process))
    expect("Registered" not in statuses(process), "no panel with Registered", statuses(process))
    registrar.wait_for(r"interop: challenges 100 cseq=\d+ credentials=[1-9]\d+")
    expect("is registered" not in registrar.text(), "no registration at Kamailio", "one")


@check("phone-registers-signs-off")
def phone_life(shop):
    server, own = Server(shop, settings=["keepalive.interval=1s"]), free_port()
    process = phone(shop, f"100@{server.place}", "--local", f"127.0.0.1:{own}", "--keepalive-interval", "1s")
    wait_registered(process)
    found = server.only_binding()
    expect_equal(found["contact"].split(";")[0], f"sip:100@127.0.0.1:{own}", "contact")
    expect_equal(found["remote"], f"127.0.0.1:{own}", "source of the flow")
    server.process.wait_for("the phone answers the keepalive")
    expect_equal({message.split("\n")[0].strip() for _, message in server.received("SIP/2.0 ")}, {"SIP/2.0 200 OK"}, "answers to OPTIONS")
    expect_equal(process.interrupt(), 0, "exit status after Ctrl-C")
    expect_equal(statuses(process)[-1], "Not registered", "last panel")
    expect_equal(server.bindings(), [], "bindings after the phone signed off")


@check("phone-once-ipv6")
def phone_once_ipv6(shop):
    server, own = Server(shop, address="::1"), free_port("::1")
    process = phone(shop, f"100@{server.place}", "--local", f"[::1]:{own}", "--once")
    expect_equal(process.wait(), 0, "exit status")
    expect("Registered" in statuses(process), "Status Registered on some panel", statuses(process))
    expect(f"registers: sip:100@[::1]:{own}" in server.text, f"the log to tell of contact sip:100@[::1]:{own}", server.text)
    expect_equal({peer for peer, _ in server.received("REGISTER ")}, {f"UDP:[::1]:{own}"}, "source of the REGISTERs")


@check("phone-wrong-password")
def phone_wrong_password(shop):
    server = Server(shop)
    process = phone(shop, f"100@{server.place}", "--local", f"127.0.0.1:{free_port()}", "--once", password="wrong")
    expect_equal(process.wait(), 1, "exit status")
    expect("Authorization error" in statuses(process), "Status 'Authorization error' on some panel", statuses(process))
    expect("wrong password" in server.text, "'wrong password' in the server's log", "it is not there")


@check("phone-unreachable")
def phone_nobody(shop):
    """Nobody listens: the kernel says so by ICMP, and the phone at once."""
    process = phone(shop, f"100@127.0.0.1:{free_port()}", "--local", f"127.0.0.1:{free_port()}", "--once")
    began = time.monotonic()
    expect_equal(process.wait(6), 1, "exit status")
    expect("Unreachable" in statuses(process), "Status Unreachable on some panel", statuses(process))
    expect(time.monotonic() - began < 5, "an end within 5 s", f"{time.monotonic() - began:.1f} s")


def zone(shop, targets):
    """NAPTR leads to SRV, SRV to `targets`, {label: (priority, port)}, all of them at 127.0.0.1."""
    records = {(ZONE, NAPTR): [naptr(10, 10, "SIP+D2U", SERVICE)]}
    records[SERVICE, SRV] = [srv(priority, port, f"{label}.{ZONE}") for label, (priority, port) in targets.items()]
    records.update({(f"{label}.{ZONE}", A): [socket.inet_aton("127.0.0.1")] for label in targets})
    return Responder(shop, records)


@check("phone-finds-server-by-name")
def phone_by_name(shop):
    """RFC 3263, and among SRV targets the one of lowest priority: the other one listed, and first, is nobody."""
    server, own, dead = Server(shop), free_port(), free_port()
    responder = zone(shop, {"spare": (20, dead), "usual": (10, server.port)})
    process = phone(shop, f"100@{ZONE}", "--dns", responder.place, "--local", f"127.0.0.1:{own}")
    wait_registered(process)
    kinds = [question for question in responder.questions if question[1] in (NAPTR, SRV, A)]
    expect_equal(kinds[:2], [(ZONE, NAPTR), (SERVICE, SRV)], "first two questions")
    expect((f"usual.{ZONE}", A) in kinds[2:], f"a question for usual.{ZONE}", kinds)
    expect(f"to 127.0.0.1:{dead}:" not in process.text(), "nothing sent to the spare target", process.text())
    requests = [message.split("\n")[0].strip() for _, message in server.received("REGISTER ")]
    expect_equal(set(requests), {f"REGISTER sip:{ZONE} SIP/2.0"}, "Request-URIs")
    expect_equal(server.only_binding()["remote"], f"127.0.0.1:{own}", "source of the flow")
    expect_equal(process.interrupt(), 0, "exit status after Ctrl-C")
    expect_equal(server.bindings(), [], "bindings after the phone signed off")


@check("phone-fails-over")
def phone_fails_over(shop):
    """The preferred target is a closed port: the kernel reports that by ICMP, and the phone goes to the next one at once."""
    server, dead = Server(shop), free_port()
    responder = zone(shop, {"usual": (10, dead), "spare": (20, server.port)})
    process = phone(shop, f"100@{ZONE}", "--dns", responder.place, "--local", f"127.0.0.1:{free_port()}", "--once")
    expect_equal(process.wait(6), 0, "exit status")
    expect(f"to 127.0.0.1:{dead}:" in process.text(), f"the preferred target 127.0.0.1:{dead} tried", process.text())
    expect(server.received("REGISTER "), "a REGISTER at the second target", "none")


@check("phone-name-not-found")
def phone_unknown_name(shop):
    responder = Responder(shop, {(ZONE, A): [socket.inet_aton("127.0.0.1")]})
    process = phone(shop, "100@absent.test", "--dns", responder.place, "--local", f"127.0.0.1:{free_port()}", "--once")
    expect_equal(process.wait(), 1, "exit status")
    expect("Server name not found" in statuses(process), "Status 'Server name not found' on some panel", statuses(process))
    expect(any(asked.endswith("absent.test") for asked, _ in responder.questions), "questions for absent.test", responder.questions)


@check("account-added-while-serving")
def account_while_serving(shop):
    """A running server notices a new account within a second or two."""
    server = Server(shop)
    with RawPhone("127.0.0.1", server.port) as raw:
        contact = f"sip:200@{raw.place}"
        refused = raw.register(Registration(raw, "200", contact))
        expect(refused.startswith("SIP/2.0 401 "), "401 before the account exists", refused)
        server.add_account("200")
        server.process.wait_for("2 accounts", 5)
        accepted = raw.register(Registration(raw, "200", contact))
        expect(accepted.startswith("SIP/2.0 200 "), "200 after the account was added", accepted)
        expect_equal(header(accepted, "Contact").split(";")[0], f"<{contact}>", "contact in the 200")
