#!/usr/bin/env python3
"""What another analyser and tshark say of the labelled corpus, to be set beside score.py's table.

    compare.py CORPUS [--sip-doctor PROGRAM] [--tshark PROGRAM] [--variants N] [--markdown FILE]

Of each finding N scenes where the fault is present, of whatever kind. sip-doctor: the labelled dialog has an error or a warning about
this matter (`named`), or any at all (`accused`). tshark has no verdicts: a scene counts when its expert information marks a SIP
or SDP frame as a warning or an error, or its table of RTP streams marks a problem. Healthy dialogs with an error or a warning of
sip-doctor are its false alarms; of everyday traffic four scenes of each story are taken.
"""
import argparse
import collections
import gzip
import json
import os
import subprocess
import tempfile
import zlib

# Their topics that tell the same as a finding of ours.
TOPICS = {
    'auth.bad-digest': {'auth-failed'}, 'auth.no-answer': {'auth-no-credentials'},
    'nat.private-contact': {'nat-contact'}, 'nat.private-sdp': {'nat-sdp'},
    'media.one-way': {'one-way-audio', 'audio-stopped'}, 'media.none': {'no-audio'}, 'media.wrong-source': {'rtp-source-mismatch'},
    'media.quality': {'poor-audio'}, 'sip.no-ack': {'missing-ack'}, 'sip.retransmit': {'no-response', 'invite-retransmitted'},
    'sip.timer-drop': {'session-timer', 'reinvite-rejected', 'missing-ack'}, 'sip.fragmented': {'large-udp'},
    'tcp.refused': {'tcp-refused', 'tcp-reset'}, 'tcp.unanswered': {'tcp-no-answer', 'tcp-timeout', 'tcp-unanswered'},
    'sdp.mismatch': {'status-488', 'status-606', 'no-common-codec'}, 'codec.not-negotiated': {'unexpected-codec'},
}


def output(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60).stdout.decode(errors='replace')
    except subprocess.TimeoutExpired:
        return ''


def doctor(program, path):
    """Call-ID: topics of errors and warnings."""
    if path.endswith('.gz'):
        # Told uncompressed, so that this is about SIP.
        with tempfile.NamedTemporaryFile(suffix='.pcap') as plain:
            with gzip.open(path) as packed:
                plain.write(packed.read())
            plain.flush()
            text = output(program, 'read', '--json', plain.name)
    else:
        text = output(program, 'read', '--json', path)
    try:
        done = json.loads(text)
        dialogs = done['dialogs']
    except (ValueError, KeyError):
        return {}
    said = collections.defaultdict(list)
    for dialog in dialogs:
        for finding in dialog.get('findings', []):
            if finding['severity'] in ('error', 'warn', 'warning'):
                said[dialog['call_id']].append(str(finding['topic']))
    for connection in done.get('connections') or []:
        said[None] += [str(f['topic']) for f in connection.get('findings', []) if f['severity'] in ('error', 'warn', 'warning')]
    return said


def tshark(program, path):
    """Whether it marks anything a person would follow up."""
    expert = output(program, '-r', path, '-Y', '(sip || sdp) && _ws.expert.severity >= "Warning"', '-T', 'fields', '-e', 'frame.number')
    if expert.strip():
        return True
    rows = output(program, '-r', path, '-q', '-z', 'rtp,streams', '-o', 'rtp.heuristic_rtp:TRUE').splitlines()
    return any(row.rstrip().endswith('X') for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('corpus')
    parser.add_argument('--sip-doctor', default='sip-doctor')
    parser.add_argument('--tshark', default='tshark')
    parser.add_argument('--variants', type=int, default=8)
    parser.add_argument('--markdown')
    options = parser.parse_args()
    with open(os.path.join(options.corpus, 'labels.json')) as f:
        scenes = sorted(json.load(f)['scenes'], key=lambda s: zlib.crc32(s['name'].encode()))
    counts = collections.defaultdict(collections.Counter)
    topics = collections.defaultdict(collections.Counter)
    healthy = alarms = 0
    clean = collections.Counter()
    taken = collections.Counter()
    for scene in scenes:
        finding = scene['finding']
        mine = [e for e in scene['expected'] if e['finding'] == finding and e.get('severity') in ('fault', 'risk')]
        if finding in ('daily', 'odd') and scene['files'][0].split('.')[-1] in ('pcap', 'pcapng', 'gz') and taken[scene['kind']] < 4:
            taken[scene['kind']] += 1
            path = os.path.join(options.corpus, scene['files'][-1])
            said = doctor(options.sip_doctor, path)
            marked = [h for h in scene['healthy'] if h['call_id'] in said]
            clean.update(scenes=1, dialogs=len(scene['healthy']), accused=len(marked), tainted=bool(marked),
                         tshark=tshark(options.tshark, path))
        # What a whole capture does not show belongs to no dialog.
        if not mine or finding == 'capture.blind' or not scene['files'][0].split('.')[-1] in ('pcap', 'pcapng', 'gz'):
            continue
        c = counts[finding]
        if c['scenes'] >= options.variants:
            continue
        c['scenes'] += 1
        path = os.path.join(options.corpus, scene['files'][-1])
        said = doctor(options.sip_doctor, path)
        about = {call for e in mine for call in (e.get('call_ids') or [e.get('call_id')])}
        heard = {topic for call in about for topic in said.get(call, [])}
        c['accused'] += bool(heard)
        c['named'] += bool(heard & TOPICS.get(finding, set())) or finding == 'sip.refused' and any(
            t.startswith('status-') or t == 'registration-failed' for t in heard)
        topics[finding].update(heard)
        c['tshark'] += tshark(options.tshark, path)
        for h in scene['healthy']:
            healthy += 1
            alarms += h['call_id'] in said
    rows = ['| finding | scenes | sip-doctor names it | sip-doctor accuses the dialog | tshark marks something |', '|---|---:|---:|---:|---:|']
    for finding in sorted(counts):
        c = counts[finding]
        rows.append('| `%s` | %d | %d | %d | %d |' % (finding, c['scenes'], c['named'], c['accused'], c['tshark']))
    rows += ['', 'sip-doctor: %d of %d healthy dialogs accused (%.1f %%).' % (alarms, healthy, 100 * alarms / max(1, healthy))]
    rows.append('Of %d scenes of everyday traffic in which nothing is wrong sip-doctor accuses somebody in %d (%d of %d dialogs); tshark marks '
                'something in %d.' % (clean['scenes'], clean['tainted'], clean['accused'], clean['dialogs'], clean['tshark']))
    text = '\n'.join(rows) + '\n'
    print(text)
    for finding in sorted(topics):
        print(finding, dict(topics[finding]))
    if options.markdown:
        with open(options.markdown, 'w') as f:
            f.write(text)


if __name__ == '__main__':
    main()
