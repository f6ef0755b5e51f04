/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * See machine.h.
 *
 * Memory comes through a file that QEMU writes, pmemsave, and registers through the monitor's `xp'.
 * Both read as a processor would, a device's registers too (QEMU, system/cpus.c qmp_pmemsave(),
 * monitor/hmp-cmds-target.c memory_dump()), and give something where there is nothing. So what
 * there is comes first, `info mtree -f', and pmemsave is asked for RAM only. The registers that
 * `xp' is asked for change nothing by being read: of QEMU's models intel_iommu.c vtd_mem_read(),
 * amd_iommu.c amdvi_mmio_read(), smmuv3.c smmu_readl() and smmu_readll(), riscv-iommu.c
 * riscv_iommu_mmio_read() return what they have. `xp' reads as many bytes at once as it is asked
 * for, and smmuv3.c answers with 0 if these are not the register's.
 *
 * The machine goes on at the end of the program, too: by atexit(), and by a thread that waits for
 * signals. Between commands that thread may take over; it interrupts one under way. Then it ends
 * the program, and nobody else goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/iopt/command.h"
#include "tools/iopt/machine.h"
#include "tools/iopt/qmp.h"
#include "tools/iopt/registers.h"

/*
 * Tables lie where the kernel found a page, often beside each other: QEMU 7.2 takes 0.7 ms for 4
 * KiB, 1.1 ms for 64 KiB and 2.4 ms for 1 MiB.
 */
#define CHUNK_BYTES 65536u
#define CHUNKS	    512u

#define RANGES_MAX 65536u

/** struct range - RAM, both ends included */
struct range {
	uint64_t first;
	uint64_t last;
};

/** struct chunk - of RAM, as it was read; no bytes: nothing */
struct chunk {
	uint64_t first;
	uint64_t last;
	unsigned char *bytes;
};

/**
 * struct machine - the running one
 * @qmp:    the way to it
 * @owes:   it was paused here, and has to go on
 * @failed: @error says why nothing more can be read
 * @sigpipe: what was to happen before
 * @folder: private, for the file; empty: it is not there
 * @file:   that QEMU writes, open as @fd
 * @ranges: RAM in ascending order, @nr of them
 * @units:  found in the same map
 * @chunks: read lately, each at the place that its address gives it
 */
struct machine {
	struct qmp *qmp;
	bool owes;
	bool failed;
	char error[DUMP_ERROR_BYTES];
	sighandler_t sigpipe;
	char *folder;
	char *file;
	int fd;
	struct range *ranges;
	size_t nr;
	struct units units;
	struct chunk chunks[CHUNKS];
};

/* Who holds it may use the connection of the machine that is open. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct machine *opened;

/* The thread that waits for signals ends the program. */
static atomic_bool ending;
static int wake[2] = { -1, -1 };

/* ---- the end ------------------------------------------------------------------------------- */

/*
 * With the lock. Told if it does not work; interrupted, it has yet to be done. What QEMU was asked
 * before and did not answer may be to write the file: it does one command after the other, so that
 * it has when the next one is answered.
 */
static bool let_go(struct machine *machine)
{
	const bool owed = machine->owes;
	char error[DUMP_ERROR_BYTES];
	struct json_object *done;

	if (owed || qmp_unanswered(machine->qmp)) {
		done = qmp_command(machine->qmp, owed ? "cont" : "query-status", NULL, error);
		if (!done && qmp_woken(machine->qmp))
			return false;
		if (!done && owed)
			content_error("%s: the machine stays paused", error);
		machine->owes = owed && !done;
		json_object_put(done);
	}
	if (machine->file)
		unlink(machine->file);
	if (machine->folder)
		rmdir(machine->folder);
	return !machine->owes;
}

/* The program is being ended: this thread has nothing more to do. */
static void stop_if_ending(void)
{
	while (atomic_load(&ending))
		pause();
}

/* What is interrupted is left to the thread that did it. */
static bool finish(struct machine *machine)
{
	bool good;

	pthread_mutex_lock(&lock);
	good = let_go(machine);
	if (!qmp_woken(machine->qmp))
		opened = NULL;
	pthread_mutex_unlock(&lock);
	stop_if_ending();
	return good;
}

/* Where somebody calls exit() before machine_close(). */
static void finish_at_exit(void)
{
	if (opened)
		finish(opened);
}

/* Those that end a program, unless it was started so that they don't, as by nohup. */
static void find_signals(sigset_t *set)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!sigaction(numbers[i], NULL, &action) && action.sa_handler == SIG_DFL)
			sigaddset(set, numbers[i]);
}

static void *wait_for_signal(void *context)
{
	const sigset_t *set = context;
	sigset_t one;
	int number;

	if (sigwait(set, &number))
		return NULL;
	atomic_store(&ending, true);
	while (write(wake[1], "", 1) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&lock);
	if (opened) {
		qmp_sleep_well(opened->qmp);
		let_go(opened);
	}
	sigemptyset(&one);
	sigaddset(&one, number);
	raise(number);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	return NULL;
}

/* Once in the life of a program. */
static bool guard(char error[DUMP_ERROR_BYTES])
{
	static sigset_t set;
	static bool done;
	pthread_t thread;
	int failed = 0;

	if (done)
		return true;
	find_signals(&set);
	if (pipe2(wake, O_CLOEXEC) || atexit(finish_at_exit))
		failed = errno;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (!failed)
		failed = pthread_create(&thread, NULL, wait_for_signal, &set);
	if (failed) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(failed));
		return false;
	}
	pthread_detach(thread);
	done = true;
	return true;
}

/* ---- asking -------------------------------------------------------------------------------- */

static struct json_object *ask(struct machine *machine, const char *name,
			       struct json_object *arguments, char error[DUMP_ERROR_BYTES])
{
	struct json_object *answer;

	pthread_mutex_lock(&lock);
	answer = qmp_command(machine->qmp, name, arguments, error);
	pthread_mutex_unlock(&lock);
	stop_if_ending();
	return answer;
}

/* A command of the monitor for people; its answer is a text. */
static struct json_object *ask_monitor(struct machine *machine, const char *line,
				       char error[DUMP_ERROR_BYTES])
{
	struct json_object *arguments = json_object_new_object(), *answer;

	json_object_object_add(arguments, "command-line", json_object_new_string(line));
	answer = ask(machine, "human-monitor-command", arguments, error);
	if (!answer || json_object_is_type(answer, json_type_string))
		return answer;
	json_object_put(answer);
	snprintf(error, DUMP_ERROR_BYTES, "QMP: %s: expected a text", line);
	return NULL;
}

/* Nothing is done to a machine that does not run: whoever paused it lets it go on. */
static bool pause_machine(struct machine *machine, char error[DUMP_ERROR_BYTES])
{
	struct json_object *status = ask(machine, "query-status", NULL, error), *found = NULL;
	struct json_object *done;
	bool runs;

	if (!status)
		return false;
	runs = json_object_object_get_ex(status, "running", &found) &&
	       json_object_get_boolean(found);
	json_object_put(status);
	if (!runs)
		return true;
	pthread_mutex_lock(&lock);
	machine->owes = true;
	done = qmp_command(machine->qmp, "stop", NULL, error);
	if (!done && qmp_refused(machine->qmp))
		machine->owes = false;
	pthread_mutex_unlock(&lock);
	stop_if_ending();
	json_object_put(done);
	return done;
}

/* ---- what there is ------------------------------------------------------------------------- */

static bool add_range(struct machine *machine, uint64_t first, uint64_t last)
{
	struct range *before = machine->nr ? &machine->ranges[machine->nr - 1] : NULL, *more;

	if (first > last || (before && first <= before->last) || machine->nr == RANGES_MAX)
		return true;
	if (before && before->last + 1 == first) {
		before->last = last;
		return true;
	}
	more = realloc(machine->ranges, (machine->nr + 1) * sizeof(*more));
	if (!more)
		return false;
	machine->ranges = more;
	machine->ranges[machine->nr++] = (struct range){ first, last };
	return true;
}

/* "FIRST-LAST (prio 0, KIND): NAME", perhaps with " @OFFSET" of what begins elsewhere. */
static bool add_line(struct machine *machine, const char *line)
{
	struct unit unit = { .found = "QEMU" };
	uint64_t last;
	char kind[16];
	int name = 0;

	if (sscanf(line, " %" SCNx64 "-%" SCNx64 " (prio %*d, %15[^)]): %n", &unit.base, &last,
		   kind, &name) != 3 ||
	    !name)
		return true;
	if (!strcmp(kind, "ram") || !strcmp(kind, "rom") || !strcmp(kind, "nv-ram"))
		return add_range(machine, unit.base, last);
	if (!strcmp(kind, "i/o") && registers_kind_of(line + name, &unit.kind))
		units_add(&machine->units, &unit);
	return true;
}

/*
 * QEMU, system/memory.c, mtree_print_flatview(): for each way of seeing memory its address spaces
 * and then its pieces. "memory" is what processors see (system/physmem.c, memory_map_init()).
 */
static bool read_map(struct machine *machine, char error[DUMP_ERROR_BYTES])
{
	struct json_object *answer = ask_monitor(machine, "info mtree -f", error);
	char *text = answer ? strdup(json_object_get_string(answer)) : NULL;
	bool wanted = false, good = text;
	char *rest = NULL;

	for (char *line = text ? strtok_r(text, "\r\n", &rest) : NULL; line && good;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		if (!strncmp(line, "FlatView", 8))
			wanted = false;
		else if (!strncmp(line, " AS \"memory\",", 13))
			wanted = true;
		else if (wanted)
			good = add_line(machine, line);
	}
	if (answer && !good)
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(ENOMEM));
	if (good && !machine->nr)
		snprintf(error, DUMP_ERROR_BYTES, "QMP: info mtree: no memory in it");
	free(text);
	json_object_put(answer);
	return good && machine->nr;
}

void machine_units(const struct machine *machine, struct units *units)
{
	*units = machine->units;
}

/* ---- memory -------------------------------------------------------------------------------- */

static bool fail(struct machine *machine, const char *what)
{
	snprintf(machine->error, sizeof(machine->error), "%s: %s", machine->file, what);
	machine->failed = true;
	return false;
}

static const struct range *find_range(const struct machine *machine, uint64_t pa)
{
	size_t low = 0, high = machine->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (machine->ranges[middle].last < pa)
			low = middle + 1;
		else
			high = middle;
	}
	return low < machine->nr && machine->ranges[low].first <= pa ? &machine->ranges[low] : NULL;
}

/* Its chunk's bytes, first..last, by way of the file. */
static bool fill(struct machine *machine, struct chunk *chunk)
{
	const size_t bytes = (size_t)(chunk->last - chunk->first) + 1;
	struct json_object *arguments = json_object_new_object(), *done;

	json_object_object_add(arguments, "val", json_object_new_uint64(chunk->first));
	json_object_object_add(arguments, "size", json_object_new_uint64(bytes));
	json_object_object_add(arguments, "filename", json_object_new_string(machine->file));
	if (ftruncate(machine->fd, 0)) {
		json_object_put(arguments);
		return fail(machine, strerror(errno));
	}
	done = ask(machine, "pmemsave", arguments, machine->error);
	machine->failed = !done;
	json_object_put(done);
	if (!done)
		return false;
	if (pread(machine->fd, chunk->bytes, bytes, 0) != (ssize_t)bytes)
		return fail(machine, "QEMU wrote memory elsewhere, or not all: it has to share "
				     "this folder, see TMPDIR");
	return true;
}

/* The chunk that an address of a range lies in. */
static struct chunk *read_chunk(struct machine *machine, const struct range *range, uint64_t pa)
{
	const uint64_t first = pa & ~(uint64_t)(CHUNK_BYTES - 1);
	const uint64_t last = first + (CHUNK_BYTES - 1);
	struct chunk *chunk = &machine->chunks[first / CHUNK_BYTES % CHUNKS];

	if (chunk->bytes && chunk->first <= pa && pa <= chunk->last)
		return chunk;
	if (!chunk->bytes)
		chunk->bytes = malloc(CHUNK_BYTES);
	if (!chunk->bytes) {
		fail(machine, strerror(ENOMEM));
		return NULL;
	}
	chunk->first = first > range->first ? first : range->first;
	chunk->last = last < range->last ? last : range->last;
	if (fill(machine, chunk))
		return chunk;
	free(chunk->bytes);
	chunk->bytes = NULL;
	return NULL;
}

bool machine_read(struct machine *machine, uint64_t pa, void *to, size_t bytes)
{
	const struct range *range = find_range(machine, pa);
	const struct chunk *chunk;

	if (machine->failed || !range || bytes - 1 > range->last - pa)
		return false;
	chunk = read_chunk(machine, range, pa);
	if (!chunk || bytes - 1 > chunk->last - pa)
		return false;
	memcpy(to, chunk->bytes + (pa - chunk->first), bytes);
	return true;
}

/* "ADDRESS: VALUE", or that it can't. */
bool machine_load(struct machine *machine, uint64_t pa, unsigned bytes, uint64_t *value)
{
	struct json_object *answer;
	char line[64];
	bool found;

	if (machine->failed)
		return false;
	snprintf(line, sizeof(line), "xp /1x%c 0x%" PRIx64, bytes == 8 ? 'g' : 'w', pa);
	answer = ask_monitor(machine, line, machine->error);
	machine->failed = !answer;
	found = answer && sscanf(json_object_get_string(answer), "%*[^:]: 0x%" SCNx64, value) == 1;
	json_object_put(answer);
	return found;
}

const char *machine_error(const struct machine *machine)
{
	return machine->failed ? machine->error : NULL;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static bool make_file(struct machine *machine, char error[DUMP_ERROR_BYTES])
{
	const char *where = getenv("TMPDIR");
	char *whole = realpath(where && *where ? where : "/tmp", NULL);
	bool good = whole && asprintf(&machine->folder, "%s/iopt.XXXXXX", whole) > 0;

	if (good && !mkdtemp(machine->folder)) {
		free(machine->folder);
		machine->folder = NULL;
		good = false;
	}
	good = good && asprintf(&machine->file, "%s/memory", machine->folder) > 0;
	if (good)
		machine->fd = open(machine->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (!good || machine->fd < 0)
		snprintf(error, DUMP_ERROR_BYTES, "no temporary file: %s", strerror(errno));
	free(whole);
	return good && machine->fd >= 0;
}

static void free_machine(struct machine *machine)
{
	qmp_close(machine->qmp);
	signal(SIGPIPE, machine->sigpipe);
	if (machine->fd >= 0)
		close(machine->fd);
	for (unsigned i = 0; i < CHUNKS; i++)
		free(machine->chunks[i].bytes);
	free(machine->ranges);
	free(machine->folder);
	free(machine->file);
	free(machine);
}

struct machine *machine_open(const char *path, bool stop, char error[DUMP_ERROR_BYTES])
{
	struct machine *machine = calloc(1, sizeof(*machine));
	bool good;

	if (!machine) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(ENOMEM));
		return NULL;
	}
	machine->fd = -1;
	/* A pipe that nobody reads from any more ends nothing before the machine goes on. */
	machine->sigpipe = signal(SIGPIPE, SIG_IGN);
	if (guard(error))
		machine->qmp = qmp_open(path, wake[0], error);
	stop_if_ending();
	if (!machine->qmp) {
		free_machine(machine);
		return NULL;
	}
	pthread_mutex_lock(&lock);
	opened = machine;
	good = make_file(machine, error);
	pthread_mutex_unlock(&lock);
	if (good && (!stop || pause_machine(machine, error)) && read_map(machine, error))
		return machine;
	machine_close(machine);
	return NULL;
}

bool machine_close(struct machine *machine)
{
	bool good = finish(machine);

	free_machine(machine);
	return good;
}
