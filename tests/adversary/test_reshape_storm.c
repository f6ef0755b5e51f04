/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Leaves that are split, merged, protected, mapped, unmapped and trimmed, all at once: owners, a
 * background thread that claims, sweeps in two shards, a trim, a dump and devices, each on a thread
 * of its own, over one range whose tables they share.
 *
 * The range is cut into slots of 2 MiB, no leaf is larger. Even ones stay mapped and writable all
 * the time, whatever becomes of their leaves: every access there gets through, every look-up finds
 * them, and what was written is reported. Odd ones come and go; there an access leads to the right
 * page or nowhere.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

#define SLOTS	     12u
#define SLOT	     (2 * MIB)
#define SLOT_PAGES   (SLOT / PAGE)
#define AT	     (GIB - SLOTS / 2 * SLOT) /* half of it below the border of two tables */
#define LAST	     (AT + SLOTS * SLOT - 1)
#define PA	     (1ull << 40)
#define SECONDS	     0.5
#define MOST_SECONDS 60

/**
 * struct slot - 2 MiB
 * @lock:   whoever changes leaves here holds it
 * @mapped: its pages; under the lock
 */
struct slot {
	pthread_mutex_t lock;
	bool mapped[SLOT_PAGES];
};

/**
 * struct storm - what all threads share
 * @rig:    the domain
 * @stop:   they end; atomic
 * @refused: claims of what its owner had; atomic
 * @slots:  the range
 * @wrote:  by page: when the last write began; atomic
 * @copied: by page: until when writes are covered, by a report whose gather was synced; atomic
 */
struct storm {
	struct rig rig;
	bool stop;
	uint64_t refused;
	struct slot slots[SLOTS];
	uint64_t wrote[SLOTS * SLOT_PAGES];
	uint64_t copied[SLOTS * SLOT_PAGES];
};

/**
 * struct member - a thread
 * @storm:  its world
 * @thread: itself
 * @number: which of its kind
 * @random: state
 * @turns:  what it did; atomic
 */
struct member {
	struct storm *storm;
	pthread_t thread;
	unsigned number;
	uint64_t random;
	uint64_t turns;
};

static bool over(const struct storm *storm)
{
	return __atomic_load_n(&storm->stop, __ATOMIC_RELAXED) || complained();
}

static unsigned below(struct member *self, unsigned n)
{
	return (unsigned)random_below(&self->random, n);
}

static uint64_t slot_iova(unsigned slot)
{
	return AT + slot * SLOT;
}

static uint64_t pa_of(uint64_t iova)
{
	return PA + iova;
}

/* ---- claims -------------------------------------------------------------------------------- */

/* Leaves lie within a slot, and so do claims. */
static struct slot *slot_of(struct rig *rig, uint64_t iova)
{
	struct storm *storm = (struct storm *)rig;

	return &storm->slots[(iova - AT) / SLOT];
}

static bool try_claim(void *ctx, uint64_t first, uint64_t last)
{
	if (first < AT || last > LAST || slot_of(ctx, first) != slot_of(ctx, last)) {
		complain("a claim of 0x%llx..0x%llx", (unsigned long long)first,
			 (unsigned long long)last);
		return false;
	}
	if (!pthread_mutex_trylock(&slot_of(ctx, first)->lock))
		return true;
	__atomic_fetch_add(&((struct storm *)ctx)->refused, 1, __ATOMIC_RELAXED);
	return false;
}

static void release(void *ctx, uint64_t first, uint64_t last)
{
	(void)last;
	pthread_mutex_unlock(&slot_of(ctx, first)->lock);
}

/* ---- owners -------------------------------------------------------------------------------- */

static void must(int result, const char *what)
{
	if (result)
		complain("%s returns %d", what, result);
}

/* Some pages of a slot, often aligned as leaves are. */
static void draw(struct member *self, unsigned *first, unsigned *nr)
{
	unsigned lg2 = below(self, 10);

	*first = below(self, SLOT_PAGES) >> lg2 << lg2;
	*nr = 1u << lg2;
	if (below(self, 3) == 0)
		*nr = 1 + below(self, SLOT_PAGES - *first);
}

static unsigned any_size(struct member *self)
{
	unsigned lg2;

	do
		lg2 = 12 + below(self, 10);
	while (!(self->storm->rig.format->page_sizes >> lg2 & 1));
	return lg2;
}

static void resize(struct member *self, unsigned slot)
{
	struct iopt_domain *domain = self->storm->rig.domain;
	unsigned lg2 = below(self, 3) ? any_size(self) : ~0u, page, nr;
	struct iopt_gather gather;
	uint64_t first, last;

	draw(self, &page, &nr);
	first = slot_iova(slot) + page * PAGE;
	last = first + nr * PAGE - 1;
	iopt_gather_init(&gather, domain, NULL);
	if (below(self, 2))
		must(iopt_split(domain, first, last, lg2, 0, &gather, 0, NULL), "split");
	else
		must(iopt_merge(domain, slot_iova(slot), slot_iova(slot) + SLOT - 1, lg2, 0,
				&gather, 0, NULL),
		     "merge");
	iopt_sync(&gather);
}

/* What comes and goes: always synced before the slot is let go. */
static void change(struct member *self, unsigned slot)
{
	struct iopt_domain *domain = self->storm->rig.domain;
	bool *mapped = self->storm->slots[slot].mapped;
	struct iopt_gather gather;
	unsigned page, nr, there = 0;
	uint64_t first, last;

	draw(self, &page, &nr);
	first = slot_iova(slot) + page * PAGE;
	last = first + nr * PAGE - 1;
	for (unsigned i = page; i < page + nr; i++)
		there += mapped[i];
	iopt_gather_init(&gather, domain, NULL);
	if (!there && below(self, 4)) {
		must(iopt_map(domain, first, last, pa_of(first), READ_WRITE, NULL), "map");
		memset(mapped + page, true, nr);
	} else if (below(self, 3)) {
		must(iopt_protect(domain, first, last, below(self, 2) ? READ_WRITE : IOPT_READ,
				  &gather),
		     "protect");
	} else {
		must(iopt_unmap(domain, first, last, below(self, 2) ? IOPT_UNMAP_TRIM : 0, &gather,
				NULL),
		     "unmap");
		memset(mapped + page, false, nr);
	}
	iopt_sync(&gather);
}

/* All of a slot, but not as one table: that is left, empty. */
static void empty(struct member *self, unsigned slot)
{
	struct iopt_domain *domain = self->storm->rig.domain;
	uint64_t first = slot_iova(slot), last = first + SLOT - 1;
	struct iopt_gather gather;

	iopt_gather_init(&gather, domain, NULL);
	must(iopt_unmap(domain, first, last - PAGE, 0, &gather, NULL), "unmap");
	must(iopt_unmap(domain, last - PAGE + 1, last, below(self, 2) ? IOPT_UNMAP_TRIM : 0,
			&gather, NULL),
	     "unmap");
	iopt_sync(&gather);
	memset(self->storm->slots[slot].mapped, false, SLOT_PAGES);
}

static void *be_owner(void *ctx)
{
	struct member *self = ctx;

	while (!over(self->storm)) {
		unsigned slot = below(self, SLOTS / 2) * 2 + self->number;

		pthread_mutex_lock(&self->storm->slots[slot].lock);
		if (slot % 2 && below(self, 16) == 0)
			empty(self, slot);
		else if (slot % 2 && below(self, 3))
			change(self, slot);
		else
			resize(self, slot);
		pthread_mutex_unlock(&self->storm->slots[slot].lock);
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Merge everything that fits, a step at a time; split it again. Nobody waits for it. */
static void *be_background(void *ctx)
{
	struct member *self = ctx;
	struct iopt_domain *domain = self->storm->rig.domain;

	while (!over(self->storm)) {
		bool merge = below(self, 3);
		struct iopt_gather gather;
		uint64_t next = AT;
		int result;

		iopt_gather_init(&gather, domain, NULL);
		do {
			uint64_t budget = 1 + below(self, 4);

			result = merge ? iopt_merge(domain, next, LAST, 21, IOPT_CLAIM, &gather,
						    budget, &next)
				       : iopt_split(domain, next, LAST, any_size(self), IOPT_CLAIM,
						    &gather, budget, &next);
			iopt_sync(&gather);
		} while (result == 1 && !over(self->storm));
		if (result < 0)
			complain("background work returns %d", result);
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *be_trim(void *ctx)
{
	struct member *self = ctx;
	struct iopt_domain *domain = self->storm->rig.domain;

	while (!over(self->storm)) {
		struct iopt_gather gather;

		iopt_gather_init(&gather, domain, NULL);
		must(iopt_trim(domain, 0, LAST, &gather, 0, NULL), "trim");
		iopt_sync(&gather);
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* ---- sweeps and dumps ---------------------------------------------------------------------- */

static void sweep(struct member *self, uint64_t first, uint64_t last, uint64_t budget)
{
	uint64_t words[SLOTS * SLOT_PAGES / 64] = { 0 };
	const struct iopt_sink sink = {
		.words = words, .first = AT, .pages = SLOTS * SLOT_PAGES, .page_lg2 = 12
	};
	struct storm *storm = self->storm;
	struct iopt_gather gather;
	uint64_t next = first, now;
	int result;

	iopt_gather_init(&gather, storm->rig.domain, NULL);
	do
		result = iopt_sweep(storm->rig.domain, next, last, IOPT_SWEEP_CLEAR, &sink, &gather,
				    budget, &next);
	while (result == 1);
	must(result, "sweep");
	iopt_sync(&gather);
	now = clock_tick();
	for (unsigned i = 0; i < SLOTS * SLOT_PAGES; i++)
		if (words[i / 64] >> i % 64 & 1)
			__atomic_store_n(&storm->copied[i], now, __ATOMIC_RELAXED);
}

/* A half each. */
static void *be_sweep(void *ctx)
{
	struct member *self = ctx;

	while (!over(self->storm)) {
		uint64_t first = AT + self->number * (SLOTS / 2) * SLOT;

		sweep(self, first, first + SLOTS / 2 * SLOT - 1,
		      below(self, 2) ? 0 : 1 + below(self, 3));
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* All even slots are found, byte by byte. */
static void *be_dump(void *ctx)
{
	struct member *self = ctx;
	struct iopt_item items[64];
	struct iopt_visit visit;

	while (!over(self->storm)) {
		unsigned slot = below(self, SLOTS / 2) * 2;
		uint64_t next = slot_iova(slot);

		iopt_visit_init(&visit, next, next + SLOT - 1, IOPT_VISIT_LEAVES);
		while (!visit.done) {
			size_t nr = iopt_visit(self->storm->rig.domain, &visit, items, 64);

			for (size_t i = 0; i < nr; i++) {
				if (items[i].pa != pa_of(items[i].first) || items[i].first > next)
					complain("a dump misses 0x%llx", (unsigned long long)next);
				if (items[i].last >= next)
					next = items[i].last + 1;
			}
		}
		if (next != slot_iova(slot) + SLOT)
			complain("a dump misses 0x%llx", (unsigned long long)next);
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* ---- devices ------------------------------------------------------------------------------- */

static void go_to(struct member *self, unsigned page, bool write)
{
	struct storm *storm = self->storm;
	uint64_t iova = AT + page * PAGE, now = clock_tick();
	enum soft_iommu_reason reason;

	reason = write ? rig_write(&storm->rig, self->number, iova)
		       : rig_read(&storm->rig, self->number, iova);
	if (reason == SOFT_IOMMU_DONE && rig_touched() != pa_of(iova))
		complain("0x%llx leads to 0x%llx", (unsigned long long)iova,
			 (unsigned long long)rig_touched());
	if (page / SLOT_PAGES % 2)
		return;
	if (reason != SOFT_IOMMU_DONE)
		complain("0x%llx can't be %s: %s", (unsigned long long)iova,
			 write ? "written" : "read", soft_iommu_reason_name(reason));
	if (write)
		__atomic_store_n(&storm->wrote[page], now, __ATOMIC_RELAXED);
}

/* Each device has pages of its own to write, so that only one notes when it did. */
static void *be_device(void *ctx)
{
	struct member *self = ctx;

	while (!over(self->storm)) {
		unsigned page = below(self, SLOTS * SLOT_PAGES);

		for (unsigned i = 0; i < 16 && page < SLOTS * SLOT_PAGES; i++, page++)
			go_to(self, page, page % RIG_DEVICES == self->number && below(self, 3));
		__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* ---- the storm ----------------------------------------------------------------------------- */

static const struct role {
	void *(*role)(void *ctx);
	unsigned nr;
	bool tracks;
} roles[] = {
	{ be_owner, 2, false }, { be_background, 1, false }, { be_trim, 1, false },
	{ be_sweep, 2, true },	{ be_dump, 1, false },	     { be_device, RIG_DEVICES, false },
};

#define MEMBERS 10u

static unsigned start(struct storm *storm, struct member *members)
{
	unsigned nr = 0;

	for (size_t k = 0; k < sizeof(roles) / sizeof(roles[0]); k++) {
		for (unsigned i = 0; i < roles[k].nr; i++) {
			struct member *member = &members[nr];

			if (roles[k].tracks && !storm->rig.tracked)
				continue;
			*member = (struct member){ .storm = storm, .number = i };
			member->random = test_seed() + nr++;
			assert_int_equal(
				pthread_create(&member->thread, NULL, roles[k].role, member), 0);
		}
	}
	return nr;
}

/* Writers and devices are gone: what they wrote is known after one more sweep. */
static void check_reported(struct storm *storm)
{
	struct member self = { .storm = storm };

	if (!storm->rig.tracked)
		return;
	sweep(&self, AT, LAST, 0);
	for (unsigned i = 0; i < SLOTS * SLOT_PAGES; i++)
		if (storm->wrote[i] > storm->copied[i])
			complain("0x%llx was written, and nobody reported it",
				 (unsigned long long)(AT + i * PAGE));
}

static void open_storm(struct storm *storm, const struct iopt_format_info *format, uint32_t flags)
{
	struct rig_config config = rig_defaults(format->name);

	memset(storm, 0, sizeof(*storm));
	config.domain.flags |= IOPT_SPLIT | flags;
	config.domain.page_sizes = format->page_sizes & (2 * SLOT - 1);
	config.domain.callbacks.try_claim = try_claim;
	config.domain.callbacks.release = release;
	config.nr_devices = RIG_DEVICES;
	config.devices[1] = SOFT_IOMMU_ATS;
	config.devices[2] = SOFT_IOMMU_RANDOM;
	rig_open(&storm->rig, &config);
	for (unsigned i = 0; i < SLOTS; i++) {
		pthread_mutex_init(&storm->slots[i].lock, NULL);
		if (i % 2 == 0)
			rig_map(&storm->rig, slot_iova(i), SLOT, pa_of(slot_iova(i)));
	}
}

/* A storm in which something never happened has not tested it. */
static bool all_met(struct storm *storm, const struct member *members, unsigned nr)
{
	struct iopt_stats stats;

	for (unsigned i = 0; i < nr; i++)
		if (!__atomic_load_n(&members[i].turns, __ATOMIC_RELAXED))
			return false;
	iopt_stats(storm->rig.domain, &stats);
	return stats.split && stats.merged && stats.freed[IOPT_FREED_TRIM] &&
	       stats.freed[IOPT_FREED_MERGE] && __atomic_load_n(&storm->refused, __ATOMIC_RELAXED);
}

/* For its time and, on a slow machine, until everything has happened once. */
static void wait(struct storm *storm, const struct member *members, unsigned nr)
{
	double now = seconds_now(), until = now + SECONDS * test_scale(), most = now + MOST_SECONDS;

	while (!complained() && (now < until || !all_met(storm, members, nr)) && now < most) {
		usleep(10000);
		now = seconds_now();
	}
}

static void run(const struct iopt_format_info *format, uint32_t flags)
{
	static struct storm storm;
	struct member members[MEMBERS];
	struct iopt_gather gather;
	unsigned nr;

	open_storm(&storm, format, flags);
	nr = start(&storm, members);
	wait(&storm, members, nr);
	__atomic_store_n(&storm.stop, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < nr; i++)
		pthread_join(members[i].thread, NULL);
	assert_no_complaint();
	assert_true(all_met(&storm, members, nr));
	check_reported(&storm);
	rig_unmap(&storm.rig, AT, SLOTS * SLOT);
	iopt_gather_init(&gather, storm.rig.domain, NULL);
	assert_int_equal(iopt_trim(storm.rig.domain, AT, LAST, &gather, 0, NULL), 0);
	iopt_sync(&gather);
	assert_int_equal(rig_visited_tables(&storm.rig), 1);
	rig_close(&storm.rig);
}

static void test_all_at_once(const struct iopt_format_info *format)
{
	run(format, 0);
}

static void test_tables_skipped(const struct iopt_format_info *format)
{
	run(format, IOPT_ACCESSED_TABLES);
}

int main(int argc, char **argv)
{
	static const struct format_test tests[] = {
		{ "leaves that change, all at once", test_all_at_once, 0, NULL, false },
		{ "the same, tables skipped", test_tables_skipped, IOPT_CAN_ACCESSED_TABLES, NULL,
		  true },
	};

	return run_format_tests(argc, argv, "reshape storm", tests, sizeof(tests) / sizeof(*tests));
}
