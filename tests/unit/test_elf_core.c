/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* tools/iopt/elf_core.c: which segments of a file are memory, and reading them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <elf.h>

#include "tools/iopt/elf_core.h"

#define SEGMENTS 3u

static FILE *file;

static void close_file(void)
{
	if (file)
		fclose(file);
	file = NULL;
}

/* A file of 1 MiB whose bytes say in which 4 KiB of it they are, with heads of segments. */
static int make_file(Elf64_Ehdr *head, const Elf64_Phdr heads[SEGMENTS])
{
	unsigned char page[4096];

	close_file();
	file = tmpfile();
	assert_non_null(file);
	for (unsigned i = 0; i < 256; i++) {
		memset(page, (int)i, sizeof(page));
		assert_int_equal(fwrite(page, 1, sizeof(page), file), sizeof(page));
	}
	memcpy(head->e_ident, ELFMAG, SELFMAG);
	head->e_ident[EI_CLASS] = ELFCLASS64;
	head->e_ident[EI_DATA] = ELFDATA2LSB;
	head->e_phoff = sizeof(*head);
	head->e_phentsize = sizeof(*heads);
	rewind(file);
	fwrite(head, sizeof(*head), 1, file);
	fwrite(heads, sizeof(*heads), SEGMENTS, file);
	assert_int_equal(fflush(file), 0);
	return fileno(file);
}

static Elf64_Phdr load(uint64_t pa, uint64_t bytes, uint64_t offset)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_paddr = pa,
		.p_filesz = bytes,
		.p_memsz = 2 * bytes,
		.p_offset = offset,
	};
}

/* The number that fills what was read. -1: it is nowhere; -2: the file has it no more. */
static int read_at(int fd, const struct elf_segment *segments, size_t nr, uint64_t pa)
{
	unsigned char bytes[64];

	switch (elf_read(fd, segments, nr, pa, bytes, sizeof(bytes))) {
	case ELF_NOWHERE: return -1;
	case ELF_LOST: return -2;
	default: break;
	}
	assert_int_equal(bytes[0], bytes[sizeof(bytes) - 1]);
	return bytes[0];
}

static void memory_is_where_segments_say(void **state)
{
	Elf64_Ehdr head = { .e_phnum = SEGMENTS };
	const Elf64_Phdr heads[SEGMENTS] = {
		load(0x100000, 0x2000, 0x5000),
		load(0, 0x3000, 0x10000),
		{ .p_type = PT_NOTE, .p_paddr = 0x3000, .p_filesz = 0x1000, .p_offset = 0x2000 },
	};
	int fd = make_file(&head, heads);
	uint64_t end;
	size_t nr;
	struct elf_segment *segments = elf_segments(fd, &nr, &end);

	(void)state;
	assert_non_null(segments);
	assert_int_equal(nr, 2);
	assert_int_equal(read_at(fd, segments, nr, 0), 0x10);
	assert_int_equal(read_at(fd, segments, nr, 0x2fc0), 0x12);
	assert_int_equal(read_at(fd, segments, nr, 0x2fc1), -1);
	assert_int_equal(read_at(fd, segments, nr, 0x3000), -1);
	assert_int_equal(read_at(fd, segments, nr, 0xfffff), -1);
	assert_int_equal(read_at(fd, segments, nr, 0x101000), 6);
	assert_int_equal(read_at(fd, segments, nr, 0x102000), -1);
	assert_int_equal(read_at(fd, segments, nr, UINT64_MAX), -1);
	assert_int_equal(end, 0x13000);
	free(segments);
}

/* Where one segment goes on with another's memory, and where the file ends in one of two. */
static void reading_goes_over_segments_ends(void **state)
{
	Elf64_Ehdr head = { .e_phnum = SEGMENTS };
	const Elf64_Phdr heads[SEGMENTS] = { load(0x1000, 0x1800, 0x5000),
					     load(0x2800, 0x800, 0x8000),
					     load(0x3400, 0x1000, 0x100000) };
	int fd = make_file(&head, heads);
	unsigned char bytes[4096];
	uint64_t end;
	size_t nr;
	struct elf_segment *segments = elf_segments(fd, &nr, &end);

	(void)state;
	assert_non_null(segments);
	assert_int_equal(elf_read(fd, segments, nr, 0x2000, bytes, 4096), ELF_READ);
	assert_int_equal(bytes[0], 6);
	assert_int_equal(bytes[0x7ff], 6);
	assert_int_equal(bytes[0x800], 8);
	assert_int_equal(bytes[4095], 8);
	assert_int_equal(elf_read(fd, segments, nr, 0x3000, bytes, 1024), ELF_NOWHERE);
	assert_int_equal(elf_read(fd, segments, nr, 0x3000, bytes, 1025), ELF_LOST);
	assert_int_equal(elf_read(fd, segments, nr, 0, bytes, 4096), ELF_NOWHERE);
	free(segments);
}

static void what_a_file_has_no_more_is_not_there(void **state)
{
	Elf64_Ehdr head = { .e_phnum = SEGMENTS };
	const Elf64_Phdr heads[SEGMENTS] = { load(0, 0x2000, 0xff000),
					     load(0x10000, 0x1000, 1ull << 62),
					     load(0x20000, 0x1000, UINT64_MAX - 5) };
	int fd = make_file(&head, heads);
	uint64_t end;
	size_t nr;
	struct elf_segment *segments = elf_segments(fd, &nr, &end);

	(void)state;
	assert_non_null(segments);
	assert_int_equal(nr, SEGMENTS);
	assert_true(end == UINT64_MAX);
	assert_int_equal(read_at(fd, segments, nr, 0), 0xff);
	assert_int_equal(read_at(fd, segments, nr, 0x1000), -2);
	assert_int_equal(read_at(fd, segments, nr, 0x10000), -2);
	assert_int_equal(read_at(fd, segments, nr, 0x20000), -2);
	assert_int_equal(read_at(fd, segments, nr, 0x20006), -2);
	free(segments);
}

/* Then nobody knows which one is right. */
static void segments_that_overlap_are_refused(void **state)
{
	Elf64_Ehdr head = { .e_phnum = SEGMENTS };
	const Elf64_Phdr beside[SEGMENTS] = { load(0x2000, 0x1000, 0x3000),
					      load(0, 0x2000, 0x1000) };
	const Elf64_Phdr over[SEGMENTS] = { load(0x1fff, 0x1000, 0x3000), load(0, 0x2000, 0x1000) };
	const Elf64_Phdr around[SEGMENTS] = { load(UINT64_MAX - 5, 0x1000, 0x3000) };
	struct elf_segment *segments;
	uint64_t end;
	size_t nr;

	(void)state;
	segments = elf_segments(make_file(&head, beside), &nr, &end);
	assert_non_null(segments);
	free(segments);
	assert_null(elf_segments(make_file(&head, over), &nr, &end));
	assert_int_equal(end, 0x4000);
	assert_null(elf_segments(make_file(&head, around), &nr, &end));
}

static void other_files_are_refused(void **state)
{
	const Elf64_Phdr heads[SEGMENTS] = { load(0, 0x1000, 0x1000) };
	Elf64_Ehdr head = { .e_phnum = 0 };
	uint64_t end;
	size_t nr;

	(void)state;
	assert_null(elf_segments(make_file(&head, heads), &nr, &end));
	head.e_phnum = PN_XNUM;
	assert_null(elf_segments(make_file(&head, heads), &nr, &end));
	head.e_phnum = PN_XNUM - 1;
	assert_null(elf_segments(make_file(&head, heads), &nr, &end));
	assert_null(elf_segments(-1, &nr, &end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_where_segments_say),
		cmocka_unit_test(reading_goes_over_segments_ends),
		cmocka_unit_test(what_a_file_has_no_more_is_not_there),
		cmocka_unit_test(segments_that_overlap_are_refused),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
