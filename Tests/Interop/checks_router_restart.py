"""`pinhole router` killed under calls and registrations and started again: phones come back by themselves, and how long each was away is told."""

import calendar
import re
import time

from checks_router import NEEDS, OurWorld
from harness import check, expect, until
from programs import Baresip, Linphone, Server, baresip, phone
from world import PHONE, SERVER, SERVER2

LOW, HIGH = 440, 880
PLACE = f"{SERVER}:5060"


def answers(server, user):
    """When the server heard a phone answer its OPTIONS, as seconds since 1970."""
    found = re.findall(r"^(\d+-\d+-\d+ \d+:\d+:\d+)(\.\d+) <--- SIP read from [^\n]*\n(SIP/2.0 200.*?)<-+>$", server.text, re.M | re.S)
    return [
        calendar.timegm(time.strptime(second, "%Y-%m-%d %H:%M:%S")) + float(rest) for second, rest, message in found
        if re.search(r"^CSeq: \d+ OPTIONS", message, re.M) and re.search(rf"^To: .*sip:{user}[@-]", message, re.M)]


def outage(profile):
    def run(shop):
        world = OurWorld(shop, "--alg", profile=profile)
        server = Server(
            shop, address=SERVER, port=5060, ns=world.server, users=("100", "200", "300", "400"),
            extra=(), settings=["registrar.shortest=10s", "keepalive.interval=1s", "keepalive.answer-within=1s", "keepalive.failures=100"])
        baresip(shop, "100", SERVER, local=f"{PHONE}:5061", ns=world.lan, regint=10)
        # Only a question that is answered tells a phone that its mapping is another: after a restart ports may be others' than before.
        phone(
            shop, f"200@{SERVER}", "--local", f"{PHONE}:5062", "--stun", SERVER, "--stun-interval", "5s", "--keepalive-interval", "5s", ns=world.lan)
        names = {"100": "baresip, registers every 9 s", "200": "pinhole phone, asks STUN every 5 s"}
        far = Baresip(shop, "400", PLACE, local=f"{SERVER2}:5060", tone=HIGH, ns=world.server).registered()
        near = Baresip(shop, "300", PLACE, local=f"{PHONE}:5064", tone=LOW, ns=world.lan, dial=f"sip:400@{SERVER}").established()
        near.hears(HIGH)
        for user in names:
            until(f"{user} to answer OPTIONS", lambda: len(answers(server, user)) > 1)
        heard = near.heard(HIGH), far.heard(LOW)
        world.process.popen.kill()
        killed = time.time()
        world.process.wait()
        until("a second without a router", lambda: time.time() - killed > 1)
        world.process = world.start(profile, "--alg", name="again")
        world.process.wait_for("SIP ALG on")
        near.hears(HIGH, heard[0] + 1)
        far.hears(LOW, heard[1] + 1)
        print(f"     {profile}: a call under way is heard again, both ways, after {time.time() - killed - 1:.1f} s at most")
        for user, name in names.items():
            back = until(f"{user} to answer OPTIONS again", lambda: [at for at in answers(server, user) if at > killed + 1], 20)[0]
            print(f"     {profile}: {name}: unreachable for {back - killed:.1f} s", flush=True)

    return run


for each in ("linux", "speedtouch780", "generic"):
    check(f"router-killed-{each}", [*NEEDS, "baresip"], True, 90)(outage(each))
