/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Broken contracts under load: several threads map and unmap the same ranges at the same time, in
 * pages, runs, blocks and whole tables, while devices walk there. What they get is theirs to bear.
 * But in the same tables, right and left of them, others keep to the rules, and everything that
 * holds elsewhere holds for them; nothing alive is freed, nothing twice, no freed table is read.
 */
#include <errno.h>

#include "crew.h"

#define FIGHTERS 2u
#define PIECE	 32u

/*
 * What is fought about: the middle of a table whose ends are others', four tables beside it, and,
 * if there are so many levels, a table above with what is in it.
 */
enum { MIDDLE, TABLES, ABOVE, NR_GROUNDS };

/**
 * struct grounds - where these are
 * @format: whose tables
 * @base:   first IOVA of the table with the middle
 * @pa:     what is mapped there is from here on
 * @nr:     of @starts and @sizes
 */
struct grounds {
	const struct iopt_format_info *format;
	uint64_t base;
	uint64_t pa;
	unsigned nr;
	uint64_t starts[NR_GROUNDS];
	uint64_t sizes[NR_GROUNDS];
};

static struct grounds grounds_of(const struct iopt_format_info *format, unsigned levels)
{
	uint64_t table = 1ull << span_lg2(format, 1), above = 1ull << span_lg2(format, 2);
	uint64_t base = space_of(format, levels) / 2;

	return (struct grounds){
		.format = format,
		.base = base,
		.pa = 1ull << (format->pa_lg2 - 1),
		.nr = levels > 2 ? 3 : 2,
		.starts = { base + table / 4, base + table, base + above },
		.sizes = { table / 2, 4 * table, above },
	};
}

static int forget(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	(void)first;
	(void)last;
	return 0;
}

/* A range of 2^size_lg2 bytes somewhere in what is fought about. */
static uint64_t pick(const struct grounds *grounds, uint64_t *random, unsigned *size_lg2)
{
	const unsigned table_lg2 = span_lg2(grounds->format, 1);
	const unsigned page_lg2 = grounds->format->granule_lg2;
	const unsigned sizes_lg2[] = {
		page_lg2,  page_lg2 + 1, page_lg2 + 2,	page_lg2 + 4,  page_lg2 + 5,
		table_lg2, table_lg2,	 table_lg2 + 1, table_lg2 + 2, span_lg2(grounds->format, 2),
	};
	uint64_t size;
	unsigned where;

	do {
		*size_lg2 = sizes_lg2[random_below(random, 10)];
		where = (unsigned)random_below(random, grounds->nr);
	} while (1ull << *size_lg2 > grounds->sizes[where]);
	size = grounds->sizes[where];
	/* Of the large one only the start: they are to meet. */
	if (where == ABOVE && *size_lg2 <= table_lg2 + 1)
		size = 2ull << table_lg2;
	else if (where == ABOVE && 1ull << *size_lg2 < size)
		size = 1ull << *size_lg2;
	return grounds->starts[where] + (random_below(random, size >> *size_lg2) << *size_lg2);
}

static void fight(const struct grounds *grounds, struct iopt_domain *domain, struct writer *writer)
{
	const struct iopt_sink sink = { .record = forget };
	unsigned size_lg2, prot = READ_WRITE;
	uint64_t first = pick(grounds, &writer->random, &size_lg2);
	uint64_t last = first + (1ull << size_lg2) - 1;
	/* Where there are no leaves so large, all that happened would be a map of many tables. */
	bool unmaps = size_lg2 > span_lg2(grounds->format, 1) + 2 &&
		      !(grounds->format->page_sizes >> size_lg2 & 1);
	/* Pages for as much as an entry two levels up would take all memory as tables of 16 KiB. */
	bool pages = size_lg2 <= span_lg2(grounds->format, 1) + 2 ||
		     grounds->format->index_lg2 + grounds->format->entry_lg2 <= 12;
	uint64_t shift = pages ? 1ull << grounds->format->granule_lg2 : 0;
	/* IOVAs may have more bits than physical addresses. */
	uint64_t pa = (grounds->pa + first) & ((1ull << (grounds->format->pa_lg2 - 1)) - 1);
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, domain, &sink);
	switch (unmaps ? 4 : random_below(&writer->random, 5)) {
	case 0: /* not contiguous with what a larger leaf needs */
		error = iopt_map(domain, first, last, grounds->pa + shift, prot, NULL);
		break;
	case 1:
	case 2: error = iopt_map(domain, first, last, pa, prot, NULL); break;
	default: error = iopt_unmap(domain, first, last, 0, &gather, NULL); break;
	}
	if (error && error != -EEXIST && error != -EOPNOTSUPP && error != -ENOMEM)
		complain("a broken contract is answered by %d", error);
	iopt_sync(&gather);
}

/* Right and left of it: units that map and unmap by the rules. */
static void keep_rules(struct writer *writer, struct region *region)
{
	unsigned unit = (unsigned)random_below(&writer->random, region->nr / PIECE) * PIECE;

	if (unit_phase(region, unit) == UNIT_MAPPED) {
		writer_unmap(writer, region, unit, PIECE);
		writer_sync(writer, region, unit, PIECE);
	} else {
		writer_map(writer, region, unit, PIECE, 0);
	}
}

static bool work(struct shift *shift, struct writer *writer, unsigned number)
{
	struct ledger *ledger = shift->ledger;

	if (number < FIGHTERS)
		fight(shift->ctx, ledger->rig->domain, writer);
	else
		keep_rules(writer,
			   &ledger->regions[random_below(&writer->random, ledger->nr_regions)]);
	return !shift_over(shift);
}

static void unmap_own(struct shift *shift, struct writer *writer, unsigned number)
{
	if (number < FIGHTERS)
		return;
	for (unsigned i = 0; i < shift->ledger->nr_regions; i++) {
		struct region *region = &shift->ledger->regions[i];

		writer_unmap(writer, region, 0, region->nr);
		writer_sync(writer, region, 0, region->nr);
	}
}

static void test_neighbours_of_a_fight(const struct iopt_format_info *format)
{
	unsigned levels = is_usual(format) ? format->default_levels : format->max_levels;
	unsigned page_lg2 = format->granule_lg2, index_lg2 = format->index_lg2;
	struct grounds grounds = grounds_of(format, levels);
	struct rig_config config = rig_defaults(format->name);
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.ctx = &grounds,
		.seconds = 1.2,
		.nr = FIGHTERS + 1,
		.work = work,
		.end = unmap_own,
	};

	config.domain.levels = (uint8_t)levels;
	crew_rig(&rig, config);
	ledger_init(&ledger, &rig);
	ledger_add(&ledger, grounds.base, page_lg2, 1u << (index_lg2 - 2), true);
	for (unsigned i = 0; i < grounds.nr; i++)
		ledger_add(&ledger, grounds.starts[i] + grounds.sizes[i], page_lg2,
			   i == TABLES	? 512
			   : i == ABOVE ? 64
					: 1u << (index_lg2 - 2),
			   true);
	crew_init(&crew, &ledger);
	crew.nr_stray = grounds.nr;
	for (unsigned i = 0; i < grounds.nr; i++)
		crew.stray[i] = (struct iopt_range){ grounds.starts[i],
						     grounds.starts[i] + grounds.sizes[i] - 1 };
	if (grounds.nr > ABOVE)
		crew.stray[ABOVE].last = grounds.starts[ABOVE] + grounds.sizes[TABLES];
	crew_start(&crew);
	shift_run(&shift);
	crew_stop(&crew);
	rig_close_leaky(&rig);
	ledger_fini(&ledger);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "neighbours of a fight", test_neighbours_of_a_fight, 0, NULL, false },
	};

	return run_shape_tests(argc, argv, "fight", tests, sizeof(tests) / sizeof(*tests));
}
