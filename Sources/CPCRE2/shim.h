#pragma once
// The code-unit width must be chosen before the header is read; Swift then sees the `_8` names.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
