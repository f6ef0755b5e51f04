/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * QEMU's machine protocol over a unix socket: commands and their answers. What is asked is
 * machine.c's.
 */
#ifndef TOOLS_IOPT_QMP_H
#define TOOLS_IOPT_QMP_H

#include <json-c/json.h>

#include "tools/iopt/dump.h"

struct qmp;

/**
 * qmp_open() - connect to a QEMU, and negotiate
 * @path:  of its socket
 * @wake:  whatever can be read from here ends all waiting; -1: nothing does
 * @error: filled in if this fails: one line without the path
 *
 * Return: the connection; NULL on an error.
 */
struct qmp *qmp_open(const char *path, int wake, char error[DUMP_ERROR_BYTES]);

/** qmp_close() - NULL is allowed */
void qmp_close(struct qmp *qmp);

/**
 * qmp_command() - have a command done
 * @qmp:       the connection
 * @name:      of the command
 * @arguments: an object, which is put; or NULL
 * @error:     filled in if this fails
 *
 * Events are passed over, and answers to commands of which the answer was not waited for.
 *
 * Return: what it returned, to be put; NULL on an error.
 */
struct json_object *qmp_command(struct qmp *qmp, const char *name, struct json_object *arguments,
				char error[DUMP_ERROR_BYTES]);

/** qmp_refused() - whether QEMU itself said no to the last command, which failed */
bool qmp_refused(const struct qmp *qmp);

/** qmp_unanswered() - whether the last command was sent, perhaps in part, and not answered */
bool qmp_unanswered(const struct qmp *qmp);

/** qmp_woken() - whether waiting was ended by what can be read */
bool qmp_woken(const struct qmp *qmp);

/** qmp_sleep_well() - from now on nothing ends waiting, but an answer or its time */
void qmp_sleep_well(struct qmp *qmp);

#endif
