# SPDX-License-Identifier: Apache-2.0 OR MIT
# The firmware's random numbers, before and after the driver has let go of them.

rng=12081400.rng
class=/sys/class/misc/hw_random
driver=/sys/bus/platform/drivers/exynos-trng

# 32 bytes of /dev/hwrng as hexadecimal digits; nothing if there are none.
draw() {
    dd if=/dev/hwrng bs=32 count=1 2>/dev/null | hexdump -e '32/1 "%02x"'
}

check_data() {
    one=$(draw)
    two=$(draw)
    if [ ${#one} -ne 64 ] || [ "$one" = "$two" ] || [ -z "$(echo "$one" | tr -d 0)" ]; then
        fail "$1" "read '$one' and '$two'"
    else
        ok "$1" "$one"
    fi
}

current=$(cat $class/rng_current)
expect rng-current "$rng" "$current"

# A generator that the firmware refuses to start stays in the kernel's list although its driver is
# gone; reading that list, or another try of the driver, would crash the kernel.
if [ "$current" = "$rng" ]; then
    expect rng-available "$rng none" "$(cat $class/rng_available)"
    check_data rng-data

    echo $rng >$driver/unbind
    expect rng-unbind none "$(cat $class/rng_current)"
    echo $rng >$driver/bind
    expect rng-bind "$rng" "$(cat $class/rng_current)"
    check_data rng-data-again
fi
