/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What iopt.ko offers to other modules beside <iopt/iopt.h>: a domain's files in debugfs, how much
 * memory tables take, and, for tests, allocations that fail.
 */
#ifndef HOSTS_LINUX_LINUX_H
#define HOSTS_LINUX_LINUX_H

#include <linux/types.h>

struct dentry;
struct iopt_domain;

/**
 * iopt_linux_show() - make a domain's folder in debugfs, iopt/NAME with dump, raw, stats and check
 * @domain: the domain
 * @name:   of the folder; not in use by another
 *
 * Reading is safe against everything that may run beside it.
 *
 * Return: the folder, for iopt_linux_hide(). Never NULL; without debugfs it stands for nothing.
 * Context: may sleep.
 */
struct dentry *iopt_linux_show(struct iopt_domain *domain, const char *name);

/**
 * iopt_linux_hide() - take the folder away; no reader is left afterwards
 * @folder: of iopt_linux_show()
 *
 * Context: before iopt_destroy(); sleeps until reads that are under way have ended.
 */
void iopt_linux_hide(struct dentry *folder);

/**
 * iopt_linux_pages() - pages that the tables of all domains take, those that wait for RCU included
 *
 * Context: any.
 */
long iopt_linux_pages(void);

/**
 * iopt_linux_fail() - let an allocation of the calling task fail, for tests
 * @nth: the one that fails, counted from now on, 1 being the next; 0: none
 *
 * Context: one task at a time; others' allocations neither count nor fail.
 */
void iopt_linux_fail(unsigned long nth);

#endif
