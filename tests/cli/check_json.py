#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""check_json.py FILE [EXPRESSION...]: are the figures of a replay complete and consistent?

Each EXPRESSION is a Python expression over the file's keys that must hold.
"""
import json
import sys

NUMBERS = ('events', 'maps', 'unmaps', 'domains', 'written_pages', 'reported_pages', 'lost_dirty', 'over_reported',
           'stale_accesses', 'freed_table_reads', 'leaked_tables', 'tables_peak', 'table_bytes_peak', 'invalidations')

with open(sys.argv[1], encoding='utf-8') as file:
    figures = json.load(file)
faults = []
for key in NUMBERS:
    if not isinstance(figures.get(key), int):
        faults.append(f'{key} is no number: {figures.get(key)!r}')
for key in ('map_ns', 'unmap_ns', 'sweep_ns', 'split_ns', 'merge_ns', 'trim_ns'):
    latency = figures.get(key, {})
    values = [latency.get(name) for name in ('p50', 'p99', 'p999', 'max')]
    if not all(isinstance(value, int) for value in values):
        faults.append(f'{key} lacks p50, p99, p999 or max: {latency!r}')
    elif values != sorted(values):
        faults.append(f'{key} does not rise: {values}')
if figures.get('verdict') not in ('exact', 'not exact'):
    faults.append(f"verdict is {figures.get('verdict')!r}")
if figures['events'] != figures['map_events'] + figures['unmap_events']:
    faults.append('events are not map events and unmap events')
# With leaves of one page only, what was written is what was reported.
if figures['config']['tracked'] and figures['config']['page_sizes'] == [4096] and figures['verdict'] == 'exact' and figures['config']['sweep_every_ms'] == 0 \
        and figures['written_pages'] != figures['reported_pages']:
    faults.append('other pages written than reported')
# More was reported than written, never less.
if figures['verdict'] == 'exact' and figures['reports_written'] > figures['reports_by_sweep'] + figures['reports_by_unmap']:
    faults.append('more written than reported')
if not figures['config']['tracked'] and figures['reported_pages']:
    faults.append('reported and not tracked')
for expression in sys.argv[2:]:
    if not eval(expression, {}, figures):  # pylint: disable=eval-used
        faults.append(f'does not hold: {expression}')
for fault in faults:
    print(f'{sys.argv[1]}: {fault}')
sys.exit(bool(faults))
