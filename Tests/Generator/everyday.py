"""The world's scenes: many settings, each story in whichever place, tap and dress its number gives it."""
import random
import zlib

import daily
import dress
import mishaps
import oddities
import troubles
from calls import World
from settings import Impossible


MODULES = [daily, oddities, troubles, mishaps]


def one(kind, name, make, seed, k):
    title = '%s.%s.%04d' % (kind, name, k)
    start = zlib.crc32(title.encode()) ^ seed * 2654435761
    for turn in range(20):
        r = random.Random(start + turn)
        w = World(title, r)
        try:
            s = make(w)
            break
        except Impossible:
            continue
    text = None
    # A server's own log, where the tap is the server and the messages went over UDP.
    if not w.form and w.tap == 'pbx' and s.transport == 'udp' and r.random() < .12 and not kind.startswith(('media', 'codec')):
        text = (s.pbx.style.name, s.center.address)
    files = dress.files(w, title, text=text, **(w.form or {}))
    seen = dress.visible(w)
    label = w.label(list(files))
    label['expected'] = [e for e in label['expected'] if not e['call_ids'] or seen & set(e['call_ids'])]
    label['clean'] = not any(e['severity'] in ('fault', 'risk') for e in label['expected'])
    label['healthy'] = [h for h in label['healthy'] if h['call_id'] in seen]
    label.update(finding=kind, kind=name, tap=w.tap, place=s.kind)
    return label, files


def write(save, seed, variants, only=''):
    """`save(name, octets)`; returns the labels."""
    labels = []
    for module in MODULES:
        for kind, name, make, weight in module.SCENES:
            if only and not ('%s.%s' % (kind, name)).startswith(only):
                continue
            for k in range(variants * weight):
                label, files = one(kind, name, make, seed, k)
                for file, octets in files.items():
                    save(file, octets)
                labels.append(label)
    return labels
