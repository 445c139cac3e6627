/* SPDX-License-Identifier: MIT */
#include "app/agent/render-internal.h"
