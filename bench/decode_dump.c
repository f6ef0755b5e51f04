/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * decode-dump FILE RTADDR: opens an ELF core, decodes all devices of a VT-d unit in it and closes
 * it, in turns with reading from the file, opened likewise, the same pages alone; with none of it
 * in memory, and with all. Prints medians. Part of bench/decode.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <iopt/decode.h>

#include "tools/iopt/dump.h"
#include "tools/iopt/elf_core.h"

#define ROUNDS	  101
#define MAX_PAGES 65536u

/**
 * struct needed - what decoding has read
 * @dump:   the memory
 * @pa:     addresses of pages, @nr of them
 * @leaves: that it found
 */
struct needed {
	struct dump *dump;
	uint64_t pa[MAX_PAGES];
	size_t nr;
	uint64_t leaves;
};

static struct needed needed;
static const char *path;

static bool read_memory(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	(void)ctx;
	if (needed.nr < MAX_PAGES)
		needed.pa[needed.nr] = pa;
	needed.nr++;
	return dump_read(needed.dump, pa, to, bytes);
}

static int add_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	(void)ctx;
	needed.leaves += leaf->last > leaf->first;
	return 0;
}

static int decode_device(void *ctx, const struct iopt_decode_device *device)
{
	const struct iopt_decode_visitor visitor = { .leaf = add_leaf };

	return iopt_decode_tables(ctx, device, 0, UINT64_MAX, &visitor);
}

static void decode_all(uint64_t root)
{
	struct iopt_decode_source source = {
		.read = read_memory,
		.unit = IOPT_DECODE_VTD,
		.root = root,
	};
	const struct iopt_decode_visitor visitor = { .ctx = &source, .device = decode_device };
	char error[DUMP_ERROR_BYTES];

	needed.nr = needed.leaves = 0;
	needed.dump = dump_open(path, false, 0, error);
	if (!needed.dump || iopt_decode_devices(&source, &visitor) || needed.nr > MAX_PAGES) {
		fprintf(stderr, "decode-dump: %s: can't be decoded\n", path);
		exit(1);
	}
	dump_close(needed.dump);
}

static void read_all(const struct elf_segment *segments, size_t nr)
{
	static char page[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < needed.nr; i++)
		if (elf_read(fd, segments, nr, needed.pa[i], page, sizeof(page)) != ELF_READ) {
			fprintf(stderr, "decode-dump: no page at 0x%" PRIx64 "\n", needed.pa[i]);
			exit(1);
		}
	close(fd);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(uint64_t root, int fd, bool cold)
{
	double decode[ROUNDS], floor[ROUNDS];
	uint64_t end;
	size_t nr;
	struct elf_segment *segments = elf_segments(fd, &nr, &end);

	if (!segments) {
		fprintf(stderr, "decode-dump: %s: no ELF core\n", path);
		exit(1);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		double start;

		if (cold)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		start = now_us();
		decode_all(root);
		decode[i] = now_us() - start;
		if (cold)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		start = now_us();
		read_all(segments, nr);
		floor[i] = now_us() - start;
	}
	free(segments);
	qsort(decode, ROUNDS, sizeof(*decode), by_value);
	qsort(floor, ROUNDS, sizeof(*floor), by_value);
	printf("one process, %s: decode %.0f us, %" PRIu64
	       " leaves; reading its %zu pages %.0f us: "
	       "%.2f times as long\n",
	       cold ? "from the disk" : "in memory", decode[ROUNDS / 2], needed.leaves, needed.nr,
	       floor[ROUNDS / 2], decode[ROUNDS / 2] / floor[ROUNDS / 2]);
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "decode-dump: expected FILE RTADDR\n");
		return 2;
	}
	path = argv[1];
	measure(strtoull(argv[2], NULL, 0), fd, true);
	measure(strtoull(argv[2], NULL, 0), fd, false);
	close(fd);
	return 0;
}
