"""Scenes about RTP (RFC 3550): one way, none, from elsewhere, and how it sounds."""
import healthy
from agents import sdp
from auth import late, scene
from world import Call, Path, Phone, Scene


def plain(s, k, transport=None, codec=None, v6=None, nat=None, out=None):
    """A call between ends that know their public addresses."""
    path = healthy.place(s, transport, nat, v6)
    phone = healthy.public_phone(s, path)
    call = Call(phone, out=(k % 2 == 0) if out is None else out)
    if codec:
        call.codecs, call.codec = (codec, 'PCMA') if codec not in ('PCMA',) else ('PCMA',), codec
    return call


def other_media(s, at):
    healthy.calls(s, at, media=True, way='plain', length=3)


@scene('media.one-way', 'pos')
def one_way(name, r, k):
    s = Scene(name, r)
    s.talks = True
    codec = ['PCMU', 'PCMA', 'G722', 'opus', 'G729'][k % 5]
    call = plain(s, k, codec=codec)
    end = call.setup(s.now, early=k % 4 == 3)
    length = r.uniform(4.5, 8)
    up = k % 3 != 0
    if k % 6 == 5:               # at first both ways, then one dies
        call.talk(call.answered + .05, 1.5, up=not up, down=up)
        length += 2
    call.talk(call.answered + .05, length, up=up, down=not up)
    call.hang(call.answered + length + .3)
    s.expect('media.one-way', call.call, 'fault')
    other_media(s, s.now + 1)
    return s


@scene('media.one-way', 'neg')
def not_one_way(name, r, k):
    s = Scene(name, r)
    s.talks = True
    way = k % 5
    call = plain(s, k, codec='PCMU' if way in (1, 2) else None, out=True)
    t = s.now
    if way == 0:                 # on hold: one side sends music, the other must not
        end = call.setup(t)
        call.talk(call.answered + .05, 2)
        end = call.reinvite(call.answered + 2.1, 'server', 'sendonly', 'recvonly')
        call.talk(end, 6, up=False)
        end = call.reinvite(end + 6, 'server', 'sendrecv', 'sendrecv')
        call.talk(end, 2)
        end += 2
    elif way == 1:               # silence suppressed, comfort noise instead (RFC 3389)
        answer = call.offer('server', codecs=('PCMU',), extra=['a=rtpmap:13 CN/8000'])
        end = call.setup(t, answer=answer)
        start = call.answered + .05
        ssrc = r.getrandbits(32)
        s.rtp('out', start, 1, call.phone_media(), call.server_media, 'PCMU', ssrc=ssrc)
        s.comfort('out', start + 1.02, 6, call.phone_media(), call.server_media, ssrc)
        call.talk(start, 7, up=False)
        end = start + 7
    elif way == 2:               # discontinuous: bursts of speech, seconds of nothing, markers
        end = call.setup(t)
        start = call.answered + .05
        call.talk(start, 9, up=dict(talk=lambda n: n % 200 < 60), down=True)
        end = start + 9
    elif way == 3:               # the tap sees one leg of every call
        end = call.setup(t)
        call.talk(call.answered + .05, 5, down=False)
        end = call.answered + 5
        for i in range(2):
            other = plain(s, i, out=True)
            other.setup(t + i)
            other.talk(other.answered + .05, 5, down=False)
            other.hang(other.answered + 5.2)
            s.fine(other.call, 'media.one-way')
    else:                        # an announcement: the callee only speaks, by its own word
        end = call.setup(t, answer=call.offer('server', codecs=(call.codec,), direction='sendonly'))
        call.talk(call.answered + .05, 5, up=False)
        end = call.answered + 5
    call.hang(end + .2)
    s.fine(call.call, 'media.one-way')
    if way != 3:
        other_media(s, t + 1)
    return s


@scene('media.none', 'pos')
def no_media(name, r, k):
    s = Scene(name, r)
    s.talks = True
    call = plain(s, k)
    end = call.setup(s.now, auth=k % 3 == 0)
    call.hang(call.answered + r.uniform(5, 9))
    s.expect('media.none', call.call, 'fault')
    other_media(s, s.now + 1)
    if k % 2:
        other_media(s, s.now + 3)
    return s


@scene('media.none', 'neg')
def no_media_expected(name, r, k):
    s = Scene(name, r)
    s.talks = True
    way = k % 4
    if way == 0:                 # a tap on signalling alone
        for i in range(3):
            call = plain(s, i)
            call.setup(s.now + i)
            call.hang(call.answered + 8)
            s.fine(call.call, 'media.none')
    elif way == 1:               # agreed on nothing: inactive
        call = plain(s, k)
        call.setup(s.now, offer=call.offer(call.ends()[0], direction='inactive'),
                   answer=call.offer(call.ends()[1], codecs=(call.codec,), direction='inactive'))
        call.hang(call.answered + 7)
        s.fine(call.call, 'media.none')
        other_media(s, s.now)
    elif way == 2:               # over before a word
        call = plain(s, k)
        call.setup(s.now)
        call.hang(call.answered + .3)
        s.fine(call.call, 'media.none')
        other_media(s, s.now)
    else:                        # refused media
        call = plain(s, k)
        a, b = call.ends()
        call.setup(s.now, answer=call.offer(b, codecs=(call.codec,)).replace('m=audio %d' % (
            call.server_media[1] if b == 'server' else call.port), 'm=audio 0'))
        call.hang(call.answered + 6)
        s.fine(call.call, 'media.none')
        s.allow('sdp.mismatch', call.call)
        other_media(s, s.now)
    return s


@scene('media.wrong-source', 'pos')
def wrong_source(name, r, k):
    s = Scene(name, r)
    s.talks = True
    call = plain(s, k, v6=False)
    end = call.setup(s.now)
    stranger = (s.address('public'), r.randrange(5000, 30000) * 2)
    start = call.answered + .05
    length = r.uniform(4, 6)
    way = k % 3
    if way == 0:                 # the server's audio comes from another host; it works
        call.talk(start, length, down=False)
        s.rtp('out', start, length, stranger, call.phone_media(), call.codec)
        s.expect('media.wrong-source', call.call, 'note')
    elif way == 1:               # the phone's audio comes from elsewhere, besides what it should send
        call.talk(start, length)
        s.rtp('out', start + .5, length - 1, stranger, call.server_media, call.codec)
        s.expect('media.wrong-source', call.call, 'note')
    else:                        # from elsewhere, and nothing the other way
        if k % 2:
            s.rtp('out', start, length, stranger, call.server_media, call.codec)
        else:
            s.rtp('out', start, length, stranger, call.phone_media(), call.codec)
        s.expect('media.wrong-source', call.call, 'risk')
        s.allow('media.one-way', call.call)
    call.hang(start + length + .2)
    other_media(s, s.now + 1)
    return s


@scene('media.wrong-source', 'neg')
def symmetric(name, r, k):
    s = Scene(name, r)
    s.talks = True
    path = Path(s, 'udp', True, False)
    phone = healthy.public_phone(s, path)
    call = Call(phone, out=k % 2 == 0)
    # The NAT gave audio another port than the phone said: the server answers to where it hears from (RFC 4961).
    call.ext_port = r.randrange(5000, 30000) * 2
    call.setup(s.now)
    call.talk(call.answered + .05, 4)
    call.hang(call.answered + 4.2)
    s.fine(call.call, 'media.wrong-source')
    other_media(s, s.now + 1)
    return s


@scene('media.quality', 'pos')
def poor(name, r, k):
    s = Scene(name, r)
    s.talks = True
    codec = ['PCMU', 'PCMA', 'G722', 'G729', 'opus', 'GSM'][k % 6]
    call = plain(s, k, codec=codec)
    if codec == 'GSM':
        call.codecs = ('GSM',)
    call.setup(s.now)
    start, length = call.answered + .05, r.uniform(6, 9)
    count = int(length * 50)
    way = k % 4
    if way == 0:                 # every tenth or so, at random
        lost = {i for i in range(count) if r.random() < .1 + .05 * (k % 3)}
        bad = dict(loss=lambda n: n in lost)
    elif way == 1:               # bursts
        lost = set()
        while len(lost) < count * .12:
            at = r.randrange(10, count)
            lost.update(range(at, at + r.randrange(4, 12)))
        bad = dict(loss=lambda n: n in lost)
    elif way == 2:               # delay that varies wildly
        bad = dict(jitter=r.uniform(.08, .15))
    else:                        # both
        lost = {i for i in range(count) if r.random() < .08}
        bad = dict(loss=lambda n: n in lost, jitter=.05)
    call.talk(start, length, up=bad if k % 2 else True, down=True if k % 2 else bad)
    call.hang(start + length + .3)
    s.expect('media.quality', call.call, 'fault')
    other_media(s, s.now + 1)
    return s


@scene('media.quality', 'neg')
def good(name, r, k):
    s = Scene(name, r)
    s.talks = True
    way = k % 6
    codec = ['PCMU', 'G722', 'opus', 'PCMA', 'G729', 'PCMA'][k // 2 % 6]
    call = plain(s, k, codec=codec)
    calls = [call]
    call.setup(s.now)
    start, length = call.answered + .05, 6
    if way == 0:                 # one in three hundred
        call.talk(start, length, up=dict(loss=lambda n: n % 280 == 150))
    elif way == 1:               # the sender starts over: a new SSRC, or the same with numbers reset
        ssrc = r.getrandbits(32)
        call.talk(start, 3, up=dict(ssrc=ssrc, sequence=500), down=True)
        call.talk(start + 3, 3, up=dict(ssrc=ssrc if k % 4 == 1 else r.getrandbits(32), sequence=40000))
    elif way == 2:               # the capture itself lost a second: everything at once
        start = s.now + 5
        for i in range(2):
            other = plain(s, i)
            other.setup(s.now + .1 * i)
            calls.append(other)
        for each in calls:
            begins = start
            gap = lambda n: 100 <= n < 130
            each.talk(begins, length, up=dict(loss=gap), down=dict(loss=gap))
    elif way == 3:               # now and then a packet overtakes another
        call.talk(start, length, up=dict(swap=.01))
    elif way == 4:               # frames of 30 or 40 ms
        call.talk(start, length, ptime=40 if codec in ('PCMU', 'PCMA', 'G722') else 20)
    else:                        # payload numbers wrap round, timestamps too
        call.talk(start, length, up=dict(sequence=65500, stamp=0xffffff00), down=dict(sequence=65400))
    for each in calls:
        each.hang(start + length + .3)
        s.fine(each.call, 'media.quality')
    if way != 2:
        other_media(s, s.now + 1)
    return s
