/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A trial from its create to its end: see model.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/model.h"

void fail(struct model *m, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(m->trial->message, MESSAGE_LEN, format, arguments);
	m->trial->format = format;
	va_end(arguments);
	_exit(EXIT_FAILURE);
}

static const struct {
	unsigned may;
	int result;
	const char *name;
} outcomes[] = {
	{ MAY_OK, 0, "0" },
	{ MAY_EINVAL, -EINVAL, "-EINVAL" },
	{ MAY_ERANGE, -ERANGE, "-ERANGE" },
	{ MAY_EEXIST, -EEXIST, "-EEXIST" },
	{ MAY_ENOENT, -ENOENT, "-ENOENT" },
	{ MAY_ENOMEM, -ENOMEM, "-ENOMEM" },
	{ MAY_EOPNOTSUPP, -EOPNOTSUPP, "-EOPNOTSUPP" },
	{ MAY_EXDEV, -EXDEV, "-EXDEV" },
};

void check_result(struct model *m, const char *call, int result, unsigned may)
{
	char expected[MESSAGE_LEN / 2] = "";

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		if (!(outcomes[i].may & may))
			continue;
		if (outcomes[i].result == result)
			return;
		strcat(expected, " or ");
		strcat(expected, outcomes[i].name);
	}
	fail(m, "%s returned %d, expected%s", call, result, expected + strlen(" or"));
}

bool model_has(const struct model *m, uint64_t first, uint64_t last)
{
	return (m->low_last && last <= m->low_last) || first > m->high_after;
}

uint64_t granule_mask(const struct model *m)
{
	return (1ull << m->info->granule_lg2) - 1;
}

static uint64_t bits(unsigned nr)
{
	return nr < 64 ? (1ull << nr) - 1 : ~0ull;
}

uint64_t levels_last(const struct model *m, unsigned levels)
{
	return bits(m->info->granule_lg2 + levels * m->info->index_lg2);
}

/* Without a wish: no runs where no part of one could be changed later. */
static uint64_t default_sizes(const struct model *m)
{
	uint64_t singles = 0;

	if (!(m->info->abilities & IOPT_CAN_BBM) || m->config->bbm == 2)
		return m->info->page_sizes;
	for (unsigned level = 0; level < m->info->max_levels; level++)
		singles |= levels_last(m, level) + 1;
	return m->info->page_sizes & singles;
}

/* What a configuration comes to, worked out here once more. */
static void geometry(struct model *m)
{
	const struct config *config = m->config;
	unsigned levels = config->levels ? config->levels : m->info->default_levels;
	unsigned most = config->max_levels		     ? config->max_levels
			: m->info->abilities & IOPT_CAN_GROW ? m->info->max_levels
							     : levels;
	uint64_t below = levels_last(m, most);
	uint64_t space = bits(config->iova_lg2 ? config->iova_lg2 : width_of(m->info, most));

	m->levels = levels;
	m->raised = levels;
	m->space = space;
	m->low_last = space;
	m->high_after = ~0ull;
	if (config->flags & IOPT_SIGN_EXTEND) {
		m->low_last = space >> 1;
		m->high_after = ~m->low_last - 1;
	}
	if (config->flags & IOPT_UPPER) {
		m->low_last = 0;
		m->high_after = ~space - 1;
	}
	m->pa_last = bits(config->pa_lg2 ? config->pa_lg2 : m->info->pa_lg2);
	m->sizes = config->page_sizes ? config->page_sizes : default_sizes(m);
	m->sizes &= space & below & m->pa_last;
	if (config->pa_lg2 && config->pa_lg2 < m->info->pa_lg2)
		m->sizes &= ~m->info->wide_sizes;
	m->map_sizes = m->sizes;
	m->resizes = (m->info->abilities & IOPT_CAN_RESIZE) &&
		     (!(m->info->abilities & IOPT_CAN_BBM) || config->bbm == 2);
	m->trackable = config->flags & (IOPT_TRACKABLE | IOPT_TRACK);
	m->tracking = config->flags & IOPT_TRACK;
}

void model_create(struct model *m, const struct config *config, struct trial *trial)
{
	struct iopt_config wanted = {
		.format = config->format,
		.levels = config->levels,
		.max_levels = config->max_levels,
		.iova_lg2 = config->iova_lg2,
		.pa_lg2 = config->pa_lg2,
		.page_sizes = config->page_sizes,
		.flags = config->flags,
		.bbm = config->bbm,
		.ctx = m,
	};
	int result;

	m->config = config;
	m->trial = trial;
	m->info = iopt_format_find(config->format);
	m->hw = hardware_of(config->format);
	geometry(m);
	m->leaves.nr = 0;
	m->op = NULL;
	m->syncing = NULL;
	m->using = NULL;
	m->undo = false;
	m->nr_replaced = 0;
	device_init(m, &wanted.callbacks);
	result = iopt_create(&wanted, &m->domain);
	CHECK(m, !result, "iopt_create returned %d", result);
	debts_init(m);
}

static void (*const runs[NR_KINDS])(struct model *m, const struct op *op) = {
	[OP_MAP] = run_map,	[OP_SG] = run_sg,	    [OP_UNMAP] = run_unmap,
	[OP_SYNC] = run_sync,	[OP_GATHER] = run_gather,   [OP_READ] = run_read,
	[OP_VISIT] = run_visit, [OP_WRITE] = run_write,	    [OP_SWEEP] = run_sweep,
	[OP_TRACK] = run_track, [OP_PROTECT] = run_protect, [OP_SPLIT] = run_split,
	[OP_MERGE] = run_merge, [OP_TRIM] = run_trim,
};

void model_run(struct model *m, const struct op *op)
{
	m->op = op;
	m->nr_seen = 0;
	m->owed = 0;
	m->invalidations = 0;
	m->nr_replaced = 0;
	m->undo = false;
	runs[op->kind](m, op);
	m->op = NULL;
}

/* All that is mapped is as it should be, every debt can be paid, and nothing is left afterwards. */
void model_finish(struct model *m)
{
	struct iopt_posix_memory memory;

	m->op = NULL;
	check_range(m, 0, ~0ull);
	check_statistics(m);
	for (unsigned i = 0; i < NR_DEBTS; i++)
		sync_debt(m, &m->debts[i]);
	iopt_destroy(m->domain);
	CHECK(m, !iopt_posix_breaches(), "the contract was broken");
	iopt_posix_barrier();
	iopt_posix_memory(&memory);
	CHECK(m, !memory.tables && !memory.live && !memory.waiting,
	      "at the end %ju tables, %ju bytes live, %ju waiting", (uintmax_t)memory.tables,
	      (uintmax_t)memory.live, (uintmax_t)memory.waiting);
}

/* ---- operations as text -------------------------------------------------------------------- */

const char *const kind_names[NR_KINDS] = { "map",     "sg",    "unmap", "sync",	 "gather",
					   "read",    "visit", "write", "sweep", "track",
					   "protect", "split", "merge", "trim" };

void op_print(FILE *file, const struct op *op)
{
	fprintf(file,
		"%-7s first=0x%jx last=0x%jx pa=0x%jx prot=0x%x debt=%u flags=0x%x "
		"n=%u aux=0x%jx\n",
		kind_names[op->kind], (uintmax_t)op->first, (uintmax_t)op->last, (uintmax_t)op->pa,
		op->prot, op->debt, op->flags, op->n, (uintmax_t)op->aux);
}

bool op_parse(const char *line, struct op *op)
{
	unsigned prot, debt, flags, n;
	uintmax_t first, last, pa, aux;
	char kind[16];

	if (sscanf(line, "%15s first=%jx last=%jx pa=%jx prot=%x debt=%u flags=%x n=%u aux=%jx",
		   kind, &first, &last, &pa, &prot, &debt, &flags, &n, &aux) != 9)
		return false;
	*op = (struct op){ .kind = NR_KINDS,
			   .debt = (uint8_t)debt,
			   .prot = (uint8_t)prot,
			   .flags = flags,
			   .first = first,
			   .last = last,
			   .pa = pa,
			   .n = n,
			   .aux = aux };
	for (unsigned i = 0; i < NR_KINDS; i++)
		if (!strcmp(kind_names[i], kind))
			op->kind = (uint8_t)i;
	return op->kind < NR_KINDS && debt < NR_DEBTS;
}
