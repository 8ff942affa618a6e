# SPDX-License-Identifier: Apache-2.0 OR MIT
# What the drivers of Amlogic's secure monitor show.

summary=/sys/kernel/debug/pm_genpd/pm_genpd_summary
bus=$(ls -d /sys/bus/platform/devices/*fd000000.bus)

# A domain's state in the kernel's books.
domain() {
    awk -v name="$1" '$1 == name { print $2 }' $summary
}

# Waits for a domain to get into a state, since the kernel lets go of one in its own time.
wait_domain() {
    tries=600
    while [ "$(domain "$1")" != "$2" ] && [ $tries -gt 0 ]; do
        usleep 100000
        tries=$((tries - 1))
    done
    domain "$1"
}

expect serial 290a40000124a8010b4d5731 "$(cat /sys/devices/platform/secure-monitor/serial)"

# AUDIO is off from reset, and the kernel has asked.
expect firmware-left-off off-0 "$(domain AUDIO)"
# DMA is on from reset, and the kernel never lets go of it.
expect always-on on "$(domain DMA)"
# SPIFC is on from reset, and the device that it is for has nothing to do.
expect idle-after-boot off-0 "$(wait_domain SPIFC off-0)"

echo on >"$bus/power/control"
expect in-use on "$(wait_domain SPIFC on)"
echo auto >"$bus/power/control"
expect idle off-0 "$(wait_domain SPIFC off-0)"
