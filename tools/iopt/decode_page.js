// SPDX-License-Identifier: MIT OR GPL-2.0-only
// What moves in the page of `iopt decode --output html`. form_html.c has put the data there, and
// html.c's script show(), what is under the pointer. Addresses are numbers of pages of 4 KiB: they
// have 52 bits at most, which a number holds exactly. Text gets into the page as text alone.
'use strict';
document.addEventListener('DOMContentLoaded', () => {
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
		this.to = base + 2 ** Math.max(0, this.bits - 12);
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

// ---- state -----------------------------------------------------------------------------------

const state = { space: null, axis: null, short: true, mode: 'perm', from: 0, to: 1, picked: null };
const parts = []; // functions that show the state again
const update = () => parts.forEach(part => part());

function set_axis() {
	state.axis = (state.short ? short_axis : scale_axis)(state.space);
}

function set_view(from, to) {
	const total = state.axis.total;
	let span = Math.max(to - from, 2 * state.axis.slope((from + to) / 2), total * 2 ** -51);
	const middle = (from + to) / 2;
	span = Math.min(span, total);
	state.from = Math.max(0, Math.min(total - span, middle - span / 2));
	state.to = state.from + span;
	schedule();
}

let scheduled = false;
function schedule() {
	if (scheduled)
		return;
	scheduled = true;
	requestAnimationFrame(() => {
		scheduled = false;
		update();
	});
}

function choose(space) {
	if (state.space === space)
		return;
	state.space = space;
	state.picked = null;
	set_axis();
	set_view(0, state.axis.total);
}

// Pages, with something around them.
function go(space, first, end) {
	choose(space);
	const a = state.axis.place(first), b = state.axis.place(end), around = Math.max((b - a) * 1.5, 4);
	set_view(a - around, b + around);
}

function pick(space, page) {
	choose(space);
	state.picked = { page, index: space.index(page) };
	write_link();
	schedule();
}

// What the view begins with, and the page behind its last one.
const view_first = () => state.axis.page(state.from);
const view_end = () => state.to >= state.axis.total * (1 - 1e-12) ? state.space.to
	: state.axis.page(state.to - (state.to - state.from) * 1e-9) + 1;

// The mapping that holds a page, or -1.
function mapping_at(space, page) {
	const i = space.index(page);
	return i < space.count && page >= space.first[i] ? i : -1;
}

// ---- lists, some rows at a time --------------------------------------------------------------

const ROWS = 25;

// columns: [name, class]. rows(): how many. row(i): texts, and what a click does.
function list(parent, columns, rows, row) {
	const body = el('tbody'), where = el('span', { class: 'soft' });
	let at = 0;
	const step = (text, label, to) => el('button', { 'aria-label': label, onclick() {
		at = to();
		fill();
	} }, text);
	const last = () => Math.max(0, Math.ceil(rows() / ROWS) - 1) * ROWS;
	const buttons = [
		step('\u00ab', 'first rows', () => 0), step('\u2039', 'rows before', () => Math.max(0, at - ROWS)),
		step('\u203a', 'next rows', () => Math.min(last(), at + ROWS)), step('\u00bb', 'last rows', last),
	];
	const bar = el('div', { class: 'bar-row' }, ...buttons, where);
	function fill() {
		const nr = rows(), some = [];
		at = Math.min(at, last());
		for (let i = at; i < Math.min(nr, at + ROWS); i++) {
			const { cells, click, here } = row(i);
			some.push(el('tr', { class: `${click ? 'go' : ''}${here ? ' here' : ''}`, onclick: click || (() => {}) },
				...cells.map((cell, n) => el('td', { class: columns[n][1] || null }, String(cell)))));
		}
		body.replaceChildren(...some);
		where.textContent = nr ? `${grouped(at + 1)} to ${grouped(Math.min(nr, at + ROWS))} of ${grouped(nr)}` : 'none';
		bar.style.display = nr > ROWS ? '' : 'none';
		buttons[0].disabled = buttons[1].disabled = !at;
		buttons[2].disabled = buttons[3].disabled = at >= last();
	}
	parent.append(el('div', { class: 'scroll' }, el('table', {}, el('thead', {}, el('tr', {},
		...columns.map(([name, kind]) => el('th', { class: kind || null }, name)))), body)), bar);
	// Rows that hold one of these; those that are shown, if they do.
	return { fill, seek(is) {
		const nr = rows(), here = [...Array(ROWS).keys()].some(i => at + i < nr && is(at + i));
		for (let i = 0; i < nr && !here; i++)
			if (is(i)) {
				at = Math.floor(i / ROWS) * ROWS;
				break;
			}
		fill();
	} };
}

// ---- devices ---------------------------------------------------------------------------------

const leaf_sizes = space => space.leaves.map(([lg2, nr]) => `${grouped(nr)} \u00d7 ${size_lg2(lg2)}`).join(', ');

function device_row(device) {
	const space = device.space, click = space && (() => choose(space));
	if (!space)
		return { cells: [device.name, device.domain, device.path, '', '', '', '', '', ''] };
	const owner = space.devices[0], same = owner !== device && `the same tables as ${owner.name}`;
	const cut = (space.cut || space.left_tables) && 'not all of it in this page';
	return { click, here: space === state.space, cells: [device.name, device.domain, device.path,
		`${space.format}, ${space.levels} levels`, space.root + (space.over ? `, over ${space.over}` : ''), size(space.mapped).replace(/^0K$/, '0'),
		grouped(space.nr), [leaf_sizes(space), same, cut].filter(Boolean).join(', '), grouped(space.nr_tables)] };
}

function add_devices() {
	const part = section('Devices', 'A row shows its address space below. Devices with the same tables share one.');
	const shown = list(part, [['device', 'left mono'], ['domain'], ['path', 'left'], ['tables', 'left'],
		['root', 'left mono'], ['mapped'], ['mappings'], ['leaves', 'left'], ['table pages']],
		() => devices.length, i => device_row(devices[i]));
	let before;
	parts.push(() => {
		if (before !== state.space)
			shown.seek(i => devices[i].space === state.space);
		before = state.space;
	});
	shown.fill();
}

// ---- the picture -----------------------------------------------------------------------------

const ROW = 24, GAP = 4, LEFT = 138;
const VOID = 255;

// A canvas as wide as its place, in the screen's own points.
function prepare(canvas, height) {
	const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(height * ratio);
	canvas.style.height = `${height}px`;
	const context = canvas.getContext('2d');
	context.setTransform(ratio, 0, 0, ratio, 0, 0);
	context.clearRect(0, 0, width, height);
	return { context, width };
}

// What each column of all rows shows: which kind has most of it, and how much is mapped at all.
function columns_of(total) {
	const { space, axis, from, to } = state, kinds = kinds_of(space, state.mode), factor = total / (to - from);
	const kind = new Uint8Array(total).fill(VOID), cover = new Float32Array(total), best = new Float32Array(total);
	const put = (x, part, what) => {
		if (x < 0 || x >= total)
			return;
		cover[x] += part;
		if (part > best[x]) {
			best[x] = part;
			kind[x] = what;
		}
	};
	for (let i = space.index(axis.page(from)); i < space.count && axis.begin(i) < to; i++) {
		const a = (axis.begin(i) - from) * factor, b = (axis.end(i) - from) * factor, what = kinds[i];
		const x0 = Math.floor(a), x1 = Math.floor(b), pages = space.end[i] - space.first[i];
		if (x0 === x1) {
			put(x0, b - a, what);
			continue;
		}
		put(x0, x0 + 1 - a, what);
		put(x1, b - x1, what);
		kind.fill(what, Math.max(0, x0 + 1), Math.max(0, x1));
		cover.fill(1, Math.max(0, x0 + 1), Math.max(0, x1));
		// Where there is room, neighbours and pages can be told from each other.
		if (b - a > 5 && x1 - 1 >= 0 && x1 - 1 < total)
			cover[x1 - 1] = 0.001;
		for (let page = 1, wide = (b - a) / pages; wide > 7 && page < pages; page++) {
			const x = Math.floor(a + page * wide);
			if (x >= total)
				break;
			if (x >= 0)
				cover[x] = 0.55;
		}
	}
	return { kind, cover };
}

function draw_map(canvas) {
	const { context, width } = prepare(canvas, NR_ROWS * (ROW + GAP) - GAP + 2);
	const wide = Math.max(64, Math.floor(width - LEFT)), { kind, cover } = columns_of(wide * NR_ROWS);
	const mode = colouring[state.mode], back = css('--grid'), soft = css('--soft'), { axis, from, to } = state;
	context.font = '11.5px ui-monospace, "DejaVu Sans Mono", monospace';
	for (let row = 0; row < NR_ROWS; row++) {
		const y = row * (ROW + GAP);
		context.globalAlpha = 1;
		context.fillStyle = back;
		context.fillRect(LEFT, y, wide, ROW);
		context.fillStyle = soft;
		context.textAlign = 'right';
		context.fillText(address(axis.page(from + (to - from) * row / NR_ROWS)), LEFT - 8, y + 16);
		for (let x = 0, next; x < wide; x = next) {
			const at = row * wide + x, level = Math.ceil(Math.min(1, cover[at]) * 8);
			for (next = x + 1; next < wide && kind[row * wide + next] === kind[at] &&
				Math.ceil(Math.min(1, cover[row * wide + next]) * 8) === level; next++)
				;
			if (kind[at] === VOID || cover[at] <= 0.001)
				continue;
			context.globalAlpha = 0.3 + 0.7 * level / 8;
			context.fillStyle = colour_of(mode, kind[at]);
			context.fillRect(LEFT + x, y, next - x, ROW);
		}
	}
	context.globalAlpha = 1;
	name_holes(context, wide);
	mark_cut(context, wide);
	mark_picked(context, wide);
	canvas.wide = wide;
}

// The size of holes, where it fits in.
function name_holes(context, wide) {
	const { space, axis, from, to } = state, factor = wide * NR_ROWS / (to - from);
	let i = space.index(axis.page(from), space.pieces), named = 0;
	// With so many in view none has room for a name.
	if (space.index(axis.page(to), space.pieces) - i > 20000)
		return;
	context.fillStyle = css('--soft');
	context.textAlign = 'left';
	for (; i <= space.pieces && named < 200; i++) {
		const first = i ? space.end[i - 1] : space.from, end = i < space.pieces ? space.first[i] : space.to;
		const a = Math.max(0, ((i ? axis.end(i - 1) : 0) - from) * factor);
		if (a >= wide * NR_ROWS)
			break;
		const b = Math.min(wide * NR_ROWS, ((i < space.pieces ? axis.begin(i) : axis.total) - from) * factor);
		if (end <= first || b - a < 60)
			continue;
		const text = `hole ${size(end - first)}`, row = Math.floor(a / wide), x = a % wide;
		const rest = Math.min(b - a, wide - x), room = context.measureText(text).width + 8;
		if (room <= rest)
			context.fillText(text, LEFT + x + 4, row * (ROW + GAP) + 16);
		else if (b - a - rest >= room && row + 1 < NR_ROWS)
			context.fillText(text, LEFT + 4, (row + 1) * (ROW + GAP) + 16);
		named++;
	}
}

// Bars where mappings are that were left out.
function mark_cut(context, wide) {
	const { space, axis, from, to } = state, factor = wide * NR_ROWS / (to - from);
	if (!space.cut)
		return;
	const a = Math.max(0, (axis.place(space.cut[2]) - from) * factor);
	const b = Math.min(wide * NR_ROWS, (axis.place(space.cut[3] + 1) - from) * factor);
	context.fillStyle = css('--bad');
	for (let x = Math.ceil(a / 8) * 8; x < b; x += 8)
		context.fillRect(LEFT + x % wide, Math.floor(x / wide) * (ROW + GAP), 1, ROW);
}

// A frame, row by row, around pages.
function frame(context, wide, begin, end, line) {
	const { from, to } = state, factor = wide * NR_ROWS / (to - from);
	const a = Math.max(0, (begin - from) * factor), b = Math.min(wide * NR_ROWS, Math.max((end - from) * factor, a + 3));
	context.strokeStyle = css('--text');
	context.lineWidth = line;
	for (let row = Math.floor(a / wide); row < NR_ROWS && row * wide < b; row++) {
		const x0 = Math.max(0, a - row * wide), x1 = Math.min(wide, b - row * wide);
		context.strokeRect(LEFT + x0, row * (ROW + GAP) - 1, Math.max(2, x1 - x0), ROW + 2);
	}
}

// Around the page that was picked, and a thin one around its mapping.
function mark_picked(context, wide) {
	const { space, axis, picked } = state;
	if (!picked)
		return;
	if (mapping_at(space, picked.page) >= 0)
		frame(context, wide, axis.begin(picked.index), axis.end(picked.index), 1);
	frame(context, wide, axis.place(picked.page), axis.place(picked.page + 1), 2.5);
}

// All of the space to scale: where mappings are, and what is in view.
function draw_strip(canvas) {
	const { context, width } = prepare(canvas, 40), { space } = state, wide = width - LEFT;
	const x_of = page => LEFT + (page - space.from) / (space.to - space.from) * wide;
	context.fillStyle = css('--grid');
	context.fillRect(LEFT, 4, wide, 16);
	context.fillStyle = PALETTE[0];
	for (let i = 0, last = -1; i < space.count; i++) {
		const x0 = x_of(space.first[i]), x1 = Math.max(x0 + 1, x_of(space.end[i]));
		if (x1 > last + 0.5)
			context.fillRect(Math.max(x0, last), 4, x1 - Math.max(x0, last), 16);
		last = Math.max(last, x1);
	}
	const a = x_of(view_first()), b = Math.max(a + 3, x_of(view_end()));
	context.strokeStyle = css('--text');
	context.lineWidth = 2;
	context.strokeRect(a, 2, b - a, 20);
	context.font = '11.5px ui-monospace, "DejaVu Sans Mono", monospace';
	context.fillStyle = css('--soft');
	context.textAlign = 'right';
	context.fillText('all, to scale', LEFT - 8, 16);
	context.textAlign = 'left';
	context.fillText(address(space.from), LEFT, 35);
	context.textAlign = 'right';
	context.fillText(ending(space.to), LEFT + wide, 35);
}

// Lines about a page of the space.
function about(space, page) {
	const i = mapping_at(space, page);
	if (i < 0) {
		if (space.cut && page >= space.cut[2] && page <= space.cut[3])
			return [['left out of this page', `${grouped(space.cut[0])} mappings in`],
				['iova', `${address(space.cut[2])}..${ending(space.cut[3] + 1)}`]];
		const next = space.index(page, space.pieces), first = next ? space.end[next - 1] : space.from;
		const end = next < space.pieces ? space.first[next] : space.to;
		return [['hole', size(end - first)], ['iova', `${address(first)}..${ending(end)}`]];
	}
	const code = space.code[i], pages = space.end[i] - space.first[i];
	return [['iova', `${address(space.first[i])}..${ending(space.end[i])}`],
		['pa', `${address(space.pa[i])}..${ending(space.pa[i] + pages)}`],
		['size', size(pages)], ['perm', perm(code)], ['attributes', attributes(code) || 'none'],
		['leaves', `${grouped(leaves_of(pages, code))} \u00d7 ${size_lg2(lg2_of(code))}`],
		['accessed', code & 0x100 ? 'yes' : 'no'], ['dirty', code & 0x200 ? 'yes' : 'no'],
		['this page', `${address(page)} \u2192 ${address(space.pa[i] + page - space.first[i])}`]];
}

function place_at(canvas, event) {
	const box = canvas.getBoundingClientRect(), x = event.clientX - box.left - LEFT;
	const row = Math.floor((event.clientY - box.top) / (ROW + GAP));
	if (x < 0 || x >= canvas.wide || row < 0 || row >= NR_ROWS)
		return null;
	return state.from + (state.to - state.from) * (row * canvas.wide + x) / (NR_ROWS * canvas.wide);
}

function zoom(factor, about_place) {
	const at = about_place ?? (state.from + state.to) / 2;
	set_view(at - (at - state.from) * factor, at + (state.to - at) * factor);
}

function shift(parts_of_view) {
	const by = (state.to - state.from) * parts_of_view, span = state.to - state.from;
	const from = Math.max(0, Math.min(state.axis.total - span, state.from + by));
	set_view(from, from + span);
}

function map_events(canvas) {
	let drag = null;
	canvas.addEventListener('wheel', event => {
		const at = place_at(canvas, event);
		event.preventDefault();
		if (at !== null)
			zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
	}, { passive: false });
	canvas.addEventListener('pointerdown', event => {
		drag = { x: event.clientX, y: event.clientY, from: state.from, moved: false };
		canvas.setPointerCapture(event.pointerId);
	});
	canvas.addEventListener('pointermove', event => {
		const at = place_at(canvas, event), span = state.to - state.from;
		if (drag) {
			const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
			drag.moved = drag.moved || Math.abs(dx) + Math.abs(dy) > 3;
			if (drag.moved) {
				const from = drag.from - span / NR_ROWS * (dx / canvas.wide + dy / (ROW + GAP));
				set_view(Math.max(0, from), Math.max(0, from) + span);
			}
			hide();
		} else if (at === null) {
			hide();
		} else {
			show(event, about(state.space, state.axis.page(at)).map(line => line.join('  ')).join('\n'));
		}
	});
	canvas.addEventListener('pointerup', event => {
		const at = place_at(canvas, event);
		if (drag && !drag.moved && at !== null)
			pick(state.space, state.axis.page(at));
		drag = null;
	});
	canvas.addEventListener('pointerleave', hide);
	canvas.addEventListener('dblclick', event => {
		const at = place_at(canvas, event);
		if (at !== null)
			zoom(event.shiftKey ? 4 : 0.25, at);
	});
	canvas.addEventListener('keydown', event => {
		const does = { '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), ArrowLeft: () => shift(-1 / NR_ROWS / 4),
			ArrowRight: () => shift(1 / NR_ROWS / 4), ArrowUp: () => shift(-1 / NR_ROWS), ArrowDown: () => shift(1 / NR_ROWS),
			PageUp: () => shift(-0.9), PageDown: () => shift(0.9), Home: () => set_view(0, state.axis.total) }[event.key];
		if (does) {
			event.preventDefault();
			does();
		}
	});
}

function strip_events(canvas) {
	const to = event => {
		const box = canvas.getBoundingClientRect(), part = (event.clientX - box.left - LEFT) / (box.width - LEFT);
		const page = state.space.from + Math.max(0, Math.min(1, part)) * (state.space.to - state.space.from);
		const at = state.axis.place(Math.min(state.space.to - 1, page)), half = (state.to - state.from) / 2;
		set_view(at - half, at + half);
	};
	canvas.addEventListener('pointerdown', to);
	canvas.addEventListener('pointermove', event => {
		if (event.buttons)
			to(event);
	});
}

function fill_key(key) {
	const { space } = state, mode = colouring[state.mode], pages = [], leaves = [], kinds = kinds_of(space, state.mode);
	for (let i = 0; i < space.count; i++) {
		const kind = kinds[i], nr = space.end[i] - space.first[i];
		pages[kind] = (pages[kind] || 0) + nr;
		leaves[kind] = (leaves[kind] || 0) + leaves_of(nr, space.code[i]);
	}
	const keys = mode.names.map((name, kind) => pages[kind] && el('span', {},
		el('i', { style: `background:${colour_of(mode, kind)}` }), el('b', {}, name),
		` ${size(pages[kind])}, ${grouped(leaves[kind])} ${leaves[kind] === 1 ? 'leaf' : 'leaves'}`));
	key.replaceChildren(...keys.filter(Boolean), el('span', {}, el('i', { style: 'background:var(--grid);border:1px solid var(--line)' }),
		'not mapped'), ...(space.cut ? [el('span', {}, el('i', { style: 'background:var(--bad)' }), 'left out of this page, some of it mapped')] : []));
}

function choice(label, options, get, set) {
	const select = el('select', { 'aria-label': label, onchange() { set(select.value); } },
		...options.map(([value, name]) => el('option', { value }, name)));
	parts.push(() => { select.value = get(); });
	return el('label', {}, `${label} `, select);
}

function add_picture() {
	const part = section('Address space'), title = part.firstChild, warning = el('p', { class: 'bad' });
	const map = el('canvas', { id: 'map', tabindex: 0, role: 'img', 'aria-label': 'the address space; plus and minus zoom, arrows move' });
	const strip = el('canvas', { id: 'strip', 'aria-hidden': 'true' }), key = el('div', { class: 'key' });
	const picked = el('div', { class: 'picked' }), view = el('span', { class: 'soft mono end' });
	const button = (text, label, does) => el('button', { title: label, 'aria-label': label, onclick: does }, text);
	part.append(warning, el('div', { class: 'bar-row' },
		choice('device', spaces.map(space => [space.number, space.name()]), () => state.space.number, value => choose(spaces[value])),
		choice('colour', Object.entries(colouring).map(([value, mode]) => [value, mode.name]), () => state.mode, value => {
			state.mode = value;
			schedule();
		}),
		choice('holes', [['short', 'shortened'], ['scale', 'to scale']], () => state.short ? 'short' : 'scale', set_short),
		button('+', 'zoom in', () => zoom(0.5)), button('\u2212', 'zoom out', () => zoom(2)),
		button('\u25c2', 'back', () => shift(-0.5)), button('\u25b8', 'forth', () => shift(0.5)),
		button('all', 'the whole space', () => set_view(0, state.axis.total)), view),
	key, strip, map, picked, el('p', { class: 'soft', style: 'margin-top:8px' },
		'Rows follow each other like lines of text. Wheel, + and \u2212 zoom, dragging and arrows move; a click keeps what is under the pointer.'));
	let keyed = {};
	map_events(map);
	strip_events(strip);
	parts.push(() => {
		const { space } = state;
		title.textContent = `Address space of ${space.name()}`;
		warning.textContent = space.cut ? `${grouped(space.cut[0])} of ${grouped(space.nr)} mappings, ${size(space.cut[1])} in ` +
			`${address(space.cut[2])}..${ending(space.cut[3] + 1)}, are not in this page.` : '';
		view.textContent = `${address(view_first())}..${ending(view_end())}`;
		if (keyed.space !== space || keyed.mode !== state.mode)
			fill_key(key);
		keyed = { space, mode: state.mode };
		draw_strip(strip);
		draw_map(map);
		fill_picked(picked);
	});
	window.addEventListener('resize', schedule);
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', schedule);
}

// The same addresses stay in view.
function set_short(value) {
	const first = view_first(), end = view_end();
	const all = state.from <= 0 && state.to >= state.axis.total;
	state.short = value === 'short';
	set_axis();
	if (all)
		set_view(0, state.axis.total);
	else
		set_view(state.axis.place(first), state.axis.place(end));
	schedule();
}

function fill_picked(picked) {
	if (!state.picked) {
		picked.replaceChildren(el('span', { class: 'soft' }, 'Nothing is picked.'));
		return;
	}
	const { space } = state, { page } = state.picked, i = mapping_at(space, page);
	const lines = about(space, page).map(([name, value]) => el('span', {}, el('b', {}, `${name} `), el('span', { class: 'mono' }, value)));
	if (i >= 0) {
		const pa = space.pa[i] + page - space.first[i];
		lines.push(el('button', { onclick: () => look_up(address(pa), 'pa') }, 'who reaches this memory?'));
	}
	picked.replaceChildren(...lines);
}

// ---- looking for addresses -------------------------------------------------------------------

const MOST_FOUND = 10000;
const search = { text: '', by: 'iova', found: [], note: '' };

function find_iova(at) {
	for (const space of spaces) {
		const i = mapping_at(space, at.page);
		const cells = i >= 0 ? [address(at.page, at.low), address(space.pa[i] + at.page - space.first[i], at.low), size(space.end[i] - space.first[i]),
			perm(space.code[i])] : [address(at.page, at.low), 'not mapped', '', ''];
		if (i >= 0 || (at.page >= space.from && at.page < space.to))
			search.found.push({ space, page: at.page, mapped: i >= 0, cells: [space.name(), ...cells] });
	}
	search.found.sort((a, b) => b.mapped - a.mapped);
}

function find_pa(first, last) {
	for (const space of spaces)
		for (let i = 0; i < space.count && search.found.length < MOST_FOUND; i++) {
			const end = space.pa[i] + space.end[i] - space.first[i];
			if (end <= first.page || space.pa[i] > last.page)
				continue;
			const from = Math.max(first.page, space.pa[i]), page = space.first[i] + from - space.pa[i];
			const low = from === first.page ? first.low : 0;
			search.found.push({ space, page, cells: [space.name(), address(page, low), address(from, low),
				size(Math.min(end, last.page + 1) - from), perm(space.code[i])] });
		}
}

function look_up(text, by) {
	const [first, last] = text.split('-').map(parse_address);
	Object.assign(search, { text, by, found: [], note: '' });
	if (!first || last === null || (last && last.page < first.page)) {
		search.note = text.trim() ? `\u201c${text}\u201d is no address, expected hexadecimal such as 0x46b7000` : '';
	} else if (by === 'iova') {
		find_iova(first);
		if (search.found.length && search.found[0].mapped)
			visit(search.found[0]);
	} else {
		find_pa(first, last || first);
		if (search.found.length)
			visit(search.found[0]);
	}
	if (!search.note && first)
		search.note = found_note(by);
	schedule();
}

function found_note(by) {
	const open = devices.filter(device => device.path === 'passes through').map(device => device.name);
	const parts_cut = spaces.some(space => space.cut) ? ' Mappings that are not in this page were not looked at.' : '';
	const passing = open.length ? ` By its own addresses, all of memory: ${open.slice(0, 20).join(', ')}${open.length > 20 ? ' and more' : ''}.` : '';
	const none = by === 'pa' ? 'No tables lead there.' : 'No device has it in its tables.';
	const some = search.found.length === MOST_FOUND ? `The first ${grouped(MOST_FOUND)}.` : '';
	return (search.found.length ? some : none) + passing + parts_cut;
}

function visit(found) {
	const i = mapping_at(found.space, found.page);
	go(found.space, i < 0 ? found.page : Math.max(found.space.first[i], found.page - 8), i < 0 ? found.page + 1 : Math.min(found.space.end[i], found.page + 8));
	pick(found.space, found.page);
}

function add_search() {
	const part = section('Who reaches it?', 'An address of the devices\u2019 own, or of memory, also A-B: everyone who reaches that is listed.');
	const input = el('input', { id: 'find', size: 28, placeholder: '0x46b7000', class: 'mono', 'aria-label': 'address', spellcheck: 'false' });
	const by = el('select', { 'aria-label': 'kind of address' }, el('option', { value: 'iova' }, 'address of a device (IOVA)'),
		el('option', { value: 'pa' }, 'physical address'));
	const note = el('span', { class: 'soft' }), lists = el('div');
	part.append(el('form', { class: 'bar-row', onsubmit(event) {
		event.preventDefault();
		look_up(input.value, by.value);
		write_link();
	} }, input, by, el('button', {}, 'find'), note), lists);
	const shown = list(lists, [['device', 'left mono'], ['iova', 'left mono'], ['pa', 'left mono'], ['size'], ['perm', 'left mono']],
		() => search.found.length, i => ({ cells: search.found[i].cells, click: () => visit(search.found[i]) }));
	let before;
	parts.push(() => {
		if (before === search.found)
			return;
		before = search.found;
		input.value = search.text;
		by.value = search.by;
		note.textContent = search.note;
		lists.style.display = search.found.length ? '' : 'none';
		shown.fill();
	});
}

// ---- mappings and tables ---------------------------------------------------------------------

function add_mappings() {
	const part = section('Mappings in view', 'Those that the picture shows now; a row zooms in on one.');
	let low = 0, nr = 0;
	const shown = list(part, [['iova', 'left mono'], ['last', 'left mono'], ['pa', 'left mono'], ['size'], ['perm', 'left mono'],
		['attributes', 'left'], ['a/d', 'left mono'], ['leaves']], () => nr, n => {
		const { space } = state, i = low + n, code = space.code[i], pages = space.end[i] - space.first[i];
		return { here: state.picked && state.picked.index === i && mapping_at(space, state.picked.page) === i, click() {
			go(space, space.first[i], space.end[i]);
			pick(space, space.first[i]);
		}, cells: [address(space.first[i]), ending(space.end[i]), address(space.pa[i]), size(pages), perm(code),
			attributes(code), marks(code), `${grouped(leaves_of(pages, code))} \u00d7 ${size_lg2(lg2_of(code))}`] };
	});
	parts.push(() => {
		const { space, axis, to } = state, last = space.index(view_end() - 1);
		low = space.index(view_first());
		nr = last - low + (last < space.count && axis.begin(last) < to);
		shown.fill();
	});
}

// As many cells as there is room for; each is one table, or the mean of some.
function draw_tables(canvas, space) {
	const cell = space.tables.length > 2000 ? 8 : 14, each = cell + 2, levels = [];
	for (const table of space.tables)
		(levels[table.level] = levels[table.level] || []).push(table);
	const across = Math.max(8, Math.floor((canvas.clientWidth - LEFT) / each)), most = across * 40;
	const lines = levels.map((tables, level) => ({ level, tables, some: Math.ceil(tables.length / most) })).reverse();
	const height = lines.reduce((sum, { tables, some }) => sum + Math.ceil(Math.ceil(tables.length / some) / across) * each + 12, 0);
	const { context } = prepare(canvas, Math.max(20, height)), soft = css('--soft');
	canvas.cells = [];
	let y = 0;
	context.font = '11.5px system-ui, sans-serif';
	for (const { level, tables, some } of lines) {
		context.globalAlpha = 1;
		context.textAlign = 'right';
		context.fillStyle = soft;
		context.fillText(`level ${level}: ${grouped(tables.length)}`, LEFT - 8, y + 11);
		for (let i = 0; i * some < tables.length; i++) {
			const group = tables.slice(i * some, (i + 1) * some), x = LEFT + i % across * each, top = y + Math.floor(i / across) * each;
			const fill = group.reduce((sum, table) => sum + table.used / (table.bytes / 8), 0) / group.length;
			context.globalAlpha = 1;
			context.strokeStyle = css('--line');
			context.lineWidth = 1;
			context.strokeRect(x + 0.5, top + 0.5, cell - 1, cell - 1);
			context.globalAlpha = fill ? 0.15 + 0.85 * fill : 0;
			context.fillStyle = PALETTE[0];
			context.fillRect(x, top, cell, cell);
			canvas.cells.push({ x, y: top, each, group, fill });
		}
		y += Math.ceil(Math.ceil(tables.length / some) / across) * each + 12;
	}
	context.globalAlpha = 1;
}

const percent = part => `${(100 * part).toFixed(part && part < 0.1 ? 1 : 0)}%`;

function add_tables() {
	const part = section('Table pages', 'A square is a table; the stronger, the more of its entries are in use. An empty one is memory for nothing.');
	const canvas = el('canvas', { id: 'tables', role: 'img', 'aria-label': 'how full tables are' }), warning = el('p', { class: 'bad' });
	const details = el('details', {}, el('summary', {}, 'as a list')), space_of = () => state.space;
	const cell_at = event => {
		const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
		return (canvas.cells || []).find(cell => x >= cell.x && x < cell.x + cell.each && y >= cell.y && y < cell.y + cell.each);
	};
	const go_table = table => go(state.space, Math.max(state.space.from, table.first),
		Math.min(state.space.to, table.first + state.space.span(table.level)));
	const entries = table => `${grouped(table.used)} of ${grouped(table.bytes / 8)}`;
	canvas.addEventListener('pointermove', event => {
		const cell = cell_at(event), table = cell && cell.group[0];
		if (!cell)
			hide();
		else
			show(event, cell.group.length > 1 ? `${grouped(cell.group.length)} tables of level ${table.level}\n${percent(cell.fill)} in use` :
				`level ${table.level}, at ${table.at}\nfrom iova ${address(table.first)} on\n${entries(table)} entries in use, ${grouped(table.bytes)} bytes`);
	});
	canvas.addEventListener('pointerleave', hide);
	canvas.addEventListener('click', event => {
		const cell = cell_at(event);
		if (cell)
			go_table(cell.group[0]);
	});
	part.append(warning, canvas, details);
	const shown = list(details, [['level', 'left'], ['at', 'left mono'], ['first iova', 'left mono'], ['entries in use'], ['full'], ['bytes']],
		() => space_of().tables.length, i => {
		const table = space_of().tables[i];
		return { click: () => go_table(table), cells: [`${'\u00b7 '.repeat(space_of().levels - 1 - table.level)}${table.level}`, table.at,
			address(table.first), entries(table), percent(table.used / (table.bytes / 8)), grouped(table.bytes)] };
	});
	let before;
	const draw = () => {
		if (state.space)
			draw_tables(canvas, state.space);
	};
	parts.push(() => {
		if (before === state.space)
			return;
		before = state.space;
		warning.textContent = before.left_tables ? `${grouped(before.left_tables)} of ${grouped(before.nr_tables)} tables are not in this page.` : '';
		draw();
		shown.fill();
	});
	window.addEventListener('resize', draw);
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}

function add_troubles() {
	if (!data.nr_troubles)
		return;
	const left = data.nr_troubles - data.troubles.length;
	const part = section('Wrong or missing', left ? `The first ${grouped(data.troubles.length)} of ${grouped(data.nr_troubles)}.` : '');
	list(part, [['device', 'left mono'], ['what', 'left'], ['iova', 'left mono'], ['level'], ['at', 'left mono'], ['entry', 'left mono']],
		() => data.troubles.length, i => {
		const [id, pasid, what, iova, level, at, entry] = data.troubles[i];
		const device = devices.find(one => one.id === id && one.pasid === pasid);
		const click = device && device.space && level >= 0 && (() => visit({ space: device.space, page: parse_address(iova).page }));
		return { click, cells: [id ? (pasid < 0 ? id : `${id} pasid ${pasid}`) : '', what, level < 0 ? '' : iova, level < 0 ? '' : level, at, entry === '0x0' ? '' : entry] };
	}).fill();
}

// ---- links into the page ---------------------------------------------------------------------

// #device=00:1f.0&iova=0x1000, or #pa=0x1000; colour and holes as the page has them.
function read_link() {
	const link = new URLSearchParams(location.hash.slice(1));
	const wanted = link.get('device'), pasid = link.get('pasid');
	const device = devices.find(one => one.space && one.id === wanted && (pasid === null ? one.pasid < 0 : one.pasid === Number(pasid)));
	const iova = link.get('iova') && parse_address(link.get('iova'));
	if (colouring[link.get('colour')])
		state.mode = link.get('colour');
	if (device)
		choose(device.space);
	if (link.get('holes'))
		set_short(link.get('holes'));
	if (link.get('pa'))
		look_up(link.get('pa'), 'pa');
	else if (iova && device)
		visit({ space: device.space, page: iova.page });
	else if (link.get('iova'))
		look_up(link.get('iova'), 'iova');
}

function write_link() {
	const device = state.space.devices[0], link = new URLSearchParams({ device: device.id });
	if (device.pasid >= 0)
		link.set('pasid', device.pasid);
	if (state.picked)
		link.set('iova', address(state.picked.page));
	history.replaceState(null, '', `#${link.toString().replace(/%3A/g, ':')}`);
}

// ---- all of it -------------------------------------------------------------------------------

add_devices();
if (spaces.length) {
	add_picture();
	add_search();
	add_mappings();
	add_tables();
	// The one with most in it is the one to begin with.
	choose(spaces.reduce((most, space) => space.count > most.count ? space : most));
	read_link();
	window.addEventListener('hashchange', read_link);
}
add_troubles();
if (spaces.length)
	update();
});
