/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* See elf_core.h. */
#include "tools/iopt/elf_core.h"

#include <elf.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_address(const void *a, const void *b)
{
	const struct elf_segment *x = a, *y = b;

	return (x->pa > y->pa) - (x->pa < y->pa);
}

/* Ascending, and none ends behind the next one's beginning. */
static bool arrange(struct elf_segment *segments, size_t nr)
{
	qsort(segments, nr, sizeof(*segments), by_address);
	for (size_t i = 0; i + 1 < nr; i++)
		if (segments[i].bytes > segments[i + 1].pa - segments[i].pa)
			return false;
	return nr && segments[nr - 1].bytes <= UINT64_MAX - segments[nr - 1].pa;
}

/* Those that hold memory; offsets may be beyond what a file can have. */
static size_t take_segments(const Elf64_Phdr *heads, size_t nr, struct elf_segment *segments)
{
	size_t taken = 0;

	for (size_t i = 0; i < nr; i++) {
		const uint64_t bytes = le64toh(heads[i].p_filesz);
		const uint64_t offset = le64toh(heads[i].p_offset);

		if (le32toh(heads[i].p_type) == PT_LOAD && bytes)
			segments[taken++] =
				(struct elf_segment){ le64toh(heads[i].p_paddr), bytes, offset };
	}
	return taken;
}

static uint64_t end_of(const struct elf_segment *segments, size_t nr)
{
	uint64_t end = 0;

	for (size_t i = 0; i < nr; i++) {
		const uint64_t bytes = segments[i].bytes, offset = segments[i].offset;
		const uint64_t last = bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes;

		end = last > end ? last : end;
	}
	return end;
}

static bool read_head(int fd, Elf64_Ehdr *head)
{
	return pread(fd, head, sizeof(*head), 0) == sizeof(*head) &&
	       !memcmp(head->e_ident, ELFMAG, SELFMAG) && head->e_ident[EI_CLASS] == ELFCLASS64 &&
	       head->e_ident[EI_DATA] == ELFDATA2LSB;
}

bool elf_machine(int fd, unsigned *machine)
{
	Elf64_Ehdr head;

	if (!read_head(fd, &head))
		return false;
	*machine = le16toh(head.e_machine);
	return true;
}

static bool has_segments(const Elf64_Ehdr *head)
{
	return le16toh(head->e_phentsize) == sizeof(Elf64_Phdr) &&
	       le16toh(head->e_phnum) != PN_XNUM && le64toh(head->e_phoff) <= INT64_MAX;
}

struct elf_segment *elf_segments(int fd, size_t *nr, uint64_t *end)
{
	struct elf_segment *segments;
	Elf64_Phdr *heads;
	Elf64_Ehdr head;
	size_t bytes;

	*nr = 0;
	*end = 0;
	if (!read_head(fd, &head) || !has_segments(&head))
		return NULL;
	*nr = le16toh(head.e_phnum);
	bytes = *nr * sizeof(*heads);
	heads = malloc(bytes + 1);
	segments = malloc(*nr * sizeof(*segments) + 1);
	if (heads && segments &&
	    pread(fd, heads, bytes, (off_t)le64toh(head.e_phoff)) == (ssize_t)bytes)
		*nr = take_segments(heads, *nr, segments);
	else
		*nr = 0;
	free(heads);
	*end = segments ? end_of(segments, *nr) : 0;
	if (*nr && arrange(segments, *nr))
		return segments;
	free(segments);
	return NULL;
}

/* The segment that has an address, NULL: none; *bytes at most up to where that changes. */
static const struct elf_segment *find(const struct elf_segment *segments, size_t nr, uint64_t pa,
				      size_t *bytes)
{
	const struct elf_segment *segment;
	size_t low = 0, high = nr;

	/* The last one that begins at the address or before. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segments[middle].pa <= pa)
			low = middle + 1;
		else
			high = middle;
	}
	if (low<nr && * bytes> segments[low].pa - pa)
		*bytes = (size_t)(segments[low].pa - pa);
	segment = low ? &segments[low - 1] : NULL;
	if (!segment || pa - segment->pa >= segment->bytes)
		return NULL;
	if (*bytes > segment->bytes - (pa - segment->pa))
		*bytes = (size_t)(segment->bytes - (pa - segment->pa));
	return segment;
}

static bool read_part(int fd, const struct elf_segment *segment, uint64_t pa, void *to,
		      size_t bytes)
{
	const uint64_t at = segment->offset + (pa - segment->pa);

	return at >= segment->offset && at <= INT64_MAX &&
	       pread(fd, to, bytes, (off_t)at) == (ssize_t)bytes;
}

enum elf_found elf_read(int fd, const struct elf_segment *segments, size_t nr, uint64_t pa,
			void *to, size_t bytes)
{
	enum elf_found found = ELF_READ;
	char *into = to;

	while (bytes) {
		size_t part = bytes;
		const struct elf_segment *segment = find(segments, nr, pa, &part);

		if (!segment)
			found = ELF_NOWHERE;
		else if (!read_part(fd, segment, pa, into, part))
			return ELF_LOST;
		into += part;
		pa += part;
		bytes -= part;
	}
	return found;
}
