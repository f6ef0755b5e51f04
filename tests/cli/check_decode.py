#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""check_decode.py json|raw|html FILE TSV: does what `iopt decode` shows in another form have the pages of its tsv?"""
import json
import re
import sys

PAGE = 4096


def pages(device, pasid, iova, pa, size, perm):
    for offset in range(0, size, PAGE):
        yield device, pasid, iova + offset, pa + offset, perm


def of_tsv(text):
    for line in text.splitlines():
        device, pasid, iova, pa, size, perm = line.split('\t')
        yield from pages(device, pasid, int(iova, 16), int(pa, 16), int(size), perm)


def of_json(text):
    """Sums must be those of the mappings, too."""
    found = json.loads(text)
    by_name = {(device['device'], device['pasid']): device for device in found['devices']}
    assert len(by_name) == len(found['devices'])
    for (name, pasid), device in by_name.items():
        same = device.get('same_tables_as')
        owner = by_name[same['device'], same['pasid']] if same else device
        mappings = owner['mappings']
        assert owner['mapped']['bytes'] == sum(each['size'] for each in mappings)
        assert owner['mapped']['leaves'] == sum(sum(each['leaves'].values()) for each in mappings) == sum(owner['leaves'].values())
        assert owner['dirty']['bytes'] == sum(each['size'] for each in mappings if each['dirty'])
        for each in mappings:
            yield from pages(name, '-' if pasid is None else str(pasid), int(each['iova'], 16), int(each['pa'], 16),
                             each['size'], each['perm'])
    assert sum(device.get('troubles', 0) for device in found['devices']) <= len(found['troubles'])


def of_raw(text):
    """Pages by the last entry of a line; its permissions are the format's own matter, and so is where a leaf leads."""
    device = ''
    for line in text.splitlines():
        if line.startswith('Device '):
            device = line.split()[1]
        elif line.startswith('0x'):
            assert re.fullmatch(r'0x[0-9a-f]{13} \|(\t0x[0-9a-f]{16}){3,6}', line), line
            yield device, int(line.split()[0], 16) * PAGE


def of_html(text):
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))
    for device, pasid, _, _, _, space in data['devices']:
        numbers = iter(data['spaces'][space]['maps'] if space >= 0 else [])
        iova = pa = 0
        for hole, nr, jump, code in zip(*[numbers] * 4):
            iova += hole
            pa += jump
            perm = ''.join(letter if code >> bit & 1 else '-' for bit, letter in enumerate('rwx'))
            yield from pages(device, '-' if pasid < 0 else str(pasid), iova * PAGE, pa * PAGE, nr * PAGE, perm)
            iova += nr
            pa += nr
    for space in data['spaces']:
        assert space['cut'] is None and space['left_tables'] == 0
        assert len(space['tables']) == 6 * space['nr_tables'] and sum(space['tables'][5::6]) == space['table_bytes']
        assert space['mapped'] == sum(space['maps'][1::4])


def main():
    form, path, tsv = sys.argv[1:]
    with open(path, encoding='utf-8') as file:
        found = list({'json': of_json, 'raw': of_raw, 'html': of_html}[form](file.read()))
    with open(tsv, encoding='utf-8') as file:
        expected = list(of_tsv(file.read()))
    if form == 'raw':
        known = {(device, iova) for device, _, iova, _, _ in expected}
        assert known.issuperset(found) and len(found) == len(set(found)) and found
        return
    assert found == expected, sorted(set(found) ^ set(expected))[:5]


main()
