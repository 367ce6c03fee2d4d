"""A phone of a few lines on a plain socket, for what no finished program lets us see: exact bytes and exact moments."""

import hashlib
import re
import secrets
import select
import socket
import time

from harness import PATIENCE, Failure
from programs import PASSWORD, header, host

DIGESTS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def challenge(response, algorithm):
    """The parameters of the challenge that offers `algorithm`."""
    for line in re.findall(r"^(?:WWW|Proxy)-Authenticate:\s*Digest\s+(.*?)\r$", response, re.M | re.I):
        found = {key.lower(): quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', line)}
        if found.get("algorithm", "MD5").upper() == algorithm:
            return found
    raise Failure(f"a challenge that offers {algorithm}", response)


def credentials(found, user, password, uri, algorithm, method="REGISTER", name="Authorization", count=1):
    def hashed(text):
        return DIGESTS[algorithm](text.encode()).hexdigest()

    cnonce = secrets.token_hex(8)
    secret = hashed(f"{user}:{found['realm']}:{password}")
    answer = hashed(f"{secret}:{found['nonce']}:{count:08x}:{cnonce}:auth:{hashed(method + ':' + uri)}")
    return (f'{name}: Digest username="{user}", realm="{found["realm"]}", nonce="{found["nonce"]}", uri="{uri}", '
            f'response="{answer}", algorithm={algorithm}, cnonce="{cnonce}", qop=auth, nc={count:08x}\r\n')


class Registration:
    """One Call-ID: its requests, and what was answered last."""

    def __init__(self, phone, user, contact=None):
        self.phone, self.user, self.contact = phone, user, contact
        self.call, self.tag, self.branch, self.cseq = secrets.token_hex(12), secrets.token_hex(6), "", 0

    def request(self, authorization=""):
        self.cseq += 1
        self.branch = "z9hG4bK" + secrets.token_hex(8)
        address = host(self.phone.server[0])
        contact = f"Contact: <{self.contact}>\r\nExpires: 600\r\n" if self.contact else ""
        return (
            f"REGISTER {self.phone.uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.phone.place};branch={self.branch};rport\r\n"
            f"From: <sip:{self.user}@{address}>;tag={self.tag}\r\nTo: <sip:{self.user}@{address}>\r\nCall-ID: {self.call}\r\n"
            f"CSeq: {self.cseq} REGISTER\r\n{contact}{authorization}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n")

    def answered(self, response, password=PASSWORD, algorithm="MD5"):
        """The request that answers a challenge."""
        return self.request(credentials(challenge(response, algorithm), self.user, password, self.phone.uri, algorithm))


class RawPhone:
    def __init__(self, server, port, local="127.0.0.1"):
        self.server = (server, port)
        self.uri = f"sip:{host(server)}:{port}"
        self.socket = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((local, 0))
        self.place = f"{host(local)}:{self.socket.getsockname()[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text):
        self.socket.sendto(text.encode(), self.server)

    def receive(self, timeout):
        """The next response; None when none came in time. Requests (keepalives) are passed over."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                text = self.socket.recv(65535).decode()
            except ConnectionRefusedError:
                continue
            if text.startswith("SIP/2.0 "):
                return text
        return None

    def ask(self, text, timeout=5):
        """Sends, and returns the response with the same CSeq and Call-ID."""
        self.send(text)
        deadline = time.monotonic() + timeout * PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            response = self.receive(left)
            if response and all(header(response, name) == header(text, name) for name in ("Call-ID", "CSeq")):
                return response
        raise Failure(f"an answer within {timeout * PATIENCE} s to\n{text}", "none")

    def register(self, registration, password=PASSWORD, algorithm="MD5"):
        """Asks, answers the challenge, returns the last response."""
        first = self.ask(registration.request())
        if not first.startswith("SIP/2.0 401 "):
            raise Failure("401 to a REGISTER without credentials", first)
        return self.ask(registration.answered(first, password, algorithm))
