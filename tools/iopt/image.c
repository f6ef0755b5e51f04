/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * PNG with the fewest chunks there can be (IHDR, IDAT, IEND), compressed by zlib, and base64.
 */
#include "tools/iopt/image.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

bool image_create(struct image *image, unsigned width, unsigned height)
{
	*image = (struct image){ width, height, calloc((size_t)width * height, 4) };
	return image->pixels != NULL;
}

void image_free(struct image *image)
{
	free(image->pixels);
}

void image_set(struct image *image, unsigned x, unsigned y, uint32_t colour, unsigned opacity)
{
	uint8_t *pixel = image->pixels + ((size_t)y * image->width + x) * 4;

	pixel[0] = (uint8_t)(colour >> 16);
	pixel[1] = (uint8_t)(colour >> 8);
	pixel[2] = (uint8_t)colour;
	pixel[3] = (uint8_t)(opacity < 255 ? opacity : 255);
}

static uint8_t *put32(uint8_t *to, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*to++ = (uint8_t)(value >> shift);
	return to;
}

/* Length, type, data, checksum of type and data. */
static uint8_t *put_chunk(uint8_t *to, const char *type, const void *data, size_t bytes)
{
	uint8_t *start;

	to = put32(to, (uint32_t)bytes);
	start = to;
	memcpy(to, type, 4);
	if (bytes)
		memcpy(to + 4, data, bytes);
	to += 4 + bytes;
	return put32(to, (uint32_t)crc32(0, start, (unsigned)(4 + bytes)));
}

/* The pixels as PNG filters and compresses them. Return: NULL if there is no memory. */
static uint8_t *compress_rows(const struct image *image, uLongf *bytes)
{
	size_t row = (size_t)image->width * 4, raw_bytes = (row + 1) * image->height;
	uint8_t *raw = malloc(raw_bytes), *packed = NULL;

	*bytes = compressBound(raw_bytes);
	if (raw)
		packed = malloc(*bytes);
	if (packed) {
		for (unsigned y = 0; y < image->height; y++) {
			raw[y * (row + 1)] = 0; /* filter: none */
			memcpy(raw + y * (row + 1) + 1, image->pixels + y * row, row);
		}
		compress2(packed, bytes, raw, raw_bytes, 9);
	}
	free(raw);
	return packed;
}

static void write_base64(FILE *stream, const uint8_t *bytes, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t word = (uint32_t)bytes[i] << 16;

		if (i + 1 < size)
			word |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < size)
			word |= bytes[i + 2];
		fputc(digits[word >> 18], stream);
		fputc(digits[word >> 12 & 63], stream);
		fputc(i + 1 < size ? digits[word >> 6 & 63] : '=', stream);
		fputc(i + 2 < size ? digits[word & 63] : '=', stream);
	}
}

bool image_url(const struct image *image, FILE *stream)
{
	static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	uint8_t header[13] = { 0 }, *packed, *file = NULL, *to;
	uLongf bytes;

	packed = compress_rows(image, &bytes);
	if (packed)
		file = malloc(bytes + 128);
	if (file) {
		put32(put32(header, image->width), image->height);
		header[8] = 8; /* bits */
		header[9] = 6; /* truecolour with alpha */
		memcpy(file, signature, sizeof(signature));
		to = put_chunk(file + sizeof(signature), "IHDR", header, sizeof(header));
		to = put_chunk(to, "IDAT", packed, bytes);
		to = put_chunk(to, "IEND", NULL, 0);
		fputs("data:image/png;base64,", stream);
		write_base64(stream, file, (size_t)(to - file));
	}
	free(packed);
	free(file);
	return file != NULL;
}
