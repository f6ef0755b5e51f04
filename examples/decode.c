/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A debugger's view: what the devices of a VT-d unit reach, from a raw image of memory that this
 * program has mapped. Any other way to read physical memory would do.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iopt/decode.h>

static const char *image;
static size_t image_bytes;

/* README: from here */
static bool read_memory(void *ctx, uint64_t pa, void *to, size_t bytes)
{
	(void)ctx;
	if (pa >= image_bytes || bytes > image_bytes - pa)
		return false;
	memcpy(to, image + pa, bytes);
	return true;
}

static int print_leaf(void *ctx, const struct iopt_decode_leaf *leaf)
{
	const struct iopt_decode_device *device = ctx;

	printf("%02x:%02x.%x 0x%" PRIx64 " 0x%" PRIx64 " %s\n", device->id >> 8,
	       device->id >> 3 & 0x1f, device->id & 7, leaf->first, leaf->pa,
	       leaf->prot & IOPT_WRITE ? "writable" : "read-only");
	return 0;
}

static int print_device(void *ctx, const struct iopt_decode_device *device)
{
	const struct iopt_decode_visitor visitor = { .ctx = (void *)device, .leaf = print_leaf };

	return iopt_decode_tables(ctx, device, 0, UINT64_MAX, &visitor);
}

static int print_all(uint64_t rtaddr)
{
	struct iopt_decode_source source = {
		.read = read_memory,
		.unit = IOPT_DECODE_VTD,
		.root = rtaddr,
	};
	const struct iopt_decode_visitor visitor = { .ctx = &source, .device = print_device };

	return iopt_decode_devices(&source, &visitor);
}
/* README: to here */

int main(int argc, char **argv)
{
	struct stat stat;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: %s IMAGE RTADDR\n", argv[0]);
		return 2;
	}
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &stat)) {
		perror(argv[1]);
		return 1;
	}
	image_bytes = (size_t)stat.st_size;
	image = mmap(NULL, image_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED) {
		perror(argv[1]);
		return 1;
	}
	return print_all(strtoull(argv[2], NULL, 0)) ? 1 : 0;
}
