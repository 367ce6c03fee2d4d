"""How various SIP programs write their messages: header order, names, spacing, Call-ID, tags, branches, bodies.

Written after what such programs are seen to send; no program's text is reproduced whole.
"""
import hashlib

COMPACT = {'Via': 'v', 'From': 'f', 'To': 't', 'Call-ID': 'i', 'Contact': 'm', 'Content-Type': 'c', 'Content-Length': 'l',
           'Supported': 'k', 'Subject': 's'}
COMMON = ['Via', 'Record-Route', 'Route', 'Max-Forwards', 'From', 'To', 'Contact', 'Call-ID', 'CSeq']


class Style:
    """One program's handwriting."""

    def __init__(self, name, agent, order, names=None, call_id='hex@host', branch='z9hG4bK%s', allow=None, length=': ',
                 contact='', sdp_name='-', session='-', rport=True, colon=': ', via_rport_first=False, default_port=False):
        self.name, self.agent, self.order, self.names = name, agent, order, names or {}
        self.call_id, self.branch, self.allow, self.length, self.contact = call_id, branch, allow, length, contact
        self.sdp_name, self.session, self.rport, self.colon = sdp_name, session, rport, colon
        self.via_rport_first, self.default_port = via_rport_first, default_port


PHONES = [
    Style('sipp', None, ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Max-Forwards', 'Subject', 'Expires'],
          call_id='sipp', branch='z9hG4bK-%s-1-0', length=':   ', sdp_name='user1', via_rport_first=True),
    Style('linphone', 'Linphone/3.12.0 (belle-sip/1.6.3)',
          ['Via', 'From', 'To', 'CSeq', 'Call-ID', 'Max-Forwards', 'Supported', 'Allow', 'Content-Type', 'Content-Length',
           'Contact', 'Expires', 'User-Agent', 'Authorization'],
          call_id='token', branch='z9hG4bK.%s', contact=';+sip.instance="<urn:uuid:%s>"', session='Talk'),
    Style('baresip', 'baresip v1.1.0 (x86_64/linux)',
          ['Via', 'Contact', 'Max-Forwards', 'To', 'From', 'Call-ID', 'CSeq', 'User-Agent', 'Allow', 'Supported', 'Expires',
           'Authorization'],
          call_id='token', branch='z9hG4bK%s', contact=';expires=3600', allow='INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,INFO'),
    Style('cisco', 'Cisco-CP7960G/8.0',
          ['Via', 'From', 'To', 'Call-ID', 'Max-Forwards', 'Date', 'CSeq', 'User-Agent', 'Contact', 'Expires', 'Authorization',
           'Content-Length', 'Content-Type'],
          call_id='cisco@host', sdp_name='Cisco-SIPUA', session='SIP Call', rport=False, branch='z9hG4bK%s'),
    Style('yealink', 'Yealink SIP-T42G 29.83.0.50',
          ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Content-Type', 'Authorization', 'Allow', 'Max-Forwards',
           'User-Agent', 'Expires', 'Allow-Events', 'Supported', 'Content-Length'],
          call_id='digits@host', session='SDP data', allow='INVITE, INFO, PRACK, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER'),
    Style('grandstream', 'Grandstream GXP2160 1.0.9.69',
          ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'Authorization', 'X-Grandstream-PBX', 'Max-Forwards', 'User-Agent',
           'Supported', 'Expires', 'Allow', 'Content-Type', 'Content-Length'],
          call_id='digits-5060-1@BJC.host', contact=';reg-id=1', session='SIP Call'),
    Style('polycom', 'PolycomVVX-VVX_411-UA/5.9.0.9373',
          ['Via', 'From', 'To', 'CSeq', 'Call-ID', 'Contact', 'Allow', 'User-Agent', 'Accept-Language', 'Supported',
           'Authorization', 'Max-Forwards', 'Expires', 'Content-Type', 'Content-Length'],
          call_id='hex', rport=False, session='Polycom IP Phone'),
    Style('compact', 'X-Lite 4.9',
          ['Via', 'Max-Forwards', 'Contact', 'To', 'From', 'Call-ID', 'CSeq', 'Expires', 'Supported', 'User-Agent',
           'Content-Length'],
          names=COMPACT, call_id='token', branch='z9hG4bK-d8754z-%s-1---d8754z-', via_rport_first=True),
    Style('lower', 'ExamplePhone 2 (odd cases)',
          ['Via', 'Call-ID', 'CSeq', 'From', 'To', 'Max-Forwards', 'Contact', 'User-Agent'],
          names={'Via': 'via', 'Call-ID': 'Call-Id', 'CSeq': 'Cseq', 'From': 'FROM', 'To': 'to', 'Contact': 'CONTACT',
                 'Content-Length': 'content-length', 'Max-Forwards': 'max-forwards', 'Authorization': 'authorization'},
          colon=' : ', call_id='hex@host'),
    Style('snom', 'snom370/8.7.3.25',
          ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards', 'User-Agent', 'Contact', 'Allow', 'Supported', 'Authorization',
           'Expires', 'Content-Length'],
          call_id='snom', branch='z9hG4bK-%s', contact=';reg-id=1', sdp_name='root', session='call'),
]
SERVERS = [
    Style('chan_sip', 'Asterisk PBX 13.18.3', ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Server', 'User-Agent', 'Allow', 'Supported',
          'WWW-Authenticate', 'Contact', 'Content-Type', 'Content-Length'], branch='z9hG4bK%s', call_id='hex@host:5060',
          sdp_name='root', session='Asterisk PBX 13.18.3', contact=''),
    Style('pjsip', 'Asterisk PBX 20.6.0', ['Via', 'Call-ID', 'From', 'To', 'CSeq', 'WWW-Authenticate', 'Server', 'Allow', 'Contact',
          'Supported', 'Content-Type', 'Content-Length'], branch='z9hG4bKPj%s', call_id='uuid', length=':  ', session='Asterisk'),
    Style('kamailio', 'kamailio (5.7.4 (x86_64/linux))', ['Via', 'Record-Route', 'From', 'To', 'Call-ID', 'CSeq',
          'WWW-Authenticate', 'Contact', 'Server', 'Content-Length'], branch='z9hG4bK%s.0', call_id='hex@host'),
    Style('freeswitch', 'FreeSWITCH-mod_sofia/1.10.9', ['Via', 'Max-Forwards', 'From', 'To', 'Call-ID', 'CSeq', 'Contact',
          'User-Agent', 'Accept', 'Allow', 'Supported', 'WWW-Authenticate', 'Content-Type', 'Content-Length'], branch='z9hG4bK%s',
          call_id='uuid', sdp_name='FreeSWITCH', session='FreeSWITCH'),
]


class Message:
    """A SIP message as ordered (canonical name, value) pairs."""

    def __init__(self, start, headers, body=''):
        self.start, self.headers, self.body = start, list(headers), body

    def get(self, name):
        return next((v for n, v in self.headers if n == name), None)

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def put(self, name, value):
        """Replaces the first header of that name, or appends it."""
        for i, (n, _) in enumerate(self.headers):
            if n == name:
                self.headers[i] = (name, value)
                return
        self.headers.append((name, value))

    def copy(self):
        return Message(self.start, self.headers, self.body)

    def octets(self, style, length=None):
        """As the program of that style writes it. `length`: a false Content-Length."""
        headers = list(self.headers)
        if self.body and self.get('Content-Type') is None:
            headers.append(('Content-Type', 'application/sdp'))
        headers.append(('Content-Length', str(len(self.body) if length is None else length)))
        rank = {n: i for i, n in enumerate(style.order)}
        headers.sort(key=lambda h: rank.get(h[0], 50))
        lines = [self.start]
        for name, value in headers:
            gap = style.length if name == 'Content-Length' else style.colon
            lines.append(style.names.get(name, name) + gap + value)
        return ('\r\n'.join(lines) + '\r\n\r\n' + self.body).encode()


def call_id(r, style, host):
    h = '%032x' % r.getrandbits(128)
    bracketed = '[%s]' % host if ':' in host else host
    return {
        'hex@host': h + '@' + bracketed, 'hex@host:5060': h + '@' + bracketed + ':5060', 'hex': h[:24],
        'sipp': '1-%d@%s' % (r.randrange(1000, 99999), bracketed), 'token': h[:16],
        'cisco@host': '%s-%s-%s-%s@%s' % (h[:8], h[8:16], h[16:24], h[24:], bracketed),
        'digits@host': '0_%d@%s' % (r.randrange(10 ** 9), bracketed),
        'digits-5060-1@BJC.host': '%d-5060-1@BJC.BGI.B.%s' % (r.randrange(10 ** 9), host.split('.')[-1].replace(':', '')),
        'snom': h[:12] + '-' + h[12:24], 'uuid': '%s-%s-%s-%s-%s' % (h[:8], h[8:12], h[12:16], h[16:20], h[20:]),
    }[style.call_id]


def md5(text, sha=False):
    return (hashlib.sha256 if sha else hashlib.md5)(text.encode()).hexdigest()


def credentials(r, user, password, realm, nonce, method, uri, qop=None, nc=1, algorithm='MD5', spoil=None, said_user=None):
    """RFC 7616/2617 credentials. `spoil`: which input is wrong ('password', 'realm', 'uri', 'method', 'user', 'qop')."""
    sha = algorithm.startswith('SHA')
    ha_user = user + 'x' if spoil == 'user' else user
    ha1 = md5('%s:%s:%s' % (ha_user, 'asterisk' if spoil == 'realm' else realm,
                            password + '!' if spoil == 'password' else password), sha)
    ha2 = md5('%s:%s' % ('INVITE' if spoil == 'method' else method, 'sip:elsewhere' if spoil == 'uri' else uri), sha)
    cnonce = '%08x' % r.getrandbits(32)
    if qop:
        used = 'auth-int' if spoil == 'qop' else qop
        answer = md5('%s:%s:%08x:%s:%s:%s' % (ha1, nonce, nc, cnonce, used, ha2), sha)
    else:
        answer = md5('%s:%s:%s' % (ha1, nonce, ha2), sha)
    text = 'Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=%s' % (
        said_user or user, realm, nonce, uri, answer, algorithm)
    if qop:
        text += ', cnonce="%s", qop=%s, nc=%08x' % (cnonce, qop, nc)
    return text


def challenge(realm, nonce, qop=None, stale=False, algorithm='MD5'):
    text = 'Digest realm="%s", nonce="%s", algorithm=%s' % (realm, nonce, algorithm)
    if qop:
        text += ', qop="%s"' % qop
    return text + (', stale=true' if stale else '')


CODECS = {'PCMU': (0, 8000), 'PCMA': (8, 8000), 'G722': (9, 8000), 'G729': (18, 8000), 'GSM': (3, 8000), 'opus': (111, 48000),
          'speex': (97, 16000), 'iLBC': (98, 8000)}


def sdp(r, style, address, port, codecs=('PCMU', 'PCMA'), direction=None, origin=None, extra=(), numbers=None, dtmf=101,
        ptime=None, proto='RTP/AVP', version=None, media_level=False):
    """RFC 8866. `numbers`: payload types other than the usual; `origin`: the address in o=."""
    family = 'IP6' if ':' in address else 'IP4'
    numbers = numbers or {}
    types = [(numbers.get(c, CODECS[c][0]), c, CODECS[c][1]) for c in codecs]
    listed = [str(t) for t, _, _ in types] + ([str(dtmf)] if dtmf else [])
    ident = version or r.randrange(10 ** 8)
    lines = ['v=0', 'o=%s %d %d IN %s %s' % (style.sdp_name, ident, ident, 'IP6' if ':' in (origin or address) else 'IP4',
                                           origin or address), 's=' + style.session]
    if not media_level:
        lines.append('c=IN %s %s' % (family, address))
    lines += ['t=0 0', 'm=audio %d %s %s' % (port, proto, ' '.join(listed))]
    if media_level:
        lines.append('c=IN %s %s' % (family, address))
    for number, name, clock in types:
        if number >= 96 or r.random() < .8:
            lines.append('a=rtpmap:%d %s/%d%s' % (number, name, clock, '/2' if name == 'opus' else ''))
    if dtmf:
        lines += ['a=rtpmap:%d telephone-event/8000' % dtmf, 'a=fmtp:%d 0-16' % dtmf]
    if ptime:
        lines.append('a=ptime:%d' % ptime)
    lines += list(extra)
    if direction:
        lines.append('a=' + direction)
    return '\r\n'.join(lines) + '\r\n'
