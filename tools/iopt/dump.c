/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See dump.h. */
#include <ctype.h>
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/iopt/command.h"
#include "tools/iopt/dump.h"
#include "tools/iopt/elf_core.h"
#include "tools/iopt/input.h"
#include "tools/iopt/machine.h"
#include "tools/iopt/output.h"
#include "tools/iopt/progress.h"

#define PAGE_BYTES 4096u
#define COPY_BYTES (256u * PAGE_BYTES)

/**
 * struct dump - an open one
 * @file:  of @fd, if it is a temporary one
 * @fd:    what is read
 * @kdump: libkdumpfile's; NULL: a raw image
 * @segments: of an ELF core, @nr_segments of them: read without libkdumpfile
 * @refused: libkdumpfile does not want it
 * @base:  of a raw image
 * @bytes: of a raw image, or an ELF core
 * @end:   of an ELF core: where in it its last segment ends
 * @live:  a running machine instead
 * @next:  of those that are kept
 * @progress: of copying
 * @copied: bytes
 */
struct dump {
	struct machine *live;
	struct dump *next;
	FILE *file;
	int fd;
	kdump_ctx_t *kdump;
	struct elf_segment *segments;
	size_t nr_segments;
	bool refused;
	uint64_t base;
	uint64_t bytes;
	uint64_t end;
	struct progress progress;
	uint64_t copied;
};

/* QEMU, include/sysemu/dump.h: MAKEDUMPFILE_SIGNATURE. */
static bool is_flattened(const char magic[12])
{
	return !memcmp(magic, "makedumpfile", 12);
}

/* RFC 1952, 2.3.1 (ID1, ID2); RFC 8878, 3.1.1 (Magic_Number). */
static bool is_compressed(const char magic[4])
{
	return !memcmp(magic, "\x1f\x8b", 2) || !memcmp(magic, "\x28\xb5\x2f\xfd", 4);
}

/* ---- a file that can be read anywhere ------------------------------------------------------ */

static bool is_zero(const char *page, size_t bytes)
{
	return !page[0] && !memcmp(page, page + 1, bytes - 1);
}

/* What holds something, at its place; bytes is a multiple of a page but at the end. */
static bool put_pages(int fd, const char *from, size_t bytes, off_t at)
{
	for (size_t done = 0; done < bytes; done += PAGE_BYTES) {
		size_t part = bytes - done < PAGE_BYTES ? bytes - done : PAGE_BYTES;

		if (!is_zero(from + done, part) &&
		    pwrite(fd, from + done, part, at + (off_t)done) != (ssize_t)part)
			return false;
	}
	return true;
}

/* As many as there are room for, but at the end. */
static ssize_t read_full(struct input *input, char *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t part = input_read(input, to + done, bytes - done);

		if (part < 0)
			return -1;
		if (part == 0)
			break;
		done += (size_t)part;
	}
	return (ssize_t)done;
}

static bool write_failed(char error[DUMP_ERROR_BYTES])
{
	snprintf(error, DUMP_ERROR_BYTES, "can't be copied into a temporary file: %s",
		 strerror(errno));
	return false;
}

/* Read all of something, which the file has to have. */
static bool read_whole(struct input *input, void *to, size_t bytes, char error[DUMP_ERROR_BYTES])
{
	ssize_t got = read_full(input, to, bytes);

	if (got == (ssize_t)bytes)
		return true;
	snprintf(error, DUMP_ERROR_BYTES, "%s",
		 got < 0 ? input_error(input) : "ends in the middle of a record");
	return false;
}

static void show_copied(struct dump *dump, size_t bytes)
{
	char text[SIZE_TEXT_BYTES];

	dump->copied += bytes;
	if (progress_due(&dump->progress))
		progress_show(&dump->progress, "%s copied", amount_text(dump->copied, text));
}

/* One record of a flattened file. */
static bool copy_record(struct dump *dump, struct input *input, char *buffer, uint64_t at,
			uint64_t bytes, char error[DUMP_ERROR_BYTES])
{
	if (!bytes || bytes > INT64_MAX || at > INT64_MAX - bytes) {
		snprintf(error, DUMP_ERROR_BYTES, "a record of %llu bytes at %llu",
			 (unsigned long long)bytes, (unsigned long long)at);
		return false;
	}
	while (bytes) {
		size_t part = bytes < COPY_BYTES ? (size_t)bytes : COPY_BYTES;

		if (!read_whole(input, buffer, part, error))
			return false;
		if (pwrite(dump->fd, buffer, part, (off_t)at) != (ssize_t)part)
			return write_failed(error);
		show_copied(dump, part);
		at += part;
		bytes -= part;
	}
	return true;
}

/*
 * A kdump file as it was sent through a pipe, as QEMU writes all of them: records of offset, size
 * and bytes. QEMU, include/sysemu/dump.h: MakedumpfileHeader, MakedumpfileDataHeader,
 * END_FLAG_FLAT_HEADER, big-endian (dump/dump.c, write_buffer()).
 */
static bool copy_flattened(struct dump *dump, struct input *input, char *buffer,
			   char error[DUMP_ERROR_BYTES])
{
	uint64_t head[2];

	while (read_whole(input, head, sizeof(head), error)) {
		if (head[0] == UINT64_MAX)
			return true;
		if (!copy_record(dump, input, buffer, be64toh(head[0]), be64toh(head[1]), error))
			return false;
	}
	return false;
}

/* The rest of any other file, of which so many bytes are in the buffer. */
static bool copy_rest(struct dump *dump, struct input *input, char *buffer, ssize_t part,
		      char error[DUMP_ERROR_BYTES])
{
	off_t at = 0;

	for (; part > 0; part = read_full(input, buffer, COPY_BYTES)) {
		if (!put_pages(dump->fd, buffer, (size_t)part, at))
			return write_failed(error);
		show_copied(dump, (size_t)part);
		at += part;
	}
	if (part < 0)
		snprintf(error, DUMP_ERROR_BYTES, "%s", input_error(input));
	return part == 0 && (!ftruncate(dump->fd, at) || write_failed(error));
}

static bool copy(struct dump *dump, struct input *input, char error[DUMP_ERROR_BYTES])
{
	char *buffer = malloc(COPY_BYTES);
	ssize_t part;
	bool done;

	if (!buffer)
		return write_failed(error);
	progress_begin(&dump->progress, -1);
	part = read_full(input, buffer, PAGE_BYTES);
	if (part == PAGE_BYTES && is_flattened(buffer))
		done = copy_flattened(dump, input, buffer, error);
	else
		done = copy_rest(dump, input, buffer, part, error);
	progress_end(&dump->progress);
	free(buffer);
	return done;
}

static bool open_copied(struct dump *dump, const char *path, char error[DUMP_ERROR_BYTES])
{
	struct input *input = input_open(path, error);
	bool done;

	if (!input)
		return false;
	dump->file = temporary_file();
	if (!dump->file) {
		snprintf(error, DUMP_ERROR_BYTES, "no temporary file: %s", strerror(errno));
		input_close(input);
		return false;
	}
	dump->fd = fileno(dump->file);
	done = copy(dump, input, error);
	input_close(input);
	return done;
}

static bool open_anywhere(struct dump *dump, const char *path, char error[DUMP_ERROR_BYTES])
{
	char magic[12] = { 0 };
	struct stat stat;

	if (!strcmp(path, "-"))
		return open_copied(dump, path, error);
	dump->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (dump->fd < 0 || fstat(dump->fd, &stat)) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(errno));
		return false;
	}
	if (S_ISREG(stat.st_mode) && (pread(dump->fd, magic, sizeof(magic), 0) != sizeof(magic) ||
				      !(is_compressed(magic) || is_flattened(magic))))
		return true;
	close(dump->fd);
	dump->fd = -1;
	return open_copied(dump, path, error);
}

/* ---- what is in it ------------------------------------------------------------------------- */

/* System V ABI, "ELF Identification". */
static bool is_elf(const char magic[4])
{
	return !memcmp(magic, "\177ELF", 4);
}

/* makedumpfile, KDUMP_SIGNATURE and DISKDUMP_HEADER. */
static bool is_dump(int fd)
{
	char magic[8] = { 0 };

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       (is_elf(magic) || !memcmp(magic, "KDUMP   ", 8) || !memcmp(magic, "DISKDUMP", 8));
}

/* ELF, e_ident, e_type and e_machine: what libkdumpfile would take and read as something else. */
static bool is_odd_elf(int fd, char error[DUMP_ERROR_BYTES])
{
	unsigned char head[20];

	if (pread(fd, head, sizeof(head), 0) != sizeof(head) || !is_elf((const char *)head))
		return false;
	if (head[4] != 2 || head[5] != 1)
		snprintf(error, DUMP_ERROR_BYTES,
			 "an ELF file of %s bits and %s endianness, expected 64 bits and little",
			 head[4] == 1 ? "32" : "64", head[5] == 2 ? "big" : "little");
	else if (head[16] != 4)
		snprintf(error, DUMP_ERROR_BYTES, "an ELF file that is no core (type %u)",
			 head[16] | (unsigned)head[17] << 8);
	else
		return false;
	return true;
}

/*
 * An ELF core of AArch64 does not say which size its pages have, of which that machine has three.
 * libkdumpfile then reads nothing; it only reads page by page by it, and any size will do.
 */
static bool set_page_size(kdump_ctx_t *kdump)
{
	kdump_attr_t attribute;

	return kdump_get_attr(kdump, KDUMP_ATTR_PAGE_SIZE, &attribute) != KDUMP_ERR_NODATA ||
	       kdump_set_number_attr(kdump, KDUMP_ATTR_PAGE_SIZE, PAGE_BYTES) == KDUMP_OK;
}

static bool open_library(struct dump *dump, char error[DUMP_ERROR_BYTES])
{
	dump->kdump = kdump_new();
	if (dump->kdump && kdump_open_fd(dump->kdump, dump->fd) == KDUMP_OK &&
	    set_page_size(dump->kdump))
		return true;
	snprintf(error, DUMP_ERROR_BYTES, "%s",
		 dump->kdump ? kdump_get_err(dump->kdump) : strerror(ENOMEM));
	return false;
}

/* libkdumpfile's; of an ELF core not before something is asked for that no segment has. */
static kdump_ctx_t *library(struct dump *dump)
{
	char error[DUMP_ERROR_BYTES];

	if (!dump->kdump && !dump->refused)
		dump->refused = !open_library(dump, error);
	return dump->refused ? NULL : dump->kdump;
}

static bool is_raw(const struct dump *dump)
{
	return !dump->kdump && !dump->segments && !dump->live;
}

/*
 * Segments of an ELF core, if there are some. Where a file was cut off, libkdumpfile reads zeros:
 * only what is read without it can be told from them.
 */
static bool open_segments(struct dump *dump, char error[DUMP_ERROR_BYTES])
{
	struct stat stat;

	dump->segments = elf_segments(dump->fd, &dump->nr_segments, &dump->end);
	if (fstat(dump->fd, &stat)) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(errno));
		return false;
	}
	dump->bytes = (uint64_t)stat.st_size;
	if (dump->segments || !dump_is_cut(dump))
		return true;
	snprintf(error, DUMP_ERROR_BYTES,
		 "an ELF core that was cut off at byte %llu of %llu, of segments that overlap",
		 (unsigned long long)dump->bytes, (unsigned long long)dump->end);
	return false;
}

static bool open_kdump(struct dump *dump, char error[DUMP_ERROR_BYTES])
{
	if (is_odd_elf(dump->fd, error))
		return false;
	if (!is_dump(dump->fd)) {
		snprintf(
			error, DUMP_ERROR_BYTES,
			"neither an ELF core nor a kdump file; a raw image of memory wants --base");
		return false;
	}
	return open_segments(dump, error) && (dump->segments || open_library(dump, error));
}

static bool open_raw(struct dump *dump, uint64_t base, char error[DUMP_ERROR_BYTES])
{
	struct stat stat;

	if (fstat(dump->fd, &stat)) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(errno));
		return false;
	}
	dump->base = base;
	dump->bytes = (uint64_t)stat.st_size;
	return true;
}

struct dump *dump_open(const char *path, bool raw, uint64_t base, char error[DUMP_ERROR_BYTES])
{
	struct dump *dump = calloc(1, sizeof(*dump));

	if (!dump) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(ENOMEM));
		return NULL;
	}
	dump->fd = -1;
	if (open_anywhere(dump, path, error) &&
	    (raw ? open_raw(dump, base, error) : open_kdump(dump, error)))
		return dump;
	dump_close(dump);
	return NULL;
}

struct dump *dump_open_live(const char *path, bool stop, char error[DUMP_ERROR_BYTES])
{
	struct dump *dump = calloc(1, sizeof(*dump));

	if (!dump) {
		snprintf(error, DUMP_ERROR_BYTES, "%s", strerror(ENOMEM));
		return NULL;
	}
	dump->fd = -1;
	dump->live = machine_open(path, stop, error);
	if (dump->live)
		return dump;
	free(dump);
	return NULL;
}

bool dump_is_cut(const struct dump *dump)
{
	return dump->end > dump->bytes;
}

static bool read_raw(const struct dump *dump, uint64_t pa, void *to, size_t bytes)
{
	return pa >= dump->base && pa - dump->base <= dump->bytes &&
	       bytes <= dump->bytes - (pa - dump->base) &&
	       pread(dump->fd, to, bytes, (off_t)(pa - dump->base)) == (ssize_t)bytes;
}

bool dump_read(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	struct dump *dump = ctx;
	enum elf_found found = ELF_NOWHERE;
	size_t got = bytes;

	if (dump->live)
		return machine_read(dump->live, pa, to, bytes);
	if (is_raw(dump))
		return read_raw(dump, pa, to, bytes);
	if (dump->segments)
		found = elf_read(dump->fd, dump->segments, dump->nr_segments, pa, to, bytes);
	if (found != ELF_NOWHERE)
		return found == ELF_READ;
	return library(dump) &&
	       kdump_read(dump->kdump, KDUMP_MACHPHYSADDR, pa, to, &got) == KDUMP_OK &&
	       got == bytes;
}

/* Pages that the file has, by their number; what is not known of is there. */
static bool find_gap(kdump_bmp_t *pages, uint64_t first, uint64_t last)
{
	kdump_addr_t page = first;

	return kdump_bmp_find_clear(pages, &page) == KDUMP_OK && page <= last;
}

bool dump_has(struct dump *dump, uint64_t first, uint64_t last)
{
	kdump_attr_t pages, shift;
	char byte;

	if (is_raw(dump))
		return first >= dump->base && last - dump->base < dump->bytes;
	pages.type = KDUMP_BITMAP;
	shift.type = KDUMP_NUMBER;
	if (!dump->live && library(dump) &&
	    kdump_get_typed_attr(dump->kdump, KDUMP_ATTR_FILE_PAGEMAP, &pages) == KDUMP_OK &&
	    kdump_get_typed_attr(dump->kdump, KDUMP_ATTR_PAGE_SHIFT, &shift) == KDUMP_OK)
		return !find_gap(pages.val.bitmap, first >> shift.val.number,
				 last >> shift.val.number);
	return dump_read(dump, first, &byte, 1) && dump_read(dump, last, &byte, 1);
}

/* System V ABI, e_machine: those that have one of the IOMMUs; others by number. */
static const char *elf_machine_text(unsigned machine, char text[DUMP_MACHINE_BYTES])
{
	switch (machine) {
	case EM_386: return "i686";
	case EM_X86_64: return "x86_64";
	case EM_AARCH64: return "aarch64";
	case EM_RISCV: return "riscv64";
	default: snprintf(text, DUMP_MACHINE_BYTES, "machine %u", machine); return text;
	}
}

/* QEMU, include/sysemu/dump.h: DiskDumpHeader64::utsname, NewUtsname::machine; where it does not
 * know, dump/dump.c writes "Unknown" (ELF_MACHINE_UNAME). */
#define KDUMP_MACHINE_AT (12 + 4 * 65)

const char *dump_machine(const struct dump *dump, char text[DUMP_MACHINE_BYTES])
{
	unsigned machine;

	if (dump->live || is_raw(dump))
		return NULL;
	if (elf_machine(dump->fd, &machine))
		return elf_machine_text(machine, text);
	text[DUMP_MACHINE_BYTES - 1] = '\0';
	if (pread(dump->fd, text, DUMP_MACHINE_BYTES - 1, KDUMP_MACHINE_AT) !=
	    DUMP_MACHINE_BYTES - 1)
		return NULL;
	for (const char *byte = text; *byte; byte++)
		if (!isalnum((unsigned char)*byte) && *byte != '_')
			return NULL;
	return *text && strcmp(text, "Unknown") ? text : NULL;
}

char *dump_vmcoreinfo(struct dump *dump)
{
	char *note;

	/* libkdumpfile looks for it once it is told whose kernel that is. */
	if (is_raw(dump) || dump->live || !library(dump) ||
	    kdump_set_string_attr(dump->kdump, KDUMP_ATTR_OSTYPE, "linux") != KDUMP_OK)
		return NULL;
	return kdump_vmcoreinfo_raw(dump->kdump, &note) == KDUMP_OK ? note : NULL;
}

bool dump_load(void *ctx, uint64_t pa, unsigned bytes, uint64_t *value)
{
	struct dump *dump = ctx;
	uint64_t found = 0;

	if (dump->live)
		return machine_load(dump->live, pa, bytes, value);
	if (!dump_read(dump, pa, &found, bytes))
		return false;
	*value = le64toh(found);
	return true;
}

void dump_units(const struct dump *dump, struct units *units)
{
	units->nr = 0;
	if (dump->live)
		machine_units(dump->live, units);
}

bool dump_is_broken(const struct dump *dump)
{
	return dump->live && machine_error(dump->live);
}

static bool close_live(struct machine *live)
{
	const char *error = machine_error(live);
	const bool good = !error;

	if (error)
		content_error("%s", error);
	return machine_close(live) && good;
}

/*
 * kdump_free() of libkdumpfile 0.5.1 reads and writes memory that it has freed, of kdump files
 * (valgrind says so): what it has stays until the process ends, and can be reached till then.
 */
static struct dump *kept;

bool dump_close(struct dump *dump)
{
	bool good = true;

	if (!dump)
		return true;
	if (dump->live)
		good = close_live(dump->live);
	free(dump->segments);
	dump->segments = NULL;
	if (dump->file)
		fclose(dump->file);
	else if (dump->fd >= 0)
		close(dump->fd);
	if (!dump->kdump) {
		free(dump);
		return good;
	}
	dump->next = kept;
	kept = dump;
	return good;
}
