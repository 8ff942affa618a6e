# SPDX-License-Identifier: Apache-2.0 OR MIT
# The kernel starts and stops the Cortex-M4, and then takes over one that the boot loader has
# started. There is none; what is shown is that the secure world holds its boot and releases it.
driver=/sys/bus/platform/drivers/stm32-rproc
node=38000000.m4
m4() { cat /sys/class/remoteproc/remoteproc*/state; }
tell() { echo "$1" >"$(echo /sys/class/remoteproc/remoteproc*/state)"; }
# RCC_MP_GCR, whose bit 0 is BOOT_MCU: 0 holds, 1 releases. A driver has the RCC, so that devmem
# does not get it.
boot_mcu() { sed -n 's/^10c: //p' /sys/kernel/debug/regmap/*rcc@*/registers; }

# An ELF file for Arm with one segment of 12 bytes at 0: a stack pointer, an entry point, and a
# branch to itself there.
mkdir -p /lib/firmware
{
    printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0'
    printf '\2\0\50\0\1\0\0\0\11\0\0\0\64\0\0\0\0\0\0\0'
    printf '\0\0\0\0\64\0\40\0\1\0\50\0\0\0\0\0'
    printf '\1\0\0\0\124\0\0\0\0\0\0\0\0\0\0\0\14\0\0\0\14\0\0\0\5\0\0\0\4\0\0\0'
    printf '\0\0\1\20\11\0\0\0\376\347\376\347'
} >/lib/firmware/rproc-m4-fw

tell start
expect m4-start running "$(m4)"
expect m4-image "0x10010000 0x00000009 0xE7FEE7FE" \
    "$(devmem 0x38000000 32) $(devmem 0x38000004 32) $(devmem 0x38000008 32)"
tell stop
expect m4-stop offline "$(m4)"

# The boot loader's word: state 2, running, and an empty resource table at 0x400.
echo $node >$driver/unbind
devmem 0x5c00a148 32 2
devmem 0x5c00a144 32 0x400
devmem 0x38000400 32 1
echo $node >$driver/bind
tell start
expect m4-attach attached "$(m4)"
expect m4-hold 00000000 "$(boot_mcu)"
tell detach
expect m4-detach detached "$(m4)"
# It may now start again by itself.
expect m4-release 00000001 "$(boot_mcu)"

# Most hosts keep the Arm architecture calls: they say version 1.1, and nobody asks for the SoC.
convention=$(dmesg | sed -n 's/.*SMC Calling Convention v//p')
if [ "$convention" = 1.1 ]; then
    skip soc-id "the host answers SMCCC_VERSION itself"
else
    soc=/sys/devices/soc0
    expect soc-id 'jep106:0020 jep106:0020:0500 0x00002000' \
        "$(cat $soc/family $soc/soc_id $soc/revision | xargs)"
fi
