"""`pinhole explain` on what this machine records itself: both sides of the kernel's SIP helper, HEP as agents send it, and its page
in a real browser."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import time
import zlib

from harness import PINHOLE, ROOT, check, expect, expect_equal, until
from programs import Server, sipp
from world import OUTSIDE, PHONE, SERVER, World

ARTEFACTS = os.path.join(ROOT, ".ci", "artefacts")
# A window is never narrower than 500: the phone's page stands in a frame of 390.
PAGES = {"phone": (500, 5600, 390), "desktop": (1280, 4200, None)}


def explain(shop, *arguments, expected=None, timeout=20):
    """Runs it to the end; returns what it said. Findings give status 1."""
    status, text = shop.run("explain", [PINHOLE, "explain", *arguments], timeout=timeout)
    if expected is not None:
        expect_equal(status, expected, f"exit status of explain {' '.join(map(str, arguments))}")
    return text


def recorder(shop, name, ns, interface):
    """tshark under way in a namespace; the file is whole when it has ended."""
    path = shop.path(f"{name}.pcapng")
    process = shop.start(f"tshark-{name}", ["tshark", "-i", interface, "-w", path, "-q", "-n", "-f", "udp"], ns)
    process.wait_for(r"Capturing on", 20)
    # The words come before the socket is open: wait for the file's first section.
    until(f"{path} to begin", lambda: os.path.exists(path) and os.path.getsize(path) > 0, 15)
    time.sleep(0.3)
    return process, path


def both_sides(shop, helper):
    """A registration through the kernel's NAT, recorded before and behind it."""
    world = World(shop, helper=helper)
    server = Server(shop, address=SERVER, port=5060, ns=world.server, settings=["digest.algorithms=MD5"])
    inside, inside_file = recorder(shop, "inside", world.lan, "eth0")
    outside, outside_file = recorder(shop, "outside", world.server, "eth0")
    process = sipp(shop, "sipp/register.xml", f"{SERVER}:5060", local=PHONE, port=5060, ns=world.lan)
    expect_equal(process.wait(), 0, "exit status of SIPp")
    until("the server to have seen both REGISTERs", lambda: len(server.received("REGISTER ")) >= 2)
    time.sleep(0.5)
    for tshark in (inside, outside):
        tshark.signal(signal.SIGINT)
        tshark.wait()
    return inside_file, outside_file


@check("explain-live-helper-on", ["ip", "nft", "sipp", "tshark"], root=True, timeout=60)
def live_helper(shop):
    """Both sides recorded while the kernel's helper works: it is named, with what it rewrote and how to stop it."""
    inside, outside = both_sides(shop, helper=True)
    result = json.loads(explain(shop, inside, outside, "--json", expected=1))
    found = [finding for finding in result["findings"] if finding["name"] == "alg.rewritten"]
    expect_equal(len(found), 1, "findings alg.rewritten")
    expect_equal(found[0]["confidence"], "proved", "confidence")
    expect(OUTSIDE in json.dumps(found[0]["culprit"]), f"the culprit to be the router {OUTSIDE}", found[0]["culprit"])
    expect(any("nf_conntrack_sip" in " ".join(remedy["commands"]) for remedy in found[0]["remedies"]),
           "the command that unloads the helper", found[0]["remedies"])
    side = result["sides"][0]
    expect_equal(side["box"], "helper", "what the box is")
    expect(side["fits"][0]["box"].startswith("Linux"), "the best fit to be Linux' helper", side["fits"][:3])
    expect_equal(side["fits"][0]["explained"], side["fits"][0]["changes"], "changes that Linux' helper explains")
    fields = {field["field"] for field in side["fields"]}
    expect({"Via", "Contact"} <= fields, "Via and Contact among the rewritten fields", fields)
    text = explain(shop, outside, inside, expected=1)
    expect("Linux nf_nat_sip" in text and f"router {OUTSIDE}" in text, "helper and router in the report, in whatever order", text)


@check("explain-live-helper-off", ["ip", "nft", "sipp", "tshark"], root=True, timeout=60)
def live_plain(shop):
    """The same without the helper: the box is cleared, nobody is accused."""
    inside, outside = both_sides(shop, helper=False)
    result = json.loads(explain(shop, inside, outside, "--json", expected=0))
    expect_equal([f["name"] for f in result["findings"] if f["severity"] != "note"], [], "accusations")
    expect_equal(result["sides"][0]["box"], "transparent", "what the box is")
    expect_equal(result["sides"][0]["changedMessages"], 0, "changed messages")


# HEP

def chunk(kind, value):
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value


def hep(payload, source, destination, at, protocol=17):
    """One HEPv3 packet as capture agents send it."""
    body = b"".join([
        chunk(1, b"\x02"), chunk(2, bytes([protocol])), chunk(3, socket.inet_aton(source[0])), chunk(4, socket.inet_aton(destination[0])),
        chunk(7, struct.pack("!H", source[1])), chunk(8, struct.pack("!H", destination[1])), chunk(9, struct.pack("!I", int(at))),
        chunk(10, struct.pack("!I", int(at % 1 * 1e6))), chunk(11, b"\x01"), chunk(12, struct.pack("!I", 2001)), chunk(15, payload)])
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def stale_story(call):
    """(from the phone?, port, message, seconds): ports that jump, and an answer to the older of two challenges."""
    def lines(first, number, *more):
        return "\r\n".join([
            first, f"Via: SIP/2.0/UDP {PHONE}:5060;branch=z9hG4bK{call}{number};rport", "From: <sip:100@pbx.example>;tag=t",
            f"To: <sip:100@pbx.example>{'' if first.startswith('REGISTER') else ';tag=s'}", f"Call-ID: {call}@{PHONE}",
            f"CSeq: {number} REGISTER", *more, "Content-Length: 0", "", ""]).encode()

    contact = f"Contact: <sip:100@{PHONE}:5060>"
    answer = 'Authorization: Digest username="100", realm="r", nonce="aa11", uri="sip:pbx.example", response="%032x"' % 7

    def challenge(nonce, stale=""):
        return f'WWW-Authenticate: Digest realm="r", nonce="{nonce}"{stale}'

    request, refusal = "REGISTER sip:pbx.example SIP/2.0", "SIP/2.0 401 Unauthorized"
    return [
        (True, 52899, lines(request, 1, contact), 0.0), (False, 52899, lines(refusal, 1, challenge("aa11")), 0.02),
        (True, 52896, lines(request, 2, contact), 0.05), (False, 52896, lines(refusal, 2, challenge("bb22")), 0.07),
        (True, 52899, lines(request, 3, contact, answer), 0.1), (False, 52899, lines(refusal, 3, challenge("cc33", ", stale=true")), 0.12)]


@check("explain-hep", timeout=40)
def hep_agents(shop):
    """HEPv3 from one agent over UDP and another over TCP, in pieces that fit no message: both stories are found as in a capture."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = shop.start("explain-hep", [PINHOLE, "explain", "--hep", f"127.0.0.1:{port}", "--seconds", "4", "--json"])

    def connected():
        try:
            return socket.create_connection(("127.0.0.1", port), 1)
        except OSError:
            return None

    stream = until("explain to take HEP", connected, 3)
    server, now = (SERVER, 5060), time.time()

    def packets(call):
        return [
            hep(message, *((OUTSIDE, port_), server)[::1 if up else -1], now + after) for up, port_, message, after in stale_story(call)]

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        for packet in packets("by-udp"):
            agent.sendto(packet, ("127.0.0.1", port))
            time.sleep(0.01)
    octets = b"".join(packets("by-tcp"))
    with stream:
        for start in range(0, len(octets), 37):
            stream.sendall(octets[start:start + 37])
    expect_equal(process.wait(20), 1, "exit status of explain --hep")
    text = process.text()
    result = json.loads(text[text.index("{"):text.rindex("}") + 1])
    expect_equal(result["counts"]["sip"], 12, "SIP messages taken")
    for name in ("auth.stale-out-of-order", "nat.port-jump"):
        calls = {
            result["dialogs"][dialog]["callID"] for finding in result["findings"] if finding["name"] == name
            for dialog in finding["subject"]["dialogs"]}
        expect_equal(calls, {f"by-udp@{PHONE}", f"by-tcp@{PHONE}"}, f"Call-IDs of {name}")


# The page

def pcap(packets):
    """Raw IPv4 packets as a capture file: (seconds, source, destination, payload)."""
    file = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)]
    for at, source, destination, payload in packets:
        udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(source[0]), socket.inet_aton(destination[0]))
        file.append(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(ip + udp), len(ip + udp)) + ip + udp)
    return b"".join(file)


def call_with_loss():
    """A call whose audio loses every seventh packet one way: something to plot."""
    def lines(first, number, method, body="", *more):
        kind = ["Content-Type: application/sdp"] if body else []
        return "\r\n".join([
            first, f"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKc{number};rport", "From: <sip:100@pbx.example>;tag=t",
            "To: <sip:200@pbx.example>" + ("" if first.startswith("INVITE") else ";tag=s"), "Call-ID: call-with-loss", f"CSeq: {number} {method}",
            "Contact: <sip:100@198.51.100.7:5060>" if not first.startswith("SIP") else f"Contact: <sip:200@{SERVER}:5060>",
            *more, *kind, f"Content-Length: {len(body)}", "", body]).encode()

    def sdp(address, port):
        return f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"

    phone, server, now = ("198.51.100.7", 5060), (SERVER, 5060), 1_700_000_100.0
    packets = [
        (now, phone, server, lines("INVITE sip:200@pbx.example SIP/2.0", 1, "INVITE", sdp(phone[0], 20000))),
        (now + .1, server, phone, lines("SIP/2.0 200 OK", 1, "INVITE", sdp(SERVER, 30000))),
        (now + .12, phone, server, lines("ACK sip:200@pbx.example SIP/2.0", 1, "ACK"))]
    for n in range(400):
        for ssrc, source, destination in ((7, (phone[0], 20000), (SERVER, 30000)), (8, (SERVER, 30000), (phone[0], 20000))):
            if ssrc == 8 and n % 7 == 3:
                continue
            rtp = struct.pack("!BBHII", 0x80, 0, 1000 + n, 160 * n, ssrc) + bytes([0xD5 ^ n & 15]) * 160
            packets.append((now + .2 + n * .02, source, destination, rtp))
    packets += [
        (now + 8.5, phone, server, lines("BYE sip:200@pbx.example SIP/2.0", 2, "BYE")),
        (now + 8.52, server, phone, lines("SIP/2.0 200 OK", 2, "BYE"))]
    return packets


def picture(path):
    """Width, height and the number of colours of a PNG of 8 bits a channel, without any library."""
    with open(path, "rb") as file:
        octets = file.read()
    expect(octets.startswith(b"\x89PNG"), f"{path} to be a PNG", octets[:8])
    at, data, width, height, kind = 8, b"", 0, 0, 0
    while at < len(octets):
        length, name = struct.unpack("!I4s", octets[at:at + 8])
        body = octets[at + 8:at + 8 + length]
        if name == b"IHDR":
            width, height, _, kind = struct.unpack("!IIBB", body[:10])
        elif name == b"IDAT":
            data += body
        at += 12 + length
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    lines = zlib.decompress(data)
    stride = 1 + width * channels
    # Filtered lines that differ show that something is drawn there; colours need no unfiltering to be told from a blank page.
    return width, height, len({lines[start:start + stride] for start in range(0, len(lines), stride)})


@check("explain-html", ["chromium"], timeout=180)
def html(shop):
    """The page in a headless browser: no console errors, nothing fetched, ladder, time line and plots there, also in dark mode."""
    capture = shop.path("case.pcap")
    story = [
        (1_700_000_000 + after, *((OUTSIDE, port), (SERVER, 5060))[::1 if up else -1], message)
        for up, port, message, after in stale_story("page")]
    with open(capture, "wb") as file:
        file.write(pcap(story + call_with_loss()))
    page = shop.path("case.html")
    explain(shop, capture, "--html", page, expected=1)
    browser = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
        f"--user-data-dir={shop.path('browser')}"]
    status, text = shop.run("chromium-dom", [*browser, "--dump-dom", f"file://{page}"], timeout=40)
    expect_equal(status, 0, "exit status of chromium")
    for needed in ('<svg class="ladder page"', '<svg class="timeline"', '<svg class="plot"', "auth.stale-out-of-order", "media.quality", "REGISTER 3 +auth"):
        expect(needed in text, f"{needed} in the page as the browser has it", text[-400:])
    expect("parsererror" not in text and "CONSOLE" not in text, "no console messages", re.findall(r".*CONSOLE.*", text))
    os.makedirs(ARTEFACTS, exist_ok=True)
    # 0 is dark, 1 light.
    for scheme, mode, device in ((1, "light", "desktop"), (1, "light", "phone"), (0, "dark", "phone")):
        width, height, frame = PAGES[device]
        shot, address = shop.path(f"explain-{device}-{mode}.png"), page
        if frame:
            address = shop.path("frame.html")
            with open(address, "w") as file:
                file.write(f"<!DOCTYPE html><body style='margin:0'><iframe src='{page}' style='width:{frame}px;height:{height}px;border:0'>")
        status, text = shop.run("chromium-shot", [
            *browser, f"--blink-settings=preferredColorScheme={scheme}", f"--window-size={width},{height}", f"--screenshot={shot}",
            f"file://{address}"], timeout=40)
        expect_equal(status, 0, "exit status of chromium")
        expect("CONSOLE" not in text, "no console messages", re.findall(r".*CONSOLE.*", text))
        seen_width, seen_height, lines = picture(shot)
        expect_equal((seen_width, seen_height), (width, height), "size of the picture")
        expect(lines > 500, "more than 500 different lines in the picture", lines)
        shutil.copy(shot, ARTEFACTS)
    with open(page) as file:
        text = file.read()
    expect(not re.search(r"<script|https?://|url\(|src=", text), "a page without script and outside resources", "one of them")


@check("explain-redact", timeout=30)
def redacted(shop):
    """A case to be shared: the excerpt of a redacted run gives the same findings, and nothing names anybody."""
    capture = shop.path("case.pcap")
    story = [
        (1_700_000_000 + after, *((OUTSIDE, port), (SERVER, 5060))[::1 if up else -1], message)
        for up, port, message, after in stale_story("handed-on")]
    with open(capture, "wb") as file:
        file.write(pcap(story))
    page, excerpt = shop.path("case.html"), shop.path("excerpt.pcap")
    plain = json.loads(explain(shop, capture, "--json", expected=1))
    text = explain(shop, capture, "--redact", "--json", "--html", page, "--pcap", excerpt, expected=1)
    shown = json.loads(text[text.index("{"):text.rindex("}") + 1])
    again = json.loads(explain(shop, excerpt, "--json", expected=1))

    def findings(result):
        return [(finding["name"], finding["severity"], finding["count"]) for finding in result["findings"]]

    expect_equal(findings(shown), findings(plain), "findings of the redacted report")
    expect_equal(findings(again), findings(plain), "findings of the redacted excerpt")
    with open(page) as file:
        texts = {"report": json.dumps(shown), "page": file.read(), "excerpt": json.dumps(again)}
    for name, text in texts.items():
        for secret in (PHONE, OUTSIDE, SERVER, "pbx.example", "100@", "handed-on@"):
            expect(secret not in text, f"no {secret} in the {name}", text[max(0, text.find(secret) - 80):][:200])
    # The same stand-ins in report and excerpt: they can be shared together.
    expect_equal(again["dialogs"][0]["from"], shown["dialogs"][0]["from"], "From in report and excerpt")
    expect_equal(again["findings"][-1]["subject"]["client"], shown["findings"][-1]["subject"]["client"], "client in report and excerpt")
