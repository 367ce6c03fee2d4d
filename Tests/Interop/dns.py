"""A DNS server of one zone for a phone that follows RFC 3263: NAPTR, SRV, A."""

import socket
import struct
import threading

A, SRV, NAPTR = 1, 33, 35


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def naptr(order, preference, service, replacement):
    texts = b"".join(bytes([len(text)]) + text.encode() for text in ("s", service, ""))
    return struct.pack(">HH", order, preference) + texts + name(replacement)


def srv(priority, port, target):
    return struct.pack(">HHH", priority, 1, port) + name(target)


class Responder:
    """Answers from `records`, {(name, type): [rdata]}, on a free port of `address`; notes the questions."""

    def __init__(self, shop, records, address="127.0.0.1"):
        self.records, self.questions = records, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.place = f"{address}:{self.socket.getsockname()[1]}"
        self.log = open(shop.path("dns.log"), "w", buffering=1)
        self.isClosing = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        shop.cleanups.append(self.close)

    def close(self):
        self.isClosing = True
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(2)
        self.socket.close()
        self.log.close()

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if self.isClosing:
                return
            try:
                self.socket.sendto(self.answer(query), peer)
            except (IndexError, struct.error, UnicodeDecodeError) as error:
                self.log.write(f"unreadable query {query.hex()}: {error}\n")

    def answer(self, query):
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1:place + 1 + query[place]].decode())
            place += 1 + query[place]
        asked, (kind, _) = ".".join(labels).lower(), struct.unpack_from(">HH", query, place + 1)
        self.questions.append((asked, kind))
        found = self.records.get((asked, kind), [])
        exists = any(known == asked or known.endswith("." + asked) for known, _ in self.records)
        self.log.write(f"{asked} type {kind}: {len(found)} records\n")
        flags = 0x8580 | (0 if exists else 3)
        answers = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data for data in found)
        return query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + query[12:place + 5] + answers
