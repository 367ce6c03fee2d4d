"""Days on which something is wrong, made wrong in the network or in a station's settings; the label says what an expert would find
from that place, and who has to act ('phone', 'router', 'server', 'network')."""
import re

from agents import Message, challenge, credentials
from calls import Leg, World, nonce
from daily import options
from settings import Setting
from stations import Dialog, Station

SCENES = []
NATTED = ('cloud', 'proxy')


def scene(finding, weight=1):
    def note(make):
        SCENES.append((finding, make.__name__.replace('_', '-'), make, weight))
        return make
    return note


def beside(s, at):
    """A healthy call of others in the same capture."""
    call = s.call(*s.w.r.sample(s.phones[-2:] + [s.trunk], 2))
    t = call.setup(at)
    if t:
        call.hang(call.talk(t + .02, 4))


# Credentials

@scene('auth.bad-digest', 2)
def wrong_password(w):
    s = Setting(w, kind=w.r.choice(['cloud', 'office', 'proxy', 'hosted', 'vpn', 'v6']))
    r, phone = w.r, s.phones[0]
    account = s.account(phone)
    if r.random() < .4:
        w.passwords[phone.user] = phone.password
    t = w.now
    loop = r.random() < .5
    for _ in range(r.randrange(1, 4)):
        fresh = nonce(w, s.pbx)
        sent = account.send(t)
        if not sent.arrived:
            break
        back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(fresh))
        for _ in range(2 if loop else 1):
            sent = account.send(back, given=fresh, spoil='password', stale_count=1)
            fresh = nonce(w, s.pbx)
            back = account.dialog.answer(sent.at, sent, 401 if loop else 403, extra=account.challenge(fresh) if loop else [])
        t += r.choice([20, 30, 60])
    w.expect('auth.bad-digest', account.dialog, culprit=('phone', 'server'))
    w.allow(account.dialog, 'auth.no-answer')
    beside(s, w.now + 3)
    return s


@scene('auth.no-answer')
def no_credentials(w):
    s = Setting(w, kind=w.r.choice(['cloud', 'office', 'hosted']))
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    for _ in range(w.r.randrange(2, 5)):
        sent = account.send(t)
        if not sent.arrived:
            break
        account.dialog.answer(sent.at, sent, 401, extra=account.challenge(nonce(w, s.pbx)))
        t += w.r.choice([30, 60])
    w.expect('auth.no-answer', account.dialog, culprit=('phone',))
    beside(s, t)
    return s


@scene('auth.stale-out-of-order')
def two_registers(w):
    """The phone fires twice and answers the first challenge; the server keeps one nonce (chan_sip)."""
    s = Setting(w, kind=w.r.choice(['cloud', 'office', 'hosted']), server='chan_sip')
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    one = account.send(t)
    two = account.send(t + .02)
    if not (one.arrived and two.arrived):
        return s
    first, second, third = (nonce(w, s.pbx) for _ in range(3))
    a = account.dialog.answer(one.at, one, 401, extra=account.challenge(first))
    b = account.dialog.answer(two.at, two, 401, extra=account.challenge(second))
    sent = account.send(b + .1, given=first)
    account.dialog.answer(sent.at, sent, 401, extra=account.challenge(third, stale=True))
    w.expect('auth.stale-out-of-order', account.dialog, culprit=('phone', 'server', 'router'))
    w.allow(account.dialog, 'auth.no-answer')
    beside(s, t + 20)
    return s


@scene('auth.stale-late')
def slow_answer(w):
    """Each answer comes after the nonce has expired: a phone or a line that is too slow for a short lifetime."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'proxy']))
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    given = None
    for i in range(w.r.randrange(3, 6)):
        sent = account.send(t, given=given, stale_count=1)
        if not sent.arrived:
            break
        fresh = nonce(w, s.pbx)
        back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(fresh, stale=given is not None))
        given = fresh
        t = back + w.r.uniform(6, 9)
    w.expect('auth.stale-late', account.dialog, instead=['auth.stale-out-of-order'])
    w.allow(account.dialog, 'auth.no-answer', 'auth.bad-digest')
    beside(s, t + 5)
    return s


# The way

@scene('sip.retransmit')
def dead_server(w):
    s = Setting(w, transport='udp', taps=['lan', 'phone', 'router-out', 'router-any', 'router-in'], kind=w.r.choice(['cloud', 'proxy']))
    phone = s.phones[0]
    s.center.off = True
    account = s.account(phone)
    for i in range(w.r.randrange(1, 3)):
        sent = account.send(w.now + 40 * i)
        account.dialog.again(w.now + 40 * i, sent)
    w.expect('sip.retransmit', account.dialog, instead=['sip.unreachable'])
    return s


@scene('sip.retransmit')
def dead_phone(w):
    """A phone that was switched off is still registered: the PBX calls into nothing, the caller hears 480 or 408."""
    s = Setting(w, transport='udp', taps=['pbx'])
    a, b = s.phones
    for p in s.phones:
        s.open(p, w.now)
    b.host.off = True
    call = s.call(a, b)
    if s.kind == 'proxy':
        leg = call.near
        sent = leg.invite(w.now + 1)
        d = leg.dialog
        d.again(sent.hops[-1][2].steps[0][1], sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
        whole, sent.hops = sent.hops, sent.hops[:1]
        d.hop_ack(d.answer(w.now + 32, sent, 408, contact=False), sent)
        w.expect('sip.retransmit', d, instead=['sip.unreachable', 'nat.mapping-expired'])
        return s
    call.near.invite(w.now + 1)
    sent = call.far.invite(w.now + 1.1)
    call.far.dialog.again(w.now + 1.1, sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
    call.near.fail(w.now + 33, w.r.choice([480, 408, 503]), extra=[('Reason', 'Q.850;cause=20')])
    w.expect('sip.retransmit', call.dialogs(), instead=['sip.unreachable', 'nat.mapping-expired'])
    w.allow(call.near.dialog, 'sip.refused', 'sip.retransmit')
    return s


@scene('nat.mapping-expired', 2)
def forgotten(w):
    """No keepalive; the router forgets; the call does not come in; the phone's next REGISTER has another port."""
    r = w.r
    s = Setting(w, kind=r.choice(NATTED), transport='udp', taps=['pbx', 'router-out', 'router-any', 'pair'], lifetime=r.choice([30, 60, 90]), keeps='once', private=True)
    phone = s.phones[0]
    account = s.account(phone)
    account.expires = r.choice([600, 1800, 3600])
    t = account.register(w.now)
    t += r.uniform(120, 300)
    if s.kind == 'proxy':
        call = s.call(s.phones[1], phone)
        leg = call.near
        sent = leg.invite(t)
        sent.hops[-1][2].host is None and leg.dialog.again(sent.hops[-1][2].steps[0][1], sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
        sent.hops = sent.hops[:1]
        d = leg.dialog
        back = d.answer(t + 32, sent, 408, contact=False)
        back and d.hop_ack(back, sent)
    else:
        call = s.call(s.trunk, phone)
        sent = call.near.invite(t)
        sent = call.far.invite(t + .1)
        d = call.far.dialog
        d.again(t + .1, sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
        call.near.fail(t + 32, 480)
    account.register(t + r.uniform(40, 90))
    w.expect('nat.mapping-expired', [account.dialog, d], culprit=('phone', 'router', 'server'))
    for x in call.dialogs() + [account.dialog]:
        w.allow(x, 'sip.retransmit', 'nat.register-longer-than-mapping', 'nat.mapping-expired', 'nat.port-jump')
    return s


@scene('nat.rport-missing')
def answered_elsewhere(w):
    """A server that answers to the port in Via, a router that gives other ports, a phone that does not ask for rport."""
    s = Setting(w, kind='cloud', transport='udp', mends=False, server='chan_sip', taps=['pbx', 'router-out', 'router-any', 'lan', 'phone'], keeps=False, private=True)
    phone = s.phones[0]
    phone.rport = False
    phone.style = __import__('stations').STYLES['polycom']
    phone.port = phone.local = 5060
    phone.said = (phone.host.address, 5060)
    account = s.account(phone)
    sent = account.send(w.now)
    d = account.dialog
    fresh = nonce(w, s.pbx)
    x, y, way, message = sent.hops[0]
    for gap in (0, .5, 1.5, 3.5, 7.5, 11.5, 15.5):
        if gap:
            way = x.emit(w.now + gap, s.pbx.address, message.octets(x.style))
        sent.hops = [(x, y, way, message)]
        d.answer(way.at + .001, sent, 401, extra=account.challenge(fresh))
    if w.tap in ('lan', 'phone'):
        w.expect('sip.retransmit', d, instead=['nat.rport-missing'])
    else:
        w.expect('nat.rport-missing', d, culprit=('server', 'phone'))
        w.allow(d, 'sip.retransmit', 'auth.no-answer')
    return s


@scene('sip.fragmented')
def fragments_dropped(w):
    s = Setting(w, kind=w.r.choice(['cloud', 'proxy', 'hosted']), transport='udp', taps=['phone', 'lan', 'router-out', 'router-in'])
    s.net.lost = lambda a, b, payload: len(payload) > 1472
    call = s.call(s.phones[0], s.trunk)
    leg = call.near
    long = ['a=candidate:%d 1 UDP %d %s %d typ host' % (i, 2 ** 30 + i, s.phones[0].media, 20000 + i) for i in range(14)]
    body = leg.body(leg.a, extra=long + ['a=crypto:%d AES_CM_128_HMAC_SHA1_80 inline:%s' % (i, 'WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz'[::-1]) for i in range(4)])
    at = w.now
    sent = leg.invite(at, offer=body)
    leg.dialog.again(at, sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5, 31.5))
    w.expect('sip.fragmented', leg.dialog)
    w.allow(leg.dialog, 'sip.retransmit')
    account = s.account(s.phones[1])
    account.register(at + 8)
    return s


@scene('tcp.refused')
def nothing_listens(w):
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'vpn']), transport='tcp', phones=1)
    s.center.closed.add(5060)
    phone = s.phones[0]
    for i in range(w.r.randrange(3, 7)):
        phone.local += 1
        phone.emit(w.now + i * 20, s.pbx.address, b'REGISTER sip:x SIP/2.0\r\n\r\n')
    w.expect('tcp.refused', None)
    return s


@scene('tcp.unanswered')
def filtered(w):
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'vpn']), transport='tcp', phones=1, taps=['phone', 'lan', 'router-out', 'router-in'])
    s.center.off = True
    phone = s.phones[0]
    for i in range(w.r.randrange(2, 4)):
        phone.local += 1
        phone.emit(w.now + i * 40, s.pbx.address, b'REGISTER sip:x SIP/2.0\r\n\r\n')
    w.expect('tcp.unanswered', None)
    return s


# Registrations and calls that are refused

@scene('sip.refused')
def registration_refused(w):
    s = Setting(w, phones=2)
    phone = s.phones[0]
    account = s.account(phone)
    code = w.r.choice([403, 404, 500, 503])
    t = w.now
    for _ in range(w.r.randrange(1, 3)):
        sent = account.send(t)
        if not sent.arrived:
            break
        account.dialog.answer(sent.at, sent, code)
        t += 30
    w.expect('sip.refused', account.dialog)
    s.account(s.phones[1]).register(t)
    return s


@scene('sip.refused', 2)
def trunk_fails(w):
    """The provider or the PBX says why; B2BUAs pass it on."""
    s = Setting(w)
    code = w.r.choice([500, 502, 503, 504, 503])
    call = s.call(s.phones[0], s.trunk)
    at = call.setup(w.now, answered=False, codes=())
    reason = {503: 'Q.850;cause=34;text="No circuit/channel available"', 502: 'Q.850;cause=38', 500: 'Q.850;cause=41', 504: 'Q.850;cause=102'}[code]
    call.fail(at + .3, code, other=w.r.choice([code, 503]), extra=[('Reason', reason)])
    w.expect('sip.refused', call.dialogs())
    for d in call.dialogs():
        w.allow(d, 'sip.refused')
    beside(s, at + 5)
    return s


@scene('sip.refused')
def told_as_note(w):
    """404, 403, 483, 408 to a call: nobody's fault to accuse, but the report says them."""
    s = Setting(w)
    code = w.r.choice([404, 403, 484, 410, 483])
    call = s.call(s.phones[0], s.trunk)
    at = call.setup(w.now, answered=False, codes=())
    call.fail(at + .3, code)
    w.expect('sip.refused', call.dialogs(), severity='note')
    return s


@scene('sdp.mismatch', 2)
def no_codec_in_common(w):
    s = Setting(w)
    call = s.call(s.phones[0], w.r.choice([s.trunk, s.phones[1]]), codecs=w.r.choice([('G729',), ('opus',), ('iLBC',)]))
    if w.r.random() < .4:
        for leg in call.legs:
            leg.codecs = leg.codecs
            original = leg.body
            leg.body = lambda who, original=original, **o: original(who, **dict(o, proto='RTP/SAVP', extra=[
                'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz']))
    at = call.setup(w.now, answered=False, codes=())
    call.fail(at + .2, 488, extra=[('Warning', '304 pbx.example.net "Media type not available"')] if w.r.random() < .3 else [])
    w.expect('sdp.mismatch', call.dialogs())
    for d in call.dialogs():
        w.allow(d, 'sdp.mismatch')
    return s


@scene('sip.no-ack', 2)
def unreachable_contact(w):
    """A PBX behind a router tells its private address in the 200's Contact: the ACK never comes, the call ends after 32 s."""
    s = Setting(w, kind='office', taps=['pbx', 'lan', 'router-any', 'router-out'])
    s.gate.said = s.gate.address
    s.trunk.mends = False
    call = s.call(s.trunk, s.phones[0])
    for leg in call.legs:
        leg.dialog.reach[s.gate] = (s.sites[0].outer, 5060) if s.gate in leg.dialog.reach else None
    way = s.net.route(w.now - 1, (s.center.address, 5060), s.trunk.address)
    near = call.near
    near.dialog.reach[s.gate] = way.steps[-1][2]
    t = call.setup(w.now, answered=False)
    up = call.far.pick(t)
    near.dialog.reach[s.gate] = near.dialog.reach[s.gate]
    body = near.body(near.b)
    near.answered = up
    gap, at = .5, up
    while at < up + 31:
        back = near.dialog.answer(at, near.sent, 200, body)
        if back:
            # To the Contact: a private address that the provider cannot reach.
            near.dialog.reach[s.gate] = s.gate.address
            near.dialog.ack(back, s.trunk)
        at += gap
        gap = min(4, gap * 2)
    call.talk(up + .1, 30)
    near.dialog.reach[s.gate] = s.gate.said
    near.bye(up + 32, s.gate)
    call.far.bye(up + 32.1, call.far.a)
    w.expect('sip.no-ack', near.dialog, instead=['sip.timer-drop', 'nat.private-contact'])
    w.allow(near.dialog, 'sip.timer-drop', 'nat.private-contact', 'sip.retransmit', 'nat.private-sdp', 'media.one-way')
    return s


@scene('sip.timer-drop')
def refresh_lost(w):
    """The session's refresh is refused or unanswered, and the call ends by the clock."""
    s = Setting(w, taps=['pbx'], transport='udp')
    expires = w.r.choice([180, 600, 1800])
    call = s.call(s.phones[0], s.trunk)
    t = call.setup(w.now, extra=[('Session-Expires', '%d;refresher=uas' % expires), ('Supported', 'timer')])
    leg = call.near
    d = leg.dialog
    at = t + expires / 2
    for x in call.legs[1:]:
        x.again(at, x.a, method='UPDATE', extra=[('Session-Expires', '%d;refresher=uac' % expires)])
    refused = w.r.random() < .5
    who = leg.b
    if not refused:
        s.phones[0].host.off = True
    sent = d.ask(at, who, 'UPDATE', leg.body(who), extra=[('Session-Expires', '%d;refresher=uac' % expires)])
    if refused and sent.arrived:
        d.answer(sent.at, sent, 481, contact=False)
        leg.bye(sent.at + .2, who)
        end = sent.at + .3
    else:
        s.phones[0].transport == 'udp' and d.again(at, sent, gaps=(.5, 1.5, 3.5, 7.5, 11.5, 15.5))
        end = at + expires / 2 - 10 if expires < 1000 else at + 32
        bye = d.ask(end, who, 'BYE')
        s.phones[0].transport == 'udp' and d.again(end, bye, gaps=(.5, 1.5, 3.5, 7.5))
    for x in call.legs[1:]:
        x.bye(end + .1, x.a)
    w.expect('sip.timer-drop', d, instead=['sip.retransmit', 'sip.refused'])
    w.allow(d, 'sip.retransmit', 'sip.refused', 'nat.private-contact')
    s.phones[0].host.off = False
    return s


# Audio

@scene('media.one-way', 2)
def told_a_private_address(w):
    """The server sends audio where the phone's description says: into nowhere."""
    s = Setting(w, kind='cloud', taps=['pbx', 'lan', 'phone', 'router-out', 'router-any'], private=True)
    call = s.call(s.phones[0], w.r.choice([None, s.trunk]))
    t = call.setup(w.now)
    length = w.r.uniform(6, 15)
    leg = call.near
    to = (leg.a.media, leg.ports[leg.a])
    leg.talk(t + .02, length, b=dict(to=to))
    if call.far is not leg:
        call.far.talk(t + .04, length)
    call.hang(t + length + .1)
    w.expect('media.one-way', leg.dialog, instead=['nat.private-sdp'], culprit=('server', 'phone', 'router', 'network'))
    w.allow(leg.dialog, 'nat.private-sdp', 'media.one-way', 'media.none')
    return s


@scene('media.one-way')
def firewall(w):
    """The phone's own router lets no audio in: seen from inside, or on both its sides."""
    s = Setting(w, kind=w.r.choice(NATTED), taps=['lan', 'phone', 'router-any', 'pair'], same=False,
                drops=lambda a, b, payload: a[1] >= 9000 and a[1] != 5060)
    call = s.call(s.phones[0], s.trunk)
    t = call.setup(w.now)
    t = call.talk(t + .02, w.r.uniform(6, 12))
    call.hang(t + .1)
    w.expect('media.one-way', call.near.dialog)
    w.allow(call.near.dialog, 'nat.private-sdp', 'media.none')
    return s


@scene('media.one-way')
def one_leg_silent(w):
    """One of two phones in a call through the PBX sends nothing at all: a broken headset port, a firewall of its own."""
    s = Setting(w, kind=w.r.choice(['hosted', 'office', 'vpn', 'v6']), taps=['pbx'])
    call = s.call(*s.phones)
    t = call.setup(w.now)
    length = w.r.uniform(8, 15)
    call.near.talk(t + .02, length, a=False)
    call.far.talk(t + .02, length, a=False)
    call.hang(t + length)
    w.expect('media.one-way', call.dialogs())
    for d in call.dialogs():
        w.allow(d, 'media.one-way')
    return s


@scene('media.none')
def no_relay(w):
    """The relay is down: both ends are told its address, no packet of this call is seen, while another call is heard."""
    s = Setting(w, kind=w.r.choice(['hosted', 'v6', 'office']), taps=['pbx'])
    beside(s, w.now)
    call = s.call(*s.phones)
    t = call.setup(w.now + 3)
    call.hang(t + w.r.uniform(7, 14))
    w.expect('media.none', call.dialogs())
    for d in call.dialogs():
        w.allow(d, 'media.none')
    return s


@scene('media.quality', 2)
def lossy(w):
    """A bad uplink: what the phone sends is heard with holes on the server's side."""
    r = w.r
    s = Setting(w, kind=r.choice(['cloud', 'hosted', 'v6', 'vpn']), taps=['pbx'])
    call = s.call(s.phones[0], s.trunk, codecs=r.choice([('PCMU',), ('PCMA',), ('G722', 'PCMA'), ('G729',)]))
    t = call.setup(w.now)
    length = r.uniform(7, 14)
    way = r.choice(['random', 'bursts', 'jitter'])
    share = r.uniform(.08, .25)
    lost = {k for k in range(900) if r.random() < share} if way == 'random' else {
        k + j for k in range(0, 900, 60) for j in range(int(60 * share)) if way == 'bursts'}
    bad = dict(loss=lambda k: k in lost) if way != 'jitter' else dict(jitter=r.uniform(.08, .15))
    call.near.talk(t + .02, length, a=bad)
    call.far.talk(t + .04, length)
    call.hang(t + length + .2)
    w.expect('media.quality', call.near.dialog)
    return s


@scene('alg.rewritten', 2)
def helper(w):
    """The router's SIP helper puts its public address in for the phone's; some forget parts."""
    r = w.r
    parts = r.choice([('via', 'contact', 'sdp'), ('contact', 'sdp'), ('sdp',), ('via', 'contact'), ('via', 'contact', 'sdp', 'call')])

    def rewrite(octets, way, upward):
        if b'SIP/2.0' not in octets[:400]:
            return octets
        outer = next(s for p, _, s, d, _ in way.steps if p[0] == 'out') if upward else next(d for p, _, s, d, _ in way.steps if p[0] == 'out')
        inner = way.steps[0][2] if upward else next((d for p, _, s, d, _ in way.steps if p[0] == 'in'), None)
        if inner is None:
            return octets
        old, new = (inner, outer) if upward else (outer, inner)
        head, _, body = octets.decode().partition('\r\n\r\n')
        lines = head.split('\r\n')
        at = re.compile(re.escape(old[0]) + r'(:%d)?(?![\d.])' % old[1])
        put = '%s:%d' % new
        for i, line in enumerate(lines):
            low = line.lower()
            if (low.startswith(('via', 'v:')) and 'via' in parts) or (low.startswith(('contact', 'm:')) and 'contact' in parts) or (
                    i == 0 and not upward and 'contact' in parts):
                name, received, rest = line.partition(';received')
                lines[i] = at.sub(put, name) + received + rest
            if low.startswith(('call-id', 'i:')) and 'call' in parts:
                lines[i] = line.replace(old[0], new[0])
        if 'sdp' in parts and body:
            body = re.sub(r'(?<=IP4 )' + re.escape(old[0]) + r'(?![\d.])', new[0], body)
        for i, line in enumerate(lines):
            if re.match(r'(?i)(content-length|l)\s*:', line):
                lines[i] = line.partition(':')[0] + ': %d' % len(body)
        return ('\r\n'.join(lines) + '\r\n\r\n' + body).encode()
    s = Setting(w, kind='cloud', transport='udp', taps=['pair', 'pair', 'router-any'], helper=rewrite, private=True)
    phone = s.phones[0]
    account = s.account(phone)
    t = account.register(w.now) or w.now
    call = s.call(phone, s.trunk)
    t = call.setup(t + 1) or t
    t = call.talk(t + .02, 4)
    call.hang(t + .1)
    told = [call.near.dialog] if parts == ('sdp',) else [account.dialog, call.near.dialog]
    w.expect('alg.rewritten', told, severity='risk', culprit=('router',))
    for d in w.dialogs:
        w.allow(d, 'alg.rewritten', 'alg.suspected')
        d.alias = d.call.replace(phone.host.address, s.sites[0].outer)
        w.allowed += [dict(finding=f, call_id=d.alias) for f in ('alg.rewritten', 'alg.suspected')]
    return s


@scene('nat.port-jump')
def new_port_each_time(w):
    """A router that gives the same socket another port again and again, within seconds."""
    r = w.r
    s = Setting(w, kind='cloud', transport='udp', taps=['pbx', 'router-out', 'router-any', 'pair'], keeps=False, private=True)
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    for i in range(4):
        sent = account.send(t, given=account.nonce)
        s.sites[0].mappings.pop((17, phone.host.address, phone.port), None) if not i else None
        if account.nonce is None:
            account.nonce = nonce(w, s.pbx)
            back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(account.nonce))
            if back is None:
                s.sites[0].mappings[17, phone.host.address, phone.port] = [sent.seen[1], t, {s.center.address}]
                back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(account.nonce))
        else:
            account.granted(sent.at, sent)
        s.sites[0].mappings.pop((17, phone.host.address, phone.port), None)
        t += .3 if i == 0 else r.uniform(4, 12)
    w.expect('nat.port-jump', account.dialog, culprit=('router',))
    return s


# Captures that cannot tell

@scene('capture.blind', 2)
def cut(w):
    """A snapshot length that cuts messages: nothing may be accused but the capture."""
    snap = w.r.choice([68, 96, 128, 200, 256, 300, 400])
    s = Setting(w, transport='udp')
    t = s.registered(w.now)
    call = s.call(*s.phones)
    t = call.setup(t + 1)
    if t:
        call.hang(call.talk(t + .02, 5))
    w.form = dict(snap=snap, form=w.r.choice(['pcap', 'pcapng', 'pcap-gz']))
    w.unlabelled.update(d.call for d in w.dialogs)
    w.expect('capture.blind', None, severity='either')
    return s


@scene('capture.blind')
def one_direction(w):
    """A tap that hears what one side says."""
    s = Setting(w, transport='udp', taps=['pbx', 'phone'])
    t = s.registered(w.now)
    call = s.call(*s.phones)
    t = call.setup(t + 1)
    if t:
        call.hang(call.talk(t + .02, 5))
    mine = s.center.address if w.tap == 'pbx' else s.phones[0].host.address
    import wire
    keep = wire.packed(mine)
    out = w.r.random() < .5
    at = (12, 16) if len(keep) == 4 else (8, 24)
    w.net.seen = [f for f in w.net.seen if f[3][at[0]:at[0] + len(keep)] == keep] if out else [
        f for f in w.net.seen if f[3][at[1]:at[1] + len(keep)] == keep]
    w.form = {}
    w.unlabelled.update(d.call for d in w.dialogs)
    w.expect('capture.blind', None, severity='either')
    return s
