"""Days of ordinary telephony: nothing in these captures is anybody's fault, however odd it looks."""
import copy
import struct

from agents import Message, call_id, challenge, credentials
from calls import World, nonce
from settings import Setting
from stations import STYLES, Dialog, Station

SCENES = []


def scene(kind, weight=1):
    def note(make):
        SCENES.append((kind, make.__name__.replace('_', '-'), make, weight))
        return make
    return note


def options(s, phone, at, code=200, answered=True):
    """The server's qualify, or a proxy's ping."""
    d = Dialog(s.w, s.pbx if not s.pbx.proxy else s.pbx, phone, number=phone.user, caller='asterisk')
    d.reach[phone], uri = s.pbx.bindings[phone.user]
    sent = d.ask(at, s.pbx, 'OPTIONS', initial=True, uri=uri)
    if sent.arrived and answered:
        d.answer(sent.at, sent, code, extra=[('Allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS')])
    return d


def idle(s, phone, at, until):
    """What keeps a phone's mapping alive between messages (RFC 5626 4.4.1, and what phones send instead)."""
    r = s.w.r
    way = r.choice(['crlf', 'crlf', 'zeros', 'options', 'short'])
    while at < until:
        at += r.choice([15, 20, 25, 28])
        if way == 'options':
            options(s, phone, at)
        elif phone.transport == 'udp':
            s.net.udp(at, (phone.host.address, phone.port), s.pbx.address, {'crlf': b'\r\n\r\n', 'zeros': b'\0\0\0\0', 'short': b'\r\n'}[way])
        elif way == 'crlf':
            phone.emit(at, s.pbx.address, b'\r\n\r\n')


@scene('daily')
def registrations(w):
    s = Setting(w, phones=w.r.choice([1, 2, 3, 4]), lifetime=180)
    r, t = w.r, w.now
    for phone in s.phones:
        account = s.account(phone)
        account.expires = r.choice([60, 120, 300, 600, 3600])
        at = account.register(t + r.uniform(0, 3))
        if account.expires <= 120 and at:
            for _ in range(r.randrange(1, 5)):
                at += account.expires * r.choice([.5, .8, .9])
                at = account.register(at, cached=True, stale=s.pbx.style.name == 'pjsip' or r.random() < .3) or at
        elif at:
            idle(s, phone, at, at + r.uniform(40, 200))
        if r.random() < .2 and at:
            account.register(at + 300 if not phone.host.site else at + 25, expires=0)
    return s


@scene('daily', 3)
def plain_calls(w):
    s = Setting(w)
    a, b = s.phones
    t = w.now
    if w.r.random() < .5:
        t = s.registered(t)
    for _ in range(w.r.choice([1, 1, 2])):
        caller, callee = w.r.choice([(a, b), (a, s.trunk), (s.trunk, a), (b, a)])
        call = s.call(caller, callee)
        t = call.setup(t + 1, early=w.r.random() < .25, codes=w.r.choice([(180,), (183,), (180, 183), ()])) or t
        t = call.talk(t + .02, w.r.uniform(3, 9))
        t = call.hang(t + .1)
    return s


@scene('daily')
def no_audio_in_the_capture(w):
    """A filter for port 5060, or a place that the audio passes by."""
    s = Setting(w)
    t = w.now
    for _ in range(w.r.randrange(1, 4)):
        call = s.call(*w.r.sample(s.phones + [s.trunk], 2))
        t = call.setup(t + 1)
        t = call.hang(t + w.r.uniform(4, 90))
    return s


@scene('daily', 2)
def refusals(w):
    """Each outcome of a call that is the caller's or the callee's affair."""
    s = Setting(w)
    a, b = s.phones
    t = w.now
    codes = [404, 486, 480, 603, 600, 484, 410, 302, 408, 403]
    for code in w.r.sample(codes, w.r.randrange(1, 4)):
        if code in (404, 484, 410, 403):
            call = s.call(a, None if s.kind != 'proxy' else s.trunk)
        else:
            call = s.call(a, b)
        extra = [('Contact', '<sip:%s@%s>' % (a.user, s.domain))] if code == 302 else []
        at = call.setup(t + 1, answered=False, codes=(180,) if code in (486, 480, 603, 408) else (), ring=2)
        wait = 33 if code == 408 else w.r.uniform(.1, 5)
        more = [('Reason', 'Q.850;cause=%d' % {486: 17, 480: 19, 603: 21, 404: 1, 408: 102}[code])] if code in (486, 480, 603, 404, 408) and w.r.random() < .4 else []
        t = call.fail(at + wait, code, other={302: 302}.get(code), extra=extra + more)
        if code in (403, 408, 410, 484, 404):
            for d in call.dialogs():
                d.outcome = code
    return s


@scene('daily')
def given_up(w):
    """CANCEL, 487; and the race that the callee wins."""
    s = Setting(w)
    a, b = s.phones
    call = s.call(a, b)
    at = call.setup(w.now + 1, answered=False)
    at += w.r.uniform(1, 9)
    if w.r.random() < .25 and call.far is call.near:
        up = call.near.pick(at, ack=False)
        call.near.dialog.cancel(at + .002, call.near.sent)
        call.near.dialog.ack(up + .03, a)
        call.near.bye(up + .05, a)
        return s
    for leg in call.legs:
        leg.dialog.cancel(at, leg.sent)
        leg.fail(at + .06, 487)
        at += .02
    return s


@scene('daily')
def ring_group(w):
    """The PBX rings all phones, one answers, the others get CANCEL."""
    s = Setting(w, phones=w.r.choice([3, 4, 5]), kind=w.r.choice(['cloud', 'office', 'hosted']))
    caller = s.trunk
    first = s.call(caller, s.phones[0])
    t = first.near.invite(w.now + 1).at
    legs = [first.far] + [s.call(caller, p).second(p, first.near.codecs, p.user) for p in s.phones[1:]]
    for d in [x for x in w.dialogs if x.a is caller and x is not first.near.dialog]:
        w.dialogs.remove(d)
    for d in [x for x in w.dialogs if not hasattr(x, 'keep') and x.a is s.pbx and x not in [leg.dialog for leg in legs]]:
        w.dialogs.remove(d)
    for leg in legs:
        if leg.invite(t + .01).arrived:
            leg.ring(leg.sent.at + .1)
    first.near.ring(t + .2)
    at = t + w.r.uniform(2, 7)
    winner = w.r.choice(legs)
    winner.pick(at)
    first.near.pick(at + .02)
    for leg in legs:
        if leg is not winner and leg.sent.arrived:
            leg.dialog.cancel(at + .03, leg.sent)
            leg.fail(at + .08, 487, extra=[('Reason', 'SIP;cause=200;text="Call completed elsewhere"')] if w.r.random() < .3 else [])
    first.near.talk(at + .1, 4)
    winner.talk(at + .1, 4)
    first.near.bye(at + 4.3, caller)
    winner.bye(at + 4.33, winner.a)
    return s


@scene('daily', 2)
def held(w):
    """Hold and resume, with music, without, with inactive, by either; 0.0.0.0 as old phones still do."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones, 2))
    t = call.setup(w.now)
    t = call.talk(t + .02, 3)
    leg = w.r.choice(call.legs)
    phone = leg.a if leg.a in s.phones else leg.b
    way = w.r.choice(['music', 'silence', 'inactive', 'old'])
    if way == 'inactive':
        leg.again(t, phone, 'inactive', 'inactive')
    elif way == 'old':
        leg.again(t, phone, None, None, body=leg.body(phone, codecs=(leg.codec,), address='0.0.0.0'))
    else:
        leg.again(t, phone, 'sendonly', 'recvonly')
    length = w.r.uniform(5, 25)
    if way == 'music':
        for other in call.legs:
            if other is not leg and s.kind != 'proxy':
                other.talk(t + .2, length, a=other.a not in s.phones or dict(talks=lambda k: True), b=other.b not in s.phones or dict(talks=lambda k: True))
    t += length + .3
    leg.again(t, phone, 'sendrecv', 'sendrecv')
    t = call.talk(t + .15, 3)
    call.hang(t + .1)
    return s


@scene('daily', 2)
def silent_callers(w):
    """Voice activity detection, comfort noise, a muted headset that sends nothing for a while."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2), codecs=w.r.choice([('PCMU',), ('PCMA',), ('opus', 'PCMU')]))
    t = call.setup(w.now)
    way = w.r.choice(['vad', 'cn', 'muted', 'bursts'])
    length = w.r.uniform(9, 16)
    quiet = w.r.randrange(60, 140)
    if way == 'vad':
        mine = dict(talks=lambda k: k < quiet or k % 400 < 90)
    elif way == 'cn':
        mine = dict(talks=lambda k: k < quiet or k > 380, comfort=lambda k: quiet <= k <= 380 and (k - quiet) % w_step == 0)
        w_step = w.r.choice([10, 25, 100])
        for leg in call.legs:
            leg.more = {x: ['a=rtpmap:13 CN/8000'] for x in (leg.a, leg.b)}
    elif way == 'bursts':
        mine = dict(talks=lambda k: k % 250 < 80)
    else:
        mine = dict(talks=lambda k: k < 100 or k > length * 50 - 120)
    t = call.talk(t + .02, length, **({'a': mine} if w.r.random() < .5 else {'b': mine}))
    call.hang(t + .1)
    return s


@scene('daily')
def services(w):
    """What the PBX itself answers: echo, voice mail, an announcement, a conference where one listens, music."""
    s = Setting(w, kind=w.r.choice(['cloud', 'office', 'hosted', 'vpn', 'v6']))
    phone = s.phones[0]
    call = s.call(phone, None, number=w.r.choice(['*97', '600', '8500', '*43', '1000']))
    t = call.setup(w.now, codes=())
    leg = call.near
    way = w.r.choice(['echo', 'voicemail', 'announcement', 'music'])
    if way == 'echo':
        t = call.talk(t + .05, w.r.uniform(4, 10))
    elif way == 'voicemail':     # greeting and tone, then a short message while the PBX is silent
        greeting = w.r.uniform(3, 6)
        leg.talk(t + .05, greeting)
        leg.talk(t + .05 + greeting, w.r.uniform(2, 2.8), b=False)
        t += greeting + 3
    elif way == 'announcement':
        t = call.talk(t + .05, w.r.uniform(2, 6))
    else:
        t = call.talk(t + .05, w.r.uniform(10, 20))
    call.hang(t + .1, w.r.choice('ab'))
    return s


@scene('daily')
def early_announcement(w):
    """183 and a voice that says why, then the refusal."""
    s = Setting(w)
    call = s.call(s.phones[0], s.trunk)
    at = call.setup(w.now, answered=False, codes=(183,), early=True)
    at = call.talk(at, w.r.uniform(3, 12))
    call.fail(at + .1, w.r.choice([404, 480, 486, 503 if False else 480]), extra=[('Reason', 'Q.850;cause=1;text="Unallocated (unassigned) number"')])
    return s


@scene('daily')
def refreshed(w):
    """Session timers that do what they should (RFC 4028), by UPDATE or re-INVITE."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2))
    expires = w.r.choice([90, 180, 600, 1800])
    timer = [('Session-Expires', '%d;refresher=uac' % expires), ('Supported', 'timer'), ('Min-SE', '90')]
    t = call.setup(w.now, extra=timer)
    talking = w.r.random() < .4 and expires <= 180
    up = t
    for turn in range(w.r.randrange(1, 3)):
        if talking:
            call.talk(t + .02, expires / 2 - 1)
        t += expires / 2
        for leg in call.legs:
            leg.again(t, leg.a, method=w.r.choice(['UPDATE', 'INVITE']), extra=timer[:2])
    t += w.r.uniform(3, 30)
    call.hang(t)
    return s


@scene('daily')
def transferred(w):
    """REFER, blind or with Replaces (RFC 3515, RFC 3891), NOTIFY of its course."""
    s = Setting(w, phones=3, kind=w.r.choice(['cloud', 'office', 'hosted', 'proxy']))
    a, b, c = s.phones
    call = s.call(a, b)
    t = call.setup(w.now)
    t = call.talk(t + .02, 3)
    leg = call.near
    attended = w.r.random() < .5
    if attended:
        leg.again(t, a, 'sendonly', 'recvonly')
        second = s.call(a, c)
        t = second.setup(t + 1) or t
        t = second.talk(t + .02, 3)
        target = '<sip:%s@%s?Replaces=%s%%3Bto-tag%%3D%s%%3Bfrom-tag%%3D%s>' % (c.user, s.domain, second.near.dialog.call.replace('@', '%40'),
                                                                               second.near.dialog.tags[second.near.b], second.near.dialog.tags[a])
    else:
        target = '<sip:%s@%s>' % (c.user, s.domain)
    d = leg.dialog
    refer = d.ask(t + .1, a, 'REFER', extra=[('Refer-To', target), ('Referred-By', '<sip:%s@%s>' % (a.user, s.domain))])
    if refer.arrived:
        d.answer(refer.at, refer, 202)
        for i, line in enumerate(['SIP/2.0 100 Trying', 'SIP/2.0 200 OK']):
            note = d.ask(refer.at + .05 + i * .6, leg.b, 'NOTIFY', line + '\r\n', extra=[
                ('Event', 'refer'), ('Subscription-State', 'active;expires=60' if i == 0 else 'terminated;reason=noresource'),
                ('Content-Type', 'message/sipfrag;version=2.0')])
            if note.arrived:
                d.answer(note.at, note, 200 if i == 0 or w.r.random() < .8 else 481)
    leg.bye(t + 1.2, a)
    if attended:
        second.near.bye(t + 1.4, second.near.b)
    if s.kind != 'proxy':
        end = (second.far if attended else call.far)
        if not attended:
            call.far.bye(t + 8, call.far.b)
        else:
            end.bye(t + 8, end.b)
            call.far.bye(t + 8.1, call.far.a)
    return s


@scene('daily')
def presence(w):
    """SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE, and the refusals every office has."""
    s = Setting(w)
    r, t = w.r, w.now
    for phone in s.phones:
        s.open(phone, t)
    for phone in s.phones * 2:
        t += r.uniform(.2, 3)
        method = r.choice(['SUBSCRIBE', 'SUBSCRIBE', 'PUBLISH', 'MESSAGE'])
        d = Dialog(w, phone, s.pbx, number=r.choice([phone.user, '200', '*78']))
        event = r.choice(['message-summary', 'dialog', 'presence', 'as-feature-event', 'ua-profile'])
        extra = [('Event', event), ('Expires', '3600')] if method != 'MESSAGE' else [('Content-Type', 'text/plain')]
        sent = d.ask(t, phone, method, 'hello' if method == 'MESSAGE' else '', extra=extra, initial=True)
        if not sent.arrived:
            continue
        code = r.choice([200, 200, 489, 403, 404, 405, 501]) if method != 'SUBSCRIBE' or event in ('as-feature-event', 'ua-profile') else 200
        back = d.answer(sent.at, sent, code, extra=[('Expires', '3600')] if code == 200 else [])
        if method == 'SUBSCRIBE' and code == 200 and back:
            note = d.ask(back + .02, s.pbx, 'NOTIFY', 'Messages-Waiting: no\r\n', extra=[
                ('Event', event), ('Subscription-State', 'active;expires=3599'), ('Content-Type', 'application/simple-message-summary')])
            if note.arrived:
                d.answer(note.at, note, 200)
        elif r.random() < .4:
            options(s, phone, t + 1, code=r.choice([200, 404, 405, 501]))
    return s


@scene('daily')
def challenged_anew(w):
    """Nonces that expire between refreshes, or count uses: stale=true, and the phone goes on."""
    s = Setting(w, lifetime=180)
    for phone in s.phones:
        account = s.account(phone)
        account.expires = w.r.choice([60, 120, 3600])
        t = account.register(w.now + w.r.random())
        for _ in range(w.r.randrange(2, 5)):
            if t is None:
                break
            t = account.register(t + min(account.expires, 100) * .8, stale=True)
    return s


@scene('daily')
def moved(w):
    """A new public address after a reconnect of the line; a phone carried to another network; a reboot."""
    s = Setting(w, kind=w.r.choice(['cloud', 'proxy']), taps=['pbx'], phones=1, same=True, transport='udp')
    phone = s.phones[0]
    t = s.registered(w.now)
    site = s.sites[0]
    way = w.r.choice(['line', 'carried', 'reboot'])
    if way == 'line':
        del s.net.sites[site.outer]
        site.outer = s.net.public()
        s.net.sites[site.outer] = site
        site.mappings = {}
        account = s.accounts[phone]
        if s.stun:
            phone.said = (site.outer, phone.port)
            phone.media = site.outer
        account.register(t + w.r.uniform(30, 70), cached=False)
    else:
        if way == 'carried':
            other = s.net.site('cafe')
            host = s.net.host(other)
        else:
            host = phone.host
        again = Station(s.net, host, phone.port if way == 'carried' else w.r.randrange(5060, 5099), style=phone.style, user=phone.user, domain=s.domain)
        again.rport, again.password, again.qop = True, phone.password, phone.qop
        s.phones.append(again)
        s.account(again).register(t + w.r.uniform(25, 90))
    return s


@scene('daily')
def slow_line(w):
    """Satellite or a poor mobile link: some messages come twice because the answer takes longer than T1."""
    s = Setting(w, transport='udp')
    for host in [p.host for p in s.phones]:
        host.far = w.r.uniform(.26, .42)
    a, b = s.phones
    account = s.account(a)
    sent = account.send(w.now)
    if not sent.arrived:
        return s
    account.dialog.again(w.now, sent, gaps=(.5,))
    account.nonce = nonce(w, s.pbx)
    back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(account.nonce))
    account.dialog.answer(sent.at + .5, sent, 401, extra=account.challenge(account.nonce))
    sent = account.send(back, given=account.nonce)
    account.dialog.again(sent.hops[0][2].steps[0][1], sent, gaps=(.5,))
    account.granted(sent.at, sent)
    account.granted(sent.at + .5, sent)
    call = s.call(a, s.trunk)
    t = call.setup(back + 3)
    if t:
        t = call.talk(t + .02, 6)
        call.hang(t + .2)
    return s


@scene('daily')
def several_phones(w):
    """Phones behind one address, all of one model, all on 5060, registering at the same moment after a power cut."""
    s = Setting(w, kind='cloud', phones=w.r.randrange(3, 7), same=True, transport='udp')
    style = w.r.choice([p.style for p in s.phones])
    for phone in s.phones:
        phone.style = style
        phone.port = phone.local = 5060
        if not s.stun:
            phone.said = (phone.host.address, 5060)
    t = w.now
    first = []
    for i, phone in enumerate(s.phones):
        account = s.account(phone)
        first.append((account, account.send(t + i * w.r.uniform(.001, .02))))
    second = []
    for account, sent in first:
        account.nonce = nonce(w, s.pbx)
        back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(account.nonce))
        second.append((account, account.send(back + w.r.uniform(0, .02), given=account.nonce)))
    for account, sent in second:
        account.granted(sent.at, sent)
    call = s.call(s.phones[0], s.phones[-1])
    at = call.setup(t + 5)
    if at:
        call.hang(call.talk(at + .02, 4))
    return s


@scene('daily')
def direct_media(w):
    """The PBX moves the audio out of its way by re-INVITE: the phones of one LAN speak with each other."""
    s = Setting(w, kind='office', taps=['pbx', 'lan', 'phone'])
    call = s.call(*s.phones)
    t = call.setup(w.now)
    call.talk(t + .02, w.r.uniform(.3, 1.5))
    t += 1.6
    for leg, other in ((call.near, call.far), (call.far, call.near)):
        me = leg.b if leg is call.near else leg.a
        peer = other.b if other is call.far else other.a
        leg.again(t, me, body=me.speaks(other.ports[peer], (leg.codec,), address=peer.host.address, version=leg.version[me] + 1))
        t += .05
    a, b = call.near, call.far
    length = w.r.uniform(4, 12)
    a.send(t, length, a.a, (b.b.host.address, b.ports[b.b]))
    b.send(t, length, b.b, (a.a.host.address, a.ports[a.a]))
    call.hang(t + length + .1)
    return s


@scene('daily')
def passing_media(w):
    """A proxy that only signals: audio flows between public phones, past the capture."""
    s = Setting(w, kind='proxy', private=False, taps=['pbx'])
    s.relays = False
    call = s.call(*s.phones)
    t = call.setup(w.now)
    if t:
        call.hang(t + w.r.uniform(5, 60))
    return s


@scene('daily')
def changing(w):
    """Codecs change, senders start over, frames are longer one way, a gateway sends from another port than it hears on."""
    s = Setting(w)
    call = s.call(*w.r.sample(s.phones + [s.trunk], 2), codecs=('PCMA', 'PCMU', 'G722'))
    t = call.setup(w.now)
    way = w.r.choice(['codec', 'ssrc', 'ptime', 'asymmetric', 'fax'])
    t = call.talk(t + .02, 3)
    if way == 'codec':
        for leg in call.legs:
            leg.codec = 'PCMU'
            leg.again(t, leg.a)
        t = call.talk(t + .2, 4)
    elif way == 'ssrc':
        for leg in call.legs:
            leg.ids = {x: dict(ssrc=w.r.getrandbits(32)) for x in (leg.a, leg.b)}
        t = call.talk(t, 4)
    elif way == 'ptime':
        t = call.talk(t, 5, a=dict(ptime=w.r.choice([30, 40, 60])) if call.near.codec != 'opus' else True)
    elif way == 'asymmetric':
        for leg in call.legs:
            server = leg.b if leg.b in (s.pbx, s.gate, s.trunk) else leg.a
            if s.kind != 'proxy':
                leg.talk(t, 5, **{'a' if server is leg.a else 'b': dict(port=leg.ports[server] + 64) if not (server.host.site or leg.a.host.site or leg.b.host.site) else True})
        t += 5
    else:
        leg = call.near
        d = leg.dialog
        sent = d.ask(t, leg.b, 'INVITE', leg.body(leg.b).replace('m=audio', 'm=image').replace('RTP/AVP 8 101', 'udptl t38'))
        if sent.arrived:
            back = d.answer(sent.at, sent, 488, contact=False)
            if back:
                d.hop_ack(back, sent)
        t = call.talk(t + .3, 4)
    call.hang(t + .1)
    return s


@scene('daily')
def second_try(w):
    """488 to the first offer and a call with another; 423 to a short expiry; 302 to another number; 491 to crossing re-INVITEs."""
    s = Setting(w)
    a, b = s.phones
    t = w.now
    way = w.r.choice(['423', '491', '420', '401-user'])
    account = s.account(a)
    if way == '423':
        account.expires = 30
        sent = account.send(t)
        if not sent.arrived:
            return s
        account.nonce = nonce(w, s.pbx)
        back = account.dialog.answer(sent.at, sent, 401, extra=account.challenge(account.nonce))
        sent = account.send(back, given=account.nonce)
        back = account.dialog.answer(sent.at, sent, 423, extra=[('Min-Expires', '60')])
        account.expires = 60
        sent = account.send(back + .01, given=account.nonce)
        account.granted(sent.at, sent)
        return s
    call = s.call(a, b)
    t = call.setup(t)
    t = call.talk(t + .02, 3)
    leg = call.near
    if way == '491':
        d = leg.dialog
        one = d.ask(t, leg.a, 'INVITE', leg.body(leg.a, codecs=(leg.codec,)))
        two = d.ask(t + .001, leg.b, 'INVITE', leg.body(leg.b, codecs=(leg.codec,)))
        for sent in (one, two):
            if sent.arrived:
                back = d.answer(max(one.at, two.at or 0) + .01, sent, 491, contact=False)
                if back:
                    d.hop_ack(back, sent)
        leg.again(t + 2.3, leg.a)
    t = call.talk(t + .2, 4)
    call.hang(t)
    return s


@scene('daily')
def knocking(w):
    """Strangers at the door of a public server: scanners that try names or passwords. Nobody's phone is broken."""
    s = Setting(w, kind=w.r.choice(['cloud', 'hosted', 'proxy']), taps=['pbx'], transport='udp')
    r, t = w.r, w.now
    t = s.registered(t)
    stranger = Station(s.net, s.net.host(), r.randrange(5060, 5100), style='polycom', domain=s.pbx.host.address)
    agent = r.choice(['friendly-scanner', 'sipcli/v1.8', 'VaxSIPUserAgent/3.1', 'pplsip', 'Z 3.14.38765 rv2.8.3', None])
    if agent:
        stranger.style = copy.copy(stranger.style)
        stranger.style.agent = agent
    way = r.choice(['names', 'calls', 'options', 'passwords'])
    for i in range(r.choice([25, 40, 120])):
        t += r.uniform(.02, .3)
        if way == 'options':
            d = Dialog(w, stranger, s.pbx, number='100', caller='100')
            sent = d.ask(t, stranger, 'OPTIONS', initial=True, message=None)
            if sent.arrived:
                d.answer(sent.at, sent, r.choice([200, 404]))
            continue
        name = str(100 + i) if way == 'names' else ('00' + str(r.randrange(10 ** 9, 10 ** 11)) if way == 'calls' else '100')
        d = Dialog(w, stranger, s.pbx, number=name, caller=name)
        method = 'INVITE' if way == 'calls' else 'REGISTER'
        fresh = nonce(w, s.pbx)
        sent = d.ask(t, stranger, method, initial=True, extra=[('Contact', '<sip:%s@%s>' % (name, '%s:%d' % stranger.said))], contact=False,
                     body='' if method == 'REGISTER' else stranger.speaks(10000, ('PCMU',)))
        d.answer(sent.at, sent, 401, extra=[('WWW-Authenticate', challenge('asterisk', fresh, None))])
        if way == 'passwords':
            sent = d.ask(sent.at + .03, stranger, 'REGISTER', initial=True, extra=[('Contact', '<sip:%s@%s>' % (name, '%s:%d' % stranger.said)), (
                'Authorization', credentials(r, name, '%06d' % r.randrange(10 ** 6), 'asterisk', fresh, 'REGISTER', 'sip:' + d.domain))], contact=False)
            d.answer(sent.at, sent, 403)
    # Whether trying names or numbers without credentials is told as an attack is the report's affair; nobody else is to be accused.
    for d in w.dialogs:
        if d.a is stranger:
            w.unlabelled.add(d.call)
            w.allow(d, 'auth.attack')
    w.allow(None, 'auth.attack')
    return s
