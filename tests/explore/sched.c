/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The scheduler: coroutines, and the search through all orders of their accesses.
 *
 * The threads of a scenario are coroutines of one thread of the system. Before each access to
 * shared memory (a point) another one may be let run; nothing else switches them. A run is a choice
 * at each point, and is repeated from the start with another choice until there is none left.
 *
 * What is covered: without limits every order of all accesses to shared memory (sequentially
 * consistent; weaker memory is not this program's), up to orders that can't differ:
 *
 * - Points are only at words that two threads access and at least one writes. The others are found
 *   by running: a search that comes upon a new such word is begun again, with it among the points.
 *   A search that ends without one has moved only accesses that commute with all of the others.
 * - A state is the world's memory and, for each thread, a hash of all that it has read. Threads are
 *   deterministic, so that a state which was seen before need not be gone on from. (States are
 *   known by 64 bits of hash. Of n states two are confused with probability n^2 / 2^65.)
 * - A limit of preemptions counts switches from a thread that could have gone on; the state then
 *   includes how many there were, and who ran.
 *
 * From each state every thread is also let run alone, as that is one of its continuations: one that
 * does not end within a number of steps, or waits for what another thread has to do, is found.
 */
#undef _FORTIFY_SOURCE /* longjmp() to another stack is meant */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "sched.h"
#include "trace.h"

#define STACK_BYTES (256u * 1024)
#define WORLD_WORDS (sizeof(struct world) / 8)
#define MAX_NODES   4096u

struct world world;

/**
 * struct thread - a coroutine
 * @number:  its number
 * @base:    where it begins
 * @context: where it stands
 * @ended:   it has done everything
 * @history: hash of what it read
 * @steps:   accesses in this run
 * @holds, @data, @what: what it waits for, see sched_wait()
 */
struct thread {
	unsigned number;
	jmp_buf base;
	jmp_buf context;
	ucontext_t start;
	char *stack;
	bool ended;
	uint64_t history;
	unsigned steps;
	bool (*holds)(uint64_t data);
	uint64_t data;
	const char *what;
};

/**
 * struct node - a state in which more than one thread can go on
 * @hash:    of the state
 * @paths:   schedules from here on, counted so far
 * @last:    the thread that ran up to here
 * @enabled: threads that can go on, a bit each
 * @tried:   those of them that were tried
 * @choice:  the one that is tried now
 * @preemptions: up to here
 */
struct node {
	uint64_t hash;
	double paths;
	uint8_t last;
	uint8_t enabled;
	uint8_t tried;
	uint8_t choice;
	unsigned preemptions;
};

/** struct seen - a state that was seen, with the schedules from there on */
struct seen {
	uint64_t hash;
	double paths;
};

enum outcome { RUN_STARTS, RUN_ENDS, RUN_SEEN, RUN_FAILS };

static const struct cast *cast;
static const struct limits no_limits, *limits = &no_limits;
static struct explored nothing, *result = &nothing;

static struct thread threads[MAX_THREADS];
static struct thread *self;
static unsigned starting; /* the threads below have been started */
static bool running;	  /* threads are under way */
static bool guarded;	  /* what fails comes back to run() */
static jmp_buf main_context;

static struct world initial;
static uint8_t readers[WORLD_WORDS], writers[WORLD_WORDS];
static bool is_point[WORLD_WORDS], becomes_point[WORLD_WORDS];
static bool grown;	/* becomes_point has more than is_point */
static bool touched;	/* the access to come is a point */
static size_t excluded; /* words from here on are counters */
static bool is_counter; /* the access under way is to one */

static struct node nodes[MAX_NODES];
static unsigned nr_nodes;
static unsigned depth;
static unsigned preemptions;

static struct seen *seen;
static uint64_t seen_size, seen_used;

/* The schedule so far: which thread, for how many accesses. */
static struct {
	uint8_t thread;
	uint32_t steps;
} played[MAX_NODES];
static unsigned nr_played;
static const char *script; /* of a replay: what is left of it */
static unsigned script_left;
static unsigned script_thread;

/* ---- hashes -------------------------------------------------------------------------------- */

static inline uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static uint64_t hash_words(uint64_t hash, const void *start, size_t bytes)
{
	const uint64_t *word = start;
	uint64_t a = hash, b = hash + 1, c = hash + 2, d = hash + 3;
	size_t n = bytes / 8;

	for (; n >= 4; n -= 4, word += 4) {
		a = mix(a, word[0]);
		b = mix(b, word[1]);
		c = mix(c, word[2]);
		d = mix(d, word[3]);
	}
	for (; n; n--)
		a = mix(a, *word++);
	return mix(mix(mix(a, b), c), d);
}

/* Tables that nobody took yet, the end of the heap and counters are left out. */
static uint64_t hash_state(void)
{
	uint64_t hash = hash_words(1, &world, offsetof(struct world, table));

	for (unsigned pool = 0; pool <= MAX_THREADS; pool++) {
		unsigned first = pool * POOL_TABLES, n = world.thread[pool].taken;

		hash = hash_words(hash, &world.table[first], n * sizeof(world.table[0]));
		hash = hash_words(hash, world.entry[first], n * sizeof(world.entry[0]));
		if (domain->flags & IOPT_NONCOHERENT)
			hash = hash_words(hash, world.ram[first], n * sizeof(world.ram[0]));
	}
	hash = hash_words(hash, world.heap, excluded * 8 - offsetof(struct world, heap));
	for (unsigned i = 0; i < cast->nr; i++)
		hash = mix(hash, threads[i].history);
	return hash;
}

/* ---- states seen before -------------------------------------------------------------------- */

static struct seen *seen_find(uint64_t hash)
{
	uint64_t i = hash & (seen_size - 1);

	while (seen[i].hash && seen[i].hash != hash)
		i = (i + 1) & (seen_size - 1);
	return &seen[i];
}

static void seen_reset(void)
{
	if (!seen) {
		seen_size = 1ull << 16;
		seen = calloc(seen_size, sizeof(*seen));
	} else {
		memset(seen, 0, seen_size * sizeof(*seen));
	}
	seen_used = 0;
}

static void seen_grow(void)
{
	struct seen *old = seen;
	uint64_t old_size = seen_size;

	seen_size *= 2;
	seen = calloc(seen_size, sizeof(*seen));
	if (!seen) {
		fprintf(stderr, "explore: no memory for more states\n");
		exit(2);
	}
	for (uint64_t i = 0; i < old_size; i++)
		if (old[i].hash)
			*seen_find(old[i].hash) = old[i];
	free(old);
}

static void seen_add(uint64_t hash)
{
	if (++seen_used > seen_size / 4 * 3)
		seen_grow();
	seen_find(hash)->hash = hash;
}

/* ---- the choice ---------------------------------------------------------------------------- */

static __attribute__((noreturn)) void leave(enum outcome outcome)
{
	running = false;
	_longjmp(main_context, outcome);
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->failure, sizeof(result->failure), format, args);
	va_end(args);
	if (!guarded) {
		fprintf(stderr, "explore: preparing: %s\n", result->failure);
		exit(2);
	}
	leave(RUN_FAILS);
}

static unsigned enabled_threads(void)
{
	unsigned enabled = 0;

	for (unsigned i = 0; i < cast->nr; i++)
		if (!threads[i].ended && (!threads[i].holds || threads[i].holds(threads[i].data)))
			enabled |= 1u << i;
	return enabled;
}

static __attribute__((noreturn)) void nobody_enabled(void)
{
	for (unsigned i = 0; i < cast->nr; i++)
		if (!threads[i].ended)
			fail("%s waits for %s, and nobody else can go on", cast->name[i],
			     threads[i].what);
	leave(RUN_ENDS);
}

static void node_choose(struct node *node, unsigned thread)
{
	node->choice = (uint8_t)thread;
	node->tried |= (uint8_t)(1u << thread);
}

/* Whether choosing a thread is a switch from one that could have gone on. */
static bool preempts(const struct node *node, unsigned thread)
{
	return thread != node->last && (node->enabled >> node->last & 1);
}

static unsigned node_new(unsigned enabled, unsigned last)
{
	struct node *node = &nodes[nr_nodes];
	uint64_t hash = hash_state();
	struct seen *before;

	if (limits->preemptions >= 0)
		hash = mix(hash, preemptions * 64 + (enabled >> last & 1) * 8 + last);
	hash |= 1; /* 0 is a free place */
	before = seen_find(hash);
	if (before->hash && !limits->each) {
		if (nr_nodes)
			nodes[nr_nodes - 1].paths += before->paths;
		leave(RUN_SEEN);
	}
	if (nr_nodes == MAX_NODES)
		fail("more than %u points in one run", MAX_NODES);
	if (!before->hash)
		seen_add(hash);
	nr_nodes++;
	*node = (struct node){
		.hash = hash,
		.last = (uint8_t)last,
		.enabled = (uint8_t)enabled,
		.preemptions = preemptions,
	};
	node_choose(node, enabled >> last & 1 ? last : (unsigned)__builtin_ctz(enabled));
	return node->choice;
}

/* Letters and numbers: a12b3 is twelve accesses of the first thread, then three of the second. */
static unsigned replay_choose(unsigned enabled, unsigned last)
{
	while (!script_left && *script) {
		char *end;

		script_thread = (unsigned)(*script - 'a');
		script_left = (unsigned)strtoul(script + 1, &end, 10);
		script = end;
	}
	if (script_left && (enabled >> script_thread & 1)) {
		script_left--;
		return script_thread;
	}
	script_left = 0;
	return enabled >> last & 1 ? last : (unsigned)__builtin_ctz(enabled);
}

static unsigned choose(unsigned last)
{
	unsigned enabled = enabled_threads(), choice;

	if (!enabled)
		nobody_enabled();
	if (limits->replay) {
		choice = replay_choose(enabled, last);
	} else if (!(enabled & (enabled - 1))) {
		choice = (unsigned)__builtin_ctz(enabled);
	} else if (depth < nr_nodes) {
		choice = nodes[depth].choice;
		preemptions += preempts(&nodes[depth], choice);
		depth++;
	} else {
		choice = node_new(enabled, last);
		preemptions += preempts(&nodes[depth], choice);
		depth++;
	}
	return choice;
}

/* The next one in turn goes on; it is the caller, or the caller does when its turn comes. */
static void switch_threads(void)
{
	struct thread *from = self, *to;

	if (starting < cast->nr)
		to = &threads[starting++];
	else
		to = &threads[choose(from->number)];
	if (to == from)
		return;
	self = to;
	if (!_setjmp(from->context))
		_longjmp(to->context, 1);
}

/* ---- points -------------------------------------------------------------------------------- */

unsigned sched_self(void)
{
	return running ? self->number : NOBODY;
}

bool sched_running(void)
{
	return running;
}

void sched_learn(uint64_t value)
{
	if (running)
		self->history = mix(self->history, value);
}

void sched_learn_domain(void)
{
	if (running)
		self->history = hash_words(self->history, world.heap,
					   excluded * 8 - offsetof(struct world, heap));
}

/* Words of the world that memory covers; false: none, or counters only. */
static bool words_of(const volatile void *start, size_t bytes, size_t *first, size_t *end)
{
	size_t offset = (size_t)((const volatile char *)start - (const volatile char *)&world);

	if (offset >= sizeof(world))
		return false;
	*first = offset / 8;
	*end = (offset + bytes + 7) / 8;
	return *first < excluded;
}

void sched_touch(const void *start, size_t bytes, enum access kind)
{
	uint8_t *who = kind == ACCESS_WRITE ? writers : readers;
	size_t word, end;

	if (!running || !words_of(start, bytes, &word, &end))
		return;
	for (; word < end; word++) {
		uint8_t all;

		who[word] |= (uint8_t)(1u << self->number);
		all = readers[word] | writers[word];
		if (writers[word] && (all & (all - 1)) && !becomes_point[word]) {
			becomes_point[word] = true;
			grown = true;
		}
		touched |= is_point[word];
	}
}

/* The accesses that were touched are to come: if one is a point, others may run first. */
static void point(void)
{
	if (touched || limits->replay || (self->holds && !self->holds(self->data))) {
		touched = false;
		switch_threads();
		self->history = mix(self->history, 1);
	}
	self->holds = NULL;
	if (++self->steps > limits->steps)
		fail("%s made %u steps and has not ended", cast->name[self->number], limits->steps);
	if (nr_played && played[nr_played - 1].thread == self->number)
		played[nr_played - 1].steps++;
	else if (nr_played < MAX_NODES) {
		played[nr_played].thread = (uint8_t)self->number;
		played[nr_played++].steps = 1;
	}
}

void sched_step(void)
{
	if (running)
		point();
}

void sched_wait(bool (*holds)(uint64_t data), uint64_t data, const void *start, size_t bytes,
		enum access kind, const char *what)
{
	if (!running)
		return;
	sched_touch(start, bytes, kind);
	self->holds = holds;
	self->data = data;
	self->what = what;
	point();
}

void point_before(const volatile void *start, size_t bytes, enum access kind)
{
	size_t offset = (size_t)((const volatile char *)start - (const volatile char *)&world);
	bool counts = offset < sizeof(world) && offset / 8 >= excluded;

	if (!counts && offset < sizeof(world)) {
		if (running) {
			sched_touch((const void *)start, bytes, kind);
			point();
			if (limits->replay)
				trace_before(cast->name[self->number], start, kind,
					     __builtin_return_address(0));
		}
		host_check(start);
	}
	/* Others ran meanwhile. */
	is_counter = counts;
}

void point_after(uint64_t value)
{
	if (!running || is_counter)
		return;
	self->history = mix(self->history, value);
	if (limits->replay)
		trace_after(value);
}

void note(const char *format, ...)
{
	va_list args;

	if (!limits->replay)
		return;
	va_start(args, format);
	trace_note(running ? cast->name[self->number] : "end", format, args);
	va_end(args);
}

/* ---- runs ---------------------------------------------------------------------------------- */

static void coroutine(void)
{
	struct thread *thread = self;

	if (!_setjmp(thread->base))
		_longjmp(main_context, 1);
	cast->body(thread->number);
	thread->ended = true;
	switch_threads();
	abort();
}

/* Starts a coroutine and lets it come to its base. */
static void thread_make(struct thread *thread)
{
	thread->stack = malloc(STACK_BYTES);
	if (!thread->stack || getcontext(&thread->start)) {
		fprintf(stderr, "explore: no memory for a stack\n");
		exit(2);
	}
	thread->start.uc_stack.ss_sp = thread->stack;
	thread->start.uc_stack.ss_size = STACK_BYTES;
	thread->start.uc_link = NULL;
	makecontext(&thread->start, coroutine, 0);
	self = thread;
	if (!_setjmp(main_context))
		setcontext(&thread->start);
}

static void threads_make(void)
{
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		threads[i].number = i;
		if (!threads[i].stack)
			thread_make(&threads[i]);
	}
}

static void run_begin(void)
{
	memcpy(&world, &initial, sizeof(world));
	for (unsigned i = 0; i < cast->nr; i++) {
		struct thread *thread = &threads[i];

		memcpy(thread->context, thread->base, sizeof(thread->context));
		thread->ended = false;
		thread->history = 0;
		thread->steps = 0;
		thread->holds = NULL;
	}
	depth = 0;
	preemptions = 0;
	nr_played = 0;
	touched = false;
	script = limits->replay;
	script_left = 0;
	starting = 1;
	self = &threads[0];
	running = true;
	result->runs++;
}

static enum outcome run(void)
{
	/* Static: not to be kept in a register that longjmp() puts back. */
	static enum outcome outcome;

	guarded = true;
	outcome = (enum outcome)_setjmp(main_context);
	if (outcome == RUN_STARTS) {
		run_begin();
		_longjmp(self->context, 1);
	}
	if (outcome == RUN_ENDS) {
		/* What the check finds wrong comes back here, as RUN_FAILS. */
		cast->check();
		if (nr_nodes)
			nodes[nr_nodes - 1].paths++;
		else
			result->schedules = 1;
	}
	if (depth > result->deepest)
		result->deepest = depth;
	return outcome;
}

/* The next thread of a node that is still to be tried, or cast->nr. */
static unsigned node_next(const struct node *node)
{
	for (unsigned i = 0; i < cast->nr; i++) {
		if (!(node->enabled >> i & 1) || (node->tried >> i & 1))
			continue;
		if (limits->preemptions < 0 ||
		    node->preemptions + preempts(node, i) <= (unsigned)limits->preemptions)
			return i;
	}
	return cast->nr;
}

/* To the next schedule; false: that was the last one. */
static bool backtrack(void)
{
	while (nr_nodes) {
		struct node *node = &nodes[nr_nodes - 1];
		unsigned next = node_next(node);

		if (next < cast->nr) {
			node_choose(node, next);
			return true;
		}
		seen_find(node->hash)->paths = node->paths;
		nr_nodes--;
		if (nr_nodes)
			nodes[nr_nodes - 1].paths += node->paths;
		else
			result->schedules = node->paths;
	}
	return false;
}

static void schedule_print(void)
{
	size_t used = 0;

	result->preemptions = preemptions;
	for (unsigned i = 0; i < nr_played && used + 12 < sizeof(result->schedule); i++)
		used += (size_t)sprintf(result->schedule + used, "%c%u", 'a' + played[i].thread,
					played[i].steps);
}

/* One search with the points that are known. Returns whether it came to its end. */
static bool search(void)
{
	nr_nodes = 0;
	seen_reset();
	do {
		if (run() == RUN_FAILS) {
			schedule_print();
			return true;
		}
		if (grown)
			return false;
		if (limits->states && seen_used >= limits->states) {
			result->cut = true;
			break;
		}
	} while (backtrack());
	result->states = seen_used;
	return true;
}

static void points_reset(void)
{
	memset(readers, 0, sizeof(readers));
	memset(writers, 0, sizeof(writers));
	memset(is_point, 0, sizeof(is_point));
	memset(becomes_point, 0, sizeof(becomes_point));
	grown = false;
	excluded = ((size_t)((char *)&domain->counts - (char *)&world)) / 8;
}

void sched_explore(const struct cast *the_cast, const struct limits *the_limits,
		   struct explored *the_result)
{
	cast = the_cast;
	limits = the_limits;
	result = the_result;
	memset(result, 0, sizeof(*result));
	threads_make();
	memcpy(&initial, &world, sizeof(world));
	points_reset();
	if (limits->replay) {
		run();
		schedule_print();
		guarded = false;
		return;
	}
	while (!search()) {
		memcpy(is_point, becomes_point, sizeof(is_point));
		grown = false;
	}
	for (size_t i = 0; i < WORLD_WORDS; i++)
		result->points += is_point[i];
	guarded = false;
}
