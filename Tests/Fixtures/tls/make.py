#!/usr/bin/env python3
"""Makes the TLS talks beside it: openssl s_client and s_server talk SIP over loopback, what passes between them is written down.

    make.py [NAME...]

A file holds lines: `key` and a line of the client's key log; `>` and octets of the client, `<` and octets of the server, in hexadecimal, in the order
they passed. Needs OpenSSL 3 with its command line.
"""

import base64
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))


def sip(first, number, extra=""):
    return (f"{first}\r\nVia: SIP/2.0/TLS 192.0.2.20:41000;branch=z9hG4bKtls{number}\r\nFrom: <sip:ada@example.org>;tag=a{number}\r\n"
            f"To: <sip:box@example.org>{extra}\r\nCall-ID: tls-{number}@example.org\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n").encode()


def ask(number):
    return sip("OPTIONS sip:box@example.org SIP/2.0", number)


def answer(number):
    return sip("SIP/2.0 200 OK", number, ";tag=b")


def frame(payload, mask=b"", opcode=0x81):
    head = bytes([opcode])
    bit = 0x80 if mask else 0
    head += bytes([bit | len(payload)]) if len(payload) < 126 else bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    return head + mask + (bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload)) if mask else payload)


UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef") + b"\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
UPGRADED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
PLAIN = [("c", ask(1)), ("s", answer(1)), ("c", ask(2)), ("s", answer(2))]
WEB = [("c", UPGRADE), ("s", UPGRADED), ("c", frame(ask(1), b"\x12\x34\x56\x78")), ("s", frame(answer(1))),
       ("c", frame(ask(2)[:100], b"\x01\x02\x03\x04", 0x01) + frame(ask(2)[100:], b"\x05\x06\x07\x08", 0x80)), ("s", frame(answer(2)))]


def old(cipher, version="-tls1_2", client=(), server=(), script=PLAIN):
    return dict(client=[version, "-cipher", cipher + ":@SECLEVEL=0", *client], server=[version, "-cipher", cipher + ":@SECLEVEL=0", *server],
                script=script)


def new(suite, client=(), server=(), script=PLAIN):
    return dict(client=["-tls1_3", "-ciphersuites", suite, *client], server=["-tls1_3", "-ciphersuites", suite, *server], script=script)


CASES = {
    "tls12-aes128-gcm": old("ECDHE-ECDSA-AES128-GCM-SHA256"),
    "tls12-aes256-gcm": old("ECDHE-ECDSA-AES256-GCM-SHA384"),
    "tls12-chacha20": old("ECDHE-ECDSA-CHACHA20-POLY1305"),
    "tls12-aes128-ccm": old("ECDHE-ECDSA-AES128-CCM"),
    "tls12-aes256-ccm8": old("ECDHE-ECDSA-AES256-CCM8"),
    "tls12-cbc-sha": old("ECDHE-ECDSA-AES128-SHA", client=["-no_etm"]),
    "tls12-cbc-sha256": old("ECDHE-ECDSA-AES128-SHA256", client=["-no_etm"]),
    "tls12-cbc-sha384-etm": old("ECDHE-ECDSA-AES256-SHA384"),
    "tls11-cbc-sha": old("ECDHE-ECDSA-AES256-SHA", "-tls1_1", client=["-no_etm"]),
    "tls10-cbc-sha": old("ECDHE-ECDSA-AES256-SHA", "-tls1", client=["-no_etm"]),
    "tls12-renegotiation": old("ECDHE-ECDSA-AES128-GCM-SHA256", server=["-client_renegotiation"],
                               script=PLAIN[:2] + [("c", b"R\n")] + PLAIN[2:]),
    "tls12-camellia": old("ECDHE-ECDSA-CAMELLIA128-SHA256"),
    "tls12-wss": old("ECDHE-ECDSA-AES128-GCM-SHA256", script=WEB),
    "tls13-aes128-gcm": new("TLS_AES_128_GCM_SHA256"),
    "tls13-aes256-gcm": new("TLS_AES_256_GCM_SHA384"),
    "tls13-chacha20": new("TLS_CHACHA20_POLY1305_SHA256"),
    "tls13-aes128-ccm": new("TLS_AES_128_CCM_SHA256"),
    "tls13-key-update": new("TLS_AES_256_GCM_SHA384", script=PLAIN[:2] + [("c", b"k\n"), ("c", b"K\n")] + PLAIN[2:] + [("c", b"K\n"), ("c", ask(3)), ("s", answer(3))]),
    "tls13-padding": new("TLS_AES_128_GCM_SHA256", ["-record_padding", "512"], ["-record_padding", "512"]),
    "tls13-retry": new("TLS_AES_128_GCM_SHA256", ["-groups", "X25519:P-384"], ["-groups", "P-384"]),
    "tls13-wss": new("TLS_AES_128_GCM_SHA256", script=WEB),
}


def make(name, case, folder):
    certificate, key, log = (os.path.join(folder, part) for part in ("cert.pem", "key.pem", name + ".keys"))
    if not os.path.exists(key):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                        "-subj", "/CN=example.org", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-num_tickets", "1",
                               *case["server"]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.4)
    client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", "-keylogfile", log,
                               *case["client"]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    near, _ = listener.accept()
    far = socket.create_connection(("127.0.0.1", port))
    lines, lock = [], threading.Lock()

    def carry(source, sink, sign):
        while True:
            try:
                octets = source.recv(65536)
            except OSError:
                octets = b""
            if not octets:
                break
            with lock:
                if lines and lines[-1][0] == sign:
                    lines[-1][1] += octets
                else:
                    lines.append([sign, bytearray(octets)])
            sink.sendall(octets)
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threads = [threading.Thread(target=carry, args=arguments) for arguments in ((near, far, ">"), (far, near, "<"))]
    for thread in threads:
        thread.start()
    time.sleep(0.6)
    for who, octets in case["script"]:
        (client if who == "c" else server).stdin.write(octets)
        (client if who == "c" else server).stdin.flush()
        time.sleep(0.3)
    client.stdin.close()
    time.sleep(0.3)
    for program in (client, server):
        program.kill()
        program.wait()
    for thread in threads:
        thread.join()
    with open(os.path.join(HERE, name + ".tls"), "w") as file:
        keys = open(log).read() if os.path.exists(log) else ""
        file.writelines(f"key {line}\n" for line in keys.splitlines() if not line.startswith("#"))
        file.writelines(f"{sign} {octets.hex()}\n" for sign, octets in lines)


with tempfile.TemporaryDirectory() as folder:
    for name in sys.argv[1:] or CASES:
        make(name, CASES[name], folder)
        print(name, os.path.getsize(os.path.join(HERE, name + ".tls")))
