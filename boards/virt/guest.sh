# SPDX-License-Identifier: Apache-2.0 OR MIT
# Idle states: each CPU has been in the one that takes its registers, and is back. While this script
# sleeps all of them have nothing to do.
slept() {
    cat /sys/devices/system/cpu/cpu"$1"/cpuidle/state1/usage
}

name=/sys/devices/system/cpu/cpu0/cpuidle/state1/name
if [ "$(cat $name)" != cpu-sleep ]; then
    fail cpuidle "$(cat /sys/devices/system/cpu/cpuidle/current_driver) has no state cpu-sleep"
else
    awake=0
    for tick in $(seq 60); do
        awake=0
        for cpu in $(seq 0 $(($(nproc) - 1))); do
            [ "$(slept "$cpu")" -gt 0 ] || awake=$((awake + 1))
        done
        [ "$awake" -gt 0 ] || break
        sleep 1
    done
    # Whoever does not come back from it does not answer here.
    for cpu in $(seq 0 $(($(nproc) - 1))); do
        taskset $((1 << cpu)) true || awake=$((awake + 1))
    done
    if [ "$awake" -eq 0 ]; then
        ok cpuidle "$(slept 0) times on CPU 0"
    else
        fail cpuidle "$awake of $(nproc) CPUs have not been in cpu-sleep, or not come back"
    fi
fi

# Stolen time: what the host has kept the CPUs from while each of them had something to do.

# Hundredths of a second since boot that all CPUs together have lost (proc(5), /proc/stat).
stolen() {
    awk '$1 == "cpu" { print $9 }' /proc/stat
}

if ! dmesg | grep -q 'arm-pv: using stolen time PV'; then
    fail steal "the kernel does not account for it"
else
    since=$(cut -d. -f1 /proc/uptime)
    before=$(stolen)
    for cpu in $(seq "$(nproc)"); do
        timeout 2 sh -c 'while :; do :; done' &
    done
    wait
    after=$(stolen)
    # A loop of two seconds takes longer on a host that is busy, and the CPUs can lose all of that.
    time=$((($(cut -d. -f1 /proc/uptime) - since + 1) * 100 * $(nproc)))
    if [ $((after - before)) -gt $time ]; then
        fail steal "$((after - before)) of $time hundredths of a second"
    elif [ "$after" -gt "$before" ]; then
        ok steal "$((after - before)) of $time hundredths of a second"
    else
        skip steal "the host has had a CPU for each of ours"
    fi
fi

# The clock: it goes on as time does, and its alarm wakes the machine.
clock=/sys/class/rtc/rtc0

# Seconds since 1970.
now() {
    cat $clock/since_epoch
}

uptime() {
    cut -d. -f1 /proc/uptime
}

# Interrupts of the clock so far, on all CPUs.
alarms() {
    awk -v cpus="$(nproc)" '/rtc-pl031/ { for (i = 2; i < 2 + cpus; i++) n += $i } END { print n + 0 }' \
        /proc/interrupts
}

check_clock() {
    if ! grep -qs rtc-pl031 $clock/name; then
        fail clock "there is none"
        return
    fi
    earliest=$(uptime)
    first=$(now)
    sleep 2
    last=$(now)
    most=$(($(uptime) - earliest + 1))
    if [ $((last - first)) -lt 1 ] || [ $((last - first)) -gt "$most" ]; then
        fail clock "$((last - first)) s have passed in at most $most"
    else
        ok clock "$(cat $clock/date) $(cat $clock/time)"
    fi
}

check_alarm() {
    if ! grep -qsw deep /sys/power/mem_sleep; then
        fail alarm "the firmware offers no suspend"
        return
    fi
    before=$(alarms)
    # So far ahead that the machine sleeps by then.
    alarm=$(($(now) + 5 + 2 * suspend_took))
    echo $alarm >$clock/wakealarm
    echo deep >/sys/power/mem_sleep
    echo mem >/sys/power/state
    late=$(($(now) - alarm))
    irq=$(sed -n 's/^ *\([0-9]*\):.*rtc-pl031$/\1/p' /proc/interrupts)
    if [ $late -lt 0 ]; then
        fail alarm "awake $((-late)) s before it"
    elif [ "$(alarms)" -le "$before" ]; then
        fail alarm "it has not interrupted"
    elif [ "$(cat /sys/power/pm_wakeup_irq 2>/dev/null)" = "$irq" ]; then
        ok alarm "interrupt $irq has woken the machine, $late s late"
    else
        skip alarm "it came before the machine was asleep"
    fi
}

check_clock
check_alarm
