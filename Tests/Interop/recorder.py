"""What passes a Linux router, on both of its sides at once: sockets in other namespaces, a tap on each interface, recordings as text."""

import ctypes
import fcntl
import os
import re
import select
import socket
import struct
import time

from world import OUTSIDE, PHONE, SERVER, World

LIBC = ctypes.CDLL(None, use_errno=True)
SO_TIMESTAMPNS, CLONE_NEWNET, SIOCETHTOOL = 35, 0x40000000, 0x8946
PATIENCE = 5


def within(ns, make):
    """What `make` returns, called inside of a network namespace; a socket stays where it was made."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{ns}") as there:
        if LIBC.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return make()
        finally:
            LIBC.setns(home.fileno(), CLONE_NEWNET)


def without_offload(interface):
    """Checksums and segments as on a cable: no transmit checksum offload (0x17), TSO (0x1f), GSO (0x24), GRO (0x2c)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for number in (0x17, 0x1F, 0x24, 0x2C):
            value = ctypes.create_string_buffer(struct.pack("II", number, 0))
            fcntl.ioctl(any_socket, SIOCETHTOOL, struct.pack("16sP", interface.encode(), ctypes.addressof(value)))


class Tap:
    """All IPv4 packets of one interface of the router, with the kernel's time of each."""

    def __init__(self, ns, interface):
        def make():
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            tap.bind((interface, 0))
            return tap

        self.socket = within(ns, make)

    def packets(self):
        found = []
        while select.select([self.socket], [], [], 0.05)[0]:
            frame, extra, _, _ = self.socket.recvmsg(65536, 64)
            seconds, nanoseconds = struct.unpack("qq", next(data for _, kind, data in extra if kind == SO_TIMESTAMPNS))
            if frame[12:14] == b"\x08\x00":
                found.append((seconds * 10**9 + nanoseconds, frame[14:14 + struct.unpack("!H", frame[16:18])[0]]))
        return found


class Party:
    """One end of talks: binds, sends, and waits (five seconds at most) for what must come."""

    def __init__(self, ns, address):
        self.ns, self.address = ns, address

    def udp(self, port):
        def make():
            end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end.bind((self.address, port))
            end.settimeout(PATIENCE)
            return end

        return within(self.ns, make)

    def tcp(self, port=0, to=None):
        """A listener, or a connection to `to`."""
        def make():
            end = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(PATIENCE)
            end.bind((self.address, port))
            if to:
                end.connect(to)
            else:
                end.listen(1)
            return end

        return within(self.ns, make)


class Wire:
    """A socket that carries SIP messages: a datagram each, or a stream cut by Content-Length."""

    def __init__(self, end, peer=None):
        self.end, self.peer, self.buffer = end, peer, b""
        self.stream = end.type == socket.SOCK_STREAM

    def send(self, text, to=None):
        data = text.encode()
        self.end.sendall(data) if self.stream else self.end.sendto(data, to or self.peer)

    def receive(self):
        """A message and where it came from."""
        if not self.stream:
            data, self.peer = self.end.recvfrom(65536)
            return data.decode(), self.peer
        while True:
            head, empty, body = self.buffer.partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
            if empty and len(body) >= int(length.group(1)):
                whole = len(head) + 4 + int(length.group(1))
                message, self.buffer = self.buffer[:whole], self.buffer[whole:]
                return message.decode(), self.end.getpeername()
            more = self.end.recv(65536)
            if not more:
                raise OSError("the stream ended amid a message")
            self.buffer += more


class Recording:
    """A world with a tap on both sides of its router."""

    def __init__(self, shop, helper):
        self.world = world = World(shop, helper=helper, helped_streams=helper)
        for ns, names in ((world.lan, ["eth0"]), (world.router, ["lan0", "wan0"]), (world.server, ["eth0"])):
            for name in names:
                within(ns, lambda name=name: without_offload(name))
        # The neighbours learn of each other before anything is recorded.
        for source, target in ((Party(world.lan, PHONE), SERVER), (Party(world.server, SERVER), OUTSIDE)):
            with source.udp(0) as end:
                end.sendto(b"", (target, 9))
        settled(0.2)
        self.taps = [("inside", Tap(world.router, "lan0")), ("outside", Tap(world.router, "wan0"))]

    def text(self, title):
        """The recording: a line of time and headers for each packet, then its payload."""
        packets = sorted((at, side, packet) for side, tap in self.taps for at, packet in tap.packets())
        lines = [f"# {title}", f"# Recorded on Linux {os.uname().release.split('-')[0]} by scripts/record-nat."]
        for at, side, packet in packets:
            start = (packet[0] & 15) * 4
            if packet[9] not in (6, 17):
                continue
            start += 8 if packet[9] == 17 else (packet[start + 12] >> 4) * 4
            ports = struct.unpack("!HH", packet[(packet[0] & 15) * 4:][:4])
            ends = [f"{socket.inet_ntoa(packet[at:at + 4])}:{port}" for at, port in zip((12, 16), ports)]
            lines.append(f"{side} {(at - packets[0][0]) / 1e9:.9f} {packet[:start].hex()} {ends[0]} > {ends[1]}")
            lines += written(packet[start:])
        return "\n".join(lines) + "\n"


def written(payload):
    """Text as '|line', each standing for the line and CRLF; the last line, without CRLF, as '+text'; other octets as '=hex'."""
    if not payload:
        return []
    if any(octet > 126 or octet < 32 and octet not in b"\r\n\t" for octet in payload):
        return ["=" + payload.hex()]
    *whole, last = payload.decode().replace("\\", "\\\\").split("\r\n")
    odd = {"\r": "\\x0d", "\n": "\\x0a", "\t": "\\x09"}
    lines = ["|" + line for line in whole] + (["+" + last] if last else [])
    return ["".join(odd.get(character, character) for character in line) for line in lines]


def settled(seconds=0.05):
    """A pause, so that the packets of two steps are in order on both taps."""
    time.sleep(seconds)
