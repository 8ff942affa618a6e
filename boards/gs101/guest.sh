# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the kernel has written to the unit through the firmware, read back from the unit itself.

drivers=/sys/bus/platform/drivers
pmu=17460000.system-controller
watchdog=10060000.watchdog
registers=/sys/kernel/debug/regmap/$pmu-pmu_regs/registers

# The line of one register, named by four hexadecimal digits. Newer kernels leave out registers that
# the unit has not, so a line is found by its name.
register() {
    grep -m 1 "^$1: " $registers
}

# Without these two the kernel would ask PSCI, which works as well.
expect restart-handler "$pmu:syscon-reboot" "$(ls $drivers/syscon-reboot | grep syscon)"
expect poweroff-handler "$pmu:syscon-poweroff" "$(ls $drivers/syscon-poweroff | grep syscon)"

# The watchdog's driver has let resets through and started the counter.
expect watchdog-reset-passes "1244: 00000004" "$(register 1244)"
expect watchdog-counts "1220: 00000100" "$(register 1220)"
if [ -e $drivers/s3c2410-wdt/$watchdog ]; then
    echo $watchdog >$drivers/s3c2410-wdt/unbind
    expect watchdog-reset-masked "1244: 00000000" "$(register 1244)"
    expect watchdog-stands "1220: 00000000" "$(register 1220)"
    echo $watchdog >$drivers/s3c2410-wdt/bind
    expect watchdog-again "1220: 00000100" "$(register 1220)"
fi
