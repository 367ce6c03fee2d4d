"""Where phones, PBXs, proxies and trunks stand, where the capture is taken, and the calls such a setting makes."""
import struct

import wire
from calls import Account, Leg, World
from stations import STYLES, Dialog, Station

PHONE_STYLES = ['yealink', 'snom', 'grandstream', 'cisco', 'polycom', 'linphone', 'baresip', 'compact']


class Impossible(Exception):
    """The scene did not come about in this setting: a router had forgotten a phone that should be called."""


def no():
    raise Impossible


class Setting:
    """`kind`: cloud (PBX on the internet, phones behind routers), office (PBX among the phones, a trunk outside), proxy (a proxy
    with a media relay), hosted (public addresses), vpn (two routed private nets), v6."""

    def __init__(self, w, kind=None, tap=None, taps=None, transport=None, phones=2, server=None, lifetime=None, keeps=None, router=None, mends=True,
                 private=None, same=None, helper=None, drops=None):
        r = w.r
        self.w, self.net = w, w.net
        self.kind = kind = kind or r.choice(['cloud', 'cloud', 'cloud', 'office', 'office', 'proxy', 'proxy', 'hosted', 'vpn', 'v6'])
        net = w.net
        self.transport = transport = transport or r.choice(['udp', 'udp', 'udp', 'tcp'])
        router = dict(lifetime=lifetime or r.choice([60, 120, 180, 300]), keeps=r.random() < .6 if keeps is None else keeps)
        self.sites = []
        self.relays = kind == 'proxy'
        name = server or r.choice(['chan_sip', 'pjsip', 'pjsip', 'freeswitch'] if kind != 'proxy' else ['kamailio'])
        self.stun = False
        if kind in ('cloud', 'proxy'):
            sites = [net.site('home', **router)]
            if not (r.random() < .5 if same is None else same):
                sites.append(net.site('branch', **router))
            self.sites = sites
            sites[0].helper, sites[0].drops = helper, drops
            hosts = [net.host(sites[i % len(sites)]) for i in range(phones)]
            center = net.host()
            # A phone that asks STUN, or is told its public address, writes that; most write where they are.
            self.stun = (not helper) and r.random() < .2 if private is None else not private
        elif kind == 'office':
            self.sites = [net.site('office', **router)]
            self.sites[0].helper, self.sites[0].drops = helper, drops
            hosts = [net.host(self.sites[0]) for _ in range(phones)]
            center = net.host(self.sites[0])
        elif kind == 'vpn':
            self.sites = [net.site('left', prefix='10.8.%d.' % r.randrange(99)), net.site('right', prefix='192.168.%d.' % r.randrange(3, 99))]
            for site in self.sites:
                del net.sites[site.outer]
                site.outer = None
            hosts = [net.host(self.sites[0]) for _ in range(phones)]
            center = net.host(self.sites[1])
        elif kind == 'v6':
            hosts = [net.host(address='2001:db8:%x::%x' % (r.randrange(1, 9999), 16 + i)) for i in range(phones)]
            center = net.host(address='2a01:4f8:%x::5' % r.randrange(1, 9999))
        else:
            hosts = [net.host() for _ in range(phones)]
            center = net.host()
        self.center = center
        self.pbx = Station(net, center, style=name, mends=mends, transport=transport, proxy=kind == 'proxy', user='asterisk')
        self.pbx.local = 5060
        self.domain = r.choice(['pbx.example.net', 'sip.example.org', center.address])
        self.pbx.domain = self.domain
        self.phones = []
        users = r.sample(range(100, 400), phones)
        for i, host in enumerate(hosts):
            port = r.choice([5060, 5060, 5060, 5062, 5160, 11678]) if i == 0 or host.site is not hosts[0].site else r.choice([5060, 5060, 5070])
            phone = Station(net, host, port, style=r.choice(PHONE_STYLES), user=str(users[i]), transport=transport, domain=self.domain)
            phone.rport = phone.rport or r.random() < .6
            if self.stun:
                self.discover(phone)
            self.phones.append(phone)
        # The trunk: a provider that the PBX calls through. From inside an office the PBX tells its public address.
        provider = net.host(address='2a02:26f7:9::1' if kind == 'v6' else None)
        self.trunk = Station(net, provider, style=r.choice(['kamailio', 'freeswitch']), user='provider', mends=True)
        self.trunk.domain = 'trunk.example.com'
        self.gate = self.pbx
        if kind != 'proxy':
            self.gate = Station(net, center, style=name, mends=True, user='asterisk')
            if kind == 'office':
                way = net.route(w.now - 40, (center.address, 5060), self.trunk.address)
                self.gate.said = way.steps[-1][2]
                self.gate.media = self.sites[0].outer
                self.sites[0].lifetime = max(self.sites[0].lifetime, 180)
        self.accounts = {}
        self.tap = self.place(tap, taps)

    def discover(self, phone):
        """A Binding request from the SIP port; the phone writes what it is told."""
        server = getattr(self, 'stunner', None)
        if server is None:
            server = self.stunner = self.net.host()
        if self.transport == 'udp':
            source, server = (phone.host.address, phone.port), (server.address, 3478)
            at = self.w.now - 20
            ident = self.w.r.randbytes(12)
            way = self.net.udp(at, source, server, struct.pack('!HHI', 1, 0, 0x2112a442) + ident)
            number = struct.unpack('!I', wire.packed(way.source[0]))[0] ^ 0x2112a442
            self.net.udp(way.at + .001, server, way.source, struct.pack('!HHI', 0x0101, 12, 0x2112a442) + ident + struct.pack(
                '!HHBBHI', 0x20, 8, 0, 1, way.source[1] ^ 0x2112, number))
            phone.said = way.source
        else:
            phone.said = (phone.host.site.outer, phone.port)
        phone.media = phone.said[0]

    def place(self, tap, taps):
        """Chooses where the capture is taken."""
        net, center = self.net, self.center.address
        first = self.phones[0].host
        site = first.site
        known = {'pbx': [('pbx', ('host', center))], 'phone': [('phone', ('host', first.address))]}
        if site:
            known['lan'] = [('lan', ('lan', site.name))]
            known['router-in'] = [('router-in', ('in', site.name))]
            known['router-out'] = [('router-out', ('out', site.name))]
            known['router-any'] = [('router-any', ('in', site.name), ('out', site.name))]
            known['pair'] = [('inside', ('in', site.name)), ('outside', ('out', site.name))]
        if taps is None:
            taps = [t for t in known if not (self.kind == 'office' and t in ('router-in', 'router-out', 'pair')) and not (
                self.kind == 'vpn' and t == 'pair')]
        tap = tap or self.w.r.choice([t for t in taps if t in known])
        for name, *places in known[tap]:
            net.watch(name, *places)
        self.w.taps = [name for name, *_ in known[tap]]
        self.w.tap = tap
        return tap

    # What goes on

    def account(self, phone, **more):
        if phone not in self.accounts:
            self.accounts[phone] = Account(self.w, phone, self.pbx, **more)
        return self.accounts[phone]

    def registered(self, at, phones=None):
        """Everyone registers; returns when that is done."""
        for phone in phones or self.phones:
            at = (self.account(phone).register(at) or at) + self.w.r.uniform(.05, .5)
        return at

    def open(self, phone, at):
        """A binding made before the capture began, as most are."""
        source = (phone.host.address, phone.local)
        way = self.net.prepare(at, source, self.pbx.address) if phone.transport == 'tcp' else self.net.route(at, source, self.pbx.address)
        self.pbx.bindings[phone.user] = (way.source if self.pbx.mends else phone.said, phone.contact())

    def call(self, caller, callee, **more):
        """From a phone or the trunk to a phone, the trunk, or what the PBX itself answers (None)."""
        return Talk(self, caller, callee, **more)


class Talk:
    """One conversation: one leg through a proxy or to the PBX, or two through a PBX that is both ends (B2BUA)."""

    def __init__(self, s, caller, callee, number=None, codecs=None, same_call=False, direct=False):
        self.s, self.w, self.caller, self.callee = s, s.w, caller, callee
        w, r = s.w, s.w.r
        codecs = codecs or r.choice([('PCMU', 'PCMA'), ('PCMA', 'PCMU'), ('G722', 'PCMA', 'PCMU'), ('PCMA',), ('opus', 'PCMU')])
        pbx = s.pbx
        number = number or (callee.user if callee in s.phones else str(r.randrange(10 ** 6, 10 ** 10)))
        for phone in (caller, callee):
            if phone in s.phones and phone.user not in pbx.bindings:
                s.open(phone, w.now - 5)
        if s.kind == 'proxy':
            end = callee or s.trunk
            d = Dialog(w, caller, end, [pbx], number=number, to=pbx.bindings[callee.user][0] if callee in s.phones else None)
            if callee in s.phones:
                d.reach[callee] = pbx.bindings[callee.user][0]
            if caller in s.phones:
                d.reach[caller] = pbx.bindings[caller.user][0]
            leg = Leg(w, d, codecs)
            if s.relays:
                leg.relay = pbx
                base = r.randrange(15000, 20000) * 2
                d.relay = {d.a: base, d.b: base + 2}
            self.legs = [leg]
        else:
            near = s.gate if caller is s.trunk else pbx
            d = Dialog(w, caller, near, number=number)
            if caller in s.phones:
                d.reach[caller] = pbx.bindings[caller.user][0]
            if caller is s.trunk:
                self.through_router(d, near)
            self.legs = [Leg(w, d, codecs)]
            if callee is not None:
                self.legs.append(self.second(callee, codecs, number, d.call if same_call else None))
        self.near, self.far = self.legs[0], self.legs[-1]

    def second(self, callee, codecs, number, call=None):
        """The PBX's own call to the other side."""
        s, w = self.s, self.w
        out = s.gate if callee is s.trunk else s.pbx
        d = Dialog(w, out, callee, number=number, caller=self.caller.user, call=call)
        if callee in s.phones:
            d.reach[callee], uri = s.pbx.bindings[callee.user]
            d.targets[callee] = 'sip:%s@%s:%d' % ((callee.user,) + d.reach[callee]) if s.pbx.style.name == 'pjsip' else uri
        if callee is s.trunk:
            self.through_router(d, out)
        return Leg(w, d, codecs)

    def through_router(self, d, gate):
        """A PBX inside an office is reached at the router's outside, where its own registration keeps a mapping."""
        if self.s.kind == 'office':
            self.s.net.route(self.w.now - 1, (gate.host.address, 5060), self.s.trunk.address)
            d.reach[gate] = gate.said

    # Stories

    def setup(self, at, ring=None, early=False, auth=None, codes=(180,), extra=(), answered=True):
        r = self.w.r
        ring = r.uniform(1, 6) if ring is None else ring
        near, far = self.near, self.far
        if auth is None:
            auth = self.caller in self.s.phones and r.random() < .6
        sent = near.invite(at, challenge_by=auth or None, extra=extra)
        if not sent.arrived:
            raise Impossible
        at = sent.at + .01
        if far is not near:
            sent = far.invite(at, extra=extra)
            if not sent.arrived:
                raise Impossible
            at = sent.at + .1
        for code in codes:
            at = (far.ring(at, code, early=early and code == 183) or at) + .003
            if far is not near:
                near.ring(at, code, early=early and code == 183)
            at += .08
        self.rung = at
        if not answered:
            return at
        if early:
            self.talk(at, ring, a=False)
        at += ring
        return self.pick(at)

    def pick(self, at):
        near, far = self.near, self.far
        if far is not near:
            at = (far.pick(at) or at) + .004
        self.up = near.pick(at)
        if self.up is None:
            raise Impossible
        return self.up

    def talk(self, at, length, a=True, b=True, **both):
        """Returns when it ends."""
        if self.far is self.near:
            self.near.talk(at, length, a, b, **both)
        else:
            self.near.talk(at, length, a, b, **both)
            self.far.talk(at + .012, length, a, b, **both)
        return at + length

    def hang(self, at, who=None):
        """`who`: 'a' or 'b'."""
        who = who or self.w.r.choice('ab')
        near, far = self.near, self.far
        if far is near:
            near.bye(at, near.a if who == 'a' else near.b)
            return at + .1
        first, second = (near, far) if who == 'a' else (far, near)
        first.bye(at, first.a if who == 'a' else first.b)
        second.bye(at + .03, second.a if who == 'a' else second.b)
        return at + .2

    def fail(self, at, code, other=None, **options):
        """The far end refuses; the PBX passes that on, perhaps as another code."""
        near, far = self.near, self.far
        at = (far.fail(at, code, **options) or at) + .005
        if far is not near:
            near.fail(at, other or code, **options)
        return at

    def dialogs(self):
        return [leg.dialog for leg in self.legs]
