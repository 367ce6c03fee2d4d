"""Calls between real phones through `pinhole serve`: each must hear the tone the other plays."""

import re

import audio
from harness import PINHOLE, check, expect, expect_equal, until
from programs import PASSWORD, Baresip, Linphone, Server, free_port, host
from world import PHONE, PLAIN, SERVER, SIX, SIX_GATEWAY, World

LOW, HIGH, THIRD = 440, 880, 1320
USERS = ("100", "200", "300")


def baresip_echo(address, transport="udp", extra="", **server):
    def run(shop):
        place = Server(shop, address=address, users=USERS, **server).place
        phone = Baresip(
            shop, "100", place, local=f"{host(address)}:{free_port(address)}", tone=LOW, transport=transport, extra=extra,
            dial=f"sip:600@{place}")
        phone.established().hears(LOW)
        phone.end()

    return run


check("echo-baresip", needs=["baresip"])(baresip_echo("127.0.0.1"))


@check("echo-baresip-ipv6", needs=["baresip"], root=True)
def echo_six(shop):
    world = World(shop, six=True)
    place = Server(shop, address=SIX_GATEWAY, port=5060, ns=world.server, users=USERS).place
    phone = Baresip(shop, "100", place, local=f"[{SIX}]:5060", tone=LOW, ns=world.plain, dial=f"sip:600@{place}")
    phone.established().hears(LOW)
    phone.end()


def two_baresips(shop, server, *, caller, callee):
    """Arguments of each; the caller dials once the callee is registered."""
    place = server.place
    waiting = Baresip(shop, "200", place, tone=HIGH, **callee).registered()
    calling = Baresip(shop, "100", place, tone=LOW, dial=f"sip:200@{place}", **caller).established()
    waiting.established()
    calling.hears(HIGH)
    waiting.hears(LOW)
    calling.end()
    waiting.process.wait_for("terminated|session closed", what="the callee to hear of the end")
    waiting.end()


@check("call-baresip-baresip", needs=["baresip"], timeout=60)
def baresip_baresip(shop):
    server = Server(shop, users=USERS)
    two_baresips(
        shop, server, caller={"local": f"127.0.0.1:{free_port()}"}, callee={"local": f"127.0.0.1:{free_port()}"})
    until("a record of the call", lambda: re.search(r"call .*100.*200", server.text), every=0.2)


@check("call-ipv6-only-to-ipv4-only", needs=["baresip"], root=True, timeout=60)
def six_to_four(shop):
    """Behind the NAT one phone has IPv4 alone, in the open another has IPv6 alone; the server has both."""
    world = World(shop, six=True)
    server = Server(
        shop, address=SERVER, port=5060, ns=world.server, users=USERS, extra=("--no-stun", "--listen", f"[{SIX_GATEWAY}]:5060"))
    waiting = Baresip(shop, "200", server.place, local=f"{PHONE}:5060", tone=HIGH, ns=world.lan).registered()
    six = f"[{SIX_GATEWAY}]:5060"
    calling = Baresip(shop, "100", six, local=f"[{SIX}]:5060", tone=LOW, ns=world.plain, dial=f"sip:200@{six}").established()
    calling.hears(HIGH)
    waiting.hears(LOW)
    calling.end()
    waiting.end()


def behind_nat(helper):
    def run(shop):
        world = World(shop, helper=helper, plain=True)
        server = Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS)
        two_baresips(
            shop, server, caller={"local": "192.168.1.100:5060", "ns": world.lan}, callee={"local": f"{PLAIN}:5060", "ns": world.plain})

    return run


def called_behind_nat(helper):
    def run(shop):
        world = World(shop, helper=helper, plain=True)
        server = Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS)
        two_baresips(
            shop, server, callee={"local": "192.168.1.100:5060", "ns": world.lan}, caller={"local": f"{PLAIN}:5060", "ns": world.plain})

    return run


for name, with_helper in (("without", False), ("with", True)):
    check(f"call-from-behind-nat-{name}-alg", needs=["baresip"], root=True, timeout=60)(behind_nat(with_helper))
    check(f"call-to-behind-nat-{name}-alg", needs=["baresip"], root=True, timeout=60)(called_behind_nat(with_helper))


def linphone_world(shop):
    """linphone registers only where there is a way to the rest of the world, so it gets a host of its own."""
    world = World(shop, plain=True)
    return world, Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS)


@check("call-linphone-baresip", needs=["baresip", "linphonec"], root=True, timeout=60)
def linphone_baresip(shop):
    world, server = linphone_world(shop)
    waiting = Baresip(shop, "200", server.place, local=f"{PHONE}:5060", tone=HIGH, ns=world.lan).registered()
    calling = Linphone(shop, "100", server.place, port=5060, tone=LOW, ns=world.plain).registered().call(f"sip:200@{server.place}")
    waiting.hears(LOW)
    waiting.end()
    calling.hears_the_end()
    calling.hears(HIGH)


@check("call-baresip-linphone", needs=["baresip", "linphonec"], root=True, timeout=60)
def baresip_linphone(shop):
    world, server = linphone_world(shop)
    waiting = Linphone(shop, "200", server.place, port=5060, tone=HIGH, ns=world.plain, answer=True).registered()
    calling = Baresip(
        shop, "100", server.place, local=f"{PHONE}:5060", tone=LOW, ns=world.lan, dial=f"sip:200@{server.place}").established()
    calling.hears(HIGH)
    calling.end()
    waiting.hears_the_end()
    waiting.hears(LOW)


@check("room-baresip-linphone-pinhole", needs=["baresip", "linphonec"], root=True, timeout=60)
def room(shop):
    """Three programs in one room, two of them behind one NAT; each hears the two others, and nobody himself."""
    world, server = linphone_world(shop)
    where = f"sip:8000@{server.place}"
    first = Baresip(shop, "100", server.place, local=f"{PHONE}:5060", tone=LOW, ns=world.lan, dial=where).established()
    second = Linphone(shop, "200", server.place, port=5060, tone=HIGH, ns=world.plain).registered().call(where)
    record = shop.path("pinhole-out.wav")
    third = shop.start("phone", [
        PINHOLE, "phone", f"sip:300@{server.place}", "--password", PASSWORD, "--local", f"{PHONE}:5070", "--call", where,
        "--tone", THIRD, "--record", record, "--hang-up-after", "8s", "--no-sound"], world.lan)
    for tone in (HIGH, THIRD):
        first.hears(tone)
    expect_equal(third.wait(30), 0, "exit status of pinhole phone")
    for tone in (LOW, HIGH):
        expect(audio.heard(record, tone) >= 1, f"1 s of {tone} Hz at pinhole phone", audio.heard(record, tone))
    expect(first.heard(LOW) < 1, "nobody to hear himself", first.heard(LOW))
    first.end()
    second.end()
    for tone in (LOW, THIRD):
        second.hears(tone)


@check("call-tls-srtp-to-udp-rtp", needs=["baresip"], root=True, timeout=60)
def secure_to_plain(shop):
    """Behind the NAT and its SIP helper one phone speaks TLS and nothing but SRTP; in the open another speaks UDP and plain RTP."""
    world = World(shop, helper=True, plain=True)
    server = Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS, settings=[f"tls.listen={SERVER}:5061"])
    waiting = Baresip(shop, "200", server.place, local=f"{PLAIN}:5060", tone=HIGH, ns=world.plain).registered()
    secure = f"{SERVER}:5061"
    calling = Baresip(
        shop, "100", secure, local=f"{PHONE}:5060", tone=LOW, ns=world.lan, transport="tls", extra=";mediaenc=srtp-mand",
        dial=f"sip:200@{secure};transport=tls").established()
    calling.hears(HIGH)
    waiting.hears(LOW)
    calling.end()
    waiting.end()
    offers = [message for _, message in server.received("INVITE ")]
    expect(all("RTP/SAVP" in offer and "a=crypto:" in offer for offer in offers), "SRTP in the offer of the TLS phone", offers)
    passed_on = re.findall(r"^m=audio \d+ (\S+)", server.text[server.text.index("Transmitting"):], re.M)
    expect("RTP/AVP" in passed_on, "plain RTP in what the UDP phone was offered", passed_on)


@check("call-to-srtp-alone-over-udp", needs=["baresip"], timeout=60)
def to_srtp_alone(shop):
    """A phone that takes nothing but SRTP, over UDP: asked a second time, it is called by one that speaks plain RTP; then asked at once."""
    server = Server(shop, users=USERS)
    waiting = Baresip(
        shop, "200", server.place, local=f"127.0.0.1:{free_port()}", tone=HIGH, extra=";mediaenc=srtp-mand").registered()
    for user, tone in (("100", LOW), ("300", THIRD)):
        calling = Baresip(
            shop, user, server.place, local=f"127.0.0.1:{free_port()}", tone=tone, dial=f"sip:200@{server.place}").established()
        calling.hears(HIGH)
        waiting.hears(tone)
        calling.end()
    waiting.end()
    expect_equal(len(re.findall(r"pinhole account srtp 200 required", server.text)), 1, "words on the phone that insists")
    offers = re.findall(r"^INVITE sip:200-.*?^m=audio \d+ (\S+)", server.text, re.M | re.S)
    expect_equal(offers, ["RTP/AVP", "RTP/SAVP", "RTP/SAVP"], "what the phone was offered")


@check("call-tcp", needs=["baresip"], root=True, timeout=60)
def over_tcp(shop):
    """Both phones over TCP, the called one behind the NAT: it is reached over the connection it made."""
    world = World(shop, plain=True)
    server = Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS)
    two_baresips(
        shop, server, callee={"local": f"{PHONE}:5060", "ns": world.lan, "transport": "tcp"},
        caller={"local": f"{PLAIN}:5060", "ns": world.plain, "transport": "tcp"})


@check("room-pinhole-tls", root=True, timeout=60)
def room_over_tls(shop):
    """Two of our phones in a room over TLS with SRTP; each hears the other's tone, and the certificate is the server's own."""
    world = World(shop, plain=True)
    Server(shop, address=SERVER, port=5060, ns=world.server, users=USERS, settings=[f"tls.listen={SERVER}:5061"])
    phones = []
    for user, place, local, tone in (("100", world.lan, PHONE, LOW), ("200", world.plain, PLAIN, HIGH)):
        record = shop.path(f"{user}.wav")
        phones.append((record, shop.start(f"phone-{user}", [
            PINHOLE, "phone", f"sip:{user}@{SERVER}:5061", "--password", PASSWORD, "--transport", "tls", "--tls-insecure",
            "--local", local, "--call", f"sip:8001@{SERVER}:5061", "--tone", tone, "--record", record, "--hang-up-after", "6s",
            "--encryption", "required", "--no-sound"], place)))
    for record, process in phones:
        expect_equal(process.wait(30), 0, "exit status of pinhole phone")
    for (record, _), tone in zip(phones, (HIGH, LOW)):
        expect(audio.heard(record, tone) >= 1, f"1 s of {tone} Hz", audio.heard(record, tone))
