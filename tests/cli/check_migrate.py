#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""check_migrate.py FILE [EXPRESSION...]: are the figures of a simulated migration consistent?

Each EXPRESSION is a Python expression over the file's keys that must hold; t4k, t2m, t1g and guest are the trackers.
"""
import json
import sys

with open(sys.argv[1], encoding='utf-8') as file:
    figures = json.load(file)
faults = []
trackers = figures['trackers']
bandwidth = figures['config']['bandwidth']


def expect(holds, what):
    if not holds:
        faults.append(what)


def copy_ns(nr_bytes):
    return (nr_bytes * 10**9 + bandwidth - 1) // bandwidth


def check(name, tracker):
    rounds = tracker['rounds']
    leaf = tracker['leaf_bytes']
    last = rounds[-1]
    expect(rounds[0]['copied_bytes'] == figures['config']['memory'], f'{name}: the first round does not copy all memory')
    for one, two in zip(rounds, rounds[1:]):
        expect(two['copied_bytes'] == one['left_bytes'], f'{name}: a round does not copy what was left')
        expect(two['start_ns'] == one['end_ns'], f'{name}: a gap between rounds')
        expect(one['left_bytes'] > figures['allowed_bytes'], f'{name}: goes on although the rest fits')
    for one in rounds:
        expect(one['end_ns'] - one['start_ns'] == copy_ns(one['copied_bytes']), f'{name}: a round of another length')
        expect(one['copied_pages'] * 4096 == one['copied_bytes'], f'{name}: pages are not bytes')
        expect(one['left_bytes'] % leaf == 0, f'{name}: a part of a leaf was reported')
        expect(one['written_bytes'] <= one['left_bytes'], f'{name}: less reported than written')
        expect(leaf > 4096 or one['left_bytes'] == one['written_bytes'], f'{name}: 4K leaves report more than was written')
        expect(tracker['mapped'] != 'pinned' or one['by_unmap_bytes'] == 0, f'{name}: pinned memory was unmapped')
    expect(tracker['converges'] == (last['left_bytes'] <= figures['allowed_bytes']), f'{name}: converges?')
    expect(len(rounds) <= figures['config']['rounds'], f'{name}: too many rounds')
    expect(tracker['downtime_ns'] == copy_ns(last['left_bytes']), f'{name}: downtime')
    expect(tracker['total_ns'] == last['end_ns'] - rounds[0]['start_ns'] + tracker['downtime_ns'], f'{name}: total time')
    expect(tracker['copied_bytes'] == sum(r['copied_bytes'] for r in rounds) + last['left_bytes'], f'{name}: copied')
    expect(len(tracker['measured']['sweep_ns']) == len(rounds), f'{name}: a sweep for each round')
    expect(not tracker['lost_pages'] + tracker['leaves_in_vain'] + tracker['refused_writes'], f'{name}: not exact')


names = dict(zip(('t4k', 't2m', 't1g', 'guest'), trackers))
for key, value in names.items():
    check(key, value)
expect([t['leaf_bytes'] for t in trackers] == [1 << 12, 1 << 21, 1 << 30, 1 << 12], 'other granularities')
# What the guest's own mappings report, by sweeps and unmaps, is what pinned memory in leaves of the same size reports.
if not names['guest']['left_out_calls']:
    for one, two in zip(names['t4k']['rounds'], names['guest']['rounds']):
        expect({**one, 'by_unmap_bytes': 0} == {**two, 'by_unmap_bytes': 0}, "the guest's own mappings report something else")
    expect(len(names['t4k']['rounds']) == len(names['guest']['rounds']), "the guest's own migration takes other rounds")
expect(figures['reports'] == 'exact', 'not exact')
for expression in sys.argv[2:]:
    expect(eval(expression, names, figures), f'does not hold: {expression}')  # pylint: disable=eval-used
for fault in faults:
    print(f'{sys.argv[1]}: {fault}')
sys.exit(bool(faults))
