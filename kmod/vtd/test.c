/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * iopt-vtd-test.ko: a device's DMA through whatever IOMMU driver the kernel has, by the kernel's
 * interfaces alone, so that the kernel's own driver can be asked the same. The device is QEMU's
 * "edu" (docs/specs/edu.rst there), which copies between memory and a buffer of its own.
 *
 * Loading runs the tests (KTAP), and with passthrough=1 only that of a domain that translates
 * nothing; with bench=NAME it measures instead what iommu_map() and iommu_unmap() take on an
 * attached domain, in nanoseconds a call, which are instructions where QEMU counts them.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

static bool passthrough;
module_param(passthrough, bool, 0);
MODULE_PARM_DESC(passthrough, "only see that DMA to physical addresses lands");
static char *bench;
module_param(bench, charp, 0);
MODULE_PARM_DESC(bench, "measure iommu_map() and iommu_unmap() instead, and call it this");

/* docs/specs/edu.rst of QEMU: "Memory-mapped I/O", "DMA controller" */
#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_TARGET	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START	1u
#define EDU_DMA_TO_RAM	2u
#define EDU_BUFFER	0x40000u
#define EDU_DMA_BITS	28
#define EDU_MS		1000

#define BASE  0x1000000ul
#define BYTES 4096u

/* A whole page is too much for the device of QEMU 7.2 (edu_check_range()). */
#define EDU_BYTES 2048u

/**
 * struct edu - the device
 * @dev:    the device
 * @regs:   its registers
 * @memory: two pages of the host's, next to each other
 */
static struct edu {
	struct pci_dev *dev;
	void __iomem *regs;
	u8 *memory;
} edu;

/* ---- the device ---------------------------------------------------------------------------- */

static bool edu_copy(u64 bus, bool to_ram)
{
	writeq(to_ram ? EDU_BUFFER : bus, edu.regs + EDU_DMA_SOURCE);
	writeq(to_ram ? bus : EDU_BUFFER, edu.regs + EDU_DMA_TARGET);
	writeq(EDU_BYTES, edu.regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | (to_ram ? EDU_DMA_TO_RAM : 0), edu.regs + EDU_DMA_COMMAND);
	for (unsigned int ms = 0; ms < EDU_MS; ms += 5) {
		if (!(readq(edu.regs + EDU_DMA_COMMAND) & EDU_DMA_START))
			return true;
		msleep(5);
	}
	return false;
}

/* Whether what the device reads at @from is what it then writes at @to, seen by the processor. */
static bool edu_carries(u64 from, u64 to, u8 pattern)
{
	memset(edu.memory, pattern, BYTES);
	memset(edu.memory + BYTES, ~pattern, BYTES);
	dma_wmb();
	return edu_copy(from, false) && edu_copy(to, true) &&
	       !memcmp(edu.memory, edu.memory + BYTES, EDU_BYTES);
}

/* Whether a write of the device to @bus leaves both pages alone. */
static bool edu_refused(u64 bus)
{
	memset(edu.memory, 0x5a, 2 * BYTES);
	if (!edu_copy(bus, true))
		return false;
	for (unsigned int i = 0; i < 2 * BYTES; i++)
		if (edu.memory[i] != 0x5a)
			return false;
	return true;
}

static int edu_open(void)
{
	edu.dev = pci_get_device(EDU_VENDOR, EDU_DEVICE, NULL);
	if (!edu.dev) {
		pr_err("no edu device (QEMU's -device edu)\n");
		return -ENODEV;
	}
	edu.regs = pci_enable_device(edu.dev) ? NULL : pci_iomap(edu.dev, 0, 0);
	edu.memory = (void *)__get_free_pages(GFP_KERNEL | GFP_DMA, 1);
	if (!edu.regs || !edu.memory ||
	    dma_set_mask_and_coherent(&edu.dev->dev, DMA_BIT_MASK(EDU_DMA_BITS)))
		return -ENODEV;
	pci_set_master(edu.dev);
	return 0;
}

static void edu_close(void)
{
	if (!edu.dev)
		return;
	if (edu.regs) {
		pci_clear_master(edu.dev);
		pci_iounmap(edu.dev, edu.regs);
		pci_disable_device(edu.dev);
	}
	free_pages((unsigned long)edu.memory, 1);
	pci_dev_put(edu.dev);
}

/* ---- the DMA API --------------------------------------------------------------------------- */

static bool test_dma_api(void)
{
	struct device *dev = &edu.dev->dev;
	dma_addr_t from = dma_map_single(dev, edu.memory, BYTES, DMA_TO_DEVICE);
	dma_addr_t to = dma_map_single(dev, edu.memory + BYTES, BYTES, DMA_FROM_DEVICE);
	bool good;

	if (dma_mapping_error(dev, from) || dma_mapping_error(dev, to))
		return false;
	good = edu_carries(from, to, 0x11);
	/* For reading only. */
	good &= edu_refused(from);
	good &= edu_carries(from, to, 0x22);
	dma_unmap_single(dev, to, BYTES, DMA_FROM_DEVICE);
	/* The unit has just used the translation. */
	good &= edu_refused(to);
	dma_unmap_single(dev, from, BYTES, DMA_TO_DEVICE);
	return good;
}

/* ---- a domain of one's own ----------------------------------------------------------------- */

static atomic_t faults;
static unsigned long fault_iova;

static int on_fault(struct iommu_domain *domain, struct device *dev, unsigned long iova, int flags,
		    void *token)
{
	WRITE_ONCE(fault_iova, iova);
	atomic_inc(&faults);
	return 0;
}

static bool fault_comes(unsigned long iova)
{
	for (unsigned int ms = 0; ms < EDU_MS; ms += 20) {
		if (atomic_read(&faults) && READ_ONCE(fault_iova) == iova)
			return true;
		msleep(20);
	}
	return false;
}

static bool maps_pages(struct iommu_domain *domain)
{
	phys_addr_t pa = virt_to_phys(edu.memory);
	bool good = !iommu_map(domain, BASE, pa, 2 * BYTES, IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);

	good &= edu_carries(BASE, BASE + BYTES, 0x33);
	good &= iommu_iova_to_phys(domain, BASE + BYTES + 5) == pa + BYTES + 5;
	good &= iommu_unmap(domain, BASE + BYTES, BYTES) == BYTES;
	good &= edu_refused(BASE + BYTES) && fault_comes(BASE + BYTES);
	good &= !iommu_iova_to_phys(domain, BASE + BYTES);
	good &= iommu_unmap(domain, BASE, BYTES) == BYTES;
	return good;
}

/* A block of 2 MiB where a table was: that has to be freed, and not be walked any more. */
static bool maps_block(struct iommu_domain *domain)
{
	phys_addr_t pa = virt_to_phys(edu.memory);
	unsigned long inside = pa & (SZ_2M - 1);
	bool good = !iommu_map(domain, BASE, ALIGN_DOWN(pa, SZ_2M), SZ_2M, IOMMU_READ | IOMMU_WRITE,
			       GFP_KERNEL);

	good &= edu_carries(BASE + inside, BASE + inside + BYTES, 0x44);
	good &= iommu_unmap(domain, BASE, SZ_2M) == SZ_2M;
	good &= edu_refused(BASE + inside);
	return good;
}

/* A table's worth of pages, one by one in memory; unmapped at once they take their table along. */
static bool maps_table(struct iommu_domain *domain)
{
	phys_addr_t pa = virt_to_phys(edu.memory);
	bool good = true;

	for (unsigned long i = 0; i < SZ_2M; i += 2 * BYTES)
		good &= !iommu_map(domain, BASE + i, pa, 2 * BYTES, IOMMU_READ | IOMMU_WRITE,
				   GFP_ATOMIC);
	good &= edu_carries(BASE + SZ_2M - 2 * BYTES, BASE + SZ_2M - BYTES, 0x55);
	good &= iommu_unmap(domain, BASE, SZ_2M) == SZ_2M;
	good &= edu_refused(BASE + SZ_2M - BYTES);
	return good;
}

static struct iommu_domain *attach_own(void)
{
	struct iommu_domain *domain = iommu_paging_domain_alloc(&edu.dev->dev);

	if (IS_ERR(domain))
		return domain;
	iommu_set_fault_handler(domain, on_fault, NULL);
	if (iommu_attach_device(domain, &edu.dev->dev)) {
		iommu_domain_free(domain);
		return ERR_PTR(-EIO);
	}
	return domain;
}

static void detach_own(struct iommu_domain *domain)
{
	iommu_detach_device(domain, &edu.dev->dev);
	iommu_domain_free(domain);
}

static bool test_own_domain(void)
{
	struct iommu_domain *domain = attach_own();
	bool good = !IS_ERR(domain);

	if (!good)
		return false;
	for (unsigned int i = 0; i < 3; i++)
		good = good && maps_pages(domain) && maps_block(domain) && maps_table(domain);
	detach_own(domain);
	/* Back in the domain of the DMA API. */
	return good && test_dma_api();
}

static bool test_atomic(void)
{
	struct iommu_domain *domain = attach_own();
	bool good = !IS_ERR(domain);
	unsigned long flags;

	if (!good)
		return false;
	local_irq_save(flags);
	/* Each needs a table of its own. */
	for (unsigned long i = 0; i < 8; i++)
		good &= !iommu_map(domain, BASE + i * SZ_2M, virt_to_phys(edu.memory), BYTES,
				   IOMMU_READ | IOMMU_WRITE, GFP_ATOMIC);
	for (unsigned long i = 0; i < 8; i++)
		good &= iommu_unmap(domain, BASE + i * SZ_2M, BYTES) == BYTES;
	local_irq_restore(flags);
	detach_own(domain);
	return good;
}

static bool test_passthrough(void)
{
	phys_addr_t pa = virt_to_phys(edu.memory);

	return edu_carries(pa, pa + BYTES, 0x66);
}

/* ---- measuring ----------------------------------------------------------------------------- */

#define ROUNDS 9u

static bool measure(struct iommu_domain *domain, const char *name, size_t bytes, unsigned int count)
{
	u64 map = U64_MAX, unmap = U64_MAX;
	bool good = true;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		u64 begin = ktime_get_ns(), middle, end;

		for (unsigned int i = 0; i < count; i++)
			good &= !iommu_map(domain, 0x100000000ul + i * bytes,
					   0x40000000ul + i * bytes, bytes,
					   IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
		middle = ktime_get_ns();
		for (unsigned int i = 0; i < count; i++)
			good &= iommu_unmap(domain, 0x100000000ul + i * bytes, bytes) == bytes;
		end = ktime_get_ns();
		map = min(map, (middle - begin) / count);
		unmap = min(unmap, (end - middle) / count);
		cond_resched();
	}
	pr_info("bench %s %s map %llu unmap %llu\n", bench, name, map, unmap);
	return good;
}

static bool test_bench(void)
{
	struct iommu_domain *domain = attach_own();
	bool good;

	if (IS_ERR(domain))
		return false;
	good = measure(domain, "4K", SZ_4K, 8192) && measure(domain, "64K", SZ_64K, 2048) &&
	       measure(domain, "2M", SZ_2M, 1024);
	detach_own(domain);
	return good;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "DMA API, edu", test_dma_api },
	{ "domain of its own, edu", test_own_domain },
	{ "atomic maps", test_atomic },
};

static void run_one(unsigned int number, const char *name, bool good)
{
	pr_info("%s %u %s\n", good ? "ok" : "not ok", number, name);
}

static int __init test_init(void)
{
	int error = edu_open();

	if (error) {
		edu_close();
		return error;
	}
	if (passthrough || bench) {
		pr_info("KTAP version 1\n1..1\n");
		if (bench)
			run_one(1, "the loops of the benchmark", test_bench());
		else
			run_one(1, "passing through, edu", test_passthrough());
		return 0;
	}
	pr_info("KTAP version 1\n1..%zu\n", ARRAY_SIZE(tests));
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++)
		run_one(i + 1, tests[i].name, tests[i].run());
	return 0;
}

static void __exit test_exit(void)
{
	edu_close();
}

module_init(test_init);
module_exit(test_exit);
MODULE_DESCRIPTION("tests of a VT-d driver, by a device's DMA");
MODULE_LICENSE("Dual MIT/GPL");
