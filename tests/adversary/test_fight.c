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
 * What is fought about: the middle of a table whose ends are others', four tables beside it, and a
 * table above with what is in it.
 */
#define BASE	    (64 * GIB)
#define MIDDLE	    (BASE + 512 * KIB)
#define MIDDLE_SIZE MIB
#define TABLES	    (BASE + 2 * MIB)
#define TABLES_SIZE (8 * MIB)
#define ABOVE	    (BASE + GIB)
#define ABOVE_SIZE  GIB

static int forget(void *ctx, uint64_t first, uint64_t last)
{
	(void)ctx;
	(void)first;
	(void)last;
	return 0;
}

/* A range of 2^size_lg2 bytes somewhere in what is fought about. */
static uint64_t pick(uint64_t *random, unsigned *size_lg2)
{
	const unsigned sizes_lg2[] = { 12, 13, 14, 16, 17, 21, 21, 22, 23, 30 };
	uint64_t starts[] = { MIDDLE, TABLES, ABOVE };
	uint64_t sizes[] = { MIDDLE_SIZE, TABLES_SIZE, ABOVE_SIZE };
	unsigned where;

	do {
		*size_lg2 = sizes_lg2[random_below(random, 10)];
		where = (unsigned)random_below(random, 3);
	} while (1ull << *size_lg2 > sizes[where]);
	/* Of the large one only the start: they are to meet. */
	return starts[where] +
	       (random_below(random, where == 2 && *size_lg2 < 30
					     ? 4 * MIB >> (*size_lg2 < 22 ? *size_lg2 : 22)
					     : sizes[where] >> *size_lg2)
		<< *size_lg2);
}

static void fight(struct iopt_domain *domain, struct writer *writer)
{
	const struct iopt_sink sink = { .record = forget };
	unsigned size_lg2, prot = READ_WRITE;
	uint64_t first = pick(&writer->random, &size_lg2);
	uint64_t last = first + (1ull << size_lg2) - 1;
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, domain, &sink);
	switch (random_below(&writer->random, 5)) {
	case 0: /* not contiguous with what a larger leaf needs */
		error = iopt_map(domain, first, last, (1ull << 45) + PAGE, prot, NULL);
		break;
	case 1:
	case 2: error = iopt_map(domain, first, last, (1ull << 45) + first, prot, NULL); break;
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
		fight(ledger->rig->domain, writer);
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
	struct ledger ledger;
	struct crew crew;
	struct rig rig;
	struct shift shift = {
		.ledger = &ledger,
		.seconds = 1.2,
		.nr = FIGHTERS + 1,
		.work = work,
		.end = unmap_own,
	};

	crew_rig(&rig, rig_defaults(format->name));
	ledger_init(&ledger, &rig);
	ledger_add(&ledger, BASE, 12, 128, true);
	ledger_add(&ledger, MIDDLE + MIDDLE_SIZE, 12, 128, true);
	ledger_add(&ledger, TABLES + TABLES_SIZE, 12, 512, true);
	ledger_add(&ledger, ABOVE + ABOVE_SIZE, 12, 64, true);
	crew_init(&crew, &ledger);
	crew.nr_stray = 3;
	crew.stray[0] = (struct iopt_range){ MIDDLE, MIDDLE + MIDDLE_SIZE - 1 };
	crew.stray[1] = (struct iopt_range){ TABLES, TABLES + TABLES_SIZE - 1 };
	crew.stray[2] = (struct iopt_range){ ABOVE, ABOVE + 8 * MIB };
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

	return run_format_tests(argc, argv, "fight", tests, sizeof(tests) / sizeof(*tests));
}
