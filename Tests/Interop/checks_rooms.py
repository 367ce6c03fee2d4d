"""Conference rooms and services with real phones: every codec in one room, a PIN over DTMF, a recording, a spoken address."""

import glob
import os
import random

import audio
from harness import PINHOLE, check, expect, expect_equal, until
from programs import PASSWORD, Baresip, Server, free_port

USERS = ("100", "200", "300")
TONES = {"PCMU/8000/1": 440, "G722/16000/1": 880, "opus/48000/2": 1320}


@check("room-of-three-codecs", needs=["baresip"], timeout=60)
def three_codecs(shop):
    """G.711, G.722 and Opus in one room, 8, 16 and 48 kHz: each baresip hears the other two and not itself."""
    server = Server(shop, users=USERS)
    where = f"sip:8000@{server.place}"
    phones = [
        Baresip(shop, user, server.place, local=f"127.0.0.1:{free_port()}", tone=tone, codecs=codec, dial=where)
        for user, (codec, tone) in zip(USERS, TONES.items())
    ]
    for phone in phones:
        phone.established()
    for phone, own in zip(phones, TONES.values()):
        for tone in TONES.values():
            if tone != own:
                phone.hears(tone, seconds=2.0)
    for phone, own in zip(phones, TONES.values()):
        expect(phone.heard(own) == 0, f"{phone.name} not to hear itself", phone.heard(own))
        phone.end()


def pinhole_phone(shop, server, user, tone, *more, room="board"):
    """A phone of ours in a room, recording what it hears."""
    # Audio ports of its own as well: phones that start together look for free ones at the same moment.
    first = random.randrange(10_000, 19_000, 64)
    record = shop.path(f"heard-{user}.wav")
    process = shop.start(f"phone-{user}", [
        PINHOLE, "phone", f"sip:{user}@{server.place}", "--local", f"127.0.0.1:{free_port()}", "--rtp-port", first,
        "--password", PASSWORD, "--call", f"sip:{room}@{server.place}", "--tone", tone, "--record", record, "--no-sound", *more])
    return process, record


@check("room-pin-and-recording", timeout=60)
def pin(shop):
    """The owner enters as he is, a guest by the PIN (RFC 4733), a guesser not at all; the recording holds the two."""
    folder = shop.path("recordings")
    settings = shop.path("rooms.yaml")
    with open(settings, "w") as file:
        file.write('rooms:\n  - {name: board, pin: "4711", owner: "100", record: yes}\n')
    server = Server(shop, users=USERS, settings=[f"media.recordings={folder}"], extra=("--no-stun", "--config", settings))
    owner, at_owner = pinhole_phone(shop, server, "100", 440, "--hang-up-after", "12s")
    guest, at_guest = pinhole_phone(shop, server, "200", 880, "--dtmf", "4711#", "--hang-up-after", "12s")
    guesser, at_guesser = pinhole_phone(shop, server, "300", 1320, "--dtmf", "1111#2222#3333#", "--hang-up-after", "20s")
    guesser.wait(30)
    until("the guesser's call to end for a wrong PIN", lambda: "wrong PIN" in server.text, every=0.2)
    expect_equal(owner.wait(30), 0, "exit status of the owner's phone")
    expect_equal(guest.wait(30), 0, "exit status of the guest's phone")
    for record, others, nobody in ((at_owner, 880, (440, 1320)), (at_guest, 440, (880, 1320)), (at_guesser, 300, (440, 880))):
        expect(audio.heard(record, others) >= 0.75, f"{others} Hz in {record}", audio.heard(record, others))
        for tone in nobody:
            expect_equal(audio.heard(record, tone), 0.0, f"seconds of {tone} Hz in {record}")
    until("the recording to be finished", lambda: "recorded " in server.text, every=0.2)
    files = glob.glob(os.path.join(folder, "board-*.wav"))
    expect_equal(len(files), 1, "recordings")
    for tone, least in ((440, 6), (880, 4), (1320, 0)):
        found = audio.heard(files[0], tone)
        expect(found >= least and (least or found == 0), f"at least {least} s of {tone} Hz in the recording", found)


@check("services-tone-and-address", needs=["baresip"], timeout=60)
def services(shop):
    """601 is a steady tone; 602 says the caller's address, spoken or in Morse, and hangs up."""
    server = Server(shop, users=USERS)
    tone = Baresip(
        shop, "100", server.place, local=f"127.0.0.1:{free_port()}", tone=300, dial=f"sip:601@{server.place}").established()
    address = Baresip(
        shop, "200", server.place, local=f"127.0.0.1:{free_port()}", tone=300, dial=f"sip:602@{server.place}").established()
    tone.hears(440, seconds=3.0)
    until("the announcement to end", lambda: "announcement over" in server.text, timeout=45, every=0.3)
    loud = 0.0
    for path in glob.glob(os.path.join(address.folder, "dump-*-dec.wav")):
        rate, samples = audio.read_samples(path)
        quarter = rate // 4
        loud += sum(
            0.25 for at in range(0, len(samples) - quarter, quarter)
            if sum(s * s for s in samples[at:at + quarter]) / quarter > 250_000)
    expect(loud >= 3, "three seconds of voice or Morse at least", loud)
    tone.end()
    address.end()
