/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * VT-d's registers, in-memory structures and queued commands, as far as this driver uses them.
 *
 * Names and values as in Linux drivers/iommu/intel/iommu.h (DMAR_*, DMA_*, QI_*, cap_*(), ecap_*(),
 * context_set_*()) and pasid.h, pasid.c (pasid_set_*(), context_entry_set_pasid_table()).
 */
#ifndef KMOD_VTD_REGS_H
#define KMOD_VTD_REGS_H

#include <linux/bits.h>
#include <linux/types.h>

/* ---- registers: offset --------------------------------------------------------------------- */

#define DMAR_CAP	0x08
#define DMAR_ECAP	0x10
#define DMAR_GCMD	0x18
#define DMAR_GSTS	0x1c
#define DMAR_RTADDR	0x20
#define DMAR_FSTS	0x34
#define DMAR_PMEN	0x64
#define DMAR_IQH	0x80
#define DMAR_IQT	0x88
#define DMAR_IQA	0x90
#define DMAR_REGS_BYTES 0x100 /* what lies at fixed offsets */

/* GCMD, and where GSTS says that it is done */
#define GCMD_TE	  BIT(31)
#define GCMD_SRTP BIT(30)
#define GCMD_QIE  BIT(26)
#define GSTS_IRES BIT(25)

#define RTADDR_SMT BIT_ULL(10)

#define PMEN_EPM BIT(31)
#define PMEN_PRS BIT(0)

#define IQA_WIDE  BIT_ULL(11) /* descriptors of 256 bits */
#define IQA_PAGES GENMASK_ULL(2, 0)

#define FSTS_PFO   BIT(0) /* primary fault overflow */
#define FSTS_PPF   BIT(1) /* primary pending fault */
#define FSTS_IQE   BIT(4) /* invalidation queue error */
#define FSTS_ITE   BIT(6) /* invalidation time-out */
#define FSTS_CLEAR (FSTS_PFO | FSTS_PPF | BIT(5) | FSTS_IQE | FSTS_ITE)

/* A fault record, 16 bytes */
#define FRCD_BYTES  16
#define FRCD_SOURCE 0x08 /* 32 bits, requester in the lower half */
#define FRCD_WHAT   0x0c /* 32 bits */
#define FRCD_F	    BIT(31)
#define FRCD_READ   BIT(30)
#define FRCD_REASON GENMASK(7, 0)

/* ---- capabilities -------------------------------------------------------------------------- */

#define CAP_DRD	     BIT_ULL(55)
#define CAP_DWD	     BIT_ULL(54)
#define CAP_MAMV     GENMASK_ULL(53, 48)
#define CAP_NFR	     GENMASK_ULL(47, 40)
#define CAP_PSI	     BIT_ULL(39)
#define CAP_SLLPS_1G BIT_ULL(35)
#define CAP_SLLPS_2M BIT_ULL(34)
#define CAP_FRO	     GENMASK_ULL(33, 24)
#define CAP_MGAW     GENMASK_ULL(21, 16)
#define CAP_SAGAW    GENMASK_ULL(12, 8) /* bit n: n + 2 levels */
#define CAP_CM	     BIT_ULL(7)
#define CAP_PHMR     BIT_ULL(6)
#define CAP_PLMR     BIT_ULL(5)
#define CAP_RWBF     BIT_ULL(4)
#define CAP_ND	     GENMASK_ULL(2, 0)

#define ECAP_SMPWC BIT_ULL(48)
#define ECAP_SLTS  BIT_ULL(46)
#define ECAP_SMTS  BIT_ULL(43)
#define ECAP_SC	   BIT_ULL(7)
#define ECAP_PT	   BIT_ULL(6)
#define ECAP_QI	   BIT_ULL(1)
#define ECAP_C	   BIT_ULL(0)

/* ---- root, context and PASID entries ------------------------------------------------------- */

#define VTD_P BIT_ULL(0) /* of all of them: present */

/* Context entry of legacy mode: two words */
#define CONTEXT_TT_PASS	   (2ull << 2) /* word 0: translation type */
#define CONTEXT_AW	   GENMASK_ULL(2, 0)
#define CONTEXT_DID	   GENMASK_ULL(23, 8)
#define CONTEXT_BYTES	   16u
#define CONTEXT_BYTES_WIDE 32u /* of scalable mode */

/* PASID table entry: eight words */
#define PASID_AW	  GENMASK_ULL(4, 2)
#define PASID_PGTT	  GENMASK_ULL(8, 6)
#define PASID_PGTT_SS	  2ull
#define PASID_PGTT_PASS	  4ull
#define PASID_DID	  GENMASK_ULL(15, 0) /* word 1, as PWSNP */
#define PASID_PWSNP	  BIT_ULL(23)
#define PASID_ENTRY_WORDS 8u

/* ---- queued commands ----------------------------------------------------------------------- */

#define QI_CC	 1ull
#define QI_IOTLB 2ull
#define QI_IWD	 5ull
#define QI_PC	 7ull

/* Granularity, bits 5:4 of CC, IOTLB and PC */
#define QI_GLOBAL (1ull << 4)
#define QI_DOMAIN (2ull << 4) /* IOTLB */
#define QI_PAGES  (3ull << 4) /* IOTLB */
#define QI_DEVICE (3ull << 4) /* CC */
#define QI_PC_ONE (1ull << 4)
#define QI_PC_ALL (3ull << 4)

#define QI_DID	    GENMASK_ULL(31, 16)
#define QI_CC_SID   GENMASK_ULL(47, 32)
#define QI_IOTLB_DR BIT_ULL(7)
#define QI_IOTLB_DW BIT_ULL(6)
#define QI_IOTLB_IH BIT_ULL(6) /* second word: leaves alone changed */
#define QI_IOTLB_AM GENMASK_ULL(5, 0)

#define QI_IWD_STATUS BIT_ULL(5)
#define QI_IWD_FENCE  BIT_ULL(6)
#define QI_IWD_DATA   GENMASK_ULL(63, 32)

#endif
