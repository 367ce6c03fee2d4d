"""The report of 2007 with real programs: a phone with its settings, `pinhole router` as a SpeedTouch 780, a server that behaves as chan_sip does."""

import os
import re
import time

from checks_router import NEEDS, OurWorld
from harness import ROOT, check, expect, expect_equal, until
from programs import Server, panels, phone
from world import SERVER, SERVER2

DOCUMENT = os.path.join(ROOT, "docs/router.md")
BEGIN, END = "<!-- scripts/router-transcript writes from here -->\n```\n", "```\n<!-- to here -->\n"


CURE = [
    "connection", "appinfo application=SIP", "appconfig application=SIP SIP_ALG=disabled", "timerconfig timer=udpidle value=60",
    "appinfo application=SIP"]


def registers(server, letters):
    """Each REGISTER with what the server said to it, in its order; nonces by letters, in the order in which they were made."""
    lines = {}
    for source, message in re.findall(r"<--- (?:SIP read from UDP:(\S+)|Transmitting[^\n]*?) --->\n(.*?)<-+>\n", server.text, re.S):
        found = re.search(r"^CSeq: (\d+) REGISTER", message, re.M)
        nonce = re.search(r'nonce="(\w+)"', message)
        nonce = nonce and letters.setdefault(nonce.group(1), chr(ord("A") + len(letters)))
        if found and source:
            lines[found.group(1)] = f"server  REGISTER {found.group(1)} from {source}, " + (f"answers nonce {nonce}" if nonce else "no credentials")
        elif found:
            code = message[8:11] + (", stale" if "stale=true" in message else "")
            lines[found.group(1)] = f"{lines[found.group(1)]:<64}{code}" + (f", nonce {nonce}" if nonce else "")
    return list(lines.values())


def typed(text):
    """What stands on the router's terminal, without its banner and without what moves the cursor."""
    lines = re.sub(r"\x1b\[\w|\r", "", text).split("\n")
    first = next(at for at, line in enumerate(lines) if "=>connection" in line)
    again = False
    for line in lines[first:]:
        line = re.sub(r"last \d+ s ago", "last N s ago", line)
        if "=>exit" in line:
            return
        again = again or "timerconfig" in line
        if line and not (again and re.match(r"profile|ports|trace|timeout|pinholes|messages|rewr|held|mappings|  ", line)):
            yield f"router  {line}"


def transcript(shop):
    """What server, phone and router said, line by line; and the server, to be asked further."""
    world = OurWorld(shop, profile="speedtouch780")
    # Time passes faster than it did: eight seconds for five minutes, and what STUN saw is gone by its next question.
    world.told("connection timerconfig timer=udpidle value=5")
    server = Server(
        shop, address=SERVER, port=5060, ns=world.server, settings=["profile=chan_sip"],
        extra=("--stun-alternate", f"{SERVER2}:3479", "--stun-address", SERVER))
    client = phone(shop, f"100@{SERVER}", "--behaviour", "seed", "--stun", f"{SERVER2}:3479", "--stun-interval", "8s", ns=world.lan)
    letters, lines = {}, []

    def status():
        return (panels(client.text()) or [{}])[-1].get("Status")

    for attempt in (1, 2):
        until(f"attempt {attempt} to fail", lambda: server.text.count("based on stale nonce") == attempt and status() == "Authorization error", 15)
        lines += registers(server, letters)[3 * attempt - 3:]
        lines.append("server  " + re.sub(r"tag=\w+", "tag=TAG", re.findall(r"NOTICE: (Correct auth.*)", server.text)[-1]))
        lines.append(f"phone   {status()}")
    lines += typed(world.told(*CURE))
    until("the phone to be registered", lambda: status() == "Registered" and "registers: sip:100@" in server.text, 15)
    after = registers(server, letters)[6:]
    done = next(at for at, line in enumerate(after) if re.search(r"\b200$", line))
    lines += [*after[:done + 1], f"phone   {status()}"]
    return lines, server


def documented(lines):
    with open(DOCUMENT) as file:
        text = file.read()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text[begin:end].split("\n")[:-1], text[:begin] + "".join(f"{line}\n" for line in lines) + text[end:]


@check("router-seed-transcript", NEEDS, root=True, timeout=90)
def seed(shop):
    """docs/router.md tells what happens, line by line; and after the cure it does not happen again."""
    lines, server = transcript(shop)
    expect_equal(lines, documented(lines)[0], "the transcript as scripts/router-transcript wrote it into docs/router.md")
    began = time.monotonic()
    until("another question to STUN to pass", lambda: time.monotonic() - began > 10, 15, every=0.5)
    expect_equal(server.text.count("based on stale nonce"), 2, "stale answers, all before the cure")
