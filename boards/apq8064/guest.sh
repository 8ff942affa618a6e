# SPDX-License-Identifier: Apache-2.0 OR MIT
# Download mode: a command asks whether there is such a call, and an atomic call makes it.

echo full >/sys/module/qcom_scm/parameters/download_mode
echo off >/sys/module/qcom_scm/parameters/download_mode
if dmesg | grep -q 'scm.*setting download mode\|scm.*set download mode'; then
    fail download "$(dmesg | grep 'download mode' | tail -n 1)"
else
    ok download "on and off"
fi
