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

/* Those that hold memory. Offsets beyond what a file can have are nobody's. */
static size_t take_segments(const Elf64_Phdr *heads, size_t nr, struct elf_segment *segments)
{
	size_t taken = 0;

	for (size_t i = 0; i < nr; i++) {
		const uint64_t bytes = le64toh(heads[i].p_filesz);
		const uint64_t offset = le64toh(heads[i].p_offset);

		if (le32toh(heads[i].p_type) == PT_LOAD && bytes && offset <= INT64_MAX &&
		    bytes <= INT64_MAX - offset)
			segments[taken++] =
				(struct elf_segment){ le64toh(heads[i].p_paddr), bytes, offset };
	}
	return taken;
}

static bool read_head(int fd, Elf64_Ehdr *head)
{
	return pread(fd, head, sizeof(*head), 0) == sizeof(*head) &&
	       !memcmp(head->e_ident, ELFMAG, SELFMAG) && head->e_ident[EI_CLASS] == ELFCLASS64 &&
	       head->e_ident[EI_DATA] == ELFDATA2LSB &&
	       le16toh(head->e_phentsize) == sizeof(Elf64_Phdr) &&
	       le16toh(head->e_phnum) != PN_XNUM && le64toh(head->e_phoff) <= INT64_MAX;
}

struct elf_segment *elf_segments(int fd, size_t *nr)
{
	struct elf_segment *segments;
	Elf64_Phdr *heads;
	Elf64_Ehdr head;
	size_t bytes;

	if (!read_head(fd, &head))
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
	if (*nr && arrange(segments, *nr))
		return segments;
	free(segments);
	return NULL;
}

bool elf_read(int fd, const struct elf_segment *segments, size_t nr, uint64_t pa, void *to,
	      size_t bytes)
{
	size_t low = 0, high = nr;

	/* The last one that begins at the address or before. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segments[middle].pa <= pa)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	segments += low - 1;
	pa -= segments->pa;
	return pa < segments->bytes && bytes <= segments->bytes - pa &&
	       pread(fd, to, bytes, (off_t)(segments->offset + pa)) == (ssize_t)bytes;
}
