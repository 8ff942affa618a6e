# SPDX-License-Identifier: Apache-2.0 OR MIT
# What becomes of the DRAM's clocks.

dram=/sys/class/devfreq/3d400000.memory-controller
clk=/sys/kernel/debug/clk

expect frequencies '25000000 100000000 750000000' "$(cat $dram/available_frequencies)"

# The DRAM's frequency and the clock of its controller's registers. The kernel reads from the clock
# controller what firmware has set there.
show_dram() {
    expect "$1-dram" "$2 $2" "$(cat $dram/cur_freq) $(cat $clk/dram_core_clk/clk_rate)"
    expect "$1-apb" "$3" "$(cat $clk/dram_apb/clk_rate)"
}

show_dram boot 750000000 160000000
echo 100000000 >$dram/userspace/set_freq
show_dram slow 100000000 80000000
echo 25000000 >$dram/userspace/set_freq
show_dram slowest 25000000 20000000
echo 750000000 >$dram/userspace/set_freq
show_dram fast 750000000 160000000
