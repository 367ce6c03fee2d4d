"""Scenes about NAT: ports, mappings, private addresses, STUN (RFC 3581, RFC 4787, RFC 8489)."""
import struct

import healthy
import wire
from agents import PHONES, Message, call_id, sdp
from auth import late, scene
from world import Call, Path, Phone, Registration, Scene, respond

BY_NAME = {s.name: s for s in PHONES}


def natted(s, transport='udp', **more):
    """A phone behind a NAT that knows nothing of it, but asks for rport."""
    path = Path(s, transport, True, False, **more)
    phone = Phone(s, path)
    phone.rport = True
    return phone


@scene('nat.port-jump', 'pos')
def port_jump(name, r, k):
    s = Scene(name, r)
    phone = natted(s)
    g = Registration(phone)
    t = s.now
    ext = phone.path.ext
    step = r.choice([-3, -1, 1, 2, 7, 250])
    if k % 3 == 0:               # between challenge and answer
        nonce = phone.nonce()
        first = g.send(t, g.request(), ext)
        g.answer(t + .03, first, 401, nonce, ext=ext)
        second = g.send(t + .05, g.request(nonce), ext + step)
        g.answer(t + .08, second, 200, ext=ext + step)
        if k % 2:
            third = g.send(t + 30, g.request(nonce, nc=2), ext)
            g.answer(t + 30.03, third, 200, ext=ext)
    elif k % 3 == 1:             # every refresh from elsewhere, seconds apart
        nonce = phone.nonce()
        for i in range(4):
            first = g.send(t, g.request(nonce if i else None, nc=i), ext + i * step)
            g.answer(t + .03, first, 200 if i else 401, None if i else nonce, ext=ext + i * step)
            t += .1 if i == 0 else r.uniform(4, 12)
    else:                        # the whole symptom: there, elsewhere, and back
        end, nonce = g.register(t, ext)
        second = g.send(end + 5, g.request(nonce, nc=2), ext + step)
        g.answer(end + 5.03, second, 200, ext=ext + step)
        third = g.send(end + 11, g.request(nonce, nc=3), ext)
        g.answer(end + 11.03, third, 200, ext=ext)
    s.expect('nat.port-jump', g.call, 'fault')
    s.allow('nat.register-longer-than-mapping', g.call)
    healthy.fill(s, s.now)
    late(s, s.now + 60)
    return s


@scene('nat.port-jump', 'neg')
def no_port_jump(name, r, k):
    s = Scene(name, r)
    t = s.now
    way = k % 3
    phone = natted(s, 'tcp' if way == 2 else 'udp')
    g = Registration(phone)
    end, nonce = g.register(t, expires=300)
    if way == 0:                 # rebooted: new Call-ID, new tag, a minute later
        path = Path(s, 'udp', True, False, outer=phone.path.outer)
        again = Phone(s, path, style=phone.style, user=phone.user, domain=phone.domain, server_style=phone.server_style)
        again.rport = True
        path.server = phone.path.server
        h = Registration(again)
        h.register(end + r.uniform(60, 120))
        s.fine(h.call, 'nat.port-jump')
    elif way == 1:               # a second device of the same account behind the same NAT
        path = Path(s, 'udp', True, False, outer=phone.path.outer)
        path.server = phone.path.server
        twin = Phone(s, path, user=phone.user, domain=phone.domain)
        twin.rport = True
        h = Registration(twin)
        e2, n2 = h.register(t + .5)
        for i in range(3):
            healthy.refresh(g, end + 10 + i * 20, nonce, 'cached')
            healthy.refresh(h, e2 + 15 + i * 20, n2, 'cached')
        s.fine(h.call, 'nat.port-jump')
    else:                        # a new TCP connection
        phone.path.close(end + 5)
        phone.path.ext = phone.path.ext + r.randrange(1, 900)
        phone.path.port += 1
        g.register(end + r.uniform(6, 20))
    s.fine(g.call, 'nat.port-jump')
    healthy.fill(s, s.now)
    return s


@scene('nat.mapping-expired', 'pos')
def expired(name, r, k):
    s = Scene(name, r)
    phone = natted(s)
    g = Registration(phone)
    end, nonce = g.register(s.now, expires=[300, 600, 3600][k % 3])
    if k % 2:                    # it answered while young
        healthy.options(phone, end + 15)
        end += 15
    idle = r.uniform(65, 200)
    at = end + idle
    if k % 4 < 2:
        call = Call(phone, out=False)
        uri = 'sip:%s@%s:%d' % (phone.user, phone.path.outer, phone.path.ext)
        invite = call.request('INVITE', 'server', call.offer('server'), uri=uri, initial=True)
        lost = (phone.path.outer, phone.path.ext)
        for gap in (0, .5, 1.5, 3.5, 7.5):
            call.send(at + gap, invite, 'server', to=lost)
        for finding in ('sip.retransmit',):
            s.allow(finding, call.call)
        other = call.call
    else:
        request = None
        for gap in (0, .5, 1.5, 3.5, 7.5):
            if request is None:
                cid = call_id(r, phone.server_style, phone.path.server[0])
                request = Message('OPTIONS sip:%s@%s:%d SIP/2.0' % (phone.user, phone.path.outer, phone.path.ext), [
                    ('Via', 'SIP/2.0/UDP %s:5060;branch=z9hG4bK%08x;rport' % (phone.path.server[0], r.getrandbits(32))),
                    ('From', '<sip:ping@%s>;tag=%08x' % (phone.path.server[0], r.getrandbits(32))),
                    ('To', '<%s>' % phone.aor()), ('Call-ID', cid), ('CSeq', '102 OPTIONS'), ('Max-Forwards', '70')])
            phone.path.down(at + gap, request, phone.server_style, to=(phone.path.outer, phone.path.ext))
        s.allow('sip.retransmit', cid)
        other = cid
    back = at + r.uniform(20, 60)
    ext = phone.path.ext + r.randrange(1, 4000)
    again = g.send(back, g.request(nonce, nc=2), ext)
    g.answer(back + .03, again, 200, ext=ext)
    s.expect('nat.mapping-expired', g.call, 'fault', also=[other])
    s.allow('nat.mapping-expired', other)
    s.allow('nat.register-longer-than-mapping', g.call)
    healthy.fill(s, s.now)
    late(s, back + 40)
    return s


@scene('nat.mapping-expired', 'neg')
def phone_off(name, r, k):
    s = Scene(name, r)
    phone = natted(s)
    g = Registration(phone)
    end, nonce = g.register(s.now, expires=300)
    at = end + r.uniform(65, 200)
    cid = call_id(r, phone.server_style, phone.path.server[0])
    request = Message('OPTIONS sip:%s@%s:%d SIP/2.0' % (phone.user, phone.path.outer, phone.path.ext), [
        ('Via', 'SIP/2.0/UDP %s:5060;branch=z9hG4bK%08x;rport' % (phone.path.server[0], r.getrandbits(32))),
        ('From', '<sip:ping@%s>;tag=%08x' % (phone.path.server[0], r.getrandbits(32))),
        ('To', '<%s>' % phone.aor()), ('Call-ID', cid), ('CSeq', '102 OPTIONS'), ('Max-Forwards', '70')])
    for gap in (0, .5, 1.5, 3.5):
        phone.path.down(at + gap, request, phone.server_style)
    s.allow('sip.retransmit', cid)
    if k % 2:                    # the phone was busy with itself and comes back through the same mapping
        again = g.send(at + 30, g.request(nonce, nc=2))
        g.answer(at + 30.03, again, 200)
    s.fine(g.call, 'nat.mapping-expired')
    healthy.fill(s, s.now)
    late(s, at + 60)
    return s


@scene('nat.register-longer-than-mapping', 'pos')
def register_longer(name, r, k):
    s = Scene(name, r)
    phone = natted(s)
    g = Registration(phone)
    expires = [600, 1800, 3600][k % 3]
    end, nonce = g.register(s.now, expires=expires)
    ext = phone.path.ext
    for turn in range(1 + k % 2):
        end += expires * r.uniform(.5, .9)
        ext += r.randrange(1, 3000)
        again = g.send(end, g.request(nonce, nc=2 + turn, expires=expires), ext)
        g.answer(end + .03, again, 200, ext=ext, expires=expires)
    s.expect('nat.register-longer-than-mapping', g.call, 'risk')
    s.allow('nat.mapping-expired', g.call)
    healthy.fill(s, s.now)
    late(s, end + 40)
    return s


@scene('nat.register-longer-than-mapping', 'neg')
def kept_alive(name, r, k):
    s = Scene(name, r)
    phone = natted(s)
    g = Registration(phone)
    expires = [300, 600, 3600][k % 3]
    end, nonce = g.register(s.now, expires=expires)
    until = min(expires * .8, 500)
    start = end
    if k % 2:
        while end < start + until:
            end += r.uniform(20, 28)
            phone.path.up(end, [b'\r\n\r\n', b'\0\0\0\0', b'\r\n'][k % 3], phone.style)
    else:                        # keepalives the capture filter hid: the mapping still stands
        end += until
    again = g.send(end + 1, g.request(nonce, nc=2, expires=expires))
    g.answer(end + 1.03, again, 200, expires=expires)
    s.fine(g.call, 'nat.register-longer-than-mapping')
    healthy.fill(s, s.now)
    return s


@scene('nat.private-contact', 'pos')
def private_contact(name, r, k):
    s = Scene(name, r)
    phone = natted(s, server_port=r.choice([5060, 5070]))
    call = Call(phone, out=k % 2 == 0, media_address=phone.path.outer)
    t = s.now
    private = (phone.path.inner, phone.path.port)
    way = k % 4
    if call.out:
        end = call.setup(t, auth=k % 4 == 2)
    else:
        a, b = call.ends()
        uri = 'sip:%s@%s:%d' % (phone.user, phone.path.outer, phone.path.ext)
        invite = call.request('INVITE', a, call.offer(a), uri=uri, initial=True)
        call.send(t, invite, a)
        call.send(t + .05, call.reply(invite, 180, 'Ringing', b), b)
        call.ok = call.reply(invite, 200, 'OK', b, call.offer(b, codecs=(call.codec,)))
        call.send(t + 1, call.ok, b)
        end = t + 1
        ack = call.request('ACK', a, cseq=call.cseq[a])
        for gap in (.02, .52, 1.52, 3.52):
            if gap > .1:
                call.send(t + 1 + gap - .02, call.ok, b)
            call.send(t + 1 + gap, ack, a, to=private)
        for other in ('sip.no-ack', 'sip.retransmit'):
            s.allow(other, call.call)
        end += 4
    if call.out and way == 0:    # nothing went back yet
        call.hang(end + 5, 'phone')
        s.expect('nat.private-contact', call.call, 'note')
    else:
        if way == 2 and call.out:
            invite = call.request('INVITE', 'server', call.offer('server', direction='sendrecv'))
            for gap in (0, .5, 1.5, 3.5, 7.5):
                call.send(end + 4 + gap, invite, 'server', to=private)
        bye = call.request('BYE', 'server')
        for gap in (0, .5, 1.5, 3.5, 7.5):
            call.send(end + 14 + gap, bye, 'server', to=private)
        s.expect('nat.private-contact', call.call, 'fault')
        s.allow('sip.retransmit', call.call)
        s.allow('sip.timer-drop', call.call)
    healthy.fill(s, t)
    late(s, end + 30)
    return s


@scene('nat.private-contact', 'neg')
def repaired_contact(name, r, k):
    s = Scene(name, r)
    t = s.now
    phone = natted(s)
    if k % 2:
        g = Registration(phone)
        g.register(t)
        healthy.options(phone, t + 30)
        s.fine(g.call, 'nat.private-contact')
    else:                        # the server sends to where it heard from, and is answered
        call = Call(phone, media_address=phone.path.outer)
        end = call.setup(t)
        if k % 4 == 0:
            end = call.reinvite(end + 3, 'server', 'sendrecv', 'sendrecv')
        call.hang(end + 2, 'server')
        s.fine(call.call, 'nat.private-contact')
    healthy.fill(s, t)
    return s


@scene('nat.private-sdp', 'pos')
def private_sdp(name, r, k):
    s = Scene(name, r)
    s.talks = True
    path = Path(s, 'udp' if k % 3 else 'tcp', True, False)
    phone = Phone(s, path, said=(path.outer, path.ext))
    call = Call(phone, out=k % 2 == 0, media_address=path.inner)
    end = call.setup(s.now)
    way = k % 3
    if way == 0:                 # the server latches on to what it hears
        call.talk(call.answered + .1, 5)
        s.expect('nat.private-sdp', call.call, 'note')
    else:                        # the server sends where it was told
        sent = [(path.inner, call.port)]
        s.rtp('out', call.answered + .05, 6, call.phone_media(), call.server_media, call.codec)
        if way == 1:
            s.rtp('out', call.answered + .06, 6, call.server_media, sent[0], call.codec)
        s.expect('nat.private-sdp', call.call, 'fault')
        s.allow('media.one-way', call.call)
        s.allow('media.wrong-source', call.call)
    call.hang(end + 7)
    s.allow('alg.suspected', call.call)
    healthy.fill(s, s.now)
    other = healthy.calls(s, s.now + 1, media=True, way='plain')
    return s


@scene('nat.private-sdp', 'neg')
def private_sdp_fine(name, r, k):
    s = Scene(name, r)
    s.talks = True
    way = k % 3
    if way == 0:                 # ICE (RFC 8445) with a reflexive candidate
        path = Path(s, 'udp', True, False)
        phone = Phone(s, path, said=(path.outer, path.ext))
        call = Call(phone, media_address=path.inner)
        extra = ['a=ice-ufrag:%04x' % r.getrandbits(16), 'a=ice-pwd:%032x' % r.getrandbits(128),
                 'a=candidate:1 1 UDP 2130706431 %s %d typ host' % (path.inner, call.port),
                 'a=candidate:2 1 UDP 1694498815 %s %d typ srflx raddr %s rport %d' % (path.outer, call.ext_port, path.inner, call.port)]
        server = ['a=ice-ufrag:%04x' % r.getrandbits(16), 'a=ice-pwd:%032x' % r.getrandbits(128), 'a=ice-lite',
                  'a=candidate:1 1 UDP 2130706431 %s %d typ host' % call.server_media]
        end = call.setup(s.now, offer=call.offer(extra=extra), answer=call.offer('server', codecs=(call.codec,), extra=server))
        call.talk(call.answered + .05, 3)
    elif way == 1:               # a call that stays inside one network
        path = Path(s, 'udp', True, False, outer='192.168.77.%d' % r.randrange(2, 250), server=('192.168.77.1'))
        phone = Phone(s, path, said=(path.outer, path.port))
        path.nat, path.inner, path.ext = False, path.outer, path.port
        call = Call(phone)
        end = call.setup(s.now)
        call.talk(call.answered + .05, 3)
    else:
        return_call = healthy.calls(s, s.now, guards='nat.private-sdp', media=True, way='plain')
        healthy.fill(s, s.now)
        return s
    call.hang(end + 4)
    s.fine(call.call, 'nat.private-sdp')
    healthy.fill(s, s.now)
    return s


@scene('nat.rport-missing', 'pos')
def rport_missing(name, r, k):
    s = Scene(name, r)
    path = Path(s, 'udp', True, False)
    while path.ext == path.port:
        path.ext = r.randrange(1024, 65000)
    phone = Phone(s, path)
    phone.rport = False
    public = k % 2
    if public:                   # the address is right (received), the port is the Via's
        phone.via_said = phone.said = (path.outer, path.port)
    g = Registration(phone)
    t = s.now
    if k % 3:
        request = g.request()
        for gap in (0, .5, 1.5, 3.5, 7.5):
            g.send(t + gap, request)
            reply = respond(request, 401, 'Unauthorized', phone, (path.outer, path.port), [phone.challenge('%08x' % 77)], tag=g.totag)
            path.down(t + gap + .02, reply, phone.server_style, to=(path.outer, path.port))
        cid = g.call
    else:
        call = Call(phone, media_address=path.outer)
        invite = call.request('INVITE', 'phone', call.offer(), initial=True)
        for gap in (0, .5, 1.5, 3.5, 7.5):
            call.send(t + gap, invite, 'phone')
            path.down(t + gap + .02, call.reply(invite, 100, 'Trying', 'server'), phone.server_style, to=(path.outer, path.port))
        cid = call.call
    s.expect('nat.rport-missing', cid, 'fault')
    for other in ('sip.retransmit', 'auth.no-answer', 'nat.private-contact'):
        s.allow(other, cid)
    healthy.fill(s, t)
    late(s, t + 50)
    return s


@scene('nat.rport-missing', 'neg')
def rport_fine(name, r, k):
    s = Scene(name, r)
    t = s.now
    if k % 2:                    # rport asked for: the reply goes to the source
        g = Registration(natted(s))
        g.register(t)
        s.fine(g.call, 'nat.rport-missing')
    else:                        # a public client that sends from one port and listens on another
        path = Path(s, 'udp', False, False, port=5060)
        phone = Phone(s, path, style=BY_NAME['cisco'])
        g = Registration(phone)
        odd = r.randrange(49152, 65000)
        nonce = phone.nonce()
        first = g.send(t, g.request(), odd, port=odd)
        g.answer(t + .03, first, 401, nonce)
        second = g.send(t + .05, g.request(nonce), odd, port=odd)
        g.answer(t + .08, second, 200)
        s.fine(g.call, 'nat.rport-missing')
    healthy.fill(s, t)
    return s


# STUN

def stun(s, at, source, server, mapped=None, ident=None):
    """A Binding request, and the answer unless `mapped` is nil (RFC 8489)."""
    r = s.r
    ident = ident or r.randbytes(12)
    s.datagram('out', at, source, server, struct.pack('!HHI', 1, 0, 0x2112a442) + ident)
    if mapped:
        number = struct.unpack('!I', wire.packed(mapped[0]))[0] ^ 0x2112a442
        value = struct.pack('!BBHI', 0, 1, mapped[1] ^ 0x2112, number)
        s.datagram('out', at + .03, server, source, struct.pack('!HHI', 0x0101, 12, 0x2112a442) + ident + struct.pack('!HH', 0x20, 8) + value)


@scene('stun.sdp-mismatch', 'pos')
def stun_mismatch(name, r, k):
    s = Scene(name, r, vantage='out')
    path = Path(s, 'udp', True, False)
    phone = Phone(s, path, said=(path.outer, path.ext))
    call = Call(phone)
    server = (s.address('server'), 3478)
    t = s.now
    # Seen on the phone's side: the source is the phone's own socket.
    inner = (path.inner, call.port)
    wrong = call.ext_port + r.choice([2, 4, -2, 1000])
    way = k % 3
    if way == 0:                 # another port than the probe said
        stun(s, t - 1, inner, server, (path.outer, call.ext_port))
        call.media_said = (path.outer, wrong)
    elif way == 1:               # another address
        stun(s, t - 1, inner, server, (path.outer, call.ext_port))
        call.media_said = (s.address('public'), call.ext_port)
    else:                        # nobody answered the probe, and the private address went out
        ident = r.randbytes(12)
        for gap in (0, .5, 1.5, 3.5):
            stun(s, t - 10 + gap, inner, server, None, ident)
        call.media_said = (path.inner, call.port)
    path.outer, path.ext = path.inner, path.port     # the tap is at the phone
    end = call.setup(t)
    call.hang(end + 3)
    s.expect('stun.sdp-mismatch', call.call, 'fault')
    for other in ('nat.private-sdp', 'alg.suspected', 'media.none', 'nat.private-contact'):
        s.allow(other, call.call)
    healthy.fill(s, t)
    return s


@scene('stun.sdp-mismatch', 'neg')
def stun_match(name, r, k):
    s = Scene(name, r)
    path = Path(s, 'udp', True, False)
    phone = Phone(s, path, said=(path.outer, path.ext))
    call = Call(phone)
    server = (s.address('server'), 3478)
    t = s.now
    outer = path.outer
    call.media_said = (outer, call.ext_port)
    stun(s, t - 1, (path.inner, call.port), server, (outer, call.ext_port))
    if k % 3 == 1:               # the second interface's probe says something else
        stun(s, t - .9, ('10.99.0.7', call.port + 40), server, (s.address('public'), call.port + 40))
    if k % 3 == 2:               # asked twice, the first answer was lost
        ident = r.randbytes(12)
        stun(s, t - 3, (path.inner, call.port), server, None, ident)
        stun(s, t - 2.5, (path.inner, call.port), server, (outer, call.ext_port), ident)
    path.outer, path.ext = path.inner, path.port
    end = call.setup(t)
    call.hang(end + 3)
    s.fine(call.call, 'stun.sdp-mismatch')
    healthy.fill(s, t)
    return s
