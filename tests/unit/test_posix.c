/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The posix host without the engine: the arena, addresses, states and numbers of tables, RCU,
 * failing allocations, threads. Every test sets up an arena of its own and leaves no table behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/host.h"
#include "iopt/posix.h"

#define CHUNK	 (2ull << 20)
#define PAGE	 4096ull
#define PAGE_LG2 12u
#define MAX_LG2	 20u
#define THREADS	 4
#define LOOPS	 20000
#define HELD_MS	 40 /* long enough for an RCU that doesn't wait to be caught */

/* ---- helpers ------------------------------------------------------------------------------- */

static struct iopt_posix_memory numbers(void)
{
	struct iopt_posix_memory memory;

	iopt_posix_memory(&memory);
	return memory;
}

static void assert_numbers(uint64_t live, uint64_t waiting, uint64_t tables)
{
	struct iopt_posix_memory memory = numbers();

	assert_int_equal(memory.live, live);
	assert_int_equal(memory.waiting, waiting);
	assert_int_equal(memory.tables, tables);
}

static void set_up(struct iopt_posix_config config)
{
	assert_int_equal(iopt_posix_setup(&config), 0);
}

/* An arena of some chunks, nothing special. */
static void set_up_chunks(unsigned chunks)
{
	set_up((struct iopt_posix_config){ .bytes = chunks * CHUNK, .fd = -1 });
}

static void set_up_poison(unsigned chunks, uint64_t shuffle)
{
	set_up((struct iopt_posix_config){
		.bytes = chunks * CHUNK, .fd = -1, .shuffle = shuffle, .poison = true });
}

/* 4 KiB tables in a chunk: what its descriptors leave. */
static unsigned tables_per_chunk(void)
{
	uint64_t pages = CHUNK / PAGE;
	uint64_t head = (pages * numbers().descriptor_bytes + PAGE - 1) / PAGE;

	return (unsigned)(pages - head);
}

static struct iopt_table *alloc(unsigned size_lg2)
{
	struct iopt_table *table = iopt_host_table_alloc(size_lg2, 52, 0, 0);

	assert_non_null(table);
	return table;
}

static uint64_t pa_of(const struct iopt_table *table)
{
	return iopt_host_table_pa(table);
}

static uint64_t *words_of(const struct iopt_table *table)
{
	return iopt_host_va(pa_of(table));
}

static void assert_filled(const uint64_t *words, uint64_t bytes, uint64_t value)
{
	uint64_t i;

	for (i = 0; i < bytes / sizeof(*words); i++)
		assert_int_equal(words[i], value);
}

static void assert_state(uint64_t pa, enum iopt_posix_state state)
{
	assert_int_equal(iopt_posix_table_state(pa, NULL), state);
}

static uint32_t generation_of(uint64_t pa)
{
	uint32_t generation;

	iopt_posix_table_state(pa, &generation);
	return generation;
}

/* Puts a table before a list. */
static void chain(struct iopt_table **list, struct iopt_table *table)
{
	table->next = *list;
	*list = table;
}

/* All tables that there are, chained; their number. */
static unsigned alloc_all(struct iopt_table **list)
{
	struct iopt_table *table;
	unsigned nr = 0;

	*list = NULL;
	while ((table = iopt_host_table_alloc(PAGE_LG2, 52, 0, 0))) {
		chain(list, table);
		nr++;
	}
	return nr;
}

static void sleep_ms(unsigned ms)
{
	const struct timespec time = { .tv_nsec = ms * 1000000L };

	nanosleep(&time, NULL);
}

static pthread_t start(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
	return thread;
}

static void finish(pthread_t thread)
{
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static int make_memfd(uint64_t bytes)
{
	int fd = memfd_create("test_posix", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static void *use_one(void *unused)
{
	struct iopt_table *table = iopt_host_table_alloc(PAGE_LG2, 52, 0, 0);

	(void)unused;
	iopt_host_table_free(table);
	return table;
}

/* ---- the arena ----------------------------------------------------------------------------- */

static void assert_setup_fails(struct iopt_posix_config config, int error)
{
	assert_int_equal(iopt_posix_setup(&config), error);
}

/* First of all tests: the default arena comes into being with the first table, and once, though
 * several threads want it. */
static void test_lazy(void **state)
{
	pthread_t threads[THREADS];
	struct iopt_table *table;
	unsigned i;

	(void)state;
	assert_null(iopt_posix_va(0));
	assert_state(0, IOPT_POSIX_NO_TABLE);
	assert_int_equal(numbers().chunks, 0);
	for (i = 0; i < THREADS; i++)
		threads[i] = start(use_one, NULL);
	for (i = 0; i < THREADS; i++)
		finish(threads[i]);
	table = alloc(PAGE_LG2);
	assert_int_equal(numbers().chunks, CHUNK);
	assert_non_null(iopt_posix_va((64ull << 30) - 1));
	assert_null(iopt_posix_va(64ull << 30));
	assert_in_range(pa_of(table), PAGE, CHUNK - PAGE);
	iopt_host_table_free(table);
}

static void test_setup_errors(void **state)
{
	int fd = make_memfd(2 * CHUNK);

	(void)state;
	assert_int_equal(iopt_posix_setup(NULL), -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .bytes = PAGE, .fd = -1 }, -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .bytes = CHUNK + 1, .fd = -1 }, -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .base = PAGE, .fd = -1 }, -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .offset = PAGE, .fd = -1 }, -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .base = 0 - CHUNK, .fd = -1 }, -EINVAL);
	assert_setup_fails(
		(struct iopt_posix_config){ .bytes = CHUNK, .base = 1ull << 51, .fd = -1 },
		-EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .bytes = 2 * CHUNK,
						       .base = (1ull << 51) - CHUNK,
						       .fd = -1 },
			   -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .bytes = 1ull << 50, .fd = -1 }, -ENOMEM);
	assert_setup_fails((struct iopt_posix_config){ .bytes = CHUNK, .fd = -2 }, -EINVAL);
	assert_setup_fails((struct iopt_posix_config){ .bytes = 4 * CHUNK, .fd = fd }, -EINVAL);
	assert_setup_fails(
		(struct iopt_posix_config){ .bytes = 2 * CHUNK, .fd = fd, .offset = CHUNK },
		-EINVAL);
	assert_setup_fails(
		(struct iopt_posix_config){ .bytes = CHUNK, .fd = fd, .offset = 0 - CHUNK },
		-EINVAL);
	close(fd);
	assert_setup_fails((struct iopt_posix_config){ .bytes = CHUNK, .fd = fd }, -EINVAL);
}

static void test_setup_read_only_file(void **state)
{
	char path[64];
	int fd = make_memfd(CHUNK);
	int read_only;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY);
	assert_true(read_only >= 0);
	assert_setup_fails((struct iopt_posix_config){ .bytes = CHUNK, .fd = read_only }, -EINVAL);
	close(read_only);
	close(fd);
}

/* While there is a table, another arena can't be had, and the one that there is stays as it is. */
static void test_setup_busy(void **state)
{
	struct iopt_table *table;

	(void)state;
	set_up_chunks(1);
	table = alloc(PAGE_LG2);
	words_of(table)[0] = 42;
	assert_setup_fails((struct iopt_posix_config){ .bytes = CHUNK, .fd = -1 }, -EBUSY);
	assert_int_equal(words_of(table)[0], 42);
	assert_state(pa_of(table), IOPT_POSIX_LIVE);

	/* One that waits for RCU only is waited for. */
	iopt_host_table_defer(table);
	set_up_chunks(2);
	assert_int_equal(numbers().chunks, 0);
	assert_int_equal(numbers().peak, 0);
}

/* A set-up that fails leaves the arena, also what lies in caches of threads. */
static void test_setup_failure_keeps_arena(void **state)
{
	struct iopt_table *list;
	unsigned nr;

	(void)state;
	set_up_chunks(1);
	iopt_host_table_free(alloc(PAGE_LG2));
	assert_setup_fails((struct iopt_posix_config){ .bytes = 1ull << 50, .fd = -1 }, -ENOMEM);
	nr = alloc_all(&list);
	assert_int_equal(nr, tables_per_chunk());
	iopt_host_table_free(list);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void check_addresses(uint64_t base)
{
	unsigned i, nr = 3 * tables_per_chunk();
	struct iopt_table *list = NULL, *table;
	uint64_t pa;

	set_up((struct iopt_posix_config){ .bytes = 3 * CHUNK, .base = base, .fd = -1 });
	for (i = 0; i < nr; i++) {
		table = alloc(PAGE_LG2);
		pa = pa_of(table);
		assert_in_range(pa, base + PAGE, base + 3 * CHUNK - PAGE);
		assert_int_equal(pa % PAGE, 0);
		assert_ptr_equal(iopt_host_table(pa), table);
		assert_ptr_equal(iopt_host_table_at(iopt_host_va(pa)), table);
		assert_ptr_equal(iopt_host_va(pa), iopt_posix_va(pa));
		assert_int_equal((uintptr_t)iopt_host_va(pa) % PAGE, 0);
		chain(&list, table);
	}
	assert_null(iopt_host_table_alloc(PAGE_LG2, 52, 0, 0));
	assert_ptr_equal((char *)iopt_posix_va(base) + 3 * CHUNK - 1,
			 iopt_posix_va(base + 3 * CHUNK - 1));
	assert_null(iopt_posix_va(base + 3 * CHUNK));
	assert_null(iopt_posix_va(base - 1));
	assert_null(iopt_posix_va(IOPT_POSIX_POISON));
	assert_state(base, IOPT_POSIX_NO_TABLE);
	assert_state(base + 3 * CHUNK, IOPT_POSIX_NO_TABLE);
	assert_state(base - 1, IOPT_POSIX_NO_TABLE);
	iopt_host_table_free(list);
}

static void test_addresses(void **state)
{
	(void)state;
	check_addresses(0);
	check_addresses(1ull << 40);
	check_addresses((1ull << 51) - 3 * CHUNK);
}

/* Every size is aligned to itself, zeroed though it was used before, and known by all its pages. */
static void test_sizes(void **state)
{
	struct iopt_table *tables[MAX_LG2 + 1];
	unsigned size_lg2, round;
	uint64_t bytes, pa;

	(void)state;
	set_up_chunks(12);
	for (round = 0; round < 2; round++) {
		for (size_lg2 = 10; size_lg2 <= MAX_LG2; size_lg2++) {
			tables[size_lg2] = alloc(size_lg2);
			bytes = 1ull << size_lg2;
			pa = pa_of(tables[size_lg2]);
			assert_int_equal(pa % bytes, 0);
			assert_int_equal(tables[size_lg2]->size_lg2, size_lg2);
			assert_filled(iopt_host_va(pa), bytes, 0);
			memset(iopt_host_va(pa), 0xff, bytes);
			assert_state(pa, IOPT_POSIX_LIVE);
			assert_state(pa + bytes - 1, IOPT_POSIX_LIVE);
			assert_int_equal(generation_of(pa), generation_of(pa + bytes - 1));
		}
		/* 1, 2, 4 KiB and so on up to 1 MiB. */
		assert_numbers((2ull << MAX_LG2) - 1024, 0, 11);
		for (size_lg2 = 10; size_lg2 <= MAX_LG2; size_lg2++) {
			pa = pa_of(tables[size_lg2]);
			iopt_host_table_free(tables[size_lg2]);
			assert_state(pa + (1ull << size_lg2) - 1, IOPT_POSIX_FREE);
		}
		assert_numbers(0, 0, 0);
	}
	assert_null(iopt_host_table_alloc(MAX_LG2 + 1, 52, 0, 0));
	assert_numbers(0, 0, 0);
}

/* Tables of 1 KiB share pages, and have each a life of their own. */
static void test_quarter_pages(void **state)
{
	struct iopt_table *tables[8], *list = NULL;
	uint64_t pa[8];
	unsigned i;

	(void)state;
	set_up_poison(2, 0);
	for (i = 0; i < 8; i++) {
		tables[i] = alloc(10);
		pa[i] = pa_of(tables[i]);
		assert_int_equal(pa[i] % 1024, 0);
		assert_ptr_equal(iopt_host_table(pa[i]), tables[i]);
		assert_ptr_equal(iopt_host_table_at(iopt_host_va(pa[i])), tables[i]);
		assert_state(pa[i] + 1023, IOPT_POSIX_LIVE);
		if (i)
			assert_int_equal(pa[i], pa[i - 1] + 1024);
	}
	assert_int_equal(pa[0] % PAGE, 0);
	assert_numbers(8192, 0, 8);

	/* One at once and two through RCU; the fourth of that page stays as it is. */
	memset(words_of(tables[3]), 0x5a, 1024);
	iopt_host_table_free(tables[1]);
	assert_state(pa[1], IOPT_POSIX_FREE);
	assert_numbers(7168, 0, 7);
	chain(&list, tables[0]);
	chain(&list, tables[2]);
	iopt_host_table_defer(list);
	iopt_posix_barrier();
	assert_numbers(5120, 0, 5);
	for (i = 0; i < 3; i++) {
		assert_state(pa[i], IOPT_POSIX_FREE);
		assert_filled(iopt_host_va(pa[i]), 1024, IOPT_POSIX_POISON);
	}
	assert_state(pa[3], IOPT_POSIX_LIVE);
	assert_filled(words_of(tables[3]), 1024, 0x5a5a5a5a5a5a5a5aull);
	for (i = 3; i < 8; i++)
		iopt_host_table_free(tables[i]);
	assert_numbers(0, 0, 0);
	assert_int_equal(numbers().peak, 8192);
}

/* A chunk of them: all but its descriptors, which are one for each. */
static void test_quarter_pages_of_a_chunk(void **state)
{
	unsigned head = (unsigned)((2048 * numbers().descriptor_bytes + 1023) / 1024), nr = 0;
	struct iopt_table *list = NULL, *table;

	(void)state;
	set_up_chunks(1);
	while ((table = iopt_host_table_alloc(10, 52, 0, 0))) {
		memset(words_of(table), 0xff, 1024);
		chain(&list, table);
		nr++;
	}
	assert_int_equal(nr, 2048 - head);
	assert_numbers(nr * 1024ull, 0, nr);
	for (table = list; table; table = table->next)
		assert_int_equal(table->size_lg2, 10);
	iopt_host_table_defer(list);
	iopt_posix_barrier();
	assert_numbers(0, 0, 0);
	iopt_host_table_free(alloc(10));
}

static void test_zeroed(void **state)
{
	struct iopt_table *table;

	(void)state;
	set_up_chunks(1);
	table = alloc(PAGE_LG2);
	memset(words_of(table), 0xff, PAGE);
	table->first = 1;
	table->level = 2;
	table->collect = 1;
	iopt_host_table_free(table);
	assert_ptr_equal(alloc(PAGE_LG2), table);
	assert_filled(words_of(table), PAGE, 0);
	assert_null(table->next);
	assert_int_equal(table->first, 0);
	assert_int_equal(table->level, 0);
	assert_int_equal(table->collect, 0);
	iopt_host_table_free(table);
}

/* ---- states and numbers -------------------------------------------------------------------- */

static void test_states(void **state)
{
	struct iopt_table *list = NULL, *small, *large;
	uint64_t small_pa, large_pa;
	uint32_t generation;

	(void)state;
	set_up_chunks(2);
	chain(&list, small = alloc(PAGE_LG2));
	chain(&list, large = alloc(13));
	small_pa = pa_of(small);
	large_pa = pa_of(large);
	generation = generation_of(small_pa);
	assert_numbers(3 * PAGE, 0, 2);

	iopt_host_table_defer(list);
	iopt_posix_barrier();
	assert_state(small_pa, IOPT_POSIX_FREE);
	assert_state(large_pa, IOPT_POSIX_FREE);
	assert_state(large_pa + PAGE, IOPT_POSIX_FREE);
	assert_int_equal(generation_of(small_pa), generation);
	assert_numbers(0, 0, 0);
	assert_int_equal(numbers().peak, 3 * PAGE);

	assert_int_equal(alloc_all(&list), tables_per_chunk());
	assert_state(small_pa, IOPT_POSIX_LIVE);
	assert_int_not_equal(generation_of(small_pa), generation);
	iopt_host_table_free(list);
	assert_state(small_pa, IOPT_POSIX_FREE);
}

static void test_never_used(void **state)
{
	struct iopt_table *table;
	uint64_t pa;
	unsigned live = 0, none = 0;

	(void)state;
	set_up_chunks(2);
	table = alloc(PAGE_LG2);
	for (pa = 0; pa < 2 * CHUNK; pa += PAGE) {
		live += iopt_posix_table_state(pa, NULL) == IOPT_POSIX_LIVE;
		none += iopt_posix_table_state(pa, NULL) == IOPT_POSIX_NO_TABLE;
	}
	assert_int_equal(live, 1);
	assert_int_equal(none, 2 * CHUNK / PAGE - 1);
	iopt_host_table_free(table);
}

static void test_peak(void **state)
{
	struct iopt_table *list = NULL, *large;
	unsigned i;

	(void)state;
	set_up_chunks(2);
	for (i = 0; i < 10; i++)
		chain(&list, alloc(PAGE_LG2));
	assert_numbers(10 * PAGE, 0, 10);
	iopt_host_table_free(list);
	list = NULL;
	for (i = 0; i < 4; i++)
		chain(&list, alloc(PAGE_LG2));
	iopt_host_table_defer(list);
	iopt_posix_barrier();
	assert_int_equal(numbers().peak, 10 * PAGE);
	large = alloc(MAX_LG2);
	assert_int_equal(numbers().peak, 256 * PAGE);
	iopt_host_table_free(large);
	assert_numbers(0, 0, 0);
}

static void test_descriptor_bytes(void **state)
{
	(void)state;
	set_up_chunks(1);
	assert_int_equal(numbers().descriptor_bytes, sizeof(struct iopt_table));
	assert_in_range(numbers().descriptor_bytes, 1, 64);
}

/* All of an arena can be had; what waits for RCU is waited for rather than missed. */
static void test_exhaustion(void **state)
{
	struct iopt_table *list, *half = NULL, *table;
	unsigned i, nr;

	(void)state;
	set_up_chunks(2);
	nr = alloc_all(&list);
	assert_int_equal(nr, 2 * tables_per_chunk());
	assert_numbers(nr * PAGE, 0, nr);
	assert_null(iopt_host_table_alloc(MAX_LG2, 52, 0, 0));
	for (i = 0; i < nr / 2; i++) {
		table = list;
		list = list->next;
		chain(&half, table);
	}
	iopt_host_table_defer(half);
	for (i = 0; i < nr / 2; i++)
		chain(&list, alloc(PAGE_LG2));
	assert_null(iopt_host_table_alloc(PAGE_LG2, 52, 0, 0));
	iopt_host_table_free(list);
	assert_int_equal(numbers().chunks, 2 * CHUNK);
	assert_int_equal(numbers().peak, nr * PAGE);
}

/* ---- poison -------------------------------------------------------------------------------- */

/* Freed either way, a table holds poison, and it comes back only when all others were used. */
static void check_poison(bool defer, uint64_t shuffle)
{
	struct iopt_table *table, *list = NULL;
	uint64_t *words;
	uint64_t pa;
	unsigned nr;

	set_up_poison(2, shuffle);
	table = alloc(PAGE_LG2);
	pa = pa_of(table);
	words = words_of(table);
	assert_filled(words, PAGE, 0);
	if (defer)
		iopt_host_table_defer(table);
	else
		iopt_host_table_free(table);
	iopt_posix_barrier();
	assert_state(pa, IOPT_POSIX_FREE);
	assert_filled(words, PAGE, IOPT_POSIX_POISON);

	for (nr = 1; nr < 2 * tables_per_chunk(); nr++) {
		chain(&list, alloc(PAGE_LG2));
		assert_int_not_equal(pa_of(list), pa);
	}
	assert_filled(words, PAGE, IOPT_POSIX_POISON);
	chain(&list, alloc(PAGE_LG2));
	assert_int_equal(pa_of(list), pa);
	assert_filled(words, PAGE, 0);
	iopt_host_table_free(list);
}

static void test_poison(void **state)
{
	(void)state;
	check_poison(false, 0);
	check_poison(true, 0);
	check_poison(false, 7);
	check_poison(true, 7);
}

static void test_poison_large(void **state)
{
	struct iopt_table *table;
	uint64_t *words;

	(void)state;
	set_up_poison(1, 0);
	table = alloc(MAX_LG2);
	words = words_of(table);
	iopt_host_table_free(table);
	assert_filled(words, 1 << MAX_LG2, IOPT_POSIX_POISON);
}

/* Each page of a pool is left alone as long as the others: first freed, first used again. */
static void test_quarantine_order(void **state)
{
	struct iopt_table *list, *table, *reversed = NULL;
	unsigned i, nr;

	(void)state;
	set_up_poison(1, 0);
	nr = alloc_all(&list);
	iopt_host_table_free(list);
	for (i = 0; i < nr; i++) {
		table = alloc(PAGE_LG2);
		chain(&reversed, table);
	}
	/* Freed from the head of the list, so that the last one allocated came first. */
	assert_int_equal(pa_of(reversed), (CHUNK / PAGE - nr) * PAGE);
	iopt_host_table_free(reversed);
}

/* ---- order --------------------------------------------------------------------------------- */

static unsigned record_order(uint64_t seed, unsigned chunks, uint64_t *order)
{
	struct iopt_table *list = NULL, *table;
	unsigned nr = 0;

	set_up((struct iopt_posix_config){ .bytes = chunks * CHUNK, .fd = -1, .shuffle = seed });
	while ((table = iopt_host_table_alloc(PAGE_LG2, 52, 0, 0))) {
		order[nr++] = pa_of(table);
		chain(&list, table);
	}
	iopt_host_table_free(list);
	return nr;
}

static unsigned count_neighbours(const uint64_t *order, unsigned nr)
{
	unsigned i, neighbours = 0;

	for (i = 1; i < nr; i++)
		neighbours += order[i] - order[i - 1] == PAGE || order[i - 1] - order[i] == PAGE;
	return neighbours;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A permutation of all tables, of the seed's own, in which neighbours are as rare as by chance, and
 * which mixes the chunks from the start. */
static void test_shuffle(void **state)
{
	enum { CHUNKS = 4, MAX = CHUNKS * CHUNK / PAGE };
	static uint64_t first[MAX], again[MAX], other[MAX], plain[MAX];
	unsigned i, nr, chunks_seen = 0;

	(void)state;
	nr = record_order(1, CHUNKS, first);
	assert_int_equal(nr, CHUNKS * tables_per_chunk());
	assert_int_equal(record_order(1, CHUNKS, again), nr);
	assert_int_equal(record_order(2, CHUNKS, other), nr);
	assert_int_equal(record_order(0, CHUNKS, plain), nr);
	assert_memory_equal(first, again, nr * sizeof(*first));
	assert_memory_not_equal(first, other, nr * sizeof(*first));
	assert_in_range(count_neighbours(first, nr), 0, 20);
	for (i = 0; i < 64; i++)
		chunks_seen |= 1u << first[i] / CHUNK;
	assert_int_equal(chunks_seen, (1 << CHUNKS) - 1);

	qsort(first, nr, sizeof(*first), compare);
	qsort(plain, nr, sizeof(*plain), compare);
	assert_memory_equal(first, plain, nr * sizeof(*first));
	for (i = 1; i < nr; i++)
		assert_true(plain[i - 1] < plain[i]);
}

/* ---- a file -------------------------------------------------------------------------------- */

/* Someone else maps the file and finds the table's bytes at its physical address, offset added. */
static void test_memfd(void **state)
{
	const uint64_t base = 1ull << 32, offset = CHUNK;
	int fd = make_memfd(4 * CHUNK);
	struct iopt_table *table;
	char *other;
	uint64_t pa;

	(void)state;
	other = mmap(NULL, 4 * CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(other != MAP_FAILED);
	memset(other, 0xff, 4 * CHUNK);
	set_up((struct iopt_posix_config){
		.bytes = 2 * CHUNK, .base = base, .fd = fd, .offset = offset });
	close(fd);

	table = alloc(PAGE_LG2);
	pa = pa_of(table);
	assert_filled(words_of(table), PAGE, 0);
	assert_state(pa, IOPT_POSIX_LIVE);
	assert_state(pa + PAGE, IOPT_POSIX_NO_TABLE);
	words_of(table)[5] = 0x1122334455667788ull;
	assert_int_equal(((uint64_t *)(other + offset + (pa - base)))[5], 0x1122334455667788ull);
	((uint64_t *)(other + offset + (pa - base)))[6] = 7;
	assert_int_equal(words_of(table)[6], 7);

	/* Outside its part the file is left alone. */
	assert_filled((uint64_t *)other, CHUNK, UINT64_MAX);
	assert_filled((uint64_t *)(other + 3 * CHUNK), CHUNK, UINT64_MAX);
	iopt_host_table_free(table);
	munmap(other, 4 * CHUNK);
}

/* ---- RCU ----------------------------------------------------------------------------------- */

/* A thread that stays in a read section, twice nested, until it's told to leave. */
struct reader {
	sem_t entered, inner, leave;
};

static void *read_nested(void *argument)
{
	struct reader *reader = argument;

	iopt_host_enter();
	iopt_host_read_lock();
	iopt_host_read_lock();
	sem_post(&reader->entered);
	sem_wait(&reader->leave);
	iopt_host_read_unlock();
	sem_post(&reader->inner);
	sem_wait(&reader->leave);
	iopt_host_read_unlock();
	return NULL;
}

static void assert_waits(const struct iopt_table *table, uint64_t word)
{
	sleep_ms(HELD_MS);
	assert_state(pa_of(table), IOPT_POSIX_WAITING);
	assert_numbers(0, PAGE, 0);
	assert_filled(words_of(table), PAGE, word);
}

static void test_grace_period(void **state)
{
	struct reader reader;
	struct iopt_table *table;
	pthread_t thread;

	(void)state;
	set_up_poison(1, 0);
	sem_init(&reader.entered, 0, 0);
	sem_init(&reader.inner, 0, 0);
	sem_init(&reader.leave, 0, 0);
	table = alloc(PAGE_LG2);
	thread = start(read_nested, &reader);
	sem_wait(&reader.entered);
	iopt_host_table_defer(table);
	assert_waits(table, 0);
	sem_post(&reader.leave);
	sem_wait(&reader.inner);
	assert_waits(table, 0);
	sem_post(&reader.leave);
	iopt_posix_barrier();
	assert_state(pa_of(table), IOPT_POSIX_FREE);
	assert_filled(words_of(table), PAGE, IOPT_POSIX_POISON);
	finish(thread);
}

/* A list of many tables, of several sizes, waits and returns as one. */
static void test_defer_list(void **state)
{
	struct iopt_table *list = NULL;
	uint64_t pages = 0;
	unsigned i;

	(void)state;
	set_up_chunks(16);
	for (i = 0; i < 500; i++) {
		unsigned size_lg2 = i % 50 ? PAGE_LG2 : PAGE_LG2 + i / 50 % 5;

		chain(&list, alloc(size_lg2));
		pages += 1u << (size_lg2 - PAGE_LG2);
	}
	assert_numbers(pages * PAGE, 0, 500);
	iopt_host_table_defer(list);
	iopt_posix_barrier();
	assert_numbers(0, 0, 0);
	assert_int_equal(numbers().peak, pages * PAGE);
}

static void test_barrier_without_work(void **state)
{
	(void)state;
	iopt_posix_barrier();
	iopt_posix_barrier();
}

/* ---- failing allocations ------------------------------------------------------------------- */

/* Bit n of the result: allocation n of eight succeeded; tables and objects in turn. */
static unsigned succeed(void)
{
	struct iopt_table *table;
	void *memory;
	unsigned i, made = 0;

	for (i = 0; i < 8; i += 2) {
		table = iopt_host_table_alloc(PAGE_LG2, 52, 0, 0);
		memory = iopt_host_alloc(100);
		made |= (unsigned)!!table << i | (unsigned)!!memory << (i + 1);
		iopt_host_table_free(table);
		iopt_host_free(memory);
	}
	return made;
}

static void *count_elsewhere(void *unused)
{
	(void)unused;
	assert_int_equal(succeed(), 0xff);
	return (void *)(uintptr_t)iopt_posix_fail(0, false);
}

static void test_failing(void **state)
{
	void *elsewhere;
	pthread_t thread;

	(void)state;
	set_up_chunks(1);
	iopt_posix_fail(0, false);
	assert_int_equal(succeed(), 0xff);
	assert_int_equal(iopt_posix_fail(1, false), 8);
	assert_int_equal(succeed(), 0xfe);
	assert_int_equal(iopt_posix_fail(4, false), 8);
	assert_int_equal(succeed(), 0xf7);
	assert_int_equal(iopt_posix_fail(4, true), 8);
	assert_int_equal(succeed(), 0x07);
	/* Other threads aren't concerned, and count for themselves. */
	thread = start(count_elsewhere, NULL);
	assert_int_equal(pthread_join(thread, &elsewhere), 0);
	assert_int_equal((uintptr_t)elsewhere, 8);
	assert_int_equal(iopt_posix_fail(9, false), 8);
	assert_int_equal(succeed(), 0xff);
	assert_int_equal(iopt_posix_fail(0, true), 8);
	assert_int_equal(succeed(), 0xff);
	assert_numbers(0, 0, 0);
}

static void test_alloc_zeroed(void **state)
{
	unsigned char *memory, zero[1000] = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		memory = iopt_host_alloc(sizeof(zero));
		assert_non_null(memory);
		assert_memory_equal(memory, zero, sizeof(zero));
		memset(memory, 0xff, sizeof(zero));
		iopt_host_free(memory);
	}
	iopt_host_free(NULL);
}

/* ---- threads ------------------------------------------------------------------------------- */

struct worker {
	unsigned seed;
	uint64_t allocs;
};

/* Allocates, checks and marks, frees now or by RCU, with some tables of its own at any time. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	struct iopt_table *held[40] = { NULL };
	unsigned i, at;
	uint64_t mark;

	for (i = 0; i < LOOPS; i++) {
		at = (unsigned)rand_r(&worker->seed) % 40;
		mark = (uint64_t)worker->seed << 32 | i;
		iopt_host_enter();
		iopt_host_read_lock();
		iopt_host_read_unlock();
		if (!held[at]) {
			held[at] = iopt_host_table_alloc(at ? PAGE_LG2 : 13, 52, 0, 0);
			if (!held[at] || words_of(held[at])[0] || words_of(held[at])[511])
				return "no table, or not zeroed";
			words_of(held[at])[0] = words_of(held[at])[511] = held[at]->first = mark;
			worker->allocs++;
			continue;
		}
		mark = held[at]->first;
		if (words_of(held[at])[0] != mark || words_of(held[at])[511] != mark ||
		    iopt_posix_table_state(pa_of(held[at]), NULL) != IOPT_POSIX_LIVE)
			return "somebody else has it too";
		held[at]->next = NULL;
		if (rand_r(&worker->seed) % 4)
			iopt_host_table_free(held[at]);
		else
			iopt_host_table_defer(held[at]);
		held[at] = NULL;
	}
	for (at = 0; at < 40; at++)
		if (held[at])
			iopt_host_table_defer(held[at]);
	return NULL;
}

static void check_threads(struct iopt_posix_config config)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	const char *complaints[THREADS];
	struct iopt_table *list;
	unsigned i;

	set_up(config);
	/* Takes the chunk for tables of two pages before all are taken for those of one. */
	iopt_host_table_free(alloc(13));
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .seed = i + 1 };
		threads[i] = start(work, &workers[i]);
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], (void **)&complaints[i]), 0);
	iopt_posix_barrier();
	for (i = 0; i < THREADS; i++) {
		if (complaints[i])
			fail_msg("thread %u: %s", i, complaints[i]);
		assert_in_range(workers[i].allocs, LOOPS / 4, LOOPS);
	}
	assert_numbers(0, 0, 0);
	assert_in_range(numbers().peak, 40 * PAGE, numbers().chunks);

	/* Nothing got lost: the other chunks' tables all come back. */
	assert_int_equal(alloc_all(&list), (config.bytes / CHUNK - 1) * tables_per_chunk());
	iopt_host_table_free(list);
}

static void test_threads(void **state)
{
	(void)state;
	check_threads((struct iopt_posix_config){ .bytes = 8 * CHUNK, .fd = -1 });
	check_threads((struct iopt_posix_config){ .bytes = 8 * CHUNK, .fd = -1, .poison = true });
	check_threads((struct iopt_posix_config){ .bytes = 8 * CHUNK, .fd = -1, .shuffle = 3 });
}

/* What threads keep in their caches is there for others when they have ended. */
static void test_thread_end(void **state)
{
	struct iopt_table *list;
	unsigned i;

	(void)state;
	set_up_chunks(1);
	for (i = 0; i < 30; i++)
		finish(start(use_one, NULL));
	assert_int_equal(alloc_all(&list), tables_per_chunk());
	iopt_host_table_free(list);
}

static void *unregister_early(void *unused)
{
	(void)unused;
	iopt_posix_thread_register();
	iopt_posix_thread_register();
	use_one(NULL);
	iopt_posix_thread_unregister();
	iopt_posix_thread_unregister();
	/* And it may come back. */
	iopt_host_enter();
	iopt_host_read_lock();
	iopt_host_read_unlock();
	return use_one(NULL);
}

static void test_thread_registration(void **state)
{
	struct iopt_table *list;

	(void)state;
	set_up_chunks(1);
	finish(start(unregister_early, NULL));
	list = alloc(PAGE_LG2);
	iopt_host_table_defer(list);
	/* Hangs or crashes if RCU still looks at the thread that ended. */
	iopt_posix_barrier();
	assert_int_equal(alloc_all(&list), tables_per_chunk());
	iopt_host_table_free(list);
}

#ifndef IOPT_RCU_C11
/* A thread that liburcu knows by the embedder's own doing stays the embedder's to unregister. */
static void *register_itself(void *unused)
{
	(void)unused;
	urcu_memb_register_thread();
	iopt_host_enter();
	iopt_host_read_lock();
	iopt_host_read_unlock();
	use_one(NULL);
	iopt_posix_thread_unregister();
	assert_true(iopt_posix_rcu_registered());
	urcu_memb_unregister_thread();
	return NULL;
}

static void test_embedder_registers(void **state)
{
	(void)state;
	set_up_chunks(1);
	finish(start(register_itself, NULL));
	iopt_host_table_defer(alloc(PAGE_LG2));
	iopt_posix_barrier();
	assert_numbers(0, 0, 0);
}
#endif

/* ---- the rest ------------------------------------------------------------------------------ */

static void test_breach(void **state)
{
	uint64_t before = iopt_posix_breaches();

	(void)state;
	iopt_host_breach("this line is part of a test", 0x1000);
	assert_int_equal(iopt_posix_breaches(), before + 1);
}

/* Writing lines back must not change them, whatever range it is. */
static void test_writeback(void **state)
{
	struct iopt_table *table;
	unsigned i;

	(void)state;
	set_up_chunks(1);
	table = alloc(PAGE_LG2);
	for (i = 0; i < 512; i++)
		words_of(table)[i] = i;
	iopt_host_publish();
	iopt_host_writeback(words_of(table), PAGE);
	iopt_host_writeback(words_of(table) + 504, 64);
	iopt_host_writeback(words_of(table) + 8, 128);
	for (i = 0; i < 512; i++)
		assert_int_equal(words_of(table)[i], i);
	iopt_host_table_free(table);
}

/* The image has what was written back, until more is; a page that is used anew has its old one. */
static void test_image(void **state)
{
	struct iopt_posix_writebacks before, after;
	struct iopt_table *table;
	const uint64_t *image;

	(void)state;
	set_up_chunks(1);
	table = alloc(PAGE_LG2);
	assert_null(iopt_posix_image_va(iopt_host_table_pa(table)));
	iopt_host_table_free(table);
	set_up((struct iopt_posix_config){ .bytes = CHUNK, .fd = -1, .image = true });
	assert_null(iopt_posix_image_va(CHUNK));
	table = alloc(PAGE_LG2);
	image = iopt_posix_image_va(iopt_host_table_pa(table));
	assert_int_equal(image[8], 0);
	words_of(table)[8] = 1;
	words_of(table)[15] = 2;
	words_of(table)[16] = 3;
	assert_int_equal(image[8], 0);
	iopt_posix_writebacks(&before);
	iopt_host_writeback(words_of(table) + 8, 64);
	iopt_posix_writebacks(&after);
	assert_int_equal(after.calls - before.calls, 1);
	assert_int_equal(after.lines - before.lines, 1);
	assert_int_equal(image[8], 1);
	assert_int_equal(image[15], 2);
	assert_int_equal(image[16], 0);
	words_of(table)[8] = 4;
	assert_int_equal(image[8], 1);
	iopt_host_table_free(table);
	table = alloc(PAGE_LG2);
	assert_ptr_equal(iopt_posix_image_va(iopt_host_table_pa(table)), image);
	assert_int_equal(words_of(table)[8], 0);
	assert_int_equal(image[8], 1);
	iopt_host_table_free(table);

	set_up((struct iopt_posix_config){
		.bytes = CHUNK, .fd = -1, .image = true, .poison = true });
	table = alloc(PAGE_LG2);
	image = iopt_posix_image_va(iopt_host_table_pa(table));
	assert_int_equal(image[0], IOPT_POSIX_POISON);
	assert_int_equal(words_of(table)[0], 0);
	iopt_host_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_setup_errors),
		cmocka_unit_test(test_setup_read_only_file),
		cmocka_unit_test(test_setup_busy),
		cmocka_unit_test(test_setup_failure_keeps_arena),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_quarter_pages),
		cmocka_unit_test(test_quarter_pages_of_a_chunk),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_never_used),
		cmocka_unit_test(test_peak),
		cmocka_unit_test(test_descriptor_bytes),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_poison_large),
		cmocka_unit_test(test_quarantine_order),
		cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_grace_period),
		cmocka_unit_test(test_defer_list),
		cmocka_unit_test(test_barrier_without_work),
		cmocka_unit_test(test_failing),
		cmocka_unit_test(test_alloc_zeroed),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_thread_end),
		cmocka_unit_test(test_thread_registration),
#ifndef IOPT_RCU_C11
		cmocka_unit_test(test_embedder_registers),
#endif
		cmocka_unit_test(test_breach),
		cmocka_unit_test(test_writeback),
		cmocka_unit_test(test_image),
	};

	return cmocka_run_group_tests_name("posix", tests, NULL, NULL);
}
