# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the kernel made of EEMI, and what it can change.

firmware=/sys/devices/platform/firmware:zynqmp-firmware

rate() {
    cat "/sys/kernel/debug/clk/$1/clk_rate" 2>/dev/null
}

# As the boot loader left them: 33.33 MHz times 90 and 72, halved, and divided by 1, 3 and 5 * 15.
expect rate-iopll 1499999985 "$(rate iopll)"
expect rate-acpu 1199999988 "$(rate acpu)"
expect rate-adma 499999995 "$(rate adma_ref)"
expect rate-usb3 20000000 "$(rate usb3_dual_ref)"
# As the device tree wants them: half, half, another input, and a PLL times 60.43956.
expect rate-uart0 50000000 "$(rate uart0_ref)"
expect rate-usb0 124999999 "$(rate usb0_bus_ref)"
expect parent-vpll video_clk "$(cat /sys/kernel/debug/clk/vpll_pre_src/clk_parent)"
expect rate-vpll 1631868118 "$(rate vpll_int)"
expect rate-video 74175824 "$(rate dp_video_ref)"

# Pin control: 78 pins, and the USB controller has its twelve; the tree's groups are there.
pinctrl=/sys/kernel/debug/pinctrl/firmware:zynqmp-firmware:pinctrl-zynqmp_pinctrl
expect pins '78 12 505 57' "$(grep -c '^pin ' $pinctrl/pins) \
$(grep -c 'ff9d0000.usb' $pinctrl/pinmux-pins) \
$(grep -c '^group: .*_grp$' $pinctrl/pingroups) $(grep -c '^function ' $pinctrl/pinmux-functions)"
expect pin-usb 'ff9d0000.usb usb0 usb0_0_grp' \
    "$(awk '$3 == "(MIO63):" { print $4, $8, $10 }' $pinctrl/pinmux-pins)"

# The USB controller's driver has the clocks, the domain and the resets; nobody has the others.
controller() {
    awk '$1 == "usb0_bus_ref" { bus = $9 } $1 == "iopll_int" { pll = $9 }
        $1 == "uart1_ref" { other = $9 } END { print bus, pll, other }' \
        /sys/kernel/debug/clk/clk_summary
    awk '$1 == "domain0" { print $2 }' /sys/kernel/debug/pm_genpd/pm_genpd_summary
}
expect usb-bound 'Y Y N on ' "$(controller | tr '\n' ' ')"
echo ff9d0000.usb >/sys/bus/platform/drivers/dwc3-xilinx/unbind
# The kernel switches the domain off when it has nothing else to do.
for _ in $(seq 60); do
    grep -q '^domain0 *off' /sys/kernel/debug/pm_genpd/pm_genpd_summary && break
    sleep 1
done
expect usb-unbound 'N N N off-0 ' "$(controller | tr '\n' ' ')"
echo ff9d0000.usb >/sys/bus/platform/drivers/dwc3-xilinx/bind
expect usb-again 'Y Y N on ' "$(controller | tr '\n' ' ')"

# Storage keeps what is written, each register for itself.
echo 1badcafe >$firmware/ggs0
echo 7000 >$firmware/pggs3
expect storage '0x1badcafe 0x0 0x0 0x7000' \
    "$(cat $firmware/ggs0) $(cat $firmware/ggs1) $(cat $firmware/pggs0) $(cat $firmware/pggs3)"
expect health ok "$(echo 1 >$firmware/health_status && echo ok)"

# The boot mode is 1110, SD card; pin 1 belongs to the USB controller. An output shows its own
# level.
for chip in /sys/class/gpio/gpiochip*; do
    [ "$(cat "$chip/label")" = firmware:zynqmp-firmware:gpio ] && base=$(cat "$chip/base")
done
for pin in 0 2 3; do
    echo $((base + pin)) >/sys/class/gpio/export
done
pins() {
    cat "/sys/class/gpio/gpio$((base + 3))/value" "/sys/class/gpio/gpio$((base + 2))/value" \
        "/sys/class/gpio/gpio$base/value" | tr -d '\n'
}
expect modepins 110 "$(pins)"
echo out >/sys/class/gpio/gpio$base/direction
echo 1 >/sys/class/gpio/gpio$base/value
expect modepin-out 111 "$(pins)"

# What the firmware does not have is an error of its own: ENOTSUPP.
expect unsupported 'cat: read error: Unknown error 524' "$(cat $firmware/feature_config_value 2>&1)"

echo ps_only >$firmware/shutdown_scope
expect scope 'subsystem [ps_only] system' "$(sed 's/ *$//' $firmware/shutdown_scope)"

# This file is there only if the power driver got its mailbox.
mode=$firmware/firmware:zynqmp-firmware:power-management/suspend_mode
echo power-off >$mode
expect ipi 'standard [power-off]' "$(cat $mode)"

# Most hosts keep the Arm architecture calls: they say version 1.1, and nobody asks for the SoC.
convention=$(dmesg | sed -n 's/.*SMC Calling Convention v//p')
if [ "$convention" = 1.1 ]; then
    skip soc-id "the host answers SMCCC_VERSION itself"
else
    soc=/sys/devices/soc0
    expect soc-id 'jep106:0049 jep106:0049:0000 0x24738093' \
        "$(cat $soc/family $soc/soc_id $soc/revision | xargs)"
fi
