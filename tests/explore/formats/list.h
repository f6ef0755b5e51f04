/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The explorer's formats, in the place of the library's: engine/domain.c finds this list first.
 */
IOPT_FORMAT(tiny_and)
IOPT_FORMAT(tiny_grow)
IOPT_FORMAT(tiny_run)
