"""What stations do together: registrations, legs of calls with their audio, and what an expert would say of each."""
from agents import CODECS, call_id, challenge, credentials
from network import Net
from stations import Dialog, Station

SIZES = {'PCMU': 160, 'PCMA': 160, 'G722': 160, 'G729': 20, 'GSM': 33, 'opus': 70, 'iLBC': 38}


class World:
    """One scene: a network, its stations, and the labels. A dialog is healthy until something is said of it."""

    def __init__(self, name, r):
        self.name, self.r, self.net = name, r, Net(r)
        self.now = 1_700_000_000.0 + r.random() * 1e7
        self.dialogs, self.expected, self.allowed, self.silent, self.passwords, self.notes = [], [], [], set(), {}, []
        self.unlabelled = set()
        self.slow = 1.0
        self.taps = {}        # tap -> what it sees, set by the scene's setting
        self.form = None

    def pace(self, station):
        return self.slow * self.r.uniform(.0005, .006 if station.mends or station.proxy else .03)

    def expect(self, finding, dialog, severity='fault', culprit=None, instead=(), **more):
        """The expert's finding. `instead`: other names that say the same as well; `culprit`: who has to do something."""
        ids = [d.call for d in (dialog if isinstance(dialog, (list, tuple)) else [dialog])] if dialog else []
        self.expected.append(dict(finding=finding, call_id=ids[0] if ids else None, call_ids=ids, severity=severity,
                                  culprit=culprit, instead=list(instead), **more))
        self.silent.update(ids)

    def allow(self, dialog, *findings):
        for f in findings:
            self.allowed.append(dict(finding=f, call_id=dialog.call if dialog else None))

    def label(self, files):
        spoken = {i for e in self.expected for i in e['call_ids']} | self.unlabelled
        healthy = []
        for d in self.dialogs:
            if d.call not in spoken and d.call not in [h['call_id'] for h in healthy]:
                healthy.append(dict(call_id=d.call, guards=None))
        return dict(name=self.name, files=files, expected=self.expected, healthy=healthy, allowed=self.allowed,
                    passwords=self.passwords, notes=self.notes, clean=not any(e['severity'] in ('fault', 'risk') for e in self.expected))


def nonce(world, server):
    r = world.r
    return {'chan_sip': '%08x' % r.getrandbits(32), 'pjsip': '%d/%032x' % (world.now, r.getrandbits(128)),
            'freeswitch': '%08x-%04x-%04x-%04x-%012x' % (r.getrandbits(32), r.getrandbits(16), r.getrandbits(16), r.getrandbits(16),
                                                        r.getrandbits(48))}.get(server.style.name, 'Z%039x' % r.getrandbits(156))


class Account:
    """A phone's registration with a server, perhaps through a proxy."""

    def __init__(self, world, phone, server, proxies=()):
        self.world, self.phone, self.server = world, phone, server
        self.dialog = Dialog(world, phone, server, proxies, number=phone.user)
        self.realm = server.realm or ('asterisk' if server.style.name in ('chan_sip', 'pjsip') else self.dialog.domain)
        self.nonce, self.count = None, 0
        self.uri = 'sip:' + self.dialog.domain
        self.expires = 3600

    def request(self, given=None, expires=None, stale_count=None, uri=None, contact=True, **options):
        phone = self.phone
        expires = self.expires if expires is None else expires
        suffix = phone.style.contact
        extra = [('Contact', '<%s>%s' % (phone.contact(), suffix % phone.instance if '%s' in suffix else suffix)), ('Expires', str(expires))]
        if given:
            self.count += 1
            extra.append(('Authorization', credentials(self.world.r, phone.user, phone.password, self.realm, given, 'REGISTER', self.uri,
                                                       qop=phone.qop, nc=stale_count or self.count, **options)))
        return dict(uri=self.uri, extra=extra, initial=True, contact=False)

    def challenge(self, fresh, stale=False, **more):
        return [('WWW-Authenticate', challenge(self.realm, fresh, self.phone.qop, stale, **more))]

    def send(self, at, **options):
        self.last = self.dialog.ask(at, self.phone, 'REGISTER', **self.request(**options))
        return self.last

    def granted(self, at, sent, expires=None, contact=None):
        expires = self.expires if expires is None else expires
        phone, server = self.phone, self.server
        uri = contact or 'sip:%s' % sent.message.get('Contact').split('sip:')[1].split('>')[0]
        server.bindings[phone.user] = (sent.seen if server.mends or self.dialog.proxies else phone.said, uri)
        extra = [('Contact', '<%s>;expires=%d' % (uri, expires))] if expires else []
        return self.dialog.answer(at, sent, 200, extra=extra)

    def register(self, at, cached=True, expires=None, stale=False):
        """REGISTER until it passes; returns when, or nothing where a message was lost."""
        if expires is not None:
            self.expires = expires
        given = self.nonce if cached else None
        sent = self.send(at, given=given)
        if not sent.arrived:
            return None
        if given and not stale:
            return self.granted(sent.at, sent)
        self.nonce, self.count = nonce(self.world, self.server), 0
        back = self.dialog.answer(sent.at, sent, 401, extra=self.challenge(self.nonce, stale=bool(given)))
        if back is None:
            return None
        sent = self.send(back, given=self.nonce)
        return self.granted(sent.at, sent) if sent.arrived else None


class Leg:
    """A call between two ends of a dialog, and the audio between them."""

    def __init__(self, world, dialog, codecs=None, ports=None):
        r = world.r
        self.world, self.dialog, self.net = world, dialog, world.net
        self.a, self.b = dialog.a, dialog.b
        self.codecs = codecs or r.choice([('PCMU', 'PCMA'), ('PCMA', 'PCMU'), ('G722', 'PCMA', 'PCMU'), ('PCMA',), ('opus', 'PCMU')])
        self.codec = self.codecs[0]
        self.ports = ports or {self.a: r.randrange(5000, 16000) * 2, self.b: r.randrange(5000, 16000) * 2}
        self.relay = None
        self.ids = {s: dict(ssrc=r.getrandbits(32)) for s in (self.a, self.b)}
        self.version = {s: r.randrange(10 ** 8) for s in (self.a, self.b)}
        self.more = {self.a: (), self.b: ()}
        self.auth = None

    def body(self, who, codecs=None, **options):
        self.version[who] += 1
        codecs = codecs or (self.codecs if who is self.a else (self.codec,))
        options.setdefault('extra', self.more[who])
        return who.speaks(options.pop('port', self.ports[who]), codecs, version=self.version[who], **options)

    def invite(self, at, offer=None, extra=(), trying=True, challenge_by=None, **options):
        """INVITE as far as the other end. `challenge_by`: 'server' asks for credentials first."""
        d, world = self.dialog, self.world
        body = self.body(self.a) if offer is None else offer
        sent = d.ask(at, self.a, 'INVITE', body, initial=True, extra=extra, stop=d.proxies[0] if challenge_by and d.proxies else None, **options)
        if not sent.hops[-1][2].host:
            self.sent = sent
            return sent
        if challenge_by:
            judge = sent.hops[0][1]
            fresh = nonce(world, judge)
            realm = 'asterisk' if judge.style.name in ('chan_sip', 'pjsip') else d.domain
            code, name = (407, 'Proxy-') if judge.proxy or judge.style.name in ('freeswitch', 'kamailio') else (401, '')
            sent.hops = sent.hops[:1]
            back = d.answer(sent.at, sent, code, extra=[('Proxy-Authenticate' if name else 'WWW-Authenticate',
                                                         challenge(realm, fresh, self.a.qop))], tag='ch%06x' % world.r.getrandbits(24))
            d.hop_ack(back, sent)
            uri = sent.first.start.split(' ')[1]
            self.auth = (name + 'Authorization', credentials(world.r, self.a.user, self.a.password, realm, fresh, 'INVITE', uri, qop=self.a.qop))
            sent = d.ask(back + .004, self.a, 'INVITE', body, initial=True, extra=list(extra) + [self.auth], **options)
        self.sent = sent
        if trying and sent.hops[0][2].host:
            d.trying(sent, 0)
            if sent.arrived and len(sent.hops) > 1 and world.r.random() < .7:
                d.trying(sent, len(sent.hops) - 1)
        return sent

    def ring(self, at, code=180, early=False, **options):
        return self.dialog.answer(at, self.sent, code, self.body(self.b) if early else '', **options)

    def pick(self, at, answer=None, ack=True, **options):
        """200 and ACK; returns when the caller knows."""
        self.answered = at
        back = self.dialog.answer(at, self.sent, 200, self.body(self.b) if answer is None else answer, **options)
        if back is not None and ack:
            self.dialog.ack(back, self.a)
        return back

    def fail(self, at, code, ack=True, **options):
        back = self.dialog.answer(at, self.sent, code, contact=False, **options)
        if back is not None and ack:
            self.dialog.hop_ack(back, self.sent)
        return back

    def bye(self, at, who=None, code=200, extra=()):
        who = who or self.world.r.choice([self.a, self.b])
        sent = self.dialog.ask(at, who, 'BYE', extra=extra)
        if sent.arrived:
            self.dialog.answer(sent.at, sent, code)
        return sent

    def again(self, at, who, direction=None, answer=None, method='INVITE', extra=(), body=None, answer_body=None, **options):
        """A re-INVITE or UPDATE with other descriptions."""
        d = self.dialog
        peer = d.other(who)
        body = self.body(who, direction=direction, codecs=(self.codec,), **options) if body is None else body
        sent = d.ask(at, who, method, body, extra=extra)
        if not sent.arrived:
            return None
        if answer_body is None:
            answer_body = self.body(peer, direction=answer, codecs=(self.codec,)) if body else ''
        back = d.answer(sent.at + .01, sent, 200, answer_body, extra=[e for e in extra if e[0] == 'Session-Expires'])
        if back and method == 'INVITE':
            d.ack(back, who)
        return back

    # Audio

    def at(self, who):
        return (who.host.address, self.ports[who])

    def send(self, at, length, who, to, codec=None, port=None, number=None, **options):
        """RTP of one end to an address; it may be one that nobody has."""
        codec = codec or self.codec
        kind, clock = CODECS[codec]
        ptime = options.pop('ptime', 20)
        size = SIZES[codec] * ptime // 20
        return self.net.stream(at, length, (who.host.address, port or self.ports[who]), to, kind if number is None else number, clock, ptime, size,
                               **dict(self.goes_on(who, at, length, clock, ptime), **options))

    def goes_on(self, who, at, length, clock, ptime, copy=False):
        """Numbers and times of a sender run on over its pauses; some programs start a new source instead."""
        r = self.world.r
        known = self.ids[who]
        if 'sequence' not in known or (not copy and known['clock'] != clock) or (not copy and known['until'] <= at and r.random() < .2):
            known = self.ids[who] = dict(ssrc=r.getrandbits(32), sequence=r.randrange(65536), stamp=r.getrandbits(31), since=at, clock=clock)
        numbers = dict(ssrc=known['ssrc'], sequence=known['sequence'] & 0xffff, stamp=int(known['stamp'] + (at - known['since']) * clock) & 0xffffffff)
        if copy:
            return known.get('last', numbers)
        known['sequence'] += int(length * 1000 / ptime)
        known['until'], known['last'] = at + length, numbers
        return numbers

    def talk(self, at, length, a=True, b=True, **both):
        """Both speak. Who mends sends to where it hears from; others to where they were told. `a`, `b`: options of that sender, or
        False. With a relay on the proxy, each speaks with that. Returns the ways."""
        first, second = self.a, self.b
        if self.relay:
            return self.through(at, length, a, b, **both)
        # The end behind a router speaks first, so that the other may learn.
        order = [(first, second, a, b), (second, first, b, a)]
        if second.host.site and not first.host.site:
            order.reverse()
        seen = {}
        for me, peer, mine, _ in order:
            if mine is False:
                continue
            more = dict(both, **(mine if isinstance(mine, dict) else {}))
            to = more.pop('to', None)
            if to is None:
                to = seen.get(peer) if me.mends and peer in seen else (peer.media, self.ports[peer])
            way = self.send(at, length, me, to, **more)
            if way.host:
                seen[me] = way.source
            at += .004
        return seen

    def through(self, at, length, a=True, b=True, **both):
        relay = self.relay
        for me, peer, mine in ((self.a, self.b, a), (self.b, self.a, b)):
            if mine is False:
                # Packets to open the router's mapping, as idle phones send at the begin.
                way = self.send(at, .06, me, (relay.host.address, self.dialog.relay[peer]))
            else:
                more = dict(both, **(mine if isinstance(mine, dict) else {}))
                way = self.send(at, length, me, (relay.host.address, self.dialog.relay[peer]), **more)
            self.seen = getattr(self, 'seen', {})
            self.seen[me] = way.source or way.steps[-1][2]
        for me, peer, mine in ((self.a, self.b, a), (self.b, self.a, b)):
            if mine is False:
                continue
            more = dict(both, **(mine if isinstance(mine, dict) else {}))
            kind, clock = CODECS[more.pop('codec', self.codec)]
            ptime = more.pop('ptime', 20)
            self.net.stream(at + .03, length, (relay.host.address, self.dialog.relay[me]), self.seen[peer], kind, clock, ptime,
                            SIZES[self.codec] * ptime // 20, **dict(self.goes_on(me, at, length, clock, ptime, True), **more))
        return self.seen
