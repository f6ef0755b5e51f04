/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The bits of the explorer's entries (formats/tiny.h), for the formats and for the device, which
 * share no other code.
 */
#ifndef TESTS_EXPLORE_TINY_BITS_H
#define TESTS_EXPLORE_TINY_BITS_H

#define TINY_PAGE_LG2 12u

#define TINY_P	   (1ull << 0)
#define TINY_W	   (1ull << 1)
#define TINY_RUN   (1ull << 6)
#define TINY_BLOCK (1ull << 7)
#define TINY_A	   (1ull << 8)
#define TINY_D	   (1ull << 9)
#define TINY_ADDR  0x000ffffffffff000ull

/* The engine's own. */
#define TINY_TAG       (3ull << 52)
#define TINY_DEAD      (1ull << 52)
#define TINY_FROZEN    (2ull << 52)
#define TINY_RETIRING  (3ull << 52)
#define TINY_PENDING   (1ull << 54)
#define TINY_TOUCHED   (1ull << 55)
#define TINY_UNWRITTEN (1ull << 56)

#endif
