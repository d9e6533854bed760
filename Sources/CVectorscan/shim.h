#pragma once
// Declares hs_compile_lit_multi, hs_scan and their kin. Vectorscan keeps the names of Hyperscan, which it was forked from.
#include <hs.h>
