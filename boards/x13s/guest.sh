# SPDX-License-Identifier: Apache-2.0 OR MIT
# What works of the secure side: the register of download mode, UEFI's variables, shared memory.

# The driver writes what it is told through SCM's register access.
echo full >/sys/module/qcom_scm/parameters/download_mode
expect download 0x00000010 "$(devmem 0x1fd3000 32)"

# There is no UEFI here, so there is no /sys/firmware/efi to mount this on.
vars=/tmp/vars
global=8be4df61-93ca-11d2-aa0d-00e098032b8c
mkdir $vars
remount() {
    umount $vars 2>/dev/null
    mount -t efivarfs efivarfs $vars
}
content() { hexdump -v -e '1/1 "%02x"' "$1"; }
if remount; then
    expect efivars "SecureBoot-$global SetupMode-$global" "$(cd $vars && echo *)"
    # Attributes first: non-volatile, at boot time and at run time.
    printf '\007\000\000\000\005\000' >$vars/Timeout-$global
    expect efivar-write 070000000500 "$(content $vars/Timeout-$global)"
    printf '\007\000\000\000\012\000' >$vars/Timeout-$global
    # What a new mount shows comes from the secure side anew.
    remount
    expect efivar-change 070000000a00 "$(content $vars/Timeout-$global)"
    rm $vars/Timeout-$global
    remount
    expect efivar-remove "SecureBoot-$global SetupMode-$global" "$(cd $vars && echo *)"
    # Without access at run time nobody could see it.
    if printf '\003\000\000\000\005\000' >$vars/Timeout-$global; then
        fail efivar-refused "made without run-time access"
    else
        ok efivar-refused "no run-time access"
    fi
else
    fail efivars "no file system"
fi

failed_calls() { dmesg | grep -c 'Assign memory protection call failed'; }
if [ -c /dev/qcom_rmtfs_mem1 ] && [ "$(failed_calls)" -eq 0 ]; then
    ok rmtfs "$(cat /sys/class/rmtfs/qcom_rmtfs_mem1/phys_addr)"
else
    fail rmtfs "no device"
fi
rmmod rmtfs_mem
expect rmtfs-back 0 "$(failed_calls)"
