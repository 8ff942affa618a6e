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
