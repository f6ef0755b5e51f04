// SPDX-License-Identifier: MIT OR GPL-2.0-only
// Third part: lists of devices, mappings, tables and what is wrong; looking for addresses; links.

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
	const root = space.root + (space.over ? `, over ${space.over}` : '');
	return { click, here: space === state.space, cells: [device.name, device.domain, device.path,
		`${space.format}, ${space.levels} levels`, root,
		size(space.mapped).replace(/^0K$/, '0'), grouped(space.nr), [leaf_sizes(space), same, cut].filter(Boolean).join(', '), grouped(space.nr_tables)] };
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

// ---- looking for addresses -------------------------------------------------------------------

const MOST_FOUND = 10000;
const search = { text: '', by: 'iova', found: [], note: '' };

function find_iova(at) {
	for (const space of spaces) {
		const i = mapping_at(space, at.page);
		const cells = i >= 0 ? [address(at.page, at.low), address(space.pa[i] + at.page - space.first[i], at.low),
			size(space.end[i] - space.first[i]), perm(space.code[i])] : [address(at.page, at.low), 'not mapped', '', ''];
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
	const some_open = open.slice(0, 20).join(', ') + (open.length > 20 ? ' and more' : '');
	const passing = open.length ? ` By its own addresses, all of memory: ${some_open}.` : '';
	const none = by === 'pa' ? 'No tables lead there.' : 'No device has it in its tables.';
	const some = search.found.length === MOST_FOUND ? `The first ${grouped(MOST_FOUND)}.` : '';
	return (search.found.length ? some : none) + passing + parts_cut;
}

function visit(found) {
	const { space, page } = found, i = mapping_at(space, page);
	if (i < 0)
		go(space, page, page + 1);
	else
		go(space, Math.max(space.first[i], page - 8), Math.min(space.end[i], page + 8));
	pick(space, page);
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
	const lines = levels.map((tables, level) => ({ level, tables, some: Math.ceil(tables.length / most) }))
		.filter(Boolean).reverse(); // levels without a table are holes in the array
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
	const part = section('Table pages', 'A square is a table; the stronger, the more of its entries are in use. ' +
		'An empty one is memory for nothing.');
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
			show(event, cell.group.length > 1 ?
				`${grouped(cell.group.length)} tables of level ${table.level}\n${percent(cell.fill)} in use` :
				`level ${table.level}, at ${table.at}\nfrom iova ${address(table.first)} on\n` +
				`${entries(table)} entries in use, ${grouped(table.bytes)} bytes`);
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
		warning.textContent = before.left_tables ?
			`${grouped(before.left_tables)} of ${grouped(before.nr_tables)} tables are not in this page.` : '';
		draw();
		shown.fill();
	});
	window.addEventListener('resize', draw);
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}

// The device whose tables may have a page: two halves of an address space are two devices of one name.
function device_at(id, pasid, page) {
	const alike = devices.filter(one => one.space && one.id === id && one.pasid === pasid);
	return alike.find(({ space }) => page >= space.from && page < space.to) || alike[0];
}

function add_troubles() {
	if (!data.nr_troubles)
		return;
	const left = data.nr_troubles - data.troubles.length;
	const part = section('Wrong or missing', left ? `The first ${grouped(data.troubles.length)} of ${grouped(data.nr_troubles)}.` : '');
	list(part, [['device', 'left mono'], ['what', 'left'], ['iova', 'left mono'], ['level'], ['at', 'left mono'], ['entry', 'left mono']],
		() => data.troubles.length, i => {
		const [id, pasid, what, iova, level, at, entry] = data.troubles[i];
		const { page } = parse_address(iova), device = level >= 0 && device_at(id, pasid, page);
		const click = device && (() => visit({ space: device.space, page }));
		const name = pasid < 0 ? id : `${id} pasid ${pasid}`;
		return { click, cells: [name, what, level < 0 ? '' : iova, level < 0 ? '' : level, at, entry === '0x0' ? '' : entry] };
	}).fill();
}

// ---- links into the page ---------------------------------------------------------------------

// #device=00:1f.0&iova=0x1000, or #pa=0x1000; colour and holes as the page has them.
function read_link() {
	const link = new URLSearchParams(location.hash.slice(1));
	const iova = link.get('iova') && parse_address(link.get('iova'));
	const pasid = link.has('pasid') ? Number(link.get('pasid')) : -1, device = device_at(link.get('device'), pasid, iova ? iova.page : 0);
	if (Object.hasOwn(colouring, link.get('colour')))
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
