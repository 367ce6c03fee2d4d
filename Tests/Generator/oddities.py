"""More days of health: what stacks do that looks wrong to whoever has not seen it before."""
import struct

from agents import Message, challenge, credentials
from calls import Account, Leg, World, nonce
from daily import idle, options
from settings import Setting, no
from stations import STYLES, Dialog, Station

SCENES = []


def scene(make):
    SCENES.append(('odd', make.__name__.replace('_', '-'), make, 1))
    return make


def rtcp(s, leg, at, length, who, to=None):
    """Sender reports every five seconds or so (RFC 3550 6.4.1)."""
    r = s.w.r
    me, peer = (who.host.address, leg.ports[who] + 1), leg.dialog.other(who)
    to = to or (peer.media, leg.ports[peer] + 1)
    while length > 0:
        wait = r.uniform(2.5, 5)
        at, length = at + wait, length - wait
        packet = struct.pack('!BBHIIIIII', 0x81, 200, 12, leg.ids[who]['ssrc'], 0x83aa7e80, 0, 160000, 1000, 160000) + struct.pack(
            '!IIIIII', leg.ids[peer]['ssrc'], 0, 5000, 20, 0, 0) + struct.pack('!BBHI', 0x81, 202, 3, leg.ids[who]['ssrc']) + b'\x01\x04a@bc\0\0'
        s.net.udp(at, me, to, packet)


@scene
def late_offer(w):
    """INVITE without a body, the offer in the 200, the answer in the ACK (RFC 3261 13.2.1): every CUCM."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2))
    t = w.now
    for leg in call.legs:
        leg.invite(t, offer='')
        if not leg.sent.arrived:
            no()
        leg.ring(leg.sent.at + .1)
        t = leg.sent.at + .02
    t += 2
    for leg in reversed(call.legs):
        back = leg.dialog.answer(t, leg.sent, 200, leg.body(leg.b, codecs=leg.codecs))
        ack = leg.dialog.build(leg.a, 'ACK', leg.body(leg.a, codecs=(leg.codec,)), cseq=leg.dialog.cseq[leg.a])
        leg.dialog.ask(back, leg.a, 'ACK', message=ack)
        t = back + .01
    call.hang(call.talk(t + .1, 5))
    return s


@scene
def reliable_provisionals(w):
    """183 with PRACK, then UPDATE (RFC 3262, RFC 3311), as IMS has them."""
    s = Setting(w, kind=w.r.choice(['hosted', 'v6', 'vpn', 'cloud']))
    call = s.call(s.phones[0], None)
    leg = call.near
    sent = leg.invite(w.now, extra=[('Supported', '100rel')])
    t = sent.at + .1
    back = leg.dialog.answer(t, sent, 183, leg.body(leg.b), extra=[('RSeq', '1'), ('Require', '100rel')])
    keep = leg.dialog.cseq[leg.a]
    prack = leg.dialog.ask(back, leg.a, 'PRACK', extra=[('RAck', '1 %d INVITE' % keep)])
    leg.dialog.answer(prack.at, prack, 200)
    if w.r.random() < .5:
        leg.again(prack.at + .1, leg.a, method='UPDATE')
    t = prack.at + .4
    leg.ring(t)
    t = leg.dialog.answer(t + 2, sent, 200, leg.body(leg.b))
    leg.dialog.ask(t, leg.a, 'ACK', cseq=keep)
    call.hang(call.talk(t + .02, 5))
    return s


@scene
def redirected(w):
    """302 to another number, which the caller then calls."""
    s = Setting(w, phones=3)
    a, b, c = s.phones
    call = s.call(a, b)
    at = call.setup(w.now, answered=False, codes=())
    call.fail(at, 302, extra=[('Contact', '<sip:%s@%s>' % (c.user, s.domain))])
    call = s.call(a, c)
    t = call.setup(at + .5)
    call.hang(call.talk(t + .02, 4))
    return s


@scene
def challenged_inside(w):
    """A server that challenges re-INVITE and BYE too."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'office']))
    call = s.call(s.phones[0], None)
    t = call.setup(w.now, auth=True)
    t = call.talk(t + .02, 4)
    leg = call.near
    for method in w.r.choice([('BYE',), ('INVITE', 'BYE')]):
        d = leg.dialog
        body = leg.body(leg.a, codecs=(leg.codec,)) if method == 'INVITE' else ''
        sent = d.ask(t, leg.a, method, body)
        fresh = nonce(w, s.pbx)
        realm = 'asterisk'
        back = d.answer(sent.at, sent, 401, extra=[('WWW-Authenticate', challenge(realm, fresh, None))], contact=False)
        if method == 'INVITE':
            d.hop_ack(back, sent)
        uri = sent.first.start.split(' ')[1]
        sent = d.ask(back + .005, leg.a, method, body, extra=[('Authorization', credentials(w.r, leg.a.user, leg.a.password, realm, fresh, method, uri))])
        back = d.answer(sent.at, sent, 200, leg.body(leg.b) if body else '')
        if method == 'INVITE':
            d.ack(back, leg.a)
            t = call.talk(back + .05, 3)
    return s


@scene
def crossing_byes(w):
    """Both hang up at once: each BYE is answered, one maybe with 481."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones, 2))
    t = call.setup(w.now)
    t = call.talk(t + .02, 5)
    for leg in call.legs:
        one = leg.dialog.ask(t, leg.a, 'BYE')
        two = leg.dialog.ask(t + .001, leg.b, 'BYE')
        one.arrived and leg.dialog.answer(one.at, one, w.r.choice([200, 481]))
        two.arrived and leg.dialog.answer(two.at, two, 200)
    return s


@scene
def media_beyond_the_call(w):
    """Audio before the 200 reaches the caller, and for a moment after the BYE."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2))
    t = call.setup(w.now, ring=1)
    call.talk(t - .15, 6)
    call.hang(t + 5 - w.r.uniform(0, 1))
    return s


@scene
def reports(w):
    """RTCP beside the audio, its own port or with it (RFC 5761); telephone events (RFC 4733)."""
    s = Setting(w, kind=w.r.choice(['hosted', 'office', 'vpn', 'v6']))
    call = s.call(*s.phones)
    t = call.setup(w.now)
    call.talk(t + .02, 14)
    for leg in call.legs:
        for who in (leg.a, leg.b):
            rtcp(s, leg, t + .1, 13, who)
            event = w.r.randrange(12)
            stamp = w.r.getrandbits(31)
            if w.r.random() < .4:
                for i in range(8):
                    body = struct.pack('!BBHII', 0x80, (0x80 if i == 0 else 0) | 101, 60000 + i, stamp, leg.ids[who]['ssrc'] ^ 1) + struct.pack(
                        '!BBH', event, (0x80 if i > 4 else 0) | 10, 160 * min(i + 1, 6))
                    peer = leg.dialog.other(who)
                    s.net.udp(t + 6 + i * .02, (who.host.address, leg.ports[who]), (peer.media, leg.ports[peer]), body)
    call.hang(t + 14.3)
    return s


@scene
def fallback_server(w):
    """The first server is down for service; the phone goes to the second, and that works."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted']), transport='udp', taps=['phone', 'lan', 'router-out'])
    phone = s.phones[0]
    gone = Station(s.net, s.net.host(), style=s.pbx.style.name, mends=True)
    gone.domain = s.domain
    gone.host.off = True
    keep, s.pbx = s.pbx, gone
    account = Account(w, phone, gone)
    sent = account.send(w.now)
    account.dialog.again(w.now, sent, gaps=(.5, 1.5, 3.5, 7.5))
    w.allow(account.dialog, 'sip.retransmit')
    w.unlabelled.add(account.dialog.call)
    s.pbx = keep
    t = s.account(phone).register(w.now + 10)
    call = s.call(phone, None)
    t = call.setup(t + 2)
    call.hang(call.talk(t + .02, 4))
    return s


@scene
def reconnecting(w):
    """TCP: a new connection for each registration, or after the old one was closed for idleness."""
    s = Setting(w, transport='tcp', phones=w.r.choice([1, 2]), kind=w.r.choice(['cloud', 'hosted', 'vpn', 'v6']))
    for phone in s.phones:
        t = w.now + w.r.random()
        account = s.account(phone)
        account.expires = w.r.choice([120, 600])
        for _ in range(w.r.randrange(2, 5)):
            t = account.register(t, cached=w.r.random() < .5)
            s.net.close(t + w.r.uniform(.5, 3), (phone.host.address, phone.local), s.pbx.address)
            phone.local = phone.local + w.r.randrange(1, 50)
            t += w.r.uniform(30, 90)
    return s


@scene
def sends_from_elsewhere(w):
    """A phone on a public address or a plain LAN that sends from a random port and listens on 5060 (old Cisco)."""
    s = Setting(w, kind=w.r.choice(['hosted', 'vpn', 'office', 'v6']), transport='udp', mends=False, server='chan_sip')
    phone = s.phones[0]
    phone.style, phone.rport = STYLES['cisco'], False
    phone.port = 5060
    phone.said = (phone.host.address, 5060)
    phone.local = w.r.randrange(49152, 65000)
    account = s.account(phone)
    t = account.register(w.now)
    options(s, phone, t + 20)
    account.register(t + 50)
    return s


@scene
def fax(w):
    """T.38 taken over by re-INVITE, UDPTL instead of RTP, then BYE."""
    s = Setting(w, kind=w.r.choice(['hosted', 'cloud', 'office', 'vpn']))
    call = s.call(s.trunk, s.phones[0], codecs=('PCMA', 'PCMU'))
    t = call.setup(w.now)
    t = call.talk(t + .02, 6)
    for leg in call.legs:
        image = [who.speaks(leg.ports[who], ('PCMA',), dtmf=None).replace('m=audio', 'm=image').replace('RTP/AVP 8', 'udptl t38').replace(
            'a=rtpmap:8 PCMA/8000\r\n', '') + 'a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\n' for who in (leg.b, leg.a)]
        leg.again(t, leg.b, body=image[0], answer_body=image[1])
        for i in range(200):
            for x, y in ((leg.a, leg.b),):
                s.net.udp(t + .5 + i * .03, (x.host.address, leg.ports[x]), (y.media, leg.ports[y]), struct.pack('!HBB', i, 6, 0xc0) + w.r.randbytes(40))
    call.hang(t + 9)
    return s


@scene
def two_at_once(w):
    """Call waiting: the same two stations have a second call while the first is on hold."""
    s = Setting(w, phones=3)
    a, b, c = s.phones
    first = s.call(a, b)
    t = first.setup(w.now)
    t = first.talk(t + .02, 4)
    second = s.call(c, a)
    u = second.setup(t - 2, ring=1.5, answered=True)
    first.near.again(u - .3, a, 'sendonly', 'recvonly')
    u = second.talk(u + .02, 5)
    second.hang(u)
    first.near.again(u + .5, a, 'sendrecv', 'sendrecv')
    u = first.talk(u + .7, 3)
    first.hang(u + .1)
    return s


@scene
def mid_call(w):
    """The capture begins when the call is up, or ends before it does."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2))
    t = call.setup(w.now)
    call.talk(t + .02, 12)
    if w.r.random() < .5:
        leg = call.legs[0]
        leg.again(t + 8, leg.a)
    call.hang(t + 12.1)
    cut = t + w.r.uniform(3, 6)
    ends = w.r.random() < .5
    s.net.seen = [f for f in s.net.seen if (f[0] < cut if ends else f[0] > cut)]
    return s


@scene
def doubled(w):
    """A mirror port that copies both directions: every frame twice, microseconds apart."""
    s = Setting(w)
    t = s.registered(w.now)
    call = s.call(*w.r.sample(s.phones, 2))
    t = call.setup(t + 1)
    call.hang(call.talk(t + .02, 4))
    gap = w.r.choice([.000002, .00003, .0004])
    s.net.seen += [(at + gap, tap, place, packet) for at, tap, place, packet in s.net.seen]
    return s


@scene
def border_controller(w):
    """An SBC that keeps the Call-ID on both legs, with other tags, Vias and audio addresses of its own."""
    s = Setting(w, kind=w.r.choice(['hosted', 'cloud', 'v6']), taps=['pbx'])
    for _ in range(w.r.randrange(1, 3)):
        call = s.call(*w.r.sample(s.phones + [s.trunk], 2), same_call=True)
        t = call.setup(w.now)
        call.hang(call.talk(t + .02, 5))
        w.now = t + 8
    return s


@scene
def lost_and_mended(w):
    """One message of a call is lost on the way and repeated half a second later; a few audio packets are missing."""
    s = Setting(w, transport='udp', kind=w.r.choice(['cloud', 'hosted', 'proxy', 'v6']))
    a = s.phones[0]
    account = s.account(a)
    state = dict(left=1)

    def once(source, destination, payload):
        if state['left'] and payload[:8] == b'REGISTER':
            state['left'] = 0
            return True
        return False
    s.net.lost = once
    sent = account.send(w.now)
    x, y, way, message = sent.hops[-1]
    s.net.lost = None
    fresh = nonce(w, s.pbx)
    account.nonce = fresh
    way = x.emit(w.now + .5, y.address, message.octets(x.style))
    sent.hops[-1] = (x, y, way, message)
    if s.kind == 'proxy':
        return plain(s, w)
    back = account.dialog.answer(way.at + .001, sent, 401, extra=account.challenge(fresh))
    sent = account.send(back, given=fresh)
    account.granted(sent.at, sent)
    return plain(s, w)


def plain(s, w):
    call = s.call(s.phones[0], s.trunk, codecs=('PCMA', 'PCMU'))
    t = call.setup(w.now + 5)
    lost = {w.r.randrange(50, 400) for _ in range(2)}
    call.hang(call.talk(t + .02, 9, a=dict(loss=lambda k: k in lost)))
    return s


@scene
def ice(w):
    """ICE (RFC 8445): private host and public reflexive candidates, connectivity checks, audio by the reflexive path."""
    s = Setting(w, kind='cloud', private=True, taps=['pbx', 'router-out', 'phone', 'lan'])
    call = s.call(s.phones[0], None)
    leg = call.near
    phone = leg.a
    way = s.net.route(w.now, (phone.host.address, leg.ports[phone]), (s.center.address, leg.ports[leg.b]))
    mapped = way.source
    leg.more[phone] = ['a=ice-ufrag:%04x' % w.r.getrandbits(16), 'a=ice-pwd:%024x' % w.r.getrandbits(96),
                       'a=candidate:1 1 UDP 2130706431 %s %d typ host' % (phone.host.address, leg.ports[phone]),
                       'a=candidate:2 1 UDP 1694498815 %s %d typ srflx raddr %s rport %d' % (*mapped, phone.host.address, leg.ports[phone])]
    leg.more[leg.b] = ['a=ice-ufrag:%04x' % w.r.getrandbits(16), 'a=ice-pwd:%024x' % w.r.getrandbits(96), 'a=ice-lite',
                       'a=candidate:1 1 UDP 2130706431 %s %d typ host' % (s.center.address, leg.ports[leg.b])]
    t = call.setup(w.now)
    ident = w.r.randbytes(12)
    check = struct.pack('!HHI', 1, 12, 0x2112a442) + ident + struct.pack('!HH', 6, 7) + b'abcd:ef\0'
    way = s.net.udp(t + .02, (phone.host.address, leg.ports[phone]), (s.center.address, leg.ports[leg.b]), check)
    s.net.udp(way.at + .001, way.destination, way.source, struct.pack('!HHI', 0x0101, 0, 0x2112a442) + ident)
    call.hang(call.talk(t + .1, 6))
    return s


@scene
def unregistering(w):
    """Contact: * and Expires: 0, a fresh REGISTER after it; a phone with two lines."""
    s = Setting(w, phones=2, lifetime=180)
    phone = s.phones[0]
    account = s.account(phone)
    t = account.register(w.now)
    t = account.register(t + 5, expires=0)
    t = account.register(t + 2, expires=3600, cached=False)
    other = Station(s.net, phone.host, phone.port, style=phone.style, user='%s1' % phone.user, transport=phone.transport, said=phone.said, domain=s.domain)
    other.local, other.rport, other.media = phone.local, phone.rport, phone.media
    s.account(other).register(t + .3)
    return s


@scene
def dead_ends(w):
    """A trunk that is pinged with OPTIONS and says 404 or 405; a subscription whose NOTIFY finds nobody; MESSAGE to an absent user."""
    s = Setting(w)
    phone = s.phones[0]
    s.open(phone, w.now)
    t = w.now
    for _ in range(4):
        if s.kind != 'proxy':
            d = Dialog(w, s.gate, s.trunk, number='ping', caller='asterisk')
            if s.kind == 'office':
                s.net.route(t - 1, (s.center.address, 5060), s.trunk.address)
            sent = d.ask(t, s.gate, 'OPTIONS', initial=True)
            sent.arrived and d.answer(sent.at, sent, w.r.choice([404, 405, 200, 403]))
        options(s, phone, t + 3, code=w.r.choice([200, 404, 405, 501]))
        t += 30
    d = Dialog(w, phone, s.pbx, number='999')
    sent = d.ask(t, phone, 'MESSAGE', 'hello', extra=[('Content-Type', 'text/plain')], initial=True)
    if sent.arrived and not s.pbx.proxy:
        d.answer(sent.at, sent, w.r.choice([404, 480, 202, 415]))
    return s
