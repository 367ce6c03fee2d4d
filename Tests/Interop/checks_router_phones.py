"""Phones of other makers behind `pinhole router`, ALG off and on: each registers with Kamailio and with `pinhole serve`, calls, and is heard."""

import re
import signal

import audio
from checks_programs import Twinkle
from checks_router import NEEDS, OurWorld
from harness import check, expect, expect_equal, template, until
from programs import MD5_ONLY, PASSWORD, REALM, Baresip, Linphone, Server, sipp, sipp_trace
from world import OUTSIDE, PHONE, SERVER, SERVER2

LOW, HIGH = 440, 880
PLACE = f"{SERVER}:5060"


class Kamailio:
    """The registrar and proxy outside; media go from phone to phone."""

    place = PLACE
    relays = False

    def __init__(self, shop, world):
        config = template(
            "kamailio-calls.cfg", shop.path("kamailio.cfg"), LISTEN=PLACE, ADDRESS=SERVER, REALM=REALM, PASSWORD=PASSWORD)
        self.process = shop.start(
            "kamailio", ["kamailio", "-f", config, "-DD", "-E", "-m", 16, "-M", 4, "-Y", shop.folder, "-P", shop.path("kamailio.pid")], world.server)
        self.process.wait_for(r"interop: ready", what="Kamailio to start")

    def seen(self):
        """Where 100's REGISTER came from, and the address in its Via."""
        return self.process.wait_for(r"interop: 100 is registered from=(\S+):\d+ via=(\S+)", what="100 to register").groups()


class Pinhole(Server):
    """`pinhole serve` outside, through which media go."""

    relays = True

    def __init__(self, shop, world):
        super().__init__(shop, address=SERVER, port=5060, ns=world.server, users=("100", "200"), settings=[MD5_ONLY])

    def seen(self):
        peer, message = until("a REGISTER of 100", lambda: [(peer, text) for peer, text in self.received("REGISTER ") if "sip:100@" in text])[-1]
        return peer.split(":")[1], re.search(r"^Via: SIP/2.0/UDP ([\d.]+)", message, re.M).group(1)


def baresip_calls(shop, world):
    near = Baresip(shop, "100", PLACE, local=f"{PHONE}:5060", tone=LOW, ns=world.lan, dial=f"sip:200@{SERVER}").established()
    return near.end, lambda: near.heard(HIGH)


def linphone_calls(shop, world):
    near = Linphone(shop, "100", PLACE, port=5060, tone=LOW, ns=world.lan).registered().call(f"sip:200@{SERVER}")
    # The head of its recording is written last.
    return near.end, lambda: audio.heard(near.out, HIGH)


def twinkle_calls(shop, world):
    near = Twinkle(shop, "100", Kamailio, world.lan).registered()
    near.say(f"call sip:200@{SERVER}")
    near.process.wait_for("far end answered call", what="Twinkle's call to be answered")

    def end():
        near.say("bye")
        near.process.wait_for("call ended|released", what="Twinkle to hang up")

    return end, None


def sipp_calls(shop, world):
    options = {"local": PHONE, "port": 5060, "ns": world.lan}
    expect_equal(sipp(shop, "sipp/register.xml", PLACE, **options, trace=False).wait(), 0, "exit status of the registering SIPp")
    scenario = template("sipp/call.xml", shop.path("call.xml"), SECONDS="3", MEDIA="[auto_media_port]", PLAY="")
    near = sipp(shop, scenario, PLACE, **options, trace=False)
    return lambda: expect_equal(near.wait(30), 0, "exit status of the calling SIPp"), None


CALLERS = {"baresip": baresip_calls, "linphonec": linphone_calls, "twinkle-console": twinkle_calls, "sipp": sipp_calls}


def call_out(program, makeServer, isOn):
    def run(shop):
        world = OurWorld(shop, "--alg" if isOn else "--no-alg")
        server = makeServer(shop, world)
        far = Baresip(shop, "200", PLACE, local=f"{SERVER2}:5060", tone=HIGH, ns=world.server, codecs="PCMU,PCMA").registered()
        end, heard = CALLERS[program](shop, world)
        far.established()
        expect_equal(server.seen(), (OUTSIDE, OUTSIDE if isOn else PHONE), "source and Via of the phone's REGISTER")
        if heard:
            far.hears(LOW, 2.5)
        end()
        far.process.wait_for("terminated|session closed", what="the far phone to hear of the end")
        if heard:
            # Without helper and relay the far phone sends to an address that nobody has out there.
            expect_equal(heard() > 1, isOn or server.relays, "whether the phone inside hears")
        far.end()

    return run


for each in CALLERS:
    for outside in (Kamailio, Pinhole):
        for switch in (False, True):
            name = f"router-{each}-{outside.__name__.lower()}-alg-{'on' if switch else 'off'}"
            check(name, [*NEEDS, "baresip", each, *(["kamailio"] if outside is Kamailio else [])], True, 60)(call_out(each, outside, switch))
