"""The same talk as text logs of several programs."""
import datetime
import os
import random

from agents import PHONES, SERVERS
from world import Path, Phone, Registration, Scene

STYLES = {s.name: s for s in PHONES + SERVERS}


class Talk:
    """A registration as (time, from the phone?, source, destination, text)."""

    def __init__(self, r, fault):
        self.lines = []
        scene = Scene('log', r)
        path = Path(scene, 'udp', True, False)
        phone = Phone(scene, path, server_style=STYLES['chan_sip'])
        phone.rport = True
        g = Registration(phone)
        self.call, self.phone = g.call, phone
        t = scene.now

        def up(at, message, ext=None):
            self.lines.append((at, True, path.source(ext), path.server, message.octets(phone.style).decode()))
            return message

        def down(at, request, code, nonce=None, stale=False, ext=None):
            path.down, keep = (lambda at2, m, style, e=None, **kw: self.lines.append(
                (at2, False, path.server, path.source(e), m.octets(style).decode()))), path.down
            g.answer(at, request, code, nonce, stale, ext=ext)
            path.down = keep
        if fault:
            a, b, c = (phone.nonce() for _ in range(3))
            first = up(t, g.request())
            second = up(t + .04, g.request(), path.ext - 3)
            down(t + .06, first, 401, a)
            down(t + .08, second, 401, b, ext=path.ext - 3)
            third = up(t + .24, g.request(a))
            self.remark = t + .25
            down(t + .26, third, 401, c, stale=True)
        else:
            a = phone.nonce()
            self.remark = None
            first = up(t, g.request())
            down(t + .03, first, 401, a)
            second = up(t + .06, g.request(a))
            down(t + .09, second, 200)


def endpoint(e):
    return '%s:%d' % e


def chan_sip(talk, typographic=False):
    out = []
    for at, up, source, destination, text in talk.lines:
        if talk.remark and at > talk.remark:
            out.append("[%s] NOTICE[20691]: chan_sip.c:17140 check_auth: Correct auth, but based on stale nonce received from '%s'" % (
                datetime.datetime.fromtimestamp(talk.remark, datetime.timezone.utc).strftime('%Y-%m-%d %H:%M:%S'), talk.phone.aor()))
            talk.remark = None
        if up:
            out += ['<--- SIP read from UDP:%s --->' % endpoint(source), text.rstrip('\r\n').replace('\r\n', '\n'), '<------------->',
                    '--- (%d headers 0 lines) ---' % (text.count('\r\n') - 2)]
        else:
            out += ['', '<--- Transmitting (NAT) to %s --->' % endpoint(destination), text.rstrip('\r\n').replace('\r\n', '\n'), '',
                    '<------------>']
    text = '\n'.join(out) + '\n'
    if typographic:
        text = text.replace('<---', '<—').replace('--->', '—>').replace('"', '”')
    return text


def pjsip(talk):
    out = []
    for at, up, source, destination, text in talk.lines:
        kind = 'response' if text.startswith('SIP/2.0') else 'request'
        out.append('<--- %s SIP %s (%d bytes) %s UDP:%s --->' % (
            'Received' if up else 'Transmitting', kind, len(text), 'from' if up else 'to', endpoint(source if up else destination)))
        out.append(text.replace('\r\n', '\n'))
    return '\n'.join(out)


def sofia(talk):
    out = []
    for at, up, source, destination, text in talk.lines:
        when = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        out.append('%s %d bytes %s udp/[%s]:%d at %s:' % ('recv' if up else 'send', len(text), 'from' if up else 'to',
                   *(source if up else destination), when.strftime('%H:%M:%S.%f')))
        out += ['-' * 72, text.replace('\r\n', '\n'), '']
    return '\n'.join(out)


def sipdump(talk):
    out = []
    for at, up, source, destination, text in talk.lines:
        out += ['=' * 20, 'tag: %s' % ('rcv' if up else 'snd'), 'pid: 4711', 'process: 1', 'time: %.6f' % at,
                'date: %s' % datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime('%a %b %d %H:%M:%S %Y'),
                'proto: udp ipv4', 'srcip: %s' % source[0], 'srcport: %d' % source[1], 'dstip: %s' % destination[0],
                'dstport: %d' % destination[1], '~' * 20, text.replace('\r\n', '\n').rstrip('\n'), '|' * 20]
    return '\n'.join(out) + '\n'


def sngrep(talk):
    out = []
    for at, up, source, destination, text in talk.lines:
        when = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        out.append('%s %s -> %s' % (when.strftime('%Y/%m/%d %H:%M:%S.%f'), endpoint(source), endpoint(destination)))
        out += [text.replace('\r\n', '\n').rstrip('\n'), '']
    return '\n'.join(out)


def opensips(talk):
    out = []
    for at, up, source, destination, text in talk.lines:
        when = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        out.append('%s udp %s %s -> %s' % ('in' if up else 'out', when.strftime('%Y-%m-%d %H:%M:%S'), endpoint(source), endpoint(destination)))
        out += [text.replace('\r\n', '\n').rstrip('\n'), '']
    return '\n'.join(out)


FORMS = [('chan_sip', chan_sip), ('chan_sip-quotes', lambda t: chan_sip(t, True)), ('pjsip', pjsip), ('sofia', sofia),
         ('sipdump', sipdump), ('sngrep', sngrep), ('opensips', opensips)]


def write(out, seed):
    labels = []
    for name, form in FORMS:
        for k in range(6):
            fault = k % 2 == 0
            talk = Talk(random.Random('%s %d %d' % (name, k, seed)), fault)
            file = 'log.%s.%02d.log' % (name, k)
            with open(os.path.join(out, file), 'w', encoding='utf-8') as f:
                f.write(form(talk))
            expected = [dict(finding='auth.stale-out-of-order', call_id=talk.call, severity='fault')] if fault else []
            labels.append(dict(name=file, files=[file], finding='log', kind=name, expected=expected, allowed=[
                dict(finding=x, call_id=talk.call) for x in ('nat.port-jump', 'auth.bad-digest', 'auth.no-answer')] if fault else [],
                healthy=[] if fault else [dict(call_id=talk.call, guards=None)], passwords={}, notes=[]))
    return labels
