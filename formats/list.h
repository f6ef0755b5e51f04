/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The formats of this library, one a line: formats/NAME.h, NAME_format in it, and a NAME instance
 * of the engine. The build and the library read this same list.
 *
 * Below the condition: what shares its bits, or most of them, with one above, for builds that leave
 * these out to take less time (-Dformats=few).
 */
IOPT_FORMAT(vtd_ss)
IOPT_FORMAT(x86_64)
IOPT_FORMAT(amd_v1)
IOPT_FORMAT(riscv_s1)
IOPT_FORMAT(riscv_g)
IOPT_FORMAT(arm_s1)
IOPT_FORMAT(arm_s2)
IOPT_FORMAT(arm_v7s)
IOPT_FORMAT(arm_mali)
IOPT_FORMAT(apple_dart)
IOPT_FORMAT(apple_dart_4k)
IOPT_FORMAT(apple_dart2)
#ifndef IOPT_FEW_FORMATS
IOPT_FORMAT(arm_s1_16k)
IOPT_FORMAT(arm_s1_64k)
IOPT_FORMAT(arm_s1_lpa2)
IOPT_FORMAT(arm_s1_16k_lpa2)
IOPT_FORMAT(arm_s2_16k)
IOPT_FORMAT(arm_s2_64k)
IOPT_FORMAT(arm_s2_lpa2)
IOPT_FORMAT(arm_s2_16k_lpa2)
IOPT_FORMAT(arm_v7s_mtk)
IOPT_FORMAT(arm_lpae32_s1)
IOPT_FORMAT(arm_lpae32_s2)
#endif
