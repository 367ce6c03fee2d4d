#!/usr/bin/env python3
"""Holds the analyser and two other tools against a collection of cases that experts have judged.

    experts.py BINARY COLLECTION [--sip-doctor PROGRAM] [--tshark PROGRAM] [--markdown FILE]

COLLECTION/cases.json lists cases: `name`, `kind`, `files`, `args`; `must`: of each inner list one holds ('name' accuses as fault or
risk, 'name~' is told at all, 'text:words' stands in the report); `may`: accusations that are no fault of a report. sip-doctor names
a matter by an error or warning of the same topic. tshark has no verdicts: it marks a capture by expert information of warning or
worse on SIP, SDP, RTP or TCP frames, or a problem in its table of RTP streams; it names what its statistics count (statuses,
resent requests, lost packets, resets). Neither reads text logs.
"""
import argparse
import collections
import gzip
import json
import os
import re
import subprocess
import tempfile

from compare import TOPICS

MORE = {'sip.retransmit': {'final-retransmitted', 'registration-no-response', 'options-no-response', 'unreachable'},
        'codec.not-negotiated': {'unexpected-codec'}, 'media.codec': {'unexpected-codec'}, 'sip.loop': {'status-483', 'status-482'},
        'auth.attack': {'attack', 'bruteforce', 'scanner'}, 'reg.flapping': {'registration-flapping', 'frequent-registration'},
        'media.late': {'late-audio'}, 'media.clipping': {'late-audio'}, 'sip.timer-drop': {'ack-timeout'}}


def run(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120).stdout.decode(errors='replace')
    except subprocess.TimeoutExpired:
        return ''


def same(name, topic):
    name = name.rstrip('~')
    if name in ('sip.refused', 'call.refused', 'call.failed', 'sip.failed'):
        return topic.startswith('status-') or topic == 'registration-failed'
    return topic in TOPICS.get(name, set()) | MORE.get(name, set())


def ours(binary, case, files):
    """(names what it must, accuses what it may not)."""
    command = [binary] + (['explain'] if os.path.basename(binary) == 'pinhole' else [])
    try:
        findings = json.loads(run(*command, '--json', *case['args'], *files))['findings']
    except (ValueError, KeyError):
        return False, False
    text = ' '.join(run(*command, '--no-color', *case['args'], *files).split()).lower()
    accused = {f['name'] for f in findings if f['severity'] in ('fault', 'risk')}
    told = {f['name'] for f in findings}

    def holds(x):
        return x[5:].lower() in text if x.startswith('text:') else x[:-1] in told if x.endswith('~') else x in accused
    wanted = {x.rstrip('~') for m in case['must'] for x in m} | set(case['may'])
    return all(any(map(holds, m)) for m in case['must'] if m), bool(accused - wanted)


def doctor(program, case, files):
    """(reads it, names one of what it must, marks it, marks it beyond what may be)."""
    with tempfile.TemporaryDirectory() as folder:
        plain = []
        for i, file in enumerate(files):
            if file.endswith('.gz'):     # told uncompressed: this is about SIP
                plain.append(os.path.join(folder, '%d.pcap' % i))
                with open(plain[-1], 'wb') as f:
                    f.write(gzip.open(file).read())
            else:
                plain.append(file)
        text = run(program, 'read', '--json', *plain)
    try:
        done = json.loads(text)
    except ValueError:
        return False, False, False, False
    topics = {str(f['topic']) for d in done['dialogs'] for f in d.get('findings', []) if f['severity'] in ('error', 'warn', 'warning')}
    topics |= {str(f['topic']) for c in done.get('connections') or [] for f in c.get('findings', []) if f['severity'] in ('error', 'warn', 'warning')}
    topics |= {str(f.get('topic', f.get('kind', 'attack'))) for f in done.get('security') or [] if isinstance(f, dict)}
    names = {x for m in case['must'] for x in m if not x.startswith('text:')}
    named = any(same(n, t) for n in names for t in topics)
    extra = {t for t in topics if not any(same(n, t) for n in names | set(case['may']))}
    return bool(done['stats'].get('sip_messages')), named, bool(topics), bool(extra)


def tshark(program, case, files):
    reads = named = marks = False
    names = {x.rstrip('~') for m in case['must'] for x in m}
    for file in files:
        statistics = run(program, '-r', file, '-q', '-z', 'sip,stat')
        streams = run(program, '-r', file, '-q', '-z', 'rtp,streams', '-o', 'rtp.heuristic_rtp:TRUE').splitlines()
        expert = run(program, '-r', file, '-Y', '(sip || sdp || rtp || tcp) && _ws.expert.severity >= "Warning"', '-T', 'fields', '-e', 'frame.number')
        resets = run(program, '-r', file, '-Y', 'tcp.flags.reset==1', '-T', 'fields', '-e', 'frame.number')
        count = re.search(r'Number of SIP messages: (\d+)', statistics)
        resent = re.search(r'Number of resent SIP messages: (\d+)', statistics)
        reads = reads or bool(count and int(count.group(1)))
        problem = any(row.rstrip().endswith('X') for row in streams)
        marks = marks or bool(expert.strip()) or problem
        failed = re.search(r'SIP ([456]\d\d) .*?: *([1-9]\d*) Packets', statistics)
        named = named or bool(names & {'sip.refused', 'call.refused', 'call.failed', 'sip.failed'} and failed)
        named = named or bool('sip.retransmit' in names and resent and int(resent.group(1)))
        named = named or bool('media.quality' in names and problem)
        named = named or bool(names & {'tcp.refused'} and resets.strip())
    return reads, named, marks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary')
    parser.add_argument('collection')
    parser.add_argument('--sip-doctor', default='sip-doctor')
    parser.add_argument('--tshark', default='tshark')
    parser.add_argument('--markdown')
    options = parser.parse_args()
    with open(os.path.join(options.collection, 'cases.json')) as f:
        cases = json.load(f)
    tally = collections.defaultdict(collections.Counter)
    lines = []
    for case in cases:
        files = [os.path.join(options.collection, f) for f in case['files']]
        t = tally[case['kind']]
        found, wrong = ours(options.binary, case, files)
        reads, named, marked, beyond = doctor(options.sip_doctor, case, files)
        read, shows, marks = tshark(options.tshark, case, files)
        t['cases'] += 1
        t.update(right=found and not wrong, found=found, wrong=wrong, reads=reads, named=named, marked=marked, beyond=beyond, read=read, shows=shows, marks=marks)
        lines.append('%s %s: explain %s%s; sip-doctor %s%s; tshark %s%s' % (
            case['kind'], case['name'], 'right' if found else 'misses', ' AND ACCUSES WRONGLY' if wrong else '', 'names' if named else (
                'marks' if marked else ('reads' if reads else 'blind')), ' beyond' if beyond else '', 'shows' if shows else (
                    'marks' if marks else ('reads' if read else 'blind')), ''))
    rows = ['| class | cases | `explain`: as the expert | accuses wrongly | sip-doctor: reads SIP in it | names the matter | accuses beyond it '
            '| tshark: reads SIP in it | shows the matter | marks something |', '|---|' + '---:|' * 9]
    for kind in sorted(tally):
        t = tally[kind]
        rows.append('| %s | %d | %d | %d | %d | %s | %d | %d | %s | %d |' % (
            kind, t['cases'], t['right'], t['wrong'], t['reads'], '-' if kind == 'healthy' else t['named'], t['beyond'], t['read'],
            '-' if kind == 'healthy' else t['shows'], t['marks']))
    text = '\n'.join(rows) + '\n'
    print('\n'.join(lines))
    print(text)
    if options.markdown:
        with open(options.markdown, 'w') as f:
            f.write(text)


if __name__ == '__main__':
    main()
