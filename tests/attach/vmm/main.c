/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A VMM of ioctls alone, which knows nothing of blobs and does what VMMs do, one thing at a time:
 *
 *     LD_PRELOAD=libfakemon_preload.so FAKEMON_BLOB=virt.elf vmm SCENARIO
 *
 * It prints what is not as it should be, and ends with 1 then.
 */
#include "vm.h"

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const struct scenario *const all[] = {about_calls, about_cpus, about_machines,
                                               about_blobs};
    /* Whatever waits for ever, waits no longer than that. */
    alarm(300);
    for (size_t n = 0; argc == 2 && n < sizeof(all) / sizeof(*all); n++)
        for (const struct scenario *scenario = all[n]; scenario->name; scenario++) {
            if (strcmp(argv[1], scenario->name))
                continue;
            scenario->run();
            printf("%s: %d failures\n", argv[1], failures);
            return failures != 0;
        }
    errx(2, "there is no such scenario");
}
