/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Two operations, one in the middle of the other, at every point of it: the engine is compiled with
 * a point before each of its atomic accesses and read sections (host.h). A scene is played once for
 * each point of its first operation; there the thread stops, and another one runs the second
 * operation from start to end. So whatever can go wrong by one switch between threads goes wrong
 * here every time.
 *
 * Each playing has a window of IOVA of its own in one domain, so that tables above it are shared.
 */
#ifndef TESTS_ADVERSARY_POINTS_STAGE_H
#define TESTS_ADVERSARY_POINTS_STAGE_H

#include "tests/adversary/rig.h"

#define PA     (1ull << 40)
#define WINDOW (4 * GIB)

#define SIZES_HERE (1ull << 12 | 1ull << 13 | 1ull << 16 | 1ull << 21)
#define RUNS_HERE  (1ull << 13 | 1ull << 16)

/**
 * struct stage - one playing of a scene
 * @rig:    the domain
 * @base:   first IOVA of the window
 * @size_lg2: leaf size that the scene is played for
 * @result: of the first operation, where it is a call that may fail
 * @first, @second, @last: dirty pages that the operations reported, and a last sweep
 * @other:  of the second operation: whether a device's access got through, or a result
 */
struct stage {
	struct rig *rig;
	uint64_t base;
	unsigned size_lg2;
	int result;
	int other;
	struct notes first;
	struct notes second;
	struct notes last;
};

/**
 * struct scene - two operations; see the head of this file
 * @name:    without the format
 * @prepare: before; NULL: nothing
 * @first:   the operation that is stopped
 * @second:  what happens meanwhile; may complain, not assert
 * @check:   after: the window is emptied behind it
 * @wants:   abilities that the format must have
 * @sizes:   bit n: play it for leaves of 2^n bytes, where the format has them; 0: once
 * @tracked: only with dirty tracking
 * @flags:   of the domain, instead of IOPT_TRACK; 0: that
 * @breach:  the two break the contract
 * @waits:   the second operation waits for read sections, so that the first one may have to go on
 * @alone:   the domain is not shared, and the window is all of it: the top is to grow
 */
struct scene {
	const char *name;
	void (*prepare)(struct stage *stage);
	void (*first)(struct stage *stage);
	void (*second)(struct stage *stage);
	void (*check)(struct stage *stage);
	uint32_t wants;
	uint64_t sizes;
	bool tracked;
	uint32_t flags;
	bool breach;
	bool waits;
	bool alone;
};

/* ---- what operations and checks are made of ----------------------------------------------- */

/* A physical address that is like an IOVA in its lowest n bits only: leaves of 2^n bytes. */
uint64_t pa_for(unsigned leaf_lg2);

/* The leaf size that the scene is played for, in bytes. */
static inline uint64_t leaf(const struct stage *stage)
{
	return 1ull << stage->size_lg2;
}

/* Of the playing's window. Unmaps report to notes and are synced. What must succeed complains. */
int map_at(struct stage *stage, uint64_t offset, uint64_t bytes, uint64_t pa);
void must_map(struct stage *stage, uint64_t offset, uint64_t bytes, uint64_t pa);
int unmap_at(struct stage *stage, uint64_t offset, uint64_t bytes, struct notes *notes);
void must_unmap(struct stage *stage, uint64_t offset, uint64_t bytes, struct notes *notes);

/* A clearing sweep of the window into fresh notes, and its sync. */
void sweep_window(struct stage *stage, struct notes *notes);

/* A trim of the window, and a split of a range of it, with their syncs. */
void trim_window(struct stage *stage);
int split_at(struct stage *stage, uint64_t offset, uint64_t bytes, unsigned leaf_lg2);

/* Device 0 writes; whether it got through. */
bool writes(struct stage *stage, uint64_t offset);
void must_write(struct stage *stage, uint64_t offset);

/* For checks: software and device agree. */
void must_be_at(struct stage *stage, uint64_t offset, uint64_t pa);
void must_be_gone(struct stage *stage, uint64_t offset);

/* How often a page was reported, by whomever. */
unsigned reports(const struct stage *stage, uint64_t offset);

/*
 * An operation on a thread of its own, which is stopped in the middle: where it first invalidates.
 * The first one returns when it waits there, the other lets it go on and returns when it is over.
 */
void start_aside(struct stage *stage, void (*operation)(struct stage *stage));
void end_aside(struct stage *stage);

/* ---- playing ------------------------------------------------------------------------------ */

/**
 * run_scenes() - one cmocka test for each scene, format and size
 * @argc, @argv: of main(): a pattern of names may be given
 * @group: name of the group
 * @scenes: array of @nr
 * @more:  another test; NULL: there is none
 *
 * Return: main()'s.
 */
int run_scenes(int argc, char **argv, const char *group, const struct scene *scenes, size_t nr,
	       const struct format_test *more);

#endif
