/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt.ko: the engine, all its formats and the Linux host, for other modules. Unloading waits for
 * what they left to RCU.
 */
#include <linux/module.h>

#include "hosts/linux/linux.h"
#include "iopt/iopt.h"
#include "kmod/debugfs.h"

EXPORT_SYMBOL_GPL(iopt_format_info);
EXPORT_SYMBOL_GPL(iopt_format_find);
EXPORT_SYMBOL_GPL(iopt_gather_init);
EXPORT_SYMBOL_GPL(iopt_gather_merge);
EXPORT_SYMBOL_GPL(iopt_sync);
EXPORT_SYMBOL_GPL(iopt_create);
EXPORT_SYMBOL_GPL(iopt_destroy);
EXPORT_SYMBOL_GPL(iopt_hw);
EXPORT_SYMBOL_GPL(iopt_reserve);
EXPORT_SYMBOL_GPL(iopt_reserve_release);
EXPORT_SYMBOL_GPL(iopt_map);
EXPORT_SYMBOL_GPL(iopt_map_sg);
EXPORT_SYMBOL_GPL(iopt_unmap);
EXPORT_SYMBOL_GPL(iopt_protect);
EXPORT_SYMBOL_GPL(iopt_split);
EXPORT_SYMBOL_GPL(iopt_merge);
EXPORT_SYMBOL_GPL(iopt_trim);
EXPORT_SYMBOL_GPL(iopt_translate);
EXPORT_SYMBOL_GPL(iopt_visit_init);
EXPORT_SYMBOL_GPL(iopt_visit);
EXPORT_SYMBOL_GPL(iopt_track);
EXPORT_SYMBOL_GPL(iopt_track_split);
EXPORT_SYMBOL_GPL(iopt_sweep);
EXPORT_SYMBOL_GPL(iopt_stats);
EXPORT_SYMBOL_GPL(iopt_linux_show);
EXPORT_SYMBOL_GPL(iopt_linux_hide);
EXPORT_SYMBOL_GPL(iopt_linux_pages);
EXPORT_SYMBOL_GPL(iopt_linux_fail);

static int __init iopt_init(void)
{
	iopt_debugfs_init();
	return 0;
}

/* Modules that use this one are gone, and their domains; tables may still wait. */
static void __exit iopt_exit(void)
{
	iopt_debugfs_exit();
	rcu_barrier();
	WARN(iopt_linux_pages(), "iopt: %ld pages of tables were not given back\n",
	     iopt_linux_pages());
}

module_init(iopt_init);
module_exit(iopt_exit);
MODULE_DESCRIPTION("I/O page-table engine");
MODULE_LICENSE("Dual MIT/GPL");
