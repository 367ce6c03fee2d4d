"""Straight on loopback: SIPp, sipsak, baresip and a plain socket against `pinhole serve`."""

import collections
import re
import signal
import time

from harness import Failure, check, expect, expect_equal, until
from programs import BOTH_ALGORITHMS, MD5_ONLY, PASSWORD, Server, baresip, free_port, header, short_port, sipp, sipp_trace
from rawsip import RawPhone, Registration


def expect_binding(server, user, contact, remote):
    found = server.only_binding()
    expect(found["aor"].startswith(f"{user}@"), f"an address of record of {user}", found["aor"])
    expect_equal(found["contact"], contact, "contact")
    expect_equal(found["transport"], "UDP", "transport")
    expect_equal(found["remote"], remote, "source of the flow")
    expect_equal(found["local"], server.place, "local end of the flow")
    expect(found["expiresIn"] > 0, "a binding that lasts", found)
    return found


@check("default-settings-sipp", needs=["sipp"])
def default_sipp(shop):
    """A server without settings must be one that phones can use: SIPp answers the first challenge, and knows MD5 alone."""
    server = Server(shop)
    status = sipp(shop, "sipp/register.xml", server.place, local="127.0.0.1", port=free_port()).wait()
    expect_equal(status, 0, "exit status of SIPp")
    server.only_binding()


@check("default-settings-sipsak", needs=["sipsak"])
def default_sipsak(shop):
    server, port = Server(shop, port=short_port()), free_port()
    expect_equal(sipsak_usrloc(shop, server, port)[0], 0, "exit status of sipsak")
    server.only_binding()


@check("default-settings-baresip", needs=["baresip"])
def default_baresip(shop):
    """baresip 1.0 gives up at any challenge of an algorithm it does not know, wherever that stands."""
    server = Server(shop)
    baresip(shop, "100", server.place, local=f"127.0.0.1:{free_port()}").wait_for(r"\{0/UDP/v4\} 200 OK .*\[1 binding\]", 5)
    server.only_binding()


@check("sipp-registers", needs=["sipp"])
def sipp_registers(shop):
    server, port = Server(shop, settings=[MD5_ONLY]), free_port()
    expect_equal(sipp(shop, "sipp/register.xml", server.place, local="127.0.0.1", port=port).wait(), 0, "exit status of SIPp")
    trace = sipp_trace(shop)
    expect_equal(re.findall(r"^SIP/2.0 (\d+)", trace, re.M), ["401", "200"], "statuses")
    expect("algorithm=MD5" in trace, "credentials with MD5", trace)
    found = expect_binding(server, "100", f"sip:100@127.0.0.1:{port}", f"127.0.0.1:{port}")
    expect(290 <= found["expiresIn"] <= 300, "about 300 s left", found["expiresIn"])
    expect_equal(found["userAgent"], "SIPp", "user agent")


@check("sipp-registers-ipv6", needs=["sipp"])
def sipp_registers_ipv6(shop):
    server, port = Server(shop, address="::1", settings=[MD5_ONLY]), free_port("::1")
    # By itself SIPp signs for sip:::1:PORT, without brackets, which is not the Request-URI it sends.
    process = sipp(shop, "sipp/register.xml", server.place, local="::1", port=port, extra=["-auth_uri", server.place])
    expect_equal(process.wait(), 0, "exit status of SIPp")
    expect_binding(server, "100", f"sip:100@[::1]:{port}", f"[::1]:{port}")


@check("sipp-wrong-password", needs=["sipp"])
def sipp_wrong_password(shop):
    server = Server(shop, settings=[MD5_ONLY])
    for user, password in (("100", "wrong"), ("nobody", PASSWORD)):
        status = sipp(
            shop, "sipp/refused.xml", server.place, local="127.0.0.1", port=free_port(), user=user, password=password, calls=5).wait()
        expect_equal(status, 0, f"exit status of SIPp, which wants 401 twice, as {user}")
        expect_equal(set(re.findall(r"^SIP/2.0 (\d+)", sipp_trace(shop), re.M)), {"401"}, f"statuses for {user}")
    expect_equal(server.bindings(), [], "bindings")
    expect("wrong password" in server.text, "the log to say 'wrong password'", "it does not")
    expect("unknown user" in server.text, "the log to say 'unknown user'", "it does not")


@check("sipp-registers-400", needs=["sipp"], timeout=60)
def sipp_registers_many(shop):
    users, calls = [f"u{number:02}" for number in range(10)], 400
    server, port = Server(shop, users=users, settings=[MD5_ONLY, "registrar.contacts=100"]), free_port()
    with open(shop.path("users.csv"), "w") as file:
        file.write("SEQUENTIAL\n" + "".join(f"{user};[authentication username={user} password={PASSWORD}]\n" for user in users))
    process = sipp(
        shop, "sipp/many.xml", server.place, local="127.0.0.1", port=port, calls=calls, rate=100, extra=["-inf", shop.path("users.csv")],
        timeout=40)
    expect_equal(process.wait(45), 0, "exit status of SIPp")
    successful = re.search(r"Successful call\s*\|\s*\d+\s*\|\s*(\d+)", process.text())
    expect_equal(successful and int(successful.group(1)), calls, "successful calls")
    found = server.bindings()
    expect_equal(len({binding["contact"] for binding in found}), calls, "distinct contacts")
    counted = collections.Counter(binding["aor"].split("@")[0] for binding in found)
    expect_equal(dict(counted), {user: calls // len(users) for user in users}, "bindings of each user")
    server.process.signal(signal.SIGTERM)
    expect_equal(server.process.wait(), 0, "exit status of the server after SIGTERM")
    said = server.process.wait_for(r"stopped: \d+ messages in, \d+ out, (\d+) authenticated")
    expect_equal(int(said.group(1)), calls, "authenticated")


def sipsak_usrloc(shop, server, port):
    return shop.run("sipsak", [
        "sipsak", "-U", "-C", f"sip:100@127.0.0.1:{port}", "-s", f"sip:100@{server.place}", "-u", "100", "-a", PASSWORD, "-x", 120,
        "-l", port, "-S", "-H", "127.0.0.1", "-vvv"])


@check("sipsak-registers", needs=["sipsak"])
def sipsak_registers(shop):
    server, port = Server(shop, port=short_port(), settings=[MD5_ONLY]), free_port()
    status, text = sipsak_usrloc(shop, server, port)
    expect_equal(status, 0, "exit status of sipsak")
    expect("SIP/2.0 200 OK" in text, "200 in sipsak's report", text)
    expect_binding(server, "100", f"sip:100@127.0.0.1:{port}", f"127.0.0.1:{port}")


@check("sipsak-options", needs=["sipsak"])
def sipsak_options(shop):
    server = Server(shop, port=short_port())
    status, text = shop.run("sipsak", ["sipsak", "-s", f"sip:{server.place}", "-H", "127.0.0.1", "-vvv"])
    expect_equal(status, 0, "exit status of sipsak")
    expect(re.search(r"^SIP/2.0 200 ", text, re.M), "200 to OPTIONS", text)
    allowed = re.search(r"^Allow:.*\bREGISTER\b", text, re.M)
    expect(allowed, "an Allow header with REGISTER", text)


@check("baresip-registers", needs=["baresip"])
def baresip_registers(shop):
    server, port = Server(shop, settings=[MD5_ONLY]), free_port()
    process = baresip(shop, "100", server.place, local=f"127.0.0.1:{port}")
    process.wait_for(r"\{0/UDP/v4\} 200 OK .*\[1 binding\]")
    found = server.only_binding()
    expect_equal(found["remote"], f"127.0.0.1:{port}", "source of the flow")
    expect(re.fullmatch(rf"sip:100-0x[0-9a-f]+@127\.0\.0\.1:{port}", found["contact"]), "baresip's contact", found["contact"])
    process.signal(signal.SIGTERM)
    expect_equal(process.wait(), 0, "exit status of baresip")
    server.process.wait_for("removed by the phone", what="the log to tell of the removal")
    expect_equal(server.bindings(), [], "bindings after baresip signed off")


@check("baresip-registers-ipv6", needs=["baresip"])
def baresip_registers_ipv6(shop):
    server, port = Server(shop, address="::1", settings=[MD5_ONLY]), free_port("::1")
    process = baresip(shop, "100", server.place, local=f"[::1]:{port}")
    process.wait_for(r"\{0/UDP/v6\} 200 OK .*\[1 binding\]")
    expect_equal(server.only_binding()["remote"], f"[::1]:{port}", "source of the flow")
    process.signal(signal.SIGTERM)
    process.wait()
    until("no binding after baresip signed off", lambda: not server.bindings(), every=0.3)


def without_own_values(response, registration):
    """The answer with everything replaced that differs between any two answers, keeping lengths."""
    text = response
    for value in (registration.call, registration.branch, registration.tag):
        text = text.replace(value, "#" * len(value))
    text = re.sub(rf"(?<=sip:){registration.user}(?=@)", lambda match: "#" * len(match.group(0)), text)
    text = re.sub(r'(?<=nonce=")[^"]*', lambda match: "#" * len(match.group(0)), text)
    text = re.sub(r"(?<=^Date: )[^\r]*", lambda match: "#" * len(match.group(0)), text, flags=re.M)
    return re.sub(r"^(To:[^\r]*;tag=)([^;\r]*)", lambda match: match.group(1) + "#" * len(match.group(2)), text, flags=re.M)


@check("unknown-user-looks-like-wrong-password")
def unknown_user(shop):
    """Bytes tell nobody which users exist. Rows: an MD5 and a SHA-256 answer."""
    server = Server(shop, settings=[BOTH_ALGORITHMS])
    for algorithm in ("MD5", "SHA-256"):
        seen = {}
        for user in ("100", "999"):
            with RawPhone("127.0.0.1", server.port) as phone:
                registration = Registration(phone, user, f"sip:{user}@{phone.place}")
                first = phone.ask(registration.request())
                plain = without_own_values(first, registration).replace(phone.place.split(":")[1], "PORT")
                second = phone.ask(registration.answered(first, "wrong", algorithm))
                refused = without_own_values(second, registration).replace(phone.place.split(":")[1], "PORT")
                expect(second.startswith("SIP/2.0 401 "), "401", second)
                expect("stale=true" not in second.lower(), "no stale=true for a fresh nonce", second)
                seen[user] = (plain, refused)
        for place, what in enumerate(("challenge", "answer to wrong credentials")):
            known, unknown = seen["100"][place], seen["999"][place]
            expect(known == unknown, f"the same bytes in the {what}; for a known user\n{known}", f"for an unknown user\n{unknown}")


@check("kill-9-loses-no-answered-binding", timeout=60)
def kill_nine(shop):
    users = [f"u{number}" for number in range(5)]
    server = Server(shop, users=users, settings=["registrar.contacts=200"], trusted=False)
    answered = {}
    for round_number, patience in enumerate((1, 13, 37, 60)):
        with RawPhone("127.0.0.1", server.port) as phone:
            waiting = {}
            for number in range(60):
                user = users[number % len(users)]
                registration = Registration(phone, user, f"sip:{user}@192.0.2.{round_number + 1}:{6000 + number}")
                waiting[registration.call] = registration
                phone.send(registration.request())
            accepted = set()

            def take(response):
                registration = waiting[header(response, "Call-ID")]
                if response.startswith("SIP/2.0 200 "):
                    accepted.add((registration.user, registration.contact))
                elif registration.cseq == 1:
                    phone.send(registration.answered(response))

            deadline = time.monotonic() + 10
            while len(accepted) < patience:
                response = phone.receive(1)
                if response:
                    take(response)
                expect(time.monotonic() < deadline, f"{patience} answers of 200", f"{len(accepted)} in round {round_number}")
            server.kill()
            while response := phone.receive(0.05):
                take(response)
        answered[round_number] = accepted
        wanted = set().union(*answered.values())
        expect(wanted <= listed(server), "every binding that was answered, read without a server", wanted - listed(server))
        server.start()
        restored = server.process.wait_for(r"(\d+) bindings? restored from storage|restored (\d+) bindings")
        expect(int(restored.group(1) or restored.group(2)) >= len(wanted), f"at least {len(wanted)} restored", restored.group(0))
        expect(wanted <= listed(server), "every binding that was answered, after the restart", wanted - listed(server))
    with RawPhone("127.0.0.1", server.port) as phone:
        response = phone.register(Registration(phone, "u0"))
        told = set(re.findall(r"<(sip:[^>]*)>;", "\n".join(re.findall(r"^(?:Contact|m):(.*)$", response, re.M))))
        wanted = {contact for accepted in answered.values() for user, contact in accepted if user == "u0"}
        expect(response.startswith("SIP/2.0 200 "), "200 to a query", response)
        expect(wanted <= told, "the restarted server to tell of every binding of u0", f"missing {wanted - told} in\n{response}")


def listed(server):
    return {(binding["aor"].split("@")[0], binding["contact"]) for binding in server.bindings()}


@check("sha-256-registers")
def sha256_registers(shop):
    """No program here speaks SHA-256, so a plain socket does; a wrong answer afterwards must not pass either."""
    server = Server(shop, settings=[BOTH_ALGORITHMS])
    with RawPhone("127.0.0.1", server.port) as phone:
        contact = f"sip:100@{phone.place}"
        response = phone.register(Registration(phone, "100", contact), algorithm="SHA-256")
        expect(response.startswith("SIP/2.0 200 "), "200", response)
        expect_binding(server, "100", contact, phone.place)
        refused = phone.register(Registration(phone, "100", contact), "wrong", "SHA-256")
        expect(refused.startswith("SIP/2.0 401 "), "401", refused)


def serve_stops(number):
    def run(shop):
        for extra in (("--no-stun",), ("--stun-port", free_port())):
            server = Server(shop, users=(), extra=extra)
            server.process.signal(number)
            expect_equal(server.process.wait(), 0, f"exit status with {' '.join(map(str, extra))}")
            expect("stopped: 0 messages in" in server.text, "a last line that says 'stopped: 0 messages in'", server.text[-300:])

    return run


for signal_number in (signal.SIGTERM, signal.SIGINT):
    check(f"serve-stops-{signal_number.name.lower()}")(serve_stops(signal_number))
