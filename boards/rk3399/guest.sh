# SPDX-License-Identifier: Apache-2.0 OR MIT
# What becomes of the DRAM's clock.

dmc=/sys/class/devfreq/memory-controller
clk=/sys/kernel/debug/clk/sclk_ddrc/clk_rate

# The driver's frequency and the clock's, which it has read back from firmware.
show_dram() {
    expect "$1" "$2 $2" "$(cat $dmc/cur_freq) $(cat $clk)"
}

expect frequencies '200000000 400000000 800000000' "$(cat $dmc/available_frequencies)"
show_dram boot 800000000
# Nobody counts any transfers, and then the kernel wants as much as it may get.
echo 400000000 >$dmc/max_freq
show_dram lower 400000000
echo 200000000 >$dmc/max_freq
show_dram lowest 200000000
echo 800000000 >$dmc/max_freq
show_dram higher 800000000
