# SPDX-License-Identifier: Apache-2.0 OR MIT
# The clocks and the real-time clock of SCMI, as the kernel sees them.

# One file of a clock in debugfs.
clk() {
    cat "/sys/kernel/debug/clk/$1/$2" 2>/dev/null
}

expect clock-fixed "400000000 133333333 32000" \
    "$(clk usdhc_ahb clk_rate) $(clk usdhc_module clk_rate) $(clk usdhc_mod32k clk_rate)"
# Wanted in the device tree and rounded down by the firmware: 400 MHz by 3 for 150 MHz, a multiple
# of 20 MHz for 830 MHz, and one of three rates for 100 MHz. Newer kernels know such a step and round
# up to it by themselves; board.toml says which kernel must get which.
expect clock-set 133333333 "$(clk usdhc_core clk_rate)"
rate=$(clk a53 clk_rate)
case $rate in
820000000 | 840000000) ok clock-step "$rate" ;;
*) fail clock-step "'$rate'" ;;
esac
expect clock-list 25000000 "$(clk gmac0_tx_rgmii clk_rate)"

# The SRAM's driver holds its clock.
sram=/sys/bus/platform/drivers/sram
expect clock-on 1 "$(clk sram_axi clk_prepare_count)"
echo 34000000.sram >$sram/unbind
expect clock-off 0 "$(clk sram_axi clk_prepare_count)"
echo 34000000.sram >$sram/bind
expect clock-on-again 1 "$(clk sram_axi clk_prepare_count)"

rtc=/sys/class/rtc/rtc0

# A time in seconds that is $2 or later, and no later than the kernel's clock. The kernel sets its own
# to the middle of a second, so one second may be missing.
expect_since() {
    clock=$(date +%s)
    if [ -n "$3" ] && [ "$3" -ge $(($2 - 1)) ] && [ "$3" -le $((clock + 1)) ]; then
        ok "$1" "$3"
    else
        fail "$1" "'$3', not from '$2' to '$clock'"
    fi
}

case $(cat $rtc/name 2>/dev/null) in
scmi-imx-bbm-rtc*) ok rtc-name "$(cat $rtc/name)" ;;
*) fail rtc-name "'$(cat $rtc/name 2>/dev/null)'" ;;
esac

# The kernel has set its own clock by it, and both run.
before=$(date +%s)
expect_since rtc-host "$before" "$(cat $rtc/since_epoch 2>/dev/null)"

# 2001-09-09 01:46:40 is written through the driver, and goes on from there.
date -u -s @1000000000 >/dev/null
hwclock -u -w -f /dev/rtc0
expect_since rtc-set 1000000000 "$(cat $rtc/since_epoch 2>/dev/null)"
sleep 2
expect_since rtc-runs 1000000002 "$(cat $rtc/since_epoch 2>/dev/null)"

# And back, as far as the kernel's clock has counted meanwhile.
now=$((before + $(date +%s) - 1000000000))
date -u -s "@$now" >/dev/null
hwclock -u -w -f /dev/rtc0
expect_since rtc-back "$now" "$(cat $rtc/since_epoch 2>/dev/null)"
echo "rtc0: $(cat $rtc/date $rtc/time | tr '\n' ' ')"
