/* SPDX-License-Identifier: MIT */
#include "app/ctl/command.h"

int main(int argc, char **argv)
{
	return gm_ctl_main(argc > 0 ? argc - 1 : 0, argc > 0 ? argv + 1 : argv);
}
