"""Behind the kernel's own NAT, with its SIP helper off and on. The helper is the one real SIP ALG at hand."""

import re
import signal
import time

from harness import check, expect, expect_equal, until
from programs import MD5_ONLY, Server, baresip, header, panels, phone, sipp, sipp_trace
from world import OUTSIDE, PHONE, SERVER, World

NEEDS = ["ip", "nft"]


def both_ways(name, needs=(), timeout=30):
    """Registers the same check twice: helper off, helper on."""

    def register(body):
        for helper in (False, True):
            def run(shop, helper=helper):
                world = World(shop, helper=helper)
                body(shop, world, helper)

            check(f"nat-{name}-helper-{'on' if helper else 'off'}", [*NEEDS, *needs], True, timeout)(run)
        return body

    return register


def served(shop, world, *settings, extra=("--no-stun",)):
    return Server(shop, address=SERVER, port=5060, ns=world.server, settings=settings, extra=extra)


def expect_arrived(server, helper, port, count=1):
    """What the server saw of each REGISTER: always the router's address; its Contact and Via only rewritten by the helper."""
    messages = until(f"{count} REGISTERs", lambda: (found := server.received("REGISTER ")) and len(found) >= count and found)
    for peer, message in messages:
        expect_equal(peer, f"UDP:{OUTSIDE}:{port}", "source of a REGISTER")
        shown = OUTSIDE if helper else PHONE
        contact, via = header(message, "Contact"), header(message, "Via")
        expect(f"@{shown}:{port}>" in contact, f"Contact with {shown}:{port} (helper {'on' if helper else 'off'})", contact)
        expect(f"UDP {shown}:{port};" in via, f"Via with {shown}:{port} (helper {'on' if helper else 'off'})", via)


@both_ways("sipp", needs=["sipp"])
def nat_sipp(shop, world, helper):
    server = served(shop, world, MD5_ONLY)
    status = sipp(shop, "sipp/register.xml", f"{SERVER}:5060", local=PHONE, port=5060, ns=world.lan).wait()
    expect_equal(status, 0, "exit status of SIPp")
    expect_arrived(server, helper, 5060, count=2)
    found = server.only_binding()
    expect_equal(found["remote"], f"{OUTSIDE}:5060", "source of the flow")
    expect_equal(found["local"], f"{SERVER}:5060", "local end of the flow")
    expect_equal(found["contact"], f"sip:100@{OUTSIDE if helper else PHONE}:5060", "stored contact")
    # On the way back the helper undoes its rewriting, so that the phone never learns of it.
    last = re.findall(r"^SIP/2.0 200 OK\r?\n.*?(?:\r?\n\r?\n|\Z)", sipp_trace(shop), re.M | re.S)[-1]
    seen = PHONE if helper else OUTSIDE
    expect(f"received={seen}" in header(last, "Via"), f"received={seen} in what SIPp got", header(last, "Via"))
    expect("rport=5060" in header(last, "Via"), "rport=5060 in what SIPp got", header(last, "Via"))
    expect(f"sip:100@{PHONE}:5060" in header(last, "Contact"), f"the phone's own contact {PHONE}:5060", header(last, "Contact"))


@both_ways("baresip", needs=["baresip"])
def nat_baresip(shop, world, helper):
    server = served(shop, world, MD5_ONLY)
    process = baresip(shop, "100", SERVER, local=f"{PHONE}:5070", ns=world.lan)
    process.wait_for(r"\{0/UDP/v4\} 200 OK .*\[1 binding\]")
    expect_arrived(server, helper, 5070, count=2)
    expect_equal(server.only_binding()["remote"], f"{OUTSIDE}:5070", "source of the flow")
    process.signal(signal.SIGTERM)
    expect_equal(process.wait(), 0, "exit status of baresip")
    server.process.wait_for("removed by the phone", what="the log to tell of the removal")
    expect_equal(server.bindings(), [], "bindings after baresip signed off")


@both_ways("phone-stun")
def nat_phone(shop, world, helper):
    server = served(shop, world, extra=())
    process = phone(shop, f"100@{SERVER}", "--stun", SERVER, ns=world.lan)

    def panel():
        registered = [rows for rows in panels(process.text()) if rows["Status"] == "Registered"]
        return registered and "STUN sees" in registered[-1] and "Registrar sees" in registered[-1] and registered[-1]

    rows = until("a panel with Status Registered, STUN sees and Registrar sees", panel)
    expect_equal(rows["Own address"], f"{PHONE}:5060", "Own address")
    expect_equal(rows["STUN sees"], f"{OUTSIDE}:5060", "STUN sees")
    # The helper rewrites received and rport: to the phone it looks as if there were no NAT. STUN tells otherwise.
    expect_equal(rows["Registrar sees"], f"{PHONE if helper else OUTSIDE}:5060", "Registrar sees")
    expect_equal("SIP ALG" in rows.get("Note", ""), helper, "a note of a SIP ALG on the panel:")
    found = server.only_binding()
    expect_equal(found["remote"], f"{OUTSIDE}:5060", "source of the flow")
    expect_equal(found["contact"].split(";")[0], f"sip:100@{OUTSIDE}:5060", "stored contact, from STUN or the helper")
    expect_equal(process.interrupt(), 0, "exit status of the phone")
    expect_equal(panels(process.text())[-1]["Status"], "Not registered", "last panel")
    expect_equal(server.bindings(), [], "bindings after the phone signed off")


@check("nat-keepalive-holds-mapping", [*NEEDS, "baresip"], root=True, timeout=40)
def nat_keepalive(shop):
    """The router forgets after 3 s; OPTIONS every 2 s keep baresip, which says nothing by itself, reachable."""
    world = World(shop, udp_timeout=3)
    server = served(shop, world, "keepalive.interval=2s", "keepalive.answer-within=1s", MD5_ONLY)
    baresip(shop, "100", SERVER, local=f"{PHONE}:5070", ns=world.lan, regint=600).wait_for(r"200 OK .*\[1 binding\]")
    began = time.monotonic()
    until("two timeouts of the router to pass", lambda: time.monotonic() - began > 7, 10, every=0.2)
    mark = len(server.text)
    server.process.wait_for("the phone answers the keepalive", 4, mark, "an OPTIONS answered after two timeouts of the router")
    expect(server.process.count("the phone answers the keepalive") >= 4, "at least 4 keepalives answered", "fewer")
    expect_equal(len(server.received("REGISTER ")), 2, "REGISTERs in all")
    answers = {peer for peer, _ in server.received("SIP/2.0 ")}
    expect_equal(answers, {f"UDP:{OUTSIDE}:5070"}, "where answers came from")
    expect("cannot be reached" not in server.text, "a flow that never was called dead", "it was")


@check("nat-mapping-dies-without-keepalive", [*NEEDS, "sipp"], root=True, timeout=40)
def nat_mapping_dies(shop):
    """The control: OPTIONS that come later than the router's patience reach nobody, and the server says so."""
    world = World(shop, udp_timeout=3)
    server = served(shop, world, "keepalive.interval=6s", "keepalive.answer-within=1s", "keepalive.failures=2", MD5_ONLY)
    process = sipp(
        shop, "sipp/stay.xml", f"{SERVER}:5060", local=PHONE, port=5060, ns=world.lan, extra=["-oocsn", "ooc_default"], timeout=60)
    server.process.wait_for(r"registered; 1 binding")
    server.process.wait_for(r"NOTICE: .*100@\S+ cannot be reached any more: 2 OPTIONS in a row", 20)
    expect("the phone answers the keepalive" not in server.text, "no OPTIONS answered", "one was")
    expect("OPTIONS sip:" not in sipp_trace(shop), "no OPTIONS at the phone", "one got through")
    process.signal(signal.SIGUSR1)
    found = server.only_binding()
    expect_equal(found["remote"], f"{OUTSIDE}:5060", "the binding stays until it expires; its flow's source")


@check("nat-no-helper-same-without-rport", NEEDS, root=True)
def nat_no_rport(shop):
    """A phone that asks for no rport is answered at its source all the same; and private Contacts are no obstacle."""
    world = World(shop)
    server = served(shop, world)
    process = phone(shop, f"100@{SERVER}", "--no-rport", "--local", f"{PHONE}:5066", "--keepalive", "none", "--once", ns=world.lan)
    expect_equal(process.wait(), 0, "exit status of the phone")
    for _, message in server.received("REGISTER "):
        expect("rport" not in header(message, "Via"), "Via without rport", header(message, "Via"))
    expect(any(rows["Status"] == "Registered" for rows in panels(process.text())), "Status Registered", panels(process.text()))
