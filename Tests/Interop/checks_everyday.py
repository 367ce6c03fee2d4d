"""What offices do every day: forwarding, calling back, transfers into rooms, faxes, phones that insist on SRTP, a server that restarts."""

import re
import time

import rawcall
from harness import PATIENCE, check, expect, expect_equal, until
from programs import MD5_ONLY, Baresip, Server, free_port
from rawcall import Talker, body, talk
from programs import header

USERS = ("100", "200", "300")
LOW, HIGH = 440, 880


def sdp(port, lines=None, version=1):
    lines = lines or [f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000"]
    return "\r\n".join(["v=0", f"o=- {port} {version} IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", *lines, ""])


def talkers(server, *users):
    return [Talker(server.address, server.port, user, f"127.0.0.{11 + at}").sign_on() for at, user in enumerate(users)]


@check("forwarding-302")
def forwarding(shop):
    """A phone that forwards all calls answers 302: whom it names rings, and is told who forwarded."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    caller, forwarder, third = talkers(server, *USERS)
    near = caller.call("200", sdp(40000))
    far = forwarder.ringing()
    forwarder.answer(far, "", "302 Moved Temporarily", f"Contact: <sip:300@{server.place}>\r\n")
    there = third.ringing()
    expect("200" in (header(there.invite, "Diversion") or ""), "Diversion to name 200", there.invite)
    expect(header(there.invite, "History-Info"), "History-Info", there.invite)
    third.answer(there, sdp(40002))
    caller.connected(near)
    expect(third.request("ACK", 5 * PATIENCE), "an ACK at the third phone", None)
    expect_equal(caller.hang_up(near)[:11], "SIP/2.0 200", "answer to the BYE")


@check("calling-back")
def calling_back(shop):
    """The number a phone shows can be called: its From carries the domain that this phone registered with, here our address."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    first, second = talkers(server, "100", "200")
    near = first.call("200", sdp(40000))
    far = second.ringing()
    shown = rawcall.uri(header(far.invite, "From"))
    expect_equal(shown, f"sip:100@{server.address}", "the caller's URI at the callee")
    second.answer(far, "", "486 Busy Here")
    first.final("INVITE")
    back = second.call(shown, sdp(40002))
    there = first.ringing()
    first.answer(there, sdp(40000))
    second.connected(back)


@check("transfer-into-room", timeout=40)
def transfer(shop):
    """An attended transfer whose second call a room or the echo test answered (RFC 5589 7.3)."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    for target in ("8000", "600"):
        first, second = talkers(server, "100", "200")
        near, far, _, _ = talk(first, second, sdp(40000), sdp(40002))
        consult = first.call(target, sdp(40004))
        first.connected(consult)
        tags = [re.search(r"tag=([^;>]+)", side).group(1) for side in (consult.remote, consult.local)]
        near.cseq += 1
        first.signed("REFER", near, extra=f"Refer-To: <{consult.target}?Replaces={consult.call}%3Bto-tag%3D{tags[0]}%3Bfrom-tag%3D{tags[1]}>\r\n")
        answer = first.final("REFER", 5 * PATIENCE)
        expect_equal(answer[:11], "SIP/2.0 202", f"answer to the REFER into {target}")
        told = first.next(lambda message: message.startswith("NOTIFY ") and "SIP/2.0 200" in message, 5 * PATIENCE)
        expect(told, "a NOTIFY of success", first.inbox)
        first.socket.close()
        second.socket.close()


def image(port, version):
    return sdp(port, [f"m=image {port} udptl t38", "a=T38FaxVersion:0", "a=T38FaxUdpEC:t38UDPRedundancy"], version)


@check("fax-t38")
def fax(shop):
    """A call becomes a fax by re-INVITE; twenty UDPTL packets each way arrive as they were sent."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    first, second = talkers(server, "100", "200")
    sockets = [rawcall.media_socket(phone) for phone in (first, second)]
    ports = [made.getsockname()[1] for made in sockets]
    near, far, _, _ = talk(first, second, sdp(ports[0]), sdp(ports[1]))
    near.cseq += 1
    first.signed("INVITE", near, sdp=image(ports[0], 2))
    asked = second.request("INVITE", 5 * PATIENCE)
    expect("udptl t38" in asked, "m=image udptl at the callee", asked)
    second.reply(asked, "200 OK", image(ports[1], 2))
    answer = first.connected(near)
    expect("udptl t38" in answer, "m=image udptl in the answer", answer)
    targets = [rawcall.place(body(message)) for message in (answer, asked)]
    heard = [[], []]

    def send(number):
        for made, target in zip(sockets, targets):
            made.sendto(bytes([0, number, 6, 1, 2, 3, 4, 0, 0]), target)
        time.sleep(0.02)
        for packets, made in zip(heard, sockets):
            packets += [packet[1] for packet in rawcall.drain(made)]

    # Until the relay knows where both are: the first of each go nowhere, and a busy machine takes its time.
    until = time.monotonic() + 5 * PATIENCE
    start = 0
    while not all(heard) and time.monotonic() < until and start < 200:
        send(start)
        start += 1
    for number in range(start, start + 20):
        send(number)
    while any(packets[-1:] != [start + 19] for packets in heard) and time.monotonic() < until + PATIENCE:
        time.sleep(0.02)
        for packets, made in zip(heard, sockets):
            packets += [packet[1] for packet in rawcall.drain(made)]
    for packets in heard:
        expect_equal(packets[-20:], list(range(start, start + 20)), "the UDPTL packets' numbers")


@check("srtp-mandatory-over-udp", needs=["baresip"], timeout=60)
def insists_on_srtp(shop):
    """A phone that insists on SRTP, over UDP: called by one that knows none, and the log says what was done."""
    server = Server(shop, users=USERS)
    waiting = Baresip(
        shop, "200", server.place, local=f"127.0.0.1:{free_port()}", tone=HIGH, extra=";mediaenc=srtp-mand").registered()
    calling = Baresip(shop, "100", server.place, local=f"127.0.0.1:{free_port()}", tone=LOW, dial=f"sip:200@{server.place}").established()
    calling.hears(HIGH)
    waiting.hears(LOW)
    calling.end()
    waiting.end()
    until("the log to say that 200 wants SRTP", lambda: re.search(r"200.*SRTP", server.text))


@check("restart-under-tcp", needs=["baresip"], timeout=60)
def restart(shop):
    """A phone over TCP whose connection died with the server is called at its Contact, at once."""
    server = Server(shop, users=USERS)
    waiting = Baresip(
        shop, "200", server.place, local=f"127.0.0.1:{free_port()}", tone=HIGH, transport="tcp").registered()
    server.kill()
    server.start()
    calling = Baresip(shop, "100", server.place, local=f"127.0.0.1:{free_port()}", tone=LOW, dial=f"sip:200@{server.place}").established()
    calling.hears(HIGH)
    calling.end()
    waiting.end()
