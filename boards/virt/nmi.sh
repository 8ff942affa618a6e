# SPDX-License-Identifier: Apache-2.0 OR MIT
# The demonstration nmi: CPU 1 hangs with its interrupts off, so that no interrupt reaches it. SDEI
# does: the kernel's drivers/firmware/arm_sdei_nmi.c finds out where it is, and stops it when the
# kernel panics.
victim=1

# Into the kernel's log, where it stands in the order of things.
say() {
    echo "demo: $1" >/dev/kmsg
}

# How often the CPU's timer has interrupted it.
ticks() {
    awk -v cpu=$victim '/arch_timer/ { print $(cpu + 2) }' /proc/interrupts
}

if [ ! -e /sys/devices/system/cpu/cpu$victim ]; then
    fail nmi "it takes two CPUs"
    return
fi
# What waits for the victim would wait for ever.
taskset -p 1 $$ >/dev/null

say "CPU $victim turns its interrupts off and loops for ever"
# LKDTM's HARDLOCKUP does so (drivers/misc/lkdtm/bugs.c).
taskset $((1 << victim)) sh -c 'echo HARDLOCKUP >/sys/kernel/debug/provoke-crash/DIRECT' &
until dmesg | grep -q 'Performing direct entry HARDLOCKUP'; do
    sleep 1
done
# That line comes some instructions before the loop, and until then the CPU has its timer.
before=none
while [ "$before" != "$(ticks)" ]; do
    before=$(ticks)
    sleep 1
done

say "SysRq l: where is each CPU?"
echo l >/proc/sysrq-trigger
say "SysRq c: a panic, which stops all other CPUs"
echo c >/proc/sysrq-trigger
