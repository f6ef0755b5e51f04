/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the HTML reports have in common: a page with everything in it, its style, numbers in words,
 * axes of charts. Charts are SVG, readable without scripts; a little script adds what is under the
 * pointer. Colours follow the reader's choice of light or dark. What a report shows is in report.c
 * and migrate_report.c.
 */
#ifndef TOOLS_IOPT_HTML_H
#define TOOLS_IOPT_HTML_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/iopt/command.h"

/* A chart, in units of its view box: all of it, and where its axes are. */
#define HTML_WIDTH 960.0
#define HTML_LEFT  86.0
#define HTML_RIGHT 14.0
#define HTML_PLOT  (HTML_WIDTH - HTML_LEFT - HTML_RIGHT)

/**
 * html_begin() - a page up to where its content begins
 * @title: plain text
 * @more:  style that this page needs beside the common one, or NULL
 */
void html_begin(FILE *out, const char *title, const char *more);
/** html_end() - and from where it ends */
void html_end(FILE *out);

/** html_text() - text that may hold anything, e.g. a file's name */
void html_text(FILE *out, const char *text);

/** short_number() - 1234567 as "1.23 M". Return: @text. */
const char *short_number(double value, char text[SIZE_TEXT_BYTES]);
/** short_time() - 1234 ns as "1.23 us" (with a Greek mu). Return: @text. */
const char *short_time(double ns, char text[SIZE_TEXT_BYTES]);
/** short_bytes() - 1572864 as "1.5 MiB". Return: @text. */
const char *short_bytes(double bytes, char text[SIZE_TEXT_BYTES]);

/** nice_step() - a round step that cuts @span into about @parts; for bytes a power of two */
double nice_step(double span, double parts, bool bytes);

/** html_time_axis() - an axis below a chart, and lines up from it; @end: seconds at its right */
void html_time_axis(FILE *out, double end, double top, double bottom);

/** html_key() - what the colours of a chart are; @colours: as CSS has them */
void html_key(FILE *out, const char *const names[], const char *const colours[], unsigned nr);

/** html_tile() - a figure in large type; both plain text */
void html_tile(FILE *out, const char *value, const char *what);

/** html_figure() - a row of a table: a name, a number, and in words what it is about */
void html_figure(FILE *out, const char *name, uint64_t value, const char *note);

#endif
