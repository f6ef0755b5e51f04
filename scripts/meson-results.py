#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""scripts/meson-results.py JOB TESTLOG.json...: what `meson test` found, one tab-separated line a
test: ok, fail or skip; the job; the test; why."""

import json
import re
import sys

# What cmocka, our scripts, the sanitizers and assert() begin their reasons with, and the seed that a test's chance came from.
REASON = re.compile(r'(^ERROR: .+|^FAIL .+|\[  ERROR   \] --- (?!\[).+|(ERROR|WARNING): \w+Sanitizer: .+'
                    r'|\S+: runtime error: .+|\S+: Assertion .+ failed)', re.MULTILINE)
SEED = re.compile(r'IOPT_TEST_SEED=\d+')

KIND = {'OK': 'ok', 'EXPECTEDFAIL': 'ok', 'SKIP': 'skip'}


def why(test):
    """The reason in a line: the last thing that a skipped test said, or how a failed one ended."""
    lines = [line.strip() for line in (test.get('stdout') or '').splitlines() if line.strip()]
    if test['result'] == 'SKIP':
        return lines[-1] if lines else 'says no reason'
    said = (test.get('stdout') or '') + (test.get('stderr') or '')
    reason, seed = REASON.search(said), SEED.search(said)
    ended = f'{test["result"].lower()} (exit status {test["returncode"]})'
    return '; '.join([ended] + [found.group() for found in (reason, seed) if found])


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
