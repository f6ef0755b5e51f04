// SPDX-License-Identifier: MIT OR GPL-2.0-only
// The page of `iopt decode --output html`, first part: the data that form_html.c has put there, their
// texts and colours, and the axes on which addresses are drawn. Addresses are numbers of pages of
// 4 KiB: they have 52 bits at most, which a number holds exactly. Text gets into the page as text
// alone. The three parts are one script; show(), what is under the pointer, is in html.c's.
'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const app = document.getElementById('app');
const hide = () => { document.getElementById('tip').style.display = 'none'; };

// ---- elements and texts ----------------------------------------------------------------------

function el(tag, attributes, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {}))
		if (name.startsWith('on'))
			made.addEventListener(name.slice(2), value);
		else if (value !== null && value !== false)
			made.setAttribute(name, value);
	made.append(...children);
	return made;
}

function section(title, text) {
	const made = el('section', {}, el('h2', {}, title));
	if (text)
		made.append(el('p', {}, text));
	app.append(made);
	return made;
}

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const grouped = value => value.toLocaleString('en-US');
const address = (page, low = 0) => '0x' +
	((page ? page.toString(16) : '') + low.toString(16).padStart(3, '0')).replace(/^0+(?=.)/, '');
const ending = page => address(page - 1, 0xfff);

// Pages as "4K", "2M", "1.5G".
function size(pages) {
	const units = ['K', 'M', 'G', 'T', 'P', 'E'];
	let value = pages * 4, unit = 0;
	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	return (value === Math.floor(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1)) +
		units[unit];
}

const size_lg2 = lg2 => lg2 < 12 ? `${2 ** lg2}B` : size(2 ** (lg2 - 12));

// A hexadecimal address, with or without 0x. Null: it is none.
function parse_address(text) {
	const digits = text.trim().toLowerCase().replace(/^0x/, '').replace(/[_']/g, '');
	if (!/^[0-9a-f]{1,16}$/.test(digits))
		return null;
	return { page: parseInt(digits.slice(0, -3) || '0', 16), low: parseInt(digits.slice(-3), 16) };
}

const perm = code => (code & 1 ? 'r' : '-') + (code & 2 ? 'w' : '-') + (code & 4 ? 'x' : '-');
const marks = code => (code & 0x100 ? 'a' : '-') + (code & 0x200 ? 'd' : '-');
const lg2_of = code => code >> 10;
const leaves_of = (pages, code) => Math.max(1, pages / 2 ** (lg2_of(code) - 12));

function attributes(code) {
	const names = [[8, 'priv'], [0x10, 'snoop'], [0x20, 'uncached'], [0x40, 'device']];
	return names.filter(([bit]) => code & bit).map(([, name]) => name).join(', ');
}

// ---- data ------------------------------------------------------------------------------------

class Space {
	constructor(raw, number) {
		const nr = raw.maps.length / 4;
		let at = 0, pa = 0;
		// What was left out lies behind all else, and is one piece more of the space.
		Object.assign(this, raw, { number, devices: [], count: nr, pieces: nr + (raw.cut ? 1 : 0) });
		this.first = new Float64Array(this.pieces);
		this.end = new Float64Array(this.pieces);
		this.pa = new Float64Array(nr);
		this.code = new Uint32Array(nr);
		for (let i = 0; i < nr; i++) {
			const pages = raw.maps[4 * i + 1];
			this.first[i] = at += raw.maps[4 * i];
			this.end[i] = at += pages;
			this.pa[i] = pa += raw.maps[4 * i + 2];
			pa += pages;
			this.code[i] = raw.maps[4 * i + 3];
		}
		if (raw.cut) {
			this.first[nr] = raw.cut[2];
			this.end[nr] = raw.cut[3] + 1;
		}
		this.maps = null;
		this.read_tables(raw.tables);
		this.bounds();
	}

	read_tables(flat) {
		this.tables = [];
		for (let i = 0; i < flat.length; i += 6)
			this.tables.push({ level: flat[i], at: address(flat[i + 1], flat[i + 2]),
				first: flat[i + 3], used: flat[i + 4], bytes: flat[i + 5] });
		// All tables but the root are of a granule, which is as large as their smallest leaf.
		const other = this.tables[1] || { bytes: 4096 };
		this.granule = other.bytes;
	}

	// Pages that a table of this level translates.
	span(level) {
		return this.granule / 4096 * (this.granule / 8) ** (level + 1);
	}

	// All addresses: from the root's first one on; all of 64 bits where halves are in use.
	bounds() {
		const base = this.tables.length ? this.tables[0].first : 0;
		const top = this.pieces ? this.end[this.pieces - 1] : 0;
		this.from = base;
		this.to = Math.min(base + 2 ** Math.max(0, this.bits - 12), 2 ** 52);
		if (top > this.to)
			[this.from, this.to] = [0, 2 ** 52];
	}

	// The first mapping, or piece, that ends behind a page.
	index(page, nr = this.count) {
		let low = 0, high = nr;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.end[middle] > page)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	}

	name() {
		return this.devices.map(device => device.name).join(', ');
	}
}

const spaces = data.spaces.map((raw, number) => new Space(raw, number));
const devices = data.devices.map(([id, pasid, domain, path, prot, space]) => {
	const device = { id, pasid, domain, path, prot, space: space < 0 ? null : spaces[space],
		name: pasid < 0 ? id : `${id} pasid ${pasid}` };
	if (device.space)
		device.space.devices.push(device);
	return device;
});

// ---- colours ---------------------------------------------------------------------------------

const PALETTE = ['#3b86c8', '#f2832a', '#2fa36b', '#b8479c', '#c9a227', '#7a6fd0', '#d2504a', '#4fb3bf'];
const sizes = [...new Set(spaces.flatMap(space => [...new Set(space.code)].map(lg2_of)))].sort((a, b) => a - b);
const perms = ['rw-', 'r--', '-w-', 'rwx', 'r-x', '-wx', '--x', '---'];
const colouring = {
	perm: { name: 'permissions', names: perms, of: code => perms.indexOf(perm(code)) },
	size: { name: 'leaf size', names: sizes.map(size_lg2), of: code => sizes.indexOf(lg2_of(code)) },
	used: { name: 'accessed, dirty', names: ['neither', 'accessed', 'dirty'],
		of: code => code & 0x200 ? 2 : code & 0x100 ? 1 : 0,
		colours: ['#8a949e', '#3b86c8', '#f2832a'] },
};

// What kind each mapping is, in one of the ways to colour them.
function kinds_of(space, name) {
	space.kinds = space.kinds || {};
	if (!space.kinds[name]) {
		const known = new Map(), of = colouring[name].of;
		for (const code of new Set(space.code))
			known.set(code, of(code));
		space.kinds[name] = Uint8Array.from(space.code, code => known.get(code));
	}
	return space.kinds[name];
}

const colour_of = (mode, kind) => (mode.colours || PALETTE)[kind % PALETTE.length];

// Rows of the picture.
const NR_ROWS = 18;

// ---- axes: from pages to places, and back ----------------------------------------------------

// As it is.
function scale_axis(space) {
	return {
		total: space.to - space.from,
		place: page => page - space.from,
		page: place => Math.floor(place + space.from),
		begin: i => space.first[i] - space.from,
		end: i => space.end[i] - space.from,
		slope: () => 1,
	};
}

// Holes and what is large are logarithmic, so that a page stays a page beside a hole of terabytes.
function short_axis(space) {
	const nr = space.pieces;
	const piece = pages => pages <= 64 ? pages : 64 * (1 + Math.log2(pages / 64));
	const hole = pages => pages < 1 ? 0 : Math.min(pages, 1 + Math.log2(pages));
	const u0 = new Float64Array(nr + 1), u1 = new Float64Array(nr);
	let u = 0, page = space.from;
	for (let i = 0; i < nr; i++) {
		u0[i] = u += hole(space.first[i] - page);
		// What was left out is as one row, or it would not be seen.
		u1[i] = u += Math.max(piece(space.end[i] - space.first[i]), i === space.count ? u / NR_ROWS : 0);
		page = space.end[i];
	}
	const total = u + hole(space.to - page);
	u0[nr] = total;
	// Where a page is: in a mapping, or in the hole before it.
	const around = i => [i ? space.end[i - 1] : space.from, i ? u1[i - 1] : 0,
		i < nr ? space.first[i] : space.to, u0[i]];
	const between = (x, x0, y0, x1, y1) => x1 > x0 ? y0 + (x - x0) / (x1 - x0) * (y1 - y0) : y0;
	const find = place => {
		let low = 0, high = nr;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (u1[middle] > place)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	};
	return {
		total,
		place(at) {
			const i = space.index(at, nr);
			if (i < nr && at >= space.first[i])
				return between(at, space.first[i], u0[i], space.end[i], u1[i]);
			const [p0, x0, p1, x1] = around(i);
			return between(at, p0, x0, p1, x1);
		},
		page(place) {
			const i = find(place);
			if (i < nr && place >= u0[i])
				return Math.min(space.end[i] - 1,
					Math.floor(between(place, u0[i], space.first[i], u1[i], space.end[i])));
			const [p0, x0, p1, x1] = around(i);
			return Math.max(p0, Math.min(p1 - 1, Math.floor(between(place, x0, p0, x1, p1))));
		},
		begin: i => u0[i],
		end: i => u1[i],
		slope(place) {
			const i = Math.min(find(place), nr - 1);
			return i < 0 ? 1 : (u1[i] - u0[i]) / (space.end[i] - space.first[i]);
		},
	};
}
