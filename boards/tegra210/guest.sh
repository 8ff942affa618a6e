# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the driver reads from the controller, all of it through the firmware.

debug=/sys/kernel/debug

# The names of the partitions that have power. Linux 7.3 oopses when it shows them: it takes
# seq_file's iterator for its own data.
expect_partitions() {
    case $(uname -r) in
    7.3*) skip "$1" "this kernel cannot show them" ;;
    *) expect "$1" "$2" "$(echo $(awk '$2 == "yes" { print $1 }' $debug/powergate))" ;;
    esac
}

# Puts CPU 1 off or on, and waits until the kernel is through with it.
cpu1() {
    echo "$1" >/sys/devices/system/cpu/cpu1/online
}

expect reset-reason WATCHDOG "$(cat /sys/devices/platform/7000e400.pmc/reset_reason)"

# The CPUs' partitions have power when the firmware has the CPUs on.
expect_partitions partitions-on "crail cpu1 cpu0 c0nc iram"
if [ -e /sys/devices/system/cpu/cpu1/online ]; then
    cpu1 0
    expect_partitions partitions-without-cpu1 "crail cpu0 c0nc iram"
    cpu1 1
    expect_partitions partitions-with-cpu1 "crail cpu1 cpu0 c0nc iram"
fi

# The kernel remembers the parent that it has set; whether a clock runs it asks the controller.
expect clock-parent osc_div2 "$(cat $debug/clk/pmc_clk_out_1/clk_parent)"
on=$(awk '/pmc_/ && / Y / { print $1 }' $debug/clk/clk_summary)
expect clocks-on pmc_clk_out_1 "$(echo $on)"

# Pads in deep power down, by name.
pins=$debug/pinctrl/7000e400.pmc/pinconf-pins
asleep=$(awk '/low power \(1/ { print $3 }' $pins | tr -d '():')
expect pads-asleep hdmi "$(echo $asleep)"
