/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Recordings of DMA mappings, line by line. Memory is bounded by the longest line allowed.
 *
 * All three tools print a line as
 *   TASK [CPU] FLAGS? TIME: EVENT: FIELDS
 * (tracefs and trace-cmd: TASK is comm-pid, perf: comm pid or comm pid/tid; perf names events as
 * group:event). A task's name may hold blanks. So: the CPU is the first number in brackets, the
 * time the first word of digits that ends in a colon behind it, the event what follows.
 */
#include "tools/iopt/trace.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/iopt/input.h"

#define LINE_BYTES (64u << 10)

struct trace {
	struct input *input;
	struct trace_counts counts;
	char *name;
	size_t at, nr; /* bytes of the buffer that aren't used yet */
	bool end;      /* the input is at its end */
	char buffer[2 * LINE_BYTES + 1];
	char error[TRACE_ERROR_BYTES];
};

/* A piece of a line. */
struct text {
	const char *at;
	const char *end;
};

__attribute__((format(printf, 2, 3))) static int fail(struct trace *trace, const char *format, ...)
{
	va_list list;
	int nr = snprintf(trace->error, sizeof(trace->error), "%.200s:", trace->name);

	if (trace->counts.lines)
		nr += snprintf(trace->error + nr, sizeof(trace->error) - (size_t)nr,
			       "%llu:", (unsigned long long)trace->counts.lines);
	trace->error[nr++] = ' ';
	va_start(list, format);
	vsnprintf(trace->error + nr, sizeof(trace->error) - (size_t)nr, format, list);
	va_end(list);
	return -1;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/*
 * The next line, without its end, terminated by a NUL in the buffer.
 * Return: 1; 0 at the end; -1 on an error.
 */
static int next_line(struct trace *trace, struct text *line, bool *complete)
{
	char *start, *newline;
	ssize_t nr;

	for (;;) {
		start = trace->buffer + trace->at;
		newline = memchr(start, '\n', trace->nr - trace->at);
		if (newline || trace->end)
			break;
		memmove(trace->buffer, start, trace->nr - trace->at);
		trace->nr -= trace->at;
		trace->at = 0;
		if (trace->nr >= LINE_BYTES) {
			trace->counts.lines++;
			return fail(trace,
				    "a line of more than %u bytes; expected text as tracefs, "
				    "trace-cmd report or perf script print it",
				    LINE_BYTES);
		}
		nr = input_read(trace->input, trace->buffer + trace->nr,
				sizeof(trace->buffer) - 1 - trace->nr);
		if (nr < 0)
			return fail(trace, "%s", input_error(trace->input));
		trace->nr += (size_t)nr;
		trace->end = !nr;
	}
	if (start == trace->buffer + trace->nr)
		return 0;
	*complete = newline != NULL;
	if (!newline)
		newline = trace->buffer + trace->nr;
	*newline = '\0';
	trace->at = (size_t)(newline - trace->buffer) + *complete;
	trace->counts.lines++;
	if (memchr(start, '\0', (size_t)(newline - start)))
		return fail(trace,
			    "binary data; expected text as tracefs, trace-cmd report or perf "
			    "script print it");
	if (newline > start && newline[-1] == '\r')
		*--newline = '\0';
	*line = (struct text){ start, newline };
	return 1;
}

/* ---- pieces of a line ------------------------------------------------------------------------ */

/* The next word, up to a blank. False at the end. */
static bool next_word(struct text *text, struct text *word)
{
	while (text->at < text->end && isspace((unsigned char)*text->at))
		text->at++;
	word->at = text->at;
	while (text->at < text->end && !isspace((unsigned char)*text->at))
		text->at++;
	word->end = text->at;
	return word->at != word->end;
}

static bool is(struct text word, const char *text)
{
	size_t bytes = (size_t)(word.end - word.at);

	return bytes == strlen(text) && !memcmp(word.at, text, bytes);
}

/* Where something stands in a text; NULL: nowhere, or there is no text. */
static const char *find(struct text text, const char *what)
{
	return text.at ? memmem(text.at, (size_t)(text.end - text.at), what, strlen(what)) : NULL;
}

/* A number, decimal or with 0x; false if it isn't one or doesn't fit. */
static bool number(struct text text, uint64_t *value)
{
	unsigned base = 10;
	uint64_t result = 0;

	if (text.end - text.at > 2 && text.at[0] == '0' && (text.at[1] | 0x20) == 'x') {
		base = 16;
		text.at += 2;
	}
	if (text.at == text.end)
		return false;
	for (; text.at < text.end; text.at++) {
		unsigned digit;

		if (*text.at >= '0' && *text.at <= '9')
			digit = (unsigned)(*text.at - '0');
		else if (base == 16 && isxdigit((unsigned char)*text.at))
			digit = (unsigned)((*text.at | 0x20) - 'a') + 10;
		else
			return false;
		if (__builtin_mul_overflow(result, (uint64_t)base, &result) ||
		    __builtin_add_overflow(result, (uint64_t)digit, &result))
			return false;
	}
	*value = result;
	return true;
}

/* The number behind "KEY=", the key standing at the beginning of a word. */
static bool field(struct text fields, const char *key, uint64_t *value)
{
	size_t bytes = strlen(key);
	struct text word;

	while (next_word(&fields, &word)) {
		if ((size_t)(word.end - word.at) > bytes && word.at[bytes] == '=' &&
		    !memcmp(word.at, key, bytes)) {
			word.at += bytes + 1;
			if (word.end > word.at && word.end[-1] == ',')
				word.end--;
			return number(word, value);
		}
	}
	return false;
}

/* "10.017371:" or "10017371:" in nanoseconds. */
static bool timestamp(struct text word, uint64_t *ns)
{
	uint64_t seconds = 0, part = 0, scale = 1000000000;
	bool dot = false;

	if (word.end - word.at < 2 || word.end[-1] != ':' || !isdigit((unsigned char)*word.at))
		return false;
	for (const char *at = word.at; at < word.end - 1; at++) {
		if (*at == '.' && !dot) {
			dot = true;
			continue;
		}
		if (!isdigit((unsigned char)*at))
			return false;
		if (!dot) {
			seconds = seconds * 10 + (uint64_t)(*at - '0');
		} else if (scale > 1) {
			part = part * 10 + (uint64_t)(*at - '0');
			scale /= 10;
		}
	}
	/* Clocks that count (trace_clock "counter", "x86-tsc") have no dot: take them as they are.
	 *  */
	*ns = dot ? seconds * 1000000000 + part * scale : seconds;
	return true;
}

/* The digits at the end of "comm-123", "comm 123", "comm 120/123", "comm-123 ( 120)". */
static uint32_t task_id(struct text text)
{
	const char *at = text.end;
	uint64_t id = 0;

	while (at > text.at && isspace((unsigned char)at[-1]))
		at--;
	if (at > text.at && at[-1] == ')') {
		while (at > text.at && *at != '(')
			at--;
		while (at > text.at && isspace((unsigned char)at[-1]))
			at--;
	}
	text.end = at;
	while (at > text.at && isdigit((unsigned char)at[-1]))
		at--;
	text.at = at;
	return number(text, &id) ? (uint32_t)id : 0;
}

/* The first "[digits]" of a line; what stands before and behind it. */
static bool find_cpu(struct text line, struct trace_event *event, struct text *before,
		     struct text *behind)
{
	for (const char *at = line.at; (at = memchr(at, '[', (size_t)(line.end - at))); at++) {
		const char *close = at + 1;
		uint64_t cpu;

		while (close < line.end && isdigit((unsigned char)*close))
			close++;
		if (close == line.end)
			return false;
		if (*close != ']' || close - at > 9 ||
		    !number((struct text){ at + 1, close }, &cpu))
			continue;
		event->cpu = (unsigned)cpu;
		*before = (struct text){ line.at, at };
		*behind = (struct text){ close + 1, line.end };
		return true;
	}
	return false;
}

/* Split a line into its parts. False: it is no event. */
static bool split_line(struct text line, struct trace_event *event, struct text *name,
		       struct text *fields)
{
	struct text rest = line, task = { line.at, line.at }, word;
	bool has_cpu = find_cpu(line, event, &task, &rest);

	do {
		if (!next_word(&rest, &word))
			return false;
		if (!has_cpu)
			task.end = word.at;
	} while (!timestamp(word, &event->ns));
	event->task = task_id(task);
	if (!next_word(&rest, name))
		return false;
	if (name->end[-1] == ':')
		name->end--;
	*fields = rest;
	return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What no kernel records: see the head of trace.h. */
static int check(struct trace *trace, struct trace_event *event, const char *what, uint64_t size)
{
	bool map = event->kind == TRACE_MAP || event->kind == TRACE_PROBE_MAP;
	uint64_t pa = map ? event->pa : 0;

	if (!size)
		return fail(trace, "%s of size 0; expected at least %u bytes", what, TRACE_GRANULE);
	if ((event->first | size | pa) % TRACE_GRANULE)
		return fail(trace,
			    "%s iova=0x%llx size=0x%llx paddr=0x%llx is misaligned; expected "
			    "multiples of %u",
			    what, (unsigned long long)event->first, (unsigned long long)size,
			    (unsigned long long)pa, TRACE_GRANULE);
	if (event->first + (size - 1) < event->first || pa + (size - 1) < pa)
		return fail(trace,
			    "%s iova=0x%llx paddr=0x%llx size=0x%llx wraps around; expected a "
			    "range within 64 bits",
			    what, (unsigned long long)event->first, (unsigned long long)pa,
			    (unsigned long long)size);
	event->last = event->first + (size - 1);
	return 1;
}

/* iommu:map and iommu:unmap. Older kernels print no end. */
static int read_iommu(struct trace *trace, struct text fields, struct trace_event *event)
{
	bool map = event->kind == TRACE_MAP;
	const char *what = map ? "iommu:map" : "iommu:unmap";
	struct text rest = fields;
	uint64_t size = 0, end = 0;
	struct text word;

	if (!field(fields, "iova", &event->first) || !field(fields, "size", &size) ||
	    (map && !field(fields, "paddr", &event->pa)) ||
	    (!map && !field(fields, "unmapped_size", &event->unmapped)))
		return fail(trace, "%s that can't be read; expected iova=, %s", what,
			    map ? "paddr= and size= with numbers"
				: "size= and unmapped_size= with numbers");
	while (next_word(&rest, &word) && !is(word, "-"))
		;
	if (is(word, "-") &&
	    (!next_word(&rest, &word) || !number(word, &end) || end != event->first + size))
		return fail(trace, "%s whose end is not its start plus its size", what);
	if (map)
		event->unmapped = size;
	if (!map && event->unmapped % TRACE_GRANULE)
		return fail(trace, "%s with unmapped_size=%llu; expected a multiple of %u", what,
			    (unsigned long long)event->unmapped, TRACE_GRANULE);
	return check(trace, event, what, size);
}

/* A probe of a driver's map_pages or unmap_pages: domain=, iova=, and size= or pgsize= and count=.
 *  */
static int read_probe(struct trace *trace, struct text name, struct text fields,
		      struct trace_event *event)
{
	uint64_t size = 0, count = 0;
	char what[48];

	snprintf(what, sizeof(what), "probe %.*s",
		 (int)(name.end - name.at > 32 ? 32 : name.end - name.at), name.at);
	if (!field(fields, "domain", &event->domain) || !event->domain ||
	    !field(fields, "iova", &event->first) ||
	    (event->kind == TRACE_PROBE_MAP && !field(fields, "paddr", &event->pa)))
		return fail(trace, "%s that can't be read; expected domain=, iova=%s with numbers",
			    what, event->kind == TRACE_PROBE_MAP ? ", paddr=" : "");
	if (!field(fields, "size", &size)) {
		if (!field(fields, "pgsize", &size) || !field(fields, "count", &count))
			return fail(
				trace,
				"%s without a size; expected size=, or pgsize= and count=", what);
		if (__builtin_mul_overflow(size, count, &size))
			return fail(trace,
				    "%s of pgsize= times count= bytes; expected less than 2^64",
				    what);
	}
	event->unmapped = size;
	return check(trace, event, what, size);
}

/* "CPU:0 [LOST 123 EVENTS]" (tracefs), "CPU:0 [123 EVENTS DROPPED]" (trace-cmd), both without the
 * number too, and perf's "PERF_RECORD_LOST lost 123". */
static bool read_lost(struct text line, struct trace_event *event)
{
	struct text rest = line, word;
	uint64_t value;

	while (rest.at < rest.end && isspace((unsigned char)*rest.at))
		rest.at++;
	if (rest.end - rest.at > 4 && !memcmp(rest.at, "CPU:", 4))
		rest.at = memchr(rest.at, '[', (size_t)(rest.end - rest.at));
	else
		rest.at = find(rest, "PERF_RECORD_LOST");
	if (!rest.at ||
	    (*rest.at == '[' && !find(rest, "[LOST ") && !find(rest, "EVENTS DROPPED]")))
		return false;
	rest.at += *rest.at == '[';
	event->kind = TRACE_LOST;
	while (next_word(&rest, &word))
		if (number(word, &value))
			event->lost = value;
	return true;
}

/* Is this one of ours, and which? */
static bool classify(struct text name, struct text fields, struct trace_event *event)
{
	if (fields.end - fields.at > 6 && find(fields, "IOMMU:") == fields.at + 1) {
		if (is(name, "map") || is(name, "iommu:map"))
			event->kind = TRACE_MAP;
		else if (is(name, "unmap") || is(name, "iommu:unmap"))
			event->kind = TRACE_UNMAP;
		else
			return false;
		return true;
	}
	if (!find(fields, " domain=") || !find(fields, " iova="))
		return false;
	if (find(name, "unmap"))
		event->kind = TRACE_PROBE_UNMAP;
	else if (find(name, "map"))
		event->kind = TRACE_PROBE_MAP;
	else
		return false;
	return true;
}

/* Return: 1: @event is one of ours; 0: it isn't; -1: error. */
static int read_line(struct trace *trace, struct text line, struct trace_event *event)
{
	struct text name, fields;
	int result;

	*event = (struct trace_event){ .line = trace->counts.lines };
	if (read_lost(line, event)) {
		trace->counts.lost_lines++;
		trace->counts.lost_events += event->lost;
		return 1;
	}
	if (line.at == line.end || *line.at == '#' || !split_line(line, event, &name, &fields)) {
		trace->counts.unknown++;
		return 0;
	}
	/* trace-cmd pads between the name and the fields. */
	while (fields.end - fields.at > 1 && isspace((unsigned char)fields.at[0]) &&
	       isspace((unsigned char)fields.at[1]))
		fields.at++;
	if (!classify(name, fields, event)) {
		trace->counts.other++;
		return 0;
	}
	result = event->kind == TRACE_MAP || event->kind == TRACE_UNMAP
			 ? read_iommu(trace, fields, event)
			 : read_probe(trace, name, fields, event);
	if (result > 0)
		trace->counts.events++;
	return result;
}

/* At the end: a file without one event of ours is the wrong file. */
static int check_end(struct trace *trace)
{
	if (trace->counts.events)
		return 0;
	if (!trace->counts.lines)
		return fail(trace, "is empty; expected a recording of iommu:map and iommu:unmap");
	if (trace->counts.other)
		return fail(trace,
			    "%llu events, none of them iommu:map, iommu:unmap or a probe with "
			    "domain= and iova=",
			    (unsigned long long)trace->counts.other);
	return fail(trace, "no event in it; expected text as tracefs, trace-cmd report or perf "
			   "script print it");
}

int trace_next(struct trace *trace, struct trace_event *event)
{
	bool complete = true;
	struct text line = { trace->buffer, trace->buffer };
	int result;

	for (;;) {
		result = next_line(trace, &line, &complete);
		if (!result)
			return check_end(trace);
		if (result > 0 && !complete)
			return fail(trace, "ends in the middle of a line; expected a whole file");
		if (result > 0)
			result = read_line(trace, line, event);
		if (result)
			return result;
	}
}

/* ---- opening --------------------------------------------------------------------------------- */

static struct trace *open_input(const char *path, struct input *input,
				const char why[INPUT_ERROR_BYTES], char error[TRACE_ERROR_BYTES])
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct trace *trace = input ? calloc(1, sizeof(*trace)) : NULL;

	if (trace)
		trace->name = strdup(name);
	if (trace && trace->name) {
		trace->input = input;
		return trace;
	}
	snprintf(error, TRACE_ERROR_BYTES, "%.180s: %s", name,
		 input ? "no memory to read it" : why);
	input_close(input);
	free(trace);
	return NULL;
}

struct trace *trace_open(const char *path, char error[TRACE_ERROR_BYTES])
{
	char why[INPUT_ERROR_BYTES] = "";
	struct input *input = input_open(path, why);

	return open_input(path, input, why, error);
}

struct trace *trace_open_memory(const char *name, const void *bytes, size_t size,
				char error[TRACE_ERROR_BYTES])
{
	char why[INPUT_ERROR_BYTES] = "";
	struct input *input = input_memory(bytes, size, why);

	return open_input(name, input, why, error);
}

const char *trace_error(const struct trace *trace)
{
	return trace->error;
}

const struct trace_counts *trace_counts(const struct trace *trace)
{
	return &trace->counts;
}

void trace_close(struct trace *trace)
{
	if (!trace)
		return;
	input_close(trace->input);
	free(trace->name);
	free(trace);
}
