/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What leads to page tables in Arm's SMMUv3: stream tables, linear and of two levels, and context
 * descriptors.
 *
 * Read for this: Linux 6.12, drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.h (STRTAB_*, CTXDESC_*) and
 * arm-smmu-v3.c (arm_smmu_make_s1_cd(), arm_smmu_make_s2_domain_ste()); of what Linux does not use,
 * QEMU, hw/arm/smmuv3-internal.h: CD_TSZ, CD_TG, CD_EPD and CD_TTB of the upper half, STE_CONFIG;
 * of addresses of 52 bits Arm IHI 0070 (SMMUv3), 5.2 (S2DS, S2SL0_2) and 5.4 (IPS, DS);
 * how hardware takes odd values there, in 5.1, 5.2, 5.4 and 6.3.
 */
#include <string.h>

#include "decode/internal.h"

#define BITS(value, high, low) ((value) >> (low) & (~0ull >> (63 - (high) + (low))))

#define STE_QWORDS 8u
#define STES	   (PAGE_BYTES / 8 / STE_QWORDS)
#define CD_QWORDS  8u
#define CDS	   (PAGE_BYTES / 8 / CD_QWORDS)
#define QWORDS	   (PAGE_BYTES / 8)

#define TABLE(value)  ((value)&0xfffffffffffc0ull) /* bits 51:6: STRTAB_BASE_ADDR_MASK and so on */
#define TTB(value)    ((value)&0xffffffffffff0ull) /* bits 51:4: CTXDESC_CD_1_TTB0_MASK */
#define L2_CDS(value) ((value)&0xffffffffff000ull) /* bits 51:12: CTXDESC_L1_DESC_L2PTR_MASK */

enum { /* STRTAB_STE_0_CFG_* */
       CONFIG_ABORT,
       CONFIG_BYPASS = 4,
       CONFIG_S1,
       CONFIG_S2,
       CONFIG_NESTED,
};

enum { /* STRTAB_STE_0_S1FMT_*; 1: leaves of 4 KiB (STE.S1Fmt) */
       CDS_LINEAR,
       CDS_4K,
       CDS_64K,
};

enum { /* STRTAB_STE_1_S1DSS_* */
       DEFAULT_TERMINATE,
       DEFAULT_BYPASS,
       DEFAULT_SSID0,
};

/**
 * struct granule - of tables
 * @lg2: log2 of its bytes
 * @s1:  the format of stage 1, and with addresses of 52 bits (LPA2)
 * @s2:  of stage 2
 */
struct granule {
	unsigned lg2;
	const char *s1[2];
	const char *s2[2];
};

static const struct granule granule_4k = { 12,
					   { "arm-s1", "arm-s1-lpa2" },
					   { "arm-s2", "arm-s2-lpa2" } };
static const struct granule granule_16k = { 14,
					    { "arm-s1-16k", "arm-s1-16k-lpa2" },
					    { "arm-s2-16k", "arm-s2-16k-lpa2" } };
static const struct granule granule_64k = { 16, { "arm-s1-64k" }, { "arm-s2-64k" } };

#define CD_VALID (1ull << 31)
#define CD_AA64	 (1ull << 41)
#define CD_ENDI	 (1ull << 15) /* big-endian */
#define CD_HD	 (1ull << 42)
#define CD_HA	 (1ull << 43)
#define CD_DS	 (1ull << 58) /* bit 186 of all */
#define S2AA64	 (1ull << 51)
#define S2ENDI	 (1ull << 52)
#define S2HD	 (1ull << 55)
#define S2HA	 (1ull << 56)
#define S2SL0_2	 (1ull << 2) /* bit 194 */
#define S2DS	 (1ull << 3) /* bit 195 */

/* ---- stage 1 ------------------------------------------------------------------------------- */

static const struct granule *granule_of(unsigned tg, bool upper)
{
	/* CD.TG0 and S2TG, and TG1 of the upper half. */
	static const struct granule *const lower_granules[] = { &granule_4k, &granule_64k,
								&granule_16k, NULL };
	static const struct granule *const upper_granules[] = { NULL, &granule_16k, &granule_4k,
								&granule_64k };

	return (upper ? upper_granules : lower_granules)[tg];
}

/* CD.DS, S2DS: of what has a granule of 64K they say nothing. */
static bool is_lpa2(const struct granule *granule, bool ds)
{
	return ds && granule->lg2 < 16;
}

/* CD.IPS, S2PS: an address of 52 bits needs a granule or a DS for it; 7 behaves as 6. */
static uint8_t output_size(const struct granule *granule, bool ds, uint64_t ps)
{
	const uint8_t most = granule->lg2 == 16 || ds ? 6 : 5;

	return ps < most ? (uint8_t)ps : most;
}

/* Levels of a format's tables, which translate so many bits: an entry is of eight bytes. */
static uint8_t s1_levels(const struct granule *granule, unsigned tsz)
{
	unsigned index = granule->lg2 - 3;

	return tsz < 64 - granule->lg2 ? (uint8_t)((64 - tsz - granule->lg2 + index - 1) / index)
				       : 0;
}

/*
 * A top table is aligned to its size, and to 64 bytes where addresses have 52 bits: the bits below
 * are taken for zeros (5.4, TTB0).
 */
static uint64_t aligned(uint64_t table, const struct granule *granule, unsigned tsz,
			unsigned levels)
{
	const unsigned below = granule->lg2 + (levels - 1) * (granule->lg2 - 3);
	const unsigned width = 64 - tsz, lg2 = width > below ? width - below + 3 : 0;

	return table & ~0ull << (lg2 < 6 ? 6 : lg2 < 32 ? lg2 : 32);
}

/* One half of what a context descriptor describes. */
static int decode_half(struct reading *reading, const uint64_t *cd, bool upper,
		       struct iopt_decode_device device)
{
	const unsigned shift = upper ? 16 : 0;
	const unsigned tg = (unsigned)BITS(cd[0], 7 + shift, 6 + shift);
	const struct granule *granule = granule_of(tg, upper);
	struct iopt_hw hw = { .root = TTB(cd[upper ? 2 : 1]) };
	struct iopt_hw_arm *arm = &hw.arm;

	/* EPD; or of a stream of EL2 or EL3, which has no upper half: all that is of it is RES0. */
	if (BITS(cd[0], 14 + shift, 14 + shift) || (upper && !BITS(cd[0], 30, 16) && !cd[2]))
		return 0;
	if (!granule)
		return reading_refuse(reading, &device, cd[0]);
	arm->upper = upper;
	arm->tsz = (uint8_t)BITS(cd[0], 5 + shift, shift);
	arm->tg = (uint8_t)tg;
	arm->ds = is_lpa2(granule, cd[2] & CD_DS);
	arm->ps = output_size(granule, arm->ds, BITS(cd[0], 34, 32));
	arm->mair = cd[3];
	arm->ha = cd[0] & CD_HA;
	arm->hd = arm->ha && cd[0] & CD_HD;
	hw.levels = s1_levels(granule, arm->tsz);
	hw.root = arm->ttb = aligned(hw.root, granule, arm->tsz, hw.levels);
	device_set_first(&device, granule->s1[arm->ds], &hw, (uint32_t)BITS(cd[0], 63, 48));
	return reading_tell(reading, &device);
}

static int decode_cd(struct reading *reading, const uint64_t *cd, uint64_t cd_pa,
		     struct iopt_decode_device device)
{
	int result;

	device.entry_pa = cd_pa;
	if (!(cd[0] & CD_AA64) || cd[0] & CD_ENDI)
		return reading_refuse(reading, &device, cd[0]);
	result = decode_half(reading, cd, false, device);
	return result ? result : decode_half(reading, cd, true, device);
}

/* Descriptors one behind the other, of substreams from one on. */
static int decode_cds(struct reading *reading, uint64_t table, uint64_t nr, uint32_t first,
		      bool default_is_0, const struct iopt_decode_device *device)
{
	uint64_t cds[CDS][CD_QWORDS];
	int result = 0;

	for (uint64_t i = 0; !result && i < nr; i++) {
		struct iopt_decode_device space = *device;
		uint64_t left = nr - i < CDS ? nr - i : CDS, at = i % CDS;

		if (at == 0 &&
		    !reading_table(reading, table + i * sizeof(cds[0]), cds, left * sizeof(cds[0])))
			return 0;
		if (!(cds[at][0] & CD_VALID))
			continue;
		if (first + i || !default_is_0)
			space.pasid = (uint32_t)(first + i);
		result = decode_cd(reading, cds[at], table + i * sizeof(cds[0]), space);
	}
	return result;
}

/* The same in tables of a second level, of so many each. */
static int decode_cd_tables(struct reading *reading, uint64_t table, uint64_t nr, unsigned each,
			    bool default_is_0, const struct iopt_decode_device *device)
{
	uint64_t entries[QWORDS];
	int result = 0;

	for (uint64_t i = 0; !result && i * each < nr; i++) {
		uint64_t at = i % QWORDS, left = (nr - i * each + each - 1) / each;

		if (at == 0 && !reading_table(reading, table + i * 8, entries,
					      (left < QWORDS ? left : QWORDS) * 8))
			return 0;
		if (entries[at] & 1) /* CTXDESC_L1_DESC_V */
			result = decode_cds(reading, L2_CDS(entries[at]),
					    nr - i * each < each ? nr - i * each : each,
					    (uint32_t)(i * each), default_is_0, device);
	}
	return result;
}

static int decode_s1(struct reading *reading, const uint64_t *ste,
		     const struct iopt_decode_device *device)
{
	const unsigned lg2 = (unsigned)BITS(ste[0], 63, 59), type = (unsigned)BITS(ste[0], 5, 4);
	const unsigned without = (unsigned)BITS(ste[1], 1, 0);
	const bool default_is_0 = !lg2 || without == DEFAULT_SSID0;
	const uint64_t table = TABLE(ste[0]);
	int result = 0;

	if (lg2 > 20)
		return reading_refuse(reading, device, ste[0]);
	if (lg2 && without == DEFAULT_BYPASS)
		result = reading_tell(reading, device);
	if (result)
		return result;
	if (!lg2 || (type != CDS_4K && type != CDS_64K)) /* what is reserved behaves as linear */
		return decode_cds(reading, table, 1ull << lg2, 0, default_is_0, device);
	return decode_cd_tables(reading, table, 1ull << lg2, type == CDS_4K ? CDS : 16 * CDS,
				default_is_0, device);
}

/* ---- stage 2 ------------------------------------------------------------------------------- */

/* False: there is no such stage, which was told. */
static bool set_s2(struct reading *reading, const uint64_t *ste, struct iopt_decode_device *device)
{
	const uint64_t vtcr = BITS(ste[2], 50, 32);
	const unsigned tg = (unsigned)BITS(vtcr, 15, 14);
	const struct granule *granule = granule_of(tg, false);
	struct iopt_hw_arm *arm = &device->hw.arm;

	if (!granule || !(ste[2] & S2AA64) || ste[2] & S2ENDI) {
		reading_refuse(reading, device, ste[2]);
		return false;
	}
	arm->tsz = (uint8_t)BITS(vtcr, 5, 0);
	arm->sl0 = (uint8_t)BITS(vtcr, 7, 6);
	arm->tg = (uint8_t)tg;
	arm->ds = is_lpa2(granule, ste[3] & S2DS);
	arm->sl2 = arm->ds && ste[3] & S2SL0_2;
	arm->ps = output_size(granule, arm->ds, BITS(vtcr, 18, 16));
	arm->ha = ste[2] & S2HA;
	arm->hd = arm->ha && ste[2] & S2HD;
	/* QEMU, check_s2_mmu_setup() */
	device->hw.levels = arm->sl2 ? 5 : (uint8_t)(arm->sl0 + (tg ? 1 : 2));
	device->hw.root = arm->ttb = aligned(TTB(ste[3]), granule, arm->tsz, device->hw.levels);
	device->format = granule->s2[arm->ds];
	device->domain = (uint32_t)BITS(ste[2], 15, 0);
	device->path = IOPT_DECODE_TRANSLATED;
	return true;
}

static int decode_s2(struct reading *reading, const uint64_t *ste, struct iopt_decode_device device)
{
	return set_s2(reading, ste, &device) ? reading_tell(reading, &device) : 0;
}

/* What leads to stage 1 lies where stage 2 leads: 5.2, S1ContextPtr. */
static int decode_nested(struct reading *reading, const uint64_t *ste,
			 struct iopt_decode_device device)
{
	int result;

	if (!set_s2(reading, ste, &device) || !reading_through(reading, &device))
		return 0;
	result = decode_s1(reading, ste, &device);
	reading_through(reading, NULL);
	return result;
}

/* ---- streams ------------------------------------------------------------------------------- */

static int decode_ste(struct reading *reading, const uint64_t *ste, uint64_t ste_pa, uint32_t id)
{
	struct iopt_decode_device device = {
		.id = id,
		.pasid = IOPT_DECODE_NO_PASID,
		.path = IOPT_DECODE_PASSES,
		.prot = IOPT_READ | IOPT_WRITE,
		.entry_pa = ste_pa,
	};

	if (!(ste[0] & 1)) /* STRTAB_STE_0_V */
		return 0;
	switch (BITS(ste[0], 3, 1)) {
	case CONFIG_ABORT: return 0;
	case CONFIG_BYPASS: return reading_tell(reading, &device);
	case CONFIG_S1: return decode_s1(reading, ste, &device);
	case CONFIG_S2: return decode_s2(reading, ste, device);
	case CONFIG_NESTED: return decode_nested(reading, ste, device);
	default: return reading_refuse(reading, &device, ste[0]);
	}
}

static int decode_stes(struct reading *reading, uint64_t table, uint64_t nr, uint64_t first)
{
	uint64_t stes[STES][STE_QWORDS];
	int result = 0;

	for (uint64_t i = 0; !result && i < nr; i++) {
		uint64_t left = nr - i < STES ? nr - i : STES, at = i % STES;

		if (at == 0 && !reading_table(reading, table + i * sizeof(stes[0]), stes,
					      left * sizeof(stes[0])))
			return 0;
		result = decode_ste(reading, stes[at], table + i * sizeof(stes[0]),
				    (uint32_t)(first + i));
	}
	return result;
}

/* One entry behind the other; there is one also where all streams are fewer than it is for. */
static int decode_two_levels(struct reading *reading, uint64_t table, unsigned lg2, unsigned split)
{
	const uint64_t nr = lg2 > split ? 1ull << (lg2 - split) : 1;
	uint64_t entries[QWORDS];
	int result = 0;

	for (uint64_t i = 0; !result && i < nr; i++) {
		uint64_t left = nr - i, at = i % QWORDS, span, size;

		if (at == 0 && !reading_table(reading, table + i * 8, entries,
					      (left < QWORDS ? left : QWORDS) * 8))
			return 0;
		span = BITS(entries[at], 4, 0); /* STRTAB_L1_DESC_SPAN: one more than the lg2 */
		if (!span || span > split + 1)
			continue;
		size = 1ull << (span - 1);
		/* 5.1: the table is aligned to its size. */
		result = decode_stes(reading, TABLE(entries[at]) & ~(size * STE_QWORDS * 8 - 1),
				     size < 1ull << lg2 ? size : 1ull << lg2, i << split);
	}
	return result;
}

/* STRTAB_BASE_CFG.SPLIT: what is none of these behaves as the first (6.3, STRTAB_BASE_CFG). */
static unsigned split_of(uint64_t config)
{
	const unsigned split = (unsigned)BITS(config, 10, 6);

	return split == 8 || split == 10 ? split : 6;
}

int decode_smmuv3(struct reading *reading)
{
	const uint64_t config = reading->source->config;
	const unsigned lg2 = (unsigned)BITS(config, 5, 0);
	const uint64_t table = TABLE(reading->source->root);

	if (lg2 > 32) {
		reading_trouble(reading, IOPT_DECODE_BAD_ROOT, 0, IOPT_MAX_LEVELS, table, config);
		return 0;
	}
	/* FMT, of which two values are reserved and behave as linear. */
	return BITS(config, 17, 16) == 1 ? decode_two_levels(reading, table, lg2, split_of(config))
					 : decode_stes(reading, table, 1ull << lg2, 0);
}
