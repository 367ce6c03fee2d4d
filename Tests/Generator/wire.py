"""Octets on a wire: IP, UDP and TCP frames, link layers, and the capture files that hold them."""
import gzip
import ipaddress
import struct

_packed = {}


def packed(address):
    """The 4 or 16 octets of an address written as text."""
    octets = _packed.get(address)
    if octets is None:
        octets = _packed[address] = ipaddress.ip_address(address).packed
    return octets


def checksum(octets):
    if len(octets) & 1:
        octets += b'\0'
    total = sum(struct.unpack('!%dH' % (len(octets) // 2), octets))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return 0xffff ^ total


def ip_packet(source, destination, protocol, payload, identification=0, ttl=64, fragment=0x4000):
    """`fragment`: the flags and offset word of IPv4; ignored for IPv6."""
    a, b = packed(source), packed(destination)
    if len(a) == 4:
        head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), identification & 0xffff, fragment, ttl, protocol, 0) + a + b
        return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload
    return struct.pack('!IHBB', 0x60000000, len(payload), protocol, ttl) + a + b + payload


def _pseudo(a, b, protocol, length):
    if len(a) == 4:
        return a + b + struct.pack('!BBH', 0, protocol, length)
    return a + b + struct.pack('!IHBB', length, 0, 0, protocol)


def udp_payload(source, destination, payload):
    """A UDP header with its checksum, and the payload. Endpoints are (address, port)."""
    a, b = packed(source[0]), packed(destination[0])
    length = 8 + len(payload)
    head = struct.pack('!HHHH', source[1], destination[1], length, 0)
    total = checksum(_pseudo(a, b, 17, length) + head + payload) or 0xffff
    return head[:6] + struct.pack('!H', total) + payload


def udp(source, destination, payload, identification=0, ttl=64):
    return ip_packet(source[0], destination[0], 17, udp_payload(source, destination, payload), identification, ttl)


def udp_fragments(source, destination, payload, identification, mtu=1500):
    """An IPv4 datagram in fragments of an MTU."""
    whole = udp_payload(source, destination, payload)
    step = (mtu - 20) // 8 * 8
    parts = []
    for at in range(0, len(whole), step):
        more = 0x2000 if at + step < len(whole) else 0
        parts.append(ip_packet(source[0], destination[0], 17, whole[at:at + step], identification, 64, more | at // 8))
    return parts


def tcp(source, destination, sequence, acknowledge, flags, payload=b'', identification=0):
    a, b = packed(source[0]), packed(destination[0])
    head = struct.pack('!HHIIBBHHH', source[1], destination[1], sequence & 0xffffffff, acknowledge & 0xffffffff,
                       0x50, flags, 64240, 0, 0)
    total = checksum(_pseudo(a, b, 6, 20 + len(payload)) + head + payload)
    return ip_packet(source[0], destination[0], 6, head[:16] + struct.pack('!H', total) + head[18:] + payload, identification)


def icmp_unreachable(source, destination, code, refused):
    """RFC 792: destination unreachable, quoting the refused IPv4 packet."""
    body = struct.pack('!BBHI', 3, code, 0, 0) + refused[:28 + 8]
    return ip_packet(source, destination, 1, body[:2] + struct.pack('!H', checksum(body)) + body[4:])


LINKS = {'ethernet': 1, 'vlan': 1, 'qinq': 1, 'sll': 113, 'sll2': 276, 'raw': 101, 'null': 0}


def link_header(link, packet):
    v6 = packet[0] >> 4 == 6
    kind = 0x86dd if v6 else 0x0800
    ends = b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02'
    if link == 'ethernet':
        return ends + struct.pack('!H', kind)
    if link == 'vlan':
        return ends + struct.pack('!HHH', 0x8100, 42, kind)
    if link == 'qinq':
        return ends + struct.pack('!HHHHH', 0x88a8, 7, 0x8100, 42, kind)
    if link == 'sll':
        return struct.pack('!HHH8sH', 0, 1, 6, b'\x02\0\0\0\0\x01\0\0', kind)
    if link == 'sll2':
        return struct.pack('!HHIHBB8s', kind, 0, 2, 1, 0, 6, b'\x02\0\0\0\0\x01\0\0')
    if link == 'null':
        return struct.pack('<I', 24 if v6 else 2)
    return b''


def capture(frames, link='ethernet', form='pcap', snap=65535):
    """The octets of a capture file. `frames`: (seconds, IP packet), sorted by time."""
    big = form == 'pcap-big'
    nano = form == 'pcap-nano'
    heads = {}
    out = []
    if form == 'pcapng':
        out.append(struct.pack('<IIIHHqI', 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28))
        out.append(struct.pack('<IIHHII', 1, 20, LINKS[link], 0, snap, 20))
    else:
        out.append(struct.pack(('>' if big else '<') + 'IHHiIII', 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snap,
                               LINKS[link]))
    record = struct.Struct(('>' if big else '<') + 'IIII')
    for at, packet in frames:
        version = packet[0] >> 4
        head = heads.get(version)
        if head is None:
            head = heads[version] = link_header(link, packet)
        octets = head + packet
        length = len(octets)
        kept = octets if length <= snap else octets[:snap]
        if form == 'pcapng':
            ticks = round(at * 1e6)
            pad = -len(kept) % 4
            size = 32 + len(kept) + pad
            out.append(struct.pack('<IIIIIII', 6, size, 0, ticks >> 32, ticks & 0xffffffff, len(kept), length))
            out.append(kept + b'\0' * pad + struct.pack('<I', size))
        else:
            whole = int(at)
            fraction = at - whole
            out.append(record.pack(whole, int(fraction * (1e9 if nano else 1e6)), len(kept), length))
            out.append(kept)
    octets = b''.join(out)
    return gzip.compress(octets, 1, mtime=0) if form == 'pcap-gz' else octets
