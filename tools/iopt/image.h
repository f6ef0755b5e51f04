/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A small picture, written as a data: URL (PNG, base64), so that a page needs no other file.
 */
#ifndef TOOLS_IOPT_IMAGE_H
#define TOOLS_IOPT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** struct image - red, green, blue, opacity for each pixel, rows from the top */
struct image {
	unsigned width;
	unsigned height;
	uint8_t *pixels;
};

/** image_create() - all transparent. Return: false if there is no memory. */
bool image_create(struct image *image, unsigned width, unsigned height);
void image_free(struct image *image);

/** image_set() - colour 0xrrggbb and opacity 0..255 of a pixel */
void image_set(struct image *image, unsigned x, unsigned y, uint32_t colour, unsigned opacity);

/** image_url() - write the data: URL. Return: false if there is no memory. */
bool image_url(const struct image *image, FILE *stream);

#endif
