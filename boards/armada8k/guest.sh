# SPDX-License-Identifier: Apache-2.0 OR MIT
# What firmware sets in the lanes' registers when the SATA controller comes and goes.

driver=/sys/bus/platform/drivers/ahci

# The registers at these addresses.
registers() {
    for address; do
        devmem "$address"
    done | tr '\n' ' ' | sed 's/ $//'
}

# Selectors: four bits for each lane, 4 is SATA. Lanes: 0x6002 is powered up and out of reset.
show_lanes() {
    expect "$1-selectors" "$2 0x00000000" "$(registers 0xf2441140 0xf2441144)"
    expect "$1-lanes" "0x00000000 $3 0x00000000 $3" \
        "$(registers 0xf2441000 0xf2441028 0xf2441050 0xf2441078)"
}

show_lanes on 0x00004040 0x00006002
echo f2540000.sata >$driver/unbind
show_lanes off 0x00000000 0x00000002
echo f2540000.sata >$driver/bind
show_lanes again 0x00004040 0x00006002
