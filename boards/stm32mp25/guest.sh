# SPDX-License-Identifier: Apache-2.0 OR MIT
# What OP-TEE's drivers and the watchdog's show.

hwrng=/sys/class/misc/hw_random
watchdog=/sys/class/watchdog/watchdog0

# 64 bytes of /dev/hwrng as hexadecimal digits: as many as the kernel draws at once and would keep.
draw() {
    dd if=/dev/hwrng bs=64 count=1 2>/dev/null | hexdump -v -e '64/1 "%02x"'
}

# Somebody opens the watchdog with a short timeout and never comes back.
board_reboot() {
    command watchdog -F -T 3 -t 86400 /dev/watchdog0
}

expect tee optee-ta-ab7a617c-b8e7-4d8f-8301-d09b61036b64 "$(ls /sys/bus/tee/devices)"
# 1 is OP-TEE's number among trusted OSes.
[ -c /dev/tee0 ] && [ -c /dev/teepriv0 ] && id=$(cat /sys/class/tee/tee0/implementation_id)
expect tee-client 1 "$id"

expect rng-available optee-rng "$(tr ' ' '\n' <$hwrng/rng_available | grep optee)"
if echo optee-rng >$hwrng/rng_current; then
    one=$(draw)
    two=$(draw)
    if [ "$(cat $hwrng/rng_current)" != optee-rng ] || [ ${#one} -ne 128 ] ||
        [ "$one" = "$two" ] || [ -z "$(echo "$one" | tr -d 0)" ]; then
        fail rng-data "read '$one' and '$two'"
    else
        ok rng-data "$one"
    fi
fi

expect watchdog 32 "$(cat $watchdog/timeout)"
if [ -e $watchdog ]; then
    # Open, it counts; any letter but V means that somebody still cares.
    exec 3>/dev/watchdog0
fi
# Before Linux 7.3 the driver gives up on the time left, as nobody tells it before the watchdog runs.
if [ -e $watchdog/timeleft ]; then
    first=$(cat $watchdog/timeleft)
    sleep 2
    later=$(cat $watchdog/timeleft)
    if [ "$first" -le 32 ] && [ "$later" -lt "$first" ] && [ "$later" -gt 0 ]; then
        ok watchdog-counts "$first, then $later"
    else
        fail watchdog-counts "$first, then $later"
    fi
    # On a busy machine seconds may pass between the two.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        echo >&3
        again=$(cat $watchdog/timeleft)
        [ "$again" -gt "$later" ] && break
    done
    if [ "$again" -gt "$later" ]; then
        ok watchdog-pet "$again after $later"
    else
        fail watchdog-pet "$again after $later"
    fi
elif [ -e $watchdog ]; then
    echo >&3
fi
if [ -e $watchdog ]; then
    echo V >&3
    exec 3>&-
    expect watchdog-stop inactive "$(cat $watchdog/state)"
fi
