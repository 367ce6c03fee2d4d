#!/usr/bin/env python3
"""Runs an analyser over the labelled corpus and says how well it does.

    score.py BINARY CORPUS [--jobs N] [--only TEXT] [--markdown FILE] [--misses FILE]

BINARY is called as `BINARY --json [--password user=secret ...] FILE ...` once a scene. A finding counts for a dialog when it
names its Call-ID, or lists it among its dialogs; a label may list other names that say the same, and who has to act. Recall: labelled faults that were found, accusing ones by a fault or risk.
Precision: accusations that are labelled, or allowed beside the labelled one, of all accusations of that name. A false alarm is a
dialog labelled healthy that any finding accuses. Exit status 1 below the aims: recall 0.99, false alarms 0.5 %.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import time

ACCUSES = ('fault', 'risk')


def examine(binary, corpus, scene):
    """The analyser's JSON of one scene, and how long it took; None where it failed."""
    command = [binary, '--json']
    for user, secret in sorted(scene['passwords'].items()):
        command += ['--password', '%s=%s' % (user, secret)]
    command += [os.path.join(corpus, f) for f in scene['files']]
    start = time.time()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return whole(done.stdout), time.time() - start, done.stderr.decode(errors='replace')
    except (subprocess.TimeoutExpired, json.JSONDecodeError, UnicodeDecodeError) as problem:
        return None, time.time() - start, str(problem)


def whole(text):
    """Files of different talks are several cases, a JSON line each: their findings and dialogs together."""
    lines = text.decode().splitlines()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        result = dict(findings=[], dialogs=[])
        for number, line in enumerate(lines):
            one = json.loads(line)
            one = one.get('result', one)
            for dialog in one.get('dialogs') or []:
                result['dialogs'].append(dict(dialog, id=(number, dialog['id'])))
            for finding in one.get('findings') or []:
                subject = dict(finding['subject'], dialogs=[(number, d) for d in finding['subject']['dialogs']])
                result['findings'].append(dict(finding, subject=subject))
        return result


def told(result):
    """(name, severity, the Call-IDs it is about) of each finding."""
    calls = {d['id']: d['callID'] for d in result['dialogs']}
    for finding in result['findings']:
        subject = finding['subject']
        about = {calls[d] for d in subject['dialogs'] if d in calls}
        if subject.get('callID'):
            about.add(subject['callID'])
        actors = [remedy['actor'] for remedy in finding['remedies']]
        yield finding['name'], finding['severity'], about, finding['summary'], actors[0] if actors else None


class Score:
    """Counts over all scenes."""

    def __init__(self):
        self.names = collections.defaultdict(collections.Counter)
        self.healthy = self.alarms = self.failed = self.scenes = self.clean = self.smeared = self.wrong = self.culprits = self.blamed = 0
        self.lines = []
        self.seconds = 0.0

    def note(self, scene, result, seconds, problem):
        self.scenes += 1
        self.seconds += seconds
        if result is None:
            self.failed += 1
            self.lines.append('FAILED %s: %s' % (scene['name'], problem[:200]))
            for e in scene['expected']:
                self.names[e['finding']]['expected'] += 1
            return
        findings = list(told(result))
        wanted = collections.defaultdict(set)
        for e in scene['expected']:
            ids = set(e.get('call_ids') or [e.get('call_id')]) - {None}
            names = {e['finding'], *e.get('instead', ())}
            for name in names:
                wanted[name] |= ids
            self.names[e['finding']]['expected'] += 1
            accusing = e.get('severity') in ACCUSES
            hits = [f for f in findings if f[0] in names and (not ids or f[2] & ids)]
            if not hits or (accusing and not any(f[1] in ACCUSES for f in hits)):
                as_note = ' (only as a note)' if hits else ''
                self.lines.append('MISSED %s %s: %s%s' % (e['finding'], scene['name'], sorted(ids), as_note))
            else:
                self.names[e['finding']]['found'] += 1
                best = next((f for f in hits if f[1] in ACCUSES), hits[0])
                if e.get('culprit'):
                    self.culprits += 1
                    if best[4] not in e['culprit']:
                        self.blamed += 1
                        self.lines.append('CULPRIT %s %s: %s is to act, not %s' % (best[0], scene['name'], best[4], '/'.join(e['culprit'])))
                if e.get('severity') == 'note' and any(f[1] in ACCUSES for f in hits):
                    self.names[e['finding']]['harsh'] += 1
                    self.lines.append('HARSH %s %s: labelled a note' % (e['finding'], scene['name']))
        allowed = {(a['finding'], a['call_id']) for a in scene['allowed']}
        healthy = {h['call_id'] for h in scene['healthy']}
        self.healthy += len(healthy)
        expects_any = {n for e in scene['expected'] if not e.get('call_id') for n in (e['finding'], *e.get('instead', ()))}
        accused = set()
        wrong = self.wrong
        for name, severity, about, summary, _ in findings:
            if severity not in ACCUSES or name == 'capture.blind':
                continue
            for call in about or {None}:
                self.names[name]['told'] += 1
                if call in wanted[name] or (name, call) in allowed or name in expects_any:
                    continue
                if call is None and (wanted[name] or name in {a for a, _ in allowed}):
                    continue
                self.names[name]['wrong'] += 1
                self.wrong += 1
                where = 'healthy' if call in healthy else 'unlabelled'
                self.lines.append('FALSE %s %s: %s (%s): %s' % (name, scene['name'], call, where, summary[:160]))
                if call in healthy:
                    accused.add(call)
        self.alarms += len(accused)
        if scene.get('clean', not scene['expected'] and not scene['allowed']):
            self.clean += 1
            self.smeared += self.wrong > wrong

    def table(self):
        rows = ['| finding | labelled | found | recall | accusations | wrong | precision |', '|---|---:|---:|---:|---:|---:|---:|']
        total = collections.Counter()
        for name in sorted(self.names):
            c = self.names[name]
            total += c
            rows.append(self.row('`%s`' % name, c))
        rows.append(self.row('**all**', total))
        rate = 100 * self.alarms / self.healthy if self.healthy else 0
        rows += ['', '%d scenes, %d healthy dialogs, %d of them accused: %.2f %% false alarms. %d scenes failed. %.1f s in all.' % (
            self.scenes, self.healthy, self.alarms, rate, self.failed, self.seconds),
            '%d scenes in which nothing is wrong, %d with an accusation. Who has to act is labelled %d times, %d times somebody else was named.' % (
                self.clean, self.smeared, self.culprits, self.blamed)]
        return '\n'.join(rows) + '\n'

    @staticmethod
    def row(name, c):
        recall = '%.3f' % (c['found'] / c['expected']) if c['expected'] else '-'
        precision = '%.3f' % (1 - c['wrong'] / c['told']) if c['told'] else '-'
        return '| %s | %d | %d | %s | %d | %d | %s |' % (name, c['expected'], c['found'], recall, c['told'], c['wrong'], precision)

    def reaches_aims(self):
        expected = sum(c['expected'] for c in self.names.values())
        found = sum(c['found'] for c in self.names.values())
        return not self.failed and found >= .99 * expected and self.alarms <= .005 * self.healthy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary')
    parser.add_argument('corpus')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--only', default='', help='scenes whose name contains this')
    parser.add_argument('--markdown', help='write the table there')
    parser.add_argument('--misses', help='write each miss and false alarm there')
    options = parser.parse_args()
    with open(os.path.join(options.corpus, 'labels.json')) as f:
        scenes = [s for s in json.load(f)['scenes'] if options.only in s['name']]
    score = Score()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for scene, (result, seconds, problem) in zip(scenes, pool.map(
                lambda s: examine(options.binary, options.corpus, s), scenes)):
            score.note(scene, result, seconds, problem)
    table = score.table()
    print(table)
    if options.markdown:
        with open(options.markdown, 'w') as f:
            f.write(table)
    if options.misses:
        with open(options.misses, 'w') as f:
            f.write('\n'.join(score.lines) + '\n')
    else:
        print('\n'.join(score.lines[:40]))
    sys.exit(0 if score.reaches_aims() else 1)


if __name__ == '__main__':
    main()
