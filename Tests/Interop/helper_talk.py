"""A phone inside and a server outside, with whatever stands between: what each side sends is kept with what came out on the other."""

import contextlib
import ctypes
import re
import socket
import struct
import time

from world import OUTSIDE, PHONE, SERVER

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNET = 0x40000000


@contextlib.contextmanager
def namespace(name):
    """What is made inside, sockets above all, belongs to the network namespace `name`."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
        if LIBC.setns(there.fileno(), NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            LIBC.setns(home.fileno(), NEWNET)


def bound(ns, address, port, kind=socket.SOCK_DGRAM):
    with namespace(ns):
        made = socket.socket(socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.settimeout(0)
    return made


def waiting(source):
    """What lies in a socket's queue: each datagram with its sender, or the one refusal."""
    found = []
    while True:
        try:
            found.append(source.recvfrom(65_535))
        except BlockingIOError:
            return found
        except ConnectionRefusedError:
            found.append((b"refused", None))


NEIGHBOUR = "192.168.1.101"


class Marker:
    """A flow beside the helper's: what it carries has overtaken nothing, so that what has not come by then never comes."""

    def __init__(self, world):
        self.inside, self.outside = bound(world.lan, PHONE, 9), bound(world.server, SERVER, 7)
        self.count = 0

    def settle(self):
        """Waits until something has crossed the router both ways."""
        self.count += 1
        text = str(self.count).encode()
        for attempt in range(40):
            self.inside.sendto(text, (SERVER, 7))
            if self.arrived(self.outside, text):
                break
        else:
            raise TimeoutError("the router forwards nothing")
        for attempt in range(40):
            self.outside.sendto(text, self.peer)
            if self.arrived(self.inside, text):
                return
        raise TimeoutError("the router lets nothing back")

    def arrived(self, source, text):
        until = time.monotonic() + 0.25
        while time.monotonic() < until:
            for data, peer in waiting(source):
                self.peer = peer
                if data == text:
                    return True
            time.sleep(0.0002)
        return False


class Talk:
    """One case: a phone at a port of its own, and the server at 5060. `record` is all that came out, side by side comparable."""

    transport = "UDP"

    def __init__(self, world, marker, number, host=PHONE):
        self.world, self.marker, self.number = world, marker, number
        self.host, self.port = host, 20_000 + 20 * number
        self.me, self.media, self.far = f"{host}:{self.port}", self.port + 2, self.port + 20_000
        self.others = {}
        self.peer = (OUTSIDE, self.port)
        self.record = []
        self.cseq = 0
        self.connect()

    def connect(self):
        self.phone, self.server = bound(self.world.lan, self.host, self.port), bound(self.world.server, SERVER, 5060)

    def close(self):
        for each in (self.phone, self.server, *self.others.values()):
            each.close()

    def neighbour(self):
        """Another phone with the same ports; what comes of both is in one record."""
        self.server.close()
        other = Talk(self.world, self.marker, self.number, NEIGHBOUR)
        self.server, other.others, other.record = other.server, self.others, self.record
        return other

    def at(self, ns, address, port):
        """A further socket of this case, made when first asked for."""
        key = (ns, address, port)
        if key not in self.others:
            self.others[key] = bound(ns, address, port)
        return self.others[key]

    def inside(self, port):
        return self.phone if port == self.port else self.at(self.world.lan, self.host, port)

    # What is sent

    def out(self, message, port=None, to=(SERVER, 5060)):
        """From the phone; returns it as the server got it, nothing where it did not."""
        self.inside(port or self.port).sendto(encoded(message), to)
        target = self.server if to == (SERVER, 5060) else self.at(self.world.server, *to)
        return self.came(target, "outside")

    def back(self, message, port=5060, host=SERVER, to=None):
        """From the server, to where the phone's last message came from; returns what the phone got."""
        source = self.server if (host, port) == (SERVER, 5060) else self.at(self.world.server, host, port)
        source.sendto(encoded(message), to or self.peer)
        return self.came(self.phone, "inside")

    def probe(self, port, host=SERVER, source=None):
        """Whether a datagram from outside to a port of the router comes through, at which of the phones' ports, or is refused."""
        if source is None:
            # Never one that was refused before: the kernel remembers that for a while, and expects nothing of it.
            source = 60_000 + self.marker.count % 5_000
        self.inside(port)
        sender = self.at(self.world.server, host, source)
        sender.connect((OUTSIDE, port))
        sender.send(b"it comes")
        self.marker.settle()
        found = {key[1:]: waiting(each) for key, each in self.others.items() if key[0] == self.world.lan}
        found[self.host, self.port] = waiting(self.phone)
        seen = [f"{data.decode()} from {peer[0]} at {at[0]}:{at[1]}" for at, came in sorted(found.items()) for data, peer in came]
        seen += [data.decode() for data, _ in waiting(sender)]
        sender.close()
        del self.others[self.world.server, host, source]
        self.record.append(("probe", f"{host} to {port}: {'; '.join(seen) or 'nothing'}"))
        return seen

    def send_media(self, port, host=SERVER, target=None):
        """From a media port of the phone; recorded is where it comes from outside."""
        target = target or self.far
        listener = self.at(self.world.server, host, target)
        self.inside(port).sendto(b"media of the phone", (host, target))
        return self.came(listener, "media outside")

    # What came

    def came(self, target, side):
        self.marker.settle()
        found = waiting(target)
        if not found:
            time.sleep(0.02)
            found = waiting(target)
        elsewhere = []
        if side == "inside":
            for (ns, _, port), each in self.others.items():
                elsewhere += [(f"inside {port}", *came) for came in (waiting(each) if ns == self.world.lan else [])]
        for place, data, peer in [(side, *came) for came in found] + elsewhere:
            self.record.append((f"{place} from {peer[0]}:{peer[1]}" if peer else place, data.decode("latin-1")))
            if side == "outside" and peer:
                self.peer = peer
        if not found and not elsewhere:
            self.record.append((side, "nothing"))
        return (found or [entry[1:] for entry in elsewhere] or [(b"", None)])[0][0].decode("latin-1")

    # What is said

    def request(self, method, *headers, uri=f"sip:{SERVER}", body="", kind="application/sdp", via=None, contact=None, length=None, cseq=None,
                source="sip:100@203.0.113.10", target=None, call=None):
        """`contact`: None for the phone's own, "" for none. `length`: what Content-Length says; "" for no such field."""
        if cseq is None:
            self.cseq += 0 if method in ("ACK", "CANCEL") else 1
            cseq = f"{self.cseq} {method}"
        contact = f"<sip:100@{self.me}>" if contact is None else contact
        lines = [
            f"{method} {uri} SIP/2.0",
            *([f"Via: SIP/2.0/{self.transport} {self.me};rport;branch=z9hG4bK-{self.number}-{self.cseq}"] if via is None else via),
            "Max-Forwards: 70", f"From: <{source}>;tag=f{self.number}", f"To: <{target or source}>",
            f"Call-ID: {call or f'call-{self.number}@{self.host}'}",
            f"CSeq: {cseq}", *([f"Contact: {contact}"] if contact else []), *headers]
        return ended(lines, body, kind, length)

    def answer(self, request, code, *headers, body="", kind="application/sdp", length=None, received=True):
        """The answer to a request as it came, with what RFC 3581 adds where the server adds it."""
        if not request:
            return ended([f"SIP/2.0 {code} no request came"], "", None, None)
        kept = re.findall(r"^(?:via|v|from|f|to|t|call-id|i|cseq)\s*:.*?\r\n(?=\S|\r\n)", request, re.M | re.S | re.I)
        lines = [line[:-2] for line in kept]
        if received and self.peer:
            for index, line in enumerate(lines):
                if re.match(r"v(ia)?\s*:", line, re.I):
                    lines[index] = line.replace(";rport;", f";rport={self.peer[1]};") + f";received={self.peer[0]}"
                    break
        lines = [line + ";tag=t" if re.match(r"t(o)?\s*:", line, re.I) and "tag=" not in line and code != "100 Trying" else line for line in lines]
        return ended([f"SIP/2.0 {code}", *lines, *headers], body, kind, length)

    def sdp(self, *media, host=None, origin=None, common=True, session=()):
        """A session description; each of `media` is its m= line or a list of lines that begins with one. None: one audio stream."""
        host = host or self.host
        lines = ["v=0", f"o=- 1 1 IN IP4 {origin or host}", "s=-", *([f"c=IN IP4 {host}"] if common else []), "t=0 0", *session]
        for each in media or [f"audio {self.media} RTP/AVP 0"]:
            first, *rest = [each] if isinstance(each, str) else each
            lines += [f"m={first}", *rest]
        return "".join(f"{line}\r\n" for line in lines)

    def their_sdp(self):
        """The server's, with one audio stream at the case's own port."""
        return self.sdp(f"audio {self.far} RTP/AVP 0", host=SERVER)


class StreamTalk(Talk):
    """The same over one TCP connection. Several messages, or parts of one, are one segment as they are sent."""

    transport = "TCP"

    def connect(self):
        listener = bound(self.world.server, SERVER, 5060, socket.SOCK_STREAM)
        listener.listen()
        listener.settimeout(5)
        self.phone = bound(self.world.lan, self.host, self.port, socket.SOCK_STREAM)
        self.phone.settimeout(5)
        self.phone.connect((SERVER, 5060))
        self.server, self.peer = listener.accept()
        listener.close()
        for end in (self.phone, self.server):
            end.settimeout(0)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Closed at once, whatever was never acknowledged.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def out(self, *messages):
        self.phone.send(b"".join(encoded(each) for each in messages))
        return self.read(self.server, "outside")

    def back(self, *messages):
        self.server.send(b"".join(encoded(each) for each in messages))
        return self.read(self.phone, "inside")

    def read(self, target, side):
        self.marker.settle()
        data, quiet = b"", 0
        while quiet < 4:
            time.sleep(0.005)
            try:
                part = target.recv(65_535)
                data, quiet = data + part, 0
            except BlockingIOError:
                quiet += 1
        self.record.append((f"{side}, stream", data.decode("latin-1") or "nothing"))
        return data.decode("latin-1")


def ended(lines, body, kind, length):
    fields = [f"Content-Type: {kind}"] if body else []
    fields += [f"Content-Length: {len(body.encode()) if length is None else length}"] if length != "" else []
    return "".join(f"{line}\r\n" for line in [*lines, *fields]) + "\r\n" + body


def encoded(message):
    return message if isinstance(message, bytes) else message.encode("latin-1")
