# SPDX-License-Identifier: Apache-2.0 OR MIT
# The driver reads and writes the register of download mode through SCM.

mode=/sys/module/qcom_scm/parameters/download_mode
register() { devmem 0x193d100 32; }

# Bits that are not the driver's stay as they are.
devmem 0x193d100 32 0xabcd0001
echo full >$mode
expect download-full 0xABCD0011 "$(register)"
echo mini >$mode
expect download-mini 0xABCD0021 "$(register)"
echo off >$mode
expect download-off 0xABCD0001 "$(register)"
