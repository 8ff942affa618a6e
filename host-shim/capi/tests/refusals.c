/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * Hands every function what C can get wrong and Rust cannot, and wants an error for it, not a crash:
 * null pointers, numbers without a meaning, files that cannot be, calls out of turn.
 *
 *     refusals BLOB.elf
 */
#include <err.h>
#include <fakemon.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int failures, checks;

static void expect(const char *call, enum fakemon_error is, enum fakemon_error want, const char *text)
{
    checks++;
    if (is == want && strstr(fakemon_last_error(), text))
        return;
    failures++;
    printf("%s is %d, not %d, and says: %s\n", call, is, want, fakemon_last_error());
}

#define OK(call) expect(#call, call, FAKEMON_ERROR_NONE, "")
#define VMM(call, text) expect(#call, call, FAKEMON_ERROR_VMM, text)
#define BLOB(call, text) expect(#call, call, FAKEMON_ERROR_BLOB, text)
#define HOST(call, text) expect(#call, call, FAKEMON_ERROR_HOST, text)
#define NO(name) name " is a null pointer"

/* What fails must leave its result alone; no function may take this for a handle. */
#define UNTOUCHED ((void *)1)
static void untouched(const char *name, const void *handle)
{
    checks++;
    if (handle == UNTOUCHED)
        return;
    failures++;
    printf("a call that failed has changed %s\n", name);
}

static void holds(const char *what, bool is)
{
    checks++;
    if (is)
        return;
    failures++;
    printf("not so: %s\n", what);
}

static struct fakemon_blob *blob(const char *path)
{
    static uint8_t elf[1 << 24];
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file)
        err(2, "usage: refusals BLOB.elf");
    size_t size = fread(elf, 1, sizeof(elf), file);
    struct fakemon_blob *blob = UNTOUCHED;
    VMM(fakemon_blob_parse(NULL, 1, &blob), NO("bytes"));
    VMM(fakemon_blob_parse(elf, size, NULL), NO("blob"));
    BLOB(fakemon_blob_parse(NULL, 0, &blob), "ELF");
    BLOB(fakemon_blob_parse(elf, 3, &blob), "ELF");
    untouched("blob", blob);
    OK(fakemon_blob_parse(elf, size, &blob));
    fakemon_blob_free(NULL);
    return blob;
}

static void policy(int vm, const struct fakemon_blob *const *blobs)
{
    const struct fakemon_blob *null[] = {NULL};
    VMM(fakemon_set_policy(-1, FAKEMON_POLICY_BLOB, blobs, 1), "vm_fd is -1");
    VMM(fakemon_set_policy(vm, 4, blobs, 1), "policy 4 is none");
    VMM(fakemon_set_policy(vm, FAKEMON_POLICY_BLOB, NULL, 1), NO("blobs"));
    VMM(fakemon_set_policy(vm, FAKEMON_POLICY_BLOB, null, 1), NO("blobs[0]"));
    VMM(fakemon_set_policy(vm, FAKEMON_POLICY_BLOB, NULL, 0), "there is no blob");
    OK(fakemon_set_policy(vm, FAKEMON_POLICY_KVM, NULL, 0));
}

static struct fakemon_world *world(int kvm, const struct fakemon_blob *const *blobs)
{
    /* A page of any host's: the largest have 64 KiB. */
    static _Alignas(0x10000) char ram[0x10000];
    struct fakemon_world *world = UNTOUCHED;
    struct fakemon_config config;
    enum fakemon_engine engine;
    uint64_t page = 0;
    VMM(fakemon_config_default(NULL), NO("config"));
    OK(fakemon_config_default(&config));
    config.engine = 3;
    VMM(fakemon_world_new(kvm, blobs, 1, 1, &config, &world), "engine 3 is none");
    OK(fakemon_config_default(&config));
    config.on_fault = 2;
    VMM(fakemon_world_new(kvm, blobs, 1, 1, &config, &world), "on_fault 2 is none");
    OK(fakemon_config_default(&config));
    config.hvc = 2;
    VMM(fakemon_world_new(kvm, blobs, 1, 1, &config, &world), "hvc 2 is none");
    OK(fakemon_config_default(&config));
    VMM(fakemon_world_new(-1, blobs, 1, 1, &config, &world), "kvm_fd is -1");
    VMM(fakemon_world_new(kvm, NULL, 1, 1, &config, &world), NO("blobs"));
    VMM(fakemon_world_new(kvm, NULL, 0, 1, &config, &world), "at least one payload");
    VMM(fakemon_world_new(kvm, blobs, 1, 0, &config, &world), "vCPUs, not 0");
    VMM(fakemon_world_new(kvm, blobs, 1, 1, &config, NULL), NO("world"));
    untouched("world", world);
    OK(fakemon_world_new(kvm, blobs, 1, 1, &config, &world));

    VMM(fakemon_world_add_memory(NULL, 0, ram, sizeof(ram)), NO("world"));
    VMM(fakemon_world_add_memory(world, 0, NULL, sizeof(ram)), NO("host_addr"));
    VMM(fakemon_world_add_memory(world, 1, ram, sizeof(ram)), "not aligned");
    OK(fakemon_world_add_memory(world, 0, ram, sizeof(ram)));
    VMM(fakemon_world_add_memory(world, 0, ram, sizeof(ram)), "overlaps");
    VMM(fakemon_world_remove_memory(NULL, 0), NO("world"));
    VMM(fakemon_world_remove_memory(world, 4096), "no region");
    VMM(fakemon_world_set_read_only(NULL, 0, true), NO("world"));
    VMM(fakemon_world_set_read_only(world, 4096, true), "no region");
    VMM(fakemon_world_log_dirty_pages(NULL, true), NO("world"));
    VMM(fakemon_world_dirty_pages(NULL, 0, &page, 1), NO("world"));
    VMM(fakemon_world_dirty_pages(world, 0, NULL, 1), NO("pages"));
    OK(fakemon_world_log_dirty_pages(world, true));
    VMM(fakemon_world_dirty_pages(world, 0, &page, 0), "pages has 0");
    OK(fakemon_world_dirty_pages(world, 0, &page, 1));
    OK(fakemon_world_remove_memory(world, 0));
    VMM(fakemon_world_interrupt(NULL, 0, 0), NO("world"));
    VMM(fakemon_world_interrupt(world, 1, 0), "cpu is 1");
    VMM(fakemon_world_interrupt(world, 0, 1), "payload is 1");
    VMM(fakemon_world_reset(NULL), NO("world"));
    VMM(fakemon_world_engine(NULL, &engine), NO("world"));
    VMM(fakemon_world_engine(world, NULL), NO("engine"));
    fakemon_world_free(NULL);
    return world;
}

static void vcpu(int vcpu)
{
    VMM(fakemon_vcpu_start_at(-1, FAKEMON_WIDTH_AARCH64, 0, 0), "vcpu_fd is -1");
    VMM(fakemon_vcpu_start_at(vcpu, 2, 0, 0), "width 2 is none");
    VMM(fakemon_vcpu_inject_undefined(-1, FAKEMON_WIDTH_AARCH64), "vcpu_fd is -1");
    VMM(fakemon_vcpu_inject_undefined(vcpu, 2), "width 2 is none");
    VMM(fakemon_vcpu_keep_stolen_time(-1, 0), "vcpu_fd is -1");
    HOST(fakemon_vcpu_keep_stolen_time(vcpu, 1), "stolen time at 0x1");
}

/* The id of X1, and of V0, which has 128 bits. */
#define X1 0x6030000000100002
#define V0 0x6040000000100054

static void registers(int vcpu)
{
    uint64_t value = 0;
    VMM(fakemon_vcpu_get(-1, X1, &value), "vcpu_fd is -1");
    VMM(fakemon_vcpu_get(vcpu, X1, NULL), NO("value"));
    VMM(fakemon_vcpu_get(vcpu, V0, &value), "none of a register of 64 bits");
    HOST(fakemon_vcpu_get(vcpu, 0x6030000000000000, &value), "cannot read");
    VMM(fakemon_vcpu_set(-1, X1, 0), "vcpu_fd is -1");
    VMM(fakemon_vcpu_set(vcpu, V0, 0), "none of a register of 64 bits");
    HOST(fakemon_vcpu_set(vcpu, 0x6030000000000000, 0), "cannot write");
    OK(fakemon_vcpu_set(vcpu, X1, 0x123456789abcdef0));
    OK(fakemon_vcpu_get(vcpu, X1, &value));
    holds("X1", value == 0x123456789abcdef0);
}

/* The blob is entered without a call, and gives the guest its registers back. */
static void entry(const struct fakemon_world *world, struct fakemon_lane *lane, int vcpu)
{
    struct fakemon_step step;
    uint64_t value = 0;
    bool is = true;
    VMM(fakemon_lane_is_due(NULL, &is), NO("lane"));
    VMM(fakemon_lane_is_due(lane, NULL), NO("is_due"));
    VMM(fakemon_lane_is_raised(NULL, &is), NO("lane"));
    VMM(fakemon_lane_is_raised(lane, NULL), NO("is_raised"));
    VMM(fakemon_lane_deliver(NULL, &step), NO("lane"));
    VMM(fakemon_lane_deliver(lane, NULL), NO("step"));
    OK(fakemon_lane_is_due(lane, &is));
    holds("no entry is due", !is);
    OK(fakemon_world_interrupt(world, 0, 0));
    OK(fakemon_lane_is_raised(lane, &is));
    holds("an entry is raised", is);
    OK(fakemon_lane_is_due(lane, &is));
    holds("an entry is due", is);
    OK(fakemon_lane_deliver(lane, &step));
    /* The kick of before, with the engine where this has entered the blob. */
    while (step.tag == FAKEMON_STEP_INTERRUPTED)
        OK(fakemon_lane_resume(lane, &step));
    holds("the guest is to run", step.tag == FAKEMON_STEP_RUN);
    OK(fakemon_lane_is_raised(lane, &is));
    holds("it was delivered", !is);
    /* With the kernel engine the blob would run with the guest. */
    OK(fakemon_lane_abandon(lane));
    OK(fakemon_vcpu_get(vcpu, X1, &value));
    holds("X1 after the entry", value == 0x123456789abcdef0);
}

static void count(void *calls, const struct fakemon_call *call)
{
    *(int *)calls += call->outputs <= 18;
}

static void call_log(struct fakemon_lane *lane)
{
    int calls = 0;
    VMM(fakemon_lane_drain_log(NULL, count, &calls), NO("lane"));
    VMM(fakemon_lane_drain_log(lane, NULL, &calls), NO("each"));
    OK(fakemon_lane_drain_log(lane, count, &calls));
    holds("no call was made", calls == 0);
}

static struct fakemon_lane *lane(const struct fakemon_world *world, int vcpu)
{
    struct fakemon_lane *lane = UNTOUCHED;
    struct fakemon_kick_handle *handle = UNTOUCHED;
    struct fakemon_reply reply = {0};
    struct fakemon_step step;
    bool in_call = true;
    VMM(fakemon_lane_new(NULL, 0, vcpu, FAKEMON_WIDTH_AARCH64, &lane), NO("world"));
    VMM(fakemon_lane_new(world, 0, -1, FAKEMON_WIDTH_AARCH64, &lane), "vcpu_fd is -1");
    VMM(fakemon_lane_new(world, 0, vcpu, 2, &lane), "width 2 is none");
    VMM(fakemon_lane_new(world, 1, vcpu, FAKEMON_WIDTH_AARCH64, &lane), "CPU 1 was not announced");
    VMM(fakemon_lane_new(world, 0, vcpu, FAKEMON_WIDTH_AARCH64, NULL), NO("lane"));
    BLOB(fakemon_lane_new(world, 0, vcpu, FAKEMON_WIDTH_AARCH32, &lane), "AArch32 callers");
    untouched("lane", lane);
    OK(fakemon_lane_new(world, 0, vcpu, FAKEMON_WIDTH_AARCH64, &lane));

    VMM(fakemon_lane_trap(NULL, 0, 0, &step), NO("lane"));
    VMM(fakemon_lane_trap(lane, 0, 0, NULL), NO("step"));
    VMM(fakemon_lane_answer(NULL, &reply, &step), NO("lane"));
    VMM(fakemon_lane_answer(lane, NULL, &step), NO("reply"));
    VMM(fakemon_lane_answer(lane, &reply, NULL), NO("step"));
    VMM(fakemon_lane_answer(lane, &reply, &step), "resumed or answered");
    VMM(fakemon_lane_resume(NULL, &step), NO("lane"));
    VMM(fakemon_lane_resume(lane, NULL), NO("step"));
    VMM(fakemon_lane_resume(lane, &step), "resumed or answered");
    VMM(fakemon_lane_abandon(NULL), NO("lane"));
    OK(fakemon_lane_abandon(lane));
    VMM(fakemon_lane_in_call(NULL, &in_call), NO("lane"));
    VMM(fakemon_lane_in_call(lane, NULL), NO("in_call"));
    OK(fakemon_lane_in_call(lane, &in_call));
    fakemon_lane_free(NULL);

    VMM(fakemon_kick_handle_new(NULL, &handle), NO("lane"));
    VMM(fakemon_kick_handle_new(lane, NULL), NO("handle"));
    untouched("handle", handle);
    VMM(fakemon_kick(NULL), NO("handle"));
    OK(fakemon_kick_handle_new(lane, &handle));
    OK(fakemon_kick(handle));
    fakemon_kick_handle_free(handle);
    fakemon_kick_handle_free(NULL);
    if (in_call) {
        failures++;
        printf("a lane that has served nothing is in a call\n");
    }
    return lane;
}

int main(int argc, char **argv)
{
    struct fakemon_blob *parsed = blob(argc == 2 ? argv[1] : NULL);
    const struct fakemon_blob *array[] = {parsed};
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    int cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_vcpu_init init;
    if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) || ioctl(cpu, KVM_ARM_VCPU_INIT, &init))
        err(1, "KVM");
    policy(vm, array);
    vcpu(cpu);
    struct fakemon_world *all = world(kvm, array);
    struct fakemon_lane *one = lane(all, cpu);
    registers(cpu);
    entry(all, one, cpu);
    call_log(one);
    /* The lane needs neither any more. */
    fakemon_world_free(all);
    fakemon_blob_free(parsed);
    OK(fakemon_lane_abandon(one));
    fakemon_lane_free(one);
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
