/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The explorer's host: table memory, RCU and locks of the engine, exact to the step.
 *
 * A deferred table is freed at the very moment when the last read section ends that was open at the
 * deferral. A freed table is poisoned, and every later access to it is a failure; it is taken again
 * only where a scenario wants that (world.recycle). Each thread takes tables from a pool of its
 * own, so that which one it gets does not depend on the others.
 */
#include <string.h>

#include "sched.h"
#include "trace.h"

#define POISON 0x00000dead0000f00dull

struct iopt_domain *domain;

/* ---- tables -------------------------------------------------------------------------------- */

void host_check(const volatile void *start)
{
	const volatile char *at = start;
	size_t offset = (size_t)(at - (const volatile char *)world.entry);

	if (offset < sizeof(world.entry)) {
		unsigned table = (unsigned)(offset / sizeof(world.entry[0]));

		if (world.table[table].state == TABLE_FREED)
			fail("table %u is accessed after it was freed", table);
		if (world.table[table].state == TABLE_FRESH)
			fail("table %u is accessed, which nobody allocated", table);
	}
}

static unsigned table_checked(uint64_t pa)
{
	unsigned table = table_number(pa);

	if (table == NR_TABLES)
		fail("%#jx is no table", (uintmax_t)pa);
	if (world.table[table].state == TABLE_FREED || world.table[table].state == TABLE_FRESH)
		fail("table %u is reached while it is free", table);
	return table;
}

void *iopt_host_va(uint64_t pa)
{
	return world.entry[table_checked(pa)];
}

struct iopt_table *iopt_host_table(uint64_t pa)
{
	return &world.table[table_checked(pa)];
}

uint64_t iopt_host_table_pa(const struct iopt_table *table)
{
	return (uint64_t)(table - world.table + TABLE_BASE) << TINY_PAGE_LG2;
}

struct iopt_table *iopt_host_table_at(const void *va)
{
	size_t offset = (size_t)((const char *)va - (const char *)world.entry);

	host_check(va);
	if (offset >= sizeof(world.entry) || offset % sizeof(world.entry[0]))
		fail("no table begins there");
	return &world.table[offset / sizeof(world.entry[0])];
}

/* One that was freed, if that is wanted; else the next of the thread's own. */
static struct iopt_table *table_choose(void)
{
	struct thread_memory *memory = &world.thread[sched_self()];

	if (world.recycle) {
		point_before(&world.reading, sizeof(world.reading), ACCESS_WRITE);
		for (unsigned i = 0; i < NR_TABLES; i++) {
			if (world.table[i].state == TABLE_FREED) {
				sched_learn(i);
				return &world.table[i];
			}
		}
		sched_learn(NR_TABLES);
	}
	if (memory->taken == POOL_TABLES)
		fail("more than %u tables of one thread", POOL_TABLES);
	return &world.table[sched_self() * POOL_TABLES + memory->taken++];
}

struct iopt_table *iopt_host_table_alloc(unsigned size_lg2, unsigned pa_lg2, uintptr_t memory,
					 uintptr_t how)
{
	struct thread_memory *mine = &world.thread[sched_self()];
	struct iopt_table *table;

	(void)pa_lg2;
	(void)memory;
	(void)how;
	if (sched_running() && mine->sections)
		fail("memory is allocated inside a read section");
	if (mine->fails_in && --mine->fails_in == 0)
		return NULL;
	table = table_choose();
	*table = (struct iopt_table){ .size_lg2 = (uint8_t)size_lg2, .state = TABLE_TAKEN };
	memset(world.entry[table - world.table], 0, sizeof(world.entry[0]));
	/* Memory holds whatever was there until it is written back. */
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		world.ram[table - world.table][i] = POISON;
	return table;
}

static void table_free(struct iopt_table *table)
{
	unsigned number = (unsigned)(table - world.table);

	if (table->state == TABLE_FREED)
		fail("table %u is freed twice", number);
	table->state = TABLE_FREED;
	note("table %u is free", number);
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		world.entry[number][i] = world.ram[number][i] = POISON;
}

void iopt_host_table_free(struct iopt_table *list)
{
	while (list) {
		struct iopt_table *table = list;

		list = table->next;
		if (table->state == TABLE_DEFERRED)
			fail("table %u is freed while it waits to be",
			     (unsigned)(table - world.table));
		table_free(table);
	}
}

/* Map and unmap never wait for other threads. */
static void writer_waits(const char *what)
{
	if (world.thread[sched_self()].writes)
		fail("a writer would wait for %s", what);
}

/* The processor may go to others here, for as long as they like. */
void iopt_host_breathe(void)
{
	if (sched_running() && world.thread[sched_self()].sections)
		fail("the processor is given away inside a read section");
}

/* ---- RCU ----------------------------------------------------------------------------------- */

/* Deferrals look at all read sections; these don't look at each other. */
void iopt_host_table_defer(struct iopt_table *list)
{
	point_before(&world.reading, sizeof(world.reading), ACCESS_WRITE);
	point_after(world.reading);
	while (list) {
		struct iopt_table *table = list;

		list = table->next;
		if (table->state != TABLE_TAKEN)
			fail("table %u is deferred twice", (unsigned)(table - world.table));
		table->state = TABLE_DEFERRED;
		table->waits = world.reading;
		if (!table->waits)
			table_free(table);
	}
}

static bool sections_ended(uint64_t threads)
{
	return !(world.reading & threads);
}

void iopt_host_synchronize(void)
{
	writer_waits("read sections");
	point_before(&world.reading, sizeof(world.reading), ACCESS_WRITE);
	point_after(world.reading);
	sched_wait(sections_ended, world.reading, &world.reading, sizeof(world.reading),
		   ACCESS_WRITE, "read sections");
}

void iopt_host_read_lock(void)
{
	unsigned me = sched_self();

	if (world.thread[me].sections++)
		return;
	point_before(&world.reading, sizeof(world.reading), ACCESS_READ);
	world.reading |= 1ull << me;
}

void iopt_host_read_unlock(void)
{
	unsigned me = sched_self();

	if (--world.thread[me].sections)
		return;
	point_before(&world.reading, sizeof(world.reading), ACCESS_READ);
	world.reading &= ~(1ull << me);
	for (unsigned i = 0; i < NR_TABLES; i++) {
		struct iopt_table *table = &world.table[i];

		if (table->state != TABLE_DEFERRED)
			continue;
		table->waits &= ~(1ull << me);
		if (!table->waits)
			table_free(table);
	}
}

/* ---- the rest ------------------------------------------------------------------------------ */

void iopt_host_writeback(const void *start, size_t bytes)
{
	size_t first = (size_t)((const char *)start - (const char *)world.entry);

	sched_touch(start, bytes, ACCESS_READ);
	point_before((const char *)world.ram + first, bytes, ACCESS_WRITE);
	memcpy((char *)world.ram + first, start, bytes);
}

void *iopt_host_alloc(size_t bytes)
{
	void *memory = &world.heap[world.heap_used];

	bytes = (bytes + IOPT_HOST_LINE - 1) / IOPT_HOST_LINE * IOPT_HOST_LINE;
	if (world.heap_used + bytes > HEAP_BYTES)
		fail("more than %u bytes of heap", HEAP_BYTES);
	world.heap_used += bytes;
	memset(memory, 0, bytes);
	return memory;
}

void iopt_host_free(void *memory)
{
	(void)memory;
}

static bool lock_free(uint64_t address)
{
	return !((const struct iopt_host_lock *)(uintptr_t)address)->held;
}

void iopt_host_lock_init(struct iopt_host_lock *lock)
{
	lock->held = 0;
}

/* What the lock protects is read without points: it is learned here. */
void iopt_host_lock(struct iopt_host_lock *lock)
{
	writer_waits("a lock");
	sched_wait(lock_free, (uintptr_t)lock, lock, sizeof(*lock), ACCESS_WRITE, "a lock");
	sched_learn_domain();
	lock->held = 1;
}

void iopt_host_unlock(struct iopt_host_lock *lock)
{
	point_before(lock, sizeof(*lock), ACCESS_WRITE);
	lock->held = 0;
}

void iopt_host_lock_fini(struct iopt_host_lock *lock)
{
	(void)lock;
}

void iopt_host_breach(const char *what, uint64_t iova)
{
	(void)iova;
	note("breach: %s", what);
}
