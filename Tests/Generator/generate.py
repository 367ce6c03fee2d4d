#!/usr/bin/env python3
"""Makes a labelled corpus of SIP and RTP captures: every fault of the documentation, what looks like it but is none, and much
that is healthy.

    generate.py OUTDIR [--seed N] [--variants N] [--world N] [--only FINDING]

Writes captures, text logs and `labels.json` into OUTDIR. The same arguments give the same octets. Python's standard library
alone; written from the RFCs and from what programs are seen to send, not from what the analyser looks for.
"""
import argparse
import json
import os
import random
import zlib

import auth
import everyday
import healthy
import logs
import media    # noqa: F401  (its scenes enter the list)
import nat      # noqa: F401
import sides    # noqa: F401
import sipfaults    # noqa: F401
from world import Scene


def mixed(name, r, k):
    """Nothing but health: a dozen dialogs at once."""
    s = Scene(name, r)
    s.talks = k % 2 == 0
    for _ in range(r.randrange(6, 14)):
        start = s.now + r.uniform(0, 20)
        kind = r.random()
        if kind < .4:
            healthy.registers(s, start)
        elif kind < .9:
            healthy.calls(s, start)
        else:
            healthy.subscribes(s, start)
    return s


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--variants', type=int, default=24)
    parser.add_argument('--world', type=int, default=12, help='variants of each story of the world')
    parser.add_argument('--only', default='')
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    labels = []
    scenes = [(f, kind, make) for f, kind, make in auth.SCENES] + [('healthy', 'mix', mixed)]
    for finding, kind, make in scenes:
        if not finding.startswith(options.only):
            continue
        count = options.variants * (3 if finding == 'healthy' else 1)
        for k in range(count):
            name = '%s.%s.%02d' % (finding, kind, k)
            r = random.Random(zlib.crc32(name.encode()) ^ options.seed)
            s = make(name, r, k)
            made = s.files()
            for file, octets in made.items():
                with open(os.path.join(options.out, file), 'wb') as f:
                    f.write(octets)
            labels.append(dict(s.label(list(made)), finding=finding, kind=kind))
    def save(file, octets):
        with open(os.path.join(options.out, file), 'wb') as f:
            f.write(octets)
    labels += everyday.write(save, options.seed, options.world, options.only)
    if not options.only:
        labels += logs.write(options.out, options.seed)
    with open(os.path.join(options.out, 'labels.json'), 'w') as f:
        json.dump(dict(version=1, seed=options.seed, scenes=labels), f, indent=1)
    print('%d scenes, %d files, %d findings, %d healthy dialogs' % (
        len(labels), sum(len(x['files']) for x in labels), sum(len(x['expected']) for x in labels),
        sum(len(x['healthy']) for x in labels)))


if __name__ == '__main__':
    main()
