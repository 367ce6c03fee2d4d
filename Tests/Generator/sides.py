"""Scenes seen from both sides of a router: with a SIP helper of some kind, with none, and with a B2BUA in its place."""
import re

import healthy
from agents import PHONES, call_id, sdp
from auth import scene
from world import Call, Path, Phone, Registration, Scene

BY_NAME = {s.name: s for s in PHONES}


class Helper:
    """A box that meddles. `ways`: which parts; 'via', 'contact', 'uri', 'from', 'call-id', 'sdp', 'sdp-c', 'length', 'branch',
    'agent', 'received', 'proxy', 'authorization', 'no-port'."""

    def __init__(self, ways):
        self.ways = set(ways)
        self.branches = {}

    def text(self, octets):
        return octets

    def _swap(self, message, old, new, server, upward):
        """`old`, `new`: (address, port) of the phone on the side it comes from and the side it goes to."""
        done = message.copy()
        a, b = '%s:%d' % old, '%s:%d' % new
        bare = re.compile(re.escape(old[0]) + r'(?!\d)(:%d(?!\d))?' % old[1])
        put = new[0] if 'no-port' in self.ways else b

        def change(value):
            if 'no-port' in self.ways:
                return re.sub(re.escape(old[0]) + r'(?!\d)', new[0], value)
            return bare.sub(put, value)
        headers = []
        via_seen = False
        for name, value in done.headers:
            if name == 'Via' and not via_seen:
                via_seen = True
                if 'via' in self.ways:
                    sent, semicolon, params = value.partition(';')
                    value = change(sent) + semicolon + params
                if 'received' in self.ways:
                    value = re.sub(r'received=' + re.escape(old[0]) + r'(?!\d)', 'received=' + new[0], value)
                    value = re.sub(r'rport=%d(?!\d)' % old[1], 'rport=%d' % new[1], value)
                if 'branch' in self.ways:
                    branch = value.split('branch=')[1].split(';')[0]
                    other = self.branches.get(branch)
                    if other is None:
                        other = branch + 'x%x' % len(self.branches)
                        self.branches[branch], self.branches[other] = other, branch
                    value = value.replace(branch, other)
            elif name == 'Contact' and 'contact' in self.ways:
                value = change(value)
            elif name in ('From', 'To') and 'from' in self.ways:
                value = change(value)
            elif name == 'Call-ID' and 'call-id' in self.ways:
                value = value.replace(old[0], new[0])
            elif name == 'User-Agent' and 'agent' in self.ways and upward:
                value = 'SIP Device'
            elif name in ('Authorization', 'Proxy-Authorization') and 'authorization' in self.ways:
                value = value.replace('uri="sip:', 'uri="sip:x-')
            elif name == 'Max-Forwards' and 'proxy' in self.ways and upward:
                value = str(int(value) - 1)
            headers.append((name, value))
        if 'proxy' in self.ways:
            mark = 'SIP/2.0/UDP %s:5060;branch=z9hG4bKalg%s' % (new[0] if upward else old[0], message.get('CSeq').split(' ')[0])
            if upward and not message.start.startswith('SIP/2.0'):
                headers.insert(0, ('Via', mark))
            elif not upward and message.start.startswith('SIP/2.0'):
                first = next(i for i, h in enumerate(headers) if h[0] == 'Via')
                if 'alg' in headers[first][1]:
                    headers.pop(first)
        done.headers = headers
        if 'uri' in self.ways and not done.start.startswith('SIP/2.0'):
            done.start = change(done.start)
        if done.body and ('sdp' in self.ways or 'sdp-c' in self.ways):
            lines = []
            for line in done.body.split('\r\n'):
                if line.startswith('c=') or (line.startswith('o=') and 'sdp' in self.ways):
                    line = re.sub(re.escape(old[0]) + r'(?!\d)', new[0], line)
                lines.append(line)
            done.body = '\r\n'.join(lines)
        return done

    def up(self, message, inner, outer, server):
        return self._swap(message, inner, outer, server, True)

    def down(self, message, inner, outer, server):
        return self._swap(message, outer, inner, server, False)


# What is known of boxes (documented behaviour), and what each leaves its mark on.
BOXES = [
    ('linux', ['via', 'contact', 'uri', 'from', 'received', 'sdp']),
    ('speedtouch-780', ['via', 'contact']),
    ('junos', ['via', 'contact', 'uri', 'call-id', 'sdp']),
    ('quicksec', ['via', 'contact', 'uri', 'from', 'call-id', 'sdp']),
    ('asa', ['via', 'contact', 'sdp-c']),
    ('watchguard', ['via', 'contact', 'agent', 'sdp']),
    ('branch', ['via', 'contact', 'branch', 'sdp']),
    ('contact-only', ['contact']),
    ('via-only', ['via']),
    ('no-port', ['via', 'contact', 'sdp', 'no-port']),
    ('call-id', ['call-id', 'via', 'branch', 'contact']),
    ('sdp-only', ['sdp']),
]


def session(s, path, k, label):
    """A registration and a call through the path, told of by `label(call_id)`; returns the inner Call-IDs and the phone."""
    r = s.r
    style = r.choice([x for x in PHONES if x.name != 'polycom'])
    phone = Phone(s, path, style=style)
    phone.rport = True
    t = s.now
    done = []
    if k % 3 != 2:
        g = Registration(phone, call='%x@%s' % (r.getrandbits(64), path.inner) if k % 2 else None)
        end, _ = g.register(t)
        t = end + 1
        done.append(g.call)
    if k % 3 != 0 or k % 2:
        call = Call(phone, out=k % 4 != 3, call='%x@%s' % (r.getrandbits(64), path.inner) if k % 2 and k % 4 != 3 else None)
        if not call.out and path.alg and not path.alg.ways & {'contact', 'uri'}:
            call.out = True
        end = call.setup(t, auth=call.out and k % 5 == 0)
        call.hang(call.answered + r.uniform(2, 5))
        done.append(call.call)
    for cid in done:
        label(cid)
    return done, phone


@scene('alg.rewritten', 'pos')
def rewritten(name, r, k):
    s = Scene(name, r, pair=True)
    box, ways = BOXES[k % len(BOXES)]
    path = Path(s, 'udp' if k % 5 else 'tcp', True, False, alg=Helper(ways))
    done = []
    k2 = k if set(ways) & {'via', 'contact'} else 1 + 3 * (k % 5)     # what touches bodies only needs a call
    session(s, path, k2, done.append)
    for cid in done:
        is_register = k2 % 3 != 2 and cid == done[0]
        if box == 'sdp-only' and is_register:
            continue
        s.expect('alg.rewritten', cid, 'fault', box=box, ways=ways, call_ids=[cid, cid.replace(path.inner, path.outer)])
    for cid in list(done) + [c.replace(path.inner, path.outer) for c in done]:
        for other in ('nat.private-contact', 'nat.private-sdp', 'alg.suspected', 'auth.bad-digest', 'nat.rport-missing', 'sdp.mismatch'):
            s.allow(other, cid)
    # A neighbour whose messages the box leaves alone.
    other = Path(s, 'udp', True, False, outer=path.outer, server=None, port=5090 + k % 7)
    neighbour = Phone(s, other, said=(other.outer, other.ext))
    g = Registration(neighbour)
    g.register(s.now + 2)
    s.fine(g.call, 'alg.rewritten')
    return s


@scene('alg.rewritten', 'neg')
def only_nat(name, r, k):
    s = Scene(name, r, pair=True)
    path = Path(s, 'udp' if k % 4 else 'tcp', True, False)
    while k % 2 and path.ext == path.port:
        path.ext = r.randrange(1024, 65000)
    done = []
    session(s, path, k, done.append)
    for cid in done:
        s.fine(cid, 'alg.rewritten')
        s.allow('nat.private-contact', cid)
        s.allow('nat.private-sdp', cid)
    for i in range(1 + k % 3):
        other = Path(s, 'udp', True, False, outer=path.outer)
        phone = healthy.public_phone(s, other)
        g = Registration(phone)
        g.register(s.now + 1 + i)
        s.fine(g.call, 'alg.rewritten')
    return s


@scene('alg.rewritten', 'neg-b2bua')
def b2bua(name, r, k):
    """A B2BUA between: the calls of its two sides have nothing in common but who calls whom, by design."""
    s = Scene(name, r, pair=True)
    inside = Path(s, 'udp', True, False)
    outside = Path(s, 'udp', False, False, outer=inside.outer)
    outside.inner = inside.outer
    box = (inside.inner.rsplit('.', 1)[0] + '.1', 5060)
    real, inside.server = inside.server, box
    phone = Phone(s, inside)
    phone.rport = True
    other_style = r.choice(healthy.PHONES[:3])
    trunk = Phone(s, outside, user=phone.user, domain=phone.domain, style=BY_NAME['yealink'])
    outside.server = real
    t = s.now
    a = Call(phone)
    b = Call(trunk, number=a.number)
    keep = s.pair

    def only(side, act):
        """Acts while the other tap sees nothing of it."""
        s.pair, s.vantage = False, side
        result = act()
        s.pair = keep
        return result
    seed = r.random()
    only('in', lambda: a.setup(t, ring=2))
    only('out', lambda: b.setup(t + .02, ring=2))
    only('in', lambda: a.hang(t + 9, 'phone'))
    only('out', lambda: b.hang(t + 9.02, 'phone'))
    for cid in (a.call, b.call):
        s.fine(cid, 'alg.rewritten')
        s.allow('nat.private-contact', cid)
        s.allow('nat.private-sdp', cid)
    return s
