"""SIPp calls SIPp through `pinhole serve`: one side plays a capture, the other sends its RTP back; the server's records say what it saw."""

import json
import os
import re
import struct

from harness import PINHOLE, check, expect, expect_equal, template
from programs import MD5_ONLY, Server, free_port, sipp

PCAP = "/usr/share/sip-tester/g711a.pcap"


def records(server):
    status, text = server.shop.run("calls", [PINHOLE, "calls", "--json", "--last", 1000, *server.common])
    expect_equal(status, 0, "exit status of pinhole calls")
    return json.loads(text)["calls"]


def part(name):
    with open(os.path.join(os.path.dirname(__file__), "sipp", name)) as file:
        return file.read()


def registered(shop, server, address, user):
    """SIPp registers as a user, once for the whole check; the port it did so from."""
    port = free_port(address)
    text = part("register.xml").replace("Expires: 300", "Expires: 3600")
    with open(shop.path("register-hour.xml"), "w") as file:
        file.write(text)
    status = sipp(shop, shop.path("register-hour.xml"), server.place, local=address, port=port, user=user).wait()
    expect_equal(status, 0, "exit status of the registering SIPp")
    return port


def answering(shop, server, address, user="200", scenario=os.path.join(os.path.dirname(__file__), "sipp/answer.xml")):
    """SIPp as a user: registered, then answering from the same port with its echo of RTP."""
    port, media = registered(shop, server, address, user), free_port(address) & ~1
    return shop.start("sipp-answer", [
        "sipp", "-sf", scenario, "-i", address, "-p", port, "-mi", address, "-mp", media,
        "-rtp_echo", "-nostdin"])


@check("sipp-call-with-media", needs=["sipp"], root=True, timeout=60)
def sipp_call(shop):
    """Five calls at once, each with three seconds of A-law out and back again."""
    server = Server(shop, users=("100", "200"), settings=[MD5_ONLY, "keepalive.interval=off"])
    answering(shop, server, "127.0.0.1")
    scenario = template(
        "sipp/call.xml", shop.path("call.xml"), SECONDS="3", MEDIA="[auto_media_port]", PLAY=f'<exec play_pcap_audio="{PCAP}" />')
    calling = sipp(
        shop, scenario, server.place, local="127.0.0.1", port=free_port(), calls=5, rate=5,
        extra=("-mi", "127.0.0.1", "-mp", 31000))
    expect_equal(calling.wait(30), 0, "exit status of the calling SIPp")
    server.process.signal(15)
    server.process.wait()
    found = records(server)
    expect_equal(len(found), 5, "records of calls")
    for call in found:
        expect_equal((call["status"], call["codec"]), (200, "PCMA"), "status and codec of a call")
        for party in call["parties"]:
            verdict = party["streams"][0]["verdict"]
            expect("nothing" not in verdict and " 0 % lost" in verdict, f"media from {party['address']}, none lost", verdict)


@check("sipp-forwarding", needs=["sipp"], root=True, timeout=60)
def sipp_forwarding(shop):
    """A phone that answers 302: the call goes on to whom it names, who hears of it; log and record say so."""
    server = Server(shop, users=("100", "200", "300"), settings=[MD5_ONLY, "keepalive.interval=off"])
    scenario = template("sipp/forward.xml", shop.path("forward.xml"), TARGET=f"300@{server.place}")
    shop.start("sipp-forward", [
        "sipp", "-sf", scenario, "-i", "127.0.0.1", "-p", registered(shop, server, "127.0.0.1", "200"), "-nostdin"])
    answering(shop, server, "127.0.0.1", "300")
    scenario = template("sipp/call.xml", shop.path("call.xml"), SECONDS="1", MEDIA="[auto_media_port]", PLAY="")
    calling = sipp(shop, scenario, server.place, local="127.0.0.1", port=free_port(), extra=("-mi", "127.0.0.1", "-mp", 31000))
    expect_equal(calling.wait(30), 0, "exit status of the calling SIPp")
    server.process.signal(15)
    server.process.wait()
    found = records(server)
    expect_equal([call["status"] for call in found], [200], "status of the call")
    expect("forwarded to 300@" in found[0]["reason"], "a record that says who forwarded to whom", found[0]["reason"])


def write_udptl(path, count):
    """A capture of UDPTL, one datagram every 20 ms."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number in range(count):
            payload = struct.pack(">H", number) + bytes((6, 1, 2, 3, 4, 5, 6, 0, 0))
            udp = struct.pack(">HHHH", 4000, 4000, 8 + len(payload), 0) + payload
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))
            frame = bytes(12) + b"\x08\x00" + ip + udp
            file.write(struct.pack("<IIII", number // 50, number % 50 * 20_000, len(frame), len(frame)) + frame)


@check("sipp-fax", needs=["sipp"], root=True, timeout=60)
def sipp_fax(shop):
    """A call becomes fax by re-INVITE in the same line: a hundred datagrams of UDPTL go out and come back."""
    server = Server(shop, users=("100", "200"), settings=[MD5_ONLY, "keepalive.interval=off"])
    ack = '<recv request="ACK" />'
    with open(shop.path("fax-answer.xml"), "w") as file:
        file.write(part("answer.xml").replace(ack, ack + part("fax-answered.xml"), 1))
    answering(shop, server, "127.0.0.1", scenario=shop.path("fax-answer.xml"))
    write_udptl(shop.path("fax.pcap"), 100)
    play = "<nop><action>@PLAY@</action></nop>"
    with open(shop.path("fax-call.xml"), "w") as file:
        text = part("call.xml").replace(play, part("fax-round.xml")).replace("CSeq: 3 BYE", "CSeq: 4 BYE")
        for name, value in {"SECONDS": "3", "MEDIA": "[auto_media_port]", "PCAP": shop.path("fax.pcap")}.items():
            text = text.replace(f"@{name}@", value)
        file.write(text)
    calling = sipp(
        shop, shop.path("fax-call.xml"), server.place, local="127.0.0.1", port=free_port(), extra=("-mi", "127.0.0.1", "-mp", 31000))
    expect_equal(calling.wait(30), 0, "exit status of the calling SIPp")
    server.process.signal(15)
    server.process.wait()
    found = records(server)
    expect_equal([call["codec"] for call in found], ["PCMA, T.38 (fax)"], "codec of the call")
    for party in found[0]["parties"]:
        verdict = party["streams"][0]["verdict"]
        counts = re.search(r"fax \(T\.38\): (\d+) packets came, (\d+) were missing, (\d+) went to it", verdict)
        expect(counts and int(counts[1]) >= 95 and int(counts[3]) >= 95, f"fax from and to {party['address']}", verdict)
