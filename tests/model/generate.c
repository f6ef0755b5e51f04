/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The next random operation of a trial. A trial stays near a few addresses, and most operations
 * start from what is mapped, so that they meet each other; some are plainly wrong. See model.h.
 */
#include "tests/model/model.h"

static bool one_in(struct generator *g, unsigned n)
{
	return random_below(&g->random, n) == 0;
}

static unsigned below(struct generator *g, unsigned n)
{
	return (unsigned)random_below(&g->random, n);
}

/* The places where something changes: where tables of each level end, 4 GiB, ends of the space. */
void generator_init(struct generator *g, const struct model *m, uint64_t seed)
{
	uint64_t places[3 + IOPT_MAX_LEVELS + 3];
	unsigned nr = 0;

	random_seed(&g->random, seed);
	g->unmapped.kind = NR_KINDS;
	places[nr++] = m->low_last ? 0 : m->high_after + 1;
	places[nr++] = m->low_last + 1;
	for (unsigned i = 1; i <= m->info->max_levels; i++)
		if (levels_last(m, i) < m->low_last)
			places[nr++] = levels_last(m, i) + 1;
	if (1ull << 32 < m->low_last)
		places[nr++] = 1ull << 32;
	if (m->high_after != ~0ull)
		places[nr++] = m->high_after + 1;
	for (unsigned i = 0; i < NR_ANCHORS; i++)
		g->anchors[i] = places[below(g, nr)];
}

/* The size of something, lg2: a granule, a leaf that the domain may use, or what a table spans. */
static unsigned draw_lg2(struct generator *g, const struct model *m)
{
	unsigned lg2;

	switch (below(g, 4)) {
	case 0:
		lg2 = m->info->granule_lg2 + m->info->index_lg2 * below(g, m->info->max_levels);
		return lg2 < 63 ? lg2 : m->info->granule_lg2;
	case 1:
		do
			lg2 = below(g, 64);
		while (!(m->sizes >> lg2 & 1));
		return lg2;
	default: return m->info->granule_lg2;
	}
}

static uint64_t draw_address(struct generator *g, const struct model *m)
{
	uint64_t offset = (uint64_t)below(g, 9) << draw_lg2(g, m);
	uint64_t anchor = g->anchors[below(g, NR_ANCHORS)];

	return (one_in(g, 2) ? anchor + offset : anchor - offset) & ~granule_mask(m);
}

static void draw_near_anchor(struct generator *g, const struct model *m, struct op *op)
{
	uint64_t granule = granule_mask(m) + 1, first = draw_address(g, m), other;
	unsigned lg2;

	switch (below(g, 8)) {
	case 0:
		other = draw_address(g, m);
		op->first = first < other ? first : other;
		op->last = (first < other ? other : first) + granule - 1;
		break;
	case 1:
		op->first = first;
		op->last = first + granule * (1 + below(g, 600)) - 1;
		break;
	case 2:
	case 3:
		op->first = first;
		op->last = first + granule * (1 + below(g, 16)) - 1;
		break;
	case 4:
	case 5:
		lg2 = draw_lg2(g, m);
		op->first = first & ~((1ull << lg2) - 1);
		op->last = op->first + ((uint64_t)(1 + below(g, 3)) << lg2) - 1;
		break;
	default: op->first = first; op->last = first + granule - 1;
	}
}

/* One leaf or some that follow each other, often a bit more or less of them. */
static void draw_mapped(struct generator *g, const struct model *m, struct op *op)
{
	uint64_t granule = granule_mask(m) + 1, mask;
	unsigned i = below(g, m->leaves.nr), end;

	if (one_in(g, 6)) /* the ends of the space meet at the wrap */
		i = one_in(g, 2) ? 0 : m->leaves.nr - 1;
	end = i + (one_in(g, 2) ? 0 : below(g, 40));
	if (end >= m->leaves.nr)
		end = m->leaves.nr - 1;
	op->first = m->leaves.at[i].first;
	op->last = m->leaves.at[end].last;
	switch (below(g, 10)) {
	case 0: op->first += granule; break;
	case 1: op->last -= granule; break;
	case 2:
		op->first -= granule * below(g, 3);
		op->last += granule * below(g, 3);
		break;
	case 3:
	case 4:
		mask = (1ull << draw_lg2(g, m)) - 1;
		op->first &= ~mask;
		op->last |= mask;
		break;
	case 5: /* as long as a leaf or a table, and not aligned */
		op->first += granule * below(g, 3);
		op->last = op->first + ((1ull << draw_lg2(g, m)) - 1);
		break;
	default: break;
	}
}

static void draw_range(struct generator *g, const struct model *m, struct op *op, unsigned mapped)
{
	unsigned tries = 0;

	do {
		if (m->leaves.nr && below(g, 100) < mapped)
			draw_mapped(g, m, op);
		else
			draw_near_anchor(g, m, op);
	} while ((op->first > op->last || !model_has(m, op->first, op->last)) && ++tries < 8);
	if (one_in(g, 100))
		op->first ^= 1ull << below(g, m->info->granule_lg2);
	else if (one_in(g, 100))
		op->last ^= 1ull << below(g, m->info->granule_lg2);
}

static unsigned draw_prot(struct generator *g, const struct model *m)
{
	unsigned prot = one_in(g, 4) ? IOPT_READ : RW;

	if ((m->info->abilities & IOPT_ALWAYS_RW) && !one_in(g, 16))
		prot = RW;

	if (one_in(g, 50))
		return below(g, 256);
	if ((m->info->abilities & IOPT_CAN_WRITE_ONLY) && one_in(g, 16))
		prot = IOPT_WRITE;
	if ((m->info->abilities & IOPT_CAN_EXEC) && one_in(g, 8))
		prot |= IOPT_EXEC;
	if ((m->info->abilities & IOPT_CAN_PRIV) && one_in(g, 8))
		prot |= IOPT_PRIV;
	if ((m->info->abilities & IOPT_CAN_SNOOP) && one_in(g, 8))
		prot |= IOPT_SNOOP;
	if ((m->info->abilities & IOPT_CAN_MEMORY_TYPES) && one_in(g, 8))
		prot |= one_in(g, 2) ? IOPT_UNCACHED : IOPT_DEVICE;
	if ((m->info->abilities & IOPT_CAN_UNCACHED) && one_in(g, 8))
		prot |= IOPT_UNCACHED;
	return prot;
}

/* Mostly like the IOVA in some low bits, which decides what leaves fit. */
static uint64_t draw_pa(struct generator *g, const struct model *m, const struct op *op)
{
	uint64_t like = (1ull << (one_in(g, 2) ? 40 : draw_lg2(g, m))) - 1;
	uint64_t pa = (random_next(&g->random) & ~like & m->pa_last) | (op->first & like);

	/* Where neighbours continue each other. */
	if (one_in(g, 3))
		pa = op->first & m->pa_last >> 1;
	if (one_in(g, 100))
		return pa;
	pa &= m->pa_last & ~granule_mask(m);
	if (op->last - op->first > m->pa_last - pa)
		pa = op->first & m->pa_last >> 1 & ~granule_mask(m);
	return pa;
}

/* Keep the number of leaves of a map, and of a trial, in bounds. */
static void limit(struct generator *g, const struct model *m, struct op *op)
{
	static struct leaf plan[MAX_PLAN];
	unsigned most = m->leaves.nr > 1500 ? 4 : one_in(g, 16) ? MAX_PLAN : 40;

	if (op->first > op->last || ((op->first | ~op->last | op->pa) & granule_mask(m)))
		return;
	if (leaves_plan(m->sizes, op->first, op->last, op->pa, 0, plan, most) > most)
		op->last = op->first + (granule_mask(m) + 1) * (1 + below(g, most)) - 1;
}

static void draw_map(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 30);
	op->prot = (uint8_t)draw_prot(g, m);
	op->pa = draw_pa(g, m, op);
	limit(g, m, op);
	if (one_in(g, 8))
		op->flags = MAP_RESERVED;
	else if (one_in(g, 12))
		op->n = 1 + below(g, 6);
	if (op->kind == OP_SG)
		op->aux = random_next(&g->random);
}

/*
 * The leaf at the other end of the space after the one that was unmapped last, into the same
 * gather: the ends meet at the wrap and are no neighbours. Returns false if there is none.
 */
static bool draw_other_end(struct generator *g, const struct model *m, struct op *op)
{
	const struct leaf *low = &m->leaves.at[0], *high = low + m->leaves.nr - 1;

	if (!m->leaves.nr || !(g->unmapped.last == ~0ull || g->unmapped.first == 0))
		return false;
	low = g->unmapped.last == ~0ull ? low : high;
	*op = (struct op){ .kind = OP_UNMAP, .debt = g->unmapped.debt };
	op->first = low->first;
	op->last = low->last;
	return true;
}

static void draw_unmap(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, m->leaves.nr > 1500 ? 50 : 80);
	if (one_in(g, 3))
		op->flags |= IOPT_UNMAP_COUNT;
	if (one_in(g, 6))
		op->flags |= IOPT_UNMAP_FULL;
	if (one_in(g, m->info->abilities & IOPT_CAN_TRIM ? 6 : 100))
		op->flags |= IOPT_UNMAP_TRIM;
	op->n = one_in(g, 10);
	op->debt = (uint8_t)(one_in(g, 6) ? NR_DEBTS - 1 : below(g, NR_DEBTS - 1));
	g->unmapped = *op;
}

/* The smallest bits of a bitmap that reaches over the range, or somewhat larger ones. */
static unsigned draw_page_lg2(struct generator *g, const struct op *op)
{
	unsigned lg2 = 1 + below(g, 14);

	while (lg2 < 63 && (op->last >> lg2) - (op->first >> lg2) > MAX_BITS / 2)
		lg2++;
	lg2 += below(g, 12);
	return lg2 < 63 ? lg2 : 63;
}

static void draw_sweep(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 60);
	if (one_in(g, 3))
		op->first += below(g, 9000);
	if (one_in(g, 3))
		op->last -= below(g, 9000);
	op->flags = one_in(g, 64) ? 2 : one_in(g, 3) ? 0 : IOPT_SWEEP_CLEAR;
	op->debt = (uint8_t)below(g, NR_DEBTS);
	if (one_in(g, 3))
		op->aux = 1 + below(g, 5);
	if (one_in(g, 2)) {
		op->n = one_in(g, 4) ? 1 + below(g, 4) : 0;
		return;
	}
	op->pa = draw_page_lg2(g, op);
	op->n = below(g, 130);
	if (one_in(g, 40))
		op->aux |= 1ull << 63;
}

/* Some byte of what is mapped or, with aux, of what was until lately. */
static void draw_write(struct generator *g, const struct model *m, struct op *op)
{
	const struct debt *debt = &m->debts[below(g, NR_DEBTS)];

	op->n = below(g, 1024);
	if (debt->nr_gone && one_in(g, 3)) {
		op->first = debt->gone[below(g, debt->nr_gone)].leaf.first;
		op->aux = 1;
	} else if (m->leaves.nr) {
		op->first = m->leaves.at[below(g, m->leaves.nr)].first;
	}
	op->last = op->first;
}

static void draw_read(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 70);
	switch (below(g, 4)) {
	case 0: op->first = op->last; break;
	case 1: op->first += random_below(&g->random, (op->last - op->first) | 1); break;
	case 2: op->first--; break;
	default: break;
	}
	op->last = op->first;
}

static void draw_visit(struct generator *g, const struct model *m, struct op *op)
{
	static const unsigned char chunks[] = { 1, 2, 3, 7, 64 };

	op->n = chunks[below(g, sizeof(chunks))];
	op->last = ~0ull;
	if (!one_in(g, 3)) {
		draw_range(g, m, op, 70);
		if (one_in(g, 3))
			op->last = ~0ull;
		/* From within the gap: where a leaf of the upper half would be without its sign. */
		if (m->high_after != ~0ull && m->leaves.nr && one_in(g, 4))
			op->first = m->leaves.at[m->leaves.nr - 1].first & m->space;
	}
}

/* A size of the domain's, mostly; 0: any. */
static uint64_t draw_size(struct generator *g, const struct model *m)
{
	unsigned lg2;

	if (one_in(g, 3))
		return 0;
	if (one_in(g, 40))
		return 1 + below(g, 70);
	do
		lg2 = below(g, 64);
	while (!(m->sizes >> lg2 & 1));
	return lg2;
}

static void draw_resize(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 85);
	op->debt = (uint8_t)below(g, NR_DEBTS);
	op->pa = draw_size(g, m);
	op->aux = one_in(g, 3) ? 1 + below(g, 20) : 0;
	if (one_in(g, 100))
		op->flags = 4;
	if (op->kind == OP_SPLIT)
		op->n = one_in(g, 8) ? 1 + below(g, 3) : 0;
	else if (one_in(g, 4))
		op->flags |= IOPT_MERGE_ONE;
}

/* A range of the whole domain, often. */
static void draw_trim(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 50);
	if (one_in(g, 2)) {
		op->first = m->low_last ? 0 : m->high_after + 1;
		op->last = m->low_last ? m->low_last : ~0ull;
	}
	op->debt = (uint8_t)below(g, NR_DEBTS);
	op->aux = one_in(g, 3) ? 1 + below(g, 20) : 0;
}

static void draw_protect(struct generator *g, const struct model *m, struct op *op)
{
	draw_range(g, m, op, 85);
	op->debt = (uint8_t)below(g, NR_DEBTS);
	op->prot = (uint8_t)draw_prot(g, m);
	op->n = one_in(g, 10);
}

static enum kind draw_kind(struct generator *g)
{
	static const unsigned char weights[NR_KINDS] = {
		[OP_MAP] = 24,	  [OP_SG] = 4,	  [OP_UNMAP] = 20, [OP_SYNC] = 7,  [OP_GATHER] = 2,
		[OP_READ] = 6,	  [OP_VISIT] = 2, [OP_WRITE] = 12, [OP_SWEEP] = 8, [OP_TRACK] = 1,
		[OP_PROTECT] = 4, [OP_SPLIT] = 4, [OP_MERGE] = 5,  [OP_TRIM] = 1,
	};
	unsigned dice = below(g, 100), kind = 0;

	while (dice >= weights[kind])
		dice -= weights[kind++];
	return (enum kind)kind;
}

void generate(struct generator *g, const struct model *m, struct op *op)
{
	if (g->unmapped.kind == OP_UNMAP && draw_other_end(g, m, op)) {
		g->unmapped.kind = NR_KINDS;
		return;
	}
	g->unmapped.kind = NR_KINDS;
	*op = (struct op){ .kind = (uint8_t)draw_kind(g) };
	switch (op->kind) {
	case OP_MAP:
	case OP_SG: draw_map(g, m, op); break;
	case OP_UNMAP: draw_unmap(g, m, op); break;
	case OP_SYNC:
		op->debt = (uint8_t)below(g, NR_DEBTS);
		op->flags = one_in(g, 2) ? SYNC_WRITES : 0;
		break;
	case OP_GATHER:
		op->debt = (uint8_t)below(g, NR_DEBTS);
		op->flags = below(g, NR_DEBTS);
		break;
	case OP_READ: draw_read(g, m, op); break;
	case OP_VISIT: draw_visit(g, m, op); break;
	case OP_WRITE: draw_write(g, m, op); break;
	case OP_SWEEP: draw_sweep(g, m, op); break;
	case OP_TRACK:
		op->flags = !one_in(g, 3);
		op->pa = one_in(g, 3) ? draw_size(g, m) : 0;
		op->aux = one_in(g, 2) ? 1 + below(g, 20) : 0;
		break;
	case OP_PROTECT: draw_protect(g, m, op); break;
	case OP_SPLIT:
	case OP_MERGE: draw_resize(g, m, op); break;
	case OP_TRIM: draw_trim(g, m, op); break;
	default: break;
	}
}
