/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See crew.h. */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "crew.h"

/* ---- who never stops ---------------------------------------------------------------------- */

static bool stopped(const struct crew *crew)
{
	return __atomic_load_n(&crew->stop, __ATOMIC_ACQUIRE) || complained();
}

/* Another turn of a member is over. */
static void turn_over(struct crew_member *self)
{
	const struct timespec nap = { .tv_nsec = self->crew->naps * 1000 };

	__atomic_fetch_add(&self->turns, 1, __ATOMIC_RELAXED);
	if (nap.tv_nsec)
		nanosleep(&nap, NULL);
}

static struct region *any_region(struct crew *crew, uint64_t *random)
{
	return &crew->ledger->regions[random_below(random, crew->ledger->nr_regions)];
}

/* Where single pages may be mapped, mostly there. */
static uint64_t any_offset(const struct region *region, uint64_t *random)
{
	if (region->pieces && random_next(random) & 3)
		return random_below(random, 6 * PAGE);
	return random_below(random, 1ull << region->unit_lg2);
}

static void go_astray(struct crew_member *self)
{
	const struct iopt_range *stray;

	if (!self->crew->nr_stray)
		return;
	stray = &self->crew->stray[random_below(&self->random, self->crew->nr_stray)];
	for (unsigned i = 0; i < 16; i++)
		ledger_access_any(self->crew->ledger, self->device,
				  stray->first +
					  random_below(&self->random, stray->last - stray->first),
				  random_next(&self->random) & 1);
}

static void *be_device(void *ctx)
{
	struct crew_member *self = ctx;

	while (!stopped(self->crew)) {
		struct region *region = any_region(self->crew, &self->random);
		unsigned unit = (unsigned)random_below(&self->random, region->nr);

		/* Some units behind each other, as devices go: through caches that are filled. */
		for (unsigned i = 0; i < 16 && unit < region->nr; i++, unit++)
			ledger_access(self->crew->ledger, self->device, region, unit,
				      any_offset(region, &self->random),
				      random_next(&self->random) & 3);
		go_astray(self);
		turn_over(self);
	}
	return NULL;
}

static void *be_sweep(void *ctx)
{
	struct crew_member *self = ctx;

	while (!stopped(self->crew)) {
		struct region *region = any_region(self->crew, &self->random);
		uint64_t dice = random_next(&self->random);
		unsigned first = 0, nr = region->nr;

		/* Never a part of a leaf: that would be reported, and stay dirty. */
		if (dice & 1 && region->exact) {
			first = (unsigned)random_below(&self->random, region->nr);
			nr = 1 + (unsigned)random_below(&self->random, region->nr - first);
		}
		ledger_sweep(self->crew->ledger, region, first, nr, dice & 0xe, dice & 0x10,
			     dice & 0x20 ? 1 + (dice >> 8) % 5 : 0);
		turn_over(self);
	}
	return NULL;
}

static void *be_dump(void *ctx)
{
	struct crew_member *self = ctx;

	while (!stopped(self->crew)) {
		struct region *region = any_region(self->crew, &self->random);
		unsigned unit = (unsigned)random_below(&self->random, region->nr);
		unsigned nr = region->nr - unit < LEDGER_WINDOW ? region->nr - unit : LEDGER_WINDOW;

		ledger_visit(self->crew->ledger, region, unit, nr,
			     1 + (unsigned)random_below(&self->random, LEDGER_WINDOW));
		ledger_translate(self->crew->ledger, region, unit,
				 random_below(&self->random, 1ull << region->unit_lg2));
		turn_over(self);
	}
	return NULL;
}

static void start_member(struct crew *crew, void *(*role)(void *ctx), unsigned device)
{
	struct crew_member *member = &crew->members[crew->nr];

	*member = (struct crew_member){
		.crew = crew,
		.device = device,
		.random = test_seed() + crew->nr,
	};
	assert_int_equal(pthread_create(&member->thread, NULL, role, member), 0);
	crew->nr++;
}

void crew_init(struct crew *crew, struct ledger *ledger)
{
	*crew = (struct crew){ .ledger = ledger };
}

void crew_start(struct crew *crew)
{
	const struct rig *rig = crew->ledger->rig;

	for (unsigned i = 0; i < rig->nr_devices; i++)
		start_member(crew, be_device, i);
	start_member(crew, be_dump, 0);
	if (rig->tracked)
		start_member(crew, be_sweep, 0);
}

static bool all_had_a_turn(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->nr; i++)
		if (!__atomic_load_n(&crew->members[i].turns, __ATOMIC_RELAXED))
			return false;
	return true;
}

void crew_stop(struct crew *crew)
{
	while (!all_had_a_turn(crew) && !complained())
		sched_yield();
	__atomic_store_n(&crew->stop, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < crew->nr; i++)
		pthread_join(crew->members[i].thread, NULL);
	assert_no_complaint();
}

/* ---- writers ------------------------------------------------------------------------------ */

/* A writer's thread. */
struct worker {
	struct shift *shift;
	unsigned number;
	pthread_t thread;
};

bool shift_over(const struct shift *shift)
{
	return seconds_now() >= shift->until || complained();
}

void shift_meet(const struct shift *shift, struct meeting *meeting)
{
	unsigned round = __atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&meeting->waiting, 1, __ATOMIC_ACQ_REL) == shift->nr) {
		__atomic_store_n(&meeting->waiting, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&meeting->round, round + 1, __ATOMIC_RELEASE);
		return;
	}
	/* There may be more threads than processors. */
	for (unsigned turns = 0; __atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE) == round;
	     turns++)
		if (turns > 200)
			sched_yield();
}

/*
 * Writers run on processors of their own, as far as there are any: where they are fastest together.
 */
static void spread(unsigned number)
{
	unsigned nr, skip;
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	nr = (unsigned)CPU_COUNT(&allowed);
	skip = number % nr;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || skip--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		/* Else it runs where it likes. */
		(void)sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static void *be_writer(void *ctx)
{
	struct worker *self = ctx;
	struct shift *shift = self->shift;
	struct writer writer;

	spread(self->number);
	writer_init(&writer, shift->ledger, test_seed() + 1000 + self->number);
	while (shift->work(shift, &writer, self->number))
		;
	if (shift->end)
		shift->end(shift, &writer, self->number);
	return NULL;
}

void shift_run(struct shift *shift)
{
	struct worker workers[CREW_WRITERS];

	assert_in_range(shift->nr, 1, CREW_WRITERS);
	shift->until = seconds_now() + shift->seconds * test_scale();
	for (unsigned i = 0; i < shift->nr; i++) {
		workers[i] = (struct worker){ .shift = shift, .number = i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, be_writer, &workers[i]),
				 0);
	}
	for (unsigned i = 0; i < shift->nr; i++)
		pthread_join(workers[i].thread, NULL);
}

/* ---- what they work on -------------------------------------------------------------------- */

void crew_rig(struct rig *rig, struct rig_config config)
{
	config.nr_devices = RIG_DEVICES;
	config.devices[0] |= SOFT_IOMMU_PIECES;
	config.devices[1] |= SOFT_IOMMU_ATS;
	config.devices[2] |= SOFT_IOMMU_RANDOM;
	config.touch = ledger_touch;
	rig_open(rig, &config);
}
