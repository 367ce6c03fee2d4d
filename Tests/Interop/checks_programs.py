"""Programs with SIP stacks of their own kinds: Twinkle (ccRTP), Janus (Sofia), GStreamer's RTP (RFC 3550 to the letter), pyVoIP."""

import json
import os
import re
import signal
import socket
import sys
import threading
import urllib.request

import audio
from harness import PATIENCE, ROOT, Skip, check, expect, expect_equal, find, until
from programs import MD5_ONLY, PASSWORD, Server, free_pair, free_port
from rawcall import Talker, body, media_socket, place

USERS = ("100", "200", "300")
LOW = 440


def sdp(port):
    return "\r\n".join([
        "v=0", f"o=- {port} 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} RTP/AVP 8", "a=rtpmap:8 PCMA/8000", ""])


class Twinkle:
    """twinkle-console, steered by its standard input; it has no file for a microphone, so its sound is ALSA's nothing."""

    def __init__(self, shop, user, server, ns=None):
        self.folder = shop.path("twinkle")
        os.makedirs(os.path.join(self.folder, ".twinkle/tmp"), exist_ok=True)
        with open(os.path.join(self.folder, ".twinkle/twinkle.sys"), "w") as file:
            file.write(
                f"dev_ringtone=alsa:null\ndev_speaker=alsa:null\ndev_mic=alsa:null\nsip_port={free_port()}\nrtp_port={free_pair()}\n"
                f"start_user_profile={user}\nlog_show_sip=yes\n")
        with open(os.path.join(self.folder, f".twinkle/{user}.cfg"), "w") as file:
            file.write(
                f"user_name={user}\nuser_domain={server.place}\nuser_display={user}\nauth_name={user}\nauth_pass={PASSWORD}\nauth_realm=\n"
                "register_at_startup=yes\nregistration_time=60\nsip_transport=udp\ncodecs=g711a,g711u\n")
        self.process = shop.start("twinkle", ["twinkle-console", f"{user}.cfg"], ns, pipe=True, HOME=self.folder, TERM="vt100")
        self.server = server

    def say(self, line):
        self.process.popen.stdin.write(f"{line}\n".encode())
        self.process.popen.stdin.flush()

    def registered(self):
        self.process.wait_for("registration succeeded", what="Twinkle to register")
        return self


@check("twinkle-echo", needs=["twinkle-console"], timeout=60)
def twinkle(shop):
    """Twinkle registers, calls the echo test, hangs up, and signs off."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    phone = Twinkle(shop, "100", server).registered()
    phone.say(f"call sip:600@{server.place}")
    phone.process.wait_for("far end answered call", what="Twinkle's call to be answered")
    until("an ACK of Twinkle", lambda: server.received("ACK "))
    phone.say("bye")
    until("a BYE of Twinkle", lambda: server.received("BYE "))
    phone.say("quit")
    until("Twinkle to sign off", lambda: any(re.search(r"^Expires: 0|expires=0", text, re.M) for _, text in server.received("REGISTER ")))


class Janus:
    """Janus' SIP plugin over its HTTP API."""

    def __init__(self, shop):
        folder, plugins, transports = (shop.path(name) for name in ("janus", "janus-plugins", "janus-transports"))
        for made in (folder, plugins, transports):
            os.makedirs(made)
        libraries = next(
            (found for found in ("/usr/lib/janus", f"/usr/lib/{os.uname().machine}-linux-gnu/janus") if os.path.isdir(found)), None)
        if libraries is None:
            raise Skip("Janus' plugins are not where Debian has them")
        for kind, name, place in (("plugins", "libjanus_sip.so", plugins), ("transports", "libjanus_http.so", transports)):
            os.symlink(os.path.join(libraries, kind, name), os.path.join(place, name))
        self.port = free_port()
        for name, text in (
            ("janus.jcfg", f'general: {{ plugins_folder = "{plugins}"\n transports_folder = "{transports}" }}\nnat: {{ }}\n' 'media: { rtp_port_range = "42000-42100" }\n'),
            ("janus.transport.http.jcfg", f'general: {{ json = "compact"\n base_path = "/janus"\n http = true\n port = {self.port}\n'
                                          ' ip = "127.0.0.1"\n https = false }\nadmin: { admin_http = false }\n'),
            ("janus.plugin.sip.jcfg", 'general: { local_ip = "127.0.0.1"\n rtp_port_range = "42200-42300" }\n'),
        ):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        self.process = shop.start("janus", ["janus", "-F", folder, "-C", os.path.join(folder, "janus.jcfg")])
        until("Janus' HTTP API", self.alive)
        self.session = self.post("", janus="create")["data"]["id"]
        self.handle = self.post(f"/{self.session}", janus="attach", plugin="janus.plugin.sip")["data"]["id"]

    def alive(self):
        if self.process.popen.poll() is not None:
            raise Skip(f"Janus ended: {self.process.text()[-300:]}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def post(self, path, **words):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/janus{path}", json.dumps({**words, "transaction": "t"}).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10 * PATIENCE) as answer:
            return json.load(answer)

    def tell(self, **words):
        return self.post(f"/{self.session}/{self.handle}", janus="message", body=words)

    def event(self, name):
        """The next event of this name; others pass."""
        for _ in range(20 * PATIENCE):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/janus/{self.session}?maxev=1", timeout=40) as answer:
                events = json.load(answer)
            for event in events if isinstance(events, list) else [events]:
                result = event.get("plugindata", {}).get("data", {}).get("result", {})
                if result.get("event") == name:
                    return result
                expect("failed" not in result.get("event", ""), f"{name} of Janus", result)
        return None


@check("janus-rings", needs=["janus"], timeout=60)
def janus(shop):
    """Janus' SIP plugin registers, is rung with the caller's URI, and declines."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    gateway = Janus(shop)
    gateway.tell(request="register", username=f"sip:200@{server.place}", secret=PASSWORD, proxy=f"sip:{server.place}")
    expect(gateway.event("registered"), "Janus to register", gateway.process.text()[-500:])
    caller = Talker(server.address, server.port, "100").sign_on()
    dialog = caller.call("200", sdp(40000))
    rung = gateway.event("incomingcall")
    expect_equal(rung["username"], f"sip:100@{server.place}", "the caller as Janus shows it")
    gateway.tell(request="decline", code=486)
    expect_equal(caller.final("INVITE", 5 * PATIENCE)[:11], "SIP/2.0 486", "what the caller is told")
    del dialog


@check("gstreamer-hears-its-echo", needs=["gst-launch-1.0"], timeout=60)
def gstreamer(shop):
    """GStreamer's rtpbin drops a stream that carries its own SSRC (RFC 3550 8.2): the echo test has one of its own."""
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    phone = Talker(server.address, server.port, "100").sign_on()
    mouth, sent, heard = media_socket(phone), free_port(), free_port()
    inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inlet.bind(("127.0.0.1", sent))
    dialog = phone.call("600", sdp(mouth.getsockname()[1]))
    target = place(body(phone.connected(dialog)))
    over = threading.Event()

    def carry(source, aim):
        """One direction between GStreamer's ports and the one that SIP named."""
        while not over.is_set():
            try:
                mouth_or_inlet_packet = source.recv(2048)
            except (BlockingIOError, TimeoutError, ConnectionRefusedError):
                continue
            (mouth if source is inlet else inlet).sendto(mouth_or_inlet_packet, aim)

    for made in (mouth, inlet):
        made.settimeout(0.2)
    threads = [threading.Thread(target=carry, args=pair) for pair in ((inlet, target), (mouth, ("127.0.0.1", heard)))]
    for thread in threads:
        thread.start()
    try:
        record = shop.path("heard.wav")
        caps = "application/x-rtp,media=audio,clock-rate=8000,encoding-name=PCMA,payload=8"
        # Ended by force: on its way out it would wait for a stream that goes on.
        _, text = shop.run("gst", ["sh", "-c", (
            f"timeout -s KILL 7 gst-launch-1.0 rtpbin name=b audiotestsrc is-live=true freq={LOW} samplesperbuffer=160 num-buffers=250 "
            "! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay ! b.send_rtp_sink_0 b.send_rtp_src_0 "
            f"! udpsink sync=false async=false host=127.0.0.1 port={sent} udpsrc address=127.0.0.1 port={heard} caps='{caps}' ! b.recv_rtp_sink_0 "
            f"b. ! rtppcmadepay ! alawdec ! wavenc ! filesink async=false sync=false buffer-mode=unbuffered location={record}")], timeout=20)
        expect(audio.heard(record, LOW) >= 2, f"2 s of {LOW} Hz in GStreamer's ears", (audio.heard(record, LOW), text[-600:]))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    phone.hang_up(dialog)


PYVOIP = """
import sys, time
from pyVoIP.VoIP import VoIPPhone, CallState
server, port, user, password, sip, rtp = sys.argv[1:]
phone = VoIPPhone(server, int(port), user, password, myIP="127.0.0.1", sipPort=int(sip), rtpPortLow=int(rtp), rtpPortHigh=int(rtp) + 20)
phone.start()
deadline = time.monotonic() + 10
while "REGISTERED" not in str(phone.get_status()) and time.monotonic() < deadline: time.sleep(0.05)
print("registered", flush=True)
call = phone.call("600")
while call.state != CallState.ANSWERED and time.monotonic() < deadline: time.sleep(0.05)
print("answered", flush=True)
heard, deadline = 0, time.monotonic() + 8
tone = bytes([0x80 + 40 * (n // 8 % 2) for n in range(160)])
while heard < 20 and time.monotonic() < deadline:
    call.write_audio(tone)
    heard += len(set(call.read_audio(160, blocking=False))) > 1
    time.sleep(0.02)
print("heard", heard, flush=True)
call.hangup()
phone.stop()
"""


@check("pyvoip-echo", timeout=60)
def pyvoip(shop):
    """pyVoIP registers, calls the echo test and hears itself."""
    pythons = (sys.executable, os.path.join(ROOT, ".build", "python", "bin", "python"))
    python = next((path for path in pythons if find(path) and shop.run("pyvoip-there", [path, "-c", "import pyVoIP"])[0] == 0), None)
    if python is None:
        raise Skip("pyVoIP is not installed (scripts/require pip:pyVoIP)")
    server = Server(shop, users=USERS, settings=[MD5_ONLY])
    process = shop.start("pyvoip", [
        python, "-c", PYVOIP, server.address, server.port, "100", PASSWORD, free_port(), free_pair()])
    process.wait_for("^registered")
    process.wait_for("^answered")
    heard = process.wait_for(r"^heard (\d+)", timeout=15)
    expect_equal(int(heard.group(1)), 20, "blocks of sound that came back")
    process.signal(signal.SIGTERM)
