"""A phone that calls and is called, a message at a time: what it says, when, and from where is the check's to say."""

import re
import secrets
import select
import socket
import time

from harness import PATIENCE, Failure
from programs import PASSWORD, header, host
from rawsip import RawPhone, Registration, challenge, credentials


def names(message, start):
    return message.split("\r\n", 1)[0].startswith(start)


def body(message):
    return message.split("\r\n\r\n", 1)[1]


def uri(value):
    """The URI of a name-addr or addr-spec."""
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


class Dialog:
    """One side's view (RFC 3261 12): what its requests carry, and the INVITE it may still answer."""

    def __init__(self, call, local, remote, target, invite=None):
        self.call, self.local, self.remote, self.target, self.invite, self.cseq = call, local, remote, target, invite, 1


class Talker(RawPhone):
    """One user at one address. Requests that come meanwhile wait in `inbox`; keepalives are answered."""

    def __init__(self, server, port, user, local="127.0.0.1", password=PASSWORD):
        super().__init__(server, port, local)
        self.user, self.password, self.domain, self.inbox = user, password, f"{host(server)}:{port}", []
        self.contact = f"sip:{user}@{self.place}"

    def sign_on(self):
        answer = self.register(Registration(self, self.user, self.contact), self.password)
        if not names(answer, "SIP/2.0 200"):
            raise Failure("200 to the REGISTER", answer)
        return self

    # MARK: messages

    def next(self, wanted, timeout=5):
        """The next message that `wanted` holds for, or None."""
        deadline = time.monotonic() + timeout
        while True:
            for at, message in enumerate(self.inbox):
                if wanted(message):
                    return self.inbox.pop(at)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            text = self.socket.recv(65535).decode("utf-8", "replace")
            if names(text, "OPTIONS"):
                self.reply(text, "200 OK")
            elif text.strip():
                self.inbox.append(text)

    def request(self, method, timeout=5):
        return self.next(lambda message: names(message, method + " "), timeout)

    def final(self, method, timeout=5):
        """The next final response to `method`."""
        return self.next(lambda message: re.match(r"SIP/2.0 [2-6]", message)
                         and header(message, "CSeq").endswith(" " + method), timeout)

    def compose(self, method, dialog, target=None, sdp="", extra="", cseq=None, kind="application/sdp"):
        content = f"Content-Type: {kind}\r\n" if sdp else ""
        return (
            f"{method} {target or dialog.target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.place};branch=z9hG4bK{secrets.token_hex(8)};rport\r\nMax-Forwards: 70\r\n"
            f"From: {dialog.local}\r\nTo: {dialog.remote}\r\nCall-ID: {dialog.call}\r\nCSeq: {cseq or dialog.cseq} {method}\r\n"
            f"Contact: <{self.contact}>\r\n{extra}{content}Content-Length: {len(sdp.encode())}\r\n\r\n{sdp}")

    def reply(self, request, status, sdp="", extra="", tag=None):
        kept = "".join(
            f"{name}: {value}\r\n" for name in ("Via", "Record-Route") for value in re.findall(rf"^{name}: (.*?)\r$", request, re.M))
        to = header(request, "To")
        to = to if ";tag=" in to or tag is None else f"{to};tag={tag}"
        content = "Content-Type: application/sdp\r\n" if sdp else ""
        contact = "" if "Contact:" in extra else f"Contact: <{self.contact}>\r\n"
        self.send(
            f"SIP/2.0 {status}\r\n{kept}From: {header(request, 'From')}\r\nTo: {to}\r\nCall-ID: {header(request, 'Call-ID')}\r\n"
            f"CSeq: {header(request, 'CSeq')}\r\n{contact}{extra}{content}"
            f"Content-Length: {len(sdp.encode())}\r\n\r\n{sdp}")

    # MARK: calls

    def call(self, target, sdp, extra=""):
        """Sends an INVITE, signed where the server asks; its dialog has no remote tag yet."""
        where = target if ":" in target else f"sip:{target}@{self.domain}"
        dialog = Dialog(secrets.token_hex(10), f"<sip:{self.user}@{self.domain}>;tag={secrets.token_hex(5)}", f"<{where}>", where)
        self.signed("INVITE", dialog, where, sdp, extra)
        return dialog

    def signed(self, method, dialog, where=None, sdp="", extra=""):
        """Sends a request; the challenge that it may draw is answered, any other response waits in the inbox."""
        self.send(self.compose(method, dialog, where, sdp, extra))
        refused = self.next(lambda message: re.match(r"SIP/2.0 (100|40[17]|[2-6])", message)
                            and header(message, "Call-ID") == dialog.call and header(message, "CSeq").endswith(method), 5 * PATIENCE)
        if refused is None:
            raise Failure(f"an answer to {method}", "none")
        if not re.match(r"SIP/2.0 40[17]", refused):
            self.inbox.append(refused)
            return
        if method == "INVITE":
            self.acknowledge(dialog, refused)
        dialog.cseq += 1
        proxy = names(refused, "SIP/2.0 407")
        proof = credentials(
            challenge(refused, "MD5"), self.user, self.password, where or dialog.target, "MD5", method,
            "Proxy-Authorization" if proxy else "Authorization")
        self.send(self.compose(method, dialog, where, sdp, proof + extra))

    def connected(self, dialog, timeout=5):
        """The 200 to the INVITE, acknowledged."""
        answer = self.final("INVITE", timeout * PATIENCE)
        if answer is None or not names(answer, "SIP/2.0 200"):
            raise Failure("200 to the INVITE", answer)
        self.acknowledge(dialog, answer)
        return answer

    def acknowledge(self, dialog, answer):
        refused = not names(answer, "SIP/2.0 2")
        to = dialog.remote
        if refused:
            dialog.remote = header(answer, "To")
        else:
            dialog.remote, dialog.target = header(answer, "To"), uri(header(answer, "Contact"))
        self.send(self.compose("ACK", dialog, cseq=int(header(answer, "CSeq").split()[0])))
        if refused:
            dialog.remote = to

    def ringing(self, timeout=5):
        """The INVITE that rings here, as a dialog."""
        invite = self.request("INVITE", timeout * PATIENCE)
        if invite is None:
            raise Failure(f"an INVITE at {self.user}", "none")
        return Dialog(
            header(invite, "Call-ID"), f"{header(invite, 'To')};tag={secrets.token_hex(5)}", header(invite, "From"),
            uri(header(invite, "Contact")), invite)

    def answer(self, dialog, sdp, status="200 OK", extra=""):
        self.reply(dialog.invite, status, sdp, extra, dialog.local.rsplit(";tag=", 1)[1])

    def again(self, dialog, sdp):
        """A re-INVITE, with its answer acknowledged by `connected`."""
        dialog.cseq += 1
        self.signed("INVITE", dialog, sdp=sdp)

    def hang_up(self, dialog):
        dialog.cseq += 1
        self.signed("BYE", dialog)
        return self.final("BYE", 5 * PATIENCE)


def talk(caller, callee, offer, answer):
    """A call between two talkers: both dialogs, what the caller and what the callee was told of the other's media."""
    near = caller.call(callee.user, offer)
    far = callee.ringing()
    callee.answer(far, answer)
    told = caller.connected(near)
    if callee.request("ACK", 5 * PATIENCE) is None:
        raise Failure("an ACK at the callee", "none")
    return near, far, body(told), body(far.invite)


# MARK: media


def media_socket(phone):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((phone.socket.getsockname()[0], 0))
    made.setblocking(False)
    return made


def drain(made):
    """Every packet that waits."""
    while True:
        try:
            yield made.recv(2048)
        except (BlockingIOError, ConnectionRefusedError):
            return


def place(text):
    """Where its sender wants media."""
    address = re.search(r"^c=IN IP4 (\S+)", text, re.M).group(1)
    return address, int(re.search(r"^m=\S+ (\d+)", text, re.M).group(1))
