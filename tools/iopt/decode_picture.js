// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Second part: what is shown at the moment, and the picture of an address space.

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
	keys.push(el('span', {}, el('i', { style: 'background:var(--grid);border:1px solid var(--line)' }), 'not mapped'));
	if (space.cut)
		keys.push(el('span', {}, el('i', { style: 'background:var(--bad)' }), 'left out of this page, some of it mapped'));
	key.replaceChildren(...keys.filter(Boolean));
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
		'Rows follow each other like lines of text. Wheel, + and \u2212 zoom, dragging and arrows move; ' +
		'a click keeps what is under the pointer.'));
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
