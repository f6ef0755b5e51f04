/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* All formats, those of formats/list.h, for tests that look into their descriptions. */
#ifndef TESTS_SUPPORT_FORMATS_H
#define TESTS_SUPPORT_FORMATS_H

#include "formats/amd_v1.h"
#include "formats/apple_dart.h"
#include "formats/apple_dart2.h"
#include "formats/apple_dart_4k.h"
#include "formats/arm_lpae32_s1.h"
#include "formats/arm_lpae32_s2.h"
#include "formats/arm_mali.h"
#include "formats/arm_s1.h"
#include "formats/arm_s1_16k.h"
#include "formats/arm_s1_16k_lpa2.h"
#include "formats/arm_s1_64k.h"
#include "formats/arm_s1_lpa2.h"
#include "formats/arm_s2.h"
#include "formats/arm_s2_16k.h"
#include "formats/arm_s2_16k_lpa2.h"
#include "formats/arm_s2_64k.h"
#include "formats/arm_s2_lpa2.h"
#include "formats/arm_v7s.h"
#include "formats/arm_v7s_mtk.h"
#include "formats/riscv_g.h"
#include "formats/riscv_s1.h"
#include "formats/vtd_ss.h"
#include "formats/x86_64.h"

#endif
