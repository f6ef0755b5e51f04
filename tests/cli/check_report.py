#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""check_report.py FILE [replay|migrate|decode]: is this report whole, well formed and self-contained?"""
import html.parser
import sys

CHARTS = {
    'replay': ('IOVA space of domain 0', 'dirty pages', 'live tables', 'latency'),
    'migrate': ('4K, 2M and 1G tracking', 'rounds over time', 'bytes reported for each byte written'),
    'decode': (),
}
TEXTS = {
    'replay': ('IOVA space over time', 'Dirty pages over time', 'Live tables over time', 'Latency', 'Verdict', 'exact',
               'written, not reported', 'tables leaked'),
    'migrate': ('Copied, round by round', 'How long it takes', 'Dirty granularity', 'Figures', 'Are the reports right?',
                'What was simulated', 'does not converge', 'exact'),
    'decode': ('iopt decode', 'address spaces with tables', 'mapped, shared ones once'),
}
VOID = {'meta', 'link', 'br', 'img', 'input', 'hr'}


class Checker(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.text = []
        self.charts = []
        self.faults = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ('src', 'href', 'xlink:href', 'srcset', 'data', 'action'):
            value = attributes.get(name)
            if value and not value.startswith('data:image/png;base64,'):
                self.faults.append(f'<{tag} {name}={value[:40]!r}> refers to something outside')
        if tag == 'link':
            self.faults.append('<link> refers to something outside')
        if tag == 'svg':
            self.charts.append(attributes.get('aria-label', ''))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f'</{tag}> closes nothing')

    def handle_data(self, data):
        self.text.append(data)


with open(sys.argv[1], encoding='utf-8') as report:
    page = report.read()
checker = Checker()
checker.feed(page)
checker.close()
text = ' '.join(checker.text)
kind = sys.argv[2] if len(sys.argv) > 2 else 'replay'
faults = checker.faults
if checker.open:
    faults.append(f'never closed: {checker.open}')
if not page.rstrip().endswith('</html>'):
    faults.append('the end is missing')
for what in CHARTS[kind]:
    if not any(what in chart for chart in checker.charts):
        faults.append(f'no chart of {what}')
for what in TEXTS[kind]:
    if what not in text:
        faults.append(f'{what!r} is missing')
if '@import' in page or 'url(' in page or 'fetch(' in page:
    faults.append('style or script fetch something')
if 'prefers-color-scheme:dark' not in page:
    faults.append('no colours for dark')
for fault in faults:
    print(f'{sys.argv[1]}: {fault}')
sys.exit(bool(faults))
