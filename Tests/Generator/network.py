"""A small internet: sites behind routers that translate addresses, hosts, links that delay and lose, and taps at every place.

Nothing here knows SIP. What a tap shows follows from where it is: a packet is written down at each place it passes, with the
addresses it has there, and ends where a router has no mapping, a firewall says no, or nobody has the address.
"""
import struct

import wire


class Site:
    """A LAN and its router. `lifetime`: seconds a UDP mapping lives; `keeps`: whether it keeps port numbers where it can;
    `helper`: rewrites SIP (octets, inner, outer, upward) -> octets; `drops(source, destination, payload)`: its firewall, inwards."""

    def __init__(self, name, prefix, outer=None, lifetime=180, keeps=True, helper=None, drops=None):
        self.name, self.prefix, self.outer, self.lifetime, self.keeps = name, prefix, outer, lifetime, keeps
        self.helper, self.drops = helper, drops
        self.mappings = {}      # (protocol, inner address, inner port) -> [outer port, last use, remote addresses]
        self.lag = .0006


class Host:
    def __init__(self, address, site=None, far=.01, mac=None):
        self.address, self.site, self.far, self.mac = address, site, far, mac
        self.off = False        # drops everything
        self.closed = set()     # local ports that refuse


class Route:
    """What became of one packet: the steps (place, time, source, destination, TTL), the host it reached, or None, and how it looked there."""

    def __init__(self):
        self.steps, self.host, self.at, self.source, self.destination = [], None, None, None, None


class Net:
    def __init__(self, r):
        self.r, self.hosts, self.sites, self.watched, self.seen = r, {}, {}, {}, []
        self.idents = {}
        self.connections = {}
        self.lost = None        # (source, destination, payload) -> bool: lost between the sites
        self.mtu = 1500

    # Building

    def site(self, name, **options):
        r = self.r
        prefix = options.pop('prefix', None) or r.choice(['192.168.%d.' % r.choice([0, 1, 2, 10, 178, 100]), '10.%d.%d.' % (
            r.randrange(256), r.randrange(256)), '172.%d.%d.' % (r.randrange(16, 32), r.randrange(256))])
        outer = options.pop('outer', None) or self.public()
        self.sites[outer] = site = Site(name, prefix, outer, **options)
        return site

    def public(self):
        r = self.r
        while True:
            address = '%s.%d.%d' % (r.choice(['198.51', '203.0', '81.169', '93.184', '185.45', '62.96']), r.randrange(256), r.randrange(2, 250))
            if address not in self.hosts and address not in self.sites:
                return address

    def host(self, site=None, address=None, far=None):
        r = self.r
        if not address and site:
            address = site.prefix + str(r.randrange(20, 240))
            while address in self.hosts:
                address = site.prefix + str(r.randrange(20, 240))
        address = address or self.public()
        h = Host(address, site, r.uniform(.003, .03) if far is None else far,
                 bytes([0, r.choice([0x15, 0x04, 0x0b, 0x1a])]) + r.randbytes(4))
        self.hosts[address] = h
        return h

    def watch(self, tap, *places):
        """Writes down what passes these places: ('host', address), ('lan', site), ('in', site), ('out', site)."""
        for place in places:
            self.watched.setdefault(place, []).append(tap)

    # Packets

    def mapping(self, site, protocol, source, at):
        key = (protocol,) + source
        known = site.mappings.get(key)
        lifetime = site.lifetime if protocol == 17 else 3600
        if known and at - known[1] <= lifetime:
            known[1] = max(known[1], at)
            return known
        taken = {m[0] for k, m in site.mappings.items() if k[0] == protocol and (m is not known) and at - m[1] <= lifetime}
        # A mapping that died is given back; a preserving router takes the same number again unless it is taken.
        port = source[1]
        if not site.keeps or port in taken or (known and site.keeps == 'once'):
            port = self.r.randrange(10000, 30000) * 2 + (source[1] & 1)
            while port in taken:
                port += 2
        site.mappings[key] = known = [port, at, set()]
        return known

    def route(self, at, source, destination, protocol=17, payload=b''):
        """The way of a packet that leaves now; mappings are made and kept alive by it."""
        way = Route()
        sender = self.hosts[source[0]]
        site = sender.site
        steps = way.steps
        ttl = 64
        steps.append((('host', source[0]), at, source, destination, ttl))
        if site:
            steps.append((('lan', site.name), at + .00005, source, destination, ttl))
        target = self.hosts.get(destination[0])
        inside = target is not None and target.site is site
        if inside:
            at += .0003 if site else sender.far + target.far
            ttl -= 0 if site else 9
            if not site and self.lost and self.lost(source, destination, payload):
                return way
        else:
            if site:
                steps.append((('in', site.name), at + .0001, source, destination, ttl))
                if site.outer:
                    kept = self.mapping(site, protocol, source, at)
                    kept[2].add(destination[0])
                    source = (site.outer, kept[0])
                ttl -= 1
                at += site.lag
                steps.append((('out', site.name), at, source, destination, ttl))
            at += sender.far
            ttl -= 8
            if self.lost and self.lost(source, destination, payload):
                return way
            other = self.sites.get(destination[0]) or (target.site if target and target.site and not target.site.outer else None)
            if other:
                at += .008
                steps.append((('out', other.name), at, source, destination, ttl))
                if other.drops and other.drops(source, destination, payload):
                    return way
                if other.outer:
                    lifetime = other.lifetime if protocol == 17 else 3600
                    found = next((k for k, m in other.mappings.items() if k[0] == protocol and m[0] == destination[1]
                                  and at - m[1] <= lifetime and source[0] in m[2]), None)
                    if found is None:
                        return way
                    other.mappings[found][1] = max(at, other.mappings[found][1])
                    destination = found[1:]
                at += other.lag
                ttl -= 1
                steps.append((('in', other.name), at, source, destination, ttl))
                steps.append((('lan', other.name), at + .00005, source, destination, ttl))
                target = self.hosts.get(destination[0])
            elif not target or target.site:
                return way      # nobody there, or a private address that no router knows
            else:
                at += target.far
        steps.append((('host', destination[0]), at, source, destination, ttl))
        if target and not target.off:
            way.host, way.at, way.source, way.destination = target, at, source, destination
        return way

    def ident(self, host):
        self.idents[host] = (self.idents.get(host, self.r.randrange(60000)) + 1) & 0xffff
        return self.idents[host]

    def note(self, way, build):
        """`build(source, destination, ttl)` makes the packet as it looks at a step; only where someone watches."""
        for place, at, source, destination, ttl in way.steps:
            taps = self.watched.get(place)
            if taps:
                for packet in build(source, destination, ttl, place):
                    for tap in taps:
                        self.seen.append((at, tap, place, packet))

    def udp(self, at, source, destination, payload):
        """Sends a datagram; a helper in a router may see and change it."""
        way = self.route(at, source, destination, 17, payload)
        ident = self.ident(source[0])
        changed = {}

        def build(a, b, ttl, place):
            octets = payload
            if payload[:4].isalnum() or payload[:3] == b'SIP':
                octets = self.helped(payload, way, place, changed)
            if 28 + len(octets) > self.mtu:
                return wire.udp_fragments(a, b, octets, ident, self.mtu)
            return [wire.udp(a, b, octets, ident, ttl)]
        self.note(way, build)
        if way.host:
            way.payload = self.helped(payload, way, way.steps[-1][0], changed) if payload[:1].isalpha() else payload
        return way

    def helped(self, payload, way, place, changed):
        """The octets at a place: as each helper in a router left them that they passed before."""
        passed = set()
        for (kind, name), *_ in way.steps:
            beyond = kind if (kind, name) not in passed and ({'in': 'out', 'out': 'in'}.get(kind), name) in passed else None
            passed.add((kind, name))
            site = beyond and next((s for s in self.sites.values() if s.name == name and s.helper), None)
            if site:
                if (kind, name) not in changed:
                    changed[kind, name] = site.helper(payload, way, kind == 'out')
                payload = changed[kind, name]
            if (kind, name) == place:
                break
        return payload

    def tcp(self, at, source, destination, payload, fresh=False):
        """Sends over the connection between these two, opening it when there is none. Returns the way of the data, or of the SYN
        where nobody answers."""
        key = (source, destination)
        c = self.connections.get(key) or self.connections.get((destination, source)) or next(
            (c for c in self.connections.values() if c['b'] == source and c['seen'] == destination), None)
        if c is None or fresh:
            c = self.connections[key] = dict(a=source, b=destination, seq={source: self.r.getrandbits(31)}, seen=None)
            way = self.segment(c, at, source, destination, 2, b'')
            if not way.host or destination[1] in way.host.closed:
                if way.host:
                    self.raw(way.at + .0001, destination, way.source, 20, b'', 0, c['seq'][source] + 1)
                else:
                    for gap in (1, 3, 7):
                        self.raw(at + gap, source, destination, 2, b'', c['seq'][source], 0)
                del self.connections[key]
                way.host = None
                return way
            c['seen'] = way.source
            c['seq']['b'] = self.r.getrandbits(31)
            back = self.raw(way.at + .0001, destination, way.source, 18, b'', c['seq']['b'], c['seq'][source] + 1)
            c['seq'][source] += 1
            c['seq']['b'] += 1
            at = back.at + .0001
            self.raw(at, source, destination, 16, b'', c['seq'][source], c['seq']['b'])
            at += .0003
        at = c['ready'] = max(at, c.get('ready', 0) + .0001)
        mine, theirs = (source, 'b') if source == c['a'] else ('b', c['a'])
        to = destination if source == c['a'] else c['seen']
        pieces = [payload]
        if len(payload) > 1380:
            pieces = [payload[i:i + 1380] for i in range(0, len(payload), 1380)]
        elif self.r.random() < .06 and len(payload) > 300:
            cut = self.r.randrange(20, len(payload) - 20)
            pieces = [payload[:cut], payload[cut:]]
        for piece in pieces:
            way = self.raw(at, source, to, 24, piece, c['seq'][mine], c['seq'][theirs])
            c['seq'][mine] += len(piece)
            at += .0002
            c['ready'] = at
        if way.host:
            self.raw(way.at + .002, way.destination, way.source, 16, b'', c['seq'][theirs], c['seq'][mine])
        return way

    def prepare(self, at, source, destination):
        """A connection that was opened before anybody looked."""
        way = self.route(at, source, destination, 6)
        self.connections[source, destination] = dict(a=source, b=destination, seen=way.source, seq={
            source: self.r.getrandbits(31), 'b': self.r.getrandbits(31)})
        return way

    def segment(self, c, at, source, destination, flags, payload):
        return self.raw(at, source, destination, flags, payload, c['seq'][source], 0)

    def raw(self, at, source, destination, flags, payload, sequence, acknowledge):
        way = self.route(at, source, destination, 6, payload)
        ident = self.ident(source[0])
        self.note(way, lambda a, b, ttl, place: [wire.tcp(a, b, sequence, acknowledge, flags, payload, ident)])
        return way

    def close(self, at, source, destination):
        """FIN from each end."""
        c = self.connections.pop((source, destination), None)
        if c:
            a, b = c['seq'][source], c['seq']['b']
            self.raw(at, source, destination, 17, b'', a, b)
            self.raw(at + .02, destination, c['seen'], 17, b'', b, a + 1)
            self.raw(at + .04, source, destination, 16, b'', a + 1, b + 1)

    def refuse(self, at, way, code=3):
        """ICMP unreachable of the host that a datagram reached, quoting it (RFC 792)."""
        quoted = wire.udp(way.source, way.destination, b'', 0)
        back = self.route(at, way.destination, way.source, 17)
        self.note(back, lambda a, b, ttl, place: [wire.icmp_unreachable(a[0], b[0], code, wire.udp(b, a, b'\0' * 8, 7))])

    def stream(self, at, length, source, destination, number=0, clock=8000, ptime=20, size=160, loss=None, jitter=.0006, talks=None,
               ssrc=None, sequence=None, stamp=None, drift=1.0,
               comfort=None):
        """RTP (RFC 3550) of one sender. `loss(k)`: packet k is lost on the way (not at its own side); `talks(k)`: speaks at all;
        `comfort(k)`: sends comfort noise (RFC 3389) instead. Returns the way of the first packet."""
        r = self.r
        way = self.route(at, source, destination)
        ssrc = r.getrandbits(32) if ssrc is None else ssrc
        sequence = r.randrange(65536) if sequence is None else sequence
        stamp = r.getrandbits(31) if stamp is None else stamp
        payload = r.randbytes(size)
        step = clock * ptime // 1000
        steps = [s for s in way.steps if s[0] in self.watched]
        heads = []
        for s in steps:
            place, then, a, b, ttl = s
            home = self.hosts[source[0]].site
            early = place == ('host', source[0]) or (home is not None and place[1] == home.name)
            heads.append((place, then - at, wire.packed(a[0]), wire.packed(b[0]), a[1], b[1], ttl, early))
        sent, quiet = 0, True
        base = self.ident(source[0])
        for k in range(int(length * 1000 / ptime)):
            noise = comfort is not None and comfort(k)
            if not noise and talks is not None and not talks(k):
                quiet = True
                continue
            when = at + k * ptime / 1000 * drift + r.random() * .0006
            header = struct.pack('!BBHII', 0x80, 13 if noise else (0x80 if quiet else 0) | number, (sequence + sent) & 0xffff,
                                 (stamp + k * step) & 0xffffffff, ssrc) + (b'\x48' if noise else payload)
            quiet = noise
            sent += 1
            gone = loss is not None and loss(k)
            late = abs(r.gauss(0, jitter))
            for place, then, a, b, sport, dport, ttl, early in heads:
                if gone and not early:
                    continue
                moment = when + then + (0 if early else late)
                total = 8 + len(header)
                if len(a) == 4:
                    head = struct.pack('!BBHHHBBH', 0x45, 0xb8, 20 + total, (base + sent) & 0xffff, 0x4000, ttl, 17, 0) + a + b
                    packet = head[:10] + struct.pack('!H', wire.checksum(head)) + head[12:] + struct.pack('!HHHH', sport, dport, total, 0) + header
                else:
                    body = struct.pack('!HHHH', sport, dport, total, 0) + header
                    check = wire.checksum(a + b + struct.pack('!IHBB', total, 0, 0, 17) + body) or 0xffff
                    packet = struct.pack('!IHBB', 0x60000000, total, 17, ttl) + a + b + body[:6] + struct.pack('!H', check) + body[8:]
                for tap in self.watched[place]:
                    self.seen.append((moment, tap, place, packet))
        self.idents[source[0]] = (base + sent) & 0xffff
        site = self.hosts[source[0]].site
        if site and site.outer and (17,) + source in site.mappings:
            site.mappings[(17,) + source][1] = at + length
        return way
