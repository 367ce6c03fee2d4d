"""A scene: phones behind NATs or not, servers, the two taps of a router, and what an expert would say of each dialog."""
import struct

import wire
from agents import CODECS, PHONES, SERVERS, Message, call_id, challenge, credentials, sdp

T0 = 1_700_000_000.0


class Scene:
    """One capture, or the pair taken on both sides of a router, and its labels."""

    def __init__(self, name, r, pair=False, vantage='out', link=None, form=None, snap=65535):
        self.name, self.r, self.pair, self.vantage, self.snap = name, r, pair, vantage, snap
        self.link = link or r.choice(['ethernet', 'ethernet', 'vlan', 'qinq', 'sll', 'sll2', 'raw', 'null'])
        self.form = form or r.choice(['pcap', 'pcap', 'pcap-big', 'pcap-nano', 'pcapng', 'pcap-gz'])
        self.frames = {'in': [], 'out': []}
        self.skew = {'in': r.uniform(-3, 3) if pair else 0.0, 'out': 0.0}
        self.expected, self.healthy, self.allowed, self.passwords, self.notes = [], [], [], {}, []
        self.hosts = 0
        self.idents = r.randrange(60000)
        self.now = T0 + r.random() * 1e6
        # Whether the tap sees audio: of every call or of none.
        self.talks = False

    # What is said of the dialogs

    def expect(self, finding, call, severity='fault', **more):
        self.expected.append(dict(finding=finding, call_id=call, severity=severity, **more))

    def fine(self, call, guards=None):
        self.healthy.append(dict(call_id=call, guards=guards))

    def allow(self, finding, call):
        self.allowed.append(dict(finding=finding, call_id=call))

    def label(self, files):
        return dict(name=self.name, files=files, expected=self.expected, healthy=self.healthy, allowed=self.allowed,
                    passwords=self.passwords, notes=self.notes)

    # Packets

    def sees(self, side):
        return self.pair or side == self.vantage

    def put(self, side, at, packet):
        if self.sees(side):
            self.frames[side].append((at + self.skew[side], packet))

    def ident(self):
        self.idents = (self.idents + 1) & 0xffff
        return self.idents

    def datagram(self, side, at, source, destination, payload, ident=None):
        if self.sees(side):
            self.put(side, at, wire.udp(source, destination, payload, self.ident() if ident is None else ident))

    def rtp(self, side, start, length, source, destination, codec='PCMU', ptime=20, number=None, loss=None, jitter=0.0, ssrc=None,
            sequence=None, stamp=None, talk=None, marker=True, sizes=None, swap=0.0, delay=0.0):
        """A stream of packets. `loss(k)`: whether packet k is lost; `talk(k)`: whether there is speech (DTX else); jitter in s."""
        if not self.sees(side):
            return ssrc
        r = self.r
        kind, clock = CODECS[codec]
        kind = number if number is not None else kind
        ssrc = r.getrandbits(32) if ssrc is None else ssrc
        sequence = r.randrange(65536) if sequence is None else sequence
        stamp = r.getrandbits(32) if stamp is None else stamp
        size = {'PCMU': 8 * ptime, 'PCMA': 8 * ptime, 'G722': 8 * ptime, 'G729': ptime, 'GSM': 33, 'opus': 70, 'speex': 62,
                'iLBC': 38}[codec]
        payload = r.randbytes(size)
        a, b = wire.packed(source[0]), wire.packed(destination[0])
        v4 = len(a) == 4
        step = clock * ptime // 1000
        skew = self.skew[side]
        out = self.frames[side]
        pack = struct.Struct('!HHHHBBHII').pack
        if v4:
            total = 28 + 12 + size
            head = struct.pack('!BBHHHBBH', 0x45, 0, total, 0, 0x4000, 62, 17, 0) + a + b
            head = head[:10] + struct.pack('!H', wire.checksum(head)) + head[12:]
        sent = -1
        quiet = False
        for k in range(int(length * 1000 / ptime)):
            if talk is not None and not talk(k):
                quiet = True
                continue
            sent += 1
            mark = 0x80 if marker and (sent == 0 or quiet) else 0
            quiet = False
            if loss is not None and loss(k):
                continue
            at = start + k * ptime / 1000 + delay + (abs(r.gauss(0, jitter)) if jitter else r.random() * .0008)
            if swap and r.random() < swap:
                at += ptime / 1000 * 1.5
            udp_rtp = pack(source[1], destination[1], 20 + size, 0, 0x80, mark | kind, (sequence + sent) & 0xffff,
                           (stamp + k * step) & 0xffffffff, ssrc) + payload
            if not v4:
                udp_rtp = udp_rtp[:6] + struct.pack('!H', wire.checksum(
                    a + b + struct.pack('!IHBB', len(udp_rtp), 0, 0, 17) + udp_rtp) or 0xffff) + udp_rtp[8:]
                out.append((at + skew, wire.ip_packet(source[0], destination[0], 17, udp_rtp, 0, 62)))
            else:
                out.append((at + skew, head + udp_rtp))
        return ssrc

    def comfort(self, side, start, length, source, destination, ssrc, every=.4):
        """RFC 3389 comfort noise now and then."""
        k = 0
        sequence = self.r.randrange(65536)
        while k * every < length:
            packet = struct.pack('!BBHII', 0x80, 13, (sequence + k) & 0xffff, int(k * every * 8000) & 0xffffffff, ssrc) + b'\x40'
            self.datagram(side, start + k * every, source, destination, packet)
            k += 1

    def rtcp(self, side, at, source, destination, ssrc, other, lost=0, jitter=20):
        """A sender report with one block and a source description (RFC 3550 6.4.1, 6.5)."""
        block = struct.pack('!IIIIII', other, (lost & 0xff) << 24 | (lost & 0xffffff), 5000, jitter, 0, 0)
        report = struct.pack('!BBHIIIIII', 0x81, 200, 12, ssrc, 0x83aa7e80, 0, 160000, 1000, 160000) + block
        name = b'\x01\x06abc@de\0\0\0\0'
        self.datagram(side, at, source, destination,
                      report + struct.pack('!BBHI', 0x81, 202, 1 + len(name) // 4, ssrc) + name)

    def files(self):
        made = {}
        for side in ('in', 'out'):
            if not self.sees(side) or (not self.frames[side] and self.pair):
                continue
            frames = sorted(self.frames[side], key=lambda f: f[0])
            ext = {'pcapng': 'pcapng', 'pcap-gz': 'pcap.gz'}.get(self.form, 'pcap')
            middle = {'in': '.inside', 'out': '.outside'}[side] if self.pair else ''
            made['%s%s.%s' % (self.name, middle, ext)] = wire.capture(frames, self.link, self.form, self.snap)
        return made

    # Places

    def address(self, kind):
        """A fresh address: 'lan', 'public', 'server', 'v6', 'server6'."""
        self.hosts += 1
        r, n = self.r, self.hosts
        if kind == 'lan':
            return r.choice(['192.168.%d.%d', '10.%d.0.%d', '172.20.%d.%d']) % (r.randrange(200), 10 + n)
        if kind == 'public':
            return '198.51.100.%d' % (10 + n) if r.random() < .5 else '89.%d.17.%d' % (r.randrange(1, 250), 10 + n)
        if kind == 'server':
            return '203.0.113.%d' % (10 + n)
        return '2001:db8:%x::%x' % (r.randrange(1, 0xffff), n) if kind == 'v6' else '2a01:4f8:%x::%x' % (r.randrange(1, 999), n)


class Path:
    """Between a phone and its server: a NAT or none, and maybe a box that meddles with messages."""

    def __init__(self, scene, transport='udp', nat=True, v6=False, port=None, server_port=5060, server=None, alg=None, outer=None):
        r = scene.r
        self.scene, self.transport, self.alg, self.v6 = scene, transport, alg, v6
        self.inner = scene.address('v6' if v6 else ('lan' if nat else 'public'))
        self.outer = outer or (scene.address('public') if nat and not v6 else self.inner)
        self.nat = nat and not v6
        self.port = port or (r.choice([5060, 5060, 5062, 5064]) if transport == 'udp' else r.randrange(32768, 60000))
        self.ext = self.port if not self.nat or r.random() < .3 else r.randrange(1024, 58000)
        self.server = (server or scene.address('server6' if v6 else 'server'), server_port)
        self.lag = r.uniform(.0001, .003) if self.nat else 0
        self.tcp = {}

    def source(self, ext=None):
        return (self.outer, ext or self.ext)

    def up(self, at, message, style, ext=None, ident=None, port=None):
        """From the phone to the server; returns the octets as the server's side has them."""
        inner, outer = (self.inner, port or self.port), (self.outer, ext or self.ext)
        changed = self.alg.up(message, inner, outer, self.server) if self.alg and isinstance(message, Message) else message
        raw = message.octets(style) if isinstance(message, Message) else message
        out = changed.octets(style) if isinstance(changed, Message) else changed
        if self.alg:
            out = self.alg.text(out)
        self._send('in', at, inner, self.server, raw, ident, True)
        self._send('out', at + self.lag, outer, self.server, out, ident, True)
        return out

    def down(self, at, message, style, ext=None, ident=None, port=None, to=None):
        """From the server to the phone. `to`: another destination outside (it then never arrives inside)."""
        inner, outer = (self.inner, port or self.port), to or (self.outer, ext or self.ext)
        raw = message.octets(style) if isinstance(message, Message) else message
        self._send('out', at, self.server, outer, raw, ident, False)
        if to is None:
            changed = self.alg.down(message, inner, outer, self.server) if self.alg and isinstance(message, Message) else message
            raw = changed.octets(style) if isinstance(changed, Message) else changed
            self._send('in', at + self.lag, self.server, inner, self.alg.text(raw) if self.alg else raw, ident, False)
        return raw

    def _send(self, side, at, source, destination, payload, ident, upward):
        scene = self.scene
        if not scene.sees(side):
            return
        if self.transport == 'udp':
            scene.datagram(side, at, source, destination, payload, ident)
            return
        key = (side, source, destination) if upward else (side, destination, source)
        state = self.tcp.get(key)
        if state is None:
            if not upward:
                source, destination = destination, source
            state = self.tcp[key] = [scene.r.getrandbits(31), scene.r.getrandbits(31)]
            a, b = state
            scene.put(side, at - .02, wire.tcp(source, destination, a, 0, 2))
            scene.put(side, at - .015, wire.tcp(destination, source, b, a + 1, 18))
            scene.put(side, at - .014, wire.tcp(source, destination, a + 1, b + 1, 16))
            state[0], state[1] = a + 1, b + 1
            if not upward:
                source, destination = destination, source
        mine, theirs = (0, 1) if upward else (1, 0)
        pieces = [payload]
        if scene.r.random() < .1 and len(payload) > 200:
            cut = scene.r.randrange(50, len(payload) - 50)
            pieces = [payload[:cut], payload[cut:]]
        for i, piece in enumerate(pieces):
            scene.put(side, at + i * .0003, wire.tcp(source, destination, state[mine], state[theirs], 24, piece, scene.ident()))
            state[mine] += len(piece)
        scene.put(side, at + .004, wire.tcp(destination, source, state[theirs], state[mine], 16))

    def close(self, at):
        """FIN both ways, so that the next message opens a new connection."""
        for (side, source, destination), (a, b) in self.tcp.items():
            scene = self.scene
            scene.put(side, at, wire.tcp(source, destination, a, b, 17))
            scene.put(side, at + .002, wire.tcp(destination, source, b, a + 1, 17))
            scene.put(side, at + .004, wire.tcp(source, destination, a + 1, b + 1, 16))
        self.tcp = {}


class Phone:
    """A user agent: what it calls itself, and where it lies. `said`: the host and port it writes of itself."""

    def __init__(self, scene, path, style=None, user=None, said=None, domain=None, server_style=None, via=None):
        r = scene.r
        self.scene, self.path, self.style = scene, path, style or r.choice(PHONES)
        self.server_style = server_style or r.choice(SERVERS)
        self.user = user or r.choice(['%d' % r.randrange(100, 9999), 'alice%d' % r.randrange(99), 'bob.%d' % r.randrange(99),
                                      '+4930%d' % r.randrange(10 ** 6, 10 ** 7)])
        self.said = said or (path.inner, path.port)
        self.via_said = via or self.said
        self.domain = domain or r.choice(['lab.test', 'sip.example.net', 'pbx.example.org', path.server[0]
                                          if not path.v6 else 'v6.example.net'])
        self.password = 'pw%x' % r.getrandbits(40)
        self.instance = '%08x-0000-4000-8000-%012x' % (r.getrandbits(32), r.getrandbits(48))
        self.qop = r.choice([None, 'auth', 'auth'])
        self.realm = r.choice([self.domain, 'asterisk', self.domain])
        self.rport = self.style.rport

    def host(self, said):
        address, port = said
        text = '[%s]' % address if ':' in address else address
        return text if port == 5060 and self.style.default_port else '%s:%d' % (text, port)

    def branch(self):
        return self.style.branch % ('%010x' % self.scene.r.getrandbits(40))

    def tag(self):
        return '%08x' % self.scene.r.getrandbits(32)

    def via(self, branch):
        token = {'udp': 'UDP', 'tcp': 'TCP'}[self.path.transport]
        rport = ';rport' if self.rport else ''
        middle = rport + ';branch=' + branch if self.style.via_rport_first else ';branch=' + branch + rport
        return 'SIP/2.0/%s %s%s' % (token, self.host(self.via_said), middle)

    def contact(self):
        extra = self.style.contact
        suffix = extra % self.instance if '%s' in extra else extra
        transport = {'udp': self.scene_transport(), 'tcp': ';transport=tcp'}[self.path.transport]
        return '<sip:%s@%s%s>%s' % (self.user, self.host(self.said), transport, suffix)

    def scene_transport(self):
        return ';transport=UDP' if self.style.name in ('sipp', 'yealink') else ''

    def aor(self):
        return 'sip:%s@%s' % (self.user, self.domain if ':' not in self.domain else '[%s]' % self.domain)

    def extra(self):
        more = [('Max-Forwards', '70')]
        if self.style.agent:
            more.append(('User-Agent', self.style.agent))
        if self.style.allow:
            more.append(('Allow', self.style.allow))
        return more

    def authorization(self, nonce, method, uri, proxy=False, **options):
        options.setdefault('qop', self.qop)
        name = 'Proxy-Authorization' if proxy else 'Authorization'
        return (name, credentials(self.scene.r, self.user, self.password, self.realm, nonce, method, uri, **options))

    def challenge(self, nonce, stale=False, proxy=False, **options):
        name = 'Proxy-Authenticate' if proxy else 'WWW-Authenticate'
        return (name, challenge(self.realm, nonce, self.qop, stale, **options))

    def nonce(self):
        return '%08x' % self.scene.r.getrandbits(32) if self.server_style.name == 'chan_sip' else '%040x' % self.scene.r.getrandbits(160)


def respond(request, code, reason, phone, source=None, extra=(), body='', tag=None, contact=None, add=True):
    """A response by the server to the phone's request. `source`: what it puts into received and rport."""
    headers = []
    first = True
    for name, value in request.headers:
        if name == 'Via' and first:
            first = False
            if add and source and phone.path.transport == 'udp' or (add and source and phone.scene.r.random() < .7):
                if ';rport' in value:
                    value = value.replace(';rport', ';rport=%d' % source[1], 1)
                value += ';received=' + source[0]
        if name == 'To' and tag and 'tag=' not in value:
            value += ';tag=' + tag
        if name in ('Via', 'From', 'To', 'Call-ID', 'CSeq') or (name == 'Record-Route' and code < 300):
            headers.append((name, value))
    if contact:
        headers.append(('Contact', contact))
    headers += list(extra)
    if phone.server_style.agent:
        headers.append(('Server', phone.server_style.agent))
    return Message('SIP/2.0 %d %s' % (code, reason), headers, body)


class Registration:
    """One phone's REGISTER dialog, step by step."""

    def __init__(self, phone, call=None, cseq=None):
        self.phone, self.path, self.scene = phone, phone.path, phone.scene
        r = self.scene.r
        self.call = call or call_id(r, phone.style, phone.via_said[0])
        self.tag, self.totag = phone.tag(), 'as%08x' % r.getrandbits(32)
        self.cseq = (cseq or r.randrange(1, 60000)) - 1
        host = phone.domain
        self.uri = 'sip:' + ('[%s]' % host if ':' in host else host)

    def request(self, nonce=None, expires=3600, same=False, branch=None, **options):
        """The next REGISTER; `same`: the CSeq does not rise."""
        phone = self.phone
        if not same:
            self.cseq += 1
        name = '"%s" ' % phone.user if phone.style.name in ('yealink', 'polycom', 'cisco') else ''
        headers = [('Via', phone.via(branch or phone.branch())), ('From', '%s<%s>;tag=%s' % (name, phone.aor(), self.tag)),
                   ('To', '%s<%s>' % (name, phone.aor())), ('Call-ID', self.call), ('CSeq', '%d REGISTER' % self.cseq),
                   ('Contact', phone.contact()), ('Expires', str(expires))] + phone.extra()
        if nonce:
            headers.append(phone.authorization(nonce, 'REGISTER', self.uri, **options))
        return Message('REGISTER %s SIP/2.0' % self.uri, headers)

    def send(self, at, message, ext=None, **more):
        self.path.up(at, message, self.phone.style, ext, **more)
        return message

    def answer(self, at, request, code, nonce=None, stale=False, ext=None, expires=3600, to=None, contact=None, **options):
        phone = self.phone
        reason = {200: 'OK', 401: 'Unauthorized', 403: 'Forbidden', 407: 'Proxy Authentication Required',
                  423: 'Interval Too Brief', 500: 'Server Internal Error'}[code]
        extra = []
        if nonce:
            extra.append(phone.challenge(nonce, stale, proxy=code == 407, **options))
        bound = None
        if code == 200 and expires is not None:
            bound = (contact or request.get('Contact').split('>')[0] + '>') + ';expires=%d' % expires
        reply = respond(request, code, reason, phone, self.path.source(ext), extra, tag=self.totag, contact=bound)
        self.path.down(at, reply, phone.server_style, ext, to=to)
        return reply

    def register(self, at, ext=None, expires=3600, rtt=None):
        """The usual four messages; returns when it was done and the nonce."""
        rtt = rtt or self.scene.r.uniform(.01, .08)
        nonce = self.phone.nonce()
        first = self.send(at, self.request(expires=expires), ext)
        self.answer(at + rtt, first, 401, nonce, ext=ext)
        second = self.send(at + rtt + .01, self.request(nonce, expires=expires), ext)
        self.answer(at + 2 * rtt + .01, second, 200, ext=ext, expires=expires)
        return at + 2 * rtt + .02, nonce


class Call:
    """One dialog between a phone and what lies beyond its server. `out`: the phone calls."""

    def __init__(self, phone, out=True, other=None, call=None, media_address=None, server_port=None, number=None):
        self.phone, self.path, self.scene, self.out = phone, phone.path, phone.scene, out
        r = self.scene.r
        self.number = number or '%d' % r.randrange(1000, 10 ** 7)
        server = self.path.server
        self.server_host = '[%s]' % server[0] if ':' in server[0] else server[0]
        self.call = call or (call_id(r, phone.style, phone.via_said[0]) if out else call_id(r, phone.server_style, server[0]))
        self.mine, self.theirs = phone.tag(), 'as%08x' % r.getrandbits(32)
        self.cseq = {'phone': r.randrange(1, 3000), 'server': r.randrange(1, 3000)}
        self.port = r.randrange(5000, 30000) * 2
        self.ext_port = self.port if not self.path.nat or r.random() < .4 else r.randrange(5000, 30000) * 2
        self.server_media = (server[0], r.randrange(5000, 30000) * 2)
        self.media_said = (media_address or phone.said[0], self.port)
        self.codecs = r.choice([('PCMU', 'PCMA'), ('PCMA', 'PCMU'), ('G722', 'PCMA', 'PCMU'), ('opus', 'PCMU'), ('G729', 'PCMA')])
        self.codec = self.codecs[0]
        self.route = None

    # Ends

    def phone_media(self):
        return (self.path.outer, self.ext_port)

    def phone_inner(self):
        return (self.path.inner, self.port)

    def contact(self, by):
        if by == 'phone':
            return self.phone.contact().split('>')[0] + '>'
        return '<sip:%s@%s:%d%s>' % (self.number, self.server_host, self.path.server[1],
                                     ';transport=tcp' if self.path.transport == 'tcp' else '')

    def offer(self, by='phone', **options):
        r = self.scene.r
        if by == 'phone':
            address, port = self.media_said
            return sdp(r, self.phone.style, address, port, options.pop('codecs', self.codecs), **options)
        return sdp(r, self.phone.server_style, self.server_media[0], self.server_media[1], options.pop('codecs', self.codecs), **options)

    def request(self, method, by=None, body='', extra=(), cseq=None, branch=None, uri=None, initial=False, said_via=None):
        by = by or ('phone' if self.out else 'server')
        phone = self.phone
        if cseq is None:
            self.cseq[by] += 1
            cseq = self.cseq[by]
        me = '<%s>;tag=%s' % (phone.aor(), self.mine)
        domain = phone.domain if ':' not in phone.domain else '[%s]' % phone.domain
        peer = '<sip:%s@%s>' % (self.number, domain) + ('' if initial and by == 'phone' else ';tag=' + self.theirs)
        if by == 'server' and initial:
            me, peer = '<%s>' % phone.aor(), '"%s" <sip:%s@%s>;tag=%s' % (self.number, self.number, domain, self.theirs)
        if by == 'phone':
            via, source, target = phone.via(branch or phone.branch()), me, peer
            uri = uri or ('sip:%s@%s' % (self.number, domain) if initial else self.contact('server')[1:-1])
            more = phone.extra()
        else:
            style = phone.server_style
            token = {'udp': 'UDP', 'tcp': 'TCP'}[self.path.transport]
            via = 'SIP/2.0/%s %s:%d;branch=%s%s' % (token, self.server_host, self.path.server[1],
                                                   branch or style.branch % ('%012x' % self.scene.r.getrandbits(48)),
                                                   ';rport' if style.name in ('chan_sip', 'pjsip') else '')
            source, target = peer, me
            uri = uri or self.contact('phone')[1:-1]
            more = [('Max-Forwards', '70'), ('User-Agent', style.agent)]
        headers = [('Via', said_via or via), ('From', source), ('To', target), ('Call-ID', self.call),
                   ('CSeq', '%d %s' % (cseq, method))] + more + list(extra)
        if method in ('INVITE', 'UPDATE', 'SUBSCRIBE', 'REFER'):
            headers.append(('Contact', self.contact(by)))
        return Message('%s %s SIP/2.0' % (method, uri), headers, body)

    def reply(self, request, code, reason, by, body='', extra=(), source=True):
        tag = self.theirs if by == 'server' else self.mine
        if code == 100:
            tag = None
        contact = self.contact(by) if 100 < code < 300 and request.get('CSeq').endswith('INVITE') else None
        at = self.path.source() if by == 'server' and source else None
        message = respond(request, code, reason, self.phone, at, extra, body, tag, contact)
        if by == 'phone':
            message.headers = [h for h in message.headers if h[0] != 'Server']
            if self.phone.style.agent:
                message.headers.append(('User-Agent', self.phone.style.agent))
        return message

    def send(self, at, message, by, **more):
        if by == 'phone':
            self.path.up(at, message, self.phone.style, **more)
        else:
            self.path.down(at, message, self.phone.server_style, **more)
        return message

    # Usual exchanges; each returns when it ended

    def ends(self):
        return ('phone', 'server') if self.out else ('server', 'phone')

    def setup(self, at, offer=None, answer=None, auth=False, early=False, ring=None, ack=True, trying=True, extra=(), rtt=.03):
        """INVITE to ACK. Keeps the INVITE and the 200 for those who go on from there."""
        r = self.scene.r
        a, b = self.ends()
        offer = self.offer(a) if offer is None else offer
        answer = self.offer(b, codecs=(self.codec,)) if answer is None else answer
        invite = self.request('INVITE', a, offer, initial=True, extra=extra)
        self.send(at, invite, a)
        if auth and self.out:
            nonce = self.phone.nonce()
            refusal = self.reply(invite, 407, 'Proxy Authentication Required', 'server', extra=[self.phone.challenge(nonce, proxy=True)])
            self.send(at + rtt, refusal, 'server')
            number = self.cseq[a]
            branch = invite.get('Via').split('branch=')[1].split(';')[0]
            done = self.request('ACK', a, cseq=number, branch=branch, initial=True)
            self.send(at + rtt + .004, done, a)
            at += rtt + .02
            invite = self.request('INVITE', a, offer, initial=True,
                                  extra=list(extra) + [self.phone.authorization(nonce, 'INVITE', invite.start.split(' ')[1], proxy=True)])
            self.send(at, invite, a)
        self.invite = invite
        at += rtt
        if trying:
            self.send(at, self.reply(invite, 100, 'Trying', b), b)
        at += r.uniform(.05, .3)
        if early:
            self.send(at, self.reply(invite, 183, 'Session Progress', b, answer), b)
            self.early = at
            at += r.uniform(.5, 1.5)
        else:
            self.send(at, self.reply(invite, 180, 'Ringing', b), b)
        at += ring if ring is not None else r.uniform(.3, 3)
        self.ok = self.reply(invite, 200, 'OK', b, answer)
        self.send(at, self.ok, b)
        self.answered = at
        if ack:
            at += rtt
            self.send(at, self.request('ACK', a, cseq=self.cseq[a]), a)
        return at

    def hang(self, at, by=None, code=200, answered=True, rtt=.03):
        by = by or self.scene.r.choice(['phone', 'server'])
        other = 'server' if by == 'phone' else 'phone'
        bye = self.send(at, self.request('BYE', by), by)
        if answered:
            self.send(at + rtt, self.reply(bye, code, 'OK', other), other)
        return at + rtt

    def reinvite(self, at, by, direction, answer_direction, rtt=.04):
        other = 'server' if by == 'phone' else 'phone'
        invite = self.send(at, self.request('INVITE', by, self.offer(by, direction=direction)), by)
        self.send(at + rtt, self.reply(invite, 200, 'OK', other, self.offer(other, direction=answer_direction, codecs=(self.codec,))), other)
        self.send(at + 2 * rtt, self.request('ACK', by, cseq=self.cseq[by]), by)
        return at + 2 * rtt

    def talk(self, at, length, up=True, down=True, **options):
        """RTP both ways on every tap; `up`, `down`: whether, or the options of that direction."""
        lag = self.path.lag
        for wanted, upward in ((up, True), (down, False)):
            if wanted is False:
                continue
            more = dict(options, **(wanted if isinstance(wanted, dict) else {}))
            codec = more.pop('codec', self.codec)
            server = more.pop('server', self.server_media)
            outer, inner = more.pop('outer', self.phone_media()), self.phone_inner()
            fixed = dict(ssrc=self.scene.r.getrandbits(32), sequence=self.scene.r.randrange(65536), stamp=self.scene.r.getrandbits(32))
            fixed.update(more)
            ends = {'in': (inner, server), 'out': (outer, server)}
            for side in ('in', 'out'):
                source, destination = ends[side] if upward else ends[side][::-1]
                late = lag if (side == 'out') == upward else 0
                self.scene.rtp(side, at + late, length, source, destination, codec, **fixed)
