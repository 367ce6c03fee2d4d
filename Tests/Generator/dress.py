"""What a tap's packets look like in a file: link layers, tunnels, capture files, cuts, and text logs of several programs."""
import datetime
import gzip
import ipaddress
import struct

import wire

PLAIN = ['ethernet', 'ethernet', 'ethernet', 'vlan', 'sll', 'sll2', 'raw']
TUNNELS = ['gre', 'vxlan', 'erspan2', 'erspan3', 'geneve', 'gtp', 'mpls', 'ipip', 'qinq', 'pppoe']
FORMS = ['pcap', 'pcap', 'pcapng', 'pcapng-ns', 'pcap-big', 'pcap-nano', 'pcap-gz', 'snoop']
NUMBERS = {'ethernet': 1, 'sll': 113, 'sll2': 276, 'raw': 101, 'null': 0}
MIRROR = ('10.255.0.9', '10.255.0.1')


def ethernet(packet, source=b'\x02\0\0\0\0\x02', destination=b'\x02\0\0\0\0\x01', tags=b''):
    kind = struct.pack('!H', 0x86dd if packet[0] >> 4 == 6 else 0x0800)
    return destination + source + tags + kind + packet


def tunnel(kind, packet, number, ident):
    """One packet as a mirror or a tunnel carries it, in an Ethernet frame."""
    inner = ethernet(packet)
    if kind == 'gre':
        v6 = packet[0] >> 4 == 6
        body = wire.ip_packet(*MIRROR, 47, struct.pack('!HH', 0, 0x86dd if v6 else 0x0800) + packet, ident)
    elif kind == 'erspan2':
        body = wire.ip_packet(*MIRROR, 47, struct.pack('!HHI', 0x1000, 0x88be, number) + struct.pack('!HHI', 0x1000 | 12, 0x0001, 0) + inner, ident)
    elif kind == 'erspan3':
        body = wire.ip_packet(*MIRROR, 47, struct.pack('!HHI', 0x1000, 0x22eb, number) + struct.pack('!HHIHH', 0x2000 | 12, 1, number * 100, 0, 0) + inner, ident)
    elif kind == 'vxlan':
        body = wire.udp((MIRROR[0], 49152 + number % 999), (MIRROR[1], 4789), struct.pack('!II', 0x08000000, 77 << 8) + inner, ident)
    elif kind == 'geneve':
        body = wire.udp((MIRROR[0], 40000), (MIRROR[1], 6081), struct.pack('!BBHI', 0, 0, 0x6558, 77 << 8) + inner, ident)
    elif kind == 'gtp':
        body = wire.udp((MIRROR[0], 2152), (MIRROR[1], 2152), struct.pack('!BBHI', 0x30, 255, len(packet), 0x1234) + packet, ident)
    elif kind == 'ipip':
        body = wire.ip_packet(*MIRROR, 41 if packet[0] >> 4 == 6 else 4, packet, ident)
    elif kind == 'mpls':
        return b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\x47' + struct.pack('!II', 16001 << 12 | 63, 24 << 12 | 0x1ff & 0x1ff) + packet
    elif kind == 'qinq':
        return ethernet(packet, tags=struct.pack('!HHHH', 0x88a8, 7, 0x8100, 42))
    elif kind == 'pppoe':
        return b'\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\x64' + struct.pack('!BBHHH', 0x11, 0, 17, len(packet) + 2, 0x57 if packet[0] >> 4 == 6 else 0x21) + packet
    return ethernet(body)


def framed(link, packet, place, number, ident):
    if link in TUNNELS:
        return tunnel(link, packet, number, ident)
    if link == 'ethernet':
        return ethernet(packet)
    if link == 'vlan':
        return ethernet(packet, tags=struct.pack('!HH', 0x8100, 100))
    kind = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    outward = number % 2
    if link == 'sll':
        return struct.pack('!HHH8sH', 4 if outward else 0, 1, 6, b'\x02\0\0\0\0\x01\0\0', kind) + packet
    if link == 'sll2':
        return struct.pack('!HHIHBB8s', kind, 0, 3 if place[0] == 'out' else 2, 1, 4 if outward else 0, 6, b'\x02\0\0\0\0\x01\0\0') + packet
    return packet


def link_number(link):
    return NUMBERS.get(link, 1)


def capture(frames, link, form, snap=262144):
    """`frames`: (at, place, packet), by time."""
    number = link_number(link)
    octets = []
    if form == 'snoop':
        if number != 1:
            return capture(frames, link, 'pcap', snap)
        octets.append(b'snoop\0\0\0' + struct.pack('!II', 2, 4))
    elif form.startswith('pcapng'):
        nano = form == 'pcapng-ns'
        options = struct.pack('<HHB3x', 9, 1, 9) + struct.pack('<HH', 0, 0) if nano else b''
        octets.append(struct.pack('<IIIHHqI', 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28))
        octets.append(struct.pack('<IIHHI', 1, 20 + len(options), number, 0, snap) + options + struct.pack('<I', 20 + len(options)))
    else:
        order = '>' if form == 'pcap-big' else '<'
        octets.append(struct.pack(order + 'IHHiIII', 0xa1b23c4d if form == 'pcap-nano' else 0xa1b2c3d4, 2, 4, 0, 0, snap, number))
    for index, (at, place, packet) in enumerate(frames):
        frame = framed(link, packet, place, index, index & 0xffff)
        kept = frame[:snap]
        if form == 'snoop':
            pad = -len(kept) % 4
            octets.append(struct.pack('!IIIIII', len(frame), len(kept), 24 + len(kept) + pad, 0, int(at), int(at % 1 * 1e6)) + kept + b'\0' * pad)
        elif form.startswith('pcapng'):
            ticks = round(at * 1e6) * (1000 if form == 'pcapng-ns' else 1)
            pad = -len(kept) % 4
            size = 32 + len(kept) + pad
            octets.append(struct.pack('<IIIIIII', 6, size, 0, ticks >> 32, ticks & 0xffffffff, len(kept), len(frame)) + kept + b'\0' * pad
                          + struct.pack('<I', size))
        else:
            octets.append(struct.pack(order + 'IIII', int(at), int(at % 1 * (1e9 if form == 'pcap-nano' else 1e6)), len(kept), len(frame)) + kept)
    done = b''.join(octets)
    return gzip.compress(done, 1, mtime=0) if form == 'pcap-gz' else done


# Text

def messages(frames):
    """(at, source, destination, text) of each UDP datagram that is SIP, IPv4 or IPv6, unfragmented."""
    for at, _, packet in frames:
        v6 = packet[0] >> 4 == 6
        body, protocol = (packet[40:], packet[6]) if v6 else (packet[20:], packet[9])
        if protocol != 17 or (not v6 and struct.unpack('!H', packet[6:8])[0] & 0x3fff):
            continue
        a, b = (packet[8:24], packet[24:40]) if v6 else (packet[12:16], packet[16:20])
        sport, dport, length = struct.unpack('!HHH', body[:6])
        payload = body[8:length]
        if b'SIP/2.0' in payload[:300]:
            yield at, (str(ipaddress.ip_address(a)), sport), (str(ipaddress.ip_address(b)), dport), payload.decode()


def when(at, form='%Y-%m-%d %H:%M:%S.%f'):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime(form)


def joined(endpoint):
    return ('[%s]:%d' if ':' in endpoint[0] else '%s:%d') % endpoint


def unix(text):
    return text.replace('\r\n', '\n').rstrip('\n')


def chan_sip(talk, own):
    for at, a, b, text in talk:
        if b[0] == own:
            yield '[%s] VERBOSE[20691]: <--- SIP read from UDP:%s --->\n%s\n<------------->' % (when(at, '%Y-%m-%d %H:%M:%S'), joined(a), unix(text))
        else:
            yield '[%s] VERBOSE[20691]: <--- Transmitting (NAT) to %s --->\n%s\n\n<------------>' % (when(at, '%Y-%m-%d %H:%M:%S'), joined(b), unix(text))


def pjsip(talk, own):
    for at, a, b, text in talk:
        kind = 'response' if text.startswith('SIP') else 'request'
        inward = b[0] == own
        yield '[%s] VERBOSE[1123] res_pjsip_logger.c: <--- %s SIP %s (%d bytes) %s UDP:%s --->\n%s\n' % (
            when(at)[:-3], 'Received' if inward else 'Transmitting', kind, len(text), 'from' if inward else 'to', joined(a if inward else b), unix(text))


def sofia(talk, own):
    for at, a, b, text in talk:
        inward = b[0] == own
        yield '%s %d bytes %s udp/[%s]:%d at %s:\n%s\n%s\n' % ('recv' if inward else 'send', len(text), 'from' if inward else 'to', *(a if inward else b),
                                                               when(at, '%H:%M:%S.%f'), '-' * 72, unix(text))


def sngrep(talk, own):
    for at, a, b, text in talk:
        yield '%s %s -> %s\n%s\n' % (when(at, '%Y/%m/%d %H:%M:%S.%f'), joined(a), joined(b), unix(text))


def ngrep(talk, own):
    yield 'interface: any\nfilter: (ip or ip6) and ( udp port 5060 )'
    for at, a, b, text in talk:
        yield '#\nU %s %s -> %s #%d\n%s\n' % (when(at, '%Y/%m/%d %H:%M:%S.%f'), joined(a), joined(b), 7, '\n'.join(
            line + '.' for line in unix(text).split('\n')))


def tcpdump(talk, own):
    for at, a, b, text in talk:
        yield '%s IP %s.%d > %s.%d: SIP: %s\nE..h..@.@...........%s' % (when(at, '%H:%M:%S.%f'), *a, *b, text.split('\r\n')[0], text.replace('\r\n', '\n'))


def kamailio(talk, own):
    for at, a, b, text in talk:
        yield '%s\ntag: %s\npid: 4711\nprocess: 1\ntime: %.6f\ndate: %s\nproto: udp ipv4\nsrcip: %s\nsrcport: %d\ndstip: %s\ndstport: %d\n%s\n%s\n%s' % (
            '=' * 20, 'rcv' if b[0] == own else 'snd', at, when(at, '%a %b %d %H:%M:%S %Y'), *a, *b, '~' * 20, unix(text), '|' * 20)


LOGS = {'chan_sip': [chan_sip], 'pjsip': [pjsip], 'freeswitch': [sofia], 'kamailio': [kamailio], None: [sngrep, ngrep, tcpdump]}


def log(frames, style, own, r):
    form = r.choice(LOGS.get(style, []) * 2 + LOGS[None])
    text = '\n'.join(form(list(messages(frames)), own)) + '\n'
    wrap = r.random()
    if wrap < .12:
        text = '\n'.join('pbx-1  | ' + line for line in text.split('\n'))
    elif wrap < .2:
        text = '\n'.join('> ' + line for line in text.split('\n'))
    elif wrap < .26:
        text = text.replace('\n', '\r\n')
    return form.__name__, text.encode()


def files(w, name, snap=262144, link=None, form=None, text=False):
    """File names and octets for all taps of a world; `text`: a log of the PBX's or the tap's messages instead."""
    r = w.r
    link = link or (r.choice(TUNNELS) if r.random() < .15 else ('sll2' if w.tap == 'router-any' and r.random() < .7 else r.choice(PLAIN)))
    form = form or r.choice(FORMS)
    made = {}
    for tap in w.taps:
        frames = sorted(((at, place, packet) for at, t, place, packet in w.net.seen if t == tap), key=lambda f: f[0])
        middle = '.' + tap if len(w.taps) > 1 else ''
        if text:
            kind, octets = log(frames, text[0], text[1], r)
            made['%s%s.%s.log' % (name, middle, kind)] = octets
            continue
        if len(w.taps) > 1 and tap == w.taps[0]:
            shift = r.uniform(-2, 2)
            frames = [(at + shift, place, packet) for at, place, packet in frames]
        ext = {'pcap-gz': 'pcap.gz', 'snoop': 'snoop'}.get(form, 'pcapng' if form.startswith('pcapng') else 'pcap')
        made['%s%s.%s' % (name, middle, ext)] = capture(frames, link, form, snap)
    w.notes += ['%s %s %s' % (w.tap, link, form)]
    return made


def visible(w):
    """The Call-IDs in what the taps saw, as octets of SIP packets."""
    text = b'\0'.join(packet for _, _, _, packet in w.net.seen if len(packet) > 150 and b'Call-ID' in packet or b'\ni: ' in packet[:900]
                      or b'Call-Id' in packet)
    return {d.call for d in w.dialogs if d.call.encode() in text}
