"""More troubles, each reported by people with Asterisk, FreeSWITCH, Kamailio or their phones: what a network or a setting does to calls."""
import struct

import wire
from agents import Message, challenge, credentials
from calls import nonce
from daily import options
from settings import Setting
from stations import STYLES, Dialog, Station
from troubles import beside

SCENES = []


def scene(finding):
    def note(make):
        SCENES.append((finding, make.__name__.replace('_', '-'), make, 1))
        return make
    return note


@scene('media.one-way')
def stops_midway(w):
    """The caller's audio ends in the middle of the call, the other side goes on: a cable, a radio cell, a crashed sender."""
    s = Setting(w, kind=w.r.choice(['hosted', 'cloud', 'v6', 'vpn']), taps=['pbx', 'router-out', 'lan'])
    call = s.call(s.phones[0], None)
    t = call.setup(w.now)
    length = w.r.uniform(14, 25)
    early = w.r.uniform(3, 6)
    call.near.talk(t + .02, length, a=dict(talks=lambda k: k < early * 50) if w.tap != 'pbx' else dict(loss=lambda k: k > early * 50))
    call.hang(t + length + .1)
    if w.tap == 'pbx':
        w.expect('media.one-way', call.near.dialog)
    else:     # the phone itself says nothing more: silence suppression cannot be told from it
        w.unlabelled.add(call.near.dialog.call)
        w.allow(call.near.dialog, 'media.one-way')
    return s


@scene('media.none')
def refused_by_icmp(w):
    """Nobody listens where the description says: port unreachable for each packet."""
    s = Setting(w, kind=w.r.choice(['hosted', 'office', 'vpn']), taps=['pbx', 'phone'])
    call = s.call(s.phones[0], None)
    t = call.setup(w.now)
    leg = call.near
    length = w.r.uniform(6, 10)
    leg.talk(t + .02, length, a=False)
    for i in range(int(length)):
        way = s.net.udp(t + .1 + i, (s.center.address, leg.ports[leg.b]), (leg.a.media, leg.ports[leg.a]), b'\x80\0' + bytes(170))
        if way.host:
            s.net.refuse(way.at, way)
    call.hang(t + length + .1)
    w.expect('media.none', leg.dialog, instead=['media.one-way'], culprit=('phone', 'network'))
    return s


@scene('media.one-way')
def late_audio(w):
    """The far end's audio comes eight seconds after the answer: nobody heard the first words."""
    s = Setting(w, kind=w.r.choice(['hosted', 'vpn', 'cloud']), taps=['pbx', 'phone'])
    call = s.call(s.phones[0], None)
    t = call.setup(w.now)
    late = w.r.uniform(6, 10)
    call.near.talk(t + .02, late + 6, b=dict(talks=lambda k: k > late * 50))
    call.hang(t + late + 6.2)
    w.expect('media.one-way', call.near.dialog, instead=['media.quality', 'media.late'])
    return s


@scene('codec.not-negotiated')
def another_codec(w):
    """The gateway sends a codec that was not agreed on."""
    s = Setting(w, kind=w.r.choice(['hosted', 'vpn', 'cloud']))
    call = s.call(s.phones[0], None, codecs=('PCMU', 'PCMA'))
    t = call.setup(w.now)
    call.near.talk(t + .02, 8, b=dict(codec='G729'))
    call.hang(t + 8.2)
    w.expect('codec.not-negotiated', call.near.dialog)
    w.allow(call.near.dialog, 'media.wrong-source')
    return s


@scene('nat.private-contact')
def bye_into_the_private(w):
    """Hanging up from the server's side reaches nobody: it sends to the private Contact; the phone goes on alone."""
    s = Setting(w, kind='cloud', transport='udp', taps=['pbx'], private=True)
    call = s.call(s.phones[0], None)
    t = call.setup(w.now)
    t = call.talk(t + .02, 5)
    leg = call.near
    d = leg.dialog
    d.reach[leg.a] = leg.a.said
    d.targets[leg.a] = leg.a.contact()
    sent = d.ask(t, leg.b, 'BYE')
    d.again(t, sent, gaps=(.5, 1.5, 3.5, 7.5, 11.5))
    w.expect('nat.private-contact', d, culprit=('server',))
    w.allow(d, 'sip.retransmit', 'sip.timer-drop')
    s.account(s.phones[1]).register(t + 30)
    return s


@scene('nat.private-contact')
def no_nat_support(w):
    """A registrar that stores the private Contact: the call to the phone goes to 192.168.x.y, the caller gets 477 or 408."""
    s = Setting(w, kind='cloud', transport='udp', taps=['pbx'], private=True, same=False)
    a, b = s.phones
    s.account(b).register(w.now)
    s.pbx.bindings[b.user] = (b.said, b.contact())
    call = s.call(a, b)
    call.near.invite(w.now + 5)
    sent = call.far.invite(w.now + 5.1)
    call.far.dialog.again(w.now + 5.1, sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
    call.near.fail(w.now + 37.2, w.r.choice([408, 480, 503]))
    w.expect('nat.private-contact', [call.far.dialog, s.account(b).dialog], instead=['sip.retransmit'])
    for d in (call.far.dialog, call.near.dialog, s.account(b).dialog):
        w.allow(d, 'sip.retransmit', 'sip.refused', 'nat.private-contact')
    return s


@scene('nat.rport-missing')
def answers_from_another_port(w):
    """A load balancer whose answers leave from another port: the phone's router drops them; the phone repeats."""
    s = Setting(w, kind='cloud', transport='udp', taps=['pbx', 'router-out'], phones=1)
    phone = s.phones[0]
    account = s.account(phone)
    d = account.dialog
    fresh = nonce(w, s.pbx)
    sent = account.send(w.now)
    x, y, way, message = sent.hops[0]
    s.sites[0].drops = lambda a, b, payload: a[1] == 5062
    for gap in (0, .5, 1.5, 3.5, 7.5, 11.5, 15.5):
        if gap:
            way = x.emit(w.now + gap, s.pbx.address, message.octets(x.style))
        way.destination = (s.center.address, 5062)
        sent.hops = [(x, y, way, message)]
        d.answer(way.at + .001, sent, 401, extra=account.challenge(fresh))
    w.expect('nat.rport-missing', d, instead=['sip.wrong-source', 'nat.reply-source', 'sip.retransmit'])
    w.allow(d, 'sip.retransmit', 'nat.rport-missing', 'auth.no-answer')
    return s


@scene('sip.no-ack')
def refusal_repeated(w):
    """A 486 is sent again and again: the ACK for it does not arrive or does not match."""
    s = Setting(w, transport='udp', kind=w.r.choice(['hosted', 'vpn', 'cloud', 'v6']), taps=['pbx', 'phone', 'router-out'])
    call = s.call(s.phones[0], None)
    at = call.setup(w.now, answered=False, codes=())
    leg = call.near
    for gap in (0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5):
        back = leg.dialog.answer(at + gap, leg.sent, 486, contact=False)
        if w.tap != 'pbx':
            leg.dialog.hop_ack(back, leg.sent)
    w.expect('sip.no-ack', leg.dialog, instead=['sip.retransmit', 'sip.ack-ignored'], severity='either')
    w.allow(leg.dialog, 'sip.no-ack', 'sip.retransmit')
    return s


@scene('sip.retransmit')
def hold_unanswered(w):
    """A re-INVITE in a running call that nobody answers: a firewall that forgot the session, a phone that is stuck."""
    s = Setting(w, transport='udp', kind=w.r.choice(['hosted', 'vpn', 'cloud', 'v6']), taps=['pbx'])
    call = s.call(s.phones[0], None)
    t = call.setup(w.now)
    call.talk(t + .02, 30)
    leg = call.near
    s.net.lost = lambda a, b, payload: payload[:6] == b'INVITE' and a[0] == s.center.address
    sent = leg.dialog.ask(t + 5, leg.b, 'INVITE', leg.body(leg.b, codecs=(leg.codec,)))
    leg.dialog.again(t + 5, sent, gaps=(.5, 1.5, 3.5, 7.5, 15.5))
    s.net.lost = None
    call.hang(t + 40)
    w.expect('sip.retransmit', leg.dialog, instead=['sip.timer-drop'])
    w.allow(leg.dialog, 'sip.timer-drop', 'sip.retransmit')
    return s


@scene('sip.retransmit')
def challenge_never_heard(w):
    """The server's 401 leaves it each time and the same REGISTER comes again: the answers do not get through."""
    s = Setting(w, kind='cloud', transport='udp', taps=['pbx'], phones=2, same=False)
    phone = s.phones[0]
    account = s.account(phone)
    d = account.dialog
    s.sites[0].drops = lambda a, b, payload: payload[:7] == b'SIP/2.0'
    fresh = nonce(w, s.pbx)
    sent = account.send(w.now)
    x, y, way, message = sent.hops[0]
    for gap in (0, .5, 1.5, 3.5, 7.5, 11.5, 15.5):
        if gap:
            way = x.emit(w.now + gap, s.pbx.address, message.octets(x.style))
        sent.hops = [(x, y, way, message)]
        d.answer(way.at + .001, sent, 401, extra=account.challenge(fresh))
    w.expect('sip.retransmit', d, instead=['nat.rport-missing'])
    w.allow(d, 'nat.rport-missing')
    s.account(s.phones[1]).register(w.now + 40)
    return s


@scene('sip.refused')
def loop(w):
    """A forwarding loop: 482 or 483 to the caller."""
    s = Setting(w)
    call = s.call(s.phones[0], s.trunk)
    at = call.setup(w.now, answered=False, codes=())
    call.fail(at + .5, w.r.choice([482, 483]))
    w.expect('sip.refused', call.dialogs(), severity='either')
    for d in call.dialogs():
        w.allow(d, 'sip.refused', 'sip.loop')
    return s


@scene('auth.attack')
def guesses(w):
    """A stranger tries hundreds of passwords at one account: the matter is the stranger, not that account's phone."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted']), taps=['pbx'], transport='udp', server=w.r.choice(['chan_sip', 'pjsip', 'freeswitch']))
    s.registered(w.now)
    stranger = Station(s.net, s.net.host(), w.r.randrange(5060, 5100), style=w.r.choice(['polycom', 'linphone', 'grandstream']), domain=s.pbx.host.address)
    t = w.now + 2
    calls = []
    for i in range(w.r.choice([60, 150, 300])):
        name = s.phones[0].user if w.r.random() < .5 else str(100 + i)
        d = Dialog(w, stranger, s.pbx, number=name, caller=name)
        calls.append(d)
        contact = ('Contact', '<sip:%s@%s:%d>' % (name, *stranger.said))
        fresh = nonce(w, s.pbx)
        sent = d.ask(t, stranger, 'REGISTER', initial=True, extra=[contact], contact=False)
        d.answer(sent.at, sent, 401, extra=[('WWW-Authenticate', challenge('asterisk', fresh, None))])
        sent = d.ask(sent.at + .03, stranger, 'REGISTER', initial=True, contact=False, extra=[contact, ('Authorization', credentials(
            w.r, name, '%06d' % w.r.randrange(10 ** 6), 'asterisk', fresh, 'REGISTER', 'sip:' + d.domain))])
        d.answer(sent.at, sent, 403 if w.r.random() < .5 else 401, extra=[('WWW-Authenticate', challenge('asterisk', nonce(w, s.pbx), None))])
        t += w.r.uniform(.03, .4)
    w.expect('auth.attack', calls, severity='risk', culprit=('server', 'network', 'router'))
    w.allow(None, 'auth.attack')
    for d in calls:
        w.allow(d, 'auth.attack')
    return s


@scene('tcp.refused')
def connection_gone(w):
    """A request over a connection that the other end has forgotten: RST, and nothing more."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted']), transport='tcp', phones=1, taps=['pbx'])
    phone = s.phones[0]
    account = s.account(phone)
    t = account.register(w.now)
    for i in range(2):
        at = t + 60 + i * 32
        body = account.dialog.build(phone, 'REGISTER', initial=True)
        c = s.net.connections.get(((phone.host.address, phone.local), s.pbx.address))
        way = s.net.raw(at, (phone.host.address, phone.local), s.pbx.address, 24, body.octets(phone.style), c['seq'][c['a']], c['seq']['b'])
        s.net.raw(way.at + .0001, s.pbx.address, way.source, 4, b'', c['seq']['b'], 0)
        break
    # The phone does not come back; the capture goes on with another.
    other = Station(s.net, s.net.host(), style='snom', user='777', domain=s.domain, transport='tcp')
    s.account(other).register(at + 40)
    options(s, other, at + 60)
    w.expect('tcp.refused', None, instead=['sip.retransmit', 'nat.mapping-expired', 'tcp.reset'])
    w.unlabelled.add(account.dialog.call)
    for f in ('tcp.refused', 'sip.retransmit', 'nat.mapping-expired'):
        w.allow(account.dialog, f)
    return s


@scene('auth.no-answer')
def only_sha256(w):
    """The server asks for SHA-256 alone; an old phone stops there."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'office']), taps=['pbx', 'lan', 'phone'])
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    for _ in range(3):
        sent = account.send(t)
        account.dialog.answer(sent.at, sent, 401, extra=account.challenge(nonce(w, s.pbx), algorithm='SHA-256'))
        t += 30
    w.expect('auth.no-answer', account.dialog)
    beside(s, t)
    return s


@scene('sip.refused')
def bad_request(w):
    """A proxy that thinks a phone's messages malformed: 400, with a reason phrase that says which part."""
    s = Setting(w)
    call = s.call(s.phones[0], s.trunk)
    at = call.setup(w.now, answered=False, codes=())
    call.fail(at + .1, w.r.choice([400, 415, 420]), reason=w.r.choice(['Bad Request', 'Missing To tag', 'Invalid Contact']))
    w.expect('sip.refused', call.dialogs(), severity='either')
    for d in call.dialogs():
        w.allow(d, 'sip.refused', 'sdp.mismatch')
    return s


@scene('nat.port-jump')
def phone_changes_port(w):
    """The phone itself opens a new socket for each registration: seen on its own LAN, no router is to blame."""
    s = Setting(w, kind=w.r.choice(['cloud', 'office']), transport='udp', taps=['lan', 'phone'], private=True)
    phone = s.phones[0]
    account = s.account(phone)
    t = w.now
    for i in range(4):
        phone.local = w.r.randrange(30000, 60000)
        t = account.register(t) or t
        t += w.r.uniform(5, 15)
    w.expect('nat.port-jump', account.dialog, instead=['phone.port-jump'], severity='either', culprit=('phone',))
    w.allow(account.dialog, 'nat.port-jump')
    return s
