/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * read-pages FILE: reads a page of 4 KiB at each offset that standard input has, a hexadecimal
 * number a line. What bench/decode compares decoding with.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char page[4096];
	uint64_t offset;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "read-pages: expected one file that can be read\n");
		return 2;
	}
	while (scanf("%" SCNx64, &offset) == 1)
		if (pread(fd, page, sizeof(page), (off_t)offset) != sizeof(page)) {
			fprintf(stderr, "read-pages: no page at 0x%" PRIx64 "\n", offset);
			return 1;
		}
	return 0;
}
