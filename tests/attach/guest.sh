# SPDX-License-Identifier: Apache-2.0 OR MIT
# What a guest sees of who answers its firmware calls: how it calls, and whether the system can be
# suspended to RAM, which KVM's own PSCI leaves to the VMM and QEMU does not do.
method=$(tr -d '\0' </sys/firmware/devicetree/base/psci/method)
ok method "$method"
ok sleep "$(tr -d '[]' </sys/power/mem_sleep)"
# Goes on when somebody presses a key, which a guest that has moved cannot tell from its old console.
if has_word fakemon.move; then
    echo "ready to move"
    read -r _
    ok moved "a key came"
fi
