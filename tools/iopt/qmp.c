/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See qmp.h. QEMU, docs/interop/qmp-spec.rst: a JSON object a line, either way. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tools/iopt/qmp.h"

/* QEMU answers within milliseconds; `stop' waits for the disks. */
#define ANSWER_MS 10000

/* A map of a machine with hundreds of processors is some MiB; a line without an end is no QMP. */
#define LINE_BYTES (32u << 20)
#define READ_BYTES (64u << 10)

/**
 * struct qmp - a connection
 * @fd:      the socket
 * @wake:    ends waiting, or -1
 * @last:    number of the last command
 * @deadline: when its answer must be there, milliseconds of CLOCK_MONOTONIC
 * @in:      what was read and not used, @nr bytes, room for @room
 * @unanswered: the last command has no answer yet
 * @refused: the last error was QEMU's
 * @woken:   waiting was ended
 */
struct qmp {
	int fd;
	int wake;
	unsigned last;
	int64_t deadline;
	char *in;
	size_t nr;
	size_t room;
	bool unanswered;
	bool refused;
	bool woken;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static bool fail(char error[DUMP_ERROR_BYTES],
						       const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, DUMP_ERROR_BYTES, format, list);
	va_end(list);
	return false;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Until the socket is ready for it. */
static bool wait_for(struct qmp *qmp, short what, char error[DUMP_ERROR_BYTES])
{
	struct pollfd fds[] = { { .fd = qmp->fd, .events = what },
				{ .fd = qmp->wake, .events = POLLIN } };
	int ready;

	do {
		int64_t left = qmp->deadline - now_ms();

		ready = poll(fds, 2, left > 0 ? (int)left : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return fail(error, "%s", strerror(errno));
	if (!ready)
		return fail(error, "no answer within %d s", ANSWER_MS / 1000);
	qmp->woken |= fds[1].revents != 0;
	return !qmp->woken || fail(error, "interrupted");
}

static bool send_line(struct qmp *qmp, const char *text, char error[DUMP_ERROR_BYTES])
{
	const size_t bytes = strlen(text);
	size_t sent = 0;

	while (sent < bytes) {
		ssize_t part;

		if (!wait_for(qmp, POLLOUT, error))
			return false;
		part = send(qmp->fd, text + sent, bytes - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (part < 0 && errno != EINTR && errno != EAGAIN)
			return fail(error, "the connection is gone: %s", strerror(errno));
		sent += part > 0 ? (size_t)part : 0;
	}
	return true;
}

static bool receive(struct qmp *qmp, char error[DUMP_ERROR_BYTES])
{
	ssize_t part;

	if (qmp->nr + READ_BYTES > qmp->room) {
		size_t room = 2 * qmp->room + READ_BYTES;
		char *more = realloc(qmp->in, room);

		if (!more)
			return fail(error, "%s", strerror(ENOMEM));
		qmp->in = more;
		qmp->room = room;
	}
	do {
		if (!wait_for(qmp, POLLIN, error))
			return false;
		part = recv(qmp->fd, qmp->in + qmp->nr, READ_BYTES, MSG_DONTWAIT);
	} while (part < 0 && (errno == EINTR || errno == EAGAIN));
	if (part <= 0)
		return fail(error, "the connection is gone: %s",
			    part ? strerror(errno) : "closed by the other side");
	qmp->nr += (size_t)part;
	return true;
}

/* Of the first line, behind what was looked at before; NULL: there is none yet. */
static char *find_end(const struct qmp *qmp, size_t looked)
{
	return looked < qmp->nr ? memchr(qmp->in + looked, '\n', qmp->nr - looked) : NULL;
}

/* The next line, which is an object. */
static struct json_object *read_object(struct qmp *qmp, char error[DUMP_ERROR_BYTES])
{
	struct json_object *object;
	size_t looked = 0;
	char *end;

	while (!(end = find_end(qmp, looked))) {
		looked = qmp->nr;
		if (looked > LINE_BYTES) {
			fail(error, "a line of more than %u bytes, expected JSON", LINE_BYTES);
			return NULL;
		}
		if (!receive(qmp, error))
			return NULL;
	}
	*end = '\0';
	object = json_tokener_parse(qmp->in);
	if (!json_object_is_type(object, json_type_object)) {
		fail(error, "'%.40s' is no QMP, expected JSON objects",
		     strspn(qmp->in, "\r") < strlen(qmp->in) ? qmp->in : "an empty line");
		json_object_put(object);
		object = NULL;
	}
	qmp->nr -= (size_t)(end + 1 - qmp->in);
	memmove(qmp->in, end + 1, qmp->nr);
	return object;
}

/* ---- commands ------------------------------------------------------------------------------ */

/* Is it the answer to the last command? QEMU can't give a number for what it could not parse. */
static bool is_answer(const struct qmp *qmp, struct json_object *object)
{
	struct json_object *id;

	if (json_object_object_get_ex(object, "event", NULL))
		return false;
	return !json_object_object_get_ex(object, "id", &id) ||
	       json_object_get_int64(id) == qmp->last;
}

/* What an answer returns, or why it does not. */
static struct json_object *take_answer(struct qmp *qmp, struct json_object *answer,
				       char error[DUMP_ERROR_BYTES])
{
	struct json_object *found = NULL, *why;

	if (json_object_object_get_ex(answer, "return", &found) && found)
		return json_object_get(found);
	qmp->refused = json_object_object_get_ex(answer, "error", &found);
	if (qmp->refused && json_object_object_get_ex(found, "desc", &why))
		fail(error, "%.200s", json_object_get_string(why));
	else
		fail(error, "an answer without 'return'");
	return NULL;
}

static struct json_object *do_command(struct qmp *qmp, struct json_object *command,
				      char error[DUMP_ERROR_BYTES])
{
	struct json_object *answer, *found;

	qmp->deadline = now_ms() + ANSWER_MS;
	qmp->unanswered = true;
	if (!send_line(qmp, json_object_to_json_string_ext(command, JSON_C_TO_STRING_PLAIN),
		       error) ||
	    !send_line(qmp, "\n", error))
		return NULL;
	while ((answer = read_object(qmp, error)) && !is_answer(qmp, answer))
		json_object_put(answer);
	if (!answer)
		return NULL;
	qmp->unanswered = false;
	found = take_answer(qmp, answer, error);
	json_object_put(answer);
	return found;
}

struct json_object *qmp_command(struct qmp *qmp, const char *name, struct json_object *arguments,
				char error[DUMP_ERROR_BYTES])
{
	struct json_object *command = json_object_new_object(), *found;
	char why[DUMP_ERROR_BYTES];

	qmp->refused = false;
	json_object_object_add(command, "execute", json_object_new_string(name));
	if (arguments)
		json_object_object_add(command, "arguments", arguments);
	json_object_object_add(command, "id", json_object_new_int64(++qmp->last));
	found = do_command(qmp, command, why);
	if (!found)
		fail(error, "QMP: %s: %.280s", name, why);
	json_object_put(command);
	return found;
}

bool qmp_refused(const struct qmp *qmp)
{
	return qmp->refused;
}

bool qmp_unanswered(const struct qmp *qmp)
{
	return qmp->unanswered;
}

bool qmp_woken(const struct qmp *qmp)
{
	return qmp->woken;
}

void qmp_sleep_well(struct qmp *qmp)
{
	qmp->wake = -1;
	qmp->woken = false;
}

/* ---- the connection ------------------------------------------------------------------------ */

static bool dial(struct qmp *qmp, const char *path, char error[DUMP_ERROR_BYTES])
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return fail(error, "the name of a socket has %zu bytes at most",
			    sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, strlen(path) + 1);
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (qmp->fd < 0 || connect(qmp->fd, (struct sockaddr *)&to, sizeof(to)))
		return fail(error, "%s", strerror(errno));
	return true;
}

/* QEMU takes one client at a time: others wait for it to greet them. */
static bool greet(struct qmp *qmp, char error[DUMP_ERROR_BYTES])
{
	struct json_object *object;
	char why[DUMP_ERROR_BYTES];
	bool good;

	qmp->deadline = now_ms() + ANSWER_MS;
	object = read_object(qmp, why);
	if (!object)
		return fail(error, "no greeting of QMP's (is somebody else connected?): %.200s",
			    why);
	good = json_object_object_get_ex(object, "QMP", NULL);
	json_object_put(object);
	if (!good)
		return fail(error, "no greeting of QMP's, but another object");
	object = qmp_command(qmp, "qmp_capabilities", NULL, error);
	good = object;
	json_object_put(object);
	return good;
}

struct qmp *qmp_open(const char *path, int wake, char error[DUMP_ERROR_BYTES])
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));

	if (!qmp) {
		fail(error, "%s", strerror(ENOMEM));
		return NULL;
	}
	qmp->fd = -1;
	qmp->wake = wake;
	if (dial(qmp, path, error) && greet(qmp, error))
		return qmp;
	qmp_close(qmp);
	return NULL;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	if (qmp->fd >= 0)
		close(qmp->fd);
	free(qmp->in);
	free(qmp);
}
