# SPDX-License-Identifier: Apache-2.0 OR MIT
# Stolen time: what the host has kept the CPUs from while each of them had something to do.

# Hundredths of a second since boot that all CPUs together have lost (proc(5), /proc/stat).
stolen() {
    awk '$1 == "cpu" { print $9 }' /proc/stat
}

if ! dmesg | grep -q 'arm-pv: using stolen time PV'; then
    fail steal "the kernel does not account for it"
else
    before=$(stolen)
    for cpu in $(seq "$(nproc)"); do
        timeout 2 sh -c 'while :; do :; done' &
    done
    wait
    after=$(stolen)
    if [ "$after" -gt "$before" ]; then
        ok steal "$((after - before)) of $((200 * $(nproc))) hundredths of a second"
    else
        skip steal "the host has had a CPU for each of ours"
    fi
fi
