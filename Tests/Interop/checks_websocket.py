"""SIP over WebSocket and secure WebSocket (RFC 7118), by a client of a few lines."""

import base64
import hashlib
import os
import re
import socket
import ssl
import struct

from harness import check, expect, expect_equal
from programs import Server, free_port
from rawsip import Registration


class WebSocketPhone:
    """Speaks the subprotocol `sip`: one message a frame, masked."""

    def __init__(self, port, secure):
        plain = socket.create_connection(("127.0.0.1", port), timeout=5)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(plain) if secure else plain
        self.uri, self.server, self.place = f"sip:127.0.0.1:{port}", ("127.0.0.1", port), "phone.invalid"
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        self.head = head.decode()
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        expect(self.head.startswith("HTTP/1.1 101") and accept in self.head, "the upgrade to be taken", self.head)
        expect(re.search(r"sec-websocket-protocol: sip\r", self.head, re.I), "the subprotocol sip", self.head)

    def ask(self, text):
        """Sends one message, returns the next that comes."""
        payload, mask = text.encode(), os.urandom(4)
        self.socket.sendall(b"\x81" + struct.pack("!BH", 0x80 | 126, len(payload)) + mask + bytes(
            byte ^ mask[index % 4] for index, byte in enumerate(payload)))
        first, length = self.exactly(2)
        expect(first & 0x0f in (1, 2) and first & 0x80, "one whole message in a frame", first)
        if length == 126:
            length = struct.unpack("!H", self.exactly(2))[0]
        return self.exactly(length).decode()

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            expect(more, f"{count} octets", data)
            data += more
        return data


def registers(transport):
    def run(shop):
        port = free_port()
        server = Server(shop, settings=[f"{transport}=127.0.0.1:{port}"])
        phone = WebSocketPhone(port, transport == "wss")
        registration = Registration(phone, "100", "sip:100@phone.invalid;transport=ws")

        def over(request):
            return request.replace("SIP/2.0/UDP", f"SIP/2.0/{transport.upper()}")

        challenged = phone.ask(over(registration.request()))
        expect(challenged.startswith("SIP/2.0 401 "), "a challenge", challenged)
        done = phone.ask(over(registration.answered(challenged)))
        expect(done.startswith("SIP/2.0 200 "), "to be registered", done)
        expect_equal(server.only_binding()["transport"], transport.upper(), "transport of the flow")
        phone.socket.close()

    return run


for name in ("ws", "wss"):
    check(f"registers-over-{name}")(registers(name))
