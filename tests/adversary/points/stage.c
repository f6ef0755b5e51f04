/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See stage.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tests/adversary/points/host.h"
#include "tests/adversary/points/stage.h"

#define MOST_POINTS 4000u

/* An operation with fewer was not compiled against host.h. */
#define FEWEST_POINTS 3u

/* ---- points ------------------------------------------------------------------------------- */

_Thread_local uint64_t points_left;
_Thread_local unsigned point_line;
_Thread_local unsigned point_repeats;
_Thread_local uint64_t sections_entered;
_Thread_local uint64_t breaths_taken;

static const struct scene *playing;
static struct stage *stage_now;
static bool reached;

/* The second operation's thread, one for all: it is asked for a turn, and takes it. */
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static enum { TURN_NONE, TURN_ASKED, TURN_OVER } turn;

static void *take_turns(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&turn_lock);
	for (;;) {
		while (turn != TURN_ASKED)
			pthread_cond_wait(&turn_changed, &turn_lock);
		pthread_mutex_unlock(&turn_lock);
		playing->second(stage_now);
		pthread_mutex_lock(&turn_lock);
		turn = TURN_OVER;
		pthread_cond_broadcast(&turn_changed);
	}
	return NULL;
}

static void start_thread(void)
{
	static bool started;
	pthread_t thread;

	if (started)
		return;
	assert_int_equal(pthread_create(&thread, NULL, take_turns, NULL), 0);
	pthread_detach(thread);
	started = true;
}

/* When to let the first operation go on, where the second one may wait for its read section. */
static struct timespec patience(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_REALTIME, &moment);
	moment.tv_nsec += 10000000;
	if (moment.tv_nsec >= 1000000000) {
		moment.tv_nsec -= 1000000000;
		moment.tv_sec++;
	}
	return moment;
}

static void start_second(void)
{
	struct timespec moment = patience();

	pthread_mutex_lock(&turn_lock);
	turn = TURN_ASKED;
	pthread_cond_broadcast(&turn_changed);
	while (turn != TURN_OVER) {
		if (!playing->waits)
			pthread_cond_wait(&turn_changed, &turn_lock);
		else if (pthread_cond_timedwait(&turn_changed, &turn_lock, &moment))
			break;
	}
	pthread_mutex_unlock(&turn_lock);
}

/* It may still be at it. */
static void end_second(void)
{
	pthread_mutex_lock(&turn_lock);
	while (turn == TURN_ASKED)
		pthread_cond_wait(&turn_changed, &turn_lock);
	turn = TURN_NONE;
	pthread_mutex_unlock(&turn_lock);
}

/*
 * Not while this thread holds the lock that a change of the root needs: the next point serves as
 * well.
 */
void point_reached(void)
{
	if (pthread_mutex_trylock(&stage_now->rig->root_lock)) {
		points_left = 1;
		return;
	}
	pthread_mutex_unlock(&stage_now->rig->root_lock);
	reached = true;
	start_second();
}

/* Where the engine calls back, before and after the hardware does what it is asked for. */
static void point_at_invalidation(struct rig *rig, const struct iopt_gather *gather)
{
	(void)rig;
	(void)gather;
	point_line = 0;
	point(__LINE__);
}

/* ---- what operations and checks are made of ----------------------------------------------- */

uint64_t pa_for(unsigned leaf_lg2)
{
	return PA + (1ull << leaf_lg2);
}

int map_at(struct stage *stage, uint64_t offset, uint64_t bytes, uint64_t pa)
{
	uint64_t first = stage->base + offset;

	return iopt_map(stage->rig->domain, first, first + bytes - 1, pa, READ_WRITE, NULL);
}

void must_map(struct stage *stage, uint64_t offset, uint64_t bytes, uint64_t pa)
{
	if (map_at(stage, offset, bytes, pa))
		complain("%s: map at offset 0x%llx fails", playing->name,
			 (unsigned long long)offset);
}

int unmap_at(struct stage *stage, uint64_t offset, uint64_t bytes, struct notes *notes)
{
	uint64_t first = stage->base + offset;
	struct iopt_gather gather;
	int error;

	notes_init(notes);
	iopt_gather_init(&gather, stage->rig->domain, &notes->sink);
	error = iopt_unmap(stage->rig->domain, first, first + bytes - 1, 0, &gather, NULL);
	iopt_sync(&gather);
	return error;
}

void must_unmap(struct stage *stage, uint64_t offset, uint64_t bytes, struct notes *notes)
{
	if (unmap_at(stage, offset, bytes, notes))
		complain("%s: unmap at offset 0x%llx fails", playing->name,
			 (unsigned long long)offset);
}

void sweep_window(struct stage *stage, struct notes *notes)
{
	struct iopt_gather gather;

	notes_init(notes);
	iopt_gather_init(&gather, stage->rig->domain, NULL);
	if (iopt_sweep(stage->rig->domain, stage->base, stage->base + WINDOW - 1, IOPT_SWEEP_CLEAR,
		       &notes->sink, &gather, 0, NULL))
		complain("%s: a sweep fails", playing->name);
	iopt_sync(&gather);
}

bool writes(struct stage *stage, uint64_t offset)
{
	return rig_write(stage->rig, 0, stage->base + offset) == SOFT_IOMMU_DONE;
}

void must_write(struct stage *stage, uint64_t offset)
{
	if (!writes(stage, offset))
		complain("%s: the device can't write at offset 0x%llx", playing->name,
			 (unsigned long long)offset);
}

void must_be_at(struct stage *stage, uint64_t offset, uint64_t pa)
{
	struct iopt_translation found;

	assert_int_equal(iopt_translate(stage->rig->domain, stage->base + offset, &found), 0);
	assert_int_equal(found.pa, pa);
	assert_true(writes(stage, offset));
	assert_int_equal(rig_touched(), pa);
}

void must_be_gone(struct stage *stage, uint64_t offset)
{
	struct iopt_translation found;

	assert_int_equal(iopt_translate(stage->rig->domain, stage->base + offset, &found), -ENOENT);
	assert_false(rig_reaches(stage->rig, 0, stage->base + offset));
}

unsigned reports(const struct stage *stage, uint64_t offset)
{
	uint64_t iova = stage->base + offset;

	return notes_count(&stage->first, iova) + notes_count(&stage->second, iova) +
	       notes_count(&stage->last, iova);
}

void trim_window(struct stage *stage)
{
	struct iopt_gather gather;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	if (iopt_trim(stage->rig->domain, stage->base, stage->base + WINDOW - 1, &gather, 0, NULL))
		complain("a trim fails");
	iopt_sync(&gather);
}

int split_at(struct stage *stage, uint64_t offset, uint64_t bytes, unsigned leaf_lg2)
{
	uint64_t first = stage->base + offset;
	struct iopt_gather gather;
	int error;

	iopt_gather_init(&gather, stage->rig->domain, NULL);
	error = iopt_split(stage->rig->domain, first, first + bytes - 1, leaf_lg2, 0, &gather, 0,
			   NULL);
	iopt_sync(&gather);
	return error;
}

/* ---- operations that are stopped in the middle -------------------------------------------- */

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct stage *stage;
	void (*operation)(struct stage *stage);
	enum { ASIDE_NONE, ASIDE_RUNS, ASIDE_WAITS, ASIDE_ENDS } state;
} aside = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

/* Context: the lock. */
static void aside_set(int state)
{
	aside.state = state;
	pthread_cond_broadcast(&aside.changed);
}

/* The hook, on whatever thread invalidates. */
static void wait_aside(struct rig *rig, const struct iopt_gather *gather)
{
	point_at_invalidation(rig, gather);
	pthread_mutex_lock(&aside.lock);
	if (aside.state == ASIDE_RUNS && pthread_equal(pthread_self(), aside.thread)) {
		aside_set(ASIDE_WAITS);
		while (aside.state == ASIDE_WAITS)
			pthread_cond_wait(&aside.changed, &aside.lock);
	}
	pthread_mutex_unlock(&aside.lock);
}

static void *run_aside(void *unused)
{
	(void)unused;
	/* Whoever created this thread knows which one it is before it lets go of the lock. */
	pthread_mutex_lock(&aside.lock);
	pthread_mutex_unlock(&aside.lock);
	aside.operation(aside.stage);
	pthread_mutex_lock(&aside.lock);
	aside_set(ASIDE_ENDS);
	pthread_mutex_unlock(&aside.lock);
	return NULL;
}

void start_aside(struct stage *stage, void (*operation)(struct stage *stage))
{
	stage->rig->before_invalidate = wait_aside;
	pthread_mutex_lock(&aside.lock);
	aside.stage = stage;
	aside.operation = operation;
	aside.state = ASIDE_RUNS;
	assert_int_equal(pthread_create(&aside.thread, NULL, run_aside, NULL), 0);
	while (aside.state == ASIDE_RUNS)
		pthread_cond_wait(&aside.changed, &aside.lock);
	pthread_mutex_unlock(&aside.lock);
}

void end_aside(struct stage *stage)
{
	(void)stage;
	pthread_mutex_lock(&aside.lock);
	aside_set(ASIDE_ENDS);
	pthread_mutex_unlock(&aside.lock);
	pthread_join(aside.thread, NULL);
}

/* ---- playing ------------------------------------------------------------------------------ */

/* Returns whether the point was reached: else the scene is over. */
static bool play(const struct scene *scene, struct stage *stage, uint64_t point)
{
	start_thread();
	playing = scene;
	stage_now = stage;
	reached = false;
	if (scene->prepare)
		scene->prepare(stage);
	assert_no_complaint();
	notes_init(&stage->first);
	notes_init(&stage->second);
	notes_init(&stage->last);
	points_left = point;
	scene->first(stage);
	points_left = 0;
	end_second();
	if (!reached)
		scene->second(stage);
	assert_no_complaint();
	scene->check(stage);
	return reached;
}

static void run_scene(const struct scene *scene, const struct iopt_format_info *format,
		      unsigned size_lg2)
{
	struct rig_config config = rig_defaults(format->name);
	struct rig rig;
	uint64_t number = 0;
	bool more = true;

	if (format->abilities & IOPT_CAN_GROW)
		config.domain.levels = 5; /* growing is for other scenes */
	if (scene->flags)
		config.domain.flags = scene->flags;
	rig_open(&rig, &config);
	rig.before_invalidate = point_at_invalidation;
	rig.after_invalidate = point_at_invalidation;
	rig.may_breach = scene->breach;
	for (uint64_t point = 1; more && point < MOST_POINTS; point++) {
		struct stage stage = {
			.rig = &rig,
			.base = ++number * WINDOW,
			.size_lg2 = size_lg2,
		};

		more = play(scene, &stage, point);
		must_unmap(&stage, 0, WINDOW, &stage.last);
	}
	assert_true(number > FEWEST_POINTS);
	rig_close(&rig);
}

static void run_alone(const struct scene *scene, const struct iopt_format_info *format)
{
	bool more = true;

	for (uint64_t point = 1; more && point < MOST_POINTS; point++) {
		struct rig_config config = rig_defaults(format->name);
		struct stage stage = { 0 };
		struct rig rig;

		config.domain.levels = 2;
		rig_open(&rig, &config);
		stage.rig = &rig;
		more = play(scene, &stage, point);
		rig_close(&rig);
	}
}

/* ---- one cmocka test for each scene ------------------------------------------------------- */

static void test_scene(const struct iopt_format_info *format)
{
	const struct scene *scene = test_running()->ctx;

	if (scene->alone) {
		run_alone(scene, format);
		return;
	}
	if (!scene->sizes) {
		run_scene(scene, format, 0);
		return;
	}
	for (unsigned size_lg2 = 12; size_lg2 < 64; size_lg2++)
		if (scene->sizes & format->page_sizes & 1ull << size_lg2)
			run_scene(scene, format, size_lg2);
}

#define MOST_SCENES 100u

int run_scenes(int argc, char **argv, const char *group, const struct scene *scenes, size_t nr,
	       const struct format_test *more)
{
	static struct format_test tests[MOST_SCENES];

	if (nr + 1 > MOST_SCENES)
		abort();
	for (size_t i = 0; i < nr; i++)
		tests[i] = (struct format_test){ scenes[i].name, test_scene, scenes[i].wants,
						 &scenes[i], scenes[i].tracked };
	if (more)
		tests[nr] = *more;
	return run_format_tests(argc, argv, group, tests, nr + !!more);
}
