"""Dialogs nobody should be accused of."""
from agents import PHONES, Message, call_id
from world import Call, Path, Phone, Registration, respond


def place(scene, transport=None, nat=None, v6=None, **more):
    """Somewhere for a phone to be."""
    r = scene.r
    transport = transport or r.choice(['udp', 'udp', 'udp', 'tcp'])
    v6 = (r.random() < .15) if v6 is None else v6
    nat = (r.random() < .7) if nat is None else nat
    return Path(scene, transport, nat and not v6, v6, **more)


def public_phone(scene, path, **more):
    """A phone that knows its public address (none other, or told by STUN): Via, Contact and SDP say it."""
    return Phone(scene, path, said=(path.outer, path.ext), **more)


def registers(scene, at, guards=None, vantage_fix=True):
    """A private Contact, repaired by received and rport: the everyday case. Refreshes, keepalives, sometimes unregisters."""
    r = scene.r
    path = place(scene)
    phone = Phone(scene, path)
    if path.nat and not phone.rport:
        phone.rport = True
    registration = Registration(phone)
    expires = r.choice([60, 120, 300, 3600])
    end, nonce = registration.register(at, expires=expires)
    scene.fine(registration.call, guards)
    for i in range(r.randrange(0, 4)):
        end += r.uniform(15, 28)
        way = r.random()
        if way < .4:
            path.up(end, b'\r\n\r\n', phone.style)
            if path.transport == 'tcp' or r.random() < .5:
                path.down(end + .02, b'\r\n', phone.style)
        elif way < .7:
            options(phone, end)
        elif path.transport == 'udp':
            path.up(end, b'\0', phone.style)
    if r.random() < .4:
        refresh(registration, end + r.uniform(20, 28), nonce, r.choice(['cached', 'stale', 'fresh']))
    return registration


def refresh(registration, at, nonce, way):
    """A later REGISTER: with the cached nonce accepted, once stale and then right, or from a fresh challenge."""
    rtt = .03
    if way == 'fresh':
        return registration.register(at)[0]
    request = registration.send(at, registration.request(nonce, nc=2))
    if way == 'stale':
        new = registration.phone.nonce()
        registration.answer(at + rtt, request, 401, new, stale=True)
        request = registration.send(at + rtt + .01, registration.request(new))
        at += rtt + .01
    registration.answer(at + rtt, request, 200)
    return at + rtt


def options(phone, at, call=None, answered=True):
    """The server's keepalive, answered."""
    r, path = phone.scene.r, phone.path
    style = phone.server_style
    host = '[%s]' % path.server[0] if path.v6 else path.server[0]
    cid = call or call_id(r, style, path.server[0])
    request = Message('OPTIONS sip:%s@%s SIP/2.0' % (phone.user, phone.host((path.outer, path.ext))), [
        ('Via', 'SIP/2.0/%s %s:%d;branch=z9hG4bK%08x;rport' % (path.transport.upper(), host, path.server[1], r.getrandbits(32))),
        ('From', '<sip:ping@%s>;tag=%08x' % (host, r.getrandbits(32))), ('To', '<%s>' % phone.aor()), ('Call-ID', cid),
        ('CSeq', '%d OPTIONS' % r.randrange(1, 200)), ('Max-Forwards', '70')])
    path.down(at, request, style)
    if answered:
        reply = respond(request, 200, 'OK', phone, None, [('Allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS')], tag=phone.tag())
        reply.headers = [h for h in reply.headers if h[0] != 'Server']
        path.up(at + .02, reply, phone.style)
        phone.scene.fine(cid)
    return request


def calls(scene, at, guards=None, media=None, length=None, codec=None, way=None, label=True, transport=None):
    """A call that works: plain, challenged, early media, hold, cancelled, busy, forked."""
    r = scene.r
    path = place(scene, transport=transport)
    phone = public_phone(scene, path)
    call = Call(phone, out=r.random() < .6)
    if codec:
        call.codecs, call.codec = (codec,), codec
    if label:
        scene.fine(call.call, guards)
    media = scene.talks if media is None else media
    length = length or r.uniform(1.5, 4)
    way = way or r.choice(['plain', 'plain', 'auth', 'early', 'hold', 'cancel', 'busy', 'fork', 'dtmf', 'update'])
    if way == 'cancel':
        return cancelled(call, at)
    if way == 'busy':
        return refused(call, at)
    if way == 'fork':
        return forked(call, at, media)
    end = call.setup(at, auth=way == 'auth', early=way == 'early')
    if media:
        start = call.early if way == 'early' else call.answered + .05
        call.talk(start, length + (call.answered - start if way == 'early' else 0))
        ends = (call.phone_media(), call.server_media)
        side = scene.vantage if not scene.pair else 'out'
        if side == 'out' and r.random() < .5:
            ssrc = r.getrandbits(32)
            scene.rtcp('out', end + 1, (ends[0][0], ends[0][1] + 1), (ends[1][0], ends[1][1] + 1), ssrc, ssrc ^ 1)
    if way == 'hold':
        by = r.choice(['phone', 'server'])
        end = call.reinvite(end + length, by, 'sendonly', 'recvonly')
        end = call.reinvite(end + r.uniform(5, 9), by, 'sendrecv', 'sendrecv')
        if media:
            call.talk(end, 2)
            end += 1
    if way == 'update':
        by = call.ends()[0]
        update = call.send(end + 1, call.request('UPDATE', by), by)
        call.send(end + 1.03, call.reply(update, 200, 'OK', call.ends()[1]), call.ends()[1])
    call.hang(end + length + .1)
    return call


def cancelled(call, at):
    a, b = call.ends()
    invite = call.request('INVITE', a, call.offer(a), initial=True)
    call.send(at, invite, a)
    call.send(at + .03, call.reply(invite, 100, 'Trying', b), b)
    call.send(at + .2, call.reply(invite, 180, 'Ringing', b), b)
    branch = invite.get('Via').split('branch=')[1].split(';')[0]
    uri = invite.start.split(' ')[1]
    cancel = call.request('CANCEL', a, cseq=call.cseq[a], branch=branch, uri=uri, initial=True)
    call.send(at + 4, cancel, a)
    call.send(at + 4.03, call.reply(cancel, 200, 'OK', b), b)
    call.send(at + 4.04, call.reply(invite, 487, 'Request Terminated', b), b)
    call.send(at + 4.06, call.request('ACK', a, cseq=call.cseq[a], branch=branch, uri=uri), a)
    return call


def refused(call, at):
    a, b = call.ends()
    invite = call.request('INVITE', a, call.offer(a), initial=True)
    code, reason = call.scene.r.choice([(486, 'Busy Here'), (404, 'Not Found'), (603, 'Decline'), (480, 'Temporarily Unavailable')])
    call.send(at, invite, a)
    call.send(at + .03, call.reply(invite, 100, 'Trying', b), b)
    call.send(at + .5, call.reply(invite, code, reason, b), b)
    branch = invite.get('Via').split('branch=')[1].split(';')[0]
    call.send(at + .53, call.request('ACK', a, cseq=call.cseq[a], branch=branch, uri=invite.start.split(' ')[1]), a)
    return call


def forked(call, at, media=False):
    """Two early dialogs with tags of their own; one answers (RFC 3261 13.2.2.4)."""
    a, b = call.ends()
    invite = call.request('INVITE', a, call.offer(a), initial=True)
    call.send(at, invite, a)
    call.send(at + .03, call.reply(invite, 100, 'Trying', b), b)
    if call.out:
        first, second = call.theirs, 'fork%06x' % call.scene.r.getrandbits(24)
        call.send(at + .2, call.reply(invite, 180, 'Ringing', b), b)
        call.theirs = second
    call.send(at + .25, call.reply(invite, 180, 'Ringing', b), b)
    call.send(at + 2, call.reply(invite, 200, 'OK', b, call.offer(b, codecs=(call.codec,))), b)
    call.send(at + 2.03, call.request('ACK', a, cseq=call.cseq[a]), a)
    if media:
        call.talk(at + 2.05, 3.9)
    call.hang(at + 6)
    return call


def subscribes(scene, at):
    """SUBSCRIBE and NOTIFY: presence or message waiting."""
    r = scene.r
    path = place(scene)
    phone = public_phone(scene, path)
    call = Call(phone)
    call.number = phone.user
    scene.fine(call.call)
    request = call.request('SUBSCRIBE', 'phone', extra=[('Event', 'message-summary'), ('Expires', '600')], initial=True)
    call.send(at, request, 'phone')
    call.send(at + .03, call.reply(request, 200, 'OK', 'server', extra=[('Expires', '600')]), 'server')
    notify = call.request('NOTIFY', 'server', extra=[('Event', 'message-summary'), ('Subscription-State', 'active;expires=599')])
    call.send(at + .05, notify, 'server')
    call.send(at + .08, call.reply(notify, 200, 'OK', 'phone'), 'phone')


def fill(scene, at, most=3, span=5.0):
    """A few healthy dialogs beside what a scene is about."""
    r = scene.r
    for _ in range(r.randrange(1, most + 1)):
        start = at + r.uniform(0, span)
        kind = r.random()
        if kind < .45:
            registers(scene, start)
        elif kind < .9:
            calls(scene, start)
        else:
            subscribes(scene, start)
