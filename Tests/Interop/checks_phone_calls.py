"""`pinhole phone` calls real programs and is called by them, without a server between: each must hear the tone the other plays."""

import glob
import os
import shutil
import time

import audio
from harness import PINHOLE, check, expect, expect_equal, template
from programs import free_port

LOW, HIGH = 440, 880


def even_port():
    """The first of eight free ports for audio."""
    return free_port() & ~7


class Callee:
    """baresip that answers at once, known to no server."""

    def __init__(self, shop, extra="", dial=None):
        self.folder = shop.path("baresip")
        os.makedirs(self.folder, exist_ok=True)
        self.place = f"127.0.0.1:{free_port()}"
        play = audio.write_tone(os.path.join(self.folder, "in.wav"), HIGH)
        template("baresip/call-config", os.path.join(self.folder, "config"), LISTEN=self.place, PLAY=play, FOLDER=self.folder)
        with open(os.path.join(self.folder, "accounts"), "w") as accounts:
            accounts.write(f"<sip:peer@{self.place}>;regint=0;answermode=auto{extra}\n")
        open(os.path.join(self.folder, "contacts"), "w").close()
        commands = ["-e", f"/dial {dial}"] if dial else []
        self.process = shop.start("baresip", ["baresip", "-f", self.folder, "-s", *commands], None, HOME=self.folder)
        if not dial:
            self.process.wait_for("baresip is ready", what="baresip to be ready")

    def heard(self, tone):
        return max([0.0] + [audio.heard(path, tone) for path in glob.glob(os.path.join(self.folder, "dump-*-dec.wav"))])


def caller(shop, target, *options, seconds=4):
    """Our phone makes a call; its log and what it heard."""
    record = shop.path("phone.wav")
    status, text = shop.run(
        "phone",
        [PINHOLE, "phone", "--call", target, "--local", f"127.0.0.1:{free_port()}", "--rtp-port", str(even_port()), "--tone", str(LOW),
         "--record", record, "--hang-up-after", f"{seconds}s", "--no-sound", "--sip-debug", *options], timeout=30)
    expect_equal(status, 0, "exit status of the phone")
    return text, record


def waiting(shop, *options):
    """Our phone takes one call."""
    place, record = f"127.0.0.1:{free_port()}", shop.path("phone.wav")
    process = shop.start(
        "phone",
        [PINHOLE, "phone", "--answer", "--once", "--local", place, "--rtp-port", str(even_port()), "--tone", str(LOW), "--record", record,
         "--no-sound", "--sip-debug", *options])
    process.wait_for("takes calls at", what="the phone to take calls")
    return process, place, record


def phone_to_baresip(extra, options, expected):
    def run(shop):
        peer = Callee(shop, extra)
        text, record = caller(shop, f"sip:peer@{peer.place}", *options)
        expect(audio.heard(record, HIGH) >= 2, f"2 s of {HIGH} Hz at our phone", audio.heard(record, HIGH))
        expect(peer.heard(LOW) >= 2, f"2 s of {LOW} Hz at baresip", peer.heard(LOW))
        expect(expected in text, f"'{expected}' in the phone's log", text[-2000:])

    return run


def baresip_to_phone(extra, options, expected):
    def run(shop):
        process, place, record = waiting(shop, *options)
        peer = Callee(shop, extra, dial=f"sip:x@{place}")
        peer.process.wait_for("Call established", what="baresip to be in a call")
        process.wait_for("hears audio from", what="the phone to hear something")
        time.sleep(3)
        peer.process.signal(15)
        expect_equal(process.wait(), 0, "exit status of the phone")
        expect(audio.heard(record, HIGH) >= 1.5, f"1.5 s of {HIGH} Hz at our phone", audio.heard(record, HIGH))
        expect(peer.heard(LOW) >= 1.5, f"1.5 s of {LOW} Hz at baresip", peer.heard(LOW))
        expect(expected in process.text(), f"'{expected}' in the phone's log", process.text()[-2000:])

    return run


for name, extra, options, expected in [
    ("plain", "", [], "answered: "),
    ("tcp", "", ["--transport", "tcp"], "Via: SIP/2.0/TCP"),
    ("srtp", ";mediaenc=srtp-mand", ["--encryption", "required"], " encrypted, both ways"),
    ("ice", ";medianat=ice", ["--ice"], "ICE settles on"),
]:
    check(f"phone-calls-baresip-{name}", ["baresip"], timeout=40)(phone_to_baresip(extra, options, expected))

for name, extra, options, expected in [
    ("plain", "", [], "answered: "),
    ("srtp", ";mediaenc=srtp", [], "encrypted"),
    ("ice", ";medianat=ice", ["--ice"], "ICE settles on"),
]:
    check(f"baresip-calls-phone-{name}", ["baresip"], timeout=40)(baresip_to_phone(extra, options, expected))


@check("phone-calls-sipp-echo", ["sipp"], timeout=40)
def sipp_echo(shop):
    """SIPp's own answering scenario sends every audio packet back."""
    port, media = free_port(), even_port()
    sipp = shop.start(
        "sipp",
        ["sipp", "-sn", "uas", "-rtp_echo", "-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-mp", str(media), "-m", "1", "-nostdin"])
    time.sleep(1)
    _, record = caller(shop, f"sip:echo@127.0.0.1:{port}", "--codecs", "PCMU")
    expect(audio.heard(record, LOW) >= 2, f"2 s of {LOW} Hz back from SIPp", audio.heard(record, LOW))
    expect_equal(sipp.wait(), 0, "exit status of SIPp")


@check("sipp-calls-phone-with-pcap", ["sipp"], timeout=60)
def sipp_pcap(shop):
    """SIPp plays captured G.711 and a captured digit of RFC 2833."""
    captures = "/usr/share/sip-tester"
    expect(os.path.isdir(captures), f"captures in {captures}", "none")
    shutil.copytree(captures, shop.path("pcap"))
    process, place, record = waiting(shop)
    status, text = shop.run(
        "sipp",
        ["sh", "-c",
         f"cd {shop.folder} && exec sipp -sn uac_pcap {place} -i 127.0.0.1 -p {free_port()} -mi 127.0.0.1 -mp {even_port()} -m 1 -nostdin"],
        timeout=40)
    expect_equal(status, 0, "exit status of SIPp")
    expect_equal(process.wait(), 0, "exit status of the phone")
    expect("digit 1" in process.text(), "'digit 1' in the phone's log", process.text()[-2000:])
    rate, samples = audio.read_samples(record)
    expect(len(samples) > 5 * rate, "more than 5 s recorded", len(samples) / rate)
