"""Scenes about transactions, dialogs, bodies and the capture itself (RFC 3261, RFC 4028, RFC 3264)."""
import healthy
import wire
from agents import Message, call_id, sdp
from auth import late, scene
from media import plain
from world import Call, Path, Phone, Registration, Scene


@scene('sip.no-ack', 'pos')
def no_ack(name, r, k):
    s = Scene(name, r)
    call = plain(s, k, 'udp' if k % 4 else 'tcp')
    a, b = call.ends()
    end = call.setup(s.now, ack=False)
    t, gap = call.answered, .5
    while t - call.answered < 31:
        t += gap
        gap = min(4, gap * 2)
        if t - call.answered < 32:
            call.send(t, call.ok, b)
    if k % 3:
        bye = call.send(call.answered + 32, call.request('BYE', b), b)
        call.send(call.answered + 32.03, call.reply(bye, 200, 'OK', a), a)
    s.expect('sip.no-ack', call.call, 'fault')
    for other in ('sip.retransmit', 'sip.timer-drop', 'nat.private-contact'):
        s.allow(other, call.call)
    healthy.fill(s, s.now)
    late(s, call.answered + 70)
    return s


@scene('sip.no-ack', 'neg')
def acked(name, r, k):
    s = Scene(name, r)
    call = plain(s, k, 'udp')
    a, b = call.ends()
    if k % 2:                    # the ACK took another path: nobody repeats the 2xx
        call.setup(s.now, ack=False)
        call.hang(call.answered + 10)
    else:                        # the first ACK was lost, the second arrived
        call.setup(s.now, ack=False)
        for gap in (.5, 1.5):
            call.send(call.answered + gap, call.ok, b)
        call.send(call.answered + 1.53, call.request('ACK', a, cseq=call.cseq[a]), a)
        call.hang(call.answered + 8)
        s.allow('sip.retransmit', call.call)
    s.fine(call.call, 'sip.no-ack')
    healthy.fill(s, s.now)
    late(s, call.answered + 45)
    return s


@scene('sip.retransmit', 'pos')
def retransmit(name, r, k):
    s = Scene(name, r)
    t = s.now
    way = k % 3
    if way == 0:                 # an INVITE nobody answers at first
        call = plain(s, k, 'udp')
        a, b = call.ends()
        invite = call.request('INVITE', a, call.offer(a), initial=True)
        gap, at = .5, 0
        for _ in range(4 + k % 3):
            call.send(t + at, invite, a)
            at += gap
            gap *= 2
        if k % 2:
            call.send(t + at, call.reply(invite, 486, 'Busy Here', b), b)
            branch = invite.get('Via').split('branch=')[1].split(';')[0]
            call.send(t + at + .03, call.request('ACK', a, cseq=call.cseq[a], branch=branch, uri=invite.start.split(' ')[1]), a)
        cid = call.call
    elif way == 1:               # a REGISTER into nothing
        phone = Phone(s, healthy.place(s, 'udp'))
        g = Registration(phone)
        request = g.request()
        for at in (0, .5, 1.5, 3.5, 7.5, 11.5, 15.5):
            g.send(t + at, request)
        cid = g.call
    else:                        # a BYE
        call = plain(s, k, 'udp')
        call.setup(t)
        bye = call.request('BYE', call.ends()[0])
        for at in (0, .5, 1.5, 3.5, 7.5):
            call.send(call.answered + 5 + at, bye, call.ends()[0])
        cid = call.call
        t = call.answered
    s.expect('sip.retransmit', cid, 'fault')
    healthy.fill(s, s.now)
    late(s, t + 40)
    return s


@scene('sip.retransmit', 'neg')
def duplicate(name, r, k):
    """Each packet twice: a mirror port that copies both directions of a bridge."""
    s = Scene(name, r)
    g = healthy.registers(s, s.now, 'sip.retransmit')
    healthy.calls(s, s.now + 1, 'sip.retransmit', way='plain', transport='udp', media=False)
    if k % 2 == 0:
        s.frames['out'] += [(at + r.uniform(.00002, .0004), packet) for at, packet in s.frames['out']]
    else:
        s.frames['out'] += [(at + r.uniform(.00002, .0004), packet) for at, packet in s.frames['out'] if r.random() < .5]
    return s


@scene('sip.timer-drop', 'pos')
def timer_drop(name, r, k):
    s = Scene(name, r)
    t = s.now
    way = k % 4
    call = plain(s, k, 'udp' if way == 0 else None)
    a, b = call.ends()
    if way == 0:                 # 64*T1 after the 2xx nobody acknowledged
        call.setup(t, ack=False)
        at, gap = .5, 1
        while at < 31.6:
            call.send(call.answered + at, call.ok, b)
            at, gap = at + gap, min(4, gap * 2)
        call.hang(call.answered + 32, b)
        s.allow('sip.no-ack', call.call)
        s.allow('sip.retransmit', call.call)
    elif way == 1:               # the session timer ran out: no refresh came (RFC 4028)
        expires = [90, 180, 600, 1800][k // 4 % 4]
        extra = [('Session-Expires', '%d;refresher=uac' % expires), ('Supported', 'timer')]
        call.setup(t, extra=extra)
        call.hang(call.answered + expires - (min(32, expires / 3) if k % 8 < 4 else 0), b)
    elif way == 2:               # fifteen minutes to the second: the refresh was refused or unanswered
        call.setup(t, extra=[('Session-Expires', '1800;refresher=uas'), ('Supported', 'timer')])
        update = call.request('UPDATE', b)
        for gap in (0, .5, 1.5, 3.5):
            call.send(call.answered + 900 + gap, update, b)
        call.hang(call.answered + 932, b)
        s.allow('sip.retransmit', call.call)
    else:                        # the re-INVITE at 15 minutes is refused
        call.setup(t)
        again = call.send(call.answered + 900, call.request('INVITE', b, call.offer(b)), b)
        call.send(call.answered + 900.03, call.reply(again, 481, 'Call/Transaction Does Not Exist', a), a)
        branch = again.get('Via').split('branch=')[1].split(';')[0]
        call.send(call.answered + 900.05, call.request('ACK', b, cseq=call.cseq[b], branch=branch), b)
        call.hang(call.answered + 900.2, b)
    s.expect('sip.timer-drop', call.call, 'fault')
    healthy.fill(s, t)
    late(s, call.answered + 60)
    return s


@scene('sip.timer-drop', 'neg')
def hung_up(name, r, k):
    s = Scene(name, r)
    call = plain(s, k)
    if k % 3 == 0:               # the session was refreshed in time
        call.setup(s.now, extra=[('Session-Expires', '180;refresher=uac'), ('Supported', 'timer')])
        a, b = call.ends()
        for turn in range(1, 3):
            update = call.send(call.answered + 90 * turn, call.request('UPDATE', a, extra=[
                ('Session-Expires', '180;refresher=uac'), ('Supported', 'timer')]), a)
            call.send(call.answered + 90 * turn + .03, call.reply(update, 200, 'OK', b, extra=[
                ('Session-Expires', '180;refresher=uac'), ('Require', 'timer')]), b)
        call.hang(call.answered + r.uniform(200, 260))
    elif k % 3 == 1:
        call.setup(s.now)
        call.hang(call.answered + r.choice([17.3, 25.1, 47.8, 421.4, 1204.6]))
    else:
        call.setup(s.now, extra=[('Session-Expires', '1800'), ('Supported', 'timer')])
        call.hang(call.answered + r.uniform(40, 500))
    s.fine(call.call, 'sip.timer-drop')
    healthy.fill(s, s.now)
    return s


LONG = [('X-Padding-%d' % i, 'a text that some program adds to each of its messages, and that makes them long, number %d' % i)
        for i in range(12)]


@scene('sip.fragmented', 'pos')
def fragmented(name, r, k):
    s = Scene(name, r)
    path = Path(s, 'udp', k % 2 == 0, False)
    phone = healthy.public_phone(s, path)
    call = Call(phone)
    t = s.now
    extra = ['a=candidate:%d 1 UDP %d %s %d typ host' % (i, 2 ** 30 + i, path.outer, 20000 + i) for i in range(8)]
    extra += ['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx']
    invite = call.request('INVITE', 'phone', call.offer(extra=extra), initial=True, extra=LONG)
    octets = invite.octets(phone.style)
    for gap in (0, .5, 1.5, 3.5, 7.5, 15.5):
        ident = s.ident()
        parts = wire.udp_fragments(path.source(), path.server, octets, ident)
        for i, part in enumerate(parts):
            if k % 3 == 0 or i == 0:             # all of them, or only the first got this far
                s.put('out', t + gap + i * .0001, part)
    s.expect('sip.fragmented', call.call, 'fault')
    s.allow('sip.retransmit', call.call)
    healthy.fill(s, t)
    late(s, t + 40)
    return s


@scene('sip.fragmented', 'neg')
def fragments_arrive(name, r, k):
    s = Scene(name, r)
    path = Path(s, 'udp', k % 2 == 0, False)
    phone = healthy.public_phone(s, path)
    call = Call(phone)
    t = s.now
    invite = call.request('INVITE', 'phone', call.offer(), initial=True, extra=LONG)
    parts = wire.udp_fragments(path.source(), path.server, invite.octets(phone.style), s.ident())
    if k % 3 == 1:
        parts.reverse()
    if k % 3 == 2:               # a capture filter for the port keeps the first fragments alone
        parts = parts[:1]
    for i, part in enumerate(parts):
        s.put('out', t + i * .0001, part)
    call.send(t + .03, call.reply(invite, 100, 'Trying', 'server'), 'server')
    call.ok = call.reply(invite, 200, 'OK', 'server', call.offer('server', codecs=(call.codec,)))
    call.send(t + 1, call.ok, 'server')
    call.send(t + 1.03, call.request('ACK', 'phone', cseq=call.cseq['phone']), 'phone')
    call.hang(t + 5)
    s.fine(call.call, 'sip.fragmented')
    healthy.fill(s, t)
    return s


@scene('sdp.mismatch', 'pos')
def sdp_mismatch(name, r, k):
    s = Scene(name, r)
    call = plain(s, k)
    a, b = call.ends()
    t = s.now
    way = k % 4
    if way == 3:                 # answered with codecs that were not offered
        call.setup(t, offer=call.offer(a, codecs=('G729',), dtmf=None), answer=call.offer(b, codecs=('PCMU',), dtmf=None))
        call.hang(call.answered + 3)
    else:                        # 488, RFC 3261 21.4.26
        kinds = [dict(codecs=('G729',)), dict(codecs=('opus',)), dict(proto='RTP/SAVP', extra=[
            'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz'])]
        invite = call.request('INVITE', a, call.offer(a, **kinds[way]), initial=True)
        call.send(t, invite, a)
        call.send(t + .03, call.reply(invite, 100, 'Trying', b), b)
        warn = [('Warning', '305 %s "Incompatible media format"' % 'pbx.example.net')] if k % 2 else []
        call.send(t + .2, call.reply(invite, r.choice([488, 606]) if k % 5 == 0 else 488, 'Not Acceptable Here', b, extra=warn), b)
        branch = invite.get('Via').split('branch=')[1].split(';')[0]
        call.send(t + .23, call.request('ACK', a, cseq=call.cseq[a], branch=branch, uri=invite.start.split(' ')[1]), a)
    s.expect('srtp.mismatch' if way == 2 else 'sdp.mismatch', call.call, 'fault')
    healthy.fill(s, t)
    return s


@scene('sdp.mismatch', 'neg')
def sdp_matches(name, r, k):
    s = Scene(name, r)
    call = plain(s, k)
    a, b = call.ends()
    if k % 2:                    # the same codec under two numbers (RFC 3264 5.1)
        offer = call.offer(a, codecs=('opus', 'iLBC'), numbers={'opus': 107, 'iLBC': 96}, dtmf=96 + 5)
        answer = call.offer(b, codecs=('opus',), numbers={'opus': 120}, dtmf=97)
    else:                        # fewer codecs, another ptime
        offer = call.offer(a, codecs=('G722', 'PCMA', 'PCMU'), ptime=20)
        answer = call.offer(b, codecs=('PCMU',), ptime=30)
    call.setup(s.now, offer=offer, answer=answer)
    call.hang(call.answered + 4)
    s.fine(call.call, 'sdp.mismatch')
    healthy.fill(s, s.now)
    return s


@scene('alg.suspected', 'pos')
def suspected(name, r, k):
    s = Scene(name, r)
    path = Path(s, 'udp', True, False)
    t = s.now
    way = k % 4
    public, private = (path.outer, path.ext), (path.inner, path.port)
    style = [x for x in healthy.PHONES if x.name == ['yealink', 'grandstream', 'lower', 'cisco'][k % 4]][0]
    if way == 0:                 # Contact was replaced, Via was not
        phone = Phone(s, path, said=public, via=private, style=style)
        phone.rport = True
        g = Registration(phone)
        g.register(t)
        cid = g.call
    elif way == 1:               # the body grew or shrank, Content-Length did not
        phone = Phone(s, path, said=public, style=style)
        call = Call(phone)
        body = call.offer()
        wrong = len(body) + len(path.inner) - len(path.outer)
        if wrong == len(body):
            wrong += 2
        invite = call.request('INVITE', 'phone', body, initial=True)
        path.up(t, invite.octets(style, wrong), style)
        call.send(t + .03, call.reply(invite, 100, 'Trying', 'server'), 'server')
        call.send(t + .3, call.reply(invite, 486, 'Busy Here', 'server'), 'server')
        branch = invite.get('Via').split('branch=')[1].split(';')[0]
        call.send(t + .33, call.request('ACK', 'phone', cseq=call.cseq['phone'], branch=branch, uri=invite.start.split(' ')[1]), 'phone')
        cid = call.call
    elif way == 2:               # c= was replaced, o= was not
        phone = Phone(s, path, said=public, style=style)
        call = Call(phone)
        call.setup(t, offer=call.offer(origin=path.inner))
        call.hang(call.answered + 4)
        cid = call.call
    else:                        # everything public, but Call-ID still tells the private address
        phone = Phone(s, path, said=public, style=style)
        call = Call(phone, call='%08x-%04x@%s' % (r.getrandbits(32), r.getrandbits(16), path.inner))
        call.setup(t, offer=call.offer(origin=path.inner))
        call.hang(call.answered + 4)
        cid = call.call
    # A private o= alone is what many a STUN phone writes: worth knowing, no more.
    s.expect('alg.suspected', cid, 'note' if way == 2 else 'risk')
    healthy.fill(s, t)
    return s


@scene('alg.suspected', 'neg')
def stun_phone(name, r, k):
    from nat import stun
    s = Scene(name, r)
    path = Path(s, 'udp', True, False)
    t = s.now
    way = k % 4
    public, private = (path.outer, path.ext), (path.inner, path.port)
    if way == 0:                 # a phone that asked STUN on the same socket: public Contact, private Via
        phone = Phone(s, path, said=public, via=private)
        phone.rport = True
        stun(s, t - 1, public, ('203.0.113.250', 3478), public)
        g = Registration(phone)
        g.register(t)
        s.fine(g.call, 'alg.suspected')
    elif way == 1:               # the same, and its Call-ID tells where it lies
        phone = Phone(s, path, said=public)
        stun(s, t - 1, public, ('203.0.113.250', 3478), public)
        call = Call(phone, call='%08x@%s' % (r.getrandbits(32), path.inner))
        call.setup(t)
        call.hang(call.answered + 4)
        s.fine(call.call, 'alg.suspected')
    elif way == 2:               # o= names the host of the program, another public one, or nothing
        phone = Phone(s, path, said=public)
        call = Call(phone)
        call.setup(t, offer=call.offer(origin=r.choice(['0.0.0.0', '127.0.0.1', '203.0.113.99'])))
        call.hang(call.answered + 4)
        s.fine(call.call, 'alg.suspected')
    else:                        # everything private: no box has touched it
        phone = Phone(s, path)
        phone.rport = True
        g = Registration(phone)
        g.register(t)
        s.fine(g.call, 'alg.suspected')
    healthy.fill(s, t)
    return s


@scene('capture.blind', 'pos')
def blind(name, r, k):
    way = k % 3
    s = Scene(name, r, snap=[300, 65535, 96][way] if way != 1 else 65535, form=r.choice(['pcap', 'pcap-big', 'pcapng']))
    phone = Phone(s, Path(s, 'udp', True, False))
    phone.rport = True
    if way == 1:                 # only what goes one way
        for turn in range(3):
            g = Registration(Phone(s, Path(s, 'udp', True, False)))
            for i in range(2):
                g.send(s.now + turn + i * .1, g.request('abcdef' if i else None))
    else:
        g = Registration(phone)
        g.register(s.now)
    s.expect('capture.blind', None, 'risk')
    s.notes.append('blind')
    return s


@scene('capture.blind', 'neg')
def seeing(name, r, k):
    s = Scene(name, r)
    healthy.registers(s, s.now, 'capture.blind')
    healthy.fill(s, s.now)
    s.notes.append('seeing')
    return s
