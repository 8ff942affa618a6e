/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A whole VMM: one vCPU, one page of RAM, and one SMC that a blob answers.
 *
 * Build the library, then this, on arm64 Linux:
 *
 *     cargo build --release --package fakemon-c
 *     cc -Ihost-shim/capi/include host-shim/capi/examples/minimal.c target/release/libfakemon.a
 *     ./a.out target/blobs/virt.elf
 */
#include <err.h>
#include <fakemon.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define RAM 0x40000000

/* PSCI_VERSION by SMC, then a store of the answer to an address where there is only the VMM. */
static const uint32_t guest[] = {
    0x52b08000, /* mov w0, #0x84000000 */
    0xd4000003, /* smc #0 */
    0x52a12001, /* mov w1, #0x09000000 */
    0xb9000020, /* str w0, [x1] */
};

static long sys(long result, const char *what)
{
    if (result == -1)
        err(1, "%s", what);
    return result;
}

static void ok(enum fakemon_error error)
{
    if (error != FAKEMON_ERROR_NONE)
        errx(1, "%s", fakemon_last_error());
}

/* Carries a call out. Whatever the blob asks for, this VMM has no such thing. */
static void serve(struct fakemon_lane *lane, const struct kvm_run *run)
{
    struct fakemon_step step;
    const struct fakemon_reply reply = {.status = FAKEMON_STATUS_NOT_SUPPORTED};
    /* `longmode` is where older kernel headers have the low half of the arm64 exit's flags. */
    ok(fakemon_lane_trap(lane, run->hypercall.nr, run->hypercall.longmode, &step));
    while (step.tag != FAKEMON_STEP_RUN)
        ok(fakemon_lane_answer(lane, &reply, &step));
}

int main(int argc, char **argv)
{
    static uint8_t elf[1 << 24];
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file)
        errx(2, "usage: minimal BLOB.elf");
    struct fakemon_blob *blob;
    ok(fakemon_blob_parse(elf, fread(elf, 1, sizeof(elf), file), &blob));
    const struct fakemon_blob *blobs[] = {blob};

    int kvm = sys(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    int vm = sys(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    ok(fakemon_set_policy(vm, FAKEMON_POLICY_BLOB, blobs, 1));
    /* A page of any host's: the largest have 64 KiB. */
    static _Alignas(0x10000) uint32_t ram[0x10000 / sizeof(uint32_t)];
    memcpy(ram, guest, sizeof(guest));
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = RAM, .memory_size = sizeof(ram), .userspace_addr = (uintptr_t)ram};
    sys(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
    struct fakemon_world *world;
    ok(fakemon_world_new(kvm, blobs, 1, 1, NULL, &world));
    ok(fakemon_world_add_memory(world, RAM, ram, sizeof(ram)));

    struct kvm_vcpu_init init;
    int vcpu = sys(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
    sys(ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
    sys(ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    size_t size = sys(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    sys((intptr_t)run, "mmap");
    ok(fakemon_vcpu_start_at(vcpu, FAKEMON_WIDTH_AARCH64, RAM, 0));
    struct fakemon_lane *lane;
    ok(fakemon_lane_new(world, 0, vcpu, FAKEMON_WIDTH_AARCH64, &lane));

    while (sys(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN"), run->exit_reason == KVM_EXIT_HYPERCALL)
        serve(lane, run);
    if (run->exit_reason != KVM_EXIT_MMIO)
        errx(1, "unexpected exit %u", run->exit_reason);
    printf("PSCI version %d.%d\n", run->mmio.data[2], run->mmio.data[0]);

    fakemon_lane_free(lane);
    fakemon_world_free(world);
    fakemon_blob_free(blob);
}
