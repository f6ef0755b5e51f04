/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A machine with an IOMMU, its memory, and devices that do DMA: QEMU, driven by its qtest protocol.
 *
 * The machine has no processor that runs. What a processor would do, this process does: it is the
 * driver. The machine's RAM is a file of this process, mapped on both sides, so that tables are
 * written by plain stores and the model of the IOMMU, written by others from the vendor's
 * specification, walks them. Registers are reached by commands over a socket.
 *
 *   machine.c   starting and stopping QEMU, commands, PCI, devices
 *   unit.h      what each model of an IOMMU is driven by
 *   vtd.c ...   one file for each, which knows its registers
 *
 * Any threads may have devices do DMA, take faults and change domains at the same time; one command
 * goes over the socket at a time, the commands of an invalidation as one. Starting, stopping and
 * registers are for one thread, by itself. What can't go on (QEMU is gone, or does not answer in
 * time) is said on standard error, with QEMU's own last words, and ends the process with status 1.
 */
#ifndef TESTS_HW_HW_H
#define TESTS_HW_HW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iopt/iopt.h>

#define HW_MIB(n) ((uint64_t)(n) << 20)

/*
 * The machine's RAM, from its first byte on: structures of the driver (queues, root tables), the
 * arena of tables, and the rest, which devices write to. Tables lie far from physical address 0, so
 * that an offset taken for an address is noticed.
 */
#define HW_RAM_BYTES   HW_MIB(1024)
#define HW_TABLES      HW_MIB(64)
#define HW_TABLE_BYTES HW_MIB(192)
#define HW_DATA	       HW_MIB(256)

#define HW_DEVICES 64u

/**
 * enum hw_result - what became of a DMA
 * @HW_LANDED:    written, and read back from where it was expected
 * @HW_FAULTED:   refused by the IOMMU
 * @HW_ELSEWHERE: written to another place than was expected
 */
enum hw_result { HW_LANDED, HW_FAULTED, HW_ELSEWHERE };

/**
 * struct hw_dma - a write by a device
 * @device: its number, 0 and up
 * @iova:   where
 * @pa:     where in memory it is expected to land
 * @bytes:  how many; the words written are HW_PATTERN
 * @result: what became of it
 */
struct hw_dma {
	unsigned device;
	uint64_t iova;
	uint64_t pa;
	uint32_t bytes;
	enum hw_result result;
};

#define HW_PATTERN 0x12345678u

/**
 * struct hw_fault - a fault that the unit recorded
 * @bdf:    the device: bus, device and function
 * @iova:   the address
 * @write:  it was a write
 * @reason: the unit's own code
 */
struct hw_fault {
	uint16_t bdf;
	uint64_t iova;
	bool write;
	uint32_t reason;
};

/** struct hw_device - a function on bus 0 and its registers */
struct hw_device {
	uint16_t bdf;
	uint64_t bar;
};

struct hw_unit;
struct hw_link;

/**
 * struct hw - a machine that runs
 * @unit:       its IOMMU: see unit.h
 * @state:      that unit's own
 * @ram:        its memory here
 * @ram_base:   physical address of the first byte
 * @devices:    that write (iommu-testdev)
 * @nr_devices: how many
 * @reader:     one that reads and writes (edu)
 * @commands:   invalidation commands so far
 * @link:       the way to QEMU
 * @lock:       whose turn it is to use it
 */
struct hw {
	const struct hw_unit *unit;
	void *state;
	char *ram;
	uint64_t ram_base;
	struct hw_device devices[HW_DEVICES];
	unsigned nr_devices;
	struct hw_device reader;
	uint64_t commands;
	uint64_t next_structure;
	struct hw_link *link;
	pthread_mutex_t lock;
};

/**
 * struct hw_domain - a domain of the engine and what the unit knows it by
 * @hw:     the machine
 * @iopt:   the engine's
 * @format: its format
 * @id:     the unit's number for it: domain id, ASID or VMID, PSCID or GSCID; never 0
 * @under:  of a domain of stage 1: that of stage 2 that its addresses and tables go through, set
 *          before it is attached; NULL: it stands alone
 * @nested: of a domain of stage 2: it is under some, whose cached translations go with its own
 * @also:   called with each gather after the unit was told; NULL: nobody is
 * @ctx:    for @also
 */
struct hw_domain {
	struct hw *hw;
	struct iopt_domain *iopt;
	const struct iopt_format_info *format;
	uint16_t id;
	struct hw_domain *under;
	bool nested;
	void (*also)(void *ctx, const struct iopt_gather *gather);
	void *ctx;
};

/**
 * hw_available() - whether machines can be started
 *
 * Return: NULL, or why not: scripts/hw-tools did not find QEMU, or the environment's IOPT_QEMU does
 * not name its folder.
 */
const char *hw_available(void);

/**
 * hw_reader_available() - whether machines with the reading device alone can be started
 *
 * Return: as hw_available(); NULL also where this machine has a qemu-system-x86_64 of its own,
 * which then is used: that of Debian 12 (7.2) has a VT-d without first stage, and no device that
 * only writes.
 */
const char *hw_reader_available(void);

/**
 * hw_start() - start a machine, with its unit switched on and no device attached
 * @unit:       which
 * @nr_devices: that write, besides the one that reads; up to HW_DEVICES
 *
 * The engine's arena is set up in its memory: no domain may exist (iopt_posix_setup()).
 */
struct hw *hw_start(const struct hw_unit *unit, unsigned nr_devices);

/** hw_stop() - stop it; all domains are destroyed before */
void hw_stop(struct hw *hw);

/* Registers, by physical address. Writes are done, in order, by the time of the next read. */
uint32_t hw_read32(struct hw *hw, uint64_t pa);
uint64_t hw_read64(struct hw *hw, uint64_t pa);
void hw_write32(struct hw *hw, uint64_t pa, uint32_t value);
void hw_write64(struct hw *hw, uint64_t pa, uint64_t value);

/** hw_at() - the byte of RAM at a physical address */
static inline void *hw_at(const struct hw *hw, uint64_t pa)
{
	return hw->ram + (pa - hw->ram_base);
}

/* Words of structures in RAM that the unit may read at any time. */
static inline void hw_store64(const struct hw *hw, uint64_t pa, uint64_t value)
{
	__atomic_store_n((uint64_t *)hw_at(hw, pa), value, __ATOMIC_RELEASE);
}

static inline uint64_t hw_load64(const struct hw *hw, uint64_t pa)
{
	return __atomic_load_n((const uint64_t *)hw_at(hw, pa), __ATOMIC_ACQUIRE);
}

static inline uint32_t hw_load32(const struct hw *hw, uint64_t pa)
{
	return __atomic_load_n((const uint32_t *)hw_at(hw, pa), __ATOMIC_ACQUIRE);
}

/** hw_structure() - zeroed memory for the driver; bytes are a power of two, and its alignment */
uint64_t hw_structure(struct hw *hw, uint64_t bytes);

/** hw_enable() - give a function its registers and let it do DMA */
void hw_enable(struct hw *hw, struct hw_device *device, uint16_t bdf, uint64_t bar);

/** hw_die() - say why the machine is of no use any more, and end the process */
__attribute__((noreturn, format(printf, 2, 3))) void hw_die(struct hw *hw, const char *format, ...);

/* ---- domains ------------------------------------------------------------------------------- */

/**
 * hw_domain_init() - a domain whose invalidations go to the unit
 * @domain: to fill in
 * @hw:     the machine
 * @config: as for iopt_create(); callbacks and ctx are set here
 * @id:     see struct hw_domain; not in use by another domain
 *
 * Return: as iopt_create().
 */
int hw_domain_init(struct hw_domain *domain, struct hw *hw, const struct iopt_config *config,
		   uint16_t id);

/** hw_domain_fini() - destroy it; no device is attached to it */
void hw_domain_fini(struct hw_domain *domain);

/** hw_attach() - a device's DMA goes through a domain from now on; NULL: through none, it faults */
void hw_attach(struct hw *hw, const struct hw_device *device, struct hw_domain *domain);

/* ---- DMA ----------------------------------------------------------------------------------- */

/** hw_dma() - have devices write, one after the other, as fast as commands go */
void hw_dma(struct hw *hw, struct hw_dma *dma, size_t nr);

/** hw_dma_one() - one write of a word */
enum hw_result hw_dma_one(struct hw *hw, unsigned device, uint64_t iova, uint64_t pa);

/*
 * The reading device copies up to HW_READER_BYTES from memory into its buffer, or back. Neither
 * says whether the IOMMU refused; a fault does.
 */
#define HW_READER_BYTES 4096u
void hw_reader_load(struct hw *hw, uint64_t iova, uint32_t bytes);
void hw_reader_store(struct hw *hw, uint64_t iova, uint32_t bytes);

/** hw_fault() - take a fault that the unit has recorded. Return: whether there was one */
bool hw_fault(struct hw *hw, struct hw_fault *fault);

#endif
