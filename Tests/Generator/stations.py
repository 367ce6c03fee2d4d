"""SIP stations on a network: phones, servers and the proxies between them, and dialogs that run along such a chain (RFC 3261).

A station writes what it believes of itself (`said`); where its packets come from is the network's affair. Servers that mend NAT answer
to the source (RFC 3581) and send later requests to where the phone was heard from, as Asterisk's force_rport and rewrite_contact,
Kamailio's nathelper and FreeSWITCH's NDLB settings make them.
"""
from agents import PHONES, SERVERS, Message, call_id, challenge, credentials, sdp

STYLES = {s.name: s for s in PHONES + SERVERS}
REASONS = {100: 'Trying', 180: 'Ringing', 183: 'Session Progress', 200: 'OK', 202: 'Accepted', 302: 'Moved Temporarily', 400: 'Bad Request',
           401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 407: 'Proxy Authentication Required',
           408: 'Request Timeout', 410: 'Gone', 415: 'Unsupported Media Type', 420: 'Bad Extension', 423: 'Interval Too Brief',
           477: 'Unfortunately error on sending to next hop occurred (477/SL)', 480: 'Temporarily Unavailable',
           481: 'Call/Transaction Does Not Exist', 482: 'Loop Detected', 483: 'Too Many Hops', 484: 'Address Incomplete',
           486: 'Busy Here', 487: 'Request Terminated', 488: 'Not Acceptable Here', 489: 'Bad Event', 491: 'Request Pending',
           500: 'Server Internal Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Server Time-out',
           600: 'Busy Everywhere', 603: 'Decline', 606: 'Not Acceptable'}


class Station:
    """`mends`: answers to the source and sends there; `proxy`: forwards; `said`: (address, port) it writes of itself."""

    def __init__(self, net, host, port=5060, style=None, user=None, transport='udp', said=None, mends=False, proxy=False, domain=None):
        r = net.r
        self.net, self.host, self.port, self.transport, self.mends, self.proxy = net, host, port, transport, mends, proxy
        self.style = style if style and not isinstance(style, str) else STYLES[style or r.choice(PHONES).name]
        self.user = user or str(r.randrange(100, 900))
        self.said = said or (host.address, port)
        self.domain = domain
        self.password = '%08x' % r.getrandbits(32)
        self.realm = None
        self.instance = '%08x-0000-4000-8000-%012x' % (r.getrandbits(32), r.getrandbits(48))
        self.rport = self.style.rport or mends
        self.qop = r.choice([None, 'auth', 'auth'])
        self.media = host.address     # what it says in c=
        self.local = port if transport == 'udp' else r.randrange(32768, 60000)
        self.bindings = {}            # of a server: user -> (where to send, the Contact URI)

    @property
    def address(self):
        return (self.host.address, self.port)

    @staticmethod
    def written(address, port, default=False):
        text = '[%s]' % address if ':' in address else address
        return text if default and port == 5060 else '%s:%d' % (text, port)

    def via(self, branch):
        rport = ';rport' if self.rport else ''
        middle = rport + ';branch=' + branch if self.style.via_rport_first else ';branch=' + branch + rport
        return 'SIP/2.0/%s %s%s' % (self.transport.upper(), self.written(*self.said), middle)

    def branch(self):
        return self.style.branch % ('%012x' % self.net.r.getrandbits(48))

    def contact(self, user=None):
        more = ';transport=tcp' if self.transport == 'tcp' else ''
        return 'sip:%s@%s%s' % (user or self.user, self.written(*self.said, default=self.style.default_port), more)

    def extra(self, method='INVITE'):
        more = [('Max-Forwards', '70')]
        if self.style.agent:
            more.append(('User-Agent', self.style.agent))
        if self.style.allow or method == 'INVITE':
            more.append(('Allow', self.style.allow or 'INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, UPDATE'))
        return more

    def emit(self, at, destination, octets, source=None):
        source = (self.host.address, source or self.local)
        if self.transport == 'tcp':
            return self.net.tcp(at, source, destination, octets)
        return self.net.udp(at, source, destination, octets)

    def speaks(self, port, codecs, **options):
        return sdp(self.net.r, self.style, options.pop('address', self.media), port, codecs, **options)


class Sent:
    """A request on its way: each hop (from, to, the way, the message as it left), and the message as it arrived, if it did."""

    def __init__(self, message):
        self.first, self.message, self.hops, self.at, self.arrived = message, None, [], None, False

    @property
    def seen(self):
        """Where the last receiver saw it come from."""
        return self.hops[-1][2].source


def received(message, way, station):
    """The top Via as a server completes it (RFC 3261 18.2.1, RFC 3581)."""
    done = message.copy()
    for i, (name, value) in enumerate(done.headers):
        if name == 'Via':
            host = value.split(' ')[1].split(';')[0]
            if way.source and station.style in SERVERS:
                if ';rport' in value and ';rport=' not in value:
                    value = value.replace(';rport', ';rport=%d' % way.source[1], 1) + ';received=' + way.source[0]
                elif host.rpartition(':')[0] != way.source[0] or station.mends:
                    value += ';received=%s' % way.source[0] + (';rport=%d' % way.source[1] if station.mends and station.style.name != 'kamailio' else '')
            done.headers[i] = (name, value)
            break
    return done


class Dialog:
    """Two stations, proxies between them, one Call-ID. `reach`: where each end is sent to by its neighbour."""

    def __init__(self, world, a, b, proxies=(), call=None, to=None, number=None, caller=None, domain=None):
        r = world.r
        self.world, self.net, self.a, self.b, self.proxies = world, world.net, a, b, list(proxies)
        self.call = call or call_id(r, a.style, a.said[0])
        self.tags = {a: '%08x' % r.getrandbits(32), b: 'as%08x' % r.getrandbits(32)}
        self.cseq = {a: r.choice([1, 20, 101, r.randrange(1, 9999)]), b: r.choice([1, 101, r.randrange(1, 9999)])}
        self.number = number or b.user
        self.caller = caller or a.user
        self.domain = domain or a.domain or (self.proxies[0] if self.proxies else b).host.address
        if ':' in self.domain:
            self.domain = '[%s]' % self.domain
        self.reach = {a: a.address, b: to or b.address}
        self.targets = {}
        self.routes = []
        self.relay = {}           # whose description -> the port of the proxy's relay that stands for it
        world.dialogs.append(self)

    def relayed(self, body, proxy, who):
        """A description as a media relay beside the proxy rewrites it: c= and the port; o= stays."""
        lines = []
        for line in body.split('\r\n'):
            if line.startswith('c='):
                line = 'c=IN %s %s' % ('IP6' if ':' in proxy.host.address else 'IP4', proxy.host.address)
            elif line.startswith('m=audio ') and not line.startswith('m=audio 0 '):
                line = ' '.join(['m=audio', str(self.relay[who])] + line.split(' ')[2:])
            lines.append(line)
        return '\r\n'.join(lines)

    def chain(self, who):
        whole = [self.a] + self.proxies + [self.b]
        return whole if who is self.a else whole[::-1]

    def other(self, who):
        return self.b if who is self.a else self.a

    def uris(self):
        return {self.a: '<sip:%s@%s>' % (self.caller, self.domain), self.b: '<sip:%s@%s>' % (self.number, self.domain)}

    def build(self, who, method, body='', extra=(), cseq=None, branch=None, initial=False, uri=None, contact=True):
        peer = self.other(who)
        if cseq is None:
            self.cseq[who] += 1
            cseq = self.cseq[who]
        names = self.uris()
        source = names[who] + ';tag=' + self.tags[who]
        target = names[peer] + ('' if initial else ';tag=' + self.tags[peer])
        if uri is None:
            uri = 'sip:%s@%s' % (self.number, self.domain) if initial else self.targets.get(peer, peer.contact())
            if initial and who is self.a and not self.proxies and peer.style not in SERVERS:
                uri = self.targets.get(peer) or peer.contact()
        headers = [('Via', who.via(branch or who.branch())), ('From', source), ('To', target), ('Call-ID', self.call),
                   ('CSeq', '%d %s' % (cseq, method))] + who.extra(method) + list(extra)
        if not initial and self.routes and method != 'CANCEL':
            order = self.routes if who is self.b else self.routes[::-1]
            headers += [('Route', x) for x in order]
        if contact and method in ('INVITE', 'SUBSCRIBE', 'REFER', 'UPDATE', 'NOTIFY'):
            headers.append(('Contact', '<%s>' % who.contact(self.caller if who is self.a else self.number)))
        return Message('%s %s SIP/2.0' % (method, uri), headers, body)

    def ask(self, at, who, method, body='', message=None, source=None, stop=None, **options):
        """Sends a request along the chain as far as it gets. `stop`: the proxy where it ends (it will answer)."""
        message = message or self.build(who, method, body, **options)
        sent = Sent(message)
        sent.method, sent.who = method, who
        chain = self.chain(who)
        initial = ';tag=' not in message.get('To')
        for x, y in zip(chain, chain[1:]):
            last = y is chain[-1]
            way = x.emit(at, self.reach[y] if last else y.address, message.octets(x.style), source if x is who else None)
            sent.hops.append((x, y, way, message))
            if not way.host:
                return sent
            at = way.at + self.world.pace(y)
            message = received(message, way, y)
            if y.mends and x is chain[0]:
                self.reach[x] = way.source
            if y.proxy and not last:
                if stop is y:
                    break
                message = message.copy()
                message.headers = [h for h in message.headers if h[0] != 'Route']
                message.headers.insert(0, ('Via', y.via(y.branch())))
                if initial and method in ('INVITE', 'SUBSCRIBE'):
                    mark = '<sip:%s;lr>' % y.written(*y.said, default=True)
                    message.headers.insert(1, ('Record-Route', mark))
                    if mark not in self.routes:
                        self.routes.append(mark)
                if self.relay and message.body:
                    message.body = self.relayed(message.body, y, who)
                if y.mends and x is chain[0] and message.get('Contact') and x.style not in SERVERS:
                    # add_contact_alias, fix_nated_contact
                    message.put('Contact', '<%s>' % x.contact(self.caller if x is self.a else self.number).replace(
                        x.written(*x.said, default=x.style.default_port), '%s:%d' % way.source))
                message.put('Max-Forwards', str(int(message.get('Max-Forwards') or 70) - 1))
            elif last and message.get('Contact'):
                # A server that mends sends to the source whatever Contact says.
                contact = message.get('Contact').split('>')[0].strip('<')
                if y.mends and y.style.name == 'pjsip' and x is chain[0]:
                    contact = 'sip:%s@%s:%d' % ((x.user,) + way.source)
                self.targets[chain[0]] = contact
        sent.message, sent.at, sent.arrived = message, at, len(sent.hops) == len(chain) - 1
        sent.stop = stop
        return sent

    def answer(self, at, sent, code, body='', extra=(), contact=True, reason=None, stop=None, tag=None):
        """The answer goes back hop by hop. `stop`: the proxy that keeps it (a challenge answered, a fork lost). Returns when it got there,
        or nothing where it was lost."""
        hops = sent.hops
        who = hops[-1][1]
        request = sent.message or received(hops[-1][3], hops[-1][2], who)
        headers = []
        for name, value in request.headers:
            if name == 'To' and 'tag=' not in value and code > 100:
                mine = tag or self.tags.get(who) or '%08x' % self.net.r.getrandbits(32)
                value += ';tag=' + mine
            if name in ('Via', 'From', 'To', 'Call-ID', 'CSeq') or (name == 'Record-Route' and 100 < code < 300):
                headers.append((name, value))
        method = sent.method
        if contact and 100 < code < 300 and method in ('INVITE', 'SUBSCRIBE', 'UPDATE', 'REFER'):
            headers.append(('Contact', '<%s>' % who.contact(self.caller if who is self.a else self.number)))
        headers += list(extra)
        if who.style.agent:
            headers.append(('Server' if who.style in SERVERS else 'User-Agent', who.style.agent))
        reply = Message('SIP/2.0 %d %s' % (code, reason or REASONS[code]), headers, body)
        for x, y, way, _ in reversed(hops):
            back = self.reply_way(at, y, way, self.back_to(y, way, reply), reply)      # y answers x
            if not back.host:
                return None
            at = back.at + self.world.pace(x)
            if x is hops[0][0] and reply.get('Contact') and 100 < code < 300:
                self.targets[who] = reply.get('Contact').split('>')[0].strip('<')
            if x.proxy and x is not hops[0][0]:
                if x is stop:
                    return at
                reply = reply.copy()
                index = next(i for i, h in enumerate(reply.headers) if h[0] == 'Via')
                del reply.headers[index]
                if self.relay and reply.body:
                    reply.body = self.relayed(reply.body, x, who)
                if x.mends and reply.get('Contact') and y.style not in SERVERS and self.reach[y] != y.address:
                    reply.put('Contact', reply.get('Contact').replace(y.written(*y.said, default=y.style.default_port), '%s:%d' % self.reach[y]))
        return at

    def trying(self, sent, index):
        """100 goes one hop and no further (RFC 3261 16.7)."""
        _, y, way, message = sent.hops[index]
        request = received(message, way, y)
        reply = Message('SIP/2.0 100 ' + ('trying -- your call is important to us' if y.style.name == 'kamailio' else 'Trying'), [
            (n, v) for n, v in request.headers if n in ('Via', 'From', 'To', 'Call-ID', 'CSeq')] + (
                [('Server' if y.style in SERVERS else 'User-Agent', y.style.agent)] if y.style.agent else []))
        self.reply_way(way.at + .0008, y, way, self.back_to(y, way, reply), reply)

    @staticmethod
    def back_to(y, way, reply):
        """Where a station answers: to the source (RFC 3581), or to the port in Via (RFC 3261 18.2.2)."""
        top = reply.get('Via')
        if y.mends or 'rport=' in top or y.transport == 'tcp' or y.style not in SERVERS:
            return way.source
        return (way.source[0], int(top.split(' ')[1].split(';')[0].rpartition(':')[2]))

    def reply_way(self, at, y, way, to, reply):
        octets = reply.octets(y.style)
        if y.transport == 'tcp' or self.via_is_tcp(reply):
            key = (way.steps[0][2], way.steps[0][3])
            return self.net.tcp(at, way.destination, key[0], octets) if key in self.net.connections else self.net.tcp(
                at, way.destination, to, octets)
        return self.net.udp(at, way.destination, to, octets)

    @staticmethod
    def via_is_tcp(message):
        return message.get('Via').startswith('SIP/2.0/TCP')

    def again(self, at, sent, gaps=(.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)):
        """The same request once more from where it got lost, as timers A and E have it."""
        x, y, way, message = sent.hops[-1]
        last = y is self.chain(sent.who)[-1]
        for gap in gaps:
            x.emit(at + gap, self.reach[y] if last else y.address, message.octets(x.style))

    def ack(self, at, who, message=None, **options):
        """For a 2xx: a request of its own along the chain."""
        return self.ask(at, who, 'ACK', cseq=self.cseq[who], message=message, **options)

    def hop_ack(self, at, sent):
        """For a refusal: each hop acknowledges by itself, same branch (RFC 3261 17.1.1.3)."""
        for x, y, way, message in sent.hops[::-1]:
            ack = Message(message.start.replace(sent.method, 'ACK', 1), [
                h for i, h in enumerate(message.headers) if h[0] in ('From', 'Call-ID', 'Max-Forwards', 'Route')
                or (h[0] == 'Via' and i == next(j for j, g in enumerate(message.headers) if g[0] == 'Via'))] + [
                    ('To', message.get('To') + ('' if 'tag=' in message.get('To') else ';tag=' + self.tags[self.other(sent.who)])),
                    ('CSeq', message.get('CSeq').split(' ')[0] + ' ACK')])
            x.emit(at, way.steps[0][3], ack.octets(x.style))

    def cancel(self, at, sent):
        """Hop by hop, each answered 200 by the next."""
        for x, y, way, message in sent.hops:
            via = message.get('Via')
            stop = Message(message.start.replace('INVITE', 'CANCEL', 1), [('Via', via)] + [
                (n, message.get(n)) for n in ('From', 'To', 'Call-ID', 'Max-Forwards') if message.get(n)] + [
                    ('CSeq', message.get('CSeq').split(' ')[0] + ' CANCEL')])
            gone = x.emit(at, way.steps[0][3], stop.octets(x.style))
            if not gone.host:
                return
            ok = received(stop, gone, y)
            self.reply_way(gone.at + .001, y, gone, gone.source, Message('SIP/2.0 200 OK', ok.headers))
            at = gone.at + .003
