#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""scripts/meson-results.py JOB TESTLOG.json...: what `meson test` found, one tab-separated line a
test: ok, fail or skip; the job; the test; why."""

import json
import sys

KIND = {'OK': 'ok', 'EXPECTEDFAIL': 'ok', 'SKIP': 'skip'}


def why(test):
    """The reason in a line: the last thing that a skipped test said, or how a failed one ended."""
    lines = [line.strip() for line in (test.get('stdout') or '').splitlines() if line.strip()]
    if test['result'] == 'SKIP':
        return lines[-1] if lines else 'says no reason'
    return test['result'].lower() + (f' (exit status {test["returncode"]})')


def main():
    job, logs = sys.argv[1], sys.argv[2:]
    found = 0
    for log in logs:
        with open(log, encoding='utf-8') as lines:
            for test in map(json.loads, lines):
                kind = KIND.get(test['result'], 'fail')
                reason = '' if kind == 'ok' else why(test).replace('\t', ' ')
                print(kind, job, test['name'], reason, sep='\t')
                found += 1
    return 0 if found else 1


if __name__ == '__main__':
    sys.exit(main())
