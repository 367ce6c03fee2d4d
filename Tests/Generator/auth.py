"""Scenes about digest authentication (RFC 3261 22, RFC 7616)."""
import healthy
from agents import Message
from world import Call, Path, Phone, Registration, Scene

SCENES = []


def scene(finding, kind):
    def note(make):
        SCENES.append((finding, kind, make))
        return make
    return note


def phone_of(s, transport=None, nat=None, v6=None, **more):
    path = healthy.place(s, transport, nat, v6)
    return Phone(s, path, **more)


def late(s, at):
    """Something healthy later, so that the capture does not end with the matter."""
    healthy.registers(s, at)


@scene('auth.stale-out-of-order', 'pos')
def out_of_order(name, r, k):
    s = Scene(name, r, vantage=['out', 'in'][k % 3 == 2])
    phone = phone_of(s)
    g = Registration(phone)
    t = s.now
    ext = phone.path.ext
    jump = (ext + 3) if phone.path.nat and phone.path.transport == 'udp' and k % 4 == 0 else ext
    count = 3 if k % 5 == 4 else 2
    nonces = [phone.nonce() for _ in range(count)]
    code = 407 if k % 7 == 6 else 401
    requests = [g.send(t + i * .04, g.request(), jump if i else ext) for i in range(count)]
    order = list(range(count))
    early = k % 2
    answers = {}
    for i in order:
        answers[i] = t + .15 + i * .05
        if not (i == count - 1 and early):
            g.answer(answers[i], requests[i], code, nonces[i], ext=jump if i else ext)
    reply = max(answers.values()) + .02
    if early:                    # the last challenge crosses the answer on its way
        g.answer(reply - .001, requests[-1], code, nonces[-1], ext=jump if count > 1 else ext)
    third = g.send(reply, g.request(nonces[0]), ext)
    fresh = phone.nonce()
    ending = k % 4
    if ending == 3:
        g.answer(reply + .03, third, 403, ext=ext)
    else:
        g.answer(reply + .03, third, code, fresh, stale=ending != 2, ext=ext)
        if ending == 1:
            again = g.send(reply + .07, g.request(fresh), ext)
            g.answer(reply + .1, again, 200, ext=ext)
        elif ending == 0:        # and once more the same
            a = g.send(reply + 20, g.request(), ext)
            b = g.send(reply + 20.04, g.request(), jump)
            x, y = phone.nonce(), phone.nonce()
            g.answer(reply + 20.1, a, code, x, ext=ext)
            g.answer(reply + 20.12, b, code, y, ext=jump)
            c = g.send(reply + 20.16, g.request(x), ext)
            g.answer(reply + 20.2, c, code, phone.nonce(), stale=True, ext=ext)
    s.expect('auth.stale-out-of-order', g.call, 'fault')
    for other in ('nat.port-jump', 'auth.bad-digest', 'auth.no-answer', 'auth.stale-late', 'auth.nonce-reuse'):
        s.allow(other, g.call)
    healthy.fill(s, t)
    late(s, t + 40)
    return s


@scene('auth.stale-out-of-order', 'neg')
def not_out_of_order(name, r, k):
    s = Scene(name, r)
    phone = phone_of(s, 'udp' if k % 4 in (0, 3) else None)
    g = Registration(phone)
    t = s.now
    way = k % 4
    nonce, other = phone.nonce(), phone.nonce()
    first = g.send(t, g.request())
    if way == 0:                 # the REGISTER was repeated, so was its challenge
        g.send(t + .5, first)
        g.answer(t + .52, first, 401, nonce)
        g.answer(t + .54, first, 401, nonce)
        last = g.send(t + .6, g.request(nonce))
    elif way == 1:               # two challenges, and the newest is answered
        second = g.send(t + .03, g.request())
        g.answer(t + .06, first, 401, nonce)
        g.answer(t + .08, second, 401, other)
        last = g.send(t + .1, g.request(other))
    elif way == 2:               # two devices of one account, a challenge each
        h = Registration(Phone(s, healthy.place(s), user=phone.user, domain=phone.domain))
        second = h.send(t + .01, h.request())
        g.answer(t + .04, first, 401, nonce)
        h.answer(t + .05, second, 401, other)
        last = h.send(t + .07, h.request(other))
        h.answer(t + .1, last, 200)
        s.fine(h.call, 'auth.stale-out-of-order')
        last = g.send(t + .08, g.request(nonce))
    else:                        # a server without memory challenges the repetition anew; the first answer is as good
        g.send(t + .5, first)
        g.answer(t + .52, first, 401, nonce)
        g.answer(t + .56, first, 401, other)
        last = g.send(t + .58, g.request(nonce))
    g.answer(t + .7, last, 200)
    s.fine(g.call, 'auth.stale-out-of-order')
    healthy.fill(s, t)
    return s


@scene('auth.stale-late', 'pos')
def stale_late(name, r, k):
    s = Scene(name, r, vantage=['out', 'in'][k % 2])
    phone = phone_of(s)
    g = Registration(phone)
    t = s.now
    slow = [32, 45, 61, 95, 130, 310, 601, 40][k % 8]
    for turn in range(1 + k % 3):
        nonce = phone.nonce()
        first = g.send(t, g.request())
        g.answer(t + .03, first, 401, nonce)
        second = g.send(t + slow, g.request(nonce))
        fresh = phone.nonce()
        g.answer(t + slow + .03, second, 401, fresh, stale=True)
        t += slow + 20
    if k % 2:
        third = g.send(t - 20 + .1, g.request(fresh))
        g.answer(t - 20 + .13, third, 200)
    s.expect('auth.stale-late', g.call, 'fault' if k % 2 == 0 else 'risk')
    s.allow('auth.no-answer', g.call)
    healthy.fill(s, s.now)
    late(s, t + 40)
    return s


@scene('auth.stale-late', 'neg')
def not_stale_late(name, r, k):
    s = Scene(name, r)
    phone = phone_of(s)
    g = Registration(phone)
    t = s.now
    if k % 2:                    # a nonce used before, cached, and stale once at a refresh: RFC 7616 3.3 at work
        end, nonce = g.register(t, expires=120)
        end = healthy.refresh(g, end + 90, nonce, 'stale')
    else:                        # slow, and accepted
        nonce = phone.nonce()
        first = g.send(t, g.request())
        g.answer(t + .03, first, 401, nonce)
        second = g.send(t + r.choice([5, 20, 28]), g.request(nonce))
        g.answer(t + 28.1, second, 200)
    s.fine(g.call, 'auth.stale-late')
    healthy.fill(s, t)
    return s


@scene('auth.nonce-reuse', 'pos')
def reuse(name, r, k):
    s = Scene(name, r, vantage=['out', 'in'][k % 2])
    phone = phone_of(s)
    phone.qop = 'auth'
    g = Registration(phone)
    t, nonce = g.register(s.now, expires=120)
    for turn in range(2 + k % 3):
        t += r.uniform(20, 60)
        again = g.send(t, g.request(nonce, nc=1))
        new = phone.nonce()
        g.answer(t + .03, again, 401, new, stale=k % 2 == 0)
    if k % 4 == 3:
        last = g.send(t + .06, g.request(new))
        g.answer(t + .1, last, 200)
    s.expect('auth.nonce-reuse', g.call, 'fault')
    for other in ('auth.bad-digest', 'auth.stale-late', 'auth.no-answer', 'auth.stale-out-of-order'):
        s.allow(other, g.call)
    healthy.fill(s, s.now)
    late(s, t + 40)
    return s


@scene('auth.nonce-reuse', 'neg')
def not_reuse(name, r, k):
    s = Scene(name, r)
    phone = phone_of(s)
    phone.qop = [None, 'auth', 'auth'][k % 3]
    g = Registration(phone)
    t, nonce = g.register(s.now, expires=60)
    for turn in range(2, 5):
        t += r.uniform(20, 28)
        again = g.send(t, g.request(nonce, nc=turn))
        if k % 3 == 2 and phone.path.transport == 'udp':
            g.send(t + .5, again)
        g.answer(t + .53, again, 200)
    s.fine(g.call, 'auth.nonce-reuse')
    healthy.fill(s, s.now)
    return s


@scene('auth.bad-digest', 'pos')
def bad_digest(name, r, k):
    s = Scene(name, r, vantage=['out', 'in'][k % 2])
    phone = phone_of(s)
    if k % 3 == 0:
        s.passwords[phone.user] = phone.password
    t = s.now
    spoil = ['password', 'realm', 'uri', 'user', 'method', 'password'][k % 6]
    algorithm = 'SHA-256' if k % 5 == 4 else 'MD5'
    g = Registration(phone)
    for turn in range(1 + k % 3):
        nonce = phone.nonce()
        first = g.send(t, g.request())
        g.answer(t + .03, first, 401, nonce, algorithm=algorithm)
        second = g.send(t + .05, g.request(nonce, spoil=spoil, algorithm=algorithm))
        if k % 2:
            g.answer(t + .08, second, 403)
        else:
            new = phone.nonce()
            g.answer(t + .08, second, 401, new, algorithm=algorithm)
            third = g.send(t + .1, g.request(new, spoil=spoil, algorithm=algorithm))
            g.answer(t + .13, third, 401 if k % 4 else 403, phone.nonce() if k % 4 else None, algorithm=algorithm)
        t += 30
    s.expect('auth.bad-digest', g.call, 'fault')
    s.allow('auth.no-answer', g.call)
    healthy.fill(s, s.now)
    late(s, t + 35)
    return s


@scene('auth.bad-digest', 'neg')
def good_digest(name, r, k):
    s = Scene(name, r)
    phone = phone_of(s)
    if k % 2:
        s.passwords[phone.user] = phone.password
    phone.qop = r.choice([None, 'auth'])
    algorithm = r.choice(['MD5', 'SHA-256'])
    g = Registration(phone)
    nonce = phone.nonce()
    first = g.send(s.now, g.request())
    g.answer(s.now + .03, first, 401, nonce, algorithm=algorithm)
    second = g.send(s.now + .05, g.request(nonce, algorithm=algorithm))
    if k % 3 == 0:
        new = phone.nonce()
        g.answer(s.now + .08, second, 401, new, stale=True, algorithm=algorithm)
        second = g.send(s.now + .1, g.request(new, algorithm=algorithm))
        s.allow('auth.stale-late', g.call)
        s.allow('auth.nonce-reuse', g.call)
    g.answer(s.now + .13, second, 200)
    s.fine(g.call, 'auth.bad-digest')
    healthy.fill(s, s.now)
    return s


@scene('auth.no-answer', 'pos')
def no_answer(name, r, k):
    s = Scene(name, r, vantage=['out', 'in'][k % 2])
    phone = phone_of(s)
    t = s.now
    if k % 3 == 2:               # an INVITE, challenged and given up
        call = Call(healthy.public_phone(s, phone.path))
        invite = call.request('INVITE', 'phone', call.offer(), initial=True)
        call.send(t, invite, 'phone')
        call.send(t + .03, call.reply(invite, 407, 'Proxy Authentication Required', 'server',
                                      extra=[phone.challenge(phone.nonce(), proxy=True)]), 'server')
        branch = invite.get('Via').split('branch=')[1].split(';')[0]
        call.send(t + .05, call.request('ACK', 'phone', cseq=call.cseq['phone'], branch=branch,
                                        uri=invite.start.split(' ')[1]), 'phone')
        s.expect('auth.no-answer', call.call, 'fault')
    else:
        g = Registration(phone)
        for turn in range(1 + k % 4):
            first = g.send(t, g.request())
            g.answer(t + .03, first, 401, phone.nonce())
            t += r.uniform(20, 60)
        s.expect('auth.no-answer', g.call, 'fault')
    healthy.fill(s, s.now)
    late(s, t + 50)
    return s


@scene('auth.no-answer', 'neg')
def no_answer_yet(name, r, k):
    s = Scene(name, r)
    t = s.now
    if k % 2:                    # the capture ends here
        phone = phone_of(s)
        g = Registration(phone)
        first = g.send(t, g.request())
        g.answer(t + .03, first, 401, phone.nonce())
        s.fine(g.call, 'auth.no-answer')
    else:                        # a scanner tries many names
        path = Path(s, 'udp', nat=False)
        agent = r.choice(['friendly-scanner', 'sipcli/v1.8', 'VaxSIPUserAgent/3.1', 'pplsip', 'sundayddr'])
        for i in range(r.randrange(12, 30)):
            scanner = Phone(s, path, user=str(100 + i), style=[x for x in healthy.PHONES if x.name == 'polycom'][0],
                            domain=path.server[0])
            if k % 4 == 0:
                g = Registration(scanner)
                request = g.request()
                request.put('User-Agent', agent)
                g.send(t, request)
                g.answer(t + .02, request, 401, scanner.nonce())
                s.fine(g.call, 'auth.no-answer')
            else:
                call = Call(scanner)
                request = call.request('INVITE', 'phone', call.offer(), initial=True)
                request.put('User-Agent', agent)
                call.send(t, request, 'phone')
                call.send(t + .02, call.reply(request, 401, 'Unauthorized', 'server', extra=[scanner.challenge(scanner.nonce())]),
                          'server')
                s.fine(call.call, 'auth.no-answer')
            s.allow('auth.attack', (g if k % 4 == 0 else call).call)
            t += r.uniform(.1, .4)
        late(s, t + 60)
    return s
