/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The folder iopt in debugfs; those of domains in it are made by iopt_linux_show(). */
#ifndef KMOD_DEBUGFS_H
#define KMOD_DEBUGFS_H

void iopt_debugfs_init(void);
void iopt_debugfs_exit(void);

#endif
