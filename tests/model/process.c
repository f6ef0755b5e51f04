/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Trials in processes of their own, so that a crash or an endless loop is a failure like others
 * and leaves its operations behind; and delta debugging: leaving out operations for as long as
 * the trial still fails. See model.h.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/model.h"

#define OPS_A_TRIAL    3000u
#define TRIAL_SECONDS  120u /* for a trial that hangs */
#define SHRINK_SECONDS 60   /* shrinking ends, wherever it got to */

/* Freed tables are poisoned; a small arena, in which they are used again soon enough. */
static const struct iopt_posix_config arena = {
	.bytes = 128 * MIB, .base = GIB, .fd = -1, .poison = true, .image = true
};

struct trial *trial_new(void)
{
	void *memory = mmap(NULL, sizeof(struct trial), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static struct model *model_new(void)
{
	struct model *m = calloc(1, sizeof(*m));

	if (!m || iopt_posix_setup(&arena)) {
		fputs("model: no memory\n", stderr);
		_exit(EXIT_FAILURE);
	}
	return m;
}

/* ---- in the child -------------------------------------------------------------------------- */

static void run_random(struct trial *trial, const struct config *config, uint64_t seed,
		       uint64_t ops)
{
	struct model *m = model_new();
	struct generator g;

	while (trial->done < ops) {
		trial->seed = seed++;
		trial->nr = 0;
		alarm(TRIAL_SECONDS);
		model_create(m, config, trial);
		generator_init(&g, m, trial->seed);
		while (trial->nr < OPS_A_TRIAL && trial->done < ops) {
			struct op *op = &trial->ops[trial->nr++];

			generate(&g, m, op);
			trial->done++;
			model_run(m, op);
		}
		model_finish(m);
	}
	free(m);
}

static void run_again(struct trial *trial, const struct config *config)
{
	struct model *m = model_new();

	alarm(TRIAL_SECONDS / 10);
	model_create(m, config, trial);
	for (unsigned i = 0; i < trial->nr; i++)
		model_run(m, &trial->ops[i]);
	model_finish(m);
	free(m);
}

/* ---- in the parent ------------------------------------------------------------------------- */

static void trial_clear(struct trial *trial)
{
	trial->message[0] = 0;
	trial->format = NULL;
}

static bool child_end(struct trial *trial, pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child) {
		snprintf(trial->message, MESSAGE_LEN, "no process could be started");
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return true;
	if (WIFSIGNALED(status))
		snprintf(trial->message, MESSAGE_LEN, "ended by signal %d (%s)", WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
	else if (!trial->message[0])
		snprintf(trial->message, MESSAGE_LEN, "exit status %d", WEXITSTATUS(status));
	return false;
}

bool trials_random(struct trial *trial, const struct config *config, uint64_t seed, uint64_t ops)
{
	pid_t child;

	trial_clear(trial);
	trial->done = 0;
	fflush(NULL);
	child = fork();
	if (!child) {
		run_random(trial, config, seed, ops);
		exit(EXIT_SUCCESS);
	}
	return child_end(trial, child);
}

bool trial_again(struct trial *trial, const struct config *config)
{
	pid_t child;

	trial_clear(trial);
	fflush(NULL);
	child = fork();
	if (!child) {
		run_again(trial, config);
		exit(EXIT_SUCCESS);
	}
	return child_end(trial, child);
}

/* The same without what it prints, be it a sanitizer's report. */
static bool trial_quietly(struct trial *trial, const struct config *config)
{
	pid_t child = fork();

	if (!child) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(EXIT_FAILURE);
		run_again(trial, config);
		_exit(EXIT_SUCCESS);
	}
	return child_end(trial, child);
}

/* Take out nr operations from at on, if it still fails as before without them. */
static bool leave_out(struct trial *trial, const struct config *config, unsigned at, unsigned nr)
{
	static struct trial before;

	before = *trial;
	trial_clear(trial);
	memmove(&trial->ops[at], &trial->ops[at + nr],
		(trial->nr - at - nr) * sizeof(trial->ops[0]));
	trial->nr -= nr;
	if (!trial_quietly(trial, config) && trial->format == before.format)
		return true;
	*trial = before;
	return false;
}

void trial_shrink(struct trial *trial, const struct config *config)
{
	time_t end = time(NULL) + SHRINK_SECONDS;
	unsigned nr = trial->nr / 2;

	while (nr && time(NULL) < end) {
		bool less = false;

		for (unsigned at = 0; at < trial->nr && time(NULL) < end;) {
			unsigned take = trial->nr - at < nr ? trial->nr - at : nr;

			if (leave_out(trial, config, at, take))
				less = true;
			else
				at += take;
		}
		if (!less || nr > 1)
			nr = nr > 1 ? (nr + 1) / 2 : 0;
	}
}
